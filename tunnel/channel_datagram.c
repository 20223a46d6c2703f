/*
 * Datagram channels: timely, never sent again (PROTOCOL.md sections 4.3, 4.4 and
 * 6.3). Endpoints send packets, the outbox moves them into records, the inbox
 * delivers what arrives.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/classify.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/session_internal.h"

#define AUDIO_DEADLINE 200	/* ms */
#define VIDEO_DEADLINE 400
#define OTHER_DEADLINE 1000
#define VIDEO_SIZE 500		/* RTP of unknown class with more bytes than this is taken for video */

void channel_datagram_init(struct channel *ch)
{
	ch->seen = calloc(1, sizeof *ch->seen);
	if (!ch->seen)
		abort();
	window_init(ch->seen);
	packet_queue_init(&ch->queue);
}

static void dequeue(struct channel *ch, struct packet *p)
{
	ch->session->queued_packets--;
	ch->session->queued_bytes -= p->len;
	packet_put(p);
}

void channel_datagram_fini(struct channel *ch)
{
	struct packet *p;

	while ((p = packet_queue_take(&ch->queue)))
		dequeue(ch, p);
	free(ch->seen);
	ch->seen = NULL;
}

static uint32_t deadline_of(const struct channel *ch, const uint8_t *p, size_t n)
{
	struct classify_result r;

	if (ch->params.deadline_ms)
		return ch->params.deadline_ms;
	r = classify(p, n);
	if (r.kind != CLASSIFY_RTP)
		return OTHER_DEADLINE;
	if (ch->params.class == CLASS_AUDIO)
		return AUDIO_DEADLINE;
	if (ch->params.class == CLASS_VIDEO || n > VIDEO_SIZE)
		return VIDEO_DEADLINE;
	return AUDIO_DEADLINE;
}

static void drop_head(struct channel *ch)
{
	count(dropped_queue_deadline);
	channel_tally(ch, dropped.deadline, 1);
	dequeue(ch, packet_queue_take(&ch->queue));
}

static bool is_expired(const struct channel *ch, const struct packet *p)
{
	int64_t age = (loop_now(ch->session->loop) - p->born_us) / LOOP_MS;

	return age > deadline_of(ch, p->data, p->len);
}

/* While no carrier takes them, packets past their deadline must not hold the pool, which all sessions share. */
static void drop_expired(struct channel *ch)
{
	while (ch->queue.head && is_expired(ch, ch->queue.head))
		drop_head(ch);
}

void channel_send(struct channel *ch, struct packet *p)
{
	struct session *s = ch->session;

	drop_expired(ch);
	if (s->state == SESSION_ENDED || ch->closing || s->queued_packets >= s->config.queue_packets ||
	    s->queued_bytes + p->len > s->config.queue_bytes || p->len > MESSAGE_DATAGRAM_MAX) {
		count(dropped_full);
		channel_tally(ch, dropped.full, 1);
		packet_put(p);
		return;
	}
	ch->active_us = loop_now(s->loop);
	s->queued_packets++;
	s->queued_bytes += p->len;
	packet_queue_append(&ch->queue, p);
	if (!link_in_list(&ch->ready))
		list_append(&s->datagrams, &ch->ready);
	session_kick(s);
}

bool channel_datagram_put(struct channel *ch, struct writer *w)
{
	struct packet *p = ch->queue.head;
	struct message_datagram m = { .channel = ch->id, .sequence_bits = 16 };
	int64_t age;

	if (!p)
		return true;
	if (is_expired(ch, p)) {
		drop_head(ch);
		return true;
	}
	age = (loop_now(ch->session->loop) - p->born_us) / LOOP_MS;
	m.sequence = (uint32_t)ch->sequence;
	m.age_ms = age > 0 ? (uint64_t)age : 0;
	m.payload = (struct span){ p->data, p->len };
	if (!message_datagram_put(w, &m))
		return false;
	ch->sequence++;
	channel_tally(ch, packets_out, 1);
	channel_tally(ch, bytes_out, p->len);
	count(datagrams_out);
	count_add(datagram_bytes_out, p->len);
	dequeue(ch, packet_queue_take(&ch->queue));
	return true;
}

void channel_datagram_receive(struct channel *ch, const struct message_datagram *m, uint32_t lateness_ms)
{
	uint64_t sequence;

	if (ch->closing || !ch->ops)
		return;
	sequence = window_expand(ch->seen->next, m->sequence, m->sequence_bits);
	if (!window_mark(ch->seen, sequence)) {
		count(dropped_repeat);
		channel_tally(ch, dropped.repeat, 1);
		return;
	}
	if (lateness_ms + m->age_ms > deadline_of(ch, m->payload.p, m->payload.n)) {
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
