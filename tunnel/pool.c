/*
 * The pool of connections of one path. Carriers ask it for exchanges; it asks
 * its dialler for streams and puts an h1 on each. Who asked in vain is remembered
 * until the next event, so that as many connections are opened as there are
 * askers, however often they ask.
 */
#include "tunnel/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "framing/error.h"
#include "tunnel/h1.h"
#include "tunnel/log.h"

#define IDLE_US (4 * LOOP_SECOND)	/* a free connection older than this may be dead */
#define GAP_US (50 * LOOP_MS)		/* between dials once one has failed */
#define GAP_MAX_US (32 * GAP_US)	/* while others stand and more are refused */
#define LIMIT_LEARNED_MIN 2

enum state {
	DIALLING,	/* -> FREE, gone */
	FREE,		/* -> USED, gone */
	USED,		/* -> FREE, gone */
};

struct member {
	struct member *next;
	struct pool *pool;	/* NULL: the pool is gone */
	enum state state;
	struct dial *dial;
	struct h1 *h;
	int64_t since;		/* free since */
};

struct pool {
	struct loop *loop;
	const struct pool_dialler *dialler;
	const struct pool_events *events;
	void *ctx;
	struct member *members;	/* newest free ones first */
	unsigned limit, spare;
	unsigned peak;		/* most connections that stood at once */
	void *waiting[POOL_LIMIT_MAX];
	unsigned waiting_count;
	unsigned failures;	/* in a row */
	int64_t not_before;	/* the next dial */
	struct timer retry, expiry;
	bool dead;
};

static unsigned count_of(const struct pool *p, enum state s)
{
	unsigned n = 0;

	for (const struct member *m = p->members; m; m = m->next)
		n += m->state == s;
	return n;
}

static void link_member(struct pool *p, struct member *m)
{
	m->next = p->members;
	p->members = m;
}

static void unlink_member(struct pool *p, struct member *m)
{
	struct member **at = &p->members;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
}

static void set_free(struct pool *p, struct member *m)
{
	unlink_member(p, m);
	link_member(p, m);	/* the warmest is taken first */
	m->state = FREE;
	m->since = loop_now(p->loop);
	timer_sooner(&p->expiry, m->since + IDLE_US);
}

/* Waiting work asks again, or not at all. */
static void tell_available(struct pool *p)
{
	p->waiting_count = 0;
	p->events->available(p->ctx);
}

static void ensure(struct pool *p, unsigned spare);

/* Connections */

static void on_idle(void *ctx)
{
	struct member *m = ctx;

	if (!m->pool)
		return;
	set_free(m->pool, m);
	tell_available(m->pool);
}

static void on_closed(void *ctx, int error)
{
	struct member *m = ctx;
	struct pool *p = m->pool;

	(void)error;
	if (!p)
		return;		/* pool_free has the member */
	unlink_member(p, m);
	loop_free_later(p->loop, m);
	ensure(p, m->state == USED ? p->spare : 0);
}

static const struct h1_events connection_events = { .idle = on_idle, .closed = on_closed };

/* Dials */

static bool is_refusal(int error)
{
	return error == ERROR_PROXY || error == ERROR_REFUSED || error == ERROR_RESET || error == ERROR_TIMEOUT;
}

/* One more was refused while others stand: so many and no more. */
static void learn_limit(struct pool *p, unsigned standing, int error, const char *why)
{
	unsigned limit = standing > LIMIT_LEARNED_MIN ? standing : LIMIT_LEARNED_MIN;

	if (limit >= p->limit)
		return;
	log_info("pool", "", "one more than %u connections was refused (%s: %s): using at most %u", standing,
		 error_text(error), why ? why : "", limit);
	p->limit = limit;
}

static void dial_failed(struct pool *p, int error, const char *why)
{
	unsigned standing = count_of(p, FREE) + count_of(p, USED), doublings = standing ? p->failures : 0;
	int64_t gap = doublings < 5 ? GAP_US << doublings : GAP_MAX_US;
	bool needed = p->waiting_count > 0 || standing == 0;

	p->failures++;
	p->not_before = loop_now(p->loop) + gap;
	if (standing > 0 && is_refusal(error)) {
		learn_limit(p, standing, error, why);
		tell_available(p);
	} else if (needed && count_of(p, DIALLING) == 0) {
		p->waiting_count = 0;
		p->events->failed(p->ctx, error, why ? why : "");
	} else {
		log_debug("pool", "", "a connection could not be made: %s", why ? why : error_text(error));
	}
}

