/*
 * Stream channels: every byte once and in order, or a reset with a reason
 * (PROTOCOL.md section 6.2). Two independent halves; credit per channel and per
 * session; what a lost record carried is sent again unless it was acknowledged.
 */
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/session_internal.h"

#define ACK_WAIT (100 * LOOP_MS)
#define RESERVE_MAX 65536	/* bytes given out at a time */
#define OWN_BUFFER 16384	/* bytes that a channel may buffer when the session's share is used up */

void channel_stream_init(struct channel *ch, uint64_t send_limit)
{
	struct session *s = ch->session;

	ring_init(&ch->send.ring, s->config.send_buffer);
	ring_init(&ch->receive.ring, s->config.channel_window);
	ranges_init(&ch->send.lost);
	ranges_init(&ch->receive.have);
	ch->send.limit = send_limit;
	ch->receive.limit = s->config.channel_window;
}

/* What was received and will never be taken is credit for others. */
static void give_back(struct channel *ch)
{
	struct session *s = ch->session;
	struct receive_half *h = &ch->receive;

	s->consumed += h->highest - h->ring.start;
	h->ring.start = h->ring.end = h->highest;
	ranges_init(&h->have);
	if (s->consumed + s->config.session_window > s->limit) {
		s->limit = s->consumed + s->config.session_window;
		s->window_due = true;
	}
}

void channel_stream_fini(struct channel *ch)
{
	give_back(ch);
	ch->session->buffered -= (size_t)(ch->send.ring.end - ch->send.ring.start);
	ring_fini(&ch->send.ring);
	ring_fini(&ch->receive.ring);
}

bool channel_stream_over(const struct channel *ch)
{
	return ch->send.state == HALF_DONE && ch->receive.state == HALF_DONE && ch->receive.end_acked;
}

/* After a half became DONE: the endpoint leaves when both are, the channel when nobody needs it. */
static void settle(struct channel *ch)
{
	if (ch->send.state == HALF_DONE && ch->receive.state == HALF_DONE)
		channel_leave(ch, CODE_NONE, "");
	if (channel_stream_over(ch))
		channel_remove(ch);
}

/* ---- send half ---- */

static uint64_t credit(const struct channel *ch)
{
	const struct send_half *h = &ch->send;
	const struct session *s = ch->session;
	uint64_t own = h->limit > h->next ? h->limit - h->next : 0;
	uint64_t all = s->send_limit > s->sent ? s->send_limit - s->sent : 0;

	return own < all ? own : all;
}

bool channel_stream_sendable(const struct channel *ch)
{
	const struct send_half *h = &ch->send;

	if (!channel_is_stream(&ch->params) || ch->closing || h->state == HALF_DONE || h->state == HALF_RESET)
		return false;
	return h->lost.n > 0 || (h->next < h->ring.end && credit(ch) > 0) || (h->fin_due && h->next == h->ring.end);
}

void channel_stream_schedule(struct channel *ch)
{
	if (channel_stream_sendable(ch) && !link_in_list(&ch->ready)) {
		list_append(&ch->session->streams, &ch->ready);
		session_kick(ch->session);
	}
}

/* All channels of a session share its buffer; each has a little of its own, so that its own ACKs get it going again. */
static size_t share_left(const struct channel *ch)
{
	size_t cap = ch->session->config.session_send_buffer, used = ch->session->buffered;
	size_t own = (size_t)(ch->send.ring.end - ch->send.ring.start);
	size_t shared = used < cap ? cap - used : 0, mine = own < OWN_BUFFER ? OWN_BUFFER - own : 0;

	return shared > mine ? shared : mine;
}

static void release(struct channel *ch, uint64_t offset)
{
	ch->session->buffered -= (size_t)(offset - ch->send.ring.start);
	ring_release(&ch->send.ring, offset);
}

uint8_t *channel_reserve(struct channel *ch, size_t *n)
{
	uint8_t *p;

	*n = ch->send.state == HALF_OPEN ? share_left(ch) : 0;
	if (*n > RESERVE_MAX)
		*n = RESERVE_MAX;	/* the ring grows to what is asked for */
	p = ring_reserve(&ch->send.ring, n);
	if (*n == 0)
		ch->send.starved = true;
	return p;
}

