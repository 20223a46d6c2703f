/* links: tests/lib/lives.c client/memory.c client/memory_file.c client/fingerprint.c tunnel/loop.c tunnel/log.c framing/error.c */
/* libs: -lev -ljansson -lcrypto */
/* The memory: what comes back after a restart, what is too old, who else writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/lives.h"
#include "tunnel/log.h"

#define NOW INT64_C(1790000000)		/* Unix time at the beginning */
#define DAY (24 * 3600)

static void test_round_trip(void **state)
{
	struct life l = life_begin(NOW, 5000 * LOOP_SECOND, lives_file);
	struct verdict v = life_verdict("push", NOW, 2), w;

	(void)state;
	assert_string_equal(lives_warning, "");
	v.cuts = (struct cuts){ .seen = { 10 * LOOP_SECOND, 5 * LOOP_SECOND, 983040, 7 * LOOP_SECOND }, .survived = { 8 * LOOP_SECOND, 1, 700000, 0 },
				.learned_us = 4000 * LOOP_SECOND, .count = 3, .odd = { 1, 2, 3, 0 }, .wrong = 6, .raised = true };
	memory_put(l.memory, "net", "proxy:3128", "https://s/culvert", &v);
	v = life_verdict(NULL, NOW - 5, 4);
	memory_put(l.memory, "net", "direct", "https://s/culvert", &v);
	life_end(&l);

	/* An hour later and after a boot. */
	l = life_begin(NOW + 3600, 60 * LOOP_SECOND, lives_file);
	assert_string_equal(lives_warning, "");
	assert_true(memory_get(l.memory, "net", "proxy:3128", "https://s/culvert", &w));
	assert_string_equal(w.rung->name, "push");
	assert_int_equal(w.when, NOW);
	assert_int_equal(w.limit, 2);
	assert_int_equal(w.cuts.seen.age_us, 10 * LOOP_SECOND);
	assert_int_equal(w.cuts.seen.idle_us, 5 * LOOP_SECOND);
	assert_int_equal(w.cuts.seen.bytes, 983040);
	assert_int_equal(w.cuts.seen.answer_us, 7 * LOOP_SECOND);
	assert_int_equal(w.cuts.survived.age_us, 8 * LOOP_SECOND);
	assert_int_equal(w.cuts.survived.idle_us, 1);
	assert_int_equal(w.cuts.survived.bytes, 700000);
	assert_int_equal(w.cuts.count, 3);
	assert_int_equal(w.cuts.wrong, 6);
	assert_int_equal(w.cuts.odd.age_us, 0);
	assert_int_equal(loop_now(l.loop) - w.cuts.learned_us, (1000 + 3600) * LOOP_SECOND);
	/* Only limit and cuts were learned there. */
	assert_true(memory_get(l.memory, "net", "direct", "https://s/culvert", &w));
	assert_null(w.rung);
	assert_int_equal(w.limit, 4);
	assert_int_equal(w.cuts.learned_us, 0);
	/* Each part of the key counts. */
	assert_false(memory_get(l.memory, "net2", "direct", "https://s/culvert", &w));
	assert_false(memory_get(l.memory, "net", "direc", "https://s/culvert", &w));
	assert_false(memory_get(l.memory, "net", "direct", "https://s/culver", &w));
	assert_false(memory_get(l.memory, "net\ndirect", "https://s/culvert", "", &w));
	life_end(&l);
}

static struct verdict_issuer signer(const char *name, bool is_public, char key, int64_t when)
{
	struct verdict_issuer is = { .when = when, .since = when - 7, .is_public = is_public };

	snprintf(is.name, sizeof is.name, "%s", name);
	memset(is.leaf, key, FINGERPRINT - 1);
	memset(is.anchor, key, FINGERPRINT - 1);
	return is;
}

static void put_signed(const struct life *l, const char *network, const char *server, struct verdict_issuer is)
{
	struct verdict v = life_verdict("push", NOW, 0);

	v.issuer = is;
	memory_put(l->memory, network, "direct", server, &v);
}

