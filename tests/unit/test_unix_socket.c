/* links: server/unix_socket.c tunnel/address.c framing/error.c */
/* Unix sockets to listen on: modes, what lies there before, what is removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/unix_socket.h"

static char dir[] = "/tmp/culvert-unix-XXXXXX", path[64];
static struct address at;
static struct unix_socket made;

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/x.sock", dir);
	return address_unix(path, &at) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void refused(int error)
{
	assert_int_equal(unix_socket_bind(&made, &at, 0660), -1);
	assert_int_equal(errno, error);
}

static void test_modes(void **state)
{
	static const mode_t modes[] = { 0600, 0660, 0666, 0 };
	mode_t mask = umask(027);
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		int fd = unix_socket_bind(&made, &at, modes[i]);

		assert_true(fd >= 0);
		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, modes[i]);
		unix_socket_remove(&made, &at);
		assert_int_equal(lstat(path, &st), -1);
		close(fd);
	}
	assert_int_equal(umask(mask), 027);	/* as it was */
}

static void test_left_behind(void **state)
{
	int fd = unix_socket_bind(&made, &at, 0660), second;
	struct unix_socket first = made;
	struct stat st;

	(void)state;
	assert_true(fd >= 0 && listen(fd, 1) == 0);
	refused(EADDRINUSE);
	close(fd);	/* as a process does that is killed */
	second = unix_socket_bind(&made, &at, 0660);
	assert_true(second >= 0);
	unix_socket_remove(&first, &at);	/* not what is another's now, unless the file system gave it the same number */
	if (first.ino != made.ino)
		assert_int_equal(lstat(path, &st), 0);
	unix_socket_remove(&made, &at);
	assert_int_equal(lstat(path, &st), -1);
	unix_socket_remove(&made, &at);
	close(second);
}

static void test_others(void **state)
{
	FILE *f = fopen(path, "w");
	struct address nowhere;
	struct stat st;

	(void)state;
	fclose(f);
	refused(EEXIST);
	unix_socket_remove(&made, &at);
	assert_int_equal(lstat(path, &st), 0);
	unlink(path);
	assert_int_equal(symlink("/nonexistent/x", path), 0);
	refused(EEXIST);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	refused(EEXIST);
	rmdir(path);
	assert_true(address_unix("/nonexistent/x.sock", &nowhere));
	assert_int_equal(unix_socket_bind(&made, &nowhere, 0660), -1);
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes), cmocka_unit_test(test_left_behind), cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
