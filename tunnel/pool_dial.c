/*
 * The pool's dials, and the limit of connections that is learned from those that
 * fail or wait: one more than a path allows is refused, or accepted and not served
 * until another ends.
 */
#include <stdlib.h>

#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/pool_internal.h"

#define GAP_MAX_US (32 * GAP_US)	/* while others stand and more are refused */
#define SETTLED 16		/* exchanges; then it is no beginning any more */
#define RAISE_US (60 * LOOP_SECOND)	/* one more may be tried again */
#define RAISE_MAX_US (1800 * LOOP_SECOND)
#define CROWDED_MAX 8		/* in a row: then it is something else */

static bool is_refusal(const struct pool *p, int error, int64_t begun_us)
{
	if (error == ERROR_TIMEOUT)
		return pool_heard_since(p, begun_us);
	return error == ERROR_PROXY || error == ERROR_DENIED || error == ERROR_REFUSED || error == ERROR_RESET;
}

/* One more was refused while others stand: so many and no more. */
static void learn_limit(struct pool *p, unsigned standing, const char *why)
{
	unsigned limit = standing > POOL_LIMIT_MIN ? standing : POOL_LIMIT_MIN;

	if (limit >= p->limit)
		return;
	if (!p->raise_us)
		log_info("pool", "", "one more than %u connections was refused (%s): using at most %u", standing, why, limit);
	p->raise_wait_us = p->raise_us ? 2 * p->raise_wait_us : RAISE_US;
	if (p->raise_wait_us > RAISE_MAX_US)
		p->raise_wait_us = RAISE_MAX_US;
	p->raise_us = loop_now(p->loop) + p->raise_wait_us;
	if (!p->limited_us || loop_now(p->loop) - p->limited_us > EXCUSE_US)
		p->before_limit = p->limit;
	p->limited_us = loop_now(p->loop);
	p->limit = limit;
	pool_tell_learned(p);
}

bool pool_is_crowded(struct pool *p, const struct member *refused)
{
	unsigned others = pool_standing(p) - 1;

	if (others == 0 || refused->old || refused->exchanges > 1 || p->crowded == CROWDED_MAX)
		return false;
	p->crowded++;
	p->not_before = loop_now(p->loop) + GAP_US;
	learn_limit(p, others, "status 503");
	return true;
}

void pool_unlimit(struct pool *p)
{
	p->limit = p->before_limit;
	if (p->limit == p->most)
		p->raise_us = p->raise_wait_us = 0;
}

/* One more may be tried again after a while, if it is wanted. */
static void raise_limit(struct pool *p)
{
	if (p->limit >= p->most || !p->raise_us || loop_now(p->loop) < p->raise_us || pool_open_count(p) < p->limit)
		return;
	p->limit++;
	p->trying = true;
	p->raise_us = loop_now(p->loop) + p->raise_wait_us;
}

void pool_dial_failed(struct pool *p, int error, const char *why, int64_t begun_us)
{
	unsigned standing = pool_standing(p), doublings = standing ? p->failures : 0;
	int64_t gap = doublings < 5 ? GAP_US << doublings : GAP_MAX_US;
	bool needed = p->waiting_count > 0 || standing == 0;

	p->trying = false;
	p->failures++;
	p->not_before = loop_now(p->loop) + gap;
	if (standing == 0)
		pool_excuse(p);
	if (standing > 0 && is_refusal(p, error, begun_us)) {
		learn_limit(p, standing, why);
		if (standing >= p->limit) {	/* what is opened when one of these ends need not wait */
			p->failures = 0;
			p->not_before = 0;
		}
		pool_tell_available(p);
	} else if (!needed || pool_count(p, MEMBER_DIALLING) > 0 || !pool_tell_failed(p, error, why)) {
		log_debug("pool", "", "a connection could not be made: %s", why);
	}
}

static void on_dialled(void *ctx, struct stream *s, int error, const char *why)
{
	struct member *m = ctx;
	struct pool *p = m->pool;
	int64_t begun = m->since, took = loop_now(p->loop) - begun;
	bool doubted;

	m->dial = NULL;
	doubted = m == p->doubt;
	if (doubted)
		pool_slow_settle(p, s);
	if (!s) {
		pool_unlink(p, m);
		loop_free_later(p->loop, m);
		if (!doubted)
			pool_dial_failed(p, error, why && *why ? why : error_text(error), begun);
		return;
	}
	p->trying = false;
	p->failures = p->slow_dials = 0;
	p->not_before = 0;
	p->stood_us = loop_now(p->loop);
	p->usual_us = !p->usual_us ? took : took < p->usual_us ? (p->usual_us + took) / 2 : (7 * p->usual_us + took) / 8;
	if (p->raise_us && pool_standing(p) + 1 == p->limit)
		p->raise_wait_us = RAISE_US;	/* so many do stand */
	pool_stands(p, m, s);
}

