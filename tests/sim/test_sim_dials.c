/* links: tunnel/pool*.c tunnel/http.c tunnel/h2*.c tunnel/cuts.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c tests/lib/peers.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/*
 * Simulations of dials that lose packets, and of proxies that let one too many wait, for a minute of eight connections
 * each of which is replaced now and then: loss is not taken for a limit, and a limit is found in spite of loss.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/peers.h"
#include "tests/lib/seeds.h"
#include "tunnel/log.h"
#include "tunnel/pool.h"

#define MS(n) ((n) * LOOP_MS)
#define WANTED 8
#define EVERY MS(20)		/* something comes on each connection */
#define RUN (60 * LOOP_SECOND)
#define SYN_AGAIN LOOP_SECOND	/* what is lost is sent again, and after twice that once more */
#define FLIGHT 3		/* packets of a server's part of a TLS handshake */

/* A way to the server; a proxy on it is reached after `trip_us`, the server after `behind_us` more. */
struct way {
	const char *name;
	double loss, loss_behind;
	double burst;		/* when one was lost, the next one is, too */
	int64_t trip_us, behind_us; /* round trips; behind_us 0: there is no proxy */
	unsigned max;		/* connections that the proxy serves at a time, 0: any number */
};

struct dial {
	struct dial *next;
	struct timer timer;
	bool reached, served;
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
};

static struct scene {
	const struct way *way;
	struct loop *loop;
	struct pool *pool;
	struct pool_user user;
	struct cuts cuts;
	struct dial *dials;	/* under way */
	uint64_t random;
	bool losing;
	unsigned asked, least;	/* exchanges under way; the lowest limit that there was */
	unsigned dialled, slow;	/* dials, those that took a second */
	int64_t limited_us;	/* the first limit that was learned; 0: none */
	int64_t limited, longest; /* for how long one has held, and did at most */
	int64_t until[PEERS_MAX]; /* of each peer's exchange */
} s;

static double chance(void)
{
	s.random = s.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(s.random >> 11) / (double)(UINT64_C(1) << 53);
}

static bool is_lost(double loss)
{
	s.losing = chance() < (s.losing ? s.way->burst : 0) + loss;
	return s.losing;
}

/* So many packets, of which each has to come. */
static int64_t deliver(unsigned packets, double loss, int64_t trip_us, int64_t again_us)
{
	int64_t slowest = 0;

	for (unsigned i = 0; i < packets; i++) {
		int64_t took = 0, again = again_us;

		for (unsigned k = 0; k < 6 && is_lost(loss); k++, again *= 2)
			took += again;
		slowest = took > slowest ? took : slowest;
	}
	return slowest + trip_us / 2;
}

static int64_t exchange_packets(unsigned back, double loss, int64_t trip_us, int64_t again_us)
{
	return deliver(1, loss, trip_us, again_us) + deliver(back, loss, trip_us, again_us);
}

/* ---- dials ---- */

static unsigned served(void)
{
	unsigned n = peers_open;

	for (const struct dial *d = s.dials; d; d = d->next)
		n += d->served;
	return n;
}

static void dial_end(struct dial *d)
{
	struct dial **at = &s.dials;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	timer_stop(&d->timer);
	loop_free_later(s.loop, d);
}

/* Connected; then what the proxy and TLS take, once it is our turn. */
static void dial_step(void *ctx)
{
	struct dial *d = ctx;
	const struct way *w = s.way;
	int64_t took = 0, rto = MS(200) + w->trip_us;

	if (!d->reached) {
		d->reached = true;
		timer_in(&d->timer, w->behind_us ? deliver(1, w->loss, w->trip_us, rto) : 1);
		return;
	}
	if (!d->served && w->max && served() >= w->max) {
		timer_in(&d->timer, MS(5));
		return;
	}
	if (!d->served) {
		d->served = true;
		if (w->behind_us)
			took += exchange_packets(1, w->loss_behind, w->behind_us, SYN_AGAIN) + deliver(1, w->loss, w->trip_us, rto);
		took += exchange_packets(FLIGHT, w->loss, w->trip_us, rto);
		if (w->behind_us)
			took += exchange_packets(FLIGHT, w->loss_behind, w->behind_us, MS(200) + w->behind_us);
		timer_in(&d->timer, took);
		return;
	}
	dial_end(d);
	d->done(d->pool_ctx, peers_connect(s.loop), 0, NULL);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions, void (*done)(void *, struct stream *, int, const char *), void *pool_ctx)
{
	struct dial *d = calloc(1, sizeof *d);
	int64_t took = exchange_packets(1, s.way->loss, s.way->trip_us, SYN_AGAIN);

	(void)ctx, (void)versions;
	assert_non_null(d);
	*d = (struct dial){ .next = s.dials, .done = done, .pool_ctx = pool_ctx };
	s.dials = d;
	timer_init(&d->timer, s.loop, dial_step, d);
	timer_in(&d->timer, took);
	s.dialled++;
	s.slow += took >= SYN_AGAIN;
	return d;
}

static void dial_cancel(struct dial *d)
{
	dial_end(d);
}

static bool dial_reached(const struct dial *d)
{
	return d->reached;
}

static const struct pool_dialler dialler = { dial_start, dial_cancel, NULL, dial_reached };

/* ---- the user ---- */

static void ask(void);

static int ignore_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int ignore_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void on_over(void *ctx, int error)
{
	(void)ctx, (void)error;
	s.asked--;
}

static void on_failed(void *ctx, int error, const char *why)
{
	(void)ctx, (void)error, (void)why;
}

static void on_available(void *ctx)
{
	(void)ctx;
	ask();
}

static const struct exchange_events events = { ignore_head, ignore_body, ignore, ignore, on_over };
static const struct pool_events pool_events = { on_available, on_failed };

