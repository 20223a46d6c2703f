/* links: tests/lib/lives.c client/memory.c client/memory_file.c client/fingerprint.c tunnel/loop.c tunnel/log.c framing/error.c */
/* libs: -lev -ljansson -lcrypto */
/* The file of the memory: spoilt in every way, and never in the way. */
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

static void test_corruption(void **state)
{
	static const uint8_t values[] = { 0, ' ', '"', '-', '9', '}', 0x80, 0xff };
	struct life l = life_begin(NOW, 1, lives_file);
	struct verdict v = life_verdict("push", NOW, 2);
	char good[4000], bad[4000];
	unsigned warned = 0;
	size_t n;

	(void)state;
	v.cuts = (struct cuts){ .seen = { 3 * LOOP_SECOND, 2 * LOOP_SECOND, 300000, 0 }, .survived = { 4, 5, 6, 0 }, .count = 7 };
	v.issuer = (struct verdict_issuer){ .when = NOW, .since = NOW - 1, .is_public = true, .name = "R11" };
	memset(v.issuer.leaf, 'a', FINGERPRINT - 1);
	memset(v.issuer.anchor, 'b', FINGERPRINT - 1);
	memory_put(l.memory, "a", "direct", "https://s/culvert", &v);
	life_end(&l);
	memcpy(good, lives_read(&n), n = strlen(lives_read(&n)));
	assert_true(n > 300 && n < sizeof good);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k <= sizeof values; k++) {
			size_t length = k == sizeof values ? i : n;

			memcpy(bad, good, n);
			if (k < sizeof values)
				bad[i] = (char)values[k];
			lives_write(bad, length);
			l = life_begin(NOW, 1, lives_file);
			warned += lives_warning[0] != 0;
			if (strcmp(life_got(&l, "a"), "-") != 0 && memory_get(l.memory, "a", "direct", "https://s/culvert", &v)) {
				assert_true(v.limit <= POOL_LIMIT_MAX);
				assert_true(!v.issuer.when || strspn(v.issuer.leaf, "0123456789abcdef") == FINGERPRINT - 1);
				assert_true(v.cuts.seen.age_us >= 0 && v.cuts.seen.idle_us >= 0);
			}
			life_end(&l);
		}
	}
	assert_true(warned > 2 * n);
	/* Spoilt or not: it is written anew. */
	lives_write("{", 1);
	l = life_begin(NOW, 1, lives_file);
	assert_non_null(strstr(lives_warning, lives_file));
	assert_non_null(strstr(lives_warning, "not JSON"));
	life_put(&l, "a", "push", NOW);
	life_end(&l);
	l = life_begin(NOW, 1, lives_file);
	assert_string_equal(lives_warning, "");
	assert_string_equal(life_got(&l, "a"), "push");
	life_end(&l);
}

#define KEY "\"key\":\"0000000000000000000000000000000000000000000000000000000000000000\""

static void says(const char *text, const char *what)
{
	struct life l;

	lives_write(text, strlen(text));
	l = life_begin(NOW, 1, lives_file);
	if (!strstr(lives_warning, what) || (!what[0] && lives_warning[0]))
		fail_msg("'%s' says: %s", text, lives_warning);
	life_end(&l);
}

static void test_nonsense(void **state)
{
	(void)state;
	says("", "not JSON");
	says("[]", "not a file of this version");
	says("{}", "not a file of this version");
	says("{\"culvert-paths\":2,\"paths\":[]}", "not a file of this version");
	says("{\"culvert-paths\":1,\"paths\":{}}", "not a file of this version");
	says("{\"culvert-paths\":1,\"paths\":[]}", "");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"more\":1}]}", "");
	says("{\"culvert-paths\":1,\"paths\":[1,{" KEY ",\"when\":5},null]}", "2 of 3 entries");
	says("{\"culvert-paths\":1,\"paths\":[{\"key\":\"00\",\"when\":5}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY "}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":-5}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":\"5\"}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5.5}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"rung\":\"stairs\"}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"rung\":4}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"limit\":17}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":[]}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"seen\":{\"age_us\":-1}}}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"seen\":{\"bytes\":9e99}}}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"count\":4294967296}}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"seen\":{\"age_us\":1}}}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"seen\":{\"idle_us\":999999}}}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"seen\":{\"bytes\":1000}}}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"seen\":{\"answer_us\":1}}}]}", "1 of 1");
	says("{\"culvert-paths\":1,\"paths\":[{" KEY ",\"when\":5,\"cuts\":{\"wrong\":7}}]}", "1 of 1");
}

