/* links: tunnel/redundancy.c tunnel/counters.c framing/packet.c */
/* Redundancy: when it is on, which packet goes again over which fate, and what is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tunnel/loop.h"
#include "tunnel/redundancy.h"

#define MS(n) ((n) * LOOP_MS)

static struct redundancy r;
static struct packet_pool *pool;

static int set_up(void **state)
{
	(void)state;
	pool = packet_pool_new(1024, 1);
	redundancy_init(&r);
	return 0;
}

/* The pool complains when a packet was not put back. */
static int tear_down(void **state)
{
	(void)state;
	redundancy_fini(&r);
	packet_pool_free(pool);
	return 0;
}

static struct packet *audio(int64_t now)
{
	struct packet *p = packet_get(pool, 172);

	p->len = 172;
	p->born_us = now;
	p->deadline_us = now + MS(200);
	p->mark = (struct traffic_mark){ .class = TRAFFIC_AUDIO };
	return p;
}

static uint64_t send(uint64_t fate, int64_t now)
{
	struct packet *p = audio(now);
	uint64_t n = redundancy_next_number(&r);

	redundancy_media(&r, TRAFFIC_AUDIO, now);
	redundancy_update(&r, REDUNDANCY_ROOM, false, now);
	assert_true(redundancy_wants(&r, p, REDUNDANCY_AUTO));
	redundancy_keep(&r, p, 2, REDUNDANCY_AUTO, fate, now);
	return n;
}

static void make_lossy(int64_t now)
{
	redundancy_evidence(&r, now);
	redundancy_evidence(&r, now + MS(200));
	assert_int_equal(r.state, REDUNDANCY_LOSSY);
}

/* Copies from the first packet of a call, for three seconds; again after a pause of ten. */
static void beginning(void **state)
{
	(void)state;
	assert_false(redundancy_is_on(&r));
	redundancy_media(&r, TRAFFIC_AUDIO, MS(1000));
	assert_true(redundancy_is_on(&r));
	assert_int_equal(redundancy_until_us(&r), MS(4000));
	for (int64_t t = MS(1000); t < MS(3999); t += MS(20))
		redundancy_media(&r, TRAFFIC_AUDIO, t);
	redundancy_update(&r, REDUNDANCY_ROOM, false, MS(3999));
	assert_true(redundancy_is_on(&r));
	redundancy_update(&r, REDUNDANCY_ROOM, false, MS(4000));
	assert_false(redundancy_is_on(&r));
	redundancy_media(&r, TRAFFIC_AUDIO, MS(13000));
	assert_false(redundancy_is_on(&r));
	redundancy_media(&r, TRAFFIC_AUDIO, MS(23100));
	assert_true(redundancy_is_on(&r));
	assert_true(redundancy_has_media(&r, MS(33100)));
	assert_false(redundancy_has_media(&r, MS(33101)));
	redundancy_begun(&r);	/* a path so short that there is no need */
	assert_false(redundancy_is_on(&r));
	make_lossy(MS(33200));
	redundancy_begun(&r);
	assert_true(redundancy_is_on(&r));
}

/* A keepalive is no call, nor are many; what checks connectivity is the beginning of one. */
static void keepalives(void **state)
{
	int64_t t = MS(60000);

	(void)state;
	for (unsigned i = 0; i < 40; i++, t += MS(5000)) {
		for (unsigned k = 0; k < 4; k++)	/* requests and answers, both ways */
			redundancy_media(&r, TRAFFIC_CONTROL, t + MS(30) * k);
		assert_false(redundancy_has_media(&r, t + MS(90)));
		assert_false(redundancy_is_on(&r));
	}
	for (unsigned k = 0; k < 6; k++)
		redundancy_media(&r, TRAFFIC_CONTROL, t += MS(50));
	assert_true(redundancy_is_on(&r));
	redundancy_media(&r, TRAFFIC_AUDIO, t + MS(2000));
	assert_int_equal(redundancy_until_us(&r), t + MS(3000));
	for (unsigned i = 0; i < 3; i++)	/* it is over, and does not go on by keepalives */
		redundancy_media(&r, TRAFFIC_CONTROL, t += MS(5000));
	assert_false(redundancy_has_media(&r, t));
}

