/* The configuration reader: files, command line, and what it says about mistakes. */
/* links: tunnel/config.c tunnel/config_table.c tunnel/config_values.c */
/* libs: -lconfuse */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <stdio.h>

#include "tunnel/config.h"

static const struct config_option service_options[] = {
	{ .name = "target", .type = CONFIG_STRING },
	{ .name = "idle", .type = CONFIG_INT, .min = 0, .max = 86400, .initial = 330 },
	{ .name = "quick", .type = CONFIG_BOOL, .initial = 1 },
	{ .name = "types", .type = CONFIG_LIST },
	{ .name = NULL },
};

static const struct config_option options[] = {
	{ .name = "listen", .letter = 'l', .type = CONFIG_LIST, .metavar = "ADDRESS:PORT", .help = "where to listen" },
	{ .name = "token-file", .type = CONFIG_STRING, .value = "/none", .metavar = "FILE" },
	{ .name = "listen-backlog", .type = CONFIG_INT, .min = 1, .max = 4096, .initial = 64 },
	{ .name = "log-json", .type = CONFIG_BOOL },
	{ .name = "check", .type = CONFIG_FLAG },
	{ .name = "service", .type = CONFIG_LIST, .only_command_line = true, .metavar = "NAME=URL" },
	{ .name = "service", .type = CONFIG_SECTIONS, .options = service_options },
	{ .name = NULL },
};

static char file[] = "/tmp/culvert-config-XXXXXX";
static char error[512];

static void write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct config *read_args(int argc, const char **argv)
{
	*error = 0;
	return config_read(options, argc, (char **)argv, error, sizeof error);
}

#define READ(...) read_args((int)(sizeof((const char *[]){ "x", __VA_ARGS__ }) / sizeof(char *)), \
			    (const char *[]){ "x", __VA_ARGS__ })

static struct config *read_text(const char *text)
{
	write_file(text);
	return READ("-c", file);
}

/* The text is refused with this message behind "FILE:". */
static void refused(const char *text, const char *want)
{
	struct config *c = read_text(text);

	assert_null(c);
	assert_memory_equal(error, file, strlen(file));
	assert_string_equal(error + strlen(file) + 1, want);
}

static void test_defaults(void **state)
{
	struct config *c = READ("rest", "more");

	(void)state;
	assert_non_null(c);
	assert_int_equal(config_rest(c), 1);
	assert_string_equal(config_string(c, "token-file"), "/none");
	assert_int_equal(config_int(c, "listen-backlog"), 64);
	assert_false(config_bool(c, "log-json"));
	assert_false(config_given(c, "token-file"));
	assert_int_equal(config_list_size(c, "listen"), 0);
	assert_null(config_list(c, "listen", 0));
	assert_int_equal(config_sections(c, "service"), 0);
	config_free(c);
	config_free(NULL);
}

static void test_file(void **state)
{
	char where[80];
	struct config *c = read_text("# a comment\n"
				     "token-file = \"/etc/tokens # no comment\" // one\n"
				     "/* two\n lines */ listen-backlog = 7\n"
				     "log-json = yes\n"
				     "listen = { \"a:1\",\n \"b:2\" }\n"
				     "listen += { c:3 }\n"
				     "service rtp {\n"
				     "\ttarget = udp://127.0.0.1:5004 # why\n"
				     "\tidle = 20\n"
				     "\ttypes = { 0, 8, \"111\" }\n"
				     "}\n"
				     "service \"sig\" { target = 'tcp://h:1' quick = off }\n");

	(void)state;
	if (!c)
		fail_msg("%s", error);
	assert_string_equal(config_string(c, "token-file"), "/etc/tokens # no comment");
	assert_int_equal(config_int(c, "listen-backlog"), 7);
	snprintf(where, sizeof where, "%s:4", file);
	assert_string_equal(config_where(c, "listen-backlog", 0), where);
	assert_true(config_bool(c, "log-json"));
	assert_true(config_given(c, "log-json"));
	assert_int_equal(config_list_size(c, "listen"), 3);
	assert_string_equal(config_list(c, "listen", 1), "b:2");
	assert_string_equal(config_list(c, "listen", 2), "c:3");
	snprintf(where, sizeof where, "%s:8", file);
	assert_string_equal(config_where(c, "listen", 2), where);
	assert_int_equal(config_sections(c, "service"), 2);
	const struct config_section *s = config_section(c, "service", 0);
	assert_string_equal(config_section_title(s), "rtp");
	snprintf(where, sizeof where, "%s:9", file);
	assert_string_equal(config_section_where(s), where);
	assert_string_equal(config_section_string(s, "target"), "udp://127.0.0.1:5004");
	assert_int_equal(config_section_int(s, "idle"), 20);
	assert_true(config_section_bool(s, "quick"));
	assert_int_equal(config_section_list_size(s, "types"), 3);
	assert_string_equal(config_section_list(s, "types", 1), "8");
	assert_string_equal(config_section_list(s, "types", 2), "111");
	assert_null(config_section_list(s, "types", 3));
	s = config_section(c, "service", 1);
	assert_int_equal(config_section_list_size(s, "types"), 0);
	assert_string_equal(config_section_title(s), "sig");
	assert_int_equal(config_section_int(s, "idle"), 330);
	assert_false(config_section_bool(s, "quick"));
	assert_null(config_section(c, "service", 2));
	config_free(c);
}

