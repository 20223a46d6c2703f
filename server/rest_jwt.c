/*
 * JWTs. Called by rest_auth.c for bearers that are ones, and by `culvertd jwt`. Header members that would choose another key or another
 * algorithm have no say: there is one of each.
 */
#include "server/rest_jwt.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "framing/base64.h"
#include "framing/error.h"
#include "tunnel/daemon.h"

#define HEADER_MAX 512		/* characters */
#define SIGNATURE_TEXT 43	/* MAC_BYTES in base64url */
#define AUDIENCE "culvert"
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

bool rest_jwt_is(struct span s)
{
	return s.n && memchr(s.p, '.', s.n);
}

static int wrong(const char **why, const char *sentence)
{
	*why = sentence;
	return ERROR_MALFORMED;
}

/* Up to the next dot, which must be there. */
static bool part(struct span *s, struct span *out)
{
	const uint8_t *dot = s->n ? memchr(s->p, '.', s->n) : NULL;

	if (!dot)
		return false;
	*out = (struct span){ s->p, (size_t)(dot - s->p) };
	*s = (struct span){ dot + 1, s->n - out->n - 1 };
	return true;
}

/* An object of JSON in base64url; NULL: it is none. */
static json_t *object(struct span s)
{
	uint8_t plain[REST_JWT_MAX];
	ssize_t n = base64_decode(plain, sizeof plain, (const char *)s.p, s.n, true);
	json_t *o = n > 0 ? json_loadb((const char *)plain, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;

	daemon_wipe(plain, sizeof plain);
	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

/* NULL, or what is wrong. */
static const char *header_refusal(struct span s)
{
	json_t *o = s.n <= HEADER_MAX ? object(s) : NULL;
	const char *alg = json_string_value(json_object_get(o, "alg"));
	const char *why = NULL;

	if (!o)
		why = "the header of the JWT cannot be read: it is a JSON object in base64url, at most 512 characters";
	else if (!alg || strcmp(alg, "HS256") != 0)
		why = "the JWT must have the alg HS256";
	else if (json_object_get(o, "crit"))
		why = "the JWT has a crit header: no extension is understood here";
	json_decref(o);
	return why;
}

int rest_jwt_read(struct rest_jwt *j, struct span s, const char **why)
{
	struct span left = s, header, payload;
	const char *subject;

	memset(j, 0, sizeof *j);
	if (s.n > REST_JWT_MAX)
		return wrong(why, "the JWT is longer than 4096 characters");
	if (!part(&left, &header) || !part(&left, &payload) || left.n != SIGNATURE_TEXT ||
	    base64_decode(j->mac, sizeof j->mac, (const char *)left.p, left.n, true) != MAC_BYTES)
		return wrong(why, "the JWT cannot be read: it is header.claims.signature, each in base64url without padding, the signature of 43 characters");
	*why = header_refusal(header);
	if (*why)
		return ERROR_MALFORMED;
	j->text = (struct span){ s.p, header.n + 1 + payload.n };
	j->claims = object(payload);
	subject = json_string_value(json_object_get(j->claims, "sub"));
	if (j->claims && subject && strlen(subject) <= CREDENTIAL_NAME_MAX) {
		memcpy(j->subject, subject, strlen(subject) + 1);
		return 0;
	}
	rest_jwt_fini(j);
	return wrong(why, "the claims of the JWT must be a JSON object, each member once, with the identity in sub");
}

void rest_jwt_fini(struct rest_jwt *j)
{
	json_decref(j->claims);
	j->claims = NULL;
}

/* ---- what is claimed ---- */

static bool is_text(const json_t *v, const char *text)
{
	return json_is_string(v) && strcmp(json_string_value(v), text) == 0;
}

/* A string, or an array with it. */
static bool names(const json_t *v, const char *text)
{
	bool found = is_text(v, text);
	const json_t *one;
	size_t i;

	json_array_foreach(v, i, one)
		found = found || is_text(one, text);
	return found;
}

const char *rest_jwt_refusal(const struct rest_jwt *j, int64_t unix_seconds)
{
	const json_t *expires = json_object_get(j->claims, "exp"), *begins = json_object_get(j->claims, "nbf");
	const json_t *audience = json_object_get(j->claims, "aud");
	double now = (double)unix_seconds;

	if (!json_is_number(expires))
		return "the JWT must have an exp: seconds since 1970, at most 24 hours ahead";
	if (json_number_value(expires) <= now)
		return "the JWT has expired: get another from the page's server";
	if (json_number_value(expires) > now + REST_JWT_FAR + REST_JWT_SKEW)
		return "the exp of the JWT is more than 24 hours ahead (it is in seconds, not milliseconds)";
	if (begins && !json_is_number(begins))
		return "the nbf of the JWT must be seconds since 1970";
	if (begins && json_number_value(begins) > now + REST_JWT_SKEW)
		return "the nbf of the JWT is still to come: it is not good yet, or a clock is wrong";
	if (audience && !names(audience, AUDIENCE))
		return "the aud of the JWT is not culvert: it is for somebody else";
	return NULL;
}

int64_t rest_jwt_expires(const struct rest_jwt *j)
{
	return (int64_t)json_number_value(json_object_get(j->claims, "exp"));
}

bool rest_jwt_allows(const struct rest_jwt *j, const char *service)
{
	const json_t *services = json_object_get(j->claims, "svc");

	return !services || (json_array_size(services) <= REST_JWT_SERVICES && names(services, service));
}

/* ---- making one ---- */

size_t rest_jwt_write(char *out, size_t cap, const char *subject, const char *service, int64_t unix_seconds, int64_t expires_seconds)
{
	char claims[512];
	size_t header_n = base64_len(strlen(HEADER), true);
	int n;

	/* Names of identities and services have nothing that JSON would escape. */
	n = snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"aud\":\"" AUDIENCE "\"%s%s%s,\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", subject,
		     service ? ",\"svc\":\"" : "", service ? service : "", service ? "\"" : "", unix_seconds, expires_seconds);
	if (n < 0 || (size_t)n >= sizeof claims || cap < header_n + 1 + base64_len((size_t)n, true) + 1)
		return 0;
	base64_encode(out, (const uint8_t *)HEADER, strlen(HEADER), true);
	out[header_n] = '.';
	base64_encode(out + header_n + 1, (const uint8_t *)claims, (size_t)n, true);
	return strlen(out);
}