/* One event is none; what comes together is one; two within ten seconds are; it lasts for thirty behind the last. */
static void evidence(void **state)
{
	int64_t t = MS(60000);

	(void)state;
	redundancy_evidence(&r, t);
	redundancy_evidence(&r, t + MS(50));
	redundancy_update(&r, REDUNDANCY_ROOM, false, t + MS(50));
	assert_false(redundancy_is_on(&r));
	redundancy_evidence(&r, t + MS(10100));
	assert_false(redundancy_is_on(&r));
	redundancy_evidence(&r, t + MS(12000));
	assert_true(redundancy_is_on(&r));
	redundancy_evidence(&r, t + MS(40000));
	redundancy_update(&r, REDUNDANCY_ROOM, false, t + MS(69999));
	assert_true(redundancy_is_on(&r));
	assert_int_equal(redundancy_until_us(&r), t + MS(70000));
	redundancy_update(&r, REDUNDANCY_ROOM, false, t + MS(70000));
	assert_false(redundancy_is_on(&r));
	assert_int_equal(r.evidence, 4);
}

/* The previous packet rides with the next record, on another fate, once. */
static void riding(void **state)
{
	int64_t t = MS(1000);
	uint64_t first = send(1, t);
	struct kept *k;

	(void)state;
	assert_null(redundancy_find(&r, 2, t + MS(7)));	/* too soon: bursts */
	assert_null(redundancy_find(&r, 1, t + MS(20)));	/* its own fate */
	k = redundancy_find(&r, 2, t + MS(20));
	assert_non_null(k);
	assert_int_equal(redundancy_number(&r, k), first);
	redundancy_sent(&r, k, 2);
	assert_null(redundancy_find(&r, 3, t + MS(40)));
	assert_int_equal(r.copies, 1);
	assert_int_equal(r.copy_bytes, 172);
}

/* On a long path every second packet goes once more, later. */
static void riding_far(void **state)
{
	int64_t t = MS(1000);
	struct kept *k;

	(void)state;
	send(1, t);
	redundancy_far(&r, true);
	redundancy_sent(&r, redundancy_find(&r, 2, t + MS(20)), 2);
	assert_null(redundancy_find(&r, 3, t + MS(40)));
	t += MS(100);
	redundancy_arrived(&r, 0);
	send(1, t);
	k = redundancy_find(&r, 2, t + MS(20));
	assert_non_null(k);
	redundancy_sent(&r, k, 2);
	assert_null(redundancy_find(&r, 3, t + MS(27)));
	assert_int_equal(redundancy_due_us(&r, t + MS(27)), t + MS(48));
	assert_null(redundancy_find(&r, 2, t + MS(40)));
	k = redundancy_find(&r, 3, t + MS(40));
	assert_non_null(k);
	redundancy_sent(&r, k, 3);
	assert_null(redundancy_find(&r, 4, t + MS(60)));
	assert_int_equal(r.copies, 3);
}

/* No next record: it goes alone. What arrived does not go at all. */
static void alone(void **state)
{
	int64_t t = MS(1000);
	uint64_t n = send(1, t);

	(void)state;
	assert_false(redundancy_is_due(&r, t + MS(20)));
	assert_int_equal(redundancy_due_us(&r, t), t + MS(28));
	assert_true(redundancy_is_due(&r, t + MS(28)));
	redundancy_arrived(&r, n);
	assert_int_equal(redundancy_due_us(&r, t + MS(28)), INT64_MAX);
	assert_null(redundancy_find(&r, 2, t + MS(28)));
}

/* All records that it went in are overdue: once more, on a fate that it did not have. Clean or not. */
static void hedges(void **state)
{
	int64_t t = MS(30000);
	uint64_t n;
	struct kept *k;

	(void)state;
	redundancy_media(&r, TRAFFIC_AUDIO, MS(20000));
	redundancy_update(&r, REDUNDANCY_ROOM, false, t);
	assert_false(redundancy_is_on(&r));
	n = send(1, t);
	assert_null(redundancy_find(&r, 2, t + MS(50)));
	redundancy_overdue(&r, n);
	redundancy_overdue(&r, n);	/* the record's leg failed as well: that is the same copy */
	assert_true(redundancy_is_due(&r, t + MS(80)));
	assert_null(redundancy_find(&r, 1, t + MS(80)));
	k = redundancy_find(&r, 2, t + MS(80));
	assert_non_null(k);
	redundancy_sent(&r, k, 2);
	assert_int_equal(r.hedges, 1);
	assert_null(redundancy_find(&r, 3, t + MS(80)));
	redundancy_overdue(&r, n);
	k = redundancy_find(&r, 3, t + MS(160));
	assert_non_null(k);
	redundancy_sent(&r, k, 3);
	redundancy_overdue(&r, n);
	assert_null(redundancy_find(&r, 4, t + MS(200)));	/* past its deadline */
}

