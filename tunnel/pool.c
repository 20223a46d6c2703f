/*
 * The pool of connections of one path: who uses which, and what is known
 * of how long they live. A connection of HTTP/2 takes several exchanges of its user. Who waits is in
 * pool_wait.c, dials are in pool_dial.c and pool_slow.c.
 */
#include "tunnel/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/pool_internal.h"

#define IDLE_US (4 * LOOP_SECOND)	/* a free connection older than this may be dead */
#define SILENT_US LOOP_SECOND		/* an answer that was given up sooner says nothing of the connection */
#define EXCHANGES_MAX 600		/* on one connection: servers close it behind some number */

unsigned pool_count(const struct pool *p, enum member_state s)
{
	unsigned n = 0;

	for (const struct member *m = p->members; m; m = m->next)
		n += m->state == s && !m->old;
	return n;
}

unsigned pool_standing(const struct pool *p)
{
	return pool_count(p, MEMBER_FREE) + pool_count(p, MEMBER_USED);
}

void pool_link(struct pool *p, struct member *m)
{
	m->next = p->members;
	p->members = m;
}

void pool_unlink(struct pool *p, struct member *m)
{
	struct member **at = &p->members;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
}

static int64_t idle_limit(const struct pool *p)
{
	return cuts_keepalive_us(p->cuts, IDLE_US);
}

/* ---- connections ---- */

static bool is_stale(const struct pool *p, const struct member *m)
{
	struct cut now;

	if (m->state != MEMBER_FREE)
		return false;
	course_now(http_course(m->http), loop_now(p->loop), &now);
	return m->spent || m->http->leaving || m->exchanges >= EXCHANGES_MAX || (m->exchanges && pool_is_hushed(p)) || loop_now(p->loop) - m->since >= idle_limit(p) ||
	       cuts_half(p->cuts, &now);
}

static void set_free(struct pool *p, struct member *m)
{
	pool_unlink(p, m);
	pool_link(p, m);	/* the warmest is taken first */
	m->state = MEMBER_FREE;
	m->user = NULL;
	m->since = loop_now(p->loop);
	timer_sooner(&p->expiry, m->since + idle_limit(p));
}

/* Nothing came in all the time that its last exchanges took, and they were given up: it may be dead. */
static bool was_silent(const struct member *m)
{
	const struct course *c = http_course(m->http);

	return m->http->multiplexed && c->heard <= c->begun && loop_now(m->pool->loop) - c->begun >= SILENT_US;
}

static void on_idle(void *ctx)
{
	struct member *m = ctx;
	bool over = http_course(m->http)->exchanges == 0;

	if (!m->pool)
		return;
	if (m->http->multiplexed && (m->http->few || (over && http_course(m->http)->answered_once)))
		m->pool->few = m->http->few;
	m->pool->no_switch |= m->http->no_switch;
	m->spent |= m->state == MEMBER_USED && over && (m->http->hanging || was_silent(m));
	if (m->http->hanging)
		pool_renew(m->pool);	/* they may hang as well */
	if (m->state == MEMBER_USED) {
		pool_survived(m, over);
		m->pool->kept |= m->exchanges > 1;
		m->pool->single = pool_is_hushed(m->pool);
		m->pool->crowded = 0;
	}
	if (m->state == MEMBER_USED && over)
		set_free(m->pool, m);
	if (is_stale(m->pool, m))
		http_close(m->http);
	else
		pool_tell_available(m->pool);
}

/* In the middle of an exchange, and not by ourselves. */
static bool is_cut(const struct member *m, int error)
{
	if ((m->user && m->user->leaving) || (m->http && http_was_answered(m->http)))
		return false;
	return m->state == MEMBER_USED && (error == ERROR_RESET || error == ERROR_EOF || error == ERROR_TIMEOUT);
}

static void note_turn(struct pool *p, int64_t took)
{
	took = took < p->usual_us ? took : p->usual_us;
	p->turn_us = p->turns ? (7 * p->turn_us + took) / 8 : took;
	p->turns++;
}

static void on_closed(void *ctx, int error)
{
	struct member *m = ctx;
	struct pool *p = m->pool;

	if (!p)
		return;		/* pool_free has the member */
	if (pool_was_hushed(m, error)) {
		p->single = pool_is_hushed(p);
	} else if (is_cut(m, error)) {
		pool_was_cut(m);
	} else if (error == 0 && m->state == MEMBER_USED && m->http->multiplexed) {
		pool_survived(m, true);
	} else if (error == 0 && m->state == MEMBER_USED) {
		pool_survived(m, true);
		p->single = m->exchanges == 1;
		note_turn(p, loop_now(p->loop) - m->since);
		p->crowded = 0;
	}
	pool_judge_version(m);
	pool_unlink(p, m);
	loop_free_later(p->loop, m);
	if (!m->old)
		pool_slow_ended(p);
	pool_ensure(p, m->state == MEMBER_USED);	/* what only grew old is not replaced */
}

