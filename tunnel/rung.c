/* Rungs: the one table of what moves records, best first. */
#include <string.h>

#include "tunnel/carrier_internal.h"

const struct rung rungs[] = {
	{ .name = "duplex", .up = &method_duplex, .down = &method_duplex, .connections = 1 },
	{ .name = "websocket", .up = &method_websocket, .down = &method_websocket, .connections = 1, .rest = true },
	{ .name = "split", .up = &method_up_stream, .down = &method_down_stream, .connections = 2 },
	{ .name = "split+fill", .up = &method_up_stream, .down = &method_down_stream, .connections = 2, .fill = 16384 },
	{ .name = "push", .up = &method_up_post, .down = &method_down_stream, .connections = 1 },
	{ .name = "push+sse", .up = &method_up_post, .down = &method_down_stream, .connections = 1, .event_stream = true },
	{ .name = "push+pad", .up = &method_up_post, .down = &method_down_stream, .connections = 1, .pad = 4096 },
	{ .name = "poll", .up = &method_up_post, .down = &method_down_poll, .connections = 1 },
	{ .name = NULL },
};

const struct rung *rung_find(const char *name)
{
	for (const struct rung *r = rungs; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}
