/*
 * REST messages: one direction of a session, whose messages are counted from 1. Pure but for allocation.
 */
#ifndef SERVER_REST_MESSAGES_H
#define SERVER_REST_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in records. */
enum rest_type { REST_TEXT = 1, REST_BINARY = 2, REST_CLOSE = 8 };

struct rest_message {
	struct rest_message *next;
	uint64_t number;	/* of those in a list of struct rest_messages */
	enum rest_type type;
	unsigned code;		/* of a close: 1005 when it has none */
	size_t n;
	uint8_t p[];		/* a close's reason */
};

/* p may be NULL: the n bytes are filled in by the caller. */
struct rest_message *rest_message_new(enum rest_type, const uint8_t *p, size_t n);
/* With all that follow it. NULL is fine. */
void rest_message_free(struct rest_message *);

/* By rising numbers, with gaps where some have not come yet. */
struct rest_messages {
	struct rest_message *first, *last;
	uint64_t next;		/* number of the next one in order; what is in front of it was here once */
	size_t bytes, count;	/* in the list */
};

void rest_messages_init(struct rest_messages *);
void rest_messages_fini(struct rest_messages *);
/* Takes the message over as the next one. */
void rest_messages_append(struct rest_messages *, struct rest_message *);
/* Frees those up to this number. */
void rest_messages_forget(struct rest_messages *, uint64_t upto);
/* The first one behind this number, or NULL. */
const struct rest_message *rest_messages_after(const struct rest_messages *, uint64_t number);
/* Takes a chain of messages over whose first has this number, unless it returns a code: ERROR_LIMIT: beyond so many bytes or messages
 * (but the next one in order fits where nothing in order waits); ERROR_MALFORMED: another message has that number, or one behind a close. Those
 * that were here before are dropped. */
int rest_messages_insert(struct rest_messages *, uint64_t number, struct rest_message *chain, size_t bytes_max, size_t count_max);
/* The first one, if it is in order; taken out of the list. NULL: it has not come. */
struct rest_message *rest_messages_take(struct rest_messages *);

#endif
