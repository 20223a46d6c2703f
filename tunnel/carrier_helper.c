/*
 * Helper carriers: get connections from their pool, say HELLO, start exchanges by
 * the methods of their rung, prove the path by two marks, and report when it fails.
 * Owned by the ladder; a failure is told at the end of the turn, so the owner may free
 * the carrier then.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/http.h"
#include "tunnel/log.h"
#include "tunnel/websocket_exchange.h"

#define HOLD_DEFAULT 20000			/* ms */
#define HOLD_MIN (100 * LOOP_MS)
#define GRACE (5 * LOOP_SECOND)			/* PROTOCOL.md section 3: a poll is dead later than this */
#define BUSY (2 * LOOP_SECOND)			/* since the last data, more polls are held */
#define SHORT_LIFE LOOP_SECOND			/* a streamed answer that ends sooner has failed */
#define LONG_LIFE (5 * LOOP_SECOND)		/* one that fails later is no failure in a row */
#define LEAVE (300 * LOOP_MS)			/* and two round trips, for what is under way on a retired carrier */
#define FAREWELL LOOP_SECOND			/* for a connection to say so on */
#define FAILURES_MAX 3
#define RENEW_RETRY LOOP_SECOND			/* no connection to replace a leg with, while it stands */
#define EMPTY_POLLS 4				/* answered early with nothing, in a row, before there are pauses */
#define EMPTY_PAUSE (50 * LOOP_MS)
#define NUMBERS_KEPT 1000			/* of carriers, for those that a session cannot do without */
#define EARLY_MAX 410				/* of 1024 */
#define POST_CONNECTIONS 3			/* of HTTP/2, so that what goes twice has two fates, */
#define POST_EXCHANGES 12			/* and exchanges on them: what is slow is not buried in them */

static const int64_t pauses[FAILURES_MAX] = { 0, 250 * LOOP_MS, 500 * LOOP_MS };

static struct carrier_helper *helper_of(struct carrier *c)
{
	return (struct carrier_helper *)c;
}

/* ---- failing ---- */

/* Nothing of the session works, and the server does not even say HELLO: what ended just now was no cut of the path's. */
static bool is_outage(const struct carrier_helper *h)
{
	const struct session *s = h->base.session;

	for (unsigned i = 0; i < s->carriers; i++)
		if (s->carrier[i]->state == CARRIER_PROVEN)
			return false;
	return h->base.state == CARRIER_OPENING;
}

void carrier_helper_fail(struct carrier_helper *h, int error, const char *fmt, ...)
{
	bool is_companion;
	va_list ap;

	if (h->base.state >= CARRIER_RETIRED)
		return;
	if (h->user.pool && is_outage(h))
		pool_excuse(h->user.pool);
	is_companion = h->beside && h->base.state == CARRIER_PROBING;	/* others show what the connections are worth */
	h->base.state = CARRIER_FAILED;
	h->error = error;
	va_start(ap, fmt);
	vsnprintf(h->why, sizeof h->why, fmt, ap);
	va_end(ap);
	timer_stop(&h->proof);
	timer_stop(&h->retry);
	if (h->user.pool && (error == ERROR_TIMEOUT || error == ERROR_RESET) && !is_companion)
		pool_renew(h->user.pool);
	loop_later(h->base.session->loop, &h->fail);
}

static void tell_failed(void *ctx)
{
	struct carrier_helper *h = ctx;

	h->events->failed(h->ctx, &h->base, h->error, h->why);
}

/* ---- requests ---- */

/* No longer than the connection lives, and than silence is borne. */
static uint32_t hold_of(const struct carrier_helper *h, const struct exchange *x, uint32_t hold_ms)
{
	int64_t hold = cuts_hold_us(pool_cuts(h->user.pool), hold_ms * LOOP_MS), left = pool_left_us(x);

	if (left < hold)
		hold = left;
	return hold < HOLD_MIN ? HOLD_MIN / LOOP_MS : (uint32_t)(hold / LOOP_MS);
}

