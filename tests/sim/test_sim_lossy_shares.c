// links: tests/sim/lossy*.c framing/error.c tunnel/loop.c
/* libs: -lev -lm */
/*
 * The lossy network against what was measured with a call shared out among several real TCP
 * connections (sparse, BBR): one after the other, with the packet before in each record, with
 * two copies. What is worth what must come out alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "tests/sim/lossy.h"

#define CONNECTIONS 8
#define PACKET 190
#define EVERY (20 * LOOP_MS)
#define CALL 3000
#define SEEDS 4
#define BASE (25 * LOOP_MS)

struct rig;

struct talker {			/* one end of one connection */
	struct rig *rig;
	int side;
	struct stream *stream;
	size_t have, record;
	uint8_t buffer[3 * PACKET];
};

struct rig {
	struct loop *loop;
	struct lossy *lossy;
	struct talker talker[CONNECTIONS][2];
	int64_t born[2][CALL], took[2][CALL]; /* took 0: not yet */
	unsigned next[2];
};

struct strategy {
	unsigned connections, copies, before; /* before: packets that ride along */
};

static void arrived(struct rig *r, int side, const uint8_t *p)
{
	uint32_t number;

	memcpy(&number, p, sizeof number);
	if (number < CALL && !r->took[side][number])
		r->took[side][number] = loop_now(r->loop) - r->born[side][number];
}

static void on_readable(void *ctx)
{
	struct talker *t = ctx;
	ssize_t n;

	while ((n = stream_read(t->stream, t->buffer + t->have, t->record - t->have)) > 0) {
		t->have += (size_t)n;
		if (t->have < t->record)
			continue;
		for (size_t i = 0; i < t->record; i += PACKET)
			arrived(t->rig, !t->side, t->buffer + i);
		t->have = 0;
	}
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void on_failed(void *ctx, int error)
{
	(void)ctx, (void)error;
	fail();
}

static const struct stream_events events = { nothing, on_readable, nothing, on_failed };

static void say(struct rig *r, int side, const struct strategy *s)
{
	uint8_t record[3 * PACKET] = { 0 };
	uint32_t number = r->next[side]++;

	r->born[side][number] = loop_now(r->loop);
	for (uint32_t i = 0; i <= s->before; i++) {
		uint32_t n = number - i;	/* of none: beyond all */

		memcpy(record + i * PACKET, &n, sizeof n);
	}
	for (unsigned i = 0; i < s->copies; i++) {
		unsigned c = (number * s->copies + i) % s->connections;

		assert_true(stream_write(r->talker[c][side].stream, record, (s->before + 1) * PACKET) > 0);
	}
}

static struct rig *rig_new(const struct strategy *s, const struct lossy_way *way, uint64_t seed)
{
	struct rig *r = calloc(1, sizeof *r);

	r->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	r->lossy = lossy_new(r->loop, &(struct lossy_options){ .way = { *way, *way }, .seed = seed }, NULL, NULL);
	for (unsigned i = 0; i < s->connections; i++) {
		lossy_pair(r->lossy, &r->talker[i][0].stream, &r->talker[i][1].stream);
		for (int side = 0; side < 2; side++) {
			struct talker *t = &r->talker[i][side];

			t->rig = r;
			t->side = side;
			t->record = (s->before + 1) * PACKET;
			stream_attach(t->stream, &events, t);
			stream_want(t->stream, true, false);
			t->stream->ops->tune(t->stream, STREAM_SPARSE);
		}
	}
	return r;
}

static void rig_free(struct rig *r, const struct strategy *s)
{
	for (unsigned i = 0; i < s->connections; i++) {
		stream_close(r->talker[i][0].stream);
		stream_close(r->talker[i][1].stream);
	}
	lossy_free(r->lossy);
	loop_advance(r->loop, loop_now(r->loop) + 1);
	loop_free(r->loop);
	free(r);
}

/* Share later than base + 35 ms, %. */
static double late(const struct strategy *s, const struct lossy_way *way)
{
	unsigned n = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct rig *r = rig_new(s, way, seed);

		for (unsigned i = 0; i < CALL; i++) {
			say(r, 0, s);
			loop_advance(r->loop, loop_now(r->loop) + EVERY / 2);
			say(r, 1, s);
			loop_advance(r->loop, loop_now(r->loop) + EVERY / 2);
		}
		loop_advance(r->loop, loop_now(r->loop) + 10 * LOOP_SECOND);
		for (unsigned i = 0; i < 2 * CALL; i++) {
			int64_t took = r->took[i & 1][i / 2];

			assert_true(took >= BASE);
			n += took > BASE + 35 * LOOP_MS;
		}
		rig_free(r, s);
	}
	return 100.0 * n / (2 * CALL * SEEDS);
}

static void as_measured(void **state)
{
	static const struct {
		const char *name;
		struct strategy s;
		double measured[3], least[3], most[3];	/* 2 %, 5 %, bursts of 2 % */
	} rows[] = {
		{ "4 in turn", { 4, 1, 0 }, { 2.08, 6.03, 2.66 }, { 1.8, 4.5, 1.5 }, { 3, 8, 4 } },
		{ "4, packet before", { 4, 1, 1 }, { 0.03, 0.56, 0.7 }, { 0, 0.2, 0.3 }, { 0.2, 1.2, 1.5 } },
		{ "8, packet before", { 8, 1, 1 }, { 0.08, 0.27, 0.73 }, { 0, 0.05, 0.3 }, { 0.15, 0.6, 1.5 } },
		{ "8, two copies", { 8, 2, 0 }, { 0.06, 0.24, 1.36 }, { 0, 0.05, 0.7 }, { 0.15, 0.6, 2.2 } },
		{ "8, two copies, before", { 8, 2, 1 }, { 0, 0, 0.3 }, { 0, 0, 0.1 }, { 0.03, 0.05, 0.7 } },
	};
	struct lossy_way way[3] = { { .delay_us = BASE, .loss = 0.02 }, { .delay_us = BASE, .loss = 0.05 },
				    { .delay_us = BASE, .burst_begin = 0.0068, .burst_end = 0.333 } };

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		for (unsigned k = 0; k < 3; k++) {
			double share = late(&rows[i].s, &way[k]);

			print_message("%-22s %s late %.3f %% (measured %.2f)\n", rows[i].name,
				      k == 0 ? "2 %:     " : k == 1 ? "5 %:     " : "bursts 2 %:", share, rows[i].measured[k]);
			assert_true(share >= rows[i].least[k] && share <= rows[i].most[k]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
