/* links: tunnel/control.c tunnel/loop.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/log.c framing/error.c tests/lib/turns.c */
/* libs: -lev -lpthread */
/* The control socket: its mode, words, caps and time-outs, what is in its place, and the side that asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

#include "tests/lib/turns.h"
#include "tunnel/control.h"

#define LARGE 1000000

static struct loop *loop;
static char dir[] = "/tmp/test_control.XXXXXX", path[64], error[512];
static const struct control_place at = { path, "testd", "control" };
static struct control *control;

/* Says how many words there were and the last one; "large" is answered at length. */
static void on_line(void *ctx, FILE *out, size_t n, char *const *words)
{
	assert_ptr_equal(ctx, &control);
	assert_null(words[n]);
	fprintf(out, "%zu %s\n", n, n ? words[n - 1] : "");
	for (int i = 0; n && !strcmp(words[0], "large") && i < LARGE; i++)
		fputc('x', out);
}

static void turns_for(int64_t us)
{
	turns_run(loop, us);
}

static bool turns_until(bool (*is_so)(void *), void *arg, int64_t us)
{
	for (int64_t t = 0; t < us; t += 5 * LOOP_MS) {
		if (is_so(arg))
			return true;
		turns_for(5 * LOOP_MS);
	}
	return false;
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_control.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/socket", dir);
	loop = loop_new();
	control = control_new(loop, &at, on_line, &control, error, sizeof error);
	return control ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	control_free(control);
	loop_free(loop);
	unlink(path);
	return rmdir(dir);
}

