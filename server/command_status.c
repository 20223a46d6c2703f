/*
 * culvertd status: asks the running server at its admin socket.
 */
#include <stdio.h>

#include "server/commands.h"
#include "server/options.h"
#include "server/server.h"
#include "tunnel/config.h"
#include "tunnel/control.h"

static const struct config_option table[] = {
	{ .name = "admin", .type = CONFIG_STRING, .value = OPTIONS_ADMIN_DEFAULT, .metavar = "SOCKET",
	  .help = "ask there (" OPTIONS_ADMIN_DEFAULT ")" },
	{ .name = "json", .type = CONFIG_FLAG, .help = "for programs" },
	{ .name = "help", .letter = 'h', .type = CONFIG_FLAG, .help = "show this" },
	{ .name = NULL },
};

int command_status(int argc, char **argv)
{
	char error[512];
	struct config *c = config_read(table, argc, argv, error, sizeof error);
	int code = SERVER_OK;

	if (c && config_rest(c) < argc) {
		snprintf(error, sizeof error, "%s: not an option; see --help", argv[config_rest(c)]);
		config_free(c);
		c = NULL;
	}
	if (!c) {
		fprintf(stderr, "culvertd: status: %s\n", error);
		return SERVER_USAGE;
	}
	if (config_bool(c, "help")) {
		puts("usage: culvertd status [--admin SOCKET] [--json]\n\nShows what the running server does.\n");
		config_help(table);
	} else {
		const struct control_place at = { config_string(c, "admin"), "culvertd", "admin" };

		if (!control_ask(&at, config_bool(c, "json") ? "status json" : "status", stdout, error, sizeof error)) {
			fprintf(stderr, "culvertd: status: %s\n", error);
			code = SERVER_FAILED;
		}
	}
	config_free(c);
	return code;
}
