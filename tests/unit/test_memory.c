/* links: client/memory.c client/memory_file.c client/fingerprint.c tunnel/loop.c tunnel/log.c framing/error.c */
/* libs: -lev -ljansson -lcrypto */
/* The memory: what comes back after a restart, what is too old, files that are spoilt in every way, and that no file is ever in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/memory.h"
#include "tunnel/log.h"

#define NOW INT64_C(1790000000)		/* Unix time at the beginning */
#define DAY (24 * 3600)

const struct rung rungs[] = { { .name = "duplex" }, { .name = "push" }, { .name = "poll" }, { .name = NULL } };

const struct rung *rung_find(const char *name)
{
	for (const struct rung *r = rungs; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

/* ---- a folder for each test ---- */

static char dir[256], file[300], warning[1000];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/culvert-memory.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof file, "%s/paths.json", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

static void write_text(const char *text, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static char *read_text(size_t *n)
{
	static char text[300000];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		fail_msg("%s: %s", file, strerror(errno));
	got = read(fd, text, sizeof text - 1);
	close(fd);
	assert_true(got >= 0);
	text[got] = 0;
	*n = (size_t)got;
	return text;
}

static unsigned files_in_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* ---- a helper's life ---- */

struct life {
	struct loop *loop;
	struct memory *memory;
};

/* start_us: what the monotonic clock says, which is another one after each boot. */
static struct life begin(int64_t wall, int64_t start_us, const char *where)
{
	struct life l = { .loop = loop_new_virtual(start_us, wall) };

	l.memory = memory_open(l.loop, where, warning, sizeof warning);
	assert_non_null(l.memory);
	return l;
}

static void end(struct life *l)
{
	memory_free(l->memory);
	loop_free(l->loop);
}

static struct verdict some(const char *rung, int64_t when, unsigned limit)
{
	return (struct verdict){ .rung = rung ? rung_find(rung) : NULL, .when = when, .limit = limit };
}

static void put(struct life *l, const char *network, const char *rung, int64_t when)
{
	struct verdict v = some(rung, when, 0);

	memory_put(l->memory, network, "direct", "https://s/culvert", &v);
}

static const char *got(struct life *l, const char *network)
{
	struct verdict v;

	if (!memory_get(l->memory, network, "direct", "https://s/culvert", &v)) {
		assert_null(v.rung);
		return "-";
	}
	return v.rung ? v.rung->name : "none";
}

/* ---- tests ---- */

static void test_round_trip(void **state)
{
	struct life l = begin(NOW, 5000 * LOOP_SECOND, file);
	struct verdict v = some("push", NOW, 2), w;

	(void)state;
	assert_string_equal(warning, "");
	v.cuts = (struct cuts){ .seen = { 10 * LOOP_SECOND, 5 * LOOP_SECOND, 983040, 7 * LOOP_SECOND }, .survived = { 8 * LOOP_SECOND, 1, 700000, 0 },
				.learned_us = 4000 * LOOP_SECOND, .count = 3, .odd = { 1, 2, 3, 0 }, .wrong = 6, .raised = true };
	memory_put(l.memory, "net", "proxy:3128", "https://s/culvert", &v);
	v = some(NULL, NOW - 5, 4);
	memory_put(l.memory, "net", "direct", "https://s/culvert", &v);
	end(&l);

	/* An hour later and after a boot. */
	l = begin(NOW + 3600, 60 * LOOP_SECOND, file);
	assert_string_equal(warning, "");
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
	end(&l);
}

static void test_forget(void **state)
{
	struct life l = begin(NOW, 1, file);

	(void)state;
	put(&l, "a", "push", NOW);
	put(&l, "b", "poll", NOW);
	memory_forget(l.memory, "b", "direct", "https://s/culvert");
	memory_forget(l.memory, "never known", "direct", "https://s/culvert");
	assert_string_equal(got(&l, "b"), "-");
	end(&l);
	l = begin(NOW, 1, file);
	assert_string_equal(got(&l, "a"), "push");
	assert_string_equal(got(&l, "b"), "-");
	memory_forget(l.memory, "a", "direct", "https://s/culvert");
	end(&l);
	l = begin(NOW, 1, file);
	assert_string_equal(got(&l, "a"), "-");
	put(&l, "a", "duplex", NOW);
	end(&l);
	l = begin(NOW, 1, file);
	assert_string_equal(got(&l, "a"), "duplex");
	end(&l);
}

static void test_age(void **state)
{
	struct life l = begin(NOW, 1, file);
	size_t n;

	(void)state;
	put(&l, "old", "push", NOW - 13 * DAY);
	put(&l, "new", "poll", NOW);
	loop_advance(l.loop, 1 + 1 * DAY * LOOP_SECOND);
	assert_string_equal(got(&l, "old"), "push");
	loop_advance(l.loop, 1 + 1 * DAY * LOOP_SECOND + LOOP_SECOND);
	assert_string_equal(got(&l, "old"), "-");
	end(&l);
	l = begin(NOW + 13 * DAY, 1, file);
	assert_string_equal(got(&l, "old"), "-");
	assert_string_equal(got(&l, "new"), "poll");
	end(&l);
	/* A clock far behind. */
	l = begin(1000, 1, file);
	assert_string_equal(got(&l, "new"), "-");
	end(&l);
	/* Those too old leave the file at the next change. */
	l = begin(NOW + 30 * DAY, 1, file);
	put(&l, "x", "duplex", NOW + 30 * DAY);
	end(&l);
	assert_null(strstr(read_text(&n), "poll"));
	assert_non_null(strstr(read_text(&n), "duplex"));
}

static void test_cap(void **state)
{
	struct life l = begin(NOW, 1, file);
	char name[20];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "n%d", i);
		put(&l, name, "push", NOW - 100 + i);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof name, "n%d", i);
			assert_string_equal(got(&l, name), i < 100 - MEMORY_ENTRIES_MAX ? "-" : "push");
		}
		end(&l);
		l = begin(NOW, 1, file);
		assert_string_equal(warning, "");
	}
	end(&l);
}

