/*
 * The table of seals. Asked by the front; drives seal_handshake.c with what exchanges of the
 * mode `seal` bring. Whoever knows a sid may begin handshakes for it, but each has a number of its own: nobody
 * disturbs a seal in use. What is not authenticated yet is bounded in number, by address, in bytes and in time.
 */
#include "server/seals.h"

#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/address.h"
#include "tunnel/counters.h"
#include "tunnel/credential.h"
#include "tunnel/leg.h"
#include "tunnel/list.h"
#include "tunnel/log.h"
#include "tunnel/seal_handshake.h"
#include "tunnel/stream_tls.h"

#define BUCKETS 1024
#define BODY_MAX 8192		/* bytes of a request: a helper has no certificate to send */
#define LOOK_US LOOP_SECOND
#define SESSION_SEALS 4		/* of one session: the newest */

const struct seals_limits seals_limits_default = {
	.handshakes = 256,
	.handshakes_per_origin = 32,
	.seals = 2048,
	.handshake_us = 15 * LOOP_SECOND,
	.unused_us = 60 * LOOP_SECOND,
	.idle_us = 330 * LOOP_SECOND,
};

struct entry {
	struct entry *next;	/* in its bucket */
	struct link link;	/* in pending or proven, the one used last at the end */
	char sid[REQUEST_SID_LEN + 1];
	uint32_t number;
	uint8_t origin[SEALS_ORIGIN];
	struct seal_handshake *handshake; /* NULL: done */
	struct seal *seal;	/* NULL: not done */
	uint8_t *last;		/* done: our last flight, for a helper that missed it */
	size_t last_n;
	char identity[CREDENTIAL_NAME_MAX + 1]; /* "": pending */
	int64_t since_us;	/* begun, done, or used last */
};

/* One exchange of the mode `seal`. */
struct visit {
	struct seals *all;
	struct exchange *x;
	struct link link;
	char sid[REQUEST_SID_LEN + 1];
	uint32_t number;
	uint8_t origin[SEALS_ORIGIN];
	char peer[ADDRESS_TEXT];
	struct seals_visitor from;
	struct timer timer;
	bool answered;
	size_t n;
	uint8_t body[BODY_MAX];
};

struct seals {
	struct loop *loop;
	struct seals_limits limits;
	struct tls_context *tls;
	bool (*lives)(void *ctx, const char *identity, const char *sid);
	void *ctx;
	struct entry *bucket[BUCKETS];
	struct link pending, proven, visits;
	size_t pending_count, proven_count, visit_count;
	uint64_t seed;
	struct timer timer;
};

/* ---- the table ---- */

/* All of a sid are in one. */
static struct entry **bucket_of(struct seals *all, const char *sid)
{
	uint64_t h = all->seed;

	for (const char *p = sid; *p; p++)	/* FNV-1a from a seed that peers do not know */
		h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
	return &all->bucket[(h ^ h >> 29) % BUCKETS];
}

static struct entry **entry_at(struct seals *all, const char *sid, uint32_t number)
{
	struct entry **at = bucket_of(all, sid);

	while (*at && ((*at)->number != number || strcmp((*at)->sid, sid)))
		at = &(*at)->next;
	return at;
}

static void entry_drop(struct seals *all, struct entry *e)
{
	struct entry **at = entry_at(all, e->sid, e->number);

	*at = e->next;
	link_remove(&e->link);
	if (*e->identity)
		all->proven_count--;
	else
		all->pending_count--;
	seal_handshake_free(e->handshake);
	seal_release(e->seal);
	free(e->last);
	free(e);
}

/* Used now: last of its list. */
static void touch(struct seals *all, struct entry *e)
{
	e->since_us = loop_now(all->loop);
	link_remove(&e->link);
	list_append(*e->identity ? &all->proven : &all->pending, &e->link);
}

static void sweep_pending(struct seals *all, int64_t now)
{
	for (struct link *l = all->pending.next, *next; l != &all->pending; l = next) {
		struct entry *e = list_entry(l, struct entry, link);

		next = l->next;
		if (now - e->since_us >= (e->seal ? all->limits.unused_us : all->limits.handshake_us))
			entry_drop(all, e);
	}
}

static void sweep_proven(struct seals *all, int64_t now)
{
	while (!list_empty(&all->proven)) {
		struct entry *e = list_entry(all->proven.next, struct entry, link);

		if (now - e->since_us < all->limits.idle_us)
			return;
		if (all->lives(all->ctx, e->identity, e->sid))
			touch(all, e);
		else
			entry_drop(all, e);
	}
}

static void on_timer(void *ctx)
{
	struct seals *all = ctx;

	sweep_pending(all, loop_now(all->loop));
	sweep_proven(all, loop_now(all->loop));
	if (all->pending_count || all->proven_count)
		timer_in(&all->timer, LOOK_US);
}

/* Room for one more in use: of those whose sessions are over, one goes. */
static bool make_room(struct seals *all)
{
	for (struct link *l = all->proven.next, *next; all->proven_count >= all->limits.seals && l != &all->proven; l = next) {
		struct entry *e = list_entry(l, struct entry, link);

		next = l->next;
		if (!all->lives(all->ctx, e->identity, e->sid))
			entry_drop(all, e);
	}
	return all->proven_count < all->limits.seals;
}