/* Eight at once, and then a tenth of what is sent. */
static void budget(void **state)
{
	int64_t t = MS(30000);
	unsigned sent = 0;
	struct kept *k;

	(void)state;
	redundancy_media(&r, TRAFFIC_AUDIO, MS(25000));
	for (unsigned i = 0; i < 30; i++)
		redundancy_overdue(&r, send(1, t));
	while ((k = redundancy_find(&r, 2, t + MS(80)))) {
		redundancy_sent(&r, k, 2);
		sent++;
	}
	assert_int_equal(sent, 8);
	assert_int_equal(redundancy_due_us(&r, t + MS(80)), INT64_MAX);
	for (unsigned i = 0; i < 10; i++)
		send(1, t + MS(81));
	k = redundancy_find(&r, 2, t + MS(82));
	assert_non_null(k);
	redundancy_sent(&r, k, 2);
	assert_int_equal(r.hedges, 9);
}

/* A queue: nothing is sent twice, for that would lengthen it. */
static void guard(void **state)
{
	int64_t t = MS(1000);

	(void)state;
	make_lossy(t);
	redundancy_overdue(&r, send(1, t));
	send(1, t);
	redundancy_update(&r, REDUNDANCY_JAMMED, false, t + MS(30));
	assert_null(redundancy_find(&r, 2, t + MS(30)));
	assert_int_equal(redundancy_due_us(&r, t + MS(30)), INT64_MAX);
	redundancy_update(&r, REDUNDANCY_FULL, false, t + MS(30));	/* a hedge may go, no second copy */
	assert_non_null(redundancy_find(&r, 2, t + MS(30)));
	redundancy_sent(&r, redundancy_find(&r, 2, t + MS(30)), 2);
	assert_null(redundancy_find(&r, 2, t + MS(30)));
	redundancy_update(&r, REDUNDANCY_ROOM, false, t + MS(30));
	assert_non_null(redundancy_find(&r, 2, t + MS(30)));
}

/* So many that copies of them all would cost more than losses: none, until there are fewer again. */
static void crowd(void **state)
{
	struct packet *p = audio(0);
	int64_t t = MS(1000);

	(void)state;
	make_lossy(t);
	for (; t < MS(2000); t += 100)		/* five hundred calls both ways */
		redundancy_media(&r, TRAFFIC_AUDIO, t);
	assert_true(redundancy_is_on(&r));	/* they are few enough */
	send(1, t);
	for (; t < MS(3000); t += 25)
		redundancy_media(&r, TRAFFIC_AUDIO, t);
	assert_false(redundancy_is_on(&r));
	assert_false(redundancy_wants(&r, p, REDUNDANCY_ALWAYS));
	assert_null(redundancy_find(&r, 2, t));
	assert_string_equal(redundancy_why(&r), "too many calls at once");
	for (; t < MS(4000); t += 100)
		redundancy_media(&r, TRAFFIC_AUDIO, t);
	assert_true(redundancy_is_on(&r));
	send(1, t);
	assert_non_null(redundancy_find(&r, 2, t + MS(10)));
	for (; t < MS(4500); t += 25)
		redundancy_media(&r, TRAFFIC_AUDIO, t);
	redundancy_media(&r, TRAFFIC_AUDIO, t + MS(500));	/* the crowd was gone */
	assert_true(redundancy_is_on(&r));
	packet_put(p);
}

