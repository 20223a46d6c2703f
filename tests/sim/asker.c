#include "tests/sim/asker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/carrier.h"
#include "tunnel/h1.h"

static int64_t age(const struct conn *c)
{
	return (loop_now(c->rig->loop) - c->asked) / LOOP_MS;
}

/* ---- reading ---- */

static int on_record(void *ctx, uint64_t number, uint32_t clock_ms)
{
	struct conn *c = ctx;

	(void)clock_ms;
	if (c->probe)
		assert_int_equal(number, c->records);	/* each body counts from 0 */
	c->records++;
	return 0;
}

static int on_capsule(void *ctx, uint64_t type, struct span value)
{
	struct conn *c = ctx;
	struct event *e = &c->event[c->events++];
	struct message_mark mark;
	struct message_seen seen;

	assert_true(c->events < ASKER_EVENTS);
	e->at = age(c);
	e->type = type;
	if (type == CAPSULE_PROBED) {
		assert_int_equal(message_probed_get(value, &c->probed), 0);
		snprintf(c->via, sizeof c->via, "%.*s", (int)c->probed.via.n, (const char *)c->probed.via.p);
	} else if (type == CAPSULE_MARK) {
		assert_int_equal(message_mark_get(value, &mark), 0);
		*e = (struct event){ e->at, type, mark.id, mark.n, mark.filler.n, mark.time_ms,
				     message_check(mark.filler) == mark.check };
	} else if (type == CAPSULE_SEEN) {
		assert_int_equal(message_seen_get(value, &seen), 0);
		*e = (struct event){ e->at, type, seen.id, seen.n, 0, seen.arrival_ms, seen.intact };
	} else if (type == CAPSULE_GONE || type == CAPSULE_BYE) {
		c->farewell = type;
	}
	return 0;
}

static int on_record_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct record_events record_events = { on_record, on_capsule, on_record_end };

static int on_head(void *ctx, const struct http1_head *head)
{
	struct conn *c = ctx;
	struct span type = http1_find(head, "content-type");

	c->status = head->status;
	c->minor = head->minor;
	snprintf(c->type, sizeof c->type, "%.*s", (int)type.n, (const char *)type.p);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct conn *c = ctx;

	c->body += n;
	if (c->portions && c->portion[c->portions - 1].at == age(c)) {
		c->portion[c->portions - 1].size += n;
	} else {
		assert_true(c->portions < ASKER_EVENTS);
		c->portion[c->portions++] = (struct event){ .at = age(c), .size = n };
	}
	assert_int_equal(record_reader_feed(&c->in, p, n), 0);
	return 0;
}

static int on_end(void *ctx)
{
	((struct conn *)ctx)->ended = age(ctx);
	return 0;
}

static const struct http1_events parser_events = { on_head, on_body, on_end };

static void nothing(void *ctx)
{
	(void)ctx;
}

static void readable(void *ctx)
{
	struct conn *c = ctx;
	uint8_t buf[8192];
	ssize_t n;

	while ((n = stream_read(c->near, buf, sizeof buf)) > 0)
		assert_int_equal(http1_feed(c->parser, buf, (size_t)n), n);
	if (n == 0)
		http1_eof(c->parser);
	if (n != ERROR_AGAIN) {
		c->cut = true;
		stream_close(c->near);
		c->near = NULL;
	}
}

static void failed(void *ctx, int error)
{
	(void)error;
	((struct conn *)ctx)->cut = true;
}

static const struct stream_events near_events = { nothing, readable, nothing, failed };

/* ---- the server ---- */

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct asker *rig = ctx;
	struct request r;
	struct span path;

	assert_int_equal(request_parse(&r, "", head->target, &path), 0);
	carrier_accept(rig->session, &r, x, head);
}

