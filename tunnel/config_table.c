/*
 * Tables of subcommands, which read the configuration file of their program: its
 * options are theirs, too.
 */
#include <stdlib.h>
#include <string.h>

#include "tunnel/config_values.h"

static bool has(const struct config_option *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return true;
	return false;
}

static bool is_shown(const char *const *shown, const char *name)
{
	for (; *shown; shown++)
		if (strcmp(*shown, name) == 0)
			return true;
	return false;
}

struct config_option *config_table(const struct config_option *own, const struct config_option *program, const char *const *shown,
				   bool on_line)
{
	struct config_option *table = calloc(config_count(own) + config_count(program) + 1, sizeof *table);
	size_t n = config_count(own);

	if (!table)
		abort();
	memcpy(table, own, n * sizeof *own);
	for (const struct config_option *o = program; o->name; o++) {
		if (has(own, o->name))
			continue;
		table[n] = *o;
		if (!is_shown(shown, o->name)) {
			table[n].help = NULL;
			table[n].only_file = !on_line;
		}
		n++;
	}
	return table;
}