/* Those on connections over which nothing comes. */
static unsigned posts_hanging(const struct carrier_helper *h)
{
	unsigned n = 0;

	for (const struct link *l = h->base.legs.next; l != &h->base.legs; l = l->next) {
		const struct leg *leg = list_entry(l, const struct leg, link);

		n += leg->ops->mode == MODE_POLL && leg->x && leg->x->http->hanging;
	}
	return n;
}

/* Exchanges that may begin now, though HTTP/2 bears more: about as many as there would be with connections of their own. */
static unsigned posts_left(const struct carrier_helper *h)
{
	unsigned n = h->polls + h->posts;

	if (!h->user.pool || !pool_is_multiplexed(h->user.pool))
		return POST_EXCHANGES;
	if (n >= POST_EXCHANGES)
		n -= posts_hanging(h);	/* what may be lost keeps nothing back; all of it is among these */
	return n < POST_EXCHANGES ? POST_EXCHANGES - n : 0;
}

/* Of a standing leg that is to be replaced. */
static const struct http *connection_of(const struct leg *leg)
{
	return leg && leg->x ? leg->x->http : NULL;
}

struct leg *carrier_helper_leg(struct carrier_helper *h, const struct leg_ops *ops, uint32_t hold_ms)
{
	struct session *s = h->base.session;
	struct exchange *x;
	struct leg *leg;

	if ((h->base.state >= CARRIER_RETIRED && !h->farewell_due) || h->pausing)
		return NULL;
	if (ops->mode == MODE_UP && !ledger_ready(&h->base.ledger))
		return NULL;	/* nothing could be sent on it */
	if (ops->mode == MODE_POLL && posts_left(h) == 0)
		return NULL;	/* what waits meanwhile goes together */
	h->user.switches = ops->mode == MODE_WEBSOCKET;
	h->user.apart = connection_of(ops->mode == MODE_UP ? h->up : ops->mode == MODE_POLL || ops->mode == MODE_HELLO ? NULL : h->down);
	x = carrier_path_exchange(h->path, &h->user, &leg_exchange_events, (void *)(uintptr_t)ops); /* who asks; leg_new says who listens */
	if (!x)
		return NULL;
	if (ops->mode == MODE_WEBSOCKET)
		x = websocket_helper(s->loop, x);
	leg = leg_new(&h->base, ops, x, s->next_x++, true);
	leg->hold_ms = hold_ms ? hold_of(h, x, hold_ms) : 0;
	leg->keepalive_ms = carrier_helper_keepalive(h);
	leg->keep = method_down_poll_keep(h);
	if (ops == &method_poll_leg) {
		h->polls++;
		h->last_poll = leg->number;
	}
	if (ops == &method_post_leg)
		h->posts++;
	if (ops->mode == MODE_POLL || ops->mode == MODE_HELLO)
		timer_in(&leg->timer, leg->hold_ms * LOOP_MS + GRACE + 2 * h->base.ledger.srtt_us);
	return leg;
}

const struct exchange_head *carrier_helper_head(struct carrier_helper *h, struct leg *leg, bool streamed)
{
	struct session *s = h->base.session;
	struct request r = { .carrier = h->base.id, .x = leg->number, .mode = leg->ops->mode, .hold_ms = leg->hold_ms,
			     .keep = leg->keep, .has_epoch = leg->ops->mode != MODE_HELLO,
			     .end = h->base.state == CARRIER_RETIRED, .epoch = s->epoch, .pad = h->rung->pad, .event_stream = h->rung->event_stream,
			     .rest = carrier_proof_rests(h) };

	if (leg->keepalive_ms < s->config.keepalive_ms)
		r.keepalive_ms = leg->keepalive_ms;

	memcpy(r.sid, s->sid, sizeof r.sid);
	return carrier_path_head(h->path, &r, streamed);
}