static bool on_crowded(void *ctx)
{
	struct member *m = ctx;

	return m->pool && pool_is_crowded(m->pool, m);
}

static const struct http_events connection_events = { .idle = on_idle, .closed = on_closed, .crowded = on_crowded };

void pool_stands(struct pool *p, struct member *m, struct stream *s)
{
	m->http = http_client(p->loop, s, &connection_events, m);
	if (!m->only_11)
		p->multiplexed = m->http->multiplexed;
	set_free(p, m);
	if (pool_standing(p) > p->peak)
		p->peak = pool_standing(p);
	pool_tell_available(p);
}

static void on_expiry(void *ctx)
{
	struct pool *p = ctx;

	for (struct member *m = p->members, *next; m; m = next) {
		next = m->next;
		if (is_stale(p, m))
			http_close(m->http);
		else if (m->state == MEMBER_FREE)
			timer_sooner(&p->expiry, m->since + idle_limit(p));
	}
}

/* ---- life ---- */

struct pool *pool_new(struct loop *l, const struct pool_dialler *dialler, unsigned limit, struct cuts *cuts)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->loop = l;
	p->dialler = dialler;
	p->cuts = cuts;
	p->most = limit > POOL_LIMIT_MAX ? POOL_LIMIT_MAX : limit < POOL_LIMIT_MIN ? POOL_LIMIT_MIN : limit;
	list_init(&p->users);
	timer_init(&p->expiry, l, on_expiry, p);
	pool_dial_init(p);
	return p;
}

void pool_free(struct pool *p)
{
	struct member *m;

	if (!p || p->dead)
		return;
	p->dead = true;
	timer_stop(&p->expiry);
	pool_dial_fini(p);
	while (!list_empty(&p->users))
		pool_leave(list_entry(p->users.next, struct pool_user, link));
	while ((m = p->members)) {
		p->members = m->next;
		m->pool = NULL;
		if (m->dial)
			p->dialler->cancel(m->dial);
		if (m->http)
			http_close(m->http);
		loop_free_later(p->loop, m);
	}
	loop_free_later(p->loop, p);
}

void pool_join(struct pool *p, struct pool_user *u, bool modest, const struct pool_events *events, void *ctx)
{
	*u = (struct pool_user){ .pool = p, .events = events, .ctx = ctx, .modest = modest, .told = p->count };
	list_append(&p->users, &u->link);
}

void pool_leave(struct pool_user *u)
{
	struct pool *p = u->pool;

	if (!p)
		return;
	pool_forget_waiting(p, u);
	for (struct member *m = p->members; m; m = m->next)
		if (m->user == u)
			m->user = NULL;
	link_remove(&u->link);
	u->pool = NULL;
	u->waiting = u->spare = 0;
}

void pool_renew(struct pool *p)
{
	for (struct member *m = p->members, *next; m; m = next) {
		next = m->next;
		if (m->state == MEMBER_FREE)
			http_close(m->http);
	}
}

void pool_forget(struct pool *p)
{
	for (struct member *m = p->members; m; m = m->next)
		m->spent = m->noted = m->old = true;	/* what still ends says nothing of the new network */
	memset(p->cuts, 0, sizeof *p->cuts);
	p->noted_us = 0;
	p->peak = p->mute = 0;
	p->safe_until = 0;
	p->kept = p->no_switch = p->few = false;
	p->hushed = 0;
	pool_dial_forget(p);
	pool_renew(p);
	pool_ensure(p, true);
}

/* ---- exchanges ---- */

/* A modest user leaves one that is free to others, who should not wait for a dial on its account. Where there are but two, they keep
 * to one as long as it waits (pool_others), so that the second one is its, when nobody else waits. */
static bool may_take(const struct pool_user *u)
{
	const struct pool *p = u->pool;

	if (!pool_is_modest(u) || pool_free_count(p) > 1)
		return true;
	return p->limit <= POOL_LIMIT_MIN && pool_eager(p) == 0;
}

/* What it is for may be asked for on it. */
static bool fits(const struct pool_user *u, const struct member *m)
{
	if (!u->switches || !m->http->multiplexed || u->pool->insists)
		return true;
	u->pool->no_switch |= m->http->no_switch;
	return !u->pool->no_switch;
}

