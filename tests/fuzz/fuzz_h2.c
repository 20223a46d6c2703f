// links: tests/fuzz/play.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lev -lhttp_parser -lnghttp2 -lwslay -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * The HTTP/2 engine in either role against a peer that means harm: the input is a script of frames, raw bytes, waits and cuts,
 * and of what the owners of exchanges do. First octet: bit 0 it is the client, bit 1 the peer's preface (or its SETTINGS) is sent by itself,
 * bits 2 to 4 the owners' manner, bits 5 to 7 what one read gives at most. Each step: bits 0 to 2 what, bits 3 to 7 how.
 */
#include "tests/fuzz/play.h"

#include "framing/error.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/h2.h"
#include "tunnel/log.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define SLOTS 128	/* more than an engine may have at a time */

enum manner { ANSWERS, STREAMS, HOLDS, PAUSES, FAILS_HEAD, FAILS_BODY, AGREES, DECLARES };

struct world;

struct end {
	struct world *w;
	struct exchange *x;	/* NULL: free */
	bool head, ended, sent, finished;
	size_t body;
};

struct world {
	struct play script;
	struct loop *loop;
	struct stream *far;
	struct http *http;	/* NULL: over */
	bool client, said_all;	/* said_all: the peer writes nothing more */
	enum manner manner;
	size_t bytes_left;	/* that the peer may write; few where they are read in small pieces */
	unsigned live;
	struct end end[SLOTS];
};

/* ---- owners ---- */

static void touch_span(struct span s)
{
	uint64_t hash = 1;

	fuzz_hash(&hash, s.p, s.n);
	CHECK(!s.n || !memchr(s.p, 0, s.n));
	CHECK(!s.n || !memchr(s.p, '\n', s.n));
}

static void check_head(const struct http1_head *h, bool request)
{
	CHECK(h->request == request);
	CHECK(h->count <= HTTP1_HEADERS_MAX);
	CHECK(request || (h->status >= 101 && h->status <= 999));
	CHECK(h->length >= -1);
	touch_span(h->method);
	touch_span(h->target);
	touch_span(h->protocol);
	for (size_t i = 0; i < h->count; i++) {
		CHECK(h->header[i].name.n > 0 && h->header[i].name.p[0] != ':');
		touch_span(h->header[i].name);
		touch_span(h->header[i].value);
	}
}

/* Sends what its manner wants, as far as there is room. */
static void say(struct end *e, size_t n, bool end)
{
	const struct exchange_head request = {
		.method = "POST", .target = "/p?q=1", .host = "h", .lines = "X-A: b\r\nCookie: c=d\r\n", .streamed = !end,
		.protocol = e->w->manner == AGREES && !end ? "websocket" : NULL, .priority = "u=1, i",
	};
	const struct exchange_head answer = {
		.status = e->w->manner == AGREES && !end ? 101 : 200, .lines = "Content-Type: text/plain\r\n", .streamed = !end,
		.protocol = e->w->manner == AGREES && !end ? "websocket" : NULL, .length = e->w->manner == DECLARES && !end ? 5000 : 0,
	};
	size_t cap;
	uint8_t *p;

	if (e->finished || !(p = exchange_room(e->x, n, &cap)))
		return;
	CHECK(cap >= n);
	memset(p, 'x', n);
	exchange_send(e->x, e->sent ? NULL : e->w->client ? &request : &answer, n, end);
	e->sent = true;
	e->finished = end;
}

static int on_head(void *ctx, const struct http1_head *h)
{
	struct end *e = ctx;

	CHECK(e->x && e->w->client && !e->head);
	e->head = true;
	check_head(h, false);
	return e->w->manner == FAILS_HEAD ? ERROR_MALFORMED : 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct end *e = ctx;
	uint64_t hash = 1;

	CHECK(e->x && e->head && !e->ended && n > 0);
	fuzz_hash(&hash, p, n);
	e->body += n;
	if (e->w->manner == PAUSES)
		exchange_pause(e->x, true);
	return e->w->manner == FAILS_BODY && e->body > 10 ? ERROR_LIMIT : 0;
}