void channel_commit(struct channel *ch, size_t n)
{
	ring_commit(&ch->send.ring, n);
	ch->session->buffered += n;
	ch->active_us = loop_now(ch->session->loop);
	channel_stream_schedule(ch);
}

void channel_finish(struct channel *ch)
{
	if (ch->send.state != HALF_OPEN)
		return;
	ch->send.state = HALF_FIN;
	ch->send.fin_due = true;
	channel_stream_schedule(ch);
}

/* Writes one STREAM capsule for [offset, offset + len). */
static bool put_piece(struct channel *ch, struct writer *w, struct ledger *ledger, uint64_t offset, size_t len)
{
	struct send_half *h = &ch->send;
	bool fin = h->state == HALF_FIN && offset + len == h->ring.end;
	struct ledger_item item = { .channel = ch->id, .type = CAPSULE_STREAM, .offset = offset,
				    .len = (uint32_t)len, .fin = fin };

	if (!ledger_note(ledger, &item) || !message_stream_head_put(w, ch->id, offset, fin, len))
		return false;
	ring_copy(&h->ring, offset, w->p, len);
	w->p += len;
	if (fin)
		h->fin_due = false;
	return true;
}

static bool put_lost(struct channel *ch, struct writer *w, struct ledger *ledger, size_t room)
{
	struct send_half *h = &ch->send;
	uint64_t first = h->lost.r[0].first, len = h->lost.r[0].last - first + 1;

	if (len > room)
		len = room;
	if (!put_piece(ch, w, ledger, first, (size_t)len))
		return false;
	ranges_drop(&h->lost, first + len - 1);
	count_add(stream_bytes_again, len);
	return true;
}

bool channel_stream_put(struct channel *ch, struct writer *w, struct ledger *ledger, size_t max)
{
	struct send_half *h = &ch->send;
	size_t left = writer_left(w), room;
	uint64_t len;

	if (left <= MESSAGE_STREAM_HEAD_MAX || !channel_stream_sendable(ch))
		return false;
	room = left - MESSAGE_STREAM_HEAD_MAX < max ? left - MESSAGE_STREAM_HEAD_MAX : max;
	if (room > CAPSULE_MAX - MESSAGE_STREAM_HEAD_MAX)
		room = CAPSULE_MAX - MESSAGE_STREAM_HEAD_MAX;
	if (h->lost.n > 0)
		return put_lost(ch, w, ledger, room);
	len = h->ring.end - h->next;
	if (len > credit(ch))
		len = credit(ch);
	if (len > room)
		len = room;
	if (!put_piece(ch, w, ledger, h->next, (size_t)len))
		return false;
	h->next += len;
	ch->session->sent += len;
	channel_tally(ch, bytes_out, len);
	count_add(stream_bytes_out, len);
	return true;
}

void channel_stream_lost(struct channel *ch, const struct ledger_item *item)
{
	struct send_half *h = &ch->send;
	uint64_t first = item->offset > h->ring.start ? item->offset : h->ring.start;
	uint64_t end = item->offset + item->len;

	if (h->state == HALF_DONE || h->state == HALF_RESET)
		return;
	if (item->fin)
		h->fin_due = true;
	if (first < end && !ranges_add(&h->lost, first, end - 1, false)) {
		/* too many holes: everything from the first one on */
		uint64_t from = h->lost.r[0].first < first ? h->lost.r[0].first : first;

		ranges_init(&h->lost);
		ranges_add(&h->lost, from, h->next - 1, false);
	}
	channel_stream_schedule(ch);
}

void channel_stream_on_ack(struct channel *ch, const struct message_ack *m)
{
	struct send_half *h = &ch->send;
	bool ended = h->state == HALF_FIN || h->state == HALF_RESET;
	uint64_t final = h->state == HALF_RESET ? h->next : h->ring.end;

	if (m->limit > h->limit)
		h->limit = m->limit;
	if (h->state == HALF_DONE)
		return;
	if (ended && m->offset == final + 1) {
		h->state = HALF_DONE;
		ranges_init(&h->lost);
		release(ch, h->ring.end);
		link_remove(&ch->ready);
		settle(ch);
		return;
	}
	if (m->offset > h->next)
		return;		/* nonsense of the peer's: nothing that we sent */
	if (m->offset > h->ring.start) {
		release(ch, m->offset);
		ranges_drop(&h->lost, m->offset - 1);
	}
	channel_stream_schedule(ch);
	if (h->starved && ring_room(&h->ring) > 0 && h->state == HALF_OPEN && ch->ops && ch->ops->writable) {
		h->starved = false;
		ch->ops->writable(ch->ctx);
	}
}

