/* The traffic of a world: what accepts the helper's channels at the server. */
#ifndef TESTS_SIM_WORLD_FLOW_H
#define TESTS_SIM_WORLD_FLOW_H

#include "tests/sim/world.h"

/* Services "stream-N" and "datagram-N" are the flows of that number. */
uint64_t flow_accept(struct world *, struct channel *, struct channel_params *, const struct endpoint_ops **, void **);

#endif
