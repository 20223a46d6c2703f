/*
 * Who asks: the Authorization header of REST clients. Called by rest_check.c for each request; neither token nor JWT is in a log, and they stay
 * nowhere. Whether a name is known shows in no answer and takes no time of its own.
 */
#include "server/rest_auth.h"

#include <string.h>
#include <strings.h>

#include "framing/base64.h"
#include "server/rest_jwt.h"
#include "tunnel/daemon.h"

#define PLAIN_MAX 384	/* bytes of name:token */

static struct span span_of(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void by_token(struct rest_asker *a, const struct credentials *credentials, struct span bearer)
{
	uint8_t plain[PLAIN_MAX];
	ssize_t n = base64_decode(plain, sizeof plain, (const char *)bearer.p, bearer.n, true);
	const uint8_t *colon = n > 0 ? memchr(plain, ':', (size_t)n) : NULL;

	if (colon) {
		struct span name = { plain, (size_t)(colon - plain) }, token = { colon + 1, (size_t)(plain + n - colon - 1) };

		a->identity = credentials_bearer(credentials, name, token);
	}
	a->allowed = a->identity;
	a->why = colon ? "the name or the token is wrong" : "the bearer is neither a JWT nor the base64url, without padding, of name:token";
	daemon_wipe(plain, sizeof plain);
}

static void by_jwt(struct rest_asker *a, const struct credentials *credentials, struct span bearer, const char *service, int64_t unix_seconds)
{
	const char *identity;
	struct rest_jwt j;

	if (rest_jwt_read(&j, bearer, &a->why) < 0)
		return;
	identity = credentials_signed(credentials, span_of(j.subject), j.text, j.mac);
	a->guessed = !identity;
	a->why = identity ? rest_jwt_refusal(&j, unix_seconds) : "the signature of the JWT is wrong, or its sub names nobody here who has a token of at least 32 characters";
	if (!a->why) {
		a->identity = identity;
		a->until_s = rest_jwt_expires(&j);
		a->allowed = rest_jwt_allows(&j, service);
	}
	rest_jwt_fini(&j);
}

struct rest_asker rest_auth(const struct credentials *credentials, struct span value, const char *service, int64_t unix_seconds)
{
	static const char scheme[] = "Bearer ";
	struct rest_asker a = { .guessed = true, .why = "send Authorization: Bearer with a JWT, or with the base64url of name:token" };
	struct span bearer;

	if (value.n < sizeof scheme - 1 || strncasecmp((const char *)value.p, scheme, sizeof scheme - 1) != 0)
		return a;
	bearer = (struct span){ value.p + sizeof scheme - 1, value.n - (sizeof scheme - 1) };
	if (rest_jwt_is(bearer))
		by_jwt(&a, credentials, bearer, service, unix_seconds);
	else
		by_token(&a, credentials, bearer);
	return a;
}