unsigned carrier_helper_keep(const struct carrier_helper *h)
{
	const struct pool *p = h->user.pool;
	unsigned proven = p ? pool_peak(p) : 0, used = 1 + pool_others(&h->user); /* one connection stays free to send */

	if (p && pool_is_multiplexed(p))
		return KEEP_MAX;
	if (p && proven > pool_limit(p))
		proven = pool_limit(p);
	if (proven <= used)
		return 0;
	return proven - used < KEEP_MAX ? proven - used : KEEP_MAX;
}

bool carrier_helper_is_busy(const struct carrier_helper *h)
{
	return loop_now(h->base.session->loop) - h->busy_us < BUSY;
}

/* ---- standing legs ---- */

static void stand(struct carrier_helper *h)
{
	if (h->base.state != CARRIER_PROBING && h->base.state != CARRIER_PROVEN)
		return;
	if (h->base.session->state == SESSION_ENDED) {	/* BYE is all that goes still */
		pool_ahead(&h->user, 0);
		session_kick(h->base.session);
		return;
	}
	if (h->rung->down->stand)
		h->rung->down->stand(h);
	if (h->rung->up->stand && h->rung->up != h->rung->down)
		h->rung->up->stand(h);
	if (!h->streamed_down)
		pool_ahead(&h->user, method_down_poll_spare(h));
	else if (h->rung->up == &method_up_post)
		pool_ahead(&h->user, carrier_helper_is_busy(h) ? 1 : 0);
	session_kick(h->base.session);
}

static void retry_due(void *ctx)
{
	struct carrier_helper *h = ctx;

	h->pausing = false;
	stand(h);
}

/* failures: those in a row of the direction that failed. */
static void pause_and_retry(struct carrier_helper *h, unsigned *failures, int error, const char *why)
{
	h->failed_us = loop_now(h->base.session->loop);
	if (++*failures > FAILURES_MAX) {
		carrier_helper_fail(h, error, "%s", why);
		return;
	}
	h->pausing = pauses[*failures - 1] > 0;
	timer_in(&h->retry, pauses[*failures - 1]);
}

/* Each direction is counted by itself: posts that succeed say nothing of answers that are cut. */
static unsigned *failures_of(struct carrier_helper *h, const struct leg *leg)
{
	bool down = request_mode_down(leg->ops->mode) || !h->streamed_down;

	return down ? &h->down_failures : &h->up_failures;
}

/* A poll that was answered early with nothing, though nothing replaced it, is not repeated at once. */
static void mind_empty_poll(struct carrier_helper *h, const struct leg *leg, int64_t age)
{
	if (leg->heard)
		h->empty_polls = 0;
	if (leg->heard || leg->spoke || leg->number != h->last_poll || age >= leg->hold_ms * LOOP_MS / 2)
		return;
	if (++h->empty_polls > EMPTY_POLLS)
		h->poll_not_before = loop_now(h->base.session->loop) +
				     (h->empty_polls < 2 * EMPTY_POLLS ? EMPTY_PAUSE << (h->empty_polls - EMPTY_POLLS)
								       : LOOP_SECOND);
}

/* Words for a leg's failure. */
const char *carrier_helper_why(const struct leg *leg, int error, char *out, size_t size)
{
	if (error == ERROR_HTTP && leg->ops->mode == MODE_WEBSOCKET && leg->status)
		snprintf(out, size, "WebSockets do not pass here: the answer was HTTP status %d", leg->status);
	else if (error == ERROR_HTTP && leg->ops->mode == MODE_WEBSOCKET)
		snprintf(out, size, "WebSockets do not pass here: the answer was not to what was asked");
	else if (error == ERROR_HTTP && leg->status && leg->status != 200)
		snprintf(out, size, "the answer was HTTP status %d", leg->status);
	else if (error == ERROR_HTTP)
		snprintf(out, size, "the answer was not in Culvert's format (a page of a box in between?)");
	else if (error == ERROR_TIMEOUT)
		snprintf(out, size, "no answer came in time to an exchange of mode %s",
			 request_mode_name(leg->ops->mode));
	else
		snprintf(out, size, "an exchange of mode %s failed: %s", request_mode_name(leg->ops->mode),
			 error_text(error));
	return out;
}