/* Who signed a server's certificate: of that server alone, from all networks, public ones first, then the newest. */
static void test_issuers(void **state)
{
	struct life l = life_begin(NOW, 1, lives_file);
	struct verdict_issuer is;

	(void)state;
	life_put(&l, "home", "push", NOW);
	assert_false(memory_issuer(l.memory, "https://s/culvert", &is));
	assert_int_equal(is.when, 0);
	put_signed(&l, "home", "https://s/culvert", signer("R11", true, 'a', NOW - 100));
	put_signed(&l, "office", "https://s/culvert", signer("", false, 'b', NOW - 50));
	put_signed(&l, "cafe", "https://s/culvert", signer("", false, 'c', NOW - 40));
	put_signed(&l, "cafe", "https://t/culvert", signer("E6", true, 'd', NOW));
	life_end(&l);
	assert_null(strstr(lives_read(&(size_t){ 0 }), "s/culvert"));
	l = life_begin(NOW + 3600, 1, lives_file);
	assert_string_equal(lives_warning, "");
	assert_true(memory_issuer(l.memory, "https://s/culvert", &is));
	assert_string_equal(is.name, "R11");
	assert_true(is.is_public);
	assert_int_equal(is.when, NOW - 100);
	assert_int_equal(is.leaf[0], 'a');
	assert_int_equal(is.anchor[63], 'a');
	memory_forget(l.memory, "home", "direct", "https://s/culvert");
	assert_true(memory_issuer(l.memory, "https://s/culvert", &is));
	assert_int_equal(is.leaf[0], 'b');	/* seen first */
	assert_int_equal(is.since, NOW - 57);
	assert_true(memory_issuer(l.memory, "https://t/culvert", &is));
	assert_string_equal(is.name, "E6");
	assert_false(memory_issuer(l.memory, "https://u/culvert", &is));
	life_end(&l);
	/* Too long ago, though the entry itself is in use. */
	l = life_begin(NOW + 15 * DAY, 1, lives_file);
	put_signed(&l, "cafe", "https://t/culvert", signer("E6", true, 'd', NOW));
	assert_false(memory_issuer(l.memory, "https://t/culvert", &is));
	life_end(&l);
}

static void test_forget(void **state)
{
	struct life l = life_begin(NOW, 1, lives_file);

	(void)state;
	life_put(&l, "a", "push", NOW);
	life_put(&l, "b", "poll", NOW);
	memory_forget(l.memory, "b", "direct", "https://s/culvert");
	memory_forget(l.memory, "never known", "direct", "https://s/culvert");
	assert_string_equal(life_got(&l, "b"), "-");
	life_end(&l);
	l = life_begin(NOW, 1, lives_file);
	assert_string_equal(life_got(&l, "a"), "push");
	assert_string_equal(life_got(&l, "b"), "-");
	memory_forget(l.memory, "a", "direct", "https://s/culvert");
	life_end(&l);
	l = life_begin(NOW, 1, lives_file);
	assert_string_equal(life_got(&l, "a"), "-");
	life_put(&l, "a", "duplex", NOW);
	life_end(&l);
	l = life_begin(NOW, 1, lives_file);
	assert_string_equal(life_got(&l, "a"), "duplex");
	life_end(&l);
}

static void test_age(void **state)
{
	struct life l = life_begin(NOW, 1, lives_file);
	size_t n;

	(void)state;
	life_put(&l, "old", "push", NOW - 13 * DAY);
	life_put(&l, "new", "poll", NOW);
	loop_advance(l.loop, 1 + 1 * DAY * LOOP_SECOND);
	assert_string_equal(life_got(&l, "old"), "push");
	loop_advance(l.loop, 1 + 1 * DAY * LOOP_SECOND + LOOP_SECOND);
	assert_string_equal(life_got(&l, "old"), "-");
	life_end(&l);
	l = life_begin(NOW + 13 * DAY, 1, lives_file);
	assert_string_equal(life_got(&l, "old"), "-");
	assert_string_equal(life_got(&l, "new"), "poll");
	life_end(&l);
	/* A clock far behind. */
	l = life_begin(1000, 1, lives_file);
	assert_string_equal(life_got(&l, "new"), "-");
	life_end(&l);
	/* Those too old leave the file at the next change. */
	l = life_begin(NOW + 30 * DAY, 1, lives_file);
	life_put(&l, "x", "duplex", NOW + 30 * DAY);
	life_end(&l);
	assert_null(strstr(lives_read(&n), "poll"));
	assert_non_null(strstr(lives_read(&n), "duplex"));
}