/* A session that makes one seal after the other, for whatever reason, keeps the newest. */
static void trim(struct seals *all, const struct entry *newest)
{
	struct entry *oldest = NULL;
	unsigned n = 0;

	for (struct entry *e = *bucket_of(all, newest->sid); e; e = e->next) {
		if (strcmp(e->sid, newest->sid) || strcmp(e->identity, newest->identity))
			continue;
		n++;
		if (e != newest && (!oldest || e->since_us < oldest->since_us))
			oldest = e;
	}
	if (n > SESSION_SEALS)
		entry_drop(all, oldest);
}

static size_t pending_from(const struct seals *all, const uint8_t origin[SEALS_ORIGIN])
{
	size_t n = 0;

	for (const struct link *l = all->pending.next; l != &all->pending; l = l->next)
		n += !memcmp(list_entry(l, const struct entry, link)->origin, origin, SEALS_ORIGIN);
	return n;
}

/* Why one more handshake is refused; NULL: it is not. */
static const char *full(struct seals *all, const uint8_t origin[SEALS_ORIGIN])
{
	if (all->pending_count >= all->limits.handshakes)
		return "as many are under way as there may be";
	if (pending_from(all, origin) >= all->limits.handshakes_per_origin)
		return "as many of its address are under way as there may be";
	if (!make_room(all))
		return "as many seals are in use as there may be (twice max-sessions)";
	return NULL;
}

static void refuse(const char *peer, const char *why)
{
	count(seals_refused);
	log_limited(LOG_LEVEL_WARN, "seal", peer, "refused a handshake: %s", why);
}

static struct entry *entry_new(struct seals *all, const struct visit *v)
{
	struct entry *e, **at;
	const char *why = full(all, v->origin);

	if (why) {
		refuse(v->peer, why);
		return NULL;
	}
	e = calloc(1, sizeof *e);
	if (!e)
		abort();
	memcpy(e->sid, v->sid, sizeof e->sid);
	memcpy(e->origin, v->origin, sizeof e->origin);
	e->number = v->number;
	e->since_us = loop_now(all->loop);
	e->handshake = seal_handshake_new(SEAL_SERVER, all->tls, NULL, e->sid);
	at = entry_at(all, v->sid, v->number);
	*at = e;
	list_append(&all->pending, &e->link);
	all->pending_count++;
	if (!timer_armed(&all->timer))
		timer_in(&all->timer, LOOK_US);
	return e;
}

/* ---- handshakes ---- */

static bool answer(struct visit *v, const uint8_t *p, size_t n)
{
	size_t cap;
	uint8_t *at = exchange_room(v->x, n + CAPSULE_HEAD_MAX, &cap);
	struct writer w;

	if (!at)
		return false;
	writer_init(&w, at, cap);
	capsule_head_put(&w, CAPSULE_FLIGHT, n);
	writer_bytes(&w, p, n);
	v->answered = true;
	exchange_send(v->x, leg_answer_head(v->all->loop, false, false), writer_len(&w), true);
	return true;
}

/* It is done: the last flight is kept in place of the handshake, which is large. */
static void finish(struct seals *all, struct entry *e, const uint8_t *out, size_t n)
{
	e->last = malloc(n + 1);
	if (!e->last)
		abort();
	if (n)
		memcpy(e->last, out, n);
	e->last_n = n;
	seal_handshake_free(e->handshake);
	e->handshake = NULL;
	count(seals_made);
	touch(all, e);
}

/* Answers a flight; false: it is none, or was refused. */
static bool take(struct visit *v, struct span flight)
{
	struct seals *all = v->all;
	struct entry *e = *entry_at(all, v->sid, v->number);
	const uint8_t *out;
	size_t out_n;
	int error;

	if (!e)
		e = entry_new(all, v);
	if (!e)
		return false;
	if (e->seal)
		return answer(v, e->last, e->last_n);
	error = seal_handshake_take(e->handshake, flight.p, flight.n, &out, &out_n);
	if (error == 0 && (e->seal = seal_handshake_seal(e->handshake))) {
		finish(all, e, out, out_n);
		return answer(v, e->last, e->last_n);
	}
	if (error < 0) {
		count(seals_failed);
		log_limited(LOG_LEVEL_INFO, "seal", v->peer, "a handshake failed: %s", seal_handshake_reason(e->handshake));
	}
	if (out_n || error == 0)
		answer(v, out, out_n);
	if (error < 0)
		entry_drop(all, e);
	return v->answered;
}

/* ---- exchanges ---- */

static void visit_end(struct visit *v)
{
	timer_stop(&v->timer);
	link_remove(&v->link);
	v->all->visit_count--;
	loop_free_later(v->all->loop, v);
}

static void visit_refuse(struct visit *v, const char *why)
{
	if (why)
		log_limited(LOG_LEVEL_INFO, "seal", v->peer, "%s", why);
	visit_end(v);
	v->from.refused(v->from.ctx, v->x);
}

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct visit *v = ctx;

	if (n > sizeof v->body - v->n)
		return ERROR_LIMIT;
	memcpy(v->body + v->n, p, n);
	v->n += n;
	return 0;
}

