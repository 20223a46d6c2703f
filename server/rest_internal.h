/* What the files of the REST server share. */
#ifndef SERVER_REST_INTERNAL_H
#define SERVER_REST_INTERNAL_H

#include "server/rest.h"
#include "server/rest_rate.h"
#include "server/rest_tally.h"
#include "tunnel/mac.h"

#define REST_JSON "application/json"
#define REST_RECORDS "application/octet-stream"

struct rest {
	struct rest_config config;
	struct rest_cors *cors;
	struct turn_credentials *turn;	/* NULL: none */
	size_t bodies;		/* bytes that are there */
	struct mac_key *ticket_key; /* of this process */
	struct rest_tally tally;
	struct rest_rate *failures; /* of credentials */
};

#endif
