/* links: tunnel/log.c tunnel/counters.c tunnel/daemon.c */
/* Log lines as they reach standard error, the limit of a call site, counters and daemon chores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/daemon.h"
#include "tunnel/log.h"

static char captured[65536];
static int saved, pipes[2];

static void capture_begin(int fd)
{
	assert_int_equal(pipe(pipes), 0);
	saved = dup(fd);
	dup2(pipes[1], fd);
	close(pipes[1]);
}

static const char *capture_end(int fd)
{
	size_t n = 0;
	ssize_t got;

	dup2(saved, fd);	/* closes the pipe's last writer */
	close(saved);
	while ((got = read(pipes[0], captured + n, sizeof captured - 1 - n)) > 0)
		n += (size_t)got;
	close(pipes[0]);
	captured[n] = '\0';
	return captured;
}

static unsigned lines_of(const char *s)
{
	unsigned n = 0;

	for (; (s = strchr(s, '\n')); s++)
		n++;
	return n;
}

static void test_levels(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	assert_int_equal(log_parse_level("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_parse_level("warn", &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_int_equal(log_parse_level("loud", &level), ERROR_CONFIG);
	log_setup(level, false);
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	assert_true(log_enabled(LOG_LEVEL_WARN));
	assert_false(log_enabled(LOG_LEVEL_INFO));
	capture_begin(STDERR_FILENO);
	log_info("area", "", "no");
	log_debug("area", "", "no");
	log_warn("area", "", "yes");
	assert_int_equal(lines_of(capture_end(STDERR_FILENO)), 1);
}

static void test_text(void **state)
{
	const char *s;

	(void)state;
	log_setup(LOG_LEVEL_INFO, false);
	capture_begin(STDERR_FILENO);
	log_info("session", "ab12", "number %d", 7);
	log_error("dial", "", "evil \n\x1b[31m \xff \xc3\xa4 \"q\"");
	s = capture_end(STDERR_FILENO);
	assert_int_equal(lines_of(s), 2);
	assert_int_equal(s[10], 'T');
	assert_int_equal(s[23], 'Z');
	assert_non_null(strstr(s, "Z info session ab12: number 7\n"));
	assert_non_null(strstr(s, "Z error dial: evil \\x0a\\x1b[31m \\xff \xc3\xa4 \"q\"\n"));
}

static void test_json(void **state)
{
	char big[3000];
	const char *s;

	(void)state;
	memset(big, '\1', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	log_setup(LOG_LEVEL_INFO, true);
	capture_begin(STDERR_FILENO);
	log_warn("session", "a\"b", "back\\slash\n\xff");
	log_warn("session", "", "%s", big);
	s = capture_end(STDERR_FILENO);
	assert_int_equal(lines_of(s), 2);
	assert_int_equal(strncmp(s, "{\"time\":\"20", 11), 0);
	assert_non_null(strstr(s, "\"level\":\"warn\",\"area\":\"session\",\"who\":\"a\\\"b\","
				  "\"message\":\"back\\\\slash\\u000a\\u00ff\"}\n"));
	assert_string_equal(s + strlen(s) - 9, "\\u0001\"}\n");
	assert_non_null(strstr(s, "\"area\":\"session\",\"message\":\"\\u0001"));
}

static void test_journal(void **state)
{
	struct stat st;
	char stream[64];
	const char *s;

	(void)state;
	capture_begin(STDERR_FILENO);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_setup(LOG_LEVEL_DEBUG, false);
	log_debug("loop", "", "hello");
	log_error("loop", "", "hello");
	s = capture_end(STDERR_FILENO);
	assert_string_equal(s, "<7>loop: hello\n<3>loop: hello\n");
	unsetenv("JOURNAL_STREAM");
	log_setup(LOG_LEVEL_INFO, false);
}

static void test_limit(void **state)
{
	struct log_limit limit = { 0 };
	const char *s;

	(void)state;
	log_setup(LOG_LEVEL_INFO, false);
	capture_begin(STDERR_FILENO);
	for (int i = 0; i < 35; i++)
		log_write(LOG_LEVEL_WARN, &limit, "front", "", "line %d", i);
	limit.since_us -= 10000001;	/* time passes */
	log_write(LOG_LEVEL_WARN, &limit, "front", "", "line");
	log_write(LOG_LEVEL_WARN, &limit, "front", "", "last");
	s = capture_end(STDERR_FILENO);
	assert_int_equal(lines_of(s), 12);
	assert_non_null(strstr(s, "line 9\n"));
	assert_non_null(strstr(s, "front: line (25 more like this were not shown)\n"));
	assert_non_null(strstr(s, "front: last\n"));
	capture_begin(STDERR_FILENO);
	for (int i = 0; i < 35; i++)
		log_limited(LOG_LEVEL_WARN, "front", "", "line %d", i);
	assert_int_equal(lines_of(capture_end(STDERR_FILENO)), 10);
}

static void test_counters(void **state)
{
	(void)state;
	assert_string_equal(counter_name(COUNTER_connections_opened), "connections_opened");
	assert_string_equal(counter_name(COUNTER_COUNT - 1), "stream_bytes_in");
	for (enum counter c = 0; c < COUNTER_COUNT; c++)
		assert_true(*counter_text(c) != '\0');
	count(exchanges);
	count_add(exchanges, 4);
	assert_int_equal(counted(exchanges), 5);
	assert_int_equal(counted(exchanges_failed), 0);
}

static void test_notify(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[64], name[80], got[128];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t n;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	daemon_notify("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	daemon_notify("READY=1");
	snprintf(path, sizeof path, "culvert-test-%ld", (long)getpid());
	memcpy(sa.sun_path + 1, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(path))), 0);
	snprintf(name, sizeof name, "@%s", path);
	setenv("NOTIFY_SOCKET", name, 1);
	daemon_notify("READY=1\nSTATUS=fine");
	n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "READY=1\nSTATUS=fine");
	daemon_notify("RELOADING=1");
	n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_int_equal(strncmp(got, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	close(fd);
	unsetenv("NOTIFY_SOCKET");
}

static void test_chores(void **state)
{
	struct rlimit r;
	char secret[16] = "secret";

	(void)state;
	daemon_protect();
	assert_int_equal(getrlimit(RLIMIT_CORE, &r), 0);
	assert_int_equal(r.rlim_cur, 0);
	assert_int_equal(r.rlim_max, 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	daemon_setup();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	assert_true(r.rlim_cur == r.rlim_max);
	daemon_wipe(secret, sizeof secret);
	for (size_t i = 0; i < sizeof secret; i++)
		assert_int_equal(secret[i], 0);
	fflush(stdout);
	capture_begin(STDOUT_FILENO);
	daemon_ready_line("udp", "127.0.0.1:40001", "rtp");
	daemon_ready_line("https", "127.0.0.1:40002", NULL);
	assert_string_equal(capture_end(STDOUT_FILENO), "ready udp 127.0.0.1:40001 rtp\nready https 127.0.0.1:40002\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_chores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
