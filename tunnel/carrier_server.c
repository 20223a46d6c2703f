/*
 * Server carriers: answer the exchanges that arrive. Called through carrier_accept
 * by the server's front; the modes are in the method_*.c files.
 */
#include <stdlib.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/probe.h"

#define STALE (30 * LOOP_SECOND)	/* a carrier without exchanges for this long may be forgotten */

static const struct mode *const modes[] = {
	[MODE_HELLO] = &mode_hello, [MODE_POLL] = &mode_poll, [MODE_UP] = &mode_up,
	[MODE_DOWN] = &mode_down, [MODE_DUPLEX] = &mode_duplex, [MODE_WEBSOCKET] = &mode_websocket,
};

static struct carrier_server *server_of(struct carrier *c)
{
	return (struct carrier_server *)c;
}

/* Of a streamed answer. */
static const struct exchange_head *answer_head(const struct leg *leg)
{
	return leg_answer_head(leg->carrier->session->loop, true, leg->event_stream);
}

static int64_t keepalive(const struct leg *leg)
{
	const struct session_config *config = &leg->carrier->session->config;

	return (leg->keepalive_ms ? leg->keepalive_ms : config->keepalive_ms) * LOOP_MS;
}

static bool send_held(struct carrier *c, unsigned own, bool doubled)
{
	for (struct link *l = c->legs.next; l != &c->legs; l = l->next) {
		struct leg *leg = list_entry(l, struct leg, link);

		if (leg->waiting && leg->doubled == doubled && outbox_has(c->session, c, own) &&
		    leg_complete(leg, leg_answer_head(c->session->loop, false, false), own | OUTBOX_FORCE)) {
			leg->waiting = false;
			timer_stop(&leg->timer);
			return true;
		}
	}
	return false;
}

/* The streamed answer if there is one, else the oldest answer that is held, one of those first that somebody surely waits for. */
static bool server_send(struct carrier *c)
{
	struct leg *down = server_of(c)->down;
	unsigned own = c->state == CARRIER_PROVEN && !c->aside ? 0 : OUTBOX_OWN, held = c->aside ? OUTBOX_OWN : 0;

	if (c->state >= CARRIER_RETIRED)
		return false;
	if (down && leg_stream(down, answer_head(down), own | OUTBOX_STREAMED))
		return true;
	return send_held(c, held, false) || send_held(c, held, true);
}

static void ignore_seen(struct carrier *c, struct leg *leg, const struct message_seen *m)
{
	(void)c, (void)leg, (void)m;
}

static void ignore_welcome(struct carrier *c)
{
	(void)c;
}

/* What is still to be answered learns that the session is over. */
static void server_fini(struct carrier *c)
{
	struct session *s = c->session;
	uint64_t type = s->farewell_code == CODE_VERSION ? CAPSULE_BYE : CAPSULE_GONE;
	struct link *next;

	if (s->state != SESSION_ENDED)
		return;
	for (struct link *l = c->legs.next; l != &c->legs; l = next) {
		struct leg *leg = list_entry(l, struct leg, link);

		next = l->next;
		if (!leg->head_sent && leg->x && leg->in_ended) {
			leg_farewell(s->loop, leg->x, type, s->farewell_code, s->ended_reason);
			leg->head_sent = leg->out_ended = true;
			leg->waiting = false;
		}
	}
}

static unsigned held_answers(const struct carrier *c)
{
	unsigned held = 0;

	for (const struct link *l = c->legs.next; l != &c->legs; l = l->next)
		held += list_entry(l, const struct leg, link)->waiting;
	return held;
}

/* One answer that is held is for what comes next. */
static bool server_spare(const struct carrier *c)
{
	return c->standing || held_answers(c) > 1;
}

static bool server_reaches(const struct carrier *c)
{
	return c->standing || held_answers(c);
}

/* As send_held. */
static const struct http *server_next(const struct carrier *c)
{
	const struct leg *first = NULL;

	for (const struct link *l = c->legs.next; l != &c->legs; l = l->next) {
		const struct leg *leg = list_entry(l, const struct leg, link);

		if (leg->waiting && leg->x && (!first || (first->doubled && !leg->doubled)))
			first = leg;
	}
	return first ? first->x->http : NULL;
}

static const struct carrier_ops server_ops = {
	.send = server_send, .seen = ignore_seen, .welcomed = ignore_welcome,
	.spare = server_spare, .reaches = server_reaches, .next = server_next, .fini = server_fini,
};

/* ---- accepting ---- */

/* Nothing is under way on it, or only answers that have ended, to somebody who may be gone. */
static bool is_idle(const struct carrier *c, bool full)
{
	return c->leg_count == 0 || (full && c->streamed_answers == c->leg_count && !c->standing);
}

/* Makes room for a carrier: forgets the one that has been without exchanges the longest. */
static bool make_room(struct session *s)
{
	bool full = s->carriers == SESSION_CARRIERS_MAX;
	struct carrier *oldest = NULL;

	for (unsigned i = 0; i < s->carriers; i++)
		if (is_idle(s->carrier[i], full) && (!oldest || s->carrier[i]->active_us < oldest->active_us))
			oldest = s->carrier[i];
	if (oldest && (full || loop_now(s->loop) - oldest->active_us > STALE))
		carrier_free(oldest);
	return s->carriers < SESSION_CARRIERS_MAX;
}

static struct carrier *find_or_make(struct session *s, uint32_t id)
{
	struct carrier *c = session_find_carrier(s, id);
	struct carrier_server *fresh;

