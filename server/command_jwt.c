/*
 * culvertd jwt: prints a JSON Web Token for a page, signed with a token of the token file: to try REST by hand. A page's own server makes them
 * itself (README.md).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "framing/base64.h"
#include "framing/message.h"
#include "server/commands.h"
#include "server/rest_jwt.h"
#include "server/server.h"
#include "tunnel/config.h"
#include "tunnel/credential.h"

static const struct config_option table[] = {
	{ .name = "token-file", .type = CONFIG_STRING, .only_command_line = true, .metavar = "FILE", .help = "the server's token file" },
	{ .name = "identity", .type = CONFIG_STRING, .only_command_line = true, .metavar = "NAME",
	  .help = "whose token signs it (the first in the file)" },
	{ .name = "service", .type = CONFIG_STRING, .only_command_line = true, .metavar = "NAME", .help = "the one service that it allows (all)" },
	{ .name = "expires", .type = CONFIG_INT, .only_command_line = true, .min = 1, .max = REST_JWT_FAR, .initial = 3600, .metavar = "S",
	  .help = "seconds that it is good for (3600)" },
	{ .name = "help", .letter = 'h', .type = CONFIG_FLAG, .help = "show this" },
	{ .name = NULL },
};

static int wrong(const char *sentence)
{
	fprintf(stderr, "culvertd: jwt: %s\n", sentence);
	return SERVER_USAGE;
}

static bool is_service(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= MESSAGE_NAME_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static int print(const struct credentials *credentials, const struct config *c)
{
	const char *identity = config_string(c, "identity");
	char text[1024], error[256];
	uint8_t mac[MAC_BYTES];
	int64_t now = time(NULL);
	size_t n;

	if (!identity)
		identity = credentials_first(credentials);
	/* A name of the file first: what is none could have any characters. */
	if (!credentials_named(credentials, (struct span){ (const uint8_t *)identity, strlen(identity) })) {
		snprintf(error, sizeof error, "--identity: nobody is called '%.64s' in %.128s", identity, config_string(c, "token-file"));
		return wrong(error);
	}
	n = rest_jwt_write(text, sizeof text - base64_len(MAC_BYTES, true) - 2, identity, config_string(c, "service"), now, now + config_int(c, "expires"));
	if (!credentials_sum(credentials, identity, (struct span){ (const uint8_t *)text, n }, mac))
		return wrong("--identity: its token is shorter than 32 characters, which is too short to sign with: `culvertd gen-token` makes longer ones");
	text[n] = '.';
	base64_encode(text + n + 1, mac, sizeof mac, true);
	puts(text);
	if (fflush(stdout) == 0)
		return SERVER_OK;
	perror("culvertd: jwt");
	return SERVER_FAILED;
}

static int make(const struct config *c, int argc, char **argv)
{
	const char *file = config_string(c, "token-file"), *service = config_string(c, "service");
	struct credentials *credentials;
	char error[512], why[400];
	int code;

	if (config_rest(c) < argc) {
		snprintf(error, sizeof error, "%.100s: not an option; see --help", argv[config_rest(c)]);
		return wrong(error);
	}
	if (!file)
		return wrong("--token-file is missing: give the server's");
	if (service && !is_service(service))
		return wrong("--service: a service name has 1 to 64 characters of a-z 0-9 . _ -");
	credentials = credentials_load(file, why, sizeof why);
	if (!credentials) {
		snprintf(error, sizeof error, "--token-file: %s", why);
		return wrong(error);
	}
	code = print(credentials, c);
	credentials_free(credentials);
	return code;
}

int command_jwt(int argc, char **argv)
{
	char error[512];
	struct config *c = config_read(table, argc, argv, error, sizeof error);
	int code = SERVER_OK;

	if (!c)
		return wrong(error);
	if (config_bool(c, "help")) {
		puts("usage: culvertd jwt --token-file FILE [--identity NAME] [--service NAME] [--expires S]\n\n"
		     "Prints a JSON Web Token, with which a page or curl may use REST:\n"
		     "  echo \"Authorization: Bearer $(culvertd jwt --token-file tokens --service sig)\" > bearer\n"
		     "  curl -H @bearer -X PUT https://HOST/culvert/v1/SID/signal/sig\n");
		config_help(table);
	} else {
		code = make(c, argc, argv);
	}
	config_free(c);
	return code;
}
