// links: tests/fuzz/play.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * A helper that knows its token and means harm, against a session of the server: the
 * input is a script of requests, pieces of bodies, waits, cuts and what targets do. Each
 * step: bits 0 to 2 what, bits 3 and 4 on which connection, bits 5 to 7 how.
 */
#include "tests/fuzz/play.h"

#include <stdio.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/carrier.h"
#include "tunnel/h1.h"
#include "tunnel/log.h"
#include "tunnel/session_internal.h"

#define CONNS 4
#define EPOCH UINT64_C(0x1234567890abcdef)
#define SID "AAAAAAAAAAAAAAAAAAAAAA"

struct world;

struct conn {
	struct world *w;
	struct stream *near;	/* the helper's end; NULL: closed */
	struct http *http;		/* the server's; NULL: closed */
	bool streaming;		/* a chunked request body is open */
	unsigned carrier;
};

struct world {
	struct play script;
	struct loop *loop;
	struct packet_pool *pool;
	struct session *session;
	bool ended;
	struct conn conn[CONNS];
	struct point point[PLAY_POINTS];
	uint64_t number[4];	/* records sent on each carrier */
};

static uint8_t body[PLAY_BODY_MAX];

/* ---- server ---- */

static uint64_t on_open(void *ctx, struct channel *ch, const struct message_open *m, struct channel_params *params,
			const struct endpoint_ops **ops, void **endpoint, const char **sentence)
{
	struct world *w = ctx;
	struct point *t = NULL;

	CHECK(m->target.n > 0 && params->kind <= KIND_MESSAGE);
	if (m->target.p[0] != 'r')
		t = play_point(w->point, (char)m->target.p[0]);
	if (!t) {
		*sentence = "refused";
		return CODE_FORBIDDEN;
	}
	t->channel = ch;
	if (t->manner == 'i')
		params->idle_ms = 1000;
	*ops = &play_endpoint;
	*endpoint = t;
	return CODE_NONE;
}

static void over(struct world *w)
{
	session_free(w->session);
	w->session = NULL;
	w->ended = true;
	for (size_t i = 0; i < PLAY_POINTS; i++)
		CHECK(!w->point[i].channel);
}

static void on_ended(void *ctx, uint64_t code, const char *reason)
{
	(void)code, (void)reason;
	over(ctx);
}

static const struct session_events session_events = { .open = on_open, .ended = on_ended };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	static const struct session_config config = {
		.max_channels = 8, .session_window = 32768, .channel_window = 16384, .send_buffer = 8192,
		.queue_packets = 32, .queue_bytes = 32768, .keepalive_ms = 8000, .expire_ms = 330000,
		.expire_empty_ms = 45000,
	};
	struct conn *c = ctx;
	struct world *w = c->w;
	struct request r;
	struct span path;

	if (request_parse(&r, "/culvert", head->target, &path) < 0 || strcmp(r.sid, SID)) {
		carrier_answer(w->loop, x, CAPSULE_GONE, CODE_UNKNOWN_SESSION, "no such session");
		return;
	}
	if (r.mode != MODE_HELLO && (!r.has_epoch || r.epoch != EPOCH || (!w->session && !w->ended))) {
		carrier_answer(w->loop, x, CAPSULE_GONE, CODE_EPOCH, "restarted");
		return;
	}
	if (w->ended || (w->session && session_is_ended(w->session))) {
		carrier_answer(w->loop, x, CAPSULE_GONE, CODE_ENDED, "ended");
		return;
	}
	if (!w->session) {
		w->session = session_new(w->loop, SESSION_SERVER, &config, w->pool, r.sid, &session_events, w);
		session_identify(w->session, 1, EPOCH);
	}
	carrier_accept(w->session, &r, x, head);
}

static void no_idle(void *ctx)
{
	(void)ctx;
}

static void on_h1_closed(void *ctx, int error)
{
	struct conn *c = ctx;

	(void)error;
	c->http = NULL;
}

static const struct http_events http_events = { .request = on_request, .idle = no_idle, .closed = on_h1_closed };

/* ---- helper ---- */

static void hang_up(struct conn *c)
{
	if (c->near)
		stream_close(c->near);
	c->near = NULL;
	c->streaming = false;
}

static void near_readable(void *ctx)
{
	struct conn *c = ctx;
	uint8_t drop[4096];
	ssize_t n = stream_read(c->near, drop, sizeof drop);

	if (n <= 0 && n != ERROR_AGAIN)
		hang_up(c);
}

static void near_failed(void *ctx, int error)
{
	(void)error;
	hang_up(ctx);
}

static const struct stream_events near_events = { no_idle, near_readable, no_idle, near_failed };

/* How 1: a connection with little room on the way. */
static void dial(struct conn *c, unsigned how)
{
	struct stream_mem_options o = stream_mem_plain;
	struct stream *far;

	if (c->near || c->http)
		return;
	o.delay_us = LOOP_MS;
	o.buffer = how & 1 ? 2000 : 1 << 20;
	stream_mem_pair(c->w->loop, &c->near, &far, &o);
	stream_attach(c->near, &near_events, c);
	stream_want(c->near, true, false);
	c->http = h1_server(c->w->loop, far, &http_limits_default, &http_events, c);
}

