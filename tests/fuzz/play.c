/* The script, the local side of channels, and the invariants. */
#include "tests/fuzz/play.h"

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/record.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/session_internal.h"

#define EARLY_MAX 65536
#define REFUSALS_MAX 64		/* channels beyond the cap that only wait to tell so */

uint8_t play_octet(struct play *s)
{
	return s->p < s->end ? *s->p++ : 0;
}

static void take(struct play *s, struct writer *w, size_t n)
{
	while (n-- > 0)
		writer_u8(w, play_octet(s));
}

static void put_capsule(struct play *s, struct writer *w)
{
	uint8_t type = play_octet(s), n = play_octet(s);
	size_t len = n < 200 ? n : 8 + (size_t)(n - 199) * 256;

	if (writer_left(w) < len + CAPSULE_HEAD_MAX)
		return;
	capsule_head_put(w, type, len);
	take(s, w, len < 200 ? len : 8);
	for (size_t i = 8; len >= 200 && i < len; i++)
		writer_u8(w, (uint8_t)i);
}

size_t play_body(struct play *s, struct loop *loop, uint64_t *number, uint8_t *out)
{
	uint8_t head = play_octet(s);
	struct record_builder b;
	uint64_t own = head & 8 ? play_octet(s) : *number;
	uint32_t clock = loop_clock(loop);
	size_t n = 0;

	if (head & 0x80) {
		out[n++] = CAPSULE_PAD;
		out[n++] = 0;
	}
	if (head & 0x40) {
		struct writer w;

		writer_init(&w, out + n, 256);
		take(s, &w, play_octet(s));
		return n + writer_len(&w);
	}
	if (head & 0x10)
		for (int i = 0; i < 4; i++)
			clock = clock << 8 | play_octet(s);
	record_begin(&b, out + n, PLAY_BODY_MAX - n, own, clock);
	for (unsigned i = head & 7; i > 0; i--)
		put_capsule(s, &b.w);
	if (!(head & 8))
		++*number;
	n += record_finish(&b);
	return head & 0x20 ? n - 1 : n;
}

void play_wait(struct play *s, struct loop *loop)
{
	static const int64_t ms[] = { 0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 3000, 10000, 31000, 70000, 340000 };
	int64_t us = ms[play_octet(s) & 15] * LOOP_MS;

	if (us > s->us_left)
		us = s->us_left;
	s->us_left -= us;
	loop_advance(loop, loop_now(loop) + us);
}

void play_write(struct loop *loop, struct stream **stream, const void *p, size_t n)
{
	const uint8_t *at = p;

	for (int tries = 0; *stream && n > 0 && tries < 20; tries++) {
		ssize_t put = stream_write(*stream, at, n);

		if (put < 0 && put != ERROR_AGAIN)
			return;
		if (put > 0) {
			at += put;
			n -= (size_t)put;
		}
		if (n > 0)
			loop_advance(loop, loop_now(loop) + 2 * LOOP_MS);
	}
	if (*stream && n > 0)
		stream_mem_cut(*stream);
}

/* ---- endpoints ---- */

static void leave(struct point *t)
{
	struct channel *ch = t->channel;

	t->channel = NULL;
	channel_close(ch, CODE_LOCAL_RESET, "left");
}

static void on_datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct point *t = ctx;
	uint8_t *copy = fuzz_copy(p, n);

	CHECK(t->channel);
	free(copy);
	if (t->manner == 'c')
		leave(t);
}

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct point *t = ctx;
	uint8_t *copy = fuzz_copy(p, n);

	CHECK(t->channel && !t->finished && n > 0);
	free(copy);
	if (t->manner == 'c' && t->all)
		leave(t);
	if (t->all || t->manner == 'a')
		return n;
	return t->manner == 'h' ? n / 2 : 0;
}

static void on_finish(void *ctx)
{
	struct point *t = ctx;

	CHECK(t->channel && !t->finished);
	t->finished = true;
	if (t->manner == 'f')
		leave(t);
	else if (t->manner == 'a')
		channel_finish(t->channel);
}

static void on_writable(void *ctx)
{
	struct point *t = ctx;

	CHECK(t->channel);
	if (t->manner == 'w')
		leave(t);
}

static void on_opened(void *ctx)
{
	struct point *t = ctx;

	CHECK(t->channel);
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct point *t = ctx;

	(void)code;
	CHECK(t->channel && strlen(reason) <= MESSAGE_TEXT_MAX);
	t->channel = NULL;
}

