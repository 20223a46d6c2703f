/*
 * Without CONNECT: gives the stream its dress. Where an HTTP proxy wants credentials that
 * are bound to the connection, or may want some, they are proved first, on an exchange
 * without a body. Called by the dialler; calls absolute, legs and auth.
 */
#include "client/hop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/absolute.h"
#include "client/legs.h"
#include "framing/error.h"

struct hop_absolute {
	struct hop hop;
	struct dress *dress;	/* the stream's */
	struct legs *legs;	/* NULL: nothing is asked */
	char url[HOP_WHOM + 32];
};

static void on_ready(void *ctx)
{
	struct hop_absolute *k = ctx;

	if (k->legs)
		legs_ready(k->legs);
}

/* Whatever the server says: the proxy let us speak to it. */
static int on_answer(void *ctx, const struct http1_head *head, const char *line, char *why, size_t size)
{
	(void)ctx;
	(void)head;
	(void)line;
	(void)why;
	(void)size;
	return 0;
}

static void on_over(void *ctx, int error, const char *why)
{
	struct hop_absolute *k = ctx;
	const struct hop_config *c = k->hop.config;

	if (error == 0 || error == ERROR_AGAIN)
		*c->asked = true;
	if (error)
		hop_fail(&k->hop, error, "%s", why);
	else if (legs_kept(k->legs))
		hop_succeed(&k->hop);
	else if (auth_is_bound(c->auth))
		hop_fail(&k->hop, ERROR_PROXY_AUTH, "the proxy %s closes each connection behind one answer: %s, which is bound to the connection, "
			 "does not work there without CONNECT", c->proxy->shown, auth_scheme_name(auth_scheme(c->auth)));
	else
		hop_fail(&k->hop, ERROR_AGAIN, "the proxy %s closes each connection behind one answer", c->proxy->shown);
}

/* Bound credentials on each connection; others, to learn what is wanted, on the first one if there are any; and where none were
 * accepted, to hear why. */
static bool is_to_be_asked(const struct hop_config *c)
{
	if (!c->proxy || !c->auth)
		return false;
	return auth_is_bound(c->auth) || auth_is_refused(c->auth) ||
	       (auth_scheme(c->auth) == AUTH_NONE && c->proxy->user[0] && !*c->asked);
}

static void absolute_ask(struct hop_absolute *k)
{
	const struct hop_config *c = k->hop.config;
	struct legs_config legs = {
		.loop = c->loop,
		.stream = k->hop.stream,
		.dialogue = absolute_dialogue(k->dress),
		.method = "GET", .target = k->url, .host = c->to,
		.what = "a request",
		.proxy = c->proxy->shown,
		.judge = on_answer, .over = on_over, .ctx = k,
	};

	snprintf(k->url, sizeof k->url, "http://%s/healthz", c->to);
	k->legs = legs_new(&legs);
}

static struct hop *absolute_start(const struct hop_config *c, struct stream *stream, hop_done *done, void *ctx)
{
	struct hop_absolute *k = calloc(1, sizeof *k);
	const struct absolute_config dress = { .loop = c->loop, .authority = c->to, .proxied = c->proxy != NULL, .auth = c->auth };

	if (!k)
		abort();
	hop_init(&k->hop, &hop_absolute, c, stream, done, ctx);
	stream->plain = true;	/* whatever is around it: TLS to a proxy is none to the server */
	stream->dress = k->dress = absolute_new(&dress, on_ready, k);
	if (is_to_be_asked(c))
		absolute_ask(k);
	else
		hop_succeed_later(&k->hop);
	return &k->hop;
}

static void absolute_stop(struct hop *h)
{
	struct hop_absolute *k = (struct hop_absolute *)h;

	legs_free(k->legs);
	k->legs = NULL;
	absolute_settled(k->dress);
}

static void absolute_late(struct hop *h, double seconds, char *why, size_t size)
{
	const struct hop_config *c = h->config;
	const struct hop_absolute *k = (struct hop_absolute *)h;
	const char *waits = k->legs ? legs_waits(k->legs) : NULL;

	if (waits)
		snprintf(why, size, "%s", waits);
	else
		snprintf(why, size, "the proxy %s did not answer a request to %s within %.3g s", c->proxy ? c->proxy->shown : "", c->whom,
			 seconds);
}

const struct hop_kind hop_absolute = { "absolute", absolute_start, absolute_stop, absolute_late };
