/*
 * REST stream: an answer that goes on (REST.md 5): to a GET, with the messages of its session as they come, until its time is over, a newer
 * request takes its place or the session ends.
 */
#ifndef SERVER_REST_STREAM_H
#define SERVER_REST_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/http1.h"
#include "server/rest_body.h"
#include "server/rest_text.h"

#define REST_STREAM_FOR 600		/* seconds that it goes on, when nothing is said */
#define REST_STREAM_KEEPALIVE 8		/* seconds without a message after which something is sent */
#define REST_STREAM_PRELUDE 2048	/* bytes of padding at its begin: what is smaller is often held back */
#define REST_STREAM_MARK_MS 200		/* of the second mark */
#define REST_STREAM_STUCK 60		/* seconds in which the client takes nothing of what is there for it */

struct rest_call;
struct rest_session;
struct rest_stream;

/* How it is written. */
struct rest_stream_form {
	const char *name, *type;
	void (*begin)(struct rest_text *, const struct rest_answer *);
	/* The next message is another one than the one behind the last. NULL: each has its number anyway. */
	void (*jump)(struct rest_text *, const struct rest_answer *);
	void (*mark)(struct rest_text *, unsigned n, int64_t ms);
	void (*message)(struct rest_text *, const struct rest_message *);
	void (*keepalive)(struct rest_text *);
	/* Why it ends: a word. NULL: it just does. */
	void (*end)(struct rest_text *, const char *why);
};
extern const struct rest_stream_form rest_sse_form, rest_records_form;

/* Does this GET ask for one? Sets call->form, and what Last-Event-ID says instead of `after`. False: Last-Event-ID is no number. */
bool rest_stream_ask(struct rest_call *, const struct http1_head *);
/* Begins the answer: the session's messages behind call->after. The call keeps it in call->stream. */
void rest_stream_begin(struct rest_call *, struct rest_session *);
/* For rest_call.c. */
void rest_stream_writable(struct rest_stream *);
void rest_stream_free(struct rest_stream *);	/* NULL is fine */

#endif