static void test_line_wins(void **state)
{
	struct config *c;

	(void)state;
	write_file("token-file = a\nlisten-backlog = 9\nlisten = { f:1, g:2 }\nservice a { }\n");
	c = READ("--token-file=b", "-l", "x:1", "--config", file, "-ly:2", "--log-json", "--check", "--service=b=c", "--",
		 "-z");
	if (!c)
		fail_msg("%s", error);
	assert_string_equal(config_string(c, "token-file"), "b");
	assert_string_equal(config_where(c, "token-file", 0), "--token-file");
	assert_int_equal(config_int(c, "listen-backlog"), 9);
	assert_int_equal(config_list_size(c, "listen"), 2);
	assert_string_equal(config_list(c, "listen", 1), "y:2");
	assert_true(config_bool(c, "log-json"));
	assert_true(config_bool(c, "check"));
	assert_int_equal(config_rest(c), 11);
	assert_int_equal(config_list_size(c, "service"), 1);
	assert_string_equal(config_list(c, "service", 0), "b=c");
	assert_int_equal(config_sections(c, "service"), 1);
	config_free(c);
	c = READ("--log-json=no", "--token-file", "a", "--token-file", "z", "sub", "--foo");
	assert_non_null(c);
	assert_false(config_bool(c, "log-json"));
	assert_string_equal(config_string(c, "token-file"), "z");
	assert_int_equal(config_rest(c), 6);
	config_free(c);
}

static void test_line_errors(void **state)
{
	(void)state;
	assert_null(READ("--token-fiel", "x"));
	assert_string_equal(error, "--token-fiel: unknown option; did you mean '--token-file'?");
	assert_null(READ("-q"));
	assert_string_equal(error, "-q: unknown option; see --help");
	assert_null(READ("--token-file"));
	assert_string_equal(error, "--token-file needs a value: --token-file FILE");
	assert_null(READ("--check=yes"));
	assert_string_equal(error, "--check takes no value");
	assert_null(READ("--listen-backlog", "0"));
	assert_string_equal(error, "--listen-backlog: must be a number from 1 to 4096, not '0'");
	assert_null(READ("--listen-backlog=4k"));
	assert_string_equal(error, "--listen-backlog: must be a number from 1 to 4096, not '4k'");
	assert_null(READ("--log-json=maybe"));
	assert_string_equal(error, "--log-json: must be true or false, not 'maybe'");
	assert_null(READ("-c"));
	assert_string_equal(error, "--config needs a value: --config FILE");
	assert_null(READ("-c", "/nonexistent/x.conf"));
	assert_string_equal(error, "/nonexistent/x.conf: cannot read the configuration file: No such file or directory");
	assert_null(READ("-c", "/"));
	assert_string_equal(error, "/: cannot read the configuration file: Is a directory");
}

static void test_file_errors(void **state)
{
	(void)state;
	refused("\n# x\ntoken-fil = 3\n", "3: unknown option 'token-fil'; did you mean 'token-file'?");
	refused("zzzzzz = 3\n", "1: unknown option 'zzzzzz'");
	refused("check = true\n", "1: 'check' is for the command line only");
	refused("# c\n\nlisten-backlog = 0\n", "3: 'listen-backlog' must be a number from 1 to 4096, not '0'");
	refused("listen-backlog = abc\n", "1: 'listen-backlog' must be a number from 1 to 4096, not 'abc'");
	refused("listen-backlog = 99999999999999999999\n",
		"1: 'listen-backlog' must be a number from 1 to 4096, not '99999999999999999999'");
	refused("log-json = 3\n", "1: 'log-json' must be true or false, not '3'");
}

