/*
 * How requests of a helper look, and where their exchanges come from: one place for carriers,
 * probes and the sealer, so that nothing goes unsealed where it must not.
 */
#include <stdio.h>

#include "tunnel/carrier_internal.h"
#include "tunnel/credential.h"
#include "tunnel/sealed.h"

/* The Authorization line, or what stands for it within the body. */
static void sign(const struct carrier_path *path, struct exchange_head *head, char *line, size_t size)
{
	static char authorization[CREDENTIAL_HEADER_MAX];

	path->sign(path->ctx, authorization, sizeof authorization, head->method, head->target);
	if (path->seal)
		head->authorization = authorization;
	else
		snprintf(line, size, "Authorization: %s\r\n", authorization);
}

const struct exchange_head *carrier_path_head(const struct carrier_path *path, struct request *r, bool streamed)
{
	static char target[REQUEST_TARGET_MAX], lines[1024];
	/* Before the pages of a website that are on the same connection between a reverse proxy and the server. */
	static struct exchange_head head = { .method = "POST", .target = target, .lines = lines, .priority = "u=1, i" };
	char line[CREDENTIAL_HEADER_MAX + 20] = "";

	if (path->seal && r->mode != MODE_SEAL)
		r->seal = path->seal_number;
	request_put(r, path->base, target, sizeof target);
	head.method = request_mode_method(r->mode);
	head.authorization = NULL;
	if (r->mode != MODE_SEAL)	/* a seal is made for whoever asks: nobody's name goes in the clear */
		sign(path, &head, line, sizeof line);
	snprintf(lines, sizeof lines, "%sUser-Agent: %s\r\n%sCache-Control: no-store\r\nAccept: */*\r\n", line, path->user_agent,
		 r->mode == MODE_WEBSOCKET ? "" : "Content-Type: application/octet-stream\r\n");
	head.host = path->host;
	head.streamed = streamed;
	return &head;
}

bool carrier_path_is_sealing(const struct carrier_path *path)
{
	return path->sealing && (!path->seal || seal_is_lost(path->seal));
}

struct exchange *carrier_path_exchange(const struct carrier_path *path, struct pool_user *user,
				       const struct exchange_events *events, void *asker)
{
	struct exchange *x;

	if ((path->must_seal && path->must_seal(path->ctx) && !path->seal) || carrier_path_is_sealing(path))
		return NULL;
	x = pool_exchange(user, events, asker);
	if (!x || path->seal)
		return x ? sealed_helper(pool_loop(user->pool), path->seal, x) : NULL;
	if (!pool_is_plain(x))
		return x;
	exchange_abort(x);	/* never in the clear, whoever thinks so */
	return NULL;
}
