/*
 * culvertd status: asks the running server at its admin socket.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/commands.h"
#include "server/options.h"
#include "server/server.h"
#include "tunnel/config.h"
#include "tunnel/control.h"

static const struct config_option own[] = {
	{ .name = "admin", .type = CONFIG_STRING, .value = OPTIONS_ADMIN_DEFAULT, .metavar = "SOCKET",
	  .help = "ask there (" OPTIONS_ADMIN_DEFAULT ")" },
	{ .name = "json", .type = CONFIG_FLAG, .help = "for programs" },
	{ .name = "help", .letter = 'h', .type = CONFIG_FLAG, .help = "show this" },
	{ .name = NULL },
};

static int ask(const struct config *c, char *error, size_t size)
{
	const struct control_place at = { config_string(c, "admin"), "culvertd", "admin" };

	if (strcmp(at.path, "none") == 0) {
		snprintf(error, size, "%s: the server has no socket to be asked at (none)", config_where(c, "admin", 0));
		return SERVER_USAGE;
	}
	return control_ask(&at, config_bool(c, "json") ? "status json" : "status", stdout, error, size) ? SERVER_OK : SERVER_FAILED;
}

int command_status(int argc, char **argv)
{
	static const char *const shown[] = { NULL };
	struct config_option *table = config_table(own, options_table, shown, false);
	char error[1024] = "";
	struct config *c = config_read(table, argc, argv, error, sizeof error);
	int code = SERVER_USAGE;

	if (c && config_rest(c) < argc) {
		snprintf(error, sizeof error, "%s: not an option; see --help", argv[config_rest(c)]);
	} else if (c && config_bool(c, "help")) {
		puts("usage: culvertd status [-c FILE] [--admin SOCKET] [--json]\n\nShows what the running server does.\n");
		config_help(table);
		code = SERVER_OK;
	} else if (c) {
		code = ask(c, error, sizeof error);
	}
	if (code != SERVER_OK)
		fprintf(stderr, "culvertd: status: %s\n", error);
	config_free(c);
	free(table);
	return code;
}