static void test_file_twice(void **state)
{
	char want[200];

	(void)state;
	assert_null(read_text("token-file = a\n\ntoken-file = b\n"));
	snprintf(want, sizeof want, "%s:3: 'token-file' is given twice; first at %s:1", file, file);
	assert_string_equal(error, want);
	assert_null(read_text("listen = { a, b }\nlisten = c\n"));
	snprintf(want, sizeof want, "%s:2: 'listen' is given twice; first at %s:1", file, file);
	assert_string_equal(error, want);
}

static void test_file_syntax(void **state)
{
	(void)state;
	refused("token-file = \"abc\n\n", "1: a text begins with \" here, and its closing \" is missing on this line");
	refused("\nservice a {\n target = x\n", "2: the '{' on this line is never closed");
	refused("log-json = true\n}\n", "2: a '}' without its '{'");
	refused("/* never\n", "1: this comment is never closed: '*/' is missing");
	refused("service { target = x }\n", "1: 'service' needs a name: service NAME { ... }");
	refused("token-file =\n", "2: the file ends where a value was expected");
	refused("token-file x\n", "1: missing equal sign after option 'token-file'");
	refused("# c\nservice a { }\nservice a { }\n", "3: a section named 'a' stands above already; names must differ");
	refused("service a {\n targte = x\n}\n", "2: unknown option 'targte'; did you mean 'target'?");
	refused("service a {\n idle = 86401\n}\n", "2: 'idle' must be a number from 0 to 86400, not '86401'");
}

/* No text may crash it: every prefix of one that has everything, and bytes changed. */
static void test_mutations(void **state)
{
	static const char text[] = "# c\nlisten = { \"a:1\", b }\nlog-json = on /* x */\nlisten-backlog = 5\n"
				   "service rtp { target = 'udp://h:1-2' idle = 3 }\n";
	char copy[sizeof text];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++) {
		memcpy(copy, text, sizeof text);
		copy[i] = 0;
		config_free(read_text(copy));
	}
	for (size_t i = 0; i + 1 < sizeof text; i++) {
		memcpy(copy, text, sizeof text);
		copy[i] = "{}\"'=#\n\\+"[i % 9];
		config_free(read_text(copy));
	}
}

/* A subcommand reads the file of its program. */
static void test_table(void **state)
{
	static const struct config_option own[] = {
		{ .name = "token-file", .type = CONFIG_STRING, .value = "/own", .help = "mine" },
		{ .name = "watch", .letter = 'w', .type = CONFIG_FLAG, .help = "again" },
		{ .name = NULL },
	};
	static const char *const shown[] = { "listen", NULL };
	struct config_option *table = config_table(own, options, shown, false), *o = table;
	struct config *c;
	const char *args[] = { "x", "-c", file, "-w" };

	(void)state;
	assert_string_equal(o[0].value, "/own");
	assert_string_equal(o[2].name, "listen");
	assert_non_null(o[2].help);
	assert_null(o[3].help);
	write_file("listen = { a:1 }\nservice rtp { target = x }\ntoken-file = /file\n");
	c = config_read(table, 4, (char **)args, error, sizeof error);
	assert_non_null(c);
	assert_true(config_bool(c, "watch"));
	assert_string_equal(config_string(c, "token-file"), "/file");
	assert_int_equal(config_sections(c, "service"), 1);
	config_free(c);
	args[1] = "--listen";
	assert_non_null(c = config_read(table, 3, (char **)args, error, sizeof error));
	config_free(c);
	args[1] = "--check";
	assert_null(config_read(table, 2, (char **)args, error, sizeof error));
	assert_string_equal(error, "--check: unknown option; see --help");
	free(table);
}

static int group_setup(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int group_teardown(void **state)
{
	(void)state;
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_line_wins),
		cmocka_unit_test(test_line_errors),
		cmocka_unit_test(test_file_errors),
		cmocka_unit_test(test_file_twice),
		cmocka_unit_test(test_file_syntax),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
