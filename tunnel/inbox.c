/*
 * Inbox: what comes in, capsule by capsule. Called by legs through their record
 * reader; calls channels, the ledger of the carrier that a receipt names, and the
 * session. Everything here is idempotent (PROTOCOL.md section 4).
 */
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/leg.h"
#include "tunnel/log.h"
#include "tunnel/session_internal.h"

/* What a capsule came with. carrier->ops is NULL for a replay of an early one. */
struct arrival {
	struct carrier *carrier;
	struct leg *leg;
	struct inbound *in;
	struct session *session;
};

int inbox_begin(struct carrier *c, struct inbound *in, uint64_t number, uint32_t clock_ms)
{
	struct loop *loop = c->session->loop;

	memset(in, 0, sizeof *in);
	in->number = number;
	in->repeat = arrivals_seen(&c->arrivals, number);
	if (in->repeat)
		count(records_repeated);
	else
		in->lateness_ms = arrivals_lateness(&c->arrivals, clock_ms, loop_clock(loop), loop_now(loop));
	return 0;
}

int inbox_end(struct carrier *c, struct inbound *in)
{
	int64_t now = loop_now(c->session->loop);

	if (in->kept_out)
		return 0;
	count(records_in);
	c->records_in++;
	arrivals_note(&c->arrivals, in->number, now);
	if (in->datagrams && !in->repeat)
		steer_heard(c->session, c, in->lateness_ms);
	if (in->accountable)
		arrivals_owe(&c->arrivals, in->streams || steer_is_spread(c->session) ? 2 : 1, now);
	if (steer_is_spread(c->session) && !redundancy_is_far(&c->session->redundancy))	/* there nothing hangs on it */
		arrivals_again(&c->arrivals);
	if (c->ops->heard)
		c->ops->heard(c, in->accountable);
	session_watch_carrier(c->session, c);
	return 0;
}

/* A parameter, or its default of PROTOCOL.md section 5. */
static uint64_t param(const struct message_params *p, enum message_param id, uint64_t value, uint64_t missing)
{
	return p->has & 1U << id ? value : missing;
}

static void take_limits(struct session *s, const struct message_params *p)
{
	s->open_limit = param(p, PARAM_MAX_CHANNELS, p->max_channels, 64);
	s->send_limit = param(p, PARAM_SESSION_WINDOW, p->session_window, 1 << 20);
	s->peer_channel_window = param(p, PARAM_CHANNEL_WINDOW, p->channel_window, 1 << 18);
}

