/*
 * The session table. Called by the front for each authenticated exchange; makes
 * sessions, and hears from them when a channel is asked for or they end. Entries
 * are found by identity and sid together: another identity's sid does not exist.
 *
 * A session that ended stays as a tombstone, so that a replayed request can
 * neither resurrect it nor repeat what it did. Their number is bounded for each
 * identity, too: one that makes sessions in a loop pushes out only its own.
 */
#include "server/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "server/egress.h"
#include "tunnel/address.h"
#include "tunnel/carrier.h"
#include "tunnel/counters.h"
#include "tunnel/credential.h"
#include "tunnel/list.h"
#include "tunnel/log.h"

#define BUCKETS 1024
#define IDENTITY_BUCKETS 64
#define LOCAL_BUFFER 65536	/* bytes either way of one without a helper: its tenant has its own window */
#define TOMBSTONE_LIFE (600 * LOOP_SECOND)
#define TOMBSTONE_SHARE 4	/* one identity has at most a 1/n of all tombstones */

/* An identity that has sessions or tombstones. */
struct holder {
	struct holder *next;	/* in its bucket */
	char name[CREDENTIAL_NAME_MAX + 1];
	size_t sessions, tombstones;
	struct link graves;	/* of tombstones, oldest first */
};

struct entry {
	struct entry *next;	/* in its bucket */
	struct sessions *table;
	struct holder *holder;
	char sid[REQUEST_SID_LEN + 1];
	struct session *session; /* NULL: a tombstone */
	bool sealed;		/* it was used so */
	char peer[ADDRESS_TEXT]; /* where its helper was seen last */
	int64_t until_us;	/* of a tombstone */
	struct egress_share share;
	bool local;
	void *tenant;		/* of a local one */
	void (*gone)(void *tenant);
	struct link all;	/* in live or in graves of the table */
	struct link grave;	/* in graves of the holder */
};

struct sessions {
	struct loop *loop;
	struct sessions_config config;
	struct packet_pool *pool;
	sessions_open *open;
	void *ctx;
	struct session_events events;
	struct entry *bucket[BUCKETS];
	struct holder *holder[IDENTITY_BUCKETS];
	uint64_t seed;
	struct link live, graves;
	size_t count, tombstones;
	bool closing;
	struct timer timer;	/* the oldest tombstone expires */
};

/* ---- look-up ---- */

/* FNV-1a from a seed that peers do not know. */
static uint64_t hash(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(1099511628211);
	return h ^ h >> 29;
}

static struct entry **entry_at(struct sessions *t, const char *identity, const char *sid)
{
	struct entry **link = &t->bucket[hash(t->seed, sid) % BUCKETS];

	while (*link && (strcmp((*link)->sid, sid) || strcmp((*link)->holder->name, identity)))
		link = &(*link)->next;
	return link;
}

static struct holder **holder_at(struct sessions *t, const char *identity)
{
	struct holder **link = &t->holder[hash(t->seed, identity) % IDENTITY_BUCKETS];

	while (*link && strcmp((*link)->name, identity))
		link = &(*link)->next;
	return link;
}

static struct holder *holder_get(struct sessions *t, const char *identity)
{
	struct holder **link = holder_at(t, identity), *h = *link;

	if (h)
		return h;
	h = calloc(1, sizeof *h);
	if (!h)
		abort();
	strncpy(h->name, identity, sizeof h->name - 1);
	list_init(&h->graves);
	return *link = h;
}

static void holder_put(struct sessions *t, struct holder *h)
{
	struct holder **link;

	if (h->sessions || h->tombstones)
		return;
	link = holder_at(t, h->name);
	*link = h->next;
	free(h);
}

static void evict(struct entry *e)
{
	void *tenant = e->tenant;

	e->tenant = NULL;
	if (tenant)
		e->gone(tenant);
}

static void entry_drop(struct entry *e)
{
	struct sessions *t = e->table;
	struct holder *h = e->holder;
	struct entry **link = entry_at(t, h->name, e->sid);

	*link = e->next;
	link_remove(&e->all);
	link_remove(&e->grave);
	if (e->session) {
		t->count--;
		h->sessions--;
	} else {
		t->tombstones--;
		h->tombstones--;
	}
	session_free(e->session);
	evict(e);
	free(e);
	holder_put(t, h);
}

/* ---- tombstones ---- */

static void expire(void *ctx)
{
	struct sessions *t = ctx;

	while (!list_empty(&t->graves)) {
		struct entry *e = list_entry(t->graves.next, struct entry, all);

		if (e->until_us > loop_now(t->loop)) {
			timer_set(&t->timer, e->until_us);
			return;
		}
		entry_drop(e);
	}
}