/* ---- receive half ---- */

uint64_t channel_stream_ack_offset(const struct channel *ch)
{
	return ch->receive.state == HALF_DONE ? ch->receive.final + 1 : ch->receive.ring.start;
}

void channel_stream_ack_sent(struct channel *ch)
{
	ch->receive.acked = channel_stream_ack_offset(ch);
	ch->receive.ack_at_us = 0;
}

/* Bytes were taken (or given up): credit goes back, an ACK becomes due. */
static void taken(struct channel *ch, uint64_t n)
{
	struct session *s = ch->session;
	struct receive_half *h = &ch->receive;
	uint64_t window = s->config.channel_window, limit = h->ring.start + window;

	if (n == 0)
		return;
	s->consumed += n;
	if (h->state == HALF_OPEN && limit > h->limit)
		h->limit = limit;
	if (s->consumed + s->config.session_window >= s->limit + s->config.session_window / 4) {
		s->limit = s->consumed + s->config.session_window;
		s->window_due = true;
		session_kick(s);
	}
	if (h->ring.start - h->acked >= window / 4) {
		channel_due(ch, DUE_ACK);
	} else if (!h->ack_at_us) {
		h->ack_at_us = loop_now(s->loop) + ACK_WAIT;
		timer_sooner(&s->receipt, h->ack_at_us);
	}
}

static void end_received(struct channel *ch)
{
	struct receive_half *h = &ch->receive;

	h->state = HALF_DONE;
	channel_due(ch, DUE_ACK);
	if (ch->ops && !h->end_told) {
		h->end_told = true;
		ch->ops->finish(ch->ctx);
	}
	settle(ch);
}

/* Hands the endpoint everything that is there in order; nobody takes all. */
static void deliver(struct channel *ch)
{
	struct receive_half *h = &ch->receive;

	while (h->have.n > 0 && h->have.r[0].first <= h->ring.start) {
		uint64_t at = h->ring.start;
		size_t n, took;
		const uint8_t *p = ring_at(&h->ring, h->ring.start, &n);

		if (n > h->have.r[0].last + 1 - h->ring.start)
			n = (size_t)(h->have.r[0].last + 1 - h->ring.start);
		took = ch->ops ? ch->ops->bytes(ch->ctx, p, n) : n;
		if (h->ring.start != at)
			return;		/* the endpoint closed the channel: what is left was given up then */
		channel_tally(ch, bytes_in, took);
		count_add(stream_bytes_in, took);
		if (took) {
			ring_release(&h->ring, h->ring.start + took);
			ranges_drop(&h->have, h->ring.start - 1);
			taken(ch, took);
		}
		if (took < n)
			break;
	}
	if (h->state == HALF_FIN && h->ring.start == h->final)
		end_received(ch);
}

/* The usual case: the next bytes in order and nothing waits. They never touch the ring. */
static bool deliver_direct(struct channel *ch, const struct message_stream *m)
{
	struct receive_half *h = &ch->receive;
	size_t took;

	if (h->have.n > 0 || m->offset != h->ring.start || m->bytes.n == 0 || !ch->ops)
		return false;
	took = ch->ops->bytes(ch->ctx, m->bytes.p, m->bytes.n);
	if (h->state == HALF_DONE)
		return true;
	channel_tally(ch, bytes_in, took);
	count_add(stream_bytes_in, took);
	if (took < m->bytes.n) {
		ring_put(&h->ring, m->offset, m->bytes.p, m->bytes.n);
		ranges_add(&h->have, m->offset + took, m->offset + m->bytes.n - 1, false);
		ring_release(&h->ring, m->offset + took);
	} else {
		h->ring.start = h->ring.end = m->offset + took;
	}
	taken(ch, took);
	return true;
}

/* The peer broke the rules of the channel. */
static void violated(struct channel *ch, const char *what)
{
	log_limited(LOG_LEVEL_WARN, "channel", ch->session->tag, "%llu: %s", (unsigned long long)ch->id, what);
	channel_leave(ch, CODE_PROTOCOL, what);
	channel_close(ch, CODE_PROTOCOL, what);
	ch->closing = true;	/* its final size may never be known: the receipt for CLOSE is the end */
}