/* What the file must not tell, and to whom. */
static void test_private(void **state)
{
	struct life l = begin(NOW, 1, file);
	struct verdict v = some("push", NOW, 0);
	struct stat st;
	char *text;
	size_t n;

	(void)state;
	umask(0);
	memory_put(l.memory, "0123abcd", "proxy.secret.example:3128", "https://calls.secret.example/culvert", &v);
	end(&l);
	umask(022);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	text = read_text(&n);
	assert_null(strstr(text, "secret"));
	assert_null(strstr(text, "3128"));
	assert_null(strstr(text, "0123abcd"));
	/* One that others could read is made private when it is written. */
	assert_int_equal(chmod(file, 0666), 0);
	l = begin(NOW, 1, file);
	put(&l, "b", "poll", NOW);
	end(&l);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(files_in_dir(), 1);
}

static int64_t written_at(void)
{
	struct stat st;

	return stat(file, &st) == 0 ? (int64_t)st.st_ino : 0;
}

/* Two seconds after the first change, seldom, and nothing where there is no news. */
static void test_delay(void **state)
{
	struct life l = begin(NOW, 1, file);
	int64_t first;
	size_t n;

	(void)state;
	put(&l, "a", "push", NOW);
	loop_advance(l.loop, 1900 * LOOP_MS);
	put(&l, "b", "push", NOW);
	assert_int_equal(written_at(), 0);
	loop_advance(l.loop, 2100 * LOOP_MS);
	put(&l, "c", "push", NOW);
	for (int i = 0; !written_at(); i++) { /* the thread */
		assert_true(i < 1000);
		usleep(10000);
	}
	first = written_at();
	loop_advance(l.loop, 20 * LOOP_SECOND);
	assert_int_equal(written_at(), first);
	assert_null(strstr(read_text(&n), "poll"));
	for (int i = 0; i < 1000; i++)
		put(&l, "a", i % 2 ? "push" : "poll", NOW + i);
	put(&l, "a", "poll", NOW);
	end(&l);	/* what is not written yet */
	assert_true(written_at() != first);
	assert_non_null(strstr(read_text(&n), "poll"));

	first = written_at();
	l = begin(NOW + 60, 1, file);
	put(&l, "a", "poll", NOW + 60);
	loop_advance(l.loop, 100 * LOOP_SECOND);
	end(&l);
	assert_int_equal(written_at(), first);
}