static void on_end(void *ctx)
{
	struct end *e = ctx;

	CHECK(e->x && e->head && !e->ended);
	e->ended = true;
	if (!e->w->client && e->w->manner != HOLDS)
		say(e, 100, true);
}

static void on_writable(void *ctx)
{
	struct end *e = ctx;

	CHECK(e->x);
	if (e->w->manner == STREAMS)
		say(e, 1000, false);
}

static void on_exchange_closed(void *ctx, int error)
{
	struct end *e = ctx;
	struct world *w = e->w;

	CHECK(e->x && w->live > 0);
	CHECK(error || e->ended);
	w->live--;
	*e = (struct end){ .w = w };
}

static const struct exchange_events owner = { on_head, on_body, on_end, on_writable, on_exchange_closed };

static struct end *free_end(struct world *w)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!w->end[i].x)
			return &w->end[i];
	return NULL;
}

static void on_request(void *ctx, struct exchange *x, const struct http1_head *h)
{
	struct world *w = ctx;
	struct end *e = free_end(w);

	CHECK(e && !w->client);
	CHECK(++w->live <= H2_STREAMS_MAX);
	check_head(h, true);
	e->x = x;
	e->head = true;
	x->events = &owner;
	x->ctx = e;
	if (w->manner == STREAMS || w->manner == AGREES || w->manner == DECLARES)
		say(e, w->manner == DECLARES ? 1000 : 10, false);
	else if (w->manner == ANSWERS && h->method.n == 3)
		say(e, 5, true);
	else if (w->manner == PAUSES)
		exchange_pause(x, true);
}

static void on_idle(void *ctx)
{
	CHECK(((struct world *)ctx)->client);
}

static void on_closed(void *ctx, int error)
{
	struct world *w = ctx;

	(void)error;
	CHECK(w->http && w->live == 0);
	w->http = NULL;
}

static const struct http_events connection = { .request = on_request, .idle = on_idle, .closed = on_closed };

static void begin(struct world *w)
{
	struct end *e = free_end(w);

	if (!w->http || !w->client || !e || http_room(w->http) == 0)
		return;
	CHECK(w->live < H2_STREAMS_MAX);
	e->x = http_exchange(w->http, &owner, e);
	if (!e->x)
		return;
	w->live++;
	say(e, 20, w->manner == ANSWERS || w->manner == HOLDS);
}

/* ---- the peer ---- */

static void far_readable(void *ctx)
{
	struct world *w = ctx;
	uint8_t taken[4096];
	ssize_t n = stream_read(w->far, taken, sizeof taken);

	if (n <= 0 && n != ERROR_AGAIN) {
		stream_close(w->far);
		w->far = NULL;
	}
}

