/*
 * REST tally: how many requests were made, by method and by what became of them, and what `culvertd status` shows of it. The rest is in
 * counters.h.
 */
#ifndef SERVER_REST_TALLY_H
#define SERVER_REST_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "server/rest_call.h"

enum rest_outcome {
	REST_SERVED,	/* status 2xx */
	REST_REFUSED,	/* 4xx: the client can do something about it */
	REST_FAILED_HERE, /* 5xx */
	REST_LEFT,	/* the client was gone before it was answered */
	REST_OUTCOMES
};

struct rest_tally {
	uint64_t n[REST_NO_METHOD + 1][REST_OUTCOMES];
};

/* status: of the answer; 0: none. */
void rest_tally_count(struct rest_tally *, enum rest_method, int status);

struct rest;
struct sessions;

/* Of the server: a value of JSON, or lines of text. */
void rest_tally_write(const struct rest *, const struct sessions *, FILE *, bool json);
/* Of one session: members of JSON with a comma in front, or a text. */
void rest_tally_write_session(const struct rest_session *, FILE *, bool json);

#endif
