/*
 * The router. Called by the HTTP engine of each connection; calls the sessions
 * through sessions_accept and nothing else of them. Until an exchange is
 * authenticated nothing is allocated for it, and whatever is wrong with it the
 * answer is the same; the true cause goes to the log.
 */
#include "server/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "framing/request.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

#define DISCARD_MAX (256 * 1024) /* bytes of unwanted bodies taken from one connection */
#define SHOWN 100		 /* bytes of a target in the log */

/* ---- exchanges that end here ---- */

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct front_visitor *v = ctx;

	(void)p;
	v->discarded += n;
	return v->discarded > DISCARD_MAX ? ERROR_LIMIT : 0;
}

static void on_end(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, int error)
{
	(void)ctx;
	(void)error;
}

static const struct exchange_events ending = {
	.body = on_body,
	.end = on_end,
	.writable = on_end,
	.closed = on_closed,
};

static bool with_body(const struct http1_head *head)
{
	return !(head->method.n == 4 && !memcmp(head->method.p, "HEAD", 4));
}

static void cover(struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	count(cover_replies);
	cover_send(v->front->cover, x, loop_wall(v->front->loop), with_body(head));
}

/* ---- authentication ---- */

/* The identity that a header claims, for the log. */
static const char *claimed(struct span value, char *out, size_t cap)
{
	const uint8_t *p = value.n ? memmem(value.p, value.n, "id=", 3) : NULL;
	size_t n = 0, left = p ? (size_t)(value.p + value.n - p - 3) : 0;

	while (n < left && n + 1 < cap && p[3 + n] != ',' && p[3 + n] != ' ') {
		out[n] = (char)p[3 + n];
		n++;
	}
	out[n] = 0;
	return n ? out : "(none)";
}

/* The canonical identity, or NULL when the request is not a helper's. */
static const char *authenticate(struct front_visitor *v, const struct http1_head *head, struct span path_query)
{
	struct span value = http1_find(head, "authorization");
	int64_t skew = 0;
	const char *identity = credentials_verify(v->front->credentials, value, head->method, path_query,
						  (struct span){ 0 }, loop_wall(v->front->loop), &skew);
	char name[CREDENTIAL_NAME_MAX + 1];

	if (identity)
		return identity;
	count(auth_failed);
	claimed(value, name, sizeof name);
	if (!value.n)
		log_limited(LOG_LEVEL_WARN, "auth", v->peer,
			    "a request for the tunnel without Authorization: not a helper, or a box in between removed it");
	else if (skew > CREDENTIAL_WINDOW || skew < -CREDENTIAL_WINDOW)
		log_limited(LOG_LEVEL_WARN, "auth", v->peer,
			    "the clock of '%s' differs by %lld s from ours (at most %d are allowed): set one of them", name,
			    (long long)skew, CREDENTIAL_WINDOW);
	else
		log_limited(LOG_LEVEL_WARN, "auth", v->peer,
			    "wrong token for '%s', or no such name in the token file, or a box in between changed the URL",
			    name);
	return NULL;
}

/* ---- routing ---- */

static bool is_health(const struct http1_head *head)
{
	static const char path[] = "/healthz";
	size_t n = sizeof path - 1;

	return head->target.n >= n && !memcmp(head->target.p, path, n) &&
	       (head->target.n == n || head->target.p[n] == '?') &&
	       (http1_is(head->method, "GET") || http1_is(head->method, "HEAD"));
}

static void log_other(const struct front_visitor *v, const struct http1_head *head, const char *what)
{
	int method = head->method.n < 16 ? (int)head->method.n : 16;
	int target = head->target.n < SHOWN ? (int)head->target.n : SHOWN;

	log_limited(LOG_LEVEL_INFO, "front", v->peer, "%.*s %.*s: %s", method, (const char *)head->method.p, target,
		    (const char *)head->target.p, what);
}

void front_request(struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	const struct front *f = v->front;
	struct request request;
	struct span path_query;
	const char *identity;
	int error;

	x->events = &ending;
	x->ctx = v;
	if (is_health(head)) {
		cover_send_text(x, loop_wall(f->loop), 200, "ok\n", with_body(head));
		return;
	}
	error = request_parse(&request, f->base, head->target, &path_query);
	if (head->method.n == 0) {
		log_limited(LOG_LEVEL_INFO, "front", v->peer, "sent something that is not an HTTP/1.1 request");
	} else if (error == ERROR_UNSUPPORTED) {
		log_other(v, head, "not below the base path");
	} else if (error < 0) {
		log_other(v, head, "below the base path, but not a request of a helper (version 1)");
	} else if (head->method.n != 4 || memcmp(head->method.p, "POST", 4)) {
		log_other(v, head, "a helper would use POST");
	} else {
		identity = authenticate(v, head, path_query);
		if (identity) {
			sessions_accept(f->sessions, identity, &request, x, head);
			return;
		}
	}
	cover(v, x, head);
}
