/* A REST server without sockets. Used by the unit tests and the simulation of REST. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "framing/base64.h"
#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/websocket.h"
#include "tests/lib/rest_rig.h"

#define TOKEN "laptop:0123456789abcdef"

/* ---- the target ---- */

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct rig_target *t = ctx;

	if (first)
		t->message.n = 0;
	rest_text_put(&t->message, p, n);
	if (last && t->got)
		t->got(t->ctx, type, t->message.p, t->message.n);
	return 0;
}

static int on_control(void *ctx, struct span payload)
{
	(void)ctx, (void)payload;
	return 0;
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	(void)reason;
	((struct rig_target *)ctx)->close_code = code;
	return 0;
}

static const struct websocket_events frames = { on_data, on_control, on_control, on_close };

static size_t bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct rig_target *t = ctx;

	n = n < t->appetite ? n : t->appetite;
	assert_int_equal(websocket_reader_feed(t->reader, p, n), 0);
	return n;
}

static void finish(void *ctx)
{
	((struct rig_target *)ctx)->finished = true;
}

static void push(struct rig_target *t)
{
	while (t->channel && t->waiting.n) {
		size_t n = t->waiting.n;
		uint8_t *p = channel_reserve(t->channel, &n);

		if (n == 0)
			return;
		n = n < t->waiting.n ? n : t->waiting.n;
		memcpy(p, t->waiting.p, n);
		memmove(t->waiting.p, t->waiting.p + n, t->waiting.n - n);
		t->waiting.n -= n;
		channel_commit(t->channel, n);
	}
}

static void writable(void *ctx)
{
	push(ctx);
}

static void closed(void *ctx, uint64_t code, const char *reason)
{
	struct rig_target *t = ctx;

	(void)reason;
	t->channel = NULL;
	t->closed = true;
	t->code = code;
}

static const struct endpoint_ops ops = { .bytes = bytes, .finish = finish, .writable = writable, .closed = closed };

static uint64_t on_open(void *ctx, struct channel *ch, const struct message_open *m, struct channel_params *params,
			const struct endpoint_ops **out, void **endpoint, const char **sentence)
{
	struct rig *r = ctx;

	assert_int_equal(m->kind, KIND_MESSAGE);
	*sentence = "not here";
	if (r->refuse)
		return r->refuse;
	params->pending = r->defer;
	r->target.channel = ch;
	r->target.closed = r->target.finished = false;
	*out = &ops;
	*endpoint = &r->target;
	return CODE_NONE;
}

void rig_accept(struct rig *r, const char *protocol)
{
	channel_accept(r->target.channel, protocol);
	rig_run(r, 0);
}

void rig_send(struct rig *r, int opcode, const void *p, size_t n)
{
	uint8_t *at = rest_text_room(&r->target.waiting, n + WEBSOCKET_HEAD_MAX);
	ssize_t len = websocket_frame_put(at, n + WEBSOCKET_HEAD_MAX, opcode, true, p, n, NULL);

	assert_true(len > 0);
	r->target.waiting.n -= n + WEBSOCKET_HEAD_MAX - (size_t)len;
	push(&r->target);
}

void rig_send_close(struct rig *r, unsigned code, const char *reason)
{
	uint8_t frame[200];
	ssize_t n = websocket_close_put(frame, sizeof frame, code, reason, NULL);

	rest_text_put(&r->target.waiting, frame, (size_t)n);
	push(&r->target);
}

/* ---- the server ---- */

void rig_init(struct rig *r, const struct rest_config *config, size_t max_sessions)
{
	struct sessions_config sessions = { .session = session_config_default, .max = max_sessions, .max_per_identity = max_sessions,
					    .max_tombstones = 100, .node = 1, .epoch = 2 };
	char path[] = "/tmp/culvert-rest.XXXXXX", error[256], text[96];
	int fd = mkstemp(path);

	memset(r, 0, sizeof *r);
	assert_true(fd >= 0 && write(fd, TOKEN "\n", sizeof TOKEN) == sizeof TOKEN);
	close(fd);
	r->credentials = credentials_load(path, error, sizeof error);
	unlink(path);
	assert_non_null(r->credentials);
	base64_encode(text, (const uint8_t *)TOKEN, sizeof TOKEN - 1, true);
	snprintf(r->bearer, sizeof r->bearer, "Bearer %s", text);
	r->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	r->pool = packet_pool_new(64, 4);
	r->sessions = sessions_new(r->loop, &sessions, r->pool, on_open, r);
	r->rest = rest_new(r->loop, config);
	r->front = (struct front){ .loop = r->loop, .base = RIG_BASE, .credentials = r->credentials, .sessions = r->sessions, .rest = r->rest };
	r->target.appetite = SIZE_MAX;
	r->target.reader = websocket_reader_new(false, 1 << 20, &frames, &r->target);
}

