/*
 * An ask. Used by the checks that want to see the head of an answer and the
 * beginning of its body as they are; calls the HTTP/1 codec. It waits for the end
 * of a short body, so that the next request can go over the same stream.
 */
#include "client/doctor_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/challenge.h"
#include "framing/error.h"
#include "tunnel/dress.h"

#define ASK_BODY_US (300 * LOOP_MS)	/* for a body after its head */

struct ask {
	struct loop *loop;
	struct stream *stream;
	struct http1 *parser;
	struct timer timer;
	struct later later;
	char *request;
	size_t size, written;
	bool connect, over, ended;
	int64_t sent_us;
	struct ask_answer answer;
	char page[sizeof ((struct box_evidence *)0)->page];
	size_t page_n;
	void (*done)(void *ctx, const struct ask_answer *);
	void *ctx;
};

void ask_cancel(struct ask *a)
{
	if (!a || a->over)
		return;
	a->over = true;
	stream_want(a->stream, false, false);
	timer_stop(&a->timer);
	later_cancel(a->loop, &a->later);
	http1_free(a->parser);
	free(a->request);
	loop_free_later(a->loop, a);
}

static void ask_finish(void *ctx)
{
	struct ask *a = ctx;

	if (a->over)
		return;
	if (a->answer.status)
		a->answer.error = 0;
	box_note(a->answer.evidence.page, sizeof a->answer.evidence.page, a->page, a->page_n);
	ask_cancel(a);
	a->done(a->ctx, &a->answer);
}

static void ask_fail(struct ask *a, int error)
{
	a->answer.error = error;
	ask_finish(a);
}

/* ---- the answer ---- */

/* Appends the scheme of a challenge unless it is there. */
static void ask_scheme(struct ask_answer *a, const struct challenge *c)
{
	size_t at = strlen(a->schemes);
	char name[24];

	snprintf(name, sizeof name, "%.*s", (int)(c->scheme.n < 20 ? c->scheme.n : 20), (const char *)c->scheme.p);
	if (name[0] && !strstr(a->schemes, name))
		snprintf(a->schemes + at, sizeof a->schemes - at, "%s%s", at ? ", " : "", name);
}

static void ask_schemes(struct ask_answer *a, const struct http1_head *head)
{
	struct challenge c[CHALLENGE_MAX];
	size_t n = challenge_parse(head, "Proxy-Authenticate", c, CHALLENGE_MAX);

	for (size_t i = 0; i < n; i++)
		ask_scheme(a, &c[i]);
}

static int ask_head(void *ctx, const struct http1_head *head)
{
	struct ask *a = ctx;
	struct span server = http1_find(head, "Server");

	a->answer.status = head->status;
	a->answer.minor = head->minor;
	a->answer.close = !head->keep_alive;
	a->answer.took_us = loop_now(a->loop) - a->sent_us;
	a->answer.culvertd = server.n >= 8 && memcmp(server.p, "culvertd", 8) == 0;
	box_note_head(&a->answer.evidence, head);
	ask_schemes(&a->answer, head);
	if (a->stream->dress && head->status == 407)
		a->stream->dress->ops->refused(a->stream->dress, head);
	else if (a->stream->dress)
		a->stream->dress->ops->accepted(a->stream->dress, head);
	timer_in(&a->timer, ASK_BODY_US);
	return 0;
}

static int ask_body(void *ctx, const uint8_t *p, size_t n)
{
	struct ask *a = ctx;
	size_t left = sizeof a->page - a->page_n;

	n = n < left ? n : left;
	memcpy(a->page + a->page_n, p, n);
	a->page_n += n;
	return 0;
}

static int ask_end(void *ctx)
{
	((struct ask *)ctx)->ended = true;
	return 0;
}

static const struct http1_events ask_http = { ask_head, ask_body, ask_end };

/* ---- the stream ---- */

static void ask_readable(void *ctx)
{
	struct ask *a = ctx;
	uint8_t buf[4096];
	ssize_t n = stream_read(a->stream, buf, sizeof buf), used;

	if (n == ERROR_AGAIN)
		return;
	if (n <= 0) {
		ask_fail(a, n == 0 ? ERROR_EOF : (int)n);
		return;
	}
	used = http1_feed(a->parser, buf, (size_t)n);
	if (used < 0)
		ask_fail(a, (int)used);
	else if (a->ended || (size_t)used < (size_t)n || (a->connect && a->answer.status / 100 == 2) || a->answer.status == 101)
		ask_finish(a);
}

static void ask_writable(void *ctx)
{
	struct ask *a = ctx;
	ssize_t n = stream_write(a->stream, (uint8_t *)a->request + a->written, a->size - a->written);

	if (n == ERROR_AGAIN)
		return;
	/* An error shows when the answer is read; one may have come before it. */
	a->written = n > 0 ? a->written + (size_t)n : a->size;
	if (a->written == a->size) {
		a->sent_us = loop_now(a->loop);
		stream_want(a->stream, true, false);
	}
}

static void ask_failed(void *ctx, int error)
{
	ask_fail(ctx, error);
}

static const struct stream_events ask_events = {
	.readable = ask_readable,
	.writable = ask_writable,
	.failed = ask_failed,
};

static void ask_late(void *ctx)
{
	ask_fail(ctx, ERROR_TIMEOUT);
}

struct ask *ask_start(struct loop *loop, struct stream *stream, const char *method, const char *target, const char *host,
		      const char *lines, int64_t timeout_us, void (*done)(void *ctx, const struct ask_answer *), void *ctx)
{
	struct ask *a = calloc(1, sizeof *a);
	struct exchange_head head = { .method = method, .target = target, .host = host, .lines = lines };
	size_t cap;
	ssize_t size;
	int rc;

	if (!a)
		abort();
	rc = stream->dress ? stream->dress->ops->request(stream->dress, &head, &head) : 0;
	cap = strlen(head.target) + strlen(head.host) + strlen(head.lines) + 128;
	if (!(a->request = malloc(cap)))
		abort();
	a->loop = loop;
	a->stream = stream;
	a->done = done;
	a->ctx = ctx;
	a->connect = strcmp(method, "CONNECT") == 0;
	a->sent_us = loop_now(loop);
	a->parser = http1_new(HTTP1_RESPONSES, &ask_http, a);
	http1_next(a->parser, false, a->connect);
	timer_init(&a->timer, loop, ask_late, a);
	timer_in(&a->timer, timeout_us);
	later_init(&a->later, ask_finish, a);
	stream_attach(stream, &ask_events, a);
	size = rc < 0 ? rc : http1_request_put((uint8_t *)a->request, cap, method, head.target, head.host, head.lines, HTTP1_NO_BODY, 0);
	if (size < 0) {
		a->answer.error = (int)size;
		loop_later(loop, &a->later);
		return a;
	}
	a->size = (size_t)size;
	stream_want(stream, false, true);
	return a;
}