/* By configuration: always, without any loss; never, with it. Bulk and video are not kept, but for the last packet of a frame. */
static void policy(void **state)
{
	int64_t t = MS(30000);
	struct packet *p = audio(t);

	(void)state;
	assert_false(redundancy_wants(&r, p, REDUNDANCY_NEVER));
	assert_false(redundancy_has_use(&r, t));	/* carriers for it are not wanted either */
	redundancy_keep(&r, p, 2, REDUNDANCY_ALWAYS, 1, t);
	assert_true(redundancy_has_use(&r, t + MS(10000)));
	assert_false(redundancy_has_use(&r, t + MS(10001)));
	assert_true(redundancy_is_on(&r));
	assert_non_null(redundancy_find(&r, 2, t + MS(20)));
	p = audio(t);
	p->mark = (struct traffic_mark){ .class = TRAFFIC_VIDEO, .framed = true };
	assert_false(redundancy_wants(&r, p, REDUNDANCY_AUTO));
	p->mark.last = true;
	assert_true(redundancy_wants(&r, p, REDUNDANCY_AUTO));
	redundancy_update(&r, REDUNDANCY_ROOM, true, t);
	redundancy_update(&r, REDUNDANCY_ROOM, false, t + MS(999));
	assert_false(redundancy_wants(&r, p, REDUNDANCY_AUTO));	/* others wait, or did a moment ago */
	redundancy_update(&r, REDUNDANCY_ROOM, false, t + MS(1000));
	assert_true(redundancy_wants(&r, p, REDUNDANCY_AUTO));
	p->mark.class = TRAFFIC_BULK;
	p->mark.framed = false;
	assert_false(redundancy_wants(&r, p, REDUNDANCY_AUTO));
	packet_put(p);
}

/* What is kept is bounded by number and by time, and goes with its channel. */
static void bounds(void **state)
{
	int64_t t = MS(1000);
	struct packet *p;

	(void)state;
	for (unsigned i = 0; i < REDUNDANCY_KEPT; i++)
		send(1, t);
	p = audio(t);
	p->len = PACKET_SMALL + 1;
	assert_false(redundancy_wants(&r, p, REDUNDANCY_ALWAYS));
	packet_put(p);
	redundancy_find(&r, 2, t + MS(201));
	assert_false(redundancy_holds(&r));
	send(1, t + MS(300));
	redundancy_forget(&r, 4);
	assert_non_null(redundancy_find(&r, 2, t + MS(320)));
	redundancy_forget(&r, 2);
	assert_null(redundancy_find(&r, 2, t + MS(320)));
}

/* One that nobody can send again, of a channel with a long deadline, holds up none of those that follow. */
static void newer_ones_matter(void **state)
{
	int64_t t = MS(1000);
	uint64_t n = send(1, t), last = n;
	struct kept *k;

	(void)state;
	make_lossy(t);
	r.ring[n % REDUNDANCY_KEPT].packet->deadline_us = t + MS(60000);
	redundancy_sent(&r, &r.ring[n % REDUNDANCY_KEPT], 2);
	for (unsigned i = 1; i <= 3 * REDUNDANCY_KEPT; i++) {
		last = send(1, t + MS(20) * i);
		redundancy_arrived(&r, last);
	}
	t += MS(20) * 3 * REDUNDANCY_KEPT;
	last = send(1, t + MS(20));
	k = redundancy_find(&r, 2, t + MS(40));
	assert_non_null(k);
	assert_int_equal(redundancy_number(&r, k), last);
	redundancy_overdue(&r, n);	/* that one is gone */
	assert_int_equal(r.overdue, 0);
}

/* A channel that wants copies always is asked for no longer than it sends. */
static void pressed_no_longer(void **state)
{
	int64_t t = MS(30000);

	(void)state;
	redundancy_keep(&r, audio(t), 2, REDUNDANCY_ALWAYS, 1, t);
	for (unsigned i = 0; i < 490; i++)
		redundancy_arrived(&r, send(1, t += MS(20)));
	assert_false(r.state == REDUNDANCY_BEGINNING);
	assert_true(redundancy_is_on(&r));
	for (unsigned i = 0; i < 50; i++)
		redundancy_arrived(&r, send(1, t += MS(20)));
	assert_false(redundancy_is_on(&r));
	assert_string_equal(redundancy_why(&r), "the path is clean");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(beginning, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keepalives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(evidence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(riding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(riding_far, set_up, tear_down),
		cmocka_unit_test_setup_teardown(alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hedges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(budget, set_up, tear_down),
		cmocka_unit_test_setup_teardown(guard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(crowd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(policy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(newer_ones_matter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pressed_no_longer, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("redundancy", tests, NULL, NULL);
}