void rig_fini(struct rig *r)
{
	sessions_free(r->sessions);
	rig_run(r, 0);
	rest_free(r->rest);
	credentials_free(r->credentials);
	websocket_reader_free(r->target.reader);
	rest_text_fini(&r->target.message);
	rest_text_fini(&r->target.waiting);
	packet_pool_free(r->pool);
	loop_free(r->loop);
}

void rig_run(struct rig *r, int64_t us)
{
	loop_advance(r->loop, loop_now(r->loop) + us);
}

/* ---- calls ---- */

static struct rig_call *call_of(struct exchange *x)
{
	return (struct rig_call *)(void *)x;	/* x is its first */
}

static uint8_t *x_room(struct exchange *x, size_t want, size_t *cap)
{
	struct rig_call *c = call_of(x);

	if (c->stuck || want > sizeof c->room)
		return NULL;
	*cap = want > EXCHANGE_ROOM ? want : EXCHANGE_ROOM;
	return c->room;
}

static int x_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	struct rig_call *c = call_of(x);

	assert_false(c->answered);
	if (head) {
		c->status = head->status;
		snprintf(c->lines, sizeof c->lines, "%s", head->lines ? head->lines : "");
	}
	rest_text_put(&c->answer, c->room, n);
	c->answered = end;
	return 0;
}

static void x_pause(struct exchange *x, bool on)
{
	(void)x, (void)on;
}

static void x_abort(struct exchange *x)
{
	call_of(x)->aborted = true;
}

static const struct exchange_ops exchange_ops = { x_room, x_send, x_pause, x_abort, NULL, NULL };

static struct span span_of(const char *s, size_t n)
{
	return (struct span){ (const uint8_t *)s, n };
}

static void add_lines(struct http1_head *head, const char *lines)
{
	while (lines && *lines) {
		const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');

		head->header[head->count].name = span_of(lines, (size_t)(colon - lines));
		head->header[head->count++].value = span_of(colon + 2, (size_t)(end - colon - 2));
		lines = end + 1;
	}
}

struct rig_call *rig_ask(struct rig *r, const char *method, const char *target, const char *lines, const void *body, size_t n)
{
	struct rig_call *c = calloc(1, sizeof *c);
	struct http1_head head = { .request = true, .minor = 1, .length = body ? (int64_t)n : -1 };

	assert_non_null(c);
	c->rig = r;
	c->x.ops = &exchange_ops;
	c->visitor = (struct front_visitor){ .front = &r->front, .peer = "192.0.2.1:1", .crowd = r->crowd };
	head.method = span_of(method, strlen(method));
	head.target = span_of(target, strlen(target));
	add_lines(&head, lines);
	if (!lines || !strstr(lines, "Authorization")) {
		head.header[head.count].name = span_of("Authorization", 13);
		head.header[head.count++].value = span_of(r->bearer, strlen(r->bearer));
	}
	assert_true(rest_request(r->rest, &c->visitor, &c->x, &head));
	if (body && n > 1) {	/* in two pieces */
		assert_int_equal(c->x.events->body(c->x.ctx, body, n / 2), 0);
		assert_int_equal(c->x.events->body(c->x.ctx, (const uint8_t *)body + n / 2, n - n / 2), 0);
	} else if (n) {
		assert_int_equal(c->x.events->body(c->x.ctx, body, n), 0);
	}
	c->x.events->end(c->x.ctx);
	rig_run(r, 0);
	return c;
}

void rig_unstick(struct rig_call *c)
{
	c->stuck = false;
	c->x.events->writable(c->x.ctx);
	rig_run(c->rig, 0);
}

void rig_drop(struct rig_call *c)
{
	if (!c->aborted)
		c->x.events->closed(c->x.ctx, c->answered ? 0 : ERROR_RESET);
	rig_run(c->rig, 0);
	rest_text_fini(&c->answer);
	free(c);
}
