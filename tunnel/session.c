/*
 * Session: life and death, its carriers and its timers. What comes in is in
 * inbox.c, what goes out in outbox.c, channels in channel*.c. Owned by the
 * helper or the server's session table.
 */
#include "tunnel/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/session_internal.h"


const struct session_config session_config_default = {
	.max_channels = 1024,
	.session_window = 4 << 20,
	.channel_window = 1 << 20,
	.send_buffer = 1 << 20,
	.session_send_buffer = 16 << 20,
	.queue_packets = 4096,
	.queue_bytes = 4 << 20,
	.keepalive_ms = 8000,
	.expire_ms = 330000,
	.expire_empty_ms = 45000,
};

#define DEAD_TIMEOUTS 2

/* ---- what the ledger calls back ---- */

static void on_lost(void *ctx, const struct ledger_item *item)
{
	struct session *s = ctx;

	if (s->state == SESSION_ENDED || item->type == CAPSULE_SEEN)
		return;
	if (item->type == CAPSULE_DATAGRAM)
		redundancy_overdue(&s->redundancy, item->offset);
	else if (item->type == CAPSULE_WINDOW)
		s->window_due = true;
	else if (item->type == CAPSULE_GOAWAY)
		s->goaway_due = true;
	else if (item->channel)
		channel_lost(s, item);
	session_kick(s);
}

/* A receipt for our SEEN proves the carrier's answers to the server. */
static void prove(struct session *s, uint64_t carrier)
{
	struct carrier *c = session_find_carrier(s, carrier);

	if (c && s->role == SESSION_SERVER && c->state == CARRIER_PROBING && !c->rests) {
		c->state = CARRIER_PROVEN;
		session_kick(s);
	}
}

static void on_receipted(void *ctx, const struct ledger_item *item)
{
	struct session *s = ctx;

	if (item->type == CAPSULE_DATAGRAM)
		redundancy_arrived(&s->redundancy, item->offset);
	else if (item->type == CAPSULE_SEEN)
		prove(ctx, item->offset);
	else
		channel_receipted(ctx, item);
}

static void on_settled(void *ctx, size_t bytes, int64_t sent_us, int64_t rtt_us)
{
	struct session *s = ctx;
	int64_t now = loop_now(s->loop), ours = 0;

	if (rtt_us > 0) {
		round_trip_note(&s->round_trip, rtt_us, now);
		ours = round_trip_ours(&s->round_trip, rtt_us, s->late_ms);
	}
	if (rtt_us < 0) {
		inflight_lost(&s->inflight, bytes);
	} else {
		inflight_receipted(&s->inflight, bytes, sent_us, ours, now);
		s->receipted += bytes;
	}
	if (s->state == SESSION_OPEN && (scheduler_has(&s->scheduler, SCHEDULER_ALL) || !list_empty(&s->streams)))
		session_kick(s);	/* it may have waited for that */
}

static void on_turned(void *ctx, int64_t turn_us)
{
	steer_turned(ctx, turn_us);
}

const struct ledger_events session_ledger_events = { on_lost, on_receipted, on_settled, on_turned };

void session_path_changed(struct session *s)
{
	inflight_reset(&s->inflight, loop_now(s->loop));
	s->round_trip = (struct round_trip){ 0 };
	s->steer.turn_us = 0;
}

/* ---- flushing ---- */

/* Carriers that do not deliver are spared, as long as another one does. */
static void set_aside(struct session *s)
{
	int64_t now = loop_now(s->loop);
	bool other = false;

	for (unsigned i = 0; i < s->carriers; i++) {
		struct carrier *c = s->carrier[i];

		c->aside = s->role == SESSION_HELPER ? c->stalled : ledger_is_stuck(&c->ledger, now);
		other |= c->state == CARRIER_PROVEN && !c->aside;
	}
	for (unsigned i = 0; i < s->carriers; i++)
		s->carrier[i]->aside &= other;
}

/* One record on the picked carrier, or on the first that can: which; NULL: there is nothing to send, or no room. */
static struct carrier *send_one(struct session *s, struct carrier **order, unsigned n)
{
	struct carrier *first = s->pick ? s->pick(s->pick_ctx, s->carrier, s->carriers) : NULL;

	if (first && first->ops->send(first))
		return first;
	for (unsigned i = 0; i < n; i++)
		if (order[i] != first && order[i]->ops->send(order[i]))
			return order[i];
	return NULL;
}

static void flush(void *ctx)
{
	struct session *s = ctx;
	struct carrier *order[SESSION_CARRIERS_MAX], *c;
	unsigned n, changes = s->carrier_changes;

	if (s->local) {
		local_pump(s->local);
		return;
	}
	session_note_recent(s);
	set_aside(s);
	n = steer_begin(s, order);
	while ((c = send_one(s, order, n))) {
		if (s->carrier_changes == changes) {
			steer_turn(s, c, order, n);
		} else {
			changes = s->carrier_changes;
			n = steer_order(s, order);
		}
	}
	session_watch(s);
	steer_watch(s);
}

