// links: tests/fuzz/play.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * A server, or a box in between, that means harm, against carriers of a helper: the
 * input is a script of answers, pieces of bodies, waits and cuts, and of what the helper's
 * local side does. First octet: the rung; bit 7: HELLO is answered by itself. Each step: bits 0 to 2
 * what, bits 3 and 4 on which connection, bits 5 to 7 how.
 */
#include "tests/fuzz/play.h"

#include <stdio.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/record.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/carrier.h"
#include "tunnel/log.h"
#include "tunnel/probe.h"
#include "tunnel/session_internal.h"

#define CONNS 4
#define LANES 2
#define OPENS_MAX 20	/* carriers in one script */

struct world;

struct dial {
	struct timer timer;
	struct world *w;
	void (*done)(void *ctx, struct stream *, int error, const char *why);
	void *ctx;
};

struct conn {
	struct world *w;
	struct stream *far;	/* the server's end; NULL: closed */
	bool asked;		/* a request came since the last answer */
	bool chunked;		/* an answer is under way, by chunks */
};

struct lane {
	struct world *w;
	struct carrier *carrier;
	const struct rung *rung;
	struct timer again;
};

struct world {
	struct play script;
	struct loop *loop;
	struct packet_pool *pool;
	struct session *session;
	bool ended, welcome, refuse;
	unsigned opens;
	struct pool_dialler dialler;
	struct pool *connections;	/* of all lanes */
	struct cuts cuts;
	struct carrier_path path;
	struct lane lane[LANES];
	struct probe *probe;
	struct conn conn[CONNS];
	struct point point[PLAY_POINTS];
	uint64_t number;
};

static const char *const names[] = { "duplex", "split", "push", "poll" };
static uint8_t body[PLAY_BODY_MAX];

/* ---- server ---- */

static void hang_up(struct conn *c)
{
	if (c->far)
		stream_close(c->far);
	c->far = NULL;
	c->asked = c->chunked = false;
}

static void send_text(struct conn *c, const char *text)
{
	play_write(c->w->loop, &c->far, text, strlen(text));
}

static void send_body(struct conn *c, size_t n)
{
	char head[20];

	if (n == 0)
		return;
	snprintf(head, sizeof head, "%zx\r\n", n);
	if (c->chunked)
		send_text(c, head);
	play_write(c->w->loop, &c->far, body, n);
	if (c->chunked)
		send_text(c, "\r\n");
}

/* From within an event: written at once, or not at all. */
static void say_welcome(struct conn *c)
{
	struct message_welcome m = { .version = 1, .node = 1, .epoch = 2 };
	struct record_builder b;
	uint8_t record[200];
	char head[80];
	size_t n;

	record_begin(&b, record, sizeof record, c->w->number++, loop_clock(c->w->loop));
	message_welcome_put(&b.w, &m);
	n = record_finish(&b);
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
	stream_write(c->far, (const uint8_t *)head, strlen(head));
	stream_write(c->far, record, n);
	c->asked = false;
}

static void far_readable(void *ctx)
{
	struct conn *c = ctx;
	char text[4096];
	ssize_t n = stream_read(c->far, (uint8_t *)text, sizeof text - 1);

	if (n <= 0 && n != ERROR_AGAIN) {
		hang_up(c);
		return;
	}
	if (n <= 0)
		return;
	text[n] = 0;
	c->asked |= strncmp(text, "POST ", 5) == 0;
	if (c->asked && c->w->welcome && strstr(text, "m=hello"))
		say_welcome(c);
}

