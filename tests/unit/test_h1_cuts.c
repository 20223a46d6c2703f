/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/* The HTTP/1.1 engine in both roles against itself: cut behind every byte, every call made from every event, and
 * a thousand runs by chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/talk.h"

/* Cut behind every byte of either direction: exactly one end for everything. */
static void test_cut_everywhere(void **state)
{
	static const struct {
		bool up, down;	/* streamed */
	} modes[] = { { false, false }, { true, false }, { false, true }, { true, true } };

	(void)state;
	for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
		for (int64_t at = 0; at < 420; at++) {
			struct stream_mem_options o = stream_mem_plain;

			o.delay_us = 10;
			if (at % 3 == 2)
				o.stall_after[at & 1] = at / 2;
			else
				o.cut_after[at & 1] = at / 2;
			talk_set_up_pair(&o);
			talk.client.head.streamed = modes[m].up;
			talk.server.head.streamed = modes[m].down;
			talk.client.total = talk.server.total = 60;
			talk.client.portion = talk.server.portion = 60;
			if (modes[m].up)
				talk.client.portion = 20;
			if (modes[m].down)
				talk.server.portion = 20;
			talk_ask(&talk.client);
			talk_settle();
			if (at % 3 != 2 && o.cut_after[at & 1] < (at & 1 ? 90 : 100)) {
				assert_int_equal(talk.client.over, 1);
				assert_int_equal(talk.server.over, 1);
				assert_int_equal(talk.client.closed, 1);
				assert_true(talk.client.error != 0);
			}
			assert_int_equal(talk.server.closed + (talk.server.x != NULL), talk.server.requests);
			talk_tear_down();
			assert_int_equal(talk.client.closed, 1);
			assert_int_equal(talk.client.over, 1);
			assert_int_equal(talk.server.over, 1);
			assert_int_equal(talk.server.closed, talk.server.requests);
			assert_true(talk.client.ends <= 1 && talk.server.ends <= 1);
		}
	}
}

/* Every call from every event, on either side. */
static void test_calls_from_events(void **state)
{
	(void)state;
	for (int k = 0; k < 2 * MOMENTS * ACTIONS * 2; k++) {
		struct stream_mem_options o = stream_mem_plain;
		struct party *p = k & 1 ? &talk.server : &talk.client;

		o.buffer = 2000;
		o.delay_us = 10;
		talk_set_up_pair(&o);
		p->when = (enum moment)(k / 2 % MOMENTS);
		p->what = (enum action)(k / 2 / MOMENTS % ACTIONS);
		talk.client.head.streamed = talk.server.head.streamed = k >= 2 * MOMENTS * ACTIONS;
		talk.client.total = talk.server.total = 10000;
		talk.client.portion = talk.server.portion = 10000;
		talk_ask(&talk.client);
		talk_settle();
		if (p->paused) {
			p->paused = false;
			exchange_pause(p->x, false);
			talk_settle();
		}
		talk_tear_down();
		assert_int_equal(talk.client.over, 1);
		assert_int_equal(talk.server.over, 1);
		assert_true(talk.client.closed + talk.server.closed >= 1);
		assert_true(talk.client.closed <= 1 && talk.server.closed <= 1);
	}
}

static struct loop *dice;	/* only for its chance */

static uint64_t chance(uint64_t n)
{
	return loop_random_u64(dice) % n;
}

static void poke(struct party *p)
{
	switch (chance(12)) {
	case 0:
		if (p->x)
			exchange_pause(p->x, p->paused = !p->paused);
		break;
	case 1:
		if (p->x && chance(8) == 0) {
			exchange_abort(p->x);
			p->x = NULL;
		}
		break;
	case 2:
		if (p->h && chance(30) == 0)
			http_close(p->h);
		break;
	case 3:
		p->when = (enum moment)chance(MOMENTS);
		p->what = chance(10) ? DO_PAUSE : (enum action)chance(ACTIONS);
		break;
	case 4:
		p->hold = chance(3) == 0;
		break;
	default:
		if (p->x)
			talk_pump(p);
	}
}

static void ask_by_chance(void)
{
	struct party *sides[] = { &talk.client, &talk.server };

	for (int i = 0; i < 2; i++) {
		sides[i]->head.streamed = chance(2);
		sides[i]->total = chance(30000);
		sides[i]->portion = sides[i]->head.streamed ? 1 + chance(20000) : 30000;
	}
	talk_ask(&talk.client);
}

/* Whatever is done in whatever order, bodies are prefixes of what was sent and ends come once. */
static void test_random(void **state)
{
	int in_order = 0, cut = 0;

	(void)state;
	dice = loop_new_virtual(0, 0);
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct stream_mem_options o = stream_mem_plain;

		loop_seed(dice, seed);
		o.delay_us = (int64_t)chance(100);
		o.buffer = 1 + chance(20000);
		o.chunk = chance(3000);
		o.write_chunk = chance(3000);
		if (chance(3) == 0)
			o.cut_after[chance(2)] = (int64_t)chance(60000);
		talk_set_up_pair(&o);
		for (int step = 0; step < 300 && (talk.client.h || talk.server.h); step++) {
			if (talk.client.h && !talk.client.x && talk.client.idles == talk.client.closed && chance(2))
				ask_by_chance();
			poke(&talk.client);
			poke(&talk.server);
			talk_run((int64_t)chance(2000));
		}
		in_order += talk.client.idles;
		cut += talk.client.closed - talk.client.idles;
		talk_tear_down();
		assert_int_equal(talk.client.over, 1);
		assert_int_equal(talk.server.over, 1);
	}
	loop_free(dice);
	assert_true(in_order > 1000 && cut > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_calls_from_events),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