/* The session of e is over: what is left of it refuses its sid for a while. */
static void bury(struct entry *e)
{
	struct sessions *t = e->table;
	struct holder *h = e->holder;

	session_free(e->session);
	e->session = NULL;
	evict(e);
	t->count--;
	h->sessions--;
	e->until_us = loop_now(t->loop) + TOMBSTONE_LIFE;
	link_remove(&e->all);
	list_append(&t->graves, &e->all);
	list_append(&h->graves, &e->grave);
	t->tombstones++;
	h->tombstones++;
	if (h->tombstones > 1 && h->tombstones > t->config.max_tombstones / TOMBSTONE_SHARE)
		entry_drop(list_entry(h->graves.next, struct entry, grave));
	if (t->tombstones > t->config.max_tombstones)
		entry_drop(list_entry(t->graves.next, struct entry, all));
	if (!timer_armed(&t->timer))
		timer_in(&t->timer, TOMBSTONE_LIFE);
}

/* ---- events of sessions ---- */

static uint64_t on_open(void *ctx, struct channel *channel, const struct message_open *open, struct channel_params *params,
			const struct endpoint_ops **ops, void **endpoint, const char **sentence)
{
	struct sessions *t = ((struct entry *)ctx)->table;

	return t->open(t->ctx, channel, open, params, ops, endpoint, sentence);
}

static void on_ended(void *ctx, uint64_t code, const char *reason)
{
	struct entry *e = ctx;
	const char *text = capsule_code_text(code);
	bool more = *reason && strcmp(reason, text);

	log_info("session", session_tag(e->session), "of %s has ended: %s%s%s%s", e->holder->name, text, more ? " (" : "",
		 more ? reason : "", more ? ")" : "");
	if (e->local && code == CODE_EXPIRED)
		count(rest_expired);
	bury(e);
}

/* ---- the table ---- */

struct sessions *sessions_new(struct loop *loop, const struct sessions_config *config, struct packet_pool *pool,
			      sessions_open *open, void *ctx)
{
	struct sessions *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->loop = loop;
	t->config = *config;
	t->pool = pool;
	t->open = open;
	t->ctx = ctx;
	t->events.open = on_open;
	t->events.ended = on_ended;
	t->seed = loop_random_u64(loop);
	list_init(&t->live);
	list_init(&t->graves);
	timer_init(&t->timer, loop, expire, t);
	return t;
}

void sessions_free(struct sessions *t)
{
	if (!t)
		return;
	while (!list_empty(&t->live))
		entry_drop(list_entry(t->live.next, struct entry, all));
	while (!list_empty(&t->graves))
		entry_drop(list_entry(t->graves.next, struct entry, all));
	timer_stop(&t->timer);
	free(t);
}

/* NULL at a cap, with what to tell the helper. */
static struct entry *create(struct sessions *t, const char *identity, const char *peer, const char *sid,
			    const struct session_config *config, const char **why)
{
	struct holder *h = holder_get(t, identity);
	struct entry *e, **link;

	*why = NULL;
	if (t->count >= t->config.max)
		*why = "the server has as many sessions as it may have (max-sessions)";
	else if (h->sessions >= t->config.max_per_identity)
		*why = "this identity has as many sessions as it may have (max-sessions-per-identity)";
	if (*why) {
		holder_put(t, h);
		return NULL;
	}
	e = calloc(1, sizeof *e);
	if (!e)
		abort();
	e->table = t;
	e->holder = h;
	memcpy(e->sid, sid, sizeof e->sid);
	e->session = session_new(t->loop, SESSION_SERVER, config, t->pool, sid, &t->events, e);
	session_identify(e->session, t->config.node, t->config.epoch);
	link = entry_at(t, identity, sid);
	*link = e;
	list_append(&t->live, &e->all);
	t->count++;
	h->sessions++;
	log_info("session", session_tag(e->session), "of %s begins, from %s", identity, peer);
	return e;
}

