// links: client/secret.c tunnel/log.c framing/error.c
/* Where the password comes from, in which order, and what is no password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/secret.h"
#include "framing/error.h"

static char folder[] = "/tmp/test_secret.XXXXXX", file[64], credential[64];
static char out[PROXY_PASSWORD_MAX], error[300];
static struct options *options;

static void write_file(const char *name, const void *text, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static int group_setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/file", folder);
	snprintf(credential, sizeof credential, "%s/" SECRET_CREDENTIAL, folder);
	options = calloc(1, sizeof *options);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	free(options);
	return rmdir(folder);
}

static int setup(void **state)
{
	(void)state;
	unsetenv(SECRET_FD);
	unsetenv("CREDENTIALS_DIRECTORY");
	secret_forget();
	options->proxy_password_file = NULL;
	memset(out, 'x', sizeof out);
	error[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	unlink(credential);
	return 0;
}

static int secret(void)
{
	return secret_read(options, out, error, sizeof error);
}

static void test_none(void **state)
{
	(void)state;
	assert_int_equal(secret(), 0);
	assert_string_equal(out, "");
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	assert_int_equal(secret(), 0);
}

static void in_file(const char *text, size_t n, const char *expected)
{
	write_file(file, text, n);
	options->proxy_password_file = file;
	assert_int_equal(secret(), 1);
	assert_string_equal(out, expected);
	for (size_t i = strlen(expected); i < sizeof out; i++)
		assert_int_equal(out[i], 0);
}

#define IN_FILE(text, expected) in_file(text, sizeof text - 1, expected)

static void test_file(void **state)
{
	(void)state;
	IN_FILE("secret", "secret");
	IN_FILE("secret\n", "secret");
	IN_FILE("secret\r\nsecond line\n", "secret");
	IN_FILE(" with blanks \t\n", " with blanks \t");
	IN_FILE("\xef\xbb\xbfn\xc3\xa9", "n\xc3\xa9");
	IN_FILE("", "");
	IN_FILE("\nsecond", "");
	IN_FILE("ok\nbehind\0it", "ok");
}

static void test_no_password(void **state)
{
	char text[PROXY_PASSWORD_MAX];

	(void)state;
	options->proxy_password_file = file;
	assert_int_equal(secret(), ERROR_SYSTEM);
	assert_non_null(strstr(error, "--proxy-password-file: cannot read "));
	options->proxy_password_file = folder;
	assert_int_equal(secret(), ERROR_SYSTEM);
	options->proxy_password_file = file;
	write_file(file, "s\0e\0c\0\n\0", 8);	/* UTF-16 */
	assert_int_equal(secret(), ERROR_CONFIG);
	assert_non_null(strstr(error, "UTF-8"));
	assert_string_equal(out, "");
	memset(text, 'a', sizeof text);
	write_file(file, text, sizeof text);
	assert_int_equal(secret(), ERROR_CONFIG);
	assert_non_null(strstr(error, "too long"));
	assert_null(strstr(error, "aaa"));
	text[PROXY_PASSWORD_MAX - 2] = '\n';
	write_file(file, text, sizeof text);
	assert_int_equal(secret(), 1);
	assert_int_equal(strlen(out), PROXY_PASSWORD_MAX - 2);
}

static void test_descriptor(void **state)
{
	char number[16];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "by ", 3), 3);
	assert_int_equal(write(fds[1], "pipe\nmore", 9), 9);
	snprintf(number, sizeof number, "%d", fds[0]);
	setenv(SECRET_FD, number, 1);
	assert_int_equal(secret(), 1);
	assert_string_equal(out, "by pipe");
	assert_null(getenv(SECRET_FD));
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	close(fds[1]);
	/* A reload. */
	memset(out, 0, sizeof out);
	assert_int_equal(secret(), 1);
	assert_string_equal(out, "by pipe");
	secret_forget();
	assert_int_equal(secret(), 0);
}

static void test_bad_descriptor(void **state)
{
	static const char *const bad[] = { "", "x", "3x", "-1", "99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		setenv(SECRET_FD, bad[i], 1);
		assert_int_equal(secret(), ERROR_CONFIG);
		assert_non_null(strstr(error, "not the number of a descriptor"));
	}
	setenv(SECRET_FD, "987", 1);
	assert_int_equal(secret(), ERROR_SYSTEM);
	assert_non_null(strstr(error, "cannot read descriptor 987"));
}

static void test_order(void **state)
{
	char number[16];
	int fds[2];

	(void)state;
	write_file(credential, "from systemd", 12);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	assert_int_equal(secret(), 1);
	assert_string_equal(out, "from systemd");
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "from pipe", 9), 9);
	close(fds[1]);
	snprintf(number, sizeof number, "%d", fds[0]);
	setenv(SECRET_FD, number, 1);
	assert_int_equal(secret(), 1);
	assert_string_equal(out, "from pipe");
	IN_FILE("from file", "from file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),       TEST(test_file),		  TEST(test_no_password),
		TEST(test_descriptor), TEST(test_bad_descriptor), TEST(test_order),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
