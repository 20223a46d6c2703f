/* How requests of a helper look: one head for carriers and probes. */
#include <stdio.h>

#include "tunnel/carrier_internal.h"

const struct exchange_head *carrier_path_head(const struct carrier_path *path, const struct request *r, bool streamed)
{
	static char target[REQUEST_TARGET_MAX], lines[1024], authorization[256];
	static struct exchange_head head = { .method = "POST", .target = target, .lines = lines };

	request_put(r, path->base, target, sizeof target);
	path->sign(path->ctx, authorization, sizeof authorization, head.method, target);
	snprintf(lines, sizeof lines, "Authorization: %s\r\nUser-Agent: %s\r\n"
		 "Content-Type: application/octet-stream\r\nCache-Control: no-store\r\nAccept: */*\r\n",
		 authorization, path->user_agent);
	head.host = path->host;
	head.streamed = streamed;
	return &head;
}
