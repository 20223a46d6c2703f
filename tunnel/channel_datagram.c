/*
 * Datagram channels: timely, never sent again (PROTOCOL.md sections 4.3, 4.4 and
 * 6.3). Endpoints send packets, which wait in the session's scheduler; the outbox
 * moves them into records, the inbox delivers what arrives.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/session_internal.h"

#define FAST 1000		/* packets in a second: beyond that 16 bits of sequence may not tell */
#define FAST_FOR (30 * LOOP_SECOND) /* what was sent then may be on its way for so long */

void channel_datagram_init(struct channel *ch)
{
	ch->seen = calloc(1, sizeof *ch->seen);
	if (!ch->seen)
		abort();
	window_init(ch->seen);
	scheduler_flow_init(&ch->flow, &ch->session->scheduler, ch);
	traffic_flow_init(&ch->out);
	traffic_flow_init(&ch->in);
}

void channel_datagram_fini(struct channel *ch)
{
	scheduler_flow_fini(&ch->flow);
	redundancy_forget(&ch->session->redundancy, ch->id);
	free(ch->seen);
	ch->seen = NULL;
}

static struct traffic_mark look(struct channel *ch, struct traffic_flow *flow, const uint8_t *p, size_t n, uint8_t dscp)
{
	ch->params.rules.class = (uint8_t)ch->params.class;
	return traffic_look(flow, &ch->params.rules, p, n, dscp);
}

static uint32_t deadline_ms(const struct channel *ch, enum traffic class)
{
	return ch->params.deadline_ms ? ch->params.deadline_ms : traffic_deadline_ms(class);
}

/* ---- out ---- */

void channel_datagram_dropped(void *ctx, const struct packet *p, enum scheduler_reason reason)
{
	struct channel *ch = ctx;

	(void)p;
	switch (reason) {
	case SCHEDULER_DEADLINE:
		count(dropped_queue_deadline);
		channel_tally(ch, dropped.deadline, 1);
		break;
	case SCHEDULER_FRAME:
		count(dropped_frame);
		channel_tally(ch, dropped.frame, 1);
		break;
	default:
		count(dropped_full);
		channel_tally(ch, dropped.full, 1);
	}
}

void channel_send(struct channel *ch, struct packet *p)
{
	struct session *s = ch->session;
	int64_t now = loop_now(s->loop);

	if (s->state == SESSION_ENDED || ch->closing || p->len > MESSAGE_DATAGRAM_MAX) {
		channel_datagram_dropped(ch, p, SCHEDULER_FULL);
		packet_put(p);
		return;
	}
	ch->active_us = now;
	p->mark = look(ch, &ch->out, p->data, p->len, p->dscp);
	p->deadline_us = p->born_us + deadline_ms(ch, p->mark.class) * LOOP_MS;
	scheduler_add(&ch->flow, p, now);
	timer_sooner(&s->idle, now + CHANNEL_SWEEP);
	session_kick(s);
}

bool channel_datagram_write(struct writer *w, uint64_t channel, const struct packet *p, int64_t now_us)
{
	int64_t age = (now_us - p->born_us) / LOOP_MS;
	struct message_datagram m = { .channel = channel, .sequence = (uint32_t)p->sequence,
				      .sequence_bits = p->sequence_bits, .age_ms = age > 0 ? (uint64_t)age : 0,
				      .payload = { p->data, p->len } };

	return message_datagram_put(w, &m);
}

/* Enough for more than twice what may be on the way (PROTOCOL.md section 4.4). */
static uint8_t sequence_bits(struct channel *ch, int64_t now_us)
{
	if (now_us - ch->pace_us >= LOOP_SECOND) {
		ch->pace_us = now_us;
		ch->pace_sequence = ch->sequence;
	}
	if (ch->sequence - ch->pace_sequence >= FAST)
		ch->fast_until_us = now_us + FAST_FOR;
	return now_us < ch->fast_until_us ? 24 : 16;
}

bool channel_datagram_send(struct channel *ch, struct writer *w, struct packet *p)
{
	int64_t now = loop_now(ch->session->loop);

	p->sequence = ch->sequence;
	p->sequence_bits = sequence_bits(ch, now);
	if (!channel_datagram_write(w, ch->id, p, now))
		return false;
	ch->sequence++;
	channel_tally(ch, packets_out, 1);
	channel_tally(ch, bytes_out, p->len);
	count(datagrams_out);
	count_add(datagram_bytes_out, p->len);
	return true;
}

/* ---- in ---- */

/* A call goes on: it counts for what is sent, too. */
static void note_media(struct channel *ch, enum traffic class)
{
	struct redundancy *r = &ch->session->redundancy;
	int64_t now = loop_now(ch->session->loop);

	if (class != TRAFFIC_BULK)
		redundancy_media(r, class, now);
	if (class <= TRAFFIC_AUDIO && ch->params.redundancy != REDUNDANCY_NEVER)
		redundancy_useful(r, now);
}

void channel_datagram_receive(struct channel *ch, const struct message_datagram *m, uint32_t lateness_ms)
{
	enum traffic class;
	uint64_t sequence;

	if (ch->closing || !ch->ops)
		return;
	sequence = window_expand(ch->seen->next, m->sequence, m->sequence_bits);
	if (!window_mark(ch->seen, sequence)) {
		count(dropped_repeat);
		channel_tally(ch, dropped.repeat, 1);
		return;
	}
	class = look(ch, &ch->in, m->payload.p, m->payload.n, 0).class;
	note_media(ch, class);
	if (lateness_ms + m->age_ms > deadline_ms(ch, class)) {
		count(dropped_late);
		channel_tally(ch, dropped.late, 1);
		return;
	}
	ch->active_us = loop_now(ch->session->loop);
	channel_tally(ch, packets_in, 1);
	channel_tally(ch, bytes_in, m->payload.n);
	count(datagrams_in);
	count_add(datagram_bytes_in, m->payload.n);
	ch->ops->datagram(ch->ctx, m->payload.p, m->payload.n);
}