void carrier_helper_ended(struct carrier_helper *h, struct leg *leg, int error)
{
	struct session *s = h->base.session;
	int64_t age = loop_now(s->loop) - leg->born_us;
	char why[200];

	if (s->state == SESSION_ENDED)
		h->user.leaving = true;
	if (h->base.state == CARRIER_RETIRED && h->base.leg_count == 0)
		timer_in(&h->leave, 0);
	if (h->base.state >= CARRIER_RETIRED || s->state == SESSION_ENDED)
		return;
	if (error == 0 && !leg->replaced && leg->ops->mode != MODE_POLL && leg->ops->mode != MODE_UP && age < SHORT_LIFE)
		error = ERROR_RESET;
	if (error == 0 && !leg->recorded && (leg->ops->mode == MODE_POLL || leg->ops->mode == MODE_UP))
		error = leg->in.begun ? ERROR_EOF : ERROR_HTTP;	/* a complete answer has a record, if it is the server's */
	if (leg->ops->mode == MODE_POLL && leg->hold_ms && (leg->heard || leg->spoke))
		h->busy_us = loop_now(s->loop);
	if (error == 0)
		h->refused = 0;
	if (error == ERROR_AGAIN && ++h->refused > CARRIER_REFUSED_MAX)
		error = h->user.pool && pool_is_multiplexed(h->user.pool) ? ERROR_RESET : ERROR_PROXY_AUTH;
	if (leg->replaced || leg->given_up || error == ERROR_AGAIN || carrier_path_is_sealing(h->path)) {
		carrier_proof_standing(h);
		if (!h->pausing)
			timer_in(&h->retry, 0);
		return;
	}
	if (error == 0 || (leg->got_head && age >= LONG_LIFE))
		*failures_of(h, leg) = 0;
	if (error == 0) {
		if (leg->hold_ms)
			mind_empty_poll(h, leg, age);
		if (!h->pausing)	/* what failed beside it still waits */
			timer_in(&h->retry, 0);
		return;
	}
	carrier_helper_why(leg, error, why, sizeof why);
	if (error == ERROR_HTTP && leg->date)
		h->path->clock(h->path->ctx, leg->date);
	log_debug("carrier", s->tag, "%u: %s", h->base.id, why);
	if (error == ERROR_HTTP && leg->ops->mode == MODE_WEBSOCKET)
		error = ERROR_UNSUPPORTED;	/* HELLO was answered as it should be */
	if (h->base.state == CARRIER_PROBING)
		carrier_helper_fail(h, error, "%s", why);
	else if (leg->born_us >= h->failed_us)
		pause_and_retry(h, failures_of(h, leg), error, why);
	else if (!h->pausing)	/* cut together with one that was counted */
		timer_sooner(&h->retry, loop_now(s->loop));
}

static bool helper_send(struct carrier *c)
{
	struct carrier_helper *h = helper_of(c);
	const struct session *s = c->session;
	bool data = scheduler_has(&s->scheduler, SCHEDULER_ALL) || !list_empty(&s->streams) || !list_empty(&s->control);

	if (c->state != CARRIER_PROBING && c->state != CARRIER_PROVEN)
		return false;
	if (h->down && c->state == CARRIER_PROVEN && carrier_helper_is_worn(h->down))
		h->rung->down->stand(h);
	if (!h->rung->up->send(h, c->state == CARRIER_PROVEN && !c->aside ? 0 : OUTBOX_OWN))
		return false;
	if (data)
		carrier_stall_active(h);
	h->busy_us = loop_now(c->session->loop);
	return true;
}

/* ---- leaving ---- */