static void on_dialled(void *ctx, struct stream *s, int error, const char *why)
{
	struct member *m = ctx;
	struct pool *p = m->pool;

	m->dial = NULL;
	if (!s) {
		unlink_member(p, m);
		loop_free_later(p->loop, m);
		dial_failed(p, error, why);
		return;
	}
	p->failures = 0;
	p->not_before = 0;
	m->h = h1_client(p->loop, s, &connection_events, m);
	set_free(p, m);
	if (count_of(p, FREE) + count_of(p, USED) > p->peak)
		p->peak = count_of(p, FREE) + count_of(p, USED);
	tell_available(p);
}

static void start_dial(struct pool *p)
{
	struct member *m = calloc(1, sizeof *m);

	if (!m)
		abort();
	m->pool = p;
	m->state = DIALLING;
	link_member(p, m);
	if (p->failures)
		p->not_before = loop_now(p->loop) + GAP_US;
	m->dial = p->dialler->start(p->dialler->ctx, on_dialled, m);
}

/* Opens what is missing for those who wait and for `spare` more. */
static void ensure(struct pool *p, unsigned spare)
{
	unsigned wanted = p->waiting_count + spare;

	while (!p->dead && count_of(p, FREE) + count_of(p, DIALLING) < wanted && pool_open_count(p) < p->limit) {
		if (loop_now(p->loop) < p->not_before) {
			timer_sooner(&p->retry, p->not_before);
			return;
		}
		start_dial(p);
	}
}

static void on_retry(void *ctx)
{
	struct pool *p = ctx;

	ensure(p, p->spare);
}

static bool is_stale(const struct pool *p, const struct member *m)
{
	return m->state == FREE && loop_now(p->loop) - m->since >= IDLE_US;
}

static void on_expiry(void *ctx)
{
	struct pool *p = ctx;

	for (struct member *m = p->members, *next; m; m = next) {
		next = m->next;
		if (is_stale(p, m))
			h1_close(m->h);
		else if (m->state == FREE)
			timer_sooner(&p->expiry, m->since + IDLE_US);
	}
}

struct pool *pool_new(struct loop *l, const struct pool_dialler *dialler, unsigned limit,
		      const struct pool_events *events, void *ctx)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	assert(limit > 0);
	p->loop = l;
	p->dialler = dialler;
	p->limit = limit < POOL_LIMIT_MAX ? limit : POOL_LIMIT_MAX;
	p->events = events;
	p->ctx = ctx;
	timer_init(&p->retry, l, on_retry, p);
	timer_init(&p->expiry, l, on_expiry, p);
	return p;
}

void pool_free(struct pool *p)
{
	struct member *m;

	if (!p || p->dead)
		return;
	p->dead = true;
	timer_stop(&p->retry);
	timer_stop(&p->expiry);
	while ((m = p->members)) {
		p->members = m->next;
		m->pool = NULL;
		if (m->dial)
			p->dialler->cancel(m->dial);
		if (m->h)
			h1_close(m->h);
		loop_free_later(p->loop, m);
	}
	loop_free_later(p->loop, p);
}

static void wait_for(struct pool *p, void *ctx)
{
	for (unsigned i = 0; i < p->waiting_count; i++)
		if (p->waiting[i] == ctx)
			return;
	if (p->waiting_count < POOL_LIMIT_MAX)
		p->waiting[p->waiting_count++] = ctx;
}

struct exchange *pool_exchange(struct pool *p, const struct exchange_events *events, void *ctx)
{
	struct member *m = p->members;
	struct exchange *x = NULL;

	if (p->dead)
		return NULL;
	for (; m && !x; m = m->next) {
		if (m->state != FREE || is_stale(p, m))
			continue;
		x = h1_exchange(m->h, events, ctx);
		if (x)
			m->state = USED;
	}
	if (!x)
		wait_for(p, ctx);
	ensure(p, p->spare);
	return x;
}

void pool_ahead(struct pool *p, unsigned spare)
{
	p->spare = spare;
	ensure(p, spare);
}

unsigned pool_limit(const struct pool *p)
{
	return p->limit;
}

unsigned pool_peak(const struct pool *p)
{
	return p->peak;
}

unsigned pool_free_count(const struct pool *p)
{
	unsigned n = 0;

	for (const struct member *m = p->members; m; m = m->next)
		n += m->state == FREE && !is_stale(p, m);
	return n;
}

unsigned pool_open_count(const struct pool *p)
{
	unsigned n = 0;

	for (const struct member *m = p->members; m; m = m->next)
		n++;
	return n;
}
