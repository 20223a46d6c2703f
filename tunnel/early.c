/*
 * Early: capsules for channels whose OPEN has not come yet (PROTOCOL.md section
 * 6.1). Kept as copies within two caps, replayed by the inbox's own code when the
 * channel opens.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "tunnel/session_internal.h"

#define CHANNEL_BYTES 4096
#define SESSION_BYTES 65536

struct early {
	struct early *next;
	uint64_t channel, type;
	int64_t at_us;
	size_t len;
	uint8_t value[];
};

bool early_keep(struct session *s, uint64_t channel, uint64_t type, struct span value)
{
	struct early **at, *e;
	size_t bytes = value.n + sizeof *e, of_channel = bytes;

	for (at = &s->early; *at; at = &(*at)->next)
		if ((*at)->channel == channel)
			of_channel += (*at)->len + sizeof *e;
	if (of_channel > CHANNEL_BYTES || s->early_bytes + bytes > SESSION_BYTES)
		return false;
	e = malloc(sizeof *e + value.n);
	if (!e)
		abort();
	*e = (struct early){ .channel = channel, .type = type, .at_us = loop_now(s->loop), .len = value.n };
	memcpy(e->value, value.p, value.n);
	*at = e;
	s->early_bytes += bytes;
	return true;
}

static void replay(struct session *s, struct early *e)
{
	struct span value = { e->value, e->len };
	struct channel *ch;
	struct inbound in = { .lateness_ms = (uint32_t)((loop_now(s->loop) - e->at_us) / LOOP_MS) };

	/* No carrier and no leg: none of the capsules kept here needs one. */
	(void)inbox_capsule(&(struct carrier){ .session = s }, NULL, &in, e->type, value);
	ch = in.kept_out ? channel_find(s, e->channel) : NULL;
	if (ch) {	/* it was receipted and cannot be kept after all */
		channel_leave(ch, CODE_LIMIT, "too many pieces before the channel was open");
		channel_close(ch, CODE_LIMIT, "too many pieces before the channel was open");
	}
}

void early_replay(struct session *s, uint64_t channel)
{
	struct early **at = &s->early, *e;

	while ((e = *at) && s->state != SESSION_ENDED) {
		if (e->channel != channel) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		s->early_bytes -= e->len + sizeof *e;
		replay(s, e);
		free(e);
		at = &s->early;	/* the list may have changed under the call */
	}
}

void early_clear(struct session *s)
{
	struct early *e;

	while ((e = s->early)) {
		s->early = e->next;
		free(e);
	}
	s->early_bytes = 0;
}
