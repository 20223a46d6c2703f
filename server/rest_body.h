/*
 * REST bodies: what requests say and answers tell, in both forms (REST.md 2 to 4): JSON, and records for the library.
 */
#ifndef SERVER_REST_BODY_H
#define SERVER_REST_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/rest_messages.h"
#include "server/rest_text.h"

/* Of a request. */
struct rest_body {
	uint64_t seq, after;	/* seq 0: none */
	uint32_t wait_ms;
	bool has_after, quiet;
	char protocols[257];	/* PUT */
	struct rest_message *messages; /* the caller's */
};

/* Of an answer. */
struct rest_answer {
	uint64_t taken, seq;
	const struct rest_message *first; /* NULL: none */
	size_t count;
	bool closed;
};

/* 0, ERROR_MALFORMED or ERROR_LIMIT (a message is longer than message_max) with a sentence; then *body has no messages. An empty body is fine. */
int rest_json_read(struct rest_body *, const uint8_t *p, size_t n, size_t message_max, const char **why);
int rest_json_read_put(struct rest_body *, const uint8_t *p, size_t n, const char **why);
void rest_json_write(struct rest_text *, const struct rest_answer *);
int rest_records_read(struct rest_body *, const uint8_t *p, size_t n, size_t message_max, const char **why);
void rest_records_write(struct rest_text *, const struct rest_answer *);
/* The members of an answer beside its messages, without braces. */
void rest_json_head(struct rest_text *, const struct rest_answer *);
/* Is it a close that may be sent? */
bool rest_close_ok(unsigned code, const uint8_t *reason, size_t n);

#endif