static int connected(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(sa.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

static void say(int fd, const char *line)
{
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
}

static bool closed(void *fd)
{
	char c;

	return recv(*(int *)fd, &c, 1, MSG_PEEK) == 0;
}

/* What comes until the end, which must come. */
static void hears(int fd, const char *what)
{
	static char text[256];
	size_t n = 0;
	ssize_t got;

	for (unsigned i = 0; i < 1000 && n < sizeof text - 1; i++) {
		got = recv(fd, text + n, sizeof text - 1 - n, 0);
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		turns_for(LOOP_MS);
	}
	text[n] = 0;
	assert_string_equal(text, what);
	assert_true(closed(&fd));
	close(fd);
}

static void answers(const char *line, const char *what)
{
	int fd = connected();

	say(fd, line);
	hears(fd, what);
}

static void test_words(void **state)
{
	int fd;

	(void)state;
	answers("status\n", "1 status\n");
	answers("  status \t json\r\n", "2 json\n");
	answers("\n", "0 \n");
	answers("1 2 3 4 5 6 7 8 9\n", "8 8\n");
	/* In pieces. */
	fd = connected();
	say(fd, "sta");
	turns_for(5 * LOOP_MS);
	say(fd, "tus now\n");
	hears(fd, "2 now\n");
}

static void test_no_line(void **state)
{
	char line[CONTROL_LINE + 1] = { 0 };
	int fd = connected();

	(void)state;
	close(fd);
	turns_for(5 * LOOP_MS);
	fd = connected();
	memset(line, 'x', CONTROL_LINE);
	say(fd, line);
	assert_true(turns_until(closed, &fd, LOOP_SECOND));
	close(fd);
}

static void test_private(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	control_free(control);
	control = NULL;
	assert_int_equal(stat(path, &st), -1);
}

static void test_cap(void **state)
{
	int fd[CONTROL_CLIENTS], more;

	(void)state;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		fd[i] = connected();
		turns_for(2 * LOOP_MS);
	}
	more = connected();
	assert_true(turns_until(closed, &more, LOOP_SECOND));
	close(more);
	/* One leaves: there is room again. */
	close(fd[0]);
	turns_for(5 * LOOP_MS);
	answers("again\n", "1 again\n");
	for (unsigned i = 1; i < CONTROL_CLIENTS; i++)
		close(fd[i]);
}

static void test_timeout(void **state)
{
	int fd = connected();

	(void)state;
	say(fd, "stat");
	turns_for(4500 * LOOP_MS);
	assert_false(closed(&fd));
	assert_true(turns_until(closed, &fd, LOOP_SECOND));
	close(fd);
}

static void test_taken(void **state)
{
	struct control *second = control_new(loop, &at, on_line, NULL, error, sizeof error);

	(void)state;
	assert_null(second);
	assert_non_null(strstr(error, "another testd uses it"));
	answers("still\n", "1 still\n");
}

static void test_stale(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	control_free(control);
	strcpy(sa.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	close(fd); /* nobody answers there any more */
	control = control_new(loop, &at, on_line, &control, error, sizeof error);
	assert_non_null(control);
	answers("new\n", "1 new\n");
	/* A successor's socket is not removed. */
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	control_free(control);
	control = NULL;
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
}

static void test_file_stays(void **state)
{
	int fd;

	(void)state;
	control_free(control);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	control = control_new(loop, &at, on_line, NULL, error, sizeof error);
	assert_null(control);
	assert_non_null(strstr(error, "there is a file of that name"));
	assert_int_equal(access(path, F_OK), 0);
}

static void test_bad_paths(void **state)
{
	struct control_place bad = at;
	char lengthy[300];

	(void)state;
	memset(lengthy, 'x', sizeof lengthy - 1);
	lengthy[0] = '/';
	lengthy[sizeof lengthy - 1] = 0;
	bad.path = lengthy;
	assert_null(control_new(loop, &bad, on_line, NULL, error, sizeof error));
	assert_non_null(strstr(error, "the control socket must be an absolute path shorter than 108 bytes"));
	bad.path = "relative";
	assert_null(control_new(loop, &bad, on_line, NULL, error, sizeof error));
	assert_non_null(strstr(error, "absolute"));
	bad.path = "/nowhere/at/all";
	assert_null(control_new(loop, &bad, on_line, NULL, error, sizeof error));
	assert_non_null(strstr(error, "No such file"));
}

/* ---- asking, which blocks: in a thread of its own ---- */

struct asker {
	int (*fn)(void);
	int result;		/* -1: still at it */
};

static void *asker_run(void *arg)
{
	struct asker *a = arg;

	__atomic_store_n(&a->result, a->fn(), __ATOMIC_RELEASE);
	return NULL;
}

static bool asker_is_done(void *arg)
{
	return __atomic_load_n(&((struct asker *)arg)->result, __ATOMIC_ACQUIRE) >= 0;
}

/* What fn returns, while the loop turns. */
static int meanwhile(int (*fn)(void))
{
	struct asker a = { fn, -1 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, asker_run, &a), 0);
	assert_true(turns_until(asker_is_done, &a, 20 * LOOP_SECOND));
	pthread_join(thread, NULL);
	return a.result;
}

static int ask(const char *line, char **answer)
{
	size_t len;
	FILE *out = open_memstream(answer, &len);
	bool good = control_ask(&at, line, out, error, sizeof error);

	fclose(out);
	return good;
}

/* 0 when the answer begins like that and is so long. */
static int asks(const char *line, const char *start, size_t len)
{
	char *answer;
	bool good = ask(line, &answer) && strlen(answer) == len && strncmp(answer, start, strlen(start)) == 0;

	free(answer);
	return good ? 0 : 1;
}

static int asks_at_length(void)
{
	return asks("large", "1 large\n", strlen("1 large\n") + LARGE);
}

static int asks_words(void)
{
	return asks("one two", "2 two\n", 6);
}

static int asks_in_vain(void)
{
	return asks("x", "", 0) && strstr(error, "answers nothing") ? 0 : 1;
}

static void test_ask(void **state)
{
	int fd[CONTROL_CLIENTS];

	(void)state;
	assert_int_equal(meanwhile(asks_words), 0);
	assert_int_equal(meanwhile(asks_at_length), 0);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		fd[i] = connected();
		turns_for(2 * LOOP_MS);
	}
	assert_int_equal(meanwhile(asks_in_vain), 0);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		close(fd[i]);
}

static void test_ask_nobody(void **state)
{
	char *answer;

	(void)state;
	control_free(control);
	control = NULL;
	assert_false(ask("x", &answer));
	free(answer);
	assert_non_null(strstr(error, "cannot ask testd at "));
	assert_non_null(strstr(error, "is it running, and with --control there?"));
}

static int64_t processor_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * LOOP_SECOND + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

/* With no descriptor left who asks waits, and nothing spins meanwhile. */
static void test_no_descriptors(void **state)
{
	struct rlimit before, none;
	int fd = connected();
	int64_t used;

	(void)state;
	say(fd, "one\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	used = processor_us();
	turns_for(500 * LOOP_MS);
	used = processor_us() - used;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(used < 150 * LOOP_MS);
	if (RUNNING_ON_VALGRIND)	/* it has descriptors beyond the limit, and closes what was accepted there */
		close(fd);
	else
		hears(fd, "1 one\n");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_words), TEST(test_no_line), TEST(test_private), TEST(test_cap),
		TEST(test_timeout), TEST(test_taken), TEST(test_stale), TEST(test_file_stays),
		TEST(test_bad_paths), TEST(test_ask), TEST(test_ask_nobody), TEST(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
