/*
 * Digest over several connections. Each connection goes on with the nonce that it was
 * given, so that the proxy sees the requests with it in their order; a new connection
 * begins with the newest. Uses are counted by nonce, whoever uses it.
 */
#include <stdlib.h>
#include <string.h>

#include "client/auth_internal.h"
#include "framing/base64.h"
#include "framing/error.h"

#define CNONCE 18	/* octets */

struct auth_nonce {
	unsigned refs;
	unsigned answer;	/* which 407 it came with, the first being 1; 0: with another answer */
	uint32_t uses;
	bool accepted;		/* served at least once */
	bool dead;
	struct digest_challenge challenge;
};

void auth_digest_release(struct auth_nonce *n)
{
	if (n && --n->refs == 0)
		free(n);
}

static void hold(struct auth_nonce **at, struct auth_nonce *n)
{
	if (n)
		n->refs++;
	auth_digest_release(*at);
	*at = n;
}

/* The newest nonce from now on; with the uses of the last one if it is the same. */
static void renew(struct auth *a, const struct digest_challenge *c, unsigned answer)
{
	struct auth_nonce *n;

	if (a->nonce && strcmp(a->nonce->challenge.nonce, c->nonce) == 0) {
		a->nonce->challenge = *c;
		a->nonce->answer = answer;
		a->nonce->dead = false;
		return;
	}
	n = calloc(1, sizeof *n);
	if (!n)
		abort();
	n->challenge = *c;
	n->answer = answer;
	hold(&a->nonce, n);
}

static bool digest_offered(struct auth_dialogue *d, const struct challenge *c)
{
	struct auth *a = d->auth;
	struct digest_challenge fresh;
	bool known = a->nonce && a->nonce->answer == a->answers; /* of this answer */
	int rc = digest_read(c, &fresh);

	if (!auth_has_password(a, AUTH_DIGEST))
		return false;
	if (rc == 0 && (!known || digest_strength(&fresh) > digest_strength(&a->nonce->challenge))) {
		renew(a, &fresh, a->answers);
		return true;
	}
	if (rc < 0 && !known)
		auth_missing(a, AUTH_DIGEST, rc == ERROR_UNSUPPORTED ? "it asks for an algorithm or qop that is not known here" :
			     "its challenge is malformed");
	return known;
}

bool auth_digest_stale(const struct auth_dialogue *d)
{
	const struct auth_nonce *fresh = d->auth->nonce;

	if (!fresh || fresh->answer != d->auth->answers || !d->nonce)
		return false;
	return fresh->challenge.stale || (d->nonce != fresh && d->nonce->accepted);
}

static ssize_t digest_put_line(struct auth_dialogue *d, const char *method, const char *uri, char *out, size_t cap)
{
	struct auth *a = d->auth;
	struct digest_request r = { .user = a->proxy.user, .password = a->password, .method = method, .uri = uri };
	uint8_t octets[CNONCE];
	char cnonce[CNONCE * 4 / 3 + 1];

	if (!d->nonce || d->nonce->dead)
		hold(&d->nonce, a->nonce);
	loop_random(a->loop, octets, sizeof octets);
	base64_encode(cnonce, octets, sizeof octets, false);
	r.cnonce = cnonce;
	r.nc = ++d->nonce->uses;
	return digest_put(&d->nonce->challenge, &r, out, cap);
}

static void digest_accepted(struct auth_dialogue *d, const struct http1_head *head)
{
	struct digest_challenge next = d->nonce->challenge;
	struct challenge info;

	d->nonce->accepted = true;
	challenge_info(head, "Proxy-Authentication-Info", &info);
	if (challenge_value(&info, "nextnonce", next.nonce, sizeof next.nonce) <= 0 ||
	    strcmp(next.nonce, d->nonce->challenge.nonce) == 0 || strpbrk(next.nonce, "\r\n"))
		return;
	next.stale = false;
	renew(d->auth, &next, 0);
	hold(&d->nonce, d->auth->nonce);
}

/* Its nonce was refused, or the connection ends. */
static void digest_reset(struct auth_dialogue *d)
{
	if (d->nonce && d->nonce != d->auth->nonce && d->challenged)
		d->nonce->dead = true;
	hold(&d->nonce, NULL);
}

const struct auth_method auth_digest = {
	.scheme = AUTH_DIGEST,
	.name = "Digest",
	.offered = digest_offered,
	.put = digest_put_line,
	.accepted = digest_accepted,
	.reset = digest_reset,
};
