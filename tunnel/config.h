/*
 * Configuration: typed files read with libconfuse, the only file that sees it.
 * A program describes its options once in a table; files and the command line
 * fill the same values, the command line wins. Errors carry file:line and what
 * would be right.
 */
#ifndef TUNNEL_CONFIG_H
#define TUNNEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

enum config_type {
	CONFIG_STRING,
	CONFIG_INT,	/* with min and max */
	CONFIG_BOOL,
	CONFIG_LIST,	/* list of strings; on the command line the option repeats */
	CONFIG_FLAG,	/* command line only: no value */
	CONFIG_SECTIONS, /* file only: titled sections with string, int, bool and list options of their own */
};

struct config_option {
	const char *name;	/* in the file with '-', on the command line "--name" */
	char letter;		/* short option, or 0 */
	enum config_type type;
	long min, max, initial;	/* ints and bools */
	const char *value;	/* default of a string, or NULL */
	const char *metavar;	/* for --help: "FILE" */
	const char *help;	/* one line for --help; NULL hides it */
	const struct config_option *options; /* of sections; ends with name NULL */
	bool only_command_line, only_file;
};

#define CONFIG_ITEMS_MAX 256	/* elements of a list, sections of a kind */

struct config;
struct config_section;

/* options end with name NULL. Reads the command line: --name value, --name=value, -x value; the first
 * argument that is no option ends it. Then, if -c/--config FILE was given, that file. NULL after a message in
 * error, which starts with FILE:LINE: or with the option. --help and --version are left to the caller as flags. */
struct config *config_read(const struct config_option *, int argc, char **argv, char *error, size_t size);
void config_free(struct config *);
int config_rest(const struct config *);		/* index of the first argument behind the options */

bool config_given(const struct config *, const char *name);	/* by file or command line */
const char *config_string(const struct config *, const char *name);
long config_int(const struct config *, const char *name);
bool config_bool(const struct config *, const char *name);
size_t config_list_size(const struct config *, const char *name);
const char *config_list(const struct config *, const char *name, size_t i);
/* "FILE:LINE" or "--name": where element i came from, for messages of checks made later. */
const char *config_where(const struct config *, const char *name, size_t i);

size_t config_sections(const struct config *, const char *name);
const struct config_section *config_section(const struct config *, const char *name, size_t i);
const char *config_section_title(const struct config_section *);
const char *config_section_where(const struct config_section *);
const char *config_section_string(const struct config_section *, const char *name);
long config_section_int(const struct config_section *, const char *name);
bool config_section_bool(const struct config_section *, const char *name);
size_t config_section_list_size(const struct config_section *, const char *name);
const char *config_section_list(const struct config_section *, const char *name, size_t i);

/* For a subcommand that reads the file of its program: its own options, which end with name NULL, and behind them those of the program
 * that it has not; --help lists of these the ones named in shown, which ends with NULL. on_line: the others may be given on the command
 * line, too. The caller frees the table, after the config. */
struct config_option *config_table(const struct config_option *own, const struct config_option *program, const char *const *shown,
				   bool on_line);

/* The options as a table for --help. */
void config_help(const struct config_option *);

#endif