/* It bears one more exchange of the user that has it. One that will soon be replaced does not, while another can be had. */
static bool may_share(const struct pool_user *u, struct member *m)
{
	struct pool *p = u->pool;
	struct cut now;

	if (m->state != MEMBER_USED || m->user != u || !m->http->multiplexed || p->few || m->http->hanging || m->http == u->apart || m->spent)
		return false;
	if (m->exchanges >= EXCHANGES_MAX || http_room(m->http) == 0 || !fits(u, m))
		return false;
	course_now(http_course(m->http), loop_now(p->loop), &now);
	return !cuts_due(p->cuts, &now) || pool_is_full(p);
}

/* Its own, of several the one with the fewest exchanges under way, else a free one. */
static struct member *choose(const struct pool_user *u)
{
	struct member *own = NULL;
	unsigned owns = 0;

	if (!u->pool)
		return NULL;
	for (struct member *m = u->pool->members; m; m = m->next) {
		if (!may_share(u, m))
			continue;
		owns++;
		if (!own || (u->spread && http_course(m->http)->exchanges < http_course(own->http)->exchanges))
			own = m;
	}
	if (own && owns >= u->spread)
		return own;
	for (struct member *m = may_take(u) ? u->pool->members : NULL; m; m = m->next)
		if (m->state == MEMBER_FREE && !is_stale(u->pool, m) && http_room(m->http) > 0 && fits(u, m))
			return m;
	return own;
}

const struct http *pool_next(const struct pool_user *u)
{
	const struct member *m = choose(u);

	return m ? m->http : NULL;
}

struct exchange *pool_exchange(struct pool_user *u, const struct exchange_events *events, void *asker)
{
	struct pool *p = u->pool;
	struct member *m = choose(u);
	struct exchange *x = m ? http_exchange(m->http, events, asker) : NULL;

	if (!p)
		return NULL;
	if (x) {
		m->state = MEMBER_USED;
		m->user = u;
		m->exchanges++;
	}
	if (!x)
		pool_wait(u, asker);
	pool_ensure(p, true);
	return x;
}

void pool_ahead(struct pool_user *u, unsigned spare)
{
	if (!u->pool)
		return;
	u->spare = spare;
	pool_ensure(u->pool, true);
}

void pool_wake(struct pool *p)
{
	pool_tell_available(p);
}

/* ---- questions ---- */

struct loop *pool_loop(const struct pool *p)
{
	return p->loop;
}

unsigned pool_limit(const struct pool *p)
{
	return p->limit;
}

unsigned pool_limit_learned(const struct pool *p)
{
	return p->limit - p->trying < p->most ? p->limit - p->trying : 0;
}

unsigned pool_peak(const struct pool *p)
{
	return p->peak;
}

unsigned pool_others(const struct pool_user *u)
{
	const struct pool *p = u->pool;
	unsigned n, claims = 0;

	if (!p)
		return 0;
	n = p->waiting_count - u->waiting;
	for (const struct member *m = p->members; m; m = m->next)
		n += m->state == MEMBER_USED && m->user != u && !m->old;
	for (const struct link *l = p->users.next; l != &p->users; l = l->next)
		claims += list_entry(l, const struct pool_user, link)->claims && list_entry(l, const struct pool_user, link) != u;
	return n > claims ? n : claims;
}

void pool_claim(struct pool_user *u, bool on)
{
	u->claims = on;
}

bool pool_is_standing(const struct pool *p)
{
	return pool_standing(p) > 0;
}

bool pool_is_multiplexed(const struct pool *p)
{
	return p->multiplexed && !p->few;
}

bool pool_is_http2(const struct pool *p)
{
	return p->multiplexed;
}

bool pool_is_dialling(const struct pool *p)
{
	return pool_count(p, MEMBER_DIALLING) > 0;
}

unsigned pool_free_count(const struct pool *p)
{
	unsigned n = 0;

	for (const struct member *m = p->members; m; m = m->next)
		n += m->state == MEMBER_FREE && !is_stale(p, m);
	return n;
}

unsigned pool_open_count(const struct pool *p)
{
	unsigned n = 0;

	for (const struct member *m = p->members; m; m = m->next)
		n += !m->old;
	return n;
}

bool pool_is_single(const struct pool *p)
{
	return p->single;
}

bool pool_is_full(const struct pool *p)
{
	return pool_open_count(p) >= p->limit && pool_free_count(p) == 0 && pool_count(p, MEMBER_DIALLING) <= p->trying;
}

const struct cuts *pool_cuts(const struct pool *p)
{
	return p->cuts;
}