/* ---- opening ---- */

void pool_drop(struct pool *p, struct member *m)
{
	p->dialler->cancel(m->dial);
	m->dial = NULL;
	loop_free_later(p->loop, m);
}

static void start_dial(struct pool *p, enum dial_versions versions)
{
	struct member *m = calloc(1, sizeof *m);

	if (!m)
		abort();
	m->pool = p;
	m->state = MEMBER_DIALLING;
	m->since = p->dialled_us = loop_now(p->loop);
	pool_link(p, m);
	if (p->failures)
		p->not_before = loop_now(p->loop) + GAP_US;
	m->only_11 = versions != pool_versions(p);
	m->dial = p->dialler->start(p->dialler->ctx, versions, on_dialled, m);
	pool_watch_slow(p);
}

/* Where each exchange needs a connection of its own they are spread in time: else all come and go together. With few that matters
 * more than that one is there soon, except at the beginning. */
static int64_t not_before(const struct pool *p)
{
	int64_t took = p->usual_us + (p->limit <= POOL_FEW && p->turns > SETTLED ? p->turn_us : 0);
	int64_t spread = p->single && p->dialled_us ? p->dialled_us + took / p->limit : 0;

	return spread > p->not_before ? spread : p->not_before;
}

/* Who asks for another protocol where HTTP/2 has none. */
static bool is_apart(const struct pool_user *u)
{
	return u->switches && u->pool->no_switch && !u->pool->insists;
}

/* Opens what these wait for. */
static void ensure_apart(struct pool *p)
{
	unsigned wanted = 0, coming = 0;

	for (const struct link *l = p->users.next; p->no_switch && l != &p->users; l = l->next)
		if (is_apart(list_entry(l, const struct pool_user, link)))
			wanted += list_entry(l, const struct pool_user, link)->waiting;
	for (const struct member *m = p->members; m; m = m->next)
		coming += m->state == MEMBER_DIALLING ? m->only_11 || pool_versions(p) == DIAL_11 : m->state == MEMBER_FREE && !m->http->multiplexed;
	for (; !p->dead && coming < wanted && pool_open_count(p) < p->limit; coming++) {
		if (loop_now(p->loop) < not_before(p)) {
			timer_sooner(&p->retry, not_before(p));
			return;
		}
		start_dial(p, DIAL_11);
	}
}

void pool_ensure(struct pool *p, bool with_spare)
{
	unsigned eager = 0, modest = 0, spare = 0, beside = pool_missing_beside(p), coming;

	for (const struct link *l = p->users.next; l != &p->users; l = l->next) {
		const struct pool_user *u = list_entry(l, const struct pool_user, link);

		if (!is_apart(u))
			*(pool_is_modest(u) ? &modest : &eager) += pool_is_multiplexed(p) && u->waiting ? 1 : u->waiting;
		spare = u->spare > spare ? u->spare : spare;
	}
	eager += with_spare ? spare : 0;
	ensure_apart(p);
	while (!p->dead) {
		coming = pool_free_count(p) + pool_count(p, MEMBER_DIALLING);
		/* One more than the modest take: see may_take. */
		if (coming >= eager + modest + beside + (modest && p->limit > POOL_LIMIT_MIN))
			return;
		raise_limit(p);
		if (pool_open_count(p) >= p->limit)
			return;
		if (loop_now(p->loop) < not_before(p)) {
			timer_sooner(&p->retry, not_before(p));
			return;
		}
		start_dial(p, pool_versions(p));
	}
}

static void on_retry(void *ctx)
{
	pool_ensure(ctx, true);
}

void pool_dial_init(struct pool *p)
{
	p->limit = p->most;
	timer_init(&p->retry, p->loop, on_retry, p);
	pool_slow_init(p);
}

void pool_dial_fini(struct pool *p)
{
	timer_stop(&p->retry);
	pool_slow_stop(p);
}

void pool_dial_forget(struct pool *p)
{
	for (struct member *m = p->members, *next; m; m = next) {
		next = m->next;
		if (m->state != MEMBER_DIALLING)
			continue;
		pool_unlink(p, m);
		pool_drop(p, m);
	}
	p->trying = false;
	p->limit = p->most;
	p->raise_us = p->raise_wait_us = p->limited_us = 0;
	p->usual_us = p->turn_us = p->stood_us = 0;
	p->turns = 0;
	p->failures = 0;
	p->not_before = 0;
	pool_slow_stop(p);
}

void pool_set_limit(struct pool *p, unsigned limit)
{
	if (limit >= p->most)
		return;
	p->limit = limit < POOL_LIMIT_MIN ? POOL_LIMIT_MIN : limit;
	p->raise_wait_us = RAISE_US;
	p->raise_us = loop_now(p->loop) + RAISE_US;
}
