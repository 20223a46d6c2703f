/*
 * What message.c and message_channel.c share; nobody else includes it.
 */
#ifndef FRAMING_MESSAGE_FIELDS_H
#define FRAMING_MESSAGE_FIELDS_H

#include "framing/error.h"
#include "framing/message.h"

#define MESSAGE_SCRATCH_MAX 1024 /* more than the fields of any message without its rest */

#define MESSAGE_BIT(id) (UINT32_C(1) << (id))

static const struct span message_nothing = { NULL, 0 };

static inline int message_result(const struct cursor *c)
{
	return c->bad ? ERROR_MALFORMED : 0;
}

/* Writes the capsule whose value is the fields and then the rest; false and
 * nothing written when there is no room, or when the fields are full. */
bool message_emit(struct writer *, uint64_t type, const struct writer *fields, struct span rest);
/* A text block; text longer than the peer would take makes the writer full. */
void message_text_put(struct writer *, struct span text, size_t max);

/* Reads parameters up to the end. Those not in the mask of ids are unknown to the
 * message and ignored; but no id may come twice (of ids above 31 only the first few
 * are watched). 0 or ERROR_MALFORMED. */
int message_params_get(struct cursor *, uint32_t mask, struct message_params *);
void message_params_put(struct writer *, uint32_t mask, const struct message_params *);

#endif
