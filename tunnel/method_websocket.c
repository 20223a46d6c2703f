/*
 * WebSocket: one exchange that speaks it both ways, a record in each message. Up and down method of the helper,
 * and the mode at the server. It lives, is renewed and watched as duplex is.
 */
#include "framing/error.h"
#include "tunnel/method_duplex.h"

/* ---- helper ---- */

static const struct leg_ops helper_leg = {
	.mode = MODE_WEBSOCKET, .head = method_duplex_head, .end = method_duplex_end, .timer = method_duplex_timer,
	.closed = method_duplex_closed,
};

static void stand(struct carrier_helper *h)
{
	struct leg *leg;

	if (h->path->sealing) {		/* who asks is said in what is sealed, which comes only behind the answer */
		carrier_helper_fail(h, ERROR_UNSUPPORTED, "a WebSocket cannot be sealed");
		return;
	}
	leg = method_duplex_begin(h, &helper_leg);
	if (!leg)
		return;
	h->user.leaving = carrier_proof_rests(h); /* who cuts it may cut nothing else */
	leg_begin(leg, carrier_helper_head(h, leg, true));
	method_duplex_begun(leg);
}

const struct method method_websocket = { "websocket", stand, method_duplex_send };

/* ---- server ---- */

const struct mode mode_websocket = {
	{ .mode = MODE_WEBSOCKET, .end = method_duplex_server_end, .timer = carrier_server_keepalive,
	  .closed = carrier_server_stream_closed },
	carrier_server_stream,
};