void session_kick(struct session *s)
{
	loop_later(s->loop, &s->flush);
}

/* ---- timers ---- */

void session_watch_carrier(struct session *s, const struct carrier *c)
{
	int64_t deadline = ledger_deadline(&c->ledger), receipt = arrivals_due_us(&c->arrivals);

	if (deadline)
		timer_sooner(&s->probe, deadline);
	/* One that is overdue already waits for a leg that can carry it: legs look when they come. */
	if (receipt > loop_now(s->loop))
		timer_sooner(&s->receipt, receipt);
}

void session_watch(struct session *s)
{
	for (unsigned i = 0; i < s->carriers; i++)
		session_watch_carrier(s, s->carrier[i]);
}

/* Others are heard from behind a time-out of the carrier, and it has another: it is dead to us, and what it holds would keep them
 * all from sending. */
static void time_out(struct session *s, struct ledger *l, int64_t now)
{
	int64_t before = l->doubted_us;

	ledger_timeout(l, now);
	if (before && l->backoff >= DEAD_TIMEOUTS && s->inflight.heard_us > before)
		ledger_all_lost(l);
}

static void probe_due(void *ctx)
{
	struct session *s = ctx;
	int64_t now = loop_now(s->loop);

	for (unsigned i = 0; i < s->carriers; i++) {
		struct ledger *l = &s->carrier[i]->ledger;
		int64_t at = ledger_deadline(l);

		if (at && at <= now)
			time_out(s, l, now);
	}
	session_watch(s);
}

static void receipt_due(void *ctx)
{
	struct session *s = ctx;
	int64_t now = loop_now(s->loop);

	for (struct link *l = s->channels.next; l != &s->channels; l = l->next) {
		struct channel *ch = list_entry(l, struct channel, all);

		if (!channel_is_stream(&ch->params) || !ch->receive.ack_at_us)
			continue;
		if (ch->receive.ack_at_us <= now)
			channel_due(ch, DUE_ACK);
		else
			timer_sooner(&s->receipt, ch->receive.ack_at_us);
	}
	flush(s);
}

static void expired(void *ctx)
{
	session_end(ctx, CODE_EXPIRED, "no exchange for too long");
}

void session_attached(struct session *s)
{
	unsigned legs = 0;

	for (unsigned i = 0; i < s->carriers; i++)
		legs += s->carrier[i]->leg_count;
	if (s->role != SESSION_SERVER || s->state == SESSION_ENDED)
		return;
	if (legs + s->probe_count + s->attended > 0)
		timer_stop(&s->expiry);
	else
		timer_in(&s->expiry, (s->channel_count ? s->config.expire_ms : s->config.expire_empty_ms) * LOOP_MS);
}

/* ---- carriers ---- */

bool session_add_carrier(struct session *s, struct carrier *c)
{
	if (s->carriers == SESSION_CARRIERS_MAX)
		return false;
	s->carrier[s->carriers++] = c;
	s->carrier_changes++;
	return true;
}

struct carrier *session_find_carrier(const struct session *s, uint64_t id)
{
	for (unsigned i = 0; i < s->carriers; i++)
		if (s->carrier[i]->id == id)
			return s->carrier[i];
	return NULL;
}

void session_drop_carrier(struct session *s, struct carrier *c)
{
	unsigned i = 0;

	while (i < s->carriers && s->carrier[i] != c)
		i++;
	if (i == s->carriers)
		return;
	memmove(&s->carrier[i], &s->carrier[i + 1], (--s->carriers - i) * sizeof *s->carrier);
	s->carrier_changes++;
	session_attached(s);
}

unsigned session_carriers(const struct session *s, struct carrier **out, unsigned max)
{
	unsigned n = s->carriers < max ? s->carriers : max;

	memcpy(out, s->carrier, n * sizeof *out);
	return n;
}

/* ---- life ---- */

static void over(void *ctx);

struct session *session_new(struct loop *loop, enum session_role role, const struct session_config *config,
			    struct packet_pool *pool, const char *sid, const struct session_events *events, void *ctx)
{
	struct session *s = calloc(1, sizeof *s);
	uint8_t random[16];

