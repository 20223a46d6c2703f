/*
 * culvert discovery-child STAGE: a child process of discovery (client/child.h). Nobody
 * types this.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/stage.h"

static const struct {
	const char *name;
	int (*run)(void);
} stages[] = {
	{ "settings", stage_settings },
	{ "fetch", stage_fetch },
	{ "script", stage_script },
};

int command_child(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof stages / sizeof *stages; i++)
		if (strcmp(stages[i].name, argv[1]) == 0)
			_exit(stages[i].run());	/* no destructors of libraries that were not used to their end */
	fprintf(stderr, "culvert: this is started by culvert itself\n");
	return CLIENT_USAGE;
}