static void ask(void)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };
	struct exchange *x;

	while (s.asked < WANTED && s.asked < pool_limit(s.pool) && (x = pool_exchange(&s.user, &events, NULL))) {
		s.asked++;
		exchange_send(x, &head, 0, true);
	}
}

/* Something of each answer, or its end. */
static void murmur(struct peer *p)
{
	static const struct exchange_head head = { .status = 200, .lines = "Connection: close\r\n", .streamed = true };
	int64_t *until = &s.until[p - peers];
	bool first = !*until;
	size_t cap;
	uint8_t *at;

	if (first)
		*until = loop_now(s.loop) + MS(2000) + (int64_t)(chance() * 18e6);
	at = exchange_room(p->x, 1, &cap);
	if (!at)
		return;
	*at = '.';
	exchange_send(p->x, first ? &head : NULL, 1, loop_now(s.loop) > *until);
}

static void run(int64_t us)
{
	for (int64_t end = loop_now(s.loop) + us; loop_now(s.loop) < end;) {
		for (unsigned i = 0; i < peers_made; i++)
			if (peers[i].x)
				murmur(&peers[i]);
		loop_advance(s.loop, loop_now(s.loop) + EVERY);
		ask();
		if (pool_limit(s.pool) < s.least)
			s.least = pool_limit(s.pool);
		s.limited = pool_limit_learned(s.pool) ? s.limited + EVERY : 0;
		if (s.limited > s.longest)
			s.longest = s.limited;
		if (s.limited && !s.limited_us)
			s.limited_us = loop_now(s.loop);
	}
}

static void begin(const struct way *w, uint64_t seed)
{
	memset(&s, 0, sizeof s);
	log_setup(LOG_LEVEL_ERROR, false);
	s.way = w;
	s.random = seed * 7919 + 1;
	for (unsigned i = 0; i < 5; i++)
		chance();
	s.loop = loop_new_virtual(1000, 0);
	s.least = POOL_LIMIT_DEFAULT;
	peers_forget();
	s.pool = pool_new(s.loop, &dialler, POOL_LIMIT_DEFAULT, &s.cuts);
	pool_join(s.pool, &s.user, false, &pool_events, NULL);
}

static void end(void)
{
	pool_leave(&s.user);
	pool_free(s.pool);
	loop_advance(s.loop, loop_now(s.loop) + MS(1));
	peers_close();
	loop_advance(s.loop, loop_now(s.loop) + MS(1));
	loop_free(s.loop);
}

/* ---- */

#define LOSS 0.03
static unsigned seeds;

/* Not at all where what we connect to is behind the loss; behind a proxy, where a lost packet looks as what is made to wait, hardly ever,
 * and for a moment: until the dial comes about. */
static void loss_is_no_limit(void **state)
{
	static const struct way ways[] = {
		{ "direct", .loss = LOSS, .trip_us = MS(50) },
		{ "direct, 10 ms", .loss = LOSS, .trip_us = MS(10) },
		{ "direct, 200 ms", .loss = LOSS, .trip_us = MS(200) },
		{ "direct, bursts", .loss = LOSS / 2, .burst = 0.5, .trip_us = MS(50) },
		{ "before a proxy", .loss = LOSS, .trip_us = MS(50), .behind_us = MS(5) },
		{ "behind a proxy", .loss_behind = LOSS, .trip_us = MS(5), .behind_us = MS(50) },
		{ "on both sides", .loss = LOSS, .loss_behind = LOSS, .trip_us = MS(50), .behind_us = MS(50) },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
		unsigned dialled = 0, slow = 0, limited = 0;
		int64_t longest = 0;

		for (unsigned seed = 1; seed <= seeds; seed++) {
			begin(&ways[i], seed);
			run(RUN);
			dialled += s.dialled;
			slow += s.slow;
			limited += s.limited_us != 0;
			longest = s.longest > longest ? s.longest : longest;
			end();
		}
		print_message("%-14s: %5u dials, %3u lost their first packet; limited in %u of %u runs, for %d ms\n", ways[i].name, dialled,
			      slow, limited, seeds, (int)(longest / LOOP_MS));
		assert_true(dialled > 30 * seeds);
		assert_true(longest <= MS(1500));
		assert_true(limited <= (ways[i].behind_us ? 1 + seeds / 100 : 0));
	}
}

static void a_limit_is_found_of(unsigned max, double loss, unsigned runs, int64_t bound)
{
	struct way w = { "", .loss = loss, .trip_us = MS(50), .behind_us = MS(5), .max = max };
	int64_t latest = 0, all = 0;
	unsigned below = 0;

	for (unsigned seed = 1; seed <= runs; seed++) {
		begin(&w, seed);
		run(RUN);
		assert_true(s.limited_us > 0);
		latest = s.limited_us > latest ? s.limited_us : latest;
		all += s.limited_us;
		below += s.least < max;
		end();
	}
	print_message("a proxy of %u, %g %%: found after %d ms, at the latest after %d; below in %u of %u runs\n", max, 100 * loss,
		      (int)(all / runs / LOOP_MS), (int)(latest / LOOP_MS), below, runs);
	assert_true(latest <= bound);
	assert_true(below <= 1 + runs / 20);
}

static void a_limit_is_found(void **state)
{
	(void)state;
	for (unsigned max = 2; max <= 6; max++) {
		a_limit_is_found_of(max, 0, 1 + seeds / 20, 2 * LOOP_SECOND);
		a_limit_is_found_of(max, LOSS, seeds / 4, 20 * LOOP_SECOND);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(loss_is_no_limit), cmocka_unit_test(a_limit_is_found) };

	seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : seeds_of(200);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
