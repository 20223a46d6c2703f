/* Subcommands of culvertd: one file each, one row each in main.c. Each gets its own argv (argv[0] is the command)
 * and returns the exit code. */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

int command_gen_token(int argc, char **argv);
int command_gen_cert(int argc, char **argv);
int command_jwt(int argc, char **argv);
int command_status(int argc, char **argv);

#endif
