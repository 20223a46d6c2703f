/*
 * culvert doctor: options and exit status. It takes all options of culvert, so that a command
 * line or a file that does not work can be handed to it as it is.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/doctor.h"
#include "tunnel/daemon.h"
#include "tunnel/log.h"
#include "tunnel/tcp_tuning.h"
#include "tunnel/tls_memory.h"

static const struct config_option own[] = {
	{ .name = "json", .type = CONFIG_FLAG, .help = "print one JSON object at the end" },
	{ .name = "long", .type = CONFIG_FLAG, .help = "also look for cuts after minutes of silence (7 minutes)" },
	{ .name = "report", .type = CONFIG_STRING, .metavar = "FILE", .only_command_line = true,
	  .help = "write all that was found to FILE, without secrets" },
	{ .name = "seconds", .type = CONFIG_INT, .min = 1, .max = CALL_SECONDS_MAX, .initial = CALL_SECONDS, .metavar = "N",
	  .only_command_line = true, .help = "length of each simulated call (default 4)" },
	{ .name = NULL },
};

/* Those of culvert that matter here are shown. */
static const char *const shown[] = { "config", "server-http", "seal", "token-file", "proxy", "proxy-pac", "proxy-user", "proxy-password-file",
					 "proxy-auth", "cafile", "ca-dir", "pin", "http", "connections", "help", NULL };

static void help(const struct config_option *table)
{
	puts("usage: culvert doctor URL [options]\n"
	     "       culvert doctor -c FILE [options]\n\n"
	     "Measures the way to a culvertd, and says how calls will go and which box is in the way.\n");
	config_help(table);
	puts("\nExit status: 0 calls work, 1 they do not, 2 wrong options. Manual: culvert-doctor(1).");
}

static void on_stop(void *ctx)
{
	loop_break(ctx);
}

static int run(const struct doctor_options *how)
{
	struct loop *loop;
	struct doctor *d;
	char error[1024];
	int code;

	log_setup(how->options->log_level == LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, how->options->log_json);
	tls_memory_setup();
	daemon_setup();
	loop = loop_new();
	if (!loop) {
		fprintf(stderr, "culvert: doctor: the system gives no event loop\n");
		return CLIENT_FAILED;
	}
	d = doctor_new(loop, how, error, sizeof error);
	if (d) {
		loop_signal(loop, SIGTERM, on_stop, loop);
		loop_signal(loop, SIGINT, on_stop, loop);
		doctor_start(d);
		loop_run(loop);
		code = d->done ? d->exit_code : CLIENT_FAILED;
		if (!d->done && !how->json)
			putchar('\n'); /* behind the line of the check that was interrupted */
		doctor_free(d);
	} else {
		fprintf(stderr, "culvert: doctor: %s\n", error);
		code = CLIENT_USAGE;
	}
	loop_free(loop);
	return code;
}

/* Takes the URL, wherever it stands among the options, out of the arguments. 1: two of them. */
static int take_url(const struct config_option *table, int *argc, char **argv, const char **url)
{
	char error[1024];
	struct config *c = config_read(table, *argc, argv, error, sizeof error);
	int at = c ? config_rest(c) : *argc;

	config_free(c);
	if (at >= *argc)
		return 0;
	if (*url)
		return 1;
	*url = argv[at];
	memmove(&argv[at], &argv[at + 1], (size_t)(*argc - at) * sizeof *argv);
	--*argc;
	return take_url(table, argc, argv, url);
}

int command_doctor(int argc, char **argv)
{
	struct config_option *table = config_table(own, options_table, shown, true);
	struct doctor_options how = { .json = false };
	const char *url = NULL;
	char error[1024];
	int code = CLIENT_OK;

	(void)take_url(table, &argc, argv, &url); /* a second one is reported below */
	how.options = options_read_as(table, url, argc, argv, error, sizeof error);
	if (!how.options) {
		fprintf(stderr, "culvert: doctor: %s\n", error);
		code = CLIENT_USAGE;
	} else if (how.options->help) {
		help(table);
	} else {
		tcp_tuning_setup(how.options->congestion, how.options->sparse_tuning);
		how.json = config_bool(how.options->config, "json");
		how.longer = config_bool(how.options->config, "long");
		how.report = config_string(how.options->config, "report");
		how.seconds = (unsigned)config_int(how.options->config, "seconds");
		code = run(&how);
	}
	options_free(how.options);
	free(table);
	return code;
}
