/* links: client/sandbox_linux.c framing/error.c */
/* libs: -lseccomp */
/* valgrind: left to the sanitizers, it knows no seccomp */
/* The sandbox: what each kind lets be done, tried in child processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/sandbox.h"

static char file[] = "/tmp/test_sandbox.XXXXXX";

/* What is tried: 0 when it worked, 1 when it was denied. */

static int try_read(void)
{
	int fd = open(file, O_RDONLY);
	char c;

	return fd < 0 || read(fd, &c, 1) != 1;
}

static int try_system_file(void)
{
	return open("/etc/passwd", O_RDONLY) < 0;
}

static int try_write(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof name, "%s.new", file);
	fd = open(name, O_WRONLY | O_CREAT, 0600);
	if (fd >= 0)
		unlink(name);
	return fd < 0;
}

static int try_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 1;
}

static int try_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) < 0;
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0;
}

static int try_kill(void)
{
	return kill(getppid(), 0) < 0;
}

static int try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0;
}

static int try_executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int try_dump(void)
{
	struct rlimit core;

	return getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max == 0;
}

static char *volatile last; /* so that no compiler leaves the memory out */

static int try_small_allocation(void)
{
	last = malloc(16 << 20);
	if (!last)
		return 1;
	memset(last, 1, 16 << 20);
	return 0;
}

static int try_allocate(void)
{
	for (int i = 0; i < 64; i++) /* 1 GiB, touched */
		if (try_small_allocation() != 0)
			return 1;
	return 0;
}

static int try_loop(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
	return 0;
}

enum { OPEN = 0, SHUT = 1, KILLED = 2 };

static int outcome(enum sandbox kind, const char *readable, int (*attempt)(void))
{
	const char *const paths[] = { readable, NULL };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int quiet = open("/dev/null", O_RDWR);

		dup2(quiet, STDERR_FILENO); /* what a sanitizer says of denied memory */
		if (sandbox_enter(kind, paths) < 0)
			_exit(99);
		_exit(attempt());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return KILLED;
	if (WEXITSTATUS(status) == 99)
		fail_msg("no sandbox");
	return WEXITSTATUS(status);
}

static const struct row {
	const char *what;
	int (*attempt)(void);
	int settings, fetch, fetch_named, script; /* fetch_named: with the file's name as readable */
} rows[] = {
	{ "read a file", try_read, OPEN, SHUT, OPEN, SHUT },
	{ "read a system file", try_system_file, OPEN, OPEN, OPEN, SHUT },
	{ "write a file", try_write, OPEN, SHUT, SHUT, SHUT },
	{ "exec", try_exec, OPEN, SHUT, SHUT, SHUT },
	{ "socket", try_socket, SHUT, OPEN, OPEN, SHUT },
	{ "fork", try_fork, OPEN, OPEN, OPEN, SHUT },
	{ "kill", try_kill, OPEN, SHUT, SHUT, SHUT },
	{ "ptrace", try_ptrace, SHUT, SHUT, SHUT, SHUT },
	{ "dump core", try_dump, SHUT, SHUT, SHUT, SHUT },
	{ "allocate", try_small_allocation, OPEN, OPEN, OPEN, OPEN },
	{ "executable memory", try_executable_memory, OPEN, OPEN, OPEN, SHUT },
};

/* A kernel without Landlock leaves files to the rights of the user. */
static bool landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		bool files = r->attempt == try_read || r->attempt == try_write;
		int settings = outcome(SANDBOX_SETTINGS, NULL, r->attempt), fetch = outcome(SANDBOX_FETCH, NULL, r->attempt);
		int named = outcome(SANDBOX_FETCH, file, r->attempt), script = outcome(SANDBOX_SCRIPT, NULL, r->attempt);

		if (files && !landlock())
			fetch = r->fetch, named = r->fetch_named;
		if (settings != r->settings || fetch != r->fetch || named != r->fetch_named || script != r->script)
			fail_msg("%s: settings %d, fetch %d and %d, script %d", r->what, settings, fetch, named, script);
	}
}

/* Sanitizers need more memory than any limit that makes sense. */
static void test_memory(void **state)
{
	(void)state;
#if !defined(__SANITIZE_ADDRESS__)
	assert_int_not_equal(outcome(SANDBOX_SCRIPT, NULL, try_allocate), OPEN);
#else
	assert_int_equal(outcome(SANDBOX_SCRIPT, NULL, try_small_allocation), OPEN);
	(void)try_allocate;
#endif
}

static void test_time(void **state)
{
	(void)state;
	assert_int_equal(outcome(SANDBOX_SCRIPT, NULL, try_loop), KILLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_memory), cmocka_unit_test(test_time) };
	int fd = mkstemp(file), rc;

	if (fd < 0 || write(fd, "secret", 6) != 6)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	close(fd);
	unlink(file);
	return rc;
}