static void test_cap(void **state)
{
	struct life l = life_begin(NOW, 1, lives_file);
	char name[20];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "n%d", i);
		life_put(&l, name, "push", NOW - 100 + i);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof name, "n%d", i);
			assert_string_equal(life_got(&l, name), i < 100 - MEMORY_ENTRIES_MAX ? "-" : "push");
		}
		life_end(&l);
		l = life_begin(NOW, 1, lives_file);
		assert_string_equal(lives_warning, "");
	}
	life_end(&l);
}

/* What the file must not tell, and to whom. */
static void test_private(void **state)
{
	struct life l = life_begin(NOW, 1, lives_file);
	struct verdict v = life_verdict("push", NOW, 0);
	struct stat st;
	char *text;
	size_t n;

	(void)state;
	umask(0);
	memory_put(l.memory, "0123abcd", "proxy.secret.example:3128", "https://calls.secret.example/culvert", &v);
	life_end(&l);
	umask(022);
	assert_int_equal(stat(lives_file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	text = lives_read(&n);
	assert_null(strstr(text, "secret"));
	assert_null(strstr(text, "3128"));
	assert_null(strstr(text, "0123abcd"));
	/* One that others could read is made private when it is written. */
	assert_int_equal(chmod(lives_file, 0666), 0);
	l = life_begin(NOW, 1, lives_file);
	life_put(&l, "b", "poll", NOW);
	life_end(&l);
	assert_int_equal(stat(lives_file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(lives_files(), 1);
}

static int64_t written_at(void)
{
	struct stat st;

	return stat(lives_file, &st) == 0 ? (int64_t)st.st_ino : 0;
}

/* Two seconds after the first change, seldom, and nothing where there is no news. */
static void test_delay(void **state)
{
	struct life l = life_begin(NOW, 1, lives_file);
	int64_t first;
	size_t n;

	(void)state;
	life_put(&l, "a", "push", NOW);
	loop_advance(l.loop, 1900 * LOOP_MS);
	life_put(&l, "b", "push", NOW);
	assert_int_equal(written_at(), 0);
	loop_advance(l.loop, 2100 * LOOP_MS);
	life_put(&l, "c", "push", NOW);
	for (int i = 0; !written_at(); i++) { /* the thread */
		assert_true(i < 1000);
		usleep(10000);
	}
	first = written_at();
	loop_advance(l.loop, 20 * LOOP_SECOND);
	assert_int_equal(written_at(), first);
	assert_null(strstr(lives_read(&n), "poll"));
	for (int i = 0; i < 1000; i++)
		life_put(&l, "a", i % 2 ? "push" : "poll", NOW + i);
	life_put(&l, "a", "poll", NOW);
	life_end(&l);	/* what is not written yet */
	assert_true(written_at() != first);
	assert_non_null(strstr(lives_read(&n), "poll"));

	first = written_at();
	l = life_begin(NOW + 60, 1, lives_file);
	life_put(&l, "a", "poll", NOW + 60);
	loop_advance(l.loop, 100 * LOOP_SECOND);
	life_end(&l);
	assert_int_equal(written_at(), first);
}

/* Helpers that share a file: each keeps what the others wrote, and what one forgot is gone. */
static void test_shared(void **state)
{
	struct life a = life_begin(NOW, 1, lives_file), b;

	(void)state;
	life_put(&a, "both", "push", NOW);
	life_put(&a, "gone", "push", NOW);
	life_end(&a);
	a = life_begin(NOW, 1, lives_file);
	b = life_begin(NOW, 1, lives_file);
	life_put(&a, "a", "poll", NOW);
	memory_forget(a.memory, "gone", "direct", "https://s/culvert");
	life_put(&b, "b", "duplex", NOW);
	life_put(&b, "both", "poll", NOW + 1);
	life_end(&a);
	life_end(&b);
	a = life_begin(NOW, 1, lives_file);
	assert_string_equal(life_got(&a, "a"), "poll");
	assert_string_equal(life_got(&a, "b"), "duplex");
	assert_string_equal(life_got(&a, "both"), "poll");
	assert_string_equal(life_got(&a, "gone"), "-");
	life_end(&a);
}

/* Each byte of a good file, changed and cut off: nothing crashes, and the next one is good. */

#define TEST(f) cmocka_unit_test_setup_teardown(f, lives_set_up, lives_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_issuers), TEST(test_forget), TEST(test_age), TEST(test_cap), TEST(test_private), TEST(test_delay),
		TEST(test_shared),
	};

	log_setup(LOG_LEVEL_WARN, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
