/*
 * A reverse proxy that joins what its clients ask on one connection of HTTP/2 to the server, with the
 * windows that nghttp2 has by default: 65,535 bytes for a body, and as many for all of them together.
 */
#ifndef TESTS_SIM_GATEWAY_H
#define TESTS_SIM_GATEWAY_H

#include "tests/sim/engine.h"

/* When it gives the connection's window back. */
enum gateway_manner {
	GATEWAY_HALF,		/* when half of it was used, as nghttp2 does */
	GATEWAY_SOON,		/* each 4 KB */
	GATEWAY_LAST,		/* when all of it was used */
	GATEWAY_ALMOST,		/* when seven parts in eight were */
};
extern enum gateway_manner gateway_manner;	/* of those made from then on */

extern const struct engine_between gateway;

#endif
