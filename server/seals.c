/*
 * The table of seals. Asked by the front; drives seal_handshake.c with what exchanges of the
 * mode `seal` bring (seals_visit.c). Whoever knows a sid may begin handshakes for it, but each has a number of its own: nobody
 * disturbs a seal in use. What is not authenticated yet is bounded in number, by address, in bytes and in time.
 */
#include "server/seals_internal.h"

#include <stdlib.h>
#include <string.h>

#include "tunnel/counters.h"
#include "tunnel/credential.h"
#include "tunnel/log.h"
#include "tunnel/seal_handshake.h"
#include "tunnel/stream_tls.h"

#define LOOK_US LOOP_SECOND
#define OPENING_MAX 16		/* requests of a seal at a time, before one of them was authenticated: all carriers, after a new seal */
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
	struct seal_handshake *handshake; /* NULL: done, or failed */
	struct seal *seal;	/* NULL: not done */
	uint8_t *last;		/* done: our last flight, for a helper that missed it */
	size_t last_n;
	unsigned opening;	/* requests that are being opened */
	char identity[CREDENTIAL_NAME_MAX + 1]; /* "": pending */
	int64_t since_us;	/* begun, done, or used last */
};

/* ---- the table ---- */

/* All of a sid are in one. */
static struct entry **bucket_of(struct seals *all, const char *sid)
{
	uint64_t h = all->seed;

	for (const char *p = sid; *p; p++)	/* FNV-1a from a seed that peers do not know */
		h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
	return &all->bucket[(h ^ h >> 29) % SEALS_BUCKETS];
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

void seals_refuse(const char *peer, const char *why)
{
	count(seals_refused);
	log_limited(LOG_LEVEL_WARN, "seal", peer, "refused a handshake: %s", why);
}

static struct entry *entry_new(struct seals *all, const struct seals_asker *a)
{
	struct entry *e, **at;
	const char *why = full(all, a->origin);

	if (why) {
		seals_refuse(a->peer, why);
		return NULL;
	}
	e = calloc(1, sizeof *e);
	if (!e)
		abort();
	memcpy(e->sid, a->sid, sizeof e->sid);
	memcpy(e->origin, a->origin, sizeof e->origin);
	e->number = a->number;
	e->since_us = loop_now(all->loop);
	e->handshake = seal_handshake_new(SEAL_SERVER, all->tls, NULL, e->sid);
	at = entry_at(all, a->sid, a->number);
	*at = e;
	list_append(&all->pending, &e->link);
	all->pending_count++;
	if (!timer_armed(&all->timer))
		timer_in(&all->timer, LOOK_US);
	return e;
}

/* ---- handshakes ---- */

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

/* It failed. Its place stays taken for its time, for it cost a signature; what tells the helper so stays a moment. */
static void give_up(struct entry *e, const char *peer, const uint8_t **out, size_t n)
{
	static uint8_t last_words[SEAL_FLIGHT_MAX];

	count(seals_failed);
	log_limited(LOG_LEVEL_INFO, "seal", peer, "a handshake failed: %s", seal_handshake_reason(e->handshake));
	memcpy(last_words, *out, n);
	*out = last_words;
	seal_handshake_free(e->handshake);
	e->handshake = NULL;
}

bool seals_take(struct seals *all, const struct seals_asker *a, struct span flight, const uint8_t **out, size_t *n)
{
	struct entry *e = *entry_at(all, a->sid, a->number);
	int error;

	if (!e)
		e = entry_new(all, a);
	if (!e || (!e->seal && !e->handshake))
		return false;
	if (!e->seal) {
		error = seal_handshake_take(e->handshake, flight.p, flight.n, out, n);
		if (error < 0) {
			give_up(e, a->peer, out, *n);
			return *n > 0;
		}
		e->seal = seal_handshake_seal(e->handshake);
		if (!e->seal)
			return true;
		finish(all, e, *out, *n);
	}
	*out = e->last;
	*n = e->last_n;
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

bool seals_enter(struct seals *all, const char *sid, uint32_t number)
{
	struct entry *e = *entry_at(all, sid, number);

	if (!e || (!*e->identity && e->opening >= OPENING_MAX))
		return false;
	e->opening++;
	return true;
}

void seals_leave(struct seals *all, const char *sid, uint32_t number)
{
	struct entry *e = *entry_at(all, sid, number);

	if (e && e->opening)
		e->opening--;
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
	seals_visits_end(all);
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
