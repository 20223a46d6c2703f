/* What the files of the REST server share. */
#ifndef SERVER_REST_INTERNAL_H
#define SERVER_REST_INTERNAL_H

#include "server/rest.h"

#define REST_JSON "application/json"
#define REST_RECORDS "application/octet-stream"

struct rest {
	struct rest_config config;
	struct rest_cors *cors;
	size_t bodies;		/* bytes that are there */
};

#endif
