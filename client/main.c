/*
 * culvert: carries local UDP and TCP ports to the services of a culvertd through
 * HTTP proxies. Subcommands are rows of a table; without one it serves. Start order:
 * options, files, ports, READY, serve.
 *
 * Exit status: 0 in order; 1 what cannot heal by itself (a port in use); 2 wrong options,
 * or files that cannot be read. Subcommands: client/commands.h.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/child.h"
#include "client/commands.h"
#include "client/environment.h"
#include "client/helper.h"
#include "client/secret.h"
#include "framing/error.h"
#include "tunnel/daemon.h"
#include "tunnel/tcp_tuning.h"
#include "tunnel/tls_memory.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	bool hidden;
} commands[] = {
	{ "doctor", command_doctor, false },
	{ "status", command_status, false },
	{ "up", command_up, false },
	{ "down", command_down, false },
	{ CHILD_COMMAND, command_child, true },
};

static void on_reload(void *ctx)
{
	helper_reload(ctx);
}

static void on_stop(void *ctx)
{
	helper_stop(ctx);
}

static int serve(struct loop *loop, struct helper *h)
{
	char error[1024];

	if (helper_bind(h, error, sizeof error) < 0) {
		log_error("helper", "", "%s", error);
		return CLIENT_FAILED;
	}
	loop_signal(loop, SIGHUP, on_reload, h);
	loop_signal(loop, SIGTERM, on_stop, h);
	loop_signal(loop, SIGINT, on_stop, h);
	daemon_notify("READY=1");
	helper_start(h);
	loop_run(loop);
	return CLIENT_OK;
}

static int run(const struct options *o)
{
	struct loop *loop;
	struct helper *h;
	char error[1024];
	int rc;

	log_setup(o->log_level, o->log_json);
	tcp_tuning_setup(o->congestion, o->sparse_tuning);
	log_debug("culvert", "", "congestion control: %s", *tcp_tuning_congestion() ? tcp_tuning_congestion() : "the kernel's own");
	tls_memory_setup();
	daemon_setup();
	loop = loop_new();
	if (!loop) {
		log_error("helper", "", "the system gives no event loop");
		return CLIENT_FAILED;
	}
	h = helper_new(loop, o, error, sizeof error);
	if (!h) {
		log_error("helper", "", "%s", error);
		rc = CLIENT_USAGE;
	} else if (o->check) {
		printf("culvert: the options and files are in order\n");
		rc = CLIENT_OK;
	} else {
		rc = serve(loop, h);
	}
	helper_free(h);
	loop_free(loop);
	secret_forget();
	return rc;
}

static int start(int argc, char **argv)
{
	char error[1024];
	struct options *o = options_read(argc, argv, error, sizeof error);
	int rc = CLIENT_OK;

	if (!o) {
		fprintf(stderr, "culvert: %s\n", error);
		return CLIENT_USAGE;
	}
	if (o->help)
		options_help();
	else if (o->version)
		printf("culvert %s\n", CULVERT_VERSION);
	else
		rc = run(o);
	options_free(o);
	return rc;
}

static void unknown_command(const char *name)
{
	fprintf(stderr, "culvert: %s: not a command; there is", name);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!commands[i].hidden)
			fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
	fprintf(stderr, ", see --help\n");
}

int main(int argc, char **argv)
{
	daemon_protect();
	environment_take();
	if (argc < 2 || *argv[1] == '-')
		return start(argc, argv);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(commands[i].name, argv[1]))
			return commands[i].run(argc - 1, argv + 1);
	if (strstr(argv[1], "://"))
		fprintf(stderr, "culvert: %s: not a command; the server is given as --server URL, see --help\n", argv[1]);
	else
		unknown_command(argv[1]);
	return CLIENT_USAGE;
}