static void send_text(struct conn *c, const char *text)
{
	play_write(c->w->loop, &c->near, text, strlen(text));
}

static void send_chunk(struct conn *c, size_t n)
{
	char head[20];

	if (n == 0)
		return;
	snprintf(head, sizeof head, "%zx\r\n", n);
	send_text(c, head);
	play_write(c->w->loop, &c->near, body, n);
	send_text(c, "\r\n");
}

static size_t next_body(struct world *w, unsigned carrier)
{
	return play_body(&w->script, w->loop, &w->number[carrier % 4], body);
}

/* Octets: answer, marks and gap, size. */
static void probe(struct request *r, struct play *s)
{
	uint8_t answer = play_octet(s), marks = play_octet(s);

	r->answer = answer % 3;
	r->event_stream = answer & 4;
	r->pad = (answer >> 3) * 190u;
	r->marks = marks & 31;
	r->gap_ms = (marks >> 5) * 300u;
	r->size = play_octet(s) * 250u;
}

/* Octets: mode, hold, carrier, x; for probes theirs; then a body. */
static void request(struct conn *c, unsigned how)
{
	struct play *s = &c->w->script;
	uint8_t mode = play_octet(s), hold = play_octet(s);
	struct request r = { .sid = SID, .mode = mode % 6, .hold_ms = (hold & 15) * 100u, .keep = 1 + (hold >> 6),
			     .keepalive_ms = hold & 15 ? 200 + hold : 0, .pad = (hold >> 4) * 400u, .epoch = EPOCH };
	char target[REQUEST_TARGET_MAX], head[REQUEST_TARGET_MAX + 200];
	bool old = how & 4;
	size_t n;

	dial(c, how);
	c->carrier = r.carrier = play_octet(s);
	r.x = play_octet(s);
	if (r.mode == MODE_PROBE)
		probe(&r, s);
	r.has_epoch = r.mode != MODE_HELLO;
	request_put(&r, "/culvert", target, sizeof target);
	n = next_body(c->w, r.carrier);
	c->streaming = how & 2;
	snprintf(head, sizeof head, "POST %s HTTP/1.%c\r\nHost: h\r\n%s: ", target, old ? '0' : '1',
		 c->streaming ? "Transfer-Encoding" : "Content-Length");
	send_text(c, head);
	snprintf(head, sizeof head, c->streaming ? "chunked\r\n\r\n" : "%zu\r\n\r\n", n);
	send_text(c, head);
	if (c->streaming)
		send_chunk(c, n);
	else
		play_write(c->w->loop, &c->near, body, n);
}

static void end_body(struct conn *c)
{
	if (c->streaming)
		send_text(c, "0\r\n\r\n");
	c->streaming = false;
}

static void raw(struct conn *c)
{
	size_t n = play_octet(&c->w->script), i;

	for (i = 0; i < n; i++)
		body[i] = play_octet(&c->w->script);
	play_write(c->w->loop, &c->near, body, n);
}

static void cut(struct conn *c, unsigned how)
{
	if (!c->near)
		return;
	if (how == 0)
		hang_up(c);
	else if (how == 1)
		stream_mem_cut(c->near);
	else
		stream_want(c->near, how & 1, false);	/* listens, or does not */
}

/* The owner of the session. */
static void owner(struct world *w, unsigned how)
{
	if (!w->session || session_is_ended(w->session))
		return;
	if (how < 4) {
		session_goaway(w->session, CODE_SHUTDOWN, 1000);
		return;
	}
	if (how < 6)
		session_bye(w->session, CODE_SHUTDOWN, "bye");
	loop_advance(w->loop, loop_now(w->loop) + 100 * LOOP_MS);
	over(w);
}

static void step(struct world *w)
{
	uint8_t what = play_octet(&w->script);
	struct conn *c = &w->conn[what >> 3 & 3];
	unsigned how = what >> 5;

	switch (what & 7) {
	case 0:
	case 1:
		if (c->streaming && (what & 7))
			send_chunk(c, next_body(w, c->carrier));
		else
			request(c, how);
		break;
	case 2:
		raw(c);
		break;
	case 3:
		end_body(c);
		break;
	case 4:
		cut(c, how);
		break;
	case 5:
		play_wait(&w->script, w->loop);
		break;
	case 6:
		play_local(&w->script, w->point, w->loop, w->pool);
		break;
	default:
		owner(w, how);
	}
	loop_advance(w->loop, loop_now(w->loop) + 2 * LOOP_MS);
	if (w->session)
		play_check(w->session);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world *w = calloc(1, sizeof *w);

	CHECK(w);
	log_setup(LOG_LEVEL_ERROR, false);
	w->script = (struct play){ p, p + n, 2000 * LOOP_SECOND };
	w->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	w->pool = packet_pool_new(64, 8);
	for (unsigned i = 0; i < CONNS; i++)
		w->conn[i].w = w;
	while (!play_over(&w->script))
		step(w);
	session_free(w->session);
	for (unsigned i = 0; i < CONNS; i++) {
		hang_up(&w->conn[i]);
		if (w->conn[i].http)
			http_close(w->conn[i].http);
	}
	loop_advance(w->loop, loop_now(w->loop) + LOOP_SECOND);
	packet_pool_free(w->pool);
	loop_free(w->loop);
	free(w);
	return 0;
}
