/* Rungs: the one table of what moves records, best first. */
#include <string.h>

#include "tunnel/carrier_internal.h"

const struct rung rungs[] = {
	{ "duplex", &method_duplex, &method_duplex },
	{ "split", &method_up_stream, &method_down_stream },
	{ "push", &method_up_post, &method_down_stream },
	{ "poll", &method_up_post, &method_down_poll },
	{ NULL, NULL, NULL },
};

const struct rung *rung_find(const char *name)
{
	for (const struct rung *r = rungs; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}