/* Helpers that share a file: each keeps what the others wrote, and what one forgot is gone. */
static void test_shared(void **state)
{
	struct life a = begin(NOW, 1, file), b;

	(void)state;
	put(&a, "both", "push", NOW);
	put(&a, "gone", "push", NOW);
	end(&a);
	a = begin(NOW, 1, file);
	b = begin(NOW, 1, file);
	put(&a, "a", "poll", NOW);
	memory_forget(a.memory, "gone", "direct", "https://s/culvert");
	put(&b, "b", "duplex", NOW);
	put(&b, "both", "poll", NOW + 1);
	end(&a);
	end(&b);
	a = begin(NOW, 1, file);
	assert_string_equal(got(&a, "a"), "poll");
	assert_string_equal(got(&a, "b"), "duplex");
	assert_string_equal(got(&a, "both"), "poll");
	assert_string_equal(got(&a, "gone"), "-");
	end(&a);
}

/* Each byte of a good file, changed and cut off: nothing crashes, and the next one is good. */
static void test_corruption(void **state)
{
	static const uint8_t values[] = { 0, ' ', '"', '-', '9', '}', 0x80, 0xff };
	struct life l = begin(NOW, 1, file);
	struct verdict v = some("push", NOW, 2);
	char good[4000], bad[4000];
	unsigned warned = 0;
	size_t n;

	(void)state;
	v.cuts = (struct cuts){ .seen = { 3 * LOOP_SECOND, 2 * LOOP_SECOND, 300000, 0 }, .survived = { 4, 5, 6, 0 }, .count = 7 };
	memory_put(l.memory, "a", "direct", "https://s/culvert", &v);
	end(&l);
	memcpy(good, read_text(&n), n = strlen(read_text(&n)));
	assert_true(n > 300 && n < sizeof good);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k <= sizeof values; k++) {
			size_t length = k == sizeof values ? i : n;

			memcpy(bad, good, n);
			if (k < sizeof values)
				bad[i] = (char)values[k];
			write_text(bad, length);
			l = begin(NOW, 1, file);
			warned += warning[0] != 0;
			if (strcmp(got(&l, "a"), "-") != 0 && memory_get(l.memory, "a", "direct", "https://s/culvert", &v)) {
				assert_true(v.limit <= POOL_LIMIT_MAX);
				assert_true(v.cuts.seen.age_us >= 0 && v.cuts.seen.idle_us >= 0);
			}
			end(&l);
		}
	}
	assert_true(warned > 2 * n);
	/* Spoilt or not: it is written anew. */
	write_text("{", 1);
	l = begin(NOW, 1, file);
	assert_non_null(strstr(warning, file));
	assert_non_null(strstr(warning, "not JSON"));
	put(&l, "a", "push", NOW);
	end(&l);
	l = begin(NOW, 1, file);
	assert_string_equal(warning, "");
	assert_string_equal(got(&l, "a"), "push");
	end(&l);
}

#define KEY "\"key\":\"0000000000000000000000000000000000000000000000000000000000000000\""

static void says(const char *text, const char *what)
{
	struct life l;

	write_text(text, strlen(text));
	l = begin(NOW, 1, file);
	if (!strstr(warning, what) || (!what[0] && warning[0]))
		fail_msg("'%s' says: %s", text, warning);
	end(&l);
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
	write_text(text, sizeof text);
	l = begin(NOW, 1, file);
	assert_non_null(strstr(warning, "larger than"));
	end(&l);
	write_text(text, 200000);
	l = begin(NOW, 1, file);
	assert_non_null(strstr(warning, "not JSON"));
	end(&l);
}