static void server_closed(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct http_events http_events = { .request = on_request, .idle = nothing, .closed = server_closed };
static const struct session_events session_events = { 0 };

/* ---- the script ---- */

struct asker *asker_new(void)
{
	struct asker *rig = calloc(1, sizeof *rig);

	rig->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	rig->pool = packet_pool_new(64, 8);
	rig->session = session_new(rig->loop, SESSION_SERVER, &session_config_default, rig->pool,
				   "AAAAAAAAAAAAAAAAAAAAAA", &session_events, rig);
	return rig;
}

void asker_free(struct asker *rig)
{
	session_free(rig->session);
	for (unsigned i = 0; i < ASKER_CONNS; i++) {
		struct conn *c = &rig->conn[i];

		if (c->near)
			stream_close(c->near);
		http1_free(c->parser);
		record_reader_fini(&c->in);
	}
	loop_advance(rig->loop, loop_now(rig->loop) + LOOP_SECOND);
	packet_pool_free(rig->pool);
	loop_free(rig->loop);
	free(rig);
}

void asker_run(struct asker *rig, int64_t ms)
{
	loop_advance(rig->loop, loop_now(rig->loop) + ms * LOOP_MS);
}

void asker_write(struct conn *c, const void *p, size_t n)
{
	assert_int_equal(stream_write(c->near, p, n), n);
}

/* A request on a fresh connection, without its body. framing: a header line. */
struct conn *asker_ask(struct asker *rig, unsigned i, const char *query, const char *framing, int minor)
{
	struct conn *c = &rig->conn[i];
	struct stream_mem_options o = stream_mem_plain;
	struct stream *far;
	char head[600];

	http1_free(c->parser);
	record_reader_fini(&c->in);
	if (c->near)
		stream_close(c->near);
	memset(c, 0, sizeof *c);
	c->rig = rig;
	c->asked = loop_now(rig->loop);
	c->ended = -1;
	c->probe = strstr(query, "m=probe");
	o.buffer = 1 << 20;
	c->parser = http1_new(HTTP1_RESPONSES, &parser_events, c);
	record_reader_init(&c->in, &record_events, c, true);
	stream_mem_pair(rig->loop, &c->near, &far, &o);
	stream_attach(c->near, &near_events, c);
	stream_want(c->near, true, false);
	h1_server(rig->loop, far, &http_limits_default, &http_events, rig);
	snprintf(head, sizeof head,
		 "POST /v1/AAAAAAAAAAAAAAAAAAAAAA?%s&e=0000000000000001 HTTP/1.%d\r\nHost: h\r\nVia: 1.1 a\r\n%s\r\n"
		 "vIA: 1.0 b (\xe9)\r\n\r\n", query, minor, framing);
	asker_write(c, head, strlen(head));
	return c;
}

/* One record with marks first ... first + count - 1. bad: their check is wrong. */
size_t asker_marks(struct asker *rig, uint8_t *out, size_t cap, unsigned first, unsigned count, bool bad)
{
	struct record_builder b;

	record_begin(&b, out, cap, first, loop_clock(rig->loop));
	for (unsigned i = 0; i < count; i++)
		assert_true(message_mark_put(&b.w, &(struct message_mark){ .id = 9, .n = first + i,
									    .filler = { (const uint8_t *)"abc", 3 } }));
	if (bad)
		b.w.p[-1] ^= 1;
	return record_finish(&b);
}

void asker_chunk(struct conn *c, const uint8_t *p, size_t n)
{
	char head[20];

	snprintf(head, sizeof head, "%zx\r\n", n);
	asker_write(c, head, strlen(head));
	asker_write(c, p, n);
	asker_write(c, "\r\n", 2);
}

void asker_mark(struct conn *c, unsigned n, bool bad)
{
	uint8_t body[200];

	asker_chunk(c, body, asker_marks(c->rig, body, sizeof body, n, 1, bad));
}

const struct event *asker_find(const struct conn *c, uint64_t type, unsigned which)
{
	for (unsigned i = 0; i < c->events; i++)
		if (c->event[i].type == type && which-- == 0)
			return &c->event[i];
	return NULL;
}
