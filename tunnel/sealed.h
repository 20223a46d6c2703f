/*
 * Sealed exchanges: an exchange around another one. What is written into it leaves
 * as SEALED capsules, what comes out of it was opened and is genuine. Carriers and
 * probes do not see the difference. A capsule that cannot be opened ends the
 * exchange (ERROR_AUTH), is counted and logged; nothing of it is handed on.
 */
#ifndef TUNNEL_SEALED_H
#define TUNNEL_SEALED_H

#include "tunnel/exchange.h"
#include "tunnel/loop.h"
#include "tunnel/seal.h"

#define SEALED_WAIT (30 * LOOP_SECOND)	/* server: for the first capsule of a request */

/* Helper: wraps an exchange that has not begun; its events and ctx are taken over. The seal is kept as long as needed. An
 * answer with another status than 200 is handed on as it is; one that is not sealed fails with ERROR_HTTP, UNSEALED with
 * ERROR_AUTH and seal_lose. */
struct exchange *sealed_helper(struct loop *, struct seal *, struct exchange *inner);

struct sealed_events {
	/* The first capsule of the request was opened: takes plain over (sets its events) and answers on it, or aborts it.
	 * authorization: what stands for the Authorization header, n = 0 when there is none; valid during the call. The rest of
	 * what came follows when it returns. False: it is not wanted; failed follows, without a why. */
	bool (*opened)(void *ctx, struct exchange *plain, struct span authorization);
	/* It could not be: inner is the callee's again (its events are to be set), nothing was answered. Counted, but the callee
	 * logs it. why = NULL: the callee knows. */
	void (*failed)(void *ctx, struct exchange *inner, const char *why);
	/* The connection ended before. Last call, as the other two. */
	void (*closed)(void *ctx);
};

/* Server: takes over a request of which only the head came. */
void sealed_server(struct loop *, struct seal *, struct exchange *inner, struct span path_query, const struct sealed_events *,
		   void *ctx);

#endif
