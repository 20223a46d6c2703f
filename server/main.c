/*
 * culvertd: the server. Subcommands are rows of a table; without one it serves.
 */
#include <stdio.h>
#include <string.h>

#include "server/commands.h"
#include "server/server.h"
#include "tunnel/config.h"
#include "tunnel/daemon.h"
#include "tunnel/log.h"
#include "tunnel/tcp_tuning.h"
#include "tunnel/tls_memory.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "gen-token", command_gen_token },
	{ "gen-cert", command_gen_cert },
	{ "jwt", command_jwt },
	{ "status", command_status },
};

static int help(void)
{
	puts("culvertd " CULVERT_VERSION ": carries real-time media and signalling through HTTP proxies (the server)\n"
	     "\n"
	     "usage: culvertd [OPTIONS]            serve\n"
	     "       culvertd gen-token NAME       print a line for the token files of both ends\n"
	     "       culvertd gen-cert OPTIONS     make a certificate for development\n"
	     "       culvertd jwt OPTIONS          print a JSON Web Token, to try REST by hand\n"
	     "       culvertd status [--json]      show what the running server does\n"
	     "\n"
	     "options:");
	config_help(options_table);
	puts("\n"
	     "example:\n"
	     "  culvertd gen-token alice > tokens && chmod 600 tokens\n"
	     "  culvertd gen-cert --host localhost --cert cert.pem --key key.pem\n"
	     "  culvertd --listen 127.0.0.1:8443 --cert cert.pem --key key.pem --token-file tokens \\\n"
	     "           --service rtp=udp://127.0.0.1:5004-5013 --service sig=tcp://127.0.0.1:8188\n"
	     "\n"
	     "When ready it prints \"ready https ADDRESS:PORT culvertd\" for each listener. SIGTERM stops it; SIGHUP reads\n"
	     "certificate, key, tokens, cover and services again. Exit codes: 0 in order, 1 failed, 2 wrong options or files.\n"
	     "See culvertd(8) and culvertd.conf(5).");
	return SERVER_OK;
}

static int serve(int argc, char **argv)
{
	struct options o;
	char error[1024];

	if (options_read(&o, argc, argv, error, sizeof error) < 0) {
		fprintf(stderr, "culvertd: %s\n", error);
		return SERVER_USAGE;
	}
	if (config_bool(o.config, "help") || config_bool(o.config, "version")) {
		bool version = config_bool(o.config, "version");

		options_fini(&o);
		return version ? puts("culvertd " CULVERT_VERSION) < 0 : help();
	}
	log_setup(o.log_level, o.log_json);
	tcp_tuning_setup(o.congestion, o.sparse_tuning);
	if (config_bool(o.config, "check")) {
		bool good = server_check(&o, error, sizeof error);

		options_fini(&o);
		if (good)
			puts("culvertd: options and files are good");
		else
			fprintf(stderr, "culvertd: %s\n", error);
		return good ? SERVER_OK : SERVER_USAGE;
	}
	return server_run(&o, argc, argv);
}

int main(int argc, char **argv)
{
	daemon_protect();
	tls_memory_setup();
	if (argc < 2 || *argv[1] == '-')
		return serve(argc, argv);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(commands[i].name, argv[1]))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "culvertd: %s: unknown command; there are gen-token, gen-cert, jwt and status, see --help\n", argv[1]);
	return SERVER_USAGE;
}