const struct endpoint_ops play_endpoint = { on_datagram, on_bytes, on_finish, on_writable, on_opened, on_closed };

struct point *play_point(struct point *all, char manner)
{
	for (size_t i = 0; i < PLAY_POINTS; i++)
		if (!all[i].channel) {
			all[i] = (struct point){ .manner = manner };
			return &all[i];
		}
	return NULL;
}

static void send_datagram(struct channel *ch, struct loop *loop, struct packet_pool *pool, size_t n)
{
	struct packet *p = packet_get(pool, n);

	if (!p)
		return;
	memset(p->data, 0x80, n);
	p->len = n;
	p->born_us = loop_now(loop);
	channel_send(ch, p);
}

static void send_bytes(struct channel *ch, size_t n)
{
	size_t room;
	uint8_t *p = channel_reserve(ch, &room);

	if (room == 0)
		return;
	if (n > room)
		n = room;
	memset(p, 's', n);
	channel_commit(ch, n);
}

void play_local(struct play *s, struct point *all, struct loop *loop, struct packet_pool *pool)
{
	uint8_t what = play_octet(s);
	struct point *t = &all[what & 7];
	bool stream;

	if (!t->channel)
		return;
	stream = channel_params(t->channel)->kind != KIND_DATAGRAM;
	switch (what >> 3 & 7) {
	case 0:
		leave(t);
		break;
	case 1:
		if (stream)
			channel_finish(t->channel);
		break;
	case 2:
		t->all = true;
		if (stream)
			channel_resume(t->channel);
		break;
	case 3:
		t->all = false;
		break;
	default:
		if (stream)
			send_bytes(t->channel, (size_t)play_octet(s) * 64 + 1);
		else
			send_datagram(t->channel, loop, pool, (size_t)play_octet(s) * 32);
	}
}

/* ---- what must hold ---- */

static void check_stream(const struct session *s, const struct channel *ch)
{
	const struct receive_half *in = &ch->receive;
	const struct send_half *out = &ch->send;

	CHECK(in->ring.start <= in->ring.end && in->ring.end - in->ring.start <= in->ring.max);
	CHECK(in->ring.start <= in->highest && in->highest <= in->limit);
	CHECK(in->ring.max <= 2 * (size_t)s->config.channel_window);
	CHECK(in->have.n == 0 || in->have.r[in->have.n - 1].last < in->highest);
	CHECK(out->ring.start <= out->ring.end && out->next <= out->ring.end);
	CHECK(out->lost.n == 0 || out->lost.r[out->lost.n - 1].last < out->next);
	CHECK(!ch->ops || in->state != HALF_DONE || out->state != HALF_DONE);
}

void play_check(const struct session *s)
{
	size_t packets = 0, bytes = 0;
	unsigned channels = 0;

	for (const struct link *l = s->channels.next; l != &s->channels; l = l->next) {
		const struct channel *ch = list_entry(l, const struct channel, all);

		channels++;
		CHECK(ch->session == s && channel_find(s, ch->id) == ch);
		for (unsigned c = 0; ch->params.kind == KIND_DATAGRAM && c < TRAFFIC_CLASSES; c++) {
			packets += ch->flow.queue[c].count;
			bytes += ch->flow.queue[c].bytes;
		}
		if (ch->params.kind != KIND_DATAGRAM)
			check_stream(s, ch);
	}
	CHECK(channels == s->channel_count && channels <= s->config.max_channels + REFUSALS_MAX);
	CHECK(packets == s->scheduler.packets && packets <= s->config.queue_packets);
	CHECK(bytes == s->scheduler.bytes && bytes <= s->config.queue_bytes);
	CHECK(s->early_bytes <= EARLY_MAX && s->carriers <= SESSION_CARRIERS_MAX);
	CHECK(s->consumed <= s->received);
	for (unsigned i = 0; i < s->carriers; i++) {
		const struct carrier *c = s->carrier[i];

		CHECK(c->pongs <= PONGS_MAX && c->seens <= SEENS_MAX && c->streamed_answers <= c->leg_count);
		CHECK(c->ledger.next - c->ledger.first <= LEDGER_RECORDS_MAX);
		CHECK(c->ledger.item_next - c->ledger.item_first <= LEDGER_ITEMS_MAX);
	}
}