static void far_failed(void *ctx, int error)
{
	(void)error;
	hang_up(ctx);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static const struct stream_events far_events = { nothing, far_readable, nothing, far_failed };

/* ---- dialling ---- */

static void dialled(void *ctx)
{
	struct dial *d = ctx;
	struct stream_mem_options o = stream_mem_plain;
	struct world *w = d->w;
	struct stream *near;
	unsigned i = 0;

	while (i < CONNS && w->conn[i].far)
		i++;
	if (w->refuse || i == CONNS) {
		d->done(d->ctx, NULL, w->refuse ? ERROR_REFUSED : ERROR_TIMEOUT, "refused");
	} else {
		o.delay_us = LOOP_MS;
		o.buffer = 1 << 20;
		stream_mem_pair(w->loop, &near, &w->conn[i].far, &o);
		stream_attach(w->conn[i].far, &far_events, &w->conn[i]);
		stream_want(w->conn[i].far, true, false);
		d->done(d->ctx, near, 0, NULL);
	}
	loop_free_later(w->loop, d);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions,
			       void (*done)(void *, struct stream *, int, const char *), void *pool_ctx)
{
	struct world *w = ctx;
	struct dial *d = calloc(1, sizeof *d);

	(void)versions;
	CHECK(d);
	*d = (struct dial){ .w = w, .done = done, .ctx = pool_ctx };
	timer_init(&d->timer, w->loop, dialled, d);
	timer_in(&d->timer, 2 * LOOP_MS);
	return d;
}

static void dial_cancel(struct dial *d)
{
	timer_stop(&d->timer);
	loop_free_later(d->w->loop, d);
}

/* ---- helper ---- */

static size_t sign(void *ctx, char *out, size_t cap, const char *method, const char *target)
{
	(void)ctx, (void)method, (void)target;
	return (size_t)snprintf(out, cap, "Culvert test");
}

static bool correct(void *ctx, int64_t date)
{
	(void)ctx;
	return date != 0;
}

static void on_ended(void *ctx, uint64_t code, const char *reason)
{
	struct world *w = ctx;

	(void)code, (void)reason;
	w->ended = true;
	for (size_t i = 0; i < PLAY_POINTS; i++)
		CHECK(!w->point[i].channel);
}

static const struct session_events session_events = { .ended = on_ended };

static void on_proven(void *ctx, struct carrier *c)
{
	struct lane *lane = ctx;

	CHECK(c == lane->carrier);
}

static void on_failed(void *ctx, struct carrier *c, int error, const char *why)
{
	struct lane *lane = ctx;

	CHECK(c == lane->carrier && error < 0 && *why);
	carrier_free(c);
	lane->carrier = NULL;
	timer_in(&lane->again, 50 * LOOP_MS);
}

static const struct carrier_events carrier_events = { .proven = on_proven, .failed = on_failed };

static void lane_open(void *ctx)
{
	struct lane *lane = ctx;
	struct world *w = lane->w;

	if (w->ended || session_is_ended(w->session) || lane->carrier || w->opens++ >= OPENS_MAX)
		return;
	lane->carrier = carrier_open(w->session, lane->rung, &w->path, w->connections, &carrier_events, lane);
	CHECK(lane->carrier);
}

static void open_channel(struct world *w, unsigned how)
{
	struct channel_params params = { .kind = how & 1 ? KIND_STREAM : KIND_DATAGRAM, .service = "service" };
	struct point *t = play_point(w->point, "ahcfwa"[how >> 1]);

	if (t && !session_is_ended(w->session))
		t->channel = channel_open(w->session, &params, &play_endpoint, t);
}

/* ---- steps ---- */

static size_t next_body(struct world *w)
{
	return play_body(&w->script, w->loop, &w->number, body);
}

static void answer(struct conn *c, unsigned how)
{
	static const char *const starts[] = {
		"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "HTTP/1.1 404 Not Found\r\n",
		"HTTP/1.1 404 Not Found\r\nDate: Tue, 14 Nov 2023 23:13:20 GMT\r\n", "HTTP/1.1 101 Switching\r\n",
	};
	char head[60];
	size_t n = next_body(c->w);

	c->chunked = how == 1 || how == 2;
	send_text(c, starts[how]);
	snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", n);
	send_text(c, c->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : how == 3 ? "\r\n" : head);
	send_body(c, n);
	c->asked = false;
}

static void raw(struct conn *c)
{
	size_t n = play_octet(&c->w->script), i;

	for (i = 0; i < n; i++)
		body[i] = play_octet(&c->w->script);
	play_write(c->w->loop, &c->far, body, n);
}

static void end_or_cut(struct conn *c, unsigned how)
{
	if (!c->far)
		return;
	if (c->chunked && how < 4)
		send_text(c, "0\r\n\r\n");
	else if (how & 1)
		stream_mem_cut(c->far);
	else
		hang_up(c);
	c->chunked = false;
}

static void probed(void *ctx, const struct probe_result *r)
{
	struct world *w = ctx;
	struct probe_plan plan = { .up_streamed = true, .answer = ANSWER_EARLY };

	w->probe = NULL;
	CHECK(r->up_seen <= r->up_sent && r->up_sent <= PROBE_MARKS && r->down_seen <= PROBE_MARKS);
	CHECK(r->error <= 0 && (r->error < 0) == (r->why[0] != 0));
	for (unsigned n = 0; n <= PROBE_MARKS; n++) {
		plan.up_marks = plan.down_marks = n;
		plan.up_gap_us = plan.down_gap_ms = n % 2;
		CHECK(*finding_name(probe_up(&plan, r)) && *finding_name(probe_down(&plan, r)) &&
		      *finding_name(probe_duplex(&plan, r)));
	}
}

/* Octets: manner, and marks both ways. */
static void probe(struct world *w)
{
	uint8_t manner = play_octet(&w->script), marks = play_octet(&w->script);
	struct probe_plan plan = {
		.up_streamed = manner & 1, .up_marks = marks & 15, .up_gap_us = 7 * LOOP_MS, .up_size = manner,
		.answer = manner % 3, .down_marks = marks >> 4, .down_gap_ms = 10, .down_size = manner,
		.up_fill = manner & 2 ? 300 : 0, .patience_us = (1 + (manner >> 4)) * 100 * LOOP_MS,
	};

	if (w->probe)
		probe_cancel(w->probe);
	w->probe = session_is_ended(w->session) ? NULL : probe_start(w->session, &w->path, w->connections, manner & 4,
								     &plan, probed, w);
}

static void owner(struct world *w, unsigned how)
{
	switch (how) {
	case 0:
		w->refuse = !w->refuse;
		break;
	case 1:
		if (!w->lane[1].rung)
			w->lane[1].rung = rung_find(names[play_octet(&w->script) & 3]);
		lane_open(&w->lane[1]);
		break;
	case 2:
		w->welcome = !w->welcome;
		break;
	case 3:
		if (!session_is_ended(w->session))
			session_bye(w->session, CODE_SHUTDOWN, "bye");
		break;
	case 7:
		probe(w);
		break;
	default:
		for (unsigned i = 0; i < CONNS; i++)
			if (w->conn[i].far)
				stream_mem_cut(w->conn[i].far);
	}
}

/* A connection that has asked something, if the one meant has not. */
static struct conn *asking(struct world *w, unsigned i)
{
	for (unsigned k = 0; k < CONNS; k++, i++)
		if (w->conn[i % CONNS].asked)
			return &w->conn[i % CONNS];
	return &w->conn[i % CONNS];
}

static void step(struct world *w)
{
	uint8_t what = play_octet(&w->script);
	struct conn *c = &w->conn[what >> 3 & 3];
	unsigned how = what >> 5;

	switch (what & 7) {
	case 0:
		answer(asking(w, what >> 3 & 3), how);
		break;
	case 1:
		send_body(c, next_body(w));
		break;
	case 2:
		raw(c);
		break;
	case 3:
		end_or_cut(c, how);
		break;
	case 4:
		open_channel(w, how % 6 * 2 + (what >> 3 & 1));
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
	loop_advance(w->loop, loop_now(w->loop) + 5 * LOOP_MS);
	play_check(w->session);
}

static struct world *world_new(const uint8_t *p, size_t n)
{
	static const struct session_config config = {
		.max_channels = 8, .session_window = 32768, .channel_window = 16384, .send_buffer = 8192,
		.queue_packets = 32, .queue_bytes = 32768, .keepalive_ms = 2000,
	};
	struct world *w = calloc(1, sizeof *w);

	CHECK(w);
	w->script = (struct play){ p + 1, p + n, 500 * LOOP_SECOND };
	w->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	w->pool = packet_pool_new(64, 8);
	w->welcome = p[0] & 0x80;
	w->dialler = (struct pool_dialler){ .start = dial_start, .cancel = dial_cancel, .ctx = w };
	w->connections = pool_new(w->loop, &w->dialler, 3, &w->cuts);
	w->path = (struct carrier_path){ .host = "h", .base = "/culvert", .user_agent = "t", .sign = sign,
					 .clock = correct, .ctx = w, .hold_ms = 2000 };
	w->session = session_new(w->loop, SESSION_HELPER, &config, w->pool, NULL, &session_events, w);
	for (unsigned i = 0; i < CONNS; i++)
		w->conn[i].w = w;
	for (unsigned i = 0; i < LANES; i++) {
		w->lane[i].w = w;
		timer_init(&w->lane[i].again, w->loop, lane_open, &w->lane[i]);
	}
	w->lane[0].rung = rung_find(names[p[0] & 3]);
	lane_open(&w->lane[0]);
	loop_advance(w->loop, loop_now(w->loop) + 10 * LOOP_MS);
	return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world *w;

	if (n < 2)
		return 0;
	log_setup(LOG_LEVEL_ERROR, false);
	w = world_new(p, n);
	while (!play_over(&w->script))
		step(w);
	for (unsigned i = 0; i < LANES; i++) {
		timer_stop(&w->lane[i].again);
		if (w->lane[i].carrier)
			carrier_free(w->lane[i].carrier);
	}
	if (w->probe)
		probe_cancel(w->probe);
	session_free(w->session);
	pool_free(w->connections);
	for (unsigned i = 0; i < CONNS; i++)
		hang_up(&w->conn[i]);
	loop_advance(w->loop, loop_now(w->loop) + LOOP_SECOND);
	packet_pool_free(w->pool);
	loop_free(w->loop);
	free(w);
	return 0;
}