/* Things that are no such file are left alone, and nothing waits for them. */
static void test_hands_off(void **state)
{
	struct stat st;
	struct life l;

	(void)state;
	assert_int_equal(mkfifo(file, 0600), 0);
	l = begin(NOW, 1, file);
	assert_non_null(strstr(warning, "not a regular file"));
	put(&l, "a", "push", NOW);
	assert_string_equal(got(&l, "a"), "push");
	end(&l);
	assert_int_equal(stat(file, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));

	l = begin(NOW, 1, dir);
	assert_non_null(strstr(warning, "not a regular file"));
	put(&l, "a", "push", NOW);
	end(&l);

	/* It became something else meanwhile. */
	unlink(file);
	l = begin(NOW, 1, file);
	assert_int_equal(mkfifo(file, 0600), 0);
	put(&l, "a", "push", NOW);
	end(&l);
	assert_int_equal(stat(file, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(files_in_dir(), 1);
}

/* Where nothing can be written the helper goes on. */
static void test_unwritable(void **state)
{
	char where[400];
	struct life l;

	(void)state;
	snprintf(where, sizeof where, "%s/no/such/folder", dir);
	l = begin(NOW, 1, where);
	put(&l, "a", "push", NOW);
	loop_advance(l.loop, 100 * LOOP_SECOND);
	put(&l, "b", "push", NOW);
	assert_string_equal(got(&l, "a"), "push");
	end(&l);
	assert_int_equal(files_in_dir(), 0);
	l = begin(NOW, 1, "/proc/self/nowhere");
	put(&l, "a", "push", NOW);
	end(&l);
	memset(where, 'x', sizeof where - 1);
	where[sizeof where - 1] = 0;
	l = begin(NOW, 1, where); /* a name too long for a file */
	assert_true(warning[0]);
	put(&l, "a", "push", NOW);
	end(&l);
}

static void test_none(void **state)
{
	struct life l = begin(NOW, 1, "none");

	(void)state;
	assert_string_equal(warning, "");
	put(&l, "a", "push", NOW);
	memory_forget(l.memory, "b", "direct", "https://s/culvert");
	assert_string_equal(got(&l, "a"), "push");
	loop_advance(l.loop, 100 * LOOP_SECOND);
	end(&l);
	assert_int_not_equal(access("none", F_OK), 0);
}

static void exists(const char *name, unsigned mode)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (stat(path, &st) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(st.st_mode & 07777, mode);
}

static void put_usual(void)
{
	struct life l = begin(NOW, 1, NULL);

	assert_string_equal(warning, "");
	put(&l, "a", "push", NOW);
	end(&l);
}

static void test_usual_place(void **state)
{
	struct life l;
	char text[600];

	(void)state;
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", dir, 1);
	put_usual();
	exists(".local/state/culvert/paths.json", 0600);
	exists(".local/state/culvert", 0700);
	snprintf(text, sizeof text, "%s/xdg", dir);
	setenv("XDG_STATE_HOME", text, 1);
	put_usual();
	exists("xdg/culvert/paths.json", 0600);
	snprintf(text, sizeof text, "%s/unit:/nowhere", dir);
	setenv("STATE_DIRECTORY", text, 1);
	put_usual();
	exists("unit/paths.json", 0600);
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	l = begin(NOW, 1, NULL);
	assert_non_null(strstr(warning, "--state"));
	put(&l, "a", "push", NOW);
	end(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_forget), TEST(test_age), TEST(test_cap), TEST(test_private), TEST(test_delay),
		TEST(test_shared), TEST(test_corruption), TEST(test_nonsense), TEST(test_large), TEST(test_hands_off),
		TEST(test_unwritable), TEST(test_none), TEST(test_usual_place),
	};

	log_setup(LOG_LEVEL_WARN, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