static void on_end(void *ctx)
{
	struct visit *v = ctx;
	uint64_t type = 0;
	size_t len = 0;
	ssize_t head = capsule_head_get(v->body, v->n, BODY_MAX, &type, &len);

	timer_stop(&v->timer);
	if (head <= 0 || type != CAPSULE_FLIGHT || (size_t)head + len != v->n)
		visit_refuse(v, "a request for a seal without a flight of a handshake");
	else if (!take(v, (struct span){ v->body + head, len }))
		visit_refuse(v, NULL);
}

static void on_writable(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, int error)
{
	(void)error;
	visit_end(ctx);
}

static const struct exchange_events visit_events = { on_head, on_body, on_end, on_writable, on_closed };

static void on_late(void *ctx)
{
	visit_refuse(ctx, "a request for a seal did not come in time");
}

static size_t visits_from(const struct seals *all, const uint8_t origin[SEALS_ORIGIN])
{
	size_t n = 0;

	for (const struct link *l = all->visits.next; l != &all->visits; l = l->next)
		n += !memcmp(list_entry(l, const struct visit, link)->origin, origin, SEALS_ORIGIN);
	return n;
}

/* Why one more request is refused before it is read; NULL: it is not. */
static const char *crowded(const struct seals *all, const uint8_t origin[SEALS_ORIGIN])
{
	if (all->visit_count >= all->limits.handshakes)
		return "as many of their requests are under way as there may be";
	if (visits_from(all, origin) >= all->limits.handshakes_per_origin)
		return "as many of their requests from its address are under way as there may be";
	return NULL;
}

bool seals_accept(struct seals *all, const struct request *r, struct exchange *x, const struct seals_visitor *from)
{
	const char *why = crowded(all, from->origin);
	struct visit *v;

	if (why) {
		refuse(from->peer, why);
		return false;
	}
	v = malloc(sizeof *v);
	if (!v)
		abort();
	memset(v, 0, offsetof(struct visit, body));
	v->all = all;
	v->x = x;
	v->from = *from;
	v->number = r->seal;
	memcpy(v->sid, r->sid, sizeof v->sid);
	memcpy(v->origin, from->origin, sizeof v->origin);
	strncpy(v->peer, from->peer, sizeof v->peer - 1);
	v->from.origin = v->origin;
	v->from.peer = v->peer;
	x->events = &visit_events;
	x->ctx = v;
	timer_init(&v->timer, all->loop, on_late, v);
	timer_in(&v->timer, all->limits.handshake_us);
	list_append(&all->visits, &v->link);
	all->visit_count++;
	return true;
}

/* ---- for the front ---- */

struct seal *seals_find(struct seals *all, const char *sid, uint32_t number)
{
	struct entry *e = *entry_at(all, sid, number);

	if (!e || !e->seal)
		return NULL;
	if (!seal_is_lost(e->seal))
		return e->seal;
	entry_drop(all, e);	/* used up */
	return NULL;
}

void seals_prove(struct seals *all, const char *sid, uint32_t number, const char *identity)
{
	struct entry *e = *entry_at(all, sid, number);

	if (!e || !e->seal)
		return;
	if (!*e->identity) {
		all->pending_count--;
		all->proven_count++;
	}
	memset(e->identity, 0, sizeof e->identity);
	strncpy(e->identity, identity, sizeof e->identity - 1);
	touch(all, e);
	trim(all, e);
}

/* ---- life ---- */

struct seals *seals_new(struct loop *loop, const struct seals_limits *limits,
			bool (*lives)(void *ctx, const char *identity, const char *sid), void *ctx)
{
	struct seals *all = calloc(1, sizeof *all);

	if (!all)
		abort();
	all->loop = loop;
	all->limits = *limits;
	all->lives = lives;
	all->ctx = ctx;
	all->seed = loop_random_u64(loop);
	list_init(&all->pending);
	list_init(&all->proven);
	list_init(&all->visits);
	timer_init(&all->timer, loop, on_timer, all);
	return all;
}

void seals_free(struct seals *all)
{
	if (!all)
		return;
	while (!list_empty(&all->visits)) {
		struct visit *v = list_entry(all->visits.next, struct visit, link);

		exchange_abort(v->x);
		visit_end(v);
	}
	while (!list_empty(&all->pending))
		entry_drop(all, list_entry(all->pending.next, struct entry, link));
	while (!list_empty(&all->proven))
		entry_drop(all, list_entry(all->proven.next, struct entry, link));
	timer_stop(&all->timer);
	if (all->tls)
		tls_context_release(all->tls);
	free(all);
}

void seals_set_tls(struct seals *all, struct tls_context *tls)
{
	if (all->tls)
		tls_context_release(all->tls);
	all->tls = tls;
}

size_t seals_count(const struct seals *all)
{
	return all->proven_count;
}

size_t seals_pending(const struct seals *all)
{
	return all->pending_count;
}
