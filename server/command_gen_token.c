/*
 * culvertd gen-token: prints a line for a token file, which serves at both ends.
 */
#include <stdio.h>
#include <string.h>

#include "server/commands.h"
#include "server/server.h"
#include "tunnel/credential.h"
#include "tunnel/daemon.h"

int command_gen_token(int argc, char **argv)
{
	char line[CREDENTIAL_NAME_MAX + 128];

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		puts("usage: culvertd gen-token NAME\n\n"
		     "Prints a fresh line name:token. Append it to the server's token file, and put the same line into the\n"
		     "token file of the helper. A name may have several lines: to change a token, add the new one, change the\n"
		     "helper, then remove the old one.");
		return SERVER_OK;
	}
	if (argc != 2 || *argv[1] == '-') {
		fputs("culvertd: gen-token: give the name of who will use it: culvertd gen-token NAME\n", stderr);
		return SERVER_USAGE;
	}
	if (credentials_generate(argv[1], line, sizeof line) < 0) {
		fprintf(stderr, "culvertd: gen-token: a name has 1 to %d characters of A-Z a-z 0-9 . _ -, not '%s'\n",
			CREDENTIAL_NAME_MAX, argv[1]);
		return SERVER_USAGE;
	}
	printf("%s\n", line);
	daemon_wipe(line, sizeof line);
	if (fflush(stdout) == 0)
		return SERVER_OK;
	perror("culvertd: gen-token");
	return SERVER_FAILED;
}
