/* Subcommands of culvert: one file each, one row each in main.c. Each gets its own argv (argv[0] is the command) and
 * returns the exit code. */
#ifndef CLIENT_COMMANDS_H
#define CLIENT_COMMANDS_H

enum client_exit {
	CLIENT_OK = 0,
	CLIENT_FAILED = 1,	/* what cannot heal by itself */
	CLIENT_USAGE = 2,
	CLIENT_UNCONNECTED = 3,	/* status: there is a helper, but it has no way to its server */
};

int command_doctor(int argc, char **argv);
int command_status(int argc, char **argv);
int command_up(int argc, char **argv);
int command_down(int argc, char **argv);
int command_child(int argc, char **argv);	/* not for people: see client/child.h */

#endif