void sessions_accept(struct sessions *t, const char *identity, const char *peer, const struct request *r, struct exchange *x,
		     const struct http1_head *head)
{
	struct entry *e = *entry_at(t, identity, r->sid);
	const char *why;

	if (r->mode != MODE_HELLO && (!r->has_epoch || r->epoch != t->config.epoch)) {
		carrier_answer(t->loop, x, CAPSULE_GONE, CODE_EPOCH, "the server was restarted");
		return;
	}
	if (!e && r->mode != MODE_HELLO) {
		carrier_answer(t->loop, x, CAPSULE_GONE, CODE_UNKNOWN_SESSION, "no such session");
		return;
	}
	if (e && e->local) {
		carrier_answer(t->loop, x, CAPSULE_GONE, CODE_UNKNOWN_SESSION, "this is no helper's session");
		return;
	}
	/* While closing the end is still to be told, on whatever exchange comes. */
	if (e && (!e->session || (session_is_ended(e->session) && !t->closing))) {
		carrier_answer(t->loop, x, CAPSULE_GONE, CODE_ENDED, "this session has ended");
		return;
	}
	if (!e && t->closing) {
		carrier_answer(t->loop, x, CAPSULE_GONE, CODE_SHUTDOWN, "the server is stopping");
		return;
	}
	if (!e) {
		e = create(t, identity, peer, r->sid, &t->config.session, &why);
		if (!e) {
			count(sessions_refused);
			log_limited(LOG_LEVEL_WARN, "session", "", "refused one of %s: %s", identity, why);
			carrier_answer(t->loop, x, CAPSULE_GONE, CODE_LIMIT, why);
			return;
		}
	}
	e->sealed |= r->seal != 0;
	snprintf(e->peer, sizeof e->peer, "%s", peer);
	carrier_accept(e->session, r, x, head);
}

enum sessions_found sessions_find(struct sessions *t, const char *identity, const char *peer, const char *sid, void **tenant)
{
	struct entry *e = *entry_at(t, identity, sid);

	*tenant = NULL;
	if (!e)
		return SESSIONS_NONE;
	if (!e->session || session_is_ended(e->session))
		return SESSIONS_ENDED;
	if (!e->local)
		return SESSIONS_OF_HELPER;
	snprintf(e->peer, sizeof e->peer, "%s", peer);
	*tenant = e->tenant;
	return SESSIONS_LIVE;
}

struct session *sessions_create(struct sessions *t, const char *identity, const char *peer, const char *sid, uint32_t expire_ms,
				const char **why)
{
	struct session_config config = t->config.session;
	struct entry *e;

	config.expire_ms = config.expire_empty_ms = expire_ms;
	config.max_channels = 1;
	config.channel_window = config.send_buffer = LOCAL_BUFFER;
	e = create(t, identity, peer, sid, &config, why);
	if (!e) {
		count(sessions_refused);
		log_limited(LOG_LEVEL_WARN, "session", "", "refused one of %s: %s", identity, *why);
		return NULL;
	}
	e->local = true;
	snprintf(e->peer, sizeof e->peer, "%s", peer);
	return e->session;
}

void sessions_let(struct session *s, void *tenant, void (*gone)(void *tenant))
{
	struct entry *e = session_owner(s);

	e->tenant = tenant;
	e->gone = gone;
}

bool sessions_closing(const struct sessions *t)
{
	return t->closing;
}

static const struct entry *find(const struct sessions *t, const char *identity, const char *sid)
{
	return *entry_at((struct sessions *)(uintptr_t)t, identity, sid);
}

bool sessions_lives(const struct sessions *t, const char *identity, const char *sid)
{
	const struct entry *e = find(t, identity, sid);

	return e && e->session && !session_is_ended(e->session);
}

bool sessions_is_sealed(const struct sessions *t, const char *identity, const char *sid)
{
	const struct entry *e = find(t, identity, sid);

	return e && e->sealed;
}

void sessions_bye(struct sessions *t, uint64_t code, const char *reason)
{
	t->closing = true;
	for (struct link *l = t->live.next, *next; l != &t->live; l = next) {
		next = l->next;
		session_bye(list_entry(l, struct entry, all)->session, code, reason);
	}
}

struct egress_share *sessions_share(const struct session *s)
{
	struct entry *e = session_owner(s);

	return &e->share;
}

const char *sessions_identity(const struct session *s)
{
	const struct entry *e = session_owner(s);

	return e->holder->name;
}

size_t sessions_count(const struct sessions *t)
{
	return t->count;
}

size_t sessions_tombstones(const struct sessions *t)
{
	return t->tombstones;
}

size_t sessions_sealed(const struct sessions *t)
{
	size_t n = 0;

	for (const struct link *l = t->live.next; l != &t->live; l = l->next)
		n += list_entry(l, const struct entry, all)->sealed;
	return n;
}

void sessions_each(const struct sessions *t, void (*fn)(void *arg, const struct sessions_one *), void *arg)
{
	for (struct link *l = t->live.next; l != &t->live; l = l->next) {
		const struct entry *e = list_entry(l, struct entry, all);

		const struct sessions_one one = { e->holder->name, e->peer, e->session, e->sealed, e->local, e->tenant };

		fn(arg, &one);
	}
}