static void leave_soon(struct carrier_helper *h)
{
	timer_in(&h->leave, 2 * h->base.ledger.srtt_us + LEAVE);
}

/* A server that does not see our body end would go on sending on its answer. */
static void say_farewell(struct carrier_helper *h)
{
	struct leg *leg = h->farewell_due ? carrier_helper_leg(h, &method_post_leg, 0) : NULL;

	if (!leg)
		return;
	h->farewell_due = false;
	leg_complete(leg, carrier_helper_head(h, leg, false), OUTBOX_FORCE | OUTBOX_OWN);
	leave_soon(h);
}

/* ---- pool ---- */

static void pool_has_room(void *ctx)
{
	struct carrier_helper *h = ctx;

	if (h->base.state == CARRIER_OPENING) {
		carrier_proof_begin(h);
		return;
	}
	say_farewell(h);
	stand(h);
	while (helper_send(&h->base))	/* now that it is its turn: others would take the connection */
		;
}

static void pool_dial_failed(void *ctx, int error, const char *why)
{
	struct carrier_helper *h = ctx;

	if (h->base.state >= CARRIER_RETIRED)
		return;
	if (h->base.leg_count == 0 || h->base.state != CARRIER_PROVEN)
		carrier_helper_fail(h, error, "%s", why);
	else if (h->down && (h->up || h->rung->up != &method_up_stream))
		timer_sooner(&h->retry, loop_now(h->base.session->loop) + RENEW_RETRY);
	else if (!timer_armed(&h->retry))
		pause_and_retry(h, &h->down_failures, error, why);
}

static const struct pool_events pool_events = { pool_has_room, pool_dial_failed };

/* ---- life ---- */

static void stop(struct carrier_helper *h)
{
	struct loop *loop = h->base.session->loop;

	timer_stop(&h->proof);
	timer_stop(&h->retry);
	timer_stop(&h->stall.tick);
	later_cancel(loop, &h->fail);
	later_cancel(loop, &h->again);
}

static void helper_fini(struct carrier *c)
{
	struct carrier_helper *h = helper_of(c);

	stop(h);
	timer_stop(&h->leave);
	while (!list_empty(&c->legs))
		leg_drop(list_entry(c->legs.next, struct leg, link));
	if (h->user.pool && c->session->ended_reason[0])
		pool_excuse(h->user.pool);
	pool_leave(&h->user);
}

/* Retired: what was under way had its time. */
static void leave(void *ctx)
{
	struct carrier_helper *h = ctx;

	carrier_free(&h->base);
}

/* Polls and posts: one connection stays free for what comes next. */
static bool helper_spare(const struct carrier *c)
{
	const struct carrier_helper *h = (const struct carrier_helper *)(const void *)c;
	const struct http *next;

	if (c->standing || (h->user.pool && pool_free_count(h->user.pool) > 1))
		return true;
	next = pool_next(&h->user);
	return next && next->multiplexed && posts_left(h) > 1;
}

static const struct http *helper_next(const struct carrier *c)
{
	return pool_next(&((const struct carrier_helper *)(const void *)c)->user);
}

static const struct carrier_ops helper_ops = {
	.send = helper_send, .seen = carrier_proof_seen, .welcomed = carrier_proof_welcomed, .spare = helper_spare,
	.heard = carrier_stall_heard, .next = helper_next, .fini = helper_fini,
};

static struct carrier_helper *helper_new(struct session *s, const struct rung *rung, const struct carrier_path *path,
					 struct pool *pool, const struct carrier_events *events, void *ctx)
{
	struct carrier_helper *h = calloc(1, sizeof *h);

