/*
 * CONNECT (RFC 9110 section 9.3.6): for each refusal a sentence that says what a
 * person can do about it. Called by the dialler; calls legs and auth.
 */
#include "client/hop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/legs.h"
#include "framing/error.h"

struct hop_connect {
	struct hop hop;
	struct auth_dialogue *dialogue;
	struct legs *legs;
	char what[HOP_WHOM + 16];
};

static void on_ready(void *ctx)
{
	legs_ready(((struct hop_connect *)ctx)->legs);
}

/* ---- refusals ---- */

static const char *wrong_end(const struct hop_config *c)
{
	return c->last ? "is the server's name right, and does it run?" : "are the proxies in the right order, and does that one run?";
}

/* Another way to the server may be open. */
static int denied(const struct hop_config *c, int status, char *why, size_t size)
{
	snprintf(why, size, "the proxy %s does not allow CONNECT to %s (%d %s); ask its administrator to allow it%s", c->proxy->shown,
		 c->whom, status, http1_reason(status), c->last && c->port != 443 ? ", or let the server listen on port 443" : "");
	return c->last ? ERROR_DENIED : ERROR_PROXY;
}

/* ISA and TMG answer 502 for a port that they do not allow, and say so only in the reason. */
static bool says_not_allowed(const char *line)
{
	return strcasestr(line, "not allowed") || strcasestr(line, "denied");
}

static int refused(const struct hop_config *c, int status, const char *line, char *why, size_t size)
{
	const char *proxy = c->proxy->shown, *reason = http1_reason(status);

	switch (status) {
	case 400:
	case 403:
	case 405:
	case 501:
		return denied(c, status, why, size);
	case 503:
		snprintf(why, size, "the proxy %s does not serve CONNECT to %s now (503 %s): it may allow no more connections, or %s", proxy,
			 c->whom, reason, c->last ? "the server does not run" : "that one does not run");
		break;
	case 500:
	case 502:
	case 504:
		if (says_not_allowed(line))
			return denied(c, status, why, size);
		snprintf(why, size, "the proxy %s could not reach %s (%d %s): %s", proxy, c->whom, status, reason, wrong_end(c));
		break;
	case 301:
	case 302:
	case 303:
	case 307:
	case 511:
		snprintf(why, size, "the proxy %s answered CONNECT to %s with a redirection (%d): a login page may be in between; open any "
			 "page in a browser first", proxy, c->whom, status);
		break;
	default:
		snprintf(why, size, "the proxy %s refused CONNECT to %s (%d %s)", proxy, c->whom, status, reason);
	}
	return ERROR_PROXY;
}

static int on_answer(void *ctx, const struct http1_head *head, const char *line, char *why, size_t size)
{
	const struct hop *h = ctx;

	return head->status / 100 == 2 ? 0 : refused(h->config, head->status, line, why, size);
}

/* ---- the hop ---- */

static void on_over(void *ctx, int error, const char *why)
{
	struct hop *h = ctx;

	if (error)
		hop_fail(h, error, "%s", why);
	else
		hop_succeed(h);
}

static struct hop *connect_start(const struct hop_config *c, struct stream *stream, hop_done *done, void *ctx)
{
	struct hop_connect *k = calloc(1, sizeof *k);
	struct legs_config legs = {
		.loop = c->loop,
		.stream = stream,
		.method = "CONNECT", .target = c->to, .host = c->to,
		.what = k->what,
		.proxy = c->proxy->shown,
		.judge = on_answer, .over = on_over, .ctx = k,
	};

	if (!k)
		abort();
	hop_init(&k->hop, &hop_connect, c, stream, done, ctx);
	snprintf(k->what, sizeof k->what, "CONNECT to %s", c->whom);
	k->dialogue = legs.dialogue = c->auth ? auth_begin(c->auth, on_ready, k) : NULL;
	k->legs = legs_new(&legs);
	return &k->hop;
}

static void connect_stop(struct hop *h)
{
	struct hop_connect *k = (struct hop_connect *)h;

	legs_free(k->legs);
	auth_end(k->dialogue);
}

static void connect_late(struct hop *h, double seconds, char *why, size_t size)
{
	const struct hop_config *c = h->config;
	const char *waits = legs_waits(((struct hop_connect *)h)->legs);

	if (waits)
		snprintf(why, size, "%s", waits);
	else
		snprintf(why, size, "the proxy %s did not answer CONNECT to %s within %.3g s", c->proxy->shown, c->whom, seconds);
}

const struct hop_kind hop_connect = { "CONNECT", connect_start, connect_stop, connect_late };