static int on_hello(struct arrival *a, struct span value)
{
	struct session *s = a->session;
	struct message_hello m;

	if (message_hello_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (s->role != SESSION_SERVER)
		return ERROR_MALFORMED;
	if (m.version_min > 1 || m.version_max < 1) {
		session_end(s, CODE_VERSION, "this server speaks version 1");
		return 0;
	}
	if (s->state != SESSION_NEW)
		return 0;
	take_limits(s, &m.params);
	s->features = m.features & SESSION_FEATURES;
	s->config.keepalive_ms = (uint32_t)param(&m.params, PARAM_KEEPALIVE, m.params.keepalive_ms, 8000);
	s->state = SESSION_OPEN;
	return 0;
}

static int on_welcome(struct arrival *a, struct span value)
{
	struct session *s = a->session;
	struct message_welcome m;

	if (message_welcome_get(value, &m) < 0 || s->role != SESSION_HELPER || m.version != 1 || m.epoch == 0)
		return ERROR_MALFORMED;
	if (s->state == SESSION_NEW) {
		s->state = SESSION_OPEN;
		s->node = m.node;
		s->epoch = m.epoch;
		s->features = m.features & SESSION_FEATURES;
		take_limits(s, &m.params);
		if (s->events->welcome)
			s->events->welcome(s->ctx);
	} else if (s->state == SESSION_OPEN && s->epoch != m.epoch) {
		session_end(s, CODE_EPOCH, "the server was restarted");
		return 0;
	}
	if (s->state == SESSION_OPEN && a->carrier->ops)
		a->carrier->ops->welcomed(a->carrier);
	return 0;
}

static int on_farewell(struct arrival *a, uint64_t type, struct span value)
{
	struct session *s = a->session;
	struct message_farewell m;
	char reason[MESSAGE_TEXT_MAX + 1];

	if (message_farewell_get(value, &m) < 0)
		return ERROR_MALFORMED;
	message_text_get(reason, m.reason);
	if (type == CAPSULE_GONE && m.code == CODE_LIMIT && s->role == SESSION_HELPER && s->state == SESSION_OPEN)
		return ERROR_LIMIT;	/* the server has no room for this carrier, or has forgotten it */
	if (type != CAPSULE_GOAWAY) {
		session_end(s, m.code, reason);
		return 0;
	}
	if (s->role == SESSION_HELPER && !s->goaway) {
		s->goaway = true;
		if (s->events->goaway)
			s->events->goaway(s->ctx, m.code, (uint32_t)m.delay_ms);
	}
	return 0;
}

static int on_receipt(struct arrival *a, struct span value)
{
	struct session *s = a->session;
	struct message_receipt m;
	struct carrier *c;
	int error;

	if (message_receipt_get(value, &m) < 0)
		return ERROR_MALFORMED;
	c = session_find_carrier(s, m.carrier);
	if (!c)
		return 0;	/* it has ended: its records were sent again */
	s->late_ms = m.has_late ? (int32_t)m.late_ms : -1;
	error = ledger_receipt(&c->ledger, &m, loop_now(s->loop));
	session_watch_carrier(s, c);
	return error;
}

static int on_mark(struct arrival *a, struct span value)
{
	struct carrier *c = a->carrier;
	struct message_mark m;

	if (message_mark_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (a->in->repeat || c->seens == SEENS_MAX)
		return 0;
	c->seen[c->seens++] = (struct seen_due){ .id = m.id, .n = m.n, .arrival_ms = loop_clock(a->session->loop),
						 .intact = message_check(m.filler) == m.check };
	session_kick(a->session);
	return 0;
}

static int on_seen(struct arrival *a, struct span value)
{
	struct message_seen m;

	if (message_seen_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (a->carrier->ops && a->carrier->ops->seen)
		a->carrier->ops->seen(a->carrier, a->leg, &m);
	return 0;
}

static int on_ping(struct arrival *a, struct span value)
{
	struct carrier *c = a->carrier;
	uint64_t token;

	if (message_token_get(value, &token) < 0)
		return ERROR_MALFORMED;
	if (!a->in->repeat && c->pongs < PONGS_MAX) {
		c->pong[c->pongs++] = token;
		session_kick(a->session);
	}
	return 0;
}

/* An answer that belongs to another request, from whatever keeps them: its records may be another carrier's. */
static int on_answers(struct arrival *a, struct span value)
{
	uint64_t x;

	if (message_token_get(value, &x) < 0 || a->session->role != SESSION_HELPER)
		return ERROR_MALFORMED;
	if (!a->leg || a->leg->number == x)
		return 0;
	log_limited(LOG_LEVEL_WARN, "leg", a->session->tag, "something on the way gives old answers again: one is dropped");
	return ERROR_HTTP;
}

static int on_window(struct session *s, struct span value)
{
	struct message_window m;

	if (message_window_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (m.channels > s->open_limit)
		s->open_limit = m.channels;
	if (m.bytes > s->send_limit) {
		s->send_limit = m.bytes;
		for (struct link *l = s->channels.next; l != &s->channels; l = l->next)
			channel_stream_schedule(list_entry(l, struct channel, all));
		session_kick(s);
	}
	return 0;
}

/* ---- capsules of a channel ---- */

/* Each reads its fields first; ch is NULL when there is no such channel (any more, or yet). */

static int datagram(struct arrival *a, struct channel *ch, struct span value)
{
	struct message_datagram m;

	if (message_datagram_get(value, &m) < 0 || (ch && ch->params.kind != KIND_DATAGRAM))
		return ERROR_MALFORMED;
	a->in->datagrams = true;
	if (ch && a->in->repeat) {
		count(dropped_repeat);
		channel_tally(ch, dropped.repeat, 1);
	} else if (ch) {
		channel_datagram_receive(ch, &m, a->in->lateness_ms);
	}
	return 0;
}

static int stream(struct arrival *a, struct channel *ch, struct span value)
{
	struct message_stream m;
	bool kept_out = false;
	int error = 0;

	if (message_stream_get(value, &m) < 0 || (ch && !channel_is_stream(&ch->params)))
		return ERROR_MALFORMED;
	if (ch)
		error = channel_stream_receive(ch, &m, &kept_out);
	a->in->kept_out |= kept_out;
	a->in->streams = true;
	return error;
}

static int ack(struct arrival *a, struct channel *ch, struct span value)
{
	struct message_ack m;

	(void)a;
	if (message_ack_get(value, &m) < 0 || (ch && !channel_is_stream(&ch->params)))
		return ERROR_MALFORMED;
	if (ch)
		channel_stream_on_ack(ch, &m);
	return 0;
}

static int reset(struct arrival *a, struct channel *ch, struct span value)
{
	struct message_reset m;

	(void)a;
	if (message_reset_get(value, &m) < 0 || (ch && !channel_is_stream(&ch->params)))
		return ERROR_MALFORMED;
	if (ch)
		channel_stream_on_reset(ch, &m);
	return 0;
}

static int close_(struct arrival *a, struct channel *ch, struct span value)
{
	struct message_close m;

	(void)a;
	if (message_close_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (ch)
		channel_on_close(ch, &m);
	return 0;
}

static const struct {
	uint64_t type;
	int (*apply)(struct arrival *, struct channel *, struct span);
	unsigned head_shift;	/* the channel id is the first varint shifted right by this */
} of_channel[] = {
	{ CAPSULE_DATAGRAM, datagram, 2 },
	{ CAPSULE_STREAM, stream, 1 },
	{ CAPSULE_ACK, ack, 0 },
	{ CAPSULE_RESET, reset, 0 },
	{ CAPSULE_CLOSE, close_, 0 },
};

/* Finds the channel; waits or ignores when there is none. */
static int channel_capsule(struct arrival *a, size_t row, struct span value)
{
	struct session *s = a->session;
	struct cursor c;
	struct channel *ch;
	uint64_t id;
	int error;

	cursor_init(&c, value.p, value.n);
	id = cursor_varint(&c) >> of_channel[row].head_shift;
	if (c.bad || id == 0)
		return ERROR_MALFORMED;
	if (s->state != SESSION_OPEN)
		return s->state == SESSION_ENDED ? 0 : ERROR_MALFORMED;
	ch = channel_find(s, id);
	error = of_channel[row].apply(a, ch, value);
	if (ch || error < 0)
		return error;
	if (channel_was_open(s, id)) {
		if (of_channel[row].type == CAPSULE_DATAGRAM)
			count(dropped_no_channel);
		return 0;
	}
	if ((id & 1) == (s->role == SESSION_SERVER))
		return ERROR_MALFORMED;	/* our own id, and we never opened it */
	if (a->in->repeat && of_channel[row].type == CAPSULE_DATAGRAM)
		return 0;
	if (!early_keep(s, id, of_channel[row].type, value))
		a->in->kept_out = true;
	return 0;
}

static int on_open(struct arrival *a, struct span value)
{
	struct message_open m;

	if (message_open_get(value, &m) < 0 || a->session->state == SESSION_NEW)
		return ERROR_MALFORMED;
	return a->session->state == SESSION_OPEN ? channel_on_open(a->session, &m) : 0;
}

static int on_opened(struct arrival *a, struct span value)
{
	struct message_opened m;

	if (message_opened_get(value, &m) < 0)
		return ERROR_MALFORMED;
	channel_on_opened(a->session, &m);
	return 0;
}

static int on_refused(struct arrival *a, struct span value)
{
	struct message_refused m;

	if (message_refused_get(value, &m) < 0)
		return ERROR_MALFORMED;
	channel_on_refused(a->session, &m);
	return 0;
}

/* What a helper sends only on a carrier that it trusts. */
static bool shows_trust(uint64_t type)
{
	return type == CAPSULE_DATAGRAM || (type != CAPSULE_HELLO && capsule_is_reliable(type));
}

int inbox_capsule(struct carrier *c, struct leg *leg, struct inbound *in, uint64_t type, struct span value)
{
	struct arrival a = { .carrier = c, .leg = leg, .in = in, .session = c->session };

	if (c->state == CARRIER_PROBING && a.session->role == SESSION_SERVER && shows_trust(type)) {
		c->state = CARRIER_PROVEN;
		session_kick(a.session);
	}
	in->accountable |= capsule_is_accountable(type);
	for (size_t i = 0; i < sizeof of_channel / sizeof *of_channel; i++)
		if (of_channel[i].type == type)
			return channel_capsule(&a, i, value);
	switch (type) {
	case CAPSULE_HELLO:
		return on_hello(&a, value);
	case CAPSULE_WELCOME:
		return on_welcome(&a, value);
	case CAPSULE_GONE:
	case CAPSULE_BYE:
	case CAPSULE_GOAWAY:
		return on_farewell(&a, type, value);
	case CAPSULE_RECEIPT:
		return on_receipt(&a, value);
	case CAPSULE_OPEN:
		return on_open(&a, value);
	case CAPSULE_OPENED:
		return on_opened(&a, value);
	case CAPSULE_REFUSED:
		return on_refused(&a, value);
	case CAPSULE_WINDOW:
		return on_window(a.session, value);
	case CAPSULE_MARK:
		return on_mark(&a, value);
	case CAPSULE_SEEN:
		return on_seen(&a, value);
	case CAPSULE_PING:
		return on_ping(&a, value);
	case CAPSULE_ANSWERS:
		return on_answers(&a, value);
	default:
		return 0;	/* PAD, PONG, and types of later versions */
	}
}