static void test_large(void **state)
{
	static char text[300000];
	struct life l;

	(void)state;
	memset(text, '[', sizeof text);
	lives_write(text, sizeof text);
	l = life_begin(NOW, 1, lives_file);
	assert_non_null(strstr(lives_warning, "larger than"));
	life_end(&l);
	lives_write(text, 200000);
	l = life_begin(NOW, 1, lives_file);
	assert_non_null(strstr(lives_warning, "not JSON"));
	life_end(&l);
}

/* Things that are no such file are left alone, and nothing waits for them. */
static void test_hands_off(void **state)
{
	struct stat st;
	struct life l;

	(void)state;
	assert_int_equal(mkfifo(lives_file, 0600), 0);
	l = life_begin(NOW, 1, lives_file);
	assert_non_null(strstr(lives_warning, "not a regular file"));
	life_put(&l, "a", "push", NOW);
	assert_string_equal(life_got(&l, "a"), "push");
	life_end(&l);
	assert_int_equal(stat(lives_file, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));

	l = life_begin(NOW, 1, lives_dir);
	assert_non_null(strstr(lives_warning, "not a regular file"));
	life_put(&l, "a", "push", NOW);
	life_end(&l);

	/* It became something else meanwhile. */
	unlink(lives_file);
	l = life_begin(NOW, 1, lives_file);
	assert_int_equal(mkfifo(lives_file, 0600), 0);
	life_put(&l, "a", "push", NOW);
	life_end(&l);
	assert_int_equal(stat(lives_file, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lives_files(), 1);
}

/* Where nothing can be written the helper goes on. */
static void test_unwritable(void **state)
{
	char where[400];
	struct life l;

	(void)state;
	snprintf(where, sizeof where, "%s/no/such/folder", lives_dir);
	l = life_begin(NOW, 1, where);
	life_put(&l, "a", "push", NOW);
	loop_advance(l.loop, 100 * LOOP_SECOND);
	life_put(&l, "b", "push", NOW);
	assert_string_equal(life_got(&l, "a"), "push");
	life_end(&l);
	assert_int_equal(lives_files(), 0);
	l = life_begin(NOW, 1, "/proc/self/nowhere");
	life_put(&l, "a", "push", NOW);
	life_end(&l);
	memset(where, 'x', sizeof where - 1);
	where[sizeof where - 1] = 0;
	l = life_begin(NOW, 1, where); /* a name too long for a file */
	assert_true(lives_warning[0]);
	life_put(&l, "a", "push", NOW);
	life_end(&l);
}

static void test_none(void **state)
{
	struct life l = life_begin(NOW, 1, "none");

	(void)state;
	assert_string_equal(lives_warning, "");
	life_put(&l, "a", "push", NOW);
	memory_forget(l.memory, "b", "direct", "https://s/culvert");
	assert_string_equal(life_got(&l, "a"), "push");
	loop_advance(l.loop, 100 * LOOP_SECOND);
	life_end(&l);
	assert_int_not_equal(access("none", F_OK), 0);
}

static void exists(const char *name, unsigned mode)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", lives_dir, name);
	if (stat(path, &st) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(st.st_mode & 07777, mode);
}

static void put_usual(void)
{
	struct life l = life_begin(NOW, 1, NULL);

	assert_string_equal(lives_warning, "");
	life_put(&l, "a", "push", NOW);
	life_end(&l);
}

static void test_usual_place(void **state)
{
	struct life l;
	char text[600];

	(void)state;
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", lives_dir, 1);
	put_usual();
	exists(".local/state/culvert/paths.json", 0600);
	exists(".local/state/culvert", 0700);
	snprintf(text, sizeof text, "%s/xdg", lives_dir);
	setenv("XDG_STATE_HOME", text, 1);
	put_usual();
	exists("xdg/culvert/paths.json", 0600);
	snprintf(text, sizeof text, "%s/unit:/nowhere", lives_dir);
	setenv("STATE_DIRECTORY", text, 1);
	put_usual();
	exists("unit/paths.json", 0600);
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	l = life_begin(NOW, 1, NULL);
	assert_non_null(strstr(lives_warning, "--state"));
	life_put(&l, "a", "push", NOW);
	life_end(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lives_set_up, lives_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_corruption), TEST(test_nonsense), TEST(test_large), TEST(test_hands_off), TEST(test_unwritable),
		TEST(test_none), TEST(test_usual_place),
	};

	log_setup(LOG_LEVEL_WARN, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