static void far_failed(void *ctx, int error)
{
	struct world *w = ctx;

	(void)error;
	stream_close(w->far);
	w->far = NULL;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static const struct stream_events far_events = { nothing, far_readable, nothing, far_failed };

static void write_far(struct world *w, const void *p, size_t n)
{
	if (w->said_all || n == 0 || n > w->bytes_left)
		return;
	w->bytes_left -= n;
	play_write(w->loop, &w->far, p, n);
}

/* Type, flags, stream, length (from 200 on in hundreds, of equal octets), payload. how: so many of them. */
static void write_frame(struct world *w, unsigned how)
{
	uint8_t type = play_octet(&w->script), flags = play_octet(&w->script), stream = play_octet(&w->script);
	size_t length = play_octet(&w->script), many = length >= 200 ? (length - 199) * 300 : length;
	uint8_t *frame = calloc(1, 9 + many);

	CHECK(frame);
	frame[1] = (uint8_t)(many >> 8);
	frame[2] = (uint8_t)many;
	frame[3] = type;
	frame[4] = flags;
	frame[8] = stream;
	if (length >= 200)
		memset(frame + 9, play_octet(&w->script), many);
	else
		for (size_t i = 0; i < many; i++)
			frame[9 + i] = play_octet(&w->script);
	for (unsigned i = 0; i <= how * how && w->far; i++) {
		write_far(w, frame, 9 + many);
		if (type == 1 && !(w->client))
			frame[8] += 2;
	}
	free(frame);
}

static void write_raw(struct world *w)
{
	uint8_t raw[256], n = play_octet(&w->script);

	for (unsigned i = 0; i < n; i++)
		raw[i] = play_octet(&w->script);
	write_far(w, raw, n);
}

/* ---- steps ---- */

static void act(struct world *w, unsigned how)
{
	struct end *e = &w->end[play_octet(&w->script) % SLOTS];

	if (!e->x)
		return;
	switch (how & 7) {
	case 0:
	case 1:
		say(e, how & 8 ? 20000 : 50, how & 1);
		break;
	case 2:
	case 3:
		exchange_pause(e->x, how & 1);
		break;
	case 4:
	case 5:
		exchange_sparse(e->x, how & 1);
		break;
	case 6:
		w->live--;
		exchange_abort(e->x);
		*e = (struct end){ .w = w };
		break;
	default:
		w->manner = (enum manner)(play_octet(&w->script) & 7);
	}
}

static void end_it(struct world *w, unsigned how)
{
	if ((how & 3) == 0 && w->far)
		stream_mem_cut(w->far);
	else if ((how & 3) == 1 && w->far && !w->said_all)
		stream_mem_finish(w->far), w->said_all = true;
	else if ((how & 3) == 2 && w->http && !w->client)
		http_drain(w->http);
	else if (w->http && how == 31)
		http_close(w->http);
	else if (w->far)
		stream_want(w->far, how & 4, false);
}

static void step(struct world *w)
{
	uint8_t octet = play_octet(&w->script);
	unsigned how = octet >> 3;

	switch (octet & 7) {
	case 3:
		write_raw(w);
		break;
	case 4:
		play_wait(&w->script, w->loop);
		break;
	case 5:
		act(w, how);
		break;
	case 6:
		begin(w);
		break;
	case 7:
		end_it(w, how);
		break;
	default:
		write_frame(w, how);
	}
	if (octet & 0x80)
		loop_advance(w->loop, loop_now(w->loop) + 5 * LOOP_MS);
}

static struct world *world_new(const uint8_t *p, size_t n)
{
	static const size_t chunks[] = { 0, 1, 2, 9, 10, 100, 1000, 17 };
	struct stream_mem_options o = stream_mem_plain;
	struct world *w = calloc(1, sizeof *w);
	struct stream *near;

	CHECK(w);
	w->script = (struct play){ p + 1, p + n, 500 * LOOP_SECOND };
	w->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	w->client = p[0] & 1;
	w->manner = (enum manner)(p[0] >> 2 & 7);
	o.chunk = chunks[p[0] >> 5];
	w->bytes_left = o.chunk ? 20000 : 600000;
	stream_mem_pair(w->loop, &near, &w->far, &o);
	stream_attach(w->far, &far_events, w);
	stream_want(w->far, true, false);
	for (unsigned i = 0; i < SLOTS; i++)
		w->end[i].w = w;
	w->http = w->client ? h2_client(w->loop, near, &connection, w) : h2_server(w->loop, near, &http_limits_default, &connection, w);
	if (p[0] & 2) {
		if (!w->client)
			write_far(w, PREFACE, sizeof PREFACE - 1);
		write_far(w, SETTINGS, sizeof SETTINGS - 1);
	}
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
	loop_advance(w->loop, loop_now(w->loop) + 10 * LOOP_MS);
	if (w->http)
		http_close(w->http);
	loop_advance(w->loop, loop_now(w->loop) + LOOP_SECOND);
	CHECK(!w->http && w->live == 0);
	if (w->far)
		stream_close(w->far);
	loop_advance(w->loop, loop_now(w->loop) + LOOP_SECOND);
	loop_free(w->loop);
	free(w);
	return 0;
}