static bool size_agrees(struct receive_half *h, uint64_t end, bool fin)
{
	if (h->state == HALF_OPEN)
		return !fin || end >= h->highest;
	return fin ? end == h->final : end <= h->final;
}

int channel_stream_receive(struct channel *ch, const struct message_stream *m, bool *kept_out)
{
	struct receive_half *h = &ch->receive;
	struct session *s = ch->session;
	uint64_t end = m->offset + m->bytes.n;

	if (h->state == HALF_DONE || ch->closing)
		return 0;
	ch->active_us = loop_now(s->loop);
	if (!size_agrees(h, end, m->fin)) {
		violated(ch, "bytes beyond the end of a stream");
		return 0;
	}
	if (end > h->limit || (end > h->highest && s->received + (end - h->highest) > s->limit)) {
		*kept_out = true;
		violated(ch, "bytes beyond the credit of a stream");
		return 0;
	}
	if (end > h->highest) {
		s->received += end - h->highest;
		h->highest = end;
	}
	if (m->fin && h->state == HALF_OPEN) {
		h->state = HALF_FIN;
		h->final = end;
	}
	if (m->bytes.n > 0 && end > h->ring.start && !deliver_direct(ch, m)) {
		uint64_t first = m->offset > h->ring.start ? m->offset : h->ring.start;
		const uint8_t *p = m->bytes.p + (first - m->offset);

		if (!ranges_add(&h->have, first, end - 1, false)) {
			*kept_out = true;
			return 0;
		}
		if (ring_put(&h->ring, first, p, (size_t)(end - first)) < 0)
			return ERROR_LIMIT;
	}
	deliver(ch);
	return 0;
}

void channel_resume(struct channel *ch)
{
	if (channel_is_stream(&ch->params) && ch->receive.state != HALF_DONE)
		deliver(ch);
}

/* Gives up the receive half with its final size. */
static void give_up_receiving(struct channel *ch, uint64_t final)
{
	struct receive_half *h = &ch->receive;
	struct session *s = ch->session;

	if (final > h->highest) {
		s->received += final - h->highest;
		h->highest = final;
	}
	h->final = final;
	give_back(ch);
	h->end_told = true;
	h->state = HALF_DONE;
	channel_due(ch, DUE_ACK);
}

static void reset_sending(struct channel *ch)
{
	struct send_half *h = &ch->send;

	if (h->state != HALF_OPEN && h->state != HALF_FIN)
		return;
	h->state = HALF_RESET;
	h->fin_due = false;
	ranges_init(&h->lost);
	link_remove(&ch->ready);
	channel_due(ch, DUE_RESET);
}

void channel_stream_on_reset(struct channel *ch, const struct message_reset *m)
{
	struct receive_half *h = &ch->receive;
	char reason[MESSAGE_TEXT_MAX + 1];

	if (h->state == HALF_DONE || ch->closing)
		return;
	if (m->final < h->highest || (h->state == HALF_FIN && m->final != h->final) || m->final > h->limit) {
		violated(ch, "a reset with an impossible final size");
		return;
	}
	message_text_get(reason, m->reason);
	give_up_receiving(ch, m->final);
	ch->code = m->code;
	if (ch->send.state == HALF_OPEN)
		reset_sending(ch);
	if (ch->ops)
		channel_leave(ch, m->code, reason);
	settle(ch);
}

void channel_stream_on_close(struct channel *ch, uint64_t code, const char *reason)
{
	if (ch->send.state != HALF_OPEN || ch->closing)
		return;		/* nothing more would be sent anyway */
	ch->code = code;
	reset_sending(ch);
	channel_leave(ch, code, reason);
}

void channel_stream_close(struct channel *ch, uint64_t code)
{
	ch->code = code;
	reset_sending(ch);
	if (ch->receive.state != HALF_DONE) {
		channel_due(ch, DUE_CLOSE);
		deliver(ch);	/* what waited for the endpoint is given up */
	}
}

void channel_stream_refused(struct channel *ch)
{
	struct session *s = ch->session;

	s->sent -= ch->send.next;
	ch->send.next = 0;
	for (struct link *l = s->channels.next; l != &s->channels; l = l->next)
		if (list_entry(l, struct channel, all) != ch)
			channel_stream_schedule(list_entry(l, struct channel, all));
}