	if (!s)
		abort();
	s->loop = loop;
	s->role = role;
	s->config = *config;
	s->pool = pool;
	s->events = events;
	s->ctx = ctx;
	s->born_us = loop_now(loop);
	if (sid) {
		memcpy(s->sid, sid, REQUEST_SID_LEN);
	} else {
		loop_random(loop, random, sizeof random);
		request_sid(s->sid, random);
	}
	memcpy(s->tag, s->sid, sizeof s->tag - 1);
	s->next_id = role == SESSION_HELPER ? 2 : 1;
	s->limit = config->session_window;
	s->peer_open_limit = role == SESSION_SERVER ? config->max_channels : 0;
	window_init(&s->peer_ids);
	window_init(&s->peer_carriers);
	list_init(&s->probes);
	list_init(&s->channels);
	list_init(&s->control);
	list_init(&s->streams);
	scheduler_init(&s->scheduler, config->queue_packets, config->queue_bytes, channel_datagram_dropped);
	timer_init(&s->probe, loop, probe_due, s);
	timer_init(&s->receipt, loop, receipt_due, s);
	timer_init(&s->idle, loop, channel_sweep_idle, s);
	timer_init(&s->expiry, loop, expired, s);
	inflight_init(&s->inflight, loop_now(loop));
	redundancy_init(&s->redundancy);
	steer_init(s);
	later_init(&s->flush, flush, s);
	later_init(&s->over, over, s);
	session_attached(s);
	count(sessions_opened);
	return s;
}

/* Tells every endpoint, frees every channel. */
static void drop_channels(struct session *s, uint64_t code, const char *reason)
{
	if (s->local)
		local_over(s->local, code, reason);
	while (!list_empty(&s->channels))
		channel_end(list_entry(s->channels.next, struct channel, all), code, reason);
	early_clear(s);
}

void session_end(struct session *s, uint64_t code, const char *reason)
{
	char why[MESSAGE_TEXT_MAX + 1];

	if (s->state == SESSION_ENDED)
		return;
	snprintf(why, sizeof why, "%s", reason && *reason ? reason : capsule_code_text(code));
	s->state = SESSION_ENDED;
	s->farewell_code = code;
	count(sessions_ended);
	log_debug("session", s->tag, "ends: %s", why);
	timer_stop(&s->probe);
	timer_stop(&s->receipt);
	timer_stop(&s->idle);
	timer_stop(&s->expiry);
	timer_stop(&s->steer.timer);
	drop_channels(s, CODE_SESSION_LOST, why);
	memcpy(s->ended_reason, why, sizeof why);
	loop_later(s->loop, &s->over);
}

/* Not from within the exchange that brought the end: the owner may free everything. */
static void over(void *ctx)
{
	struct session *s = ctx;

	if (s->events->ended)
		s->events->ended(s->ctx, s->farewell_code, s->ended_reason);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	if (s->state != SESSION_ENDED)
		count(sessions_ended);
	s->state = SESSION_ENDED;
	while (s->carriers)
		carrier_free(s->carrier[s->carriers - 1]);
	probe_answers_end(s);
	drop_channels(s, CODE_SESSION_LOST, "the session was ended here");
	timer_stop(&s->probe);
	timer_stop(&s->receipt);
	timer_stop(&s->idle);
	timer_stop(&s->expiry);
	later_cancel(s->loop, &s->flush);
	later_cancel(s->loop, &s->over);
	steer_fini(s);
	redundancy_fini(&s->redundancy);
	loop_free_later(s->loop, s);
}

void session_bye(struct session *s, uint64_t code, const char *reason)
{
	if (s->state == SESSION_ENDED)
		return;
	s->state = SESSION_ENDED;
	count(sessions_ended);
	s->farewell_code = code;
	snprintf(s->farewell_reason, sizeof s->farewell_reason, "%s", reason);
	s->bye_due = true;
	probe_answers_end(s);
	drop_channels(s, code, reason);
	timer_stop(&s->idle);
	session_kick(s);
}

void session_goaway(struct session *s, uint64_t code, uint32_t delay_ms)
{
	if (s->state != SESSION_OPEN || s->goaway)
		return;
	s->goaway = s->goaway_due = true;
	s->farewell_code = code;
	s->farewell_delay_ms = delay_ms;
	session_kick(s);
}

void session_identify(struct session *s, uint64_t node, uint64_t epoch)
{
	s->node = node;
	s->epoch = epoch;
}

void session_set_pick(struct session *s, session_pick *pick, void *ctx)
{
	s->pick = pick;
	s->pick_ctx = ctx;
}

/* ---- questions ---- */

const char *session_sid(const struct session *s)
{
	return s->sid;
}

void *session_owner(const struct session *s)
{
	return s->ctx;
}

const char *session_tag(const struct session *s)
{
	return s->tag;
}

bool session_is_open(const struct session *s)
{
	return s->state == SESSION_OPEN && !s->goaway;
}

bool session_is_ended(const struct session *s)
{
	return s->state == SESSION_ENDED;
}

bool session_has_probes(const struct session *s)
{
	return s->features & FEATURE_PROBES;
}

bool session_has_targets(const struct session *s)
{
	return s->features & FEATURE_TARGETS;
}

void session_each_channel(const struct session *s, void (*fn)(void *arg, const struct channel *), void *arg)
{
	for (const struct link *l = s->channels.next; l != &s->channels; l = l->next)
		fn(arg, list_entry(l, const struct channel, all));
}