	if (c || window_seen(&s->peer_carriers, id) || !make_room(s))
		return c;
	window_mark(&s->peer_carriers, id);
	fresh = calloc(1, sizeof *fresh);
	if (!fresh)
		abort();
	carrier_init(&fresh->base, s, &server_ops, id);
	fresh->base.state = CARRIER_PROBING;
	session_add_carrier(s, &fresh->base);
	return &fresh->base;
}

static struct leg *find_leg(struct carrier *c, uint64_t number)
{
	for (struct link *l = c->legs.next; l != &c->legs; l = l->next)
		if (list_entry(l, struct leg, link)->number == number)
			return list_entry(l, struct leg, link);
	return NULL;
}

/* The helper goes on with others. */
static void retire(struct carrier_server *c)
{
	c->base.state = CARRIER_RETIRED;
	if (c->down)
		leg_end(c->down);
	carrier_server_stream_ended(c, c->down);
	session_kick(c->base.session);
}

void carrier_accept(struct session *s, const struct request *r, struct exchange *x, const struct http1_head *head)
{
	bool streamed = request_mode_down(r->mode);
	struct carrier *c;
	struct leg *leg, *twin;

	if (s->state == SESSION_ENDED) {
		bool ours = s->farewell_reason[0];	/* session_bye */

		carrier_answer(s->loop, x, ours ? CAPSULE_BYE : CAPSULE_GONE, ours ? s->farewell_code : CODE_ENDED,
			       ours ? capsule_code_text(s->farewell_code) : "this session has ended");
		return;
	}
	if (r->mode == MODE_PROBE) {
		probe_answer(s, r, x, head);
		return;
	}
	c = find_or_make(s, r->carrier);
	if (!c) {
		carrier_answer(s->loop, x, CAPSULE_GONE, CODE_LIMIT, "too many carriers, or one that has ended");
		return;
	}
	/* The same x again: what was answered to it did not arrive. */
	ledger_leg_lost(&c->ledger, r->x);
	twin = find_leg(c, r->x);
	leg = leg_new(c, &modes[r->mode]->ops, x, r->x, false);
	if (twin)
		twin->doubled = leg->doubled = true;
	leg->hold_ms = r->hold_ms;
	c->rests |= r->rest;
	leg->keep = r->keep;
	leg->keepalive_ms = r->keepalive_ms;
	leg->pad = streamed ? exchange_pad(x, r->pad) : 0;
	leg->event_stream = r->event_stream;
	if (r->end)
		retire(server_of(c));
	if (modes[r->mode]->begin)
		modes[r->mode]->begin(server_of(c), leg);
}

/* ---- answers without a session ---- */

#define ANSWER_WAIT (200 * LOOP_MS)	/* for the end of a request body, which a streamed one may not have */

struct answer {
	struct loop *loop;
	struct exchange *x;
	struct timer timer;
	bool answered;
	uint64_t type, code;
	const char *reason;
};

static int drop_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int drop_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void answer_end(void *ctx)
{
	struct answer *a = ctx;

	if (a->answered)
		return;
	a->answered = true;
	timer_stop(&a->timer);
	leg_farewell(a->loop, a->x, a->type, a->code, a->reason);
}

static void no_writable(void *ctx)
{
	(void)ctx;
}

static void answer_closed(void *ctx, int error)
{
	struct answer *a = ctx;

	(void)error;
	timer_stop(&a->timer);
	loop_free_later(a->loop, a);
}

static const struct exchange_events answer_events = { drop_head, drop_body, answer_end, no_writable, answer_closed };

void carrier_answer(struct loop *loop, struct exchange *x, uint64_t type, uint64_t code, const char *reason)
{
	struct answer *a = malloc(sizeof *a);

	if (!a)
		abort();
	*a = (struct answer){ .loop = loop, .x = x, .type = type, .code = code, .reason = reason };
	timer_init(&a->timer, loop, answer_end, a);
	timer_in(&a->timer, ANSWER_WAIT);
	x->events = &answer_events;
	x->ctx = a;
}

/* ---- streamed answers ---- */

/* An older one, or a copy of the newest, which is known to arrive: somebody replays it, and shall not have what is to go there. */
static bool is_replayed(const struct carrier_server *c, const struct leg *leg)
{
	const struct ledger *l = &c->base.ledger;

	return leg->number < l->stream || (leg->number == l->stream && c->down && l->stream_heard);
}

void carrier_server_stream(struct carrier_server *c, struct leg *leg)
{
	struct ledger *l = &c->base.ledger;

	if (is_replayed(c, leg)) {
		leg_pad(leg, answer_head(leg));
		leg_end(leg);
		return;
	}
	if (leg->number != l->stream)
		l->stream_heard = false;
	l->stream = leg->number;
	if (c->down)
		leg_end(c->down);
	c->down = leg;
	leg->streamed_answer = c->base.standing = true;
	c->base.streamed_answers++;
	leg_pad(leg, answer_head(leg));	/* the head goes out at once, with something behind it */
	timer_in(&leg->timer, keepalive(leg));
	session_kick(c->base.session);
}

void carrier_server_keepalive(struct leg *leg)
{
	struct session *s = leg->carrier->session;
	int64_t at = leg->last_out_us + keepalive(leg);

	if (leg->out_ended)
		return;
	if (at <= loop_now(s->loop)) {
		leg_pad(leg, NULL);
		at = loop_now(s->loop) + keepalive(leg);
	}
	timer_set(&leg->timer, at);
}

void carrier_server_stream_ended(struct carrier_server *c, const struct leg *leg)
{
	if (c->down != leg)
		return;
	c->down = NULL;
	c->base.standing = false;	/* older ones may be there still, to which nothing goes any more */
}

void carrier_server_stream_closed(struct leg *leg, int error)
{
	(void)error;
	carrier_server_stream_ended(server_of(leg->carrier), leg);
}
