/*
 * REST request: path and query of REST.md, {base}/v1/{sid}/signal/{service}?after=..&wait=.., and {base}/v1/turn-credentials. Pure.
 */
#ifndef FRAMING_REST_REQUEST_H
#define FRAMING_REST_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/cursor.h"
#include "framing/message.h"
#include "framing/request.h"

#define REST_NUMBER_MAX ((UINT64_C(1) << 53) - 1) /* of messages: what a number of JSON holds */
#define REST_TICKET_MAX 256

struct rest_request {
	char sid[REQUEST_SID_LEN + 1];
	char service[MESSAGE_NAME_MAX + 1];
	bool ticket_wanted;	/* .../ticket */
	bool turn;		/* {base}/v1/turn-credentials; sid is "", service "turn" */
	/* The query. */
	bool has_after;
	uint64_t after;
	uint32_t wait_s;	/* 0 to 3600 */
	bool stream;
	uint32_t keepalive_s;	/* 0: not given, else 1 to 60 */
	uint32_t for_s;		/* 0: not given, else 1 to 86400 */
	struct span ticket;	/* n = 0: none; as it came */
};

/* Parses a request target (origin or absolute form). 0; ERROR_UNSUPPORTED when its path is not that of a signalling resource;
 * ERROR_MALFORMED when it is and cannot be read: sid and service are filled in as far as they could be. Parameters that are not known
 * are ignored; each that is known may come once. */
int rest_request_parse(struct rest_request *, const char *base, struct span target);

#endif
