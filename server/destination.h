/*
 * Destinations: channels to addresses that helpers name themselves, as far as the target policy allows (PROTOCOL.md 6.7).
 */
#ifndef SERVER_DESTINATION_H
#define SERVER_DESTINATION_H

#include "server/egress.h"
#include "server/policies.h"
#include "tunnel/resolve.h"

/* What they work with. */
struct destinations {
	const struct egress_env *env;
	struct resolver *resolver;
	const struct policies *policies; /* may be replaced at any time */
	const char *(*identity)(const struct session *); /* of its owner */
};

/* An OPEN of FORM_ADDRESS, as session_events.open. The channel is open when its target is, and lookups are part of that. */
uint64_t destination_open(const struct destinations *, struct channel *, const struct message_open *, struct channel_params *,
			  const struct endpoint_ops **, void **endpoint, const char **sentence);

#endif