	if (!h)
		abort();
	carrier_init(&h->base, s, &helper_ops, s->next_carrier++);
	h->rung = rung;
	h->path = path;
	h->hold_ms = path->hold_ms ? path->hold_ms : HOLD_DEFAULT;
	h->events = events;
	h->ctx = ctx;
	h->base.standing = rung->up != &method_up_post;
	h->streamed_down = rung->down != &method_down_poll;
	h->opened_us = loop_now(s->loop);
	h->busy_us = -BUSY;
	timer_init(&h->proof, s->loop, carrier_proof_due, h);
	timer_init(&h->retry, s->loop, retry_due, h);
	timer_init(&h->stall.tick, s->loop, carrier_stall_tick, h);
	timer_init(&h->leave, s->loop, leave, h);
	later_init(&h->fail, tell_failed, h);
	later_init(&h->again, carrier_proof_begin, h);
	pool_join(pool, &h->user, false, &pool_events, h);
	h->user.spread = rung->up == &method_up_post ? POST_CONNECTIONS : 0;
	session_add_carrier(s, &h->base);
	return h;
}

struct carrier *carrier_open(struct session *s, const struct rung *rung, const struct carrier_path *path,
			     struct pool *pool, const struct carrier_events *events, void *ctx)
{
	struct carrier_helper *h;

	if (s->next_carrier > REQUEST_CARRIER_MAX) {
		session_end(s, CODE_LIMIT, "the numbers of its carriers are used up");
		return NULL;
	}
	if (s->carriers == SESSION_CARRIERS_MAX)
		return NULL;
	h = helper_new(s, rung, path, pool, events, ctx);
	loop_later(s->loop, &h->again);
	return &h->base;
}

/* The longest round trip of those that are proven. */
static int64_t round_trip(const struct session *s)
{
	int64_t most = 0;

	for (unsigned i = 0; i < s->carriers; i++)
		if (s->carrier[i]->state == CARRIER_PROVEN && s->carrier[i]->ledger.srtt_us > most)
			most = s->carrier[i]->ledger.srtt_us;
	return most;
}

struct carrier *carrier_open_beside(struct session *s, const struct rung *rung, const struct carrier_path *path,
				    struct pool *pool, const struct carrier_events *events, void *ctx)
{
	struct carrier_helper *h;

	if (s->state != SESSION_OPEN || rung->down == &method_down_poll || s->carriers == SESSION_CARRIERS_MAX ||
	    s->next_carrier + NUMBERS_KEPT > REQUEST_CARRIER_MAX)
		return NULL;
	h = helper_new(s, rung, path, pool, events, ctx);
	h->beside = true;
	h->hello_rtt_us = round_trip(s);
	h->early = (uint32_t)(loop_random_u64(s->loop) % EARLY_MAX);
	h->base.state = CARRIER_PROBING;
	h->base.marks_due = rung->up == &method_up_stream;	/* asks for its connection in the same turn */
	timer_in(&h->retry, 0);
	return &h->base;
}

void carrier_retire(struct carrier *c)
{
	struct carrier_helper *h = helper_of(c);

	if (c->state != CARRIER_PROVEN || c->leg_count == 0 || c->session->state == SESSION_ENDED) {
		carrier_free(c);
		return;
	}
	c->state = CARRIER_RETIRED;
	stop(h);
	pool_ahead(&h->user, 0);
	for (struct link *l = c->legs.next; l != &c->legs; l = l->next) {
		struct leg *leg = list_entry(l, struct leg, link);

		if (request_mode_up(leg->ops->mode))
			leg_end(leg);
	}
	leave_soon(h);
	h->farewell_due = h->beside && h->streamed_down && h->rung->up != h->rung->down;
	if (h->farewell_due)
		timer_in(&h->leave, FAREWELL);
	h->pausing = false;
	say_farewell(h);
	session_kick(c->session);
}

void carrier_trust_soon(struct carrier *c)
{
	helper_of(c)->trusting = true;
}

void carrier_adopt(struct carrier *c, const struct carrier_events *events, void *ctx)
{
	helper_of(c)->events = events;
	helper_of(c)->ctx = ctx;
}

const struct rung *carrier_rung(const struct carrier *c)
{
	return c->ops == &helper_ops ? ((const struct carrier_helper *)(const void *)c)->rung : NULL;
}
