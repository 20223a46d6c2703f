/*
 * The simulated call of `culvert doctor`: a session of its own, with one carrier on
 * one rung, whose packets go to the server's echo and come back.
 */
#ifndef CLIENT_DOCTOR_CALL_H
#define CLIENT_DOCTOR_CALL_H

#include "client/call_result.h"
#include "client/sealed_path.h"
#include "framing/packet.h"
#include "tunnel/carrier.h"
#include "tunnel/loop.h"
#include "tunnel/pool.h"
#include "tunnel/session.h"

#define CALL_SECONDS 4
#define CALL_SECONDS_MAX 60

struct doctor_call;

/* What it works with; all of it belongs to the caller and outlives the call. */
struct call_setup {
	struct loop *loop;
	const struct session_config *session;
	const struct carrier_path *path;
	struct pool *pool;
	struct packet_pool *packets;
	const struct sealed_setup *sealed; /* what is sent is sealed; NULL: it is not */
	unsigned seconds;	/* 0: CALL_SECONDS */
};

/* Begins. After half a second for the rung to settle, 50 packets of 172 bytes are sent each second, as a call with G.711
 * does, the same being sent back. done is called once, from a turn of its own, when the session has been ended again; the call is gone
 * when it returns. */
struct doctor_call *doctor_call_start(const struct call_setup *, const struct rung *,
				      void (*done)(void *ctx, const struct call_result *), void *ctx);
/* Ends it in any state; done is not called. NULL is fine. */
void doctor_call_cancel(struct doctor_call *);
/* For progress: packets sent so far, of how many. */
unsigned doctor_call_progress(const struct doctor_call *, unsigned *of);

#endif
