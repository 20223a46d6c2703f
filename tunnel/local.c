/*
 * Local. Called by the REST server; called by session.c in place of carriers, when something is due. It works on the channel as the
 * inbox and the outbox would: offsets, credit and ends are those of PROTOCOL.md 6.2, and nothing gets lost in between.
 */
#include "tunnel/local.h"

#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "tunnel/session_internal.h"

#define CHANNEL 2	/* the first that a helper would open */
#define CREDIT (UINT64_C(1) << 62) /* what it may send is bounded by what we take */

struct local {
	struct session *session; /* NULL: over */
	const struct local_events *events;
	void *ctx;
	bool stopped;		/* the owner took less than there was */
	bool starved;		/* the target's side took less than we wrote */
	bool finished;		/* we were told the end of its half */
};

static struct channel *channel_of(const struct local *l)
{
	return l->session ? channel_find(l->session, CHANNEL) : NULL;
}

static void let_go(struct local *l)
{
	struct session *s = l->session;

	l->session = NULL;
	s->local = NULL;
	loop_free_later(s->loop, l);
}

struct local *local_open(struct session *s, const char *service, const char *protocols, const struct local_events *events, void *ctx)
{
	struct local *l = calloc(1, sizeof *l);
	struct message_open m = { .channel = CHANNEL, .kind = KIND_MESSAGE, .target = { (const uint8_t *)service, strlen(service) } };

	if (!l)
		abort();
	*l = (struct local){ .session = s, .events = events, .ctx = ctx };
	s->local = l;
	s->state = SESSION_OPEN;
	s->send_limit = s->peer_channel_window = CREDIT;
	if (protocols && *protocols) {
		m.params.has = 1U << PARAM_PROTOCOLS;
		m.params.protocols = (struct span){ (const uint8_t *)protocols, strlen(protocols) };
	}
	(void)channel_on_open(s, &m);	/* a refusal is due, as everything else */
	session_kick(s);
	return l;
}

size_t local_write(struct local *l, const uint8_t *p, size_t n)
{
	struct channel *ch = channel_of(l);
	struct message_stream m = { .channel = CHANNEL };
	size_t room = 0, all = n;
	bool kept_out = false;

	if (ch && ch->receive.state == HALF_OPEN && !ch->closing && ch->receive.limit > ch->receive.highest)
		room = (size_t)(ch->receive.limit - ch->receive.highest);
	n = n < room ? n : room;
	l->starved = n < all;
	if (n == 0)
		return 0;
	m.offset = ch->receive.highest;
	m.bytes = (struct span){ p, n };
	(void)channel_stream_receive(ch, &m, &kept_out);
	return n;
}

void local_finish(struct local *l)
{
	struct channel *ch = channel_of(l);
	struct message_stream m = { .channel = CHANNEL, .fin = true };
	bool kept_out = false;

	if (!ch || ch->receive.state != HALF_OPEN)
		return;
	m.offset = ch->receive.highest;
	(void)channel_stream_receive(ch, &m, &kept_out);
}

void local_resume(struct local *l)
{
	l->stopped = false;
	if (l->session)
		session_kick(l->session);
}

void local_close(struct local *l, uint64_t code, const char *reason)
{
	struct channel *ch = channel_of(l);

	if (!l->session)
		return;
	let_go(l);
	if (ch)
		channel_end(ch, code, reason);
}

void local_over(struct local *l, uint64_t code, const char *reason)
{
	let_go(l);
	l->events->closed(l->ctx, code, reason);
}

/* The channel is over for this reason. */
static void end(struct local *l, struct channel *ch, uint64_t code, const char *reason)
{
	char why[sizeof ch->reason];

	memcpy(why, reason, strlen(reason) + 1);
	channel_end(ch, code, why);
	local_over(l, code, why);
}

/* What the target sent goes to the owner and is acknowledged. False: nothing goes on for now. */
static bool take(struct local *l, struct channel *ch)
{
	struct send_half *h = &ch->send;
	struct message_ack ack = { .channel = CHANNEL, .limit = CREDIT };
	size_t n, took;
	const uint8_t *p = ring_at(&h->ring, h->next, &n);

	if (n == 0 || l->stopped)
		return false;
	took = l->events->bytes(l->ctx, p, n);
	if (channel_of(l) != ch)
		return false;
	l->stopped = took < n;
	h->next += took;
	ch->session->sent += took;
	channel_tally(ch, bytes_out, took);
	ack.offset = h->next;
	channel_stream_on_ack(ch, &ack);
	return channel_of(l) == ch;
}

/* An end of the target's half. */
static void end_of_half(struct local *l, struct channel *ch)
{
	if (ch->send.state != HALF_FIN || ch->send.next != ch->send.ring.end || l->finished)
		return;
	l->finished = true;
	ch->send.fin_due = false;
	l->events->finish(l->ctx);
}

/* True: the channel is over. */
static bool is_cut(struct local *l, struct channel *ch)
{
	if (ch->due & (DUE_REFUSED | DUE_RESET | DUE_CLOSE)) {
		end(l, ch, ch->code, ch->reason);
		return true;
	}
	return false;
}

void local_pump(struct local *l)
{
	struct channel *ch = channel_of(l);
	unsigned due = ch ? ch->due : 0;

	if (!ch || l->session->state == SESSION_ENDED)
		return;
	link_remove(&ch->control);
	link_remove(&ch->ready);
	ch->due &= DUE_REFUSED | DUE_RESET | DUE_CLOSE;
	if (due & DUE_ACK)
		channel_stream_ack_sent(ch);
	if (due & DUE_OPENED)
		l->events->opened(l->ctx, ch->params.protocol);
	while (channel_of(l) == ch && take(l, ch))
		;
	if (channel_of(l) != ch || (ch->due && !l->stopped && is_cut(l, ch)))
		return;
	end_of_half(l, ch);
	if (channel_of(l) == ch && l->starved && ch->receive.limit > ch->receive.highest) {
		l->starved = false;
		l->events->writable(l->ctx);
	}
}

void local_attend(struct session *s, int by)
{
	s->attended += (unsigned)by;
	session_attached(s);
}
