/*
 * The pool's dials, and the limit of connections that is learned from those that
 * fail or wait: one more than a path allows is refused, or accepted and not served
 * until another ends.
 */
#include <stdlib.h>

#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/pool_internal.h"

#define GAP_US (50 * LOOP_MS)		/* between dials once one has failed */
#define GAP_MAX_US (32 * GAP_US)	/* while others stand and more are refused */
#define SLOW_US (500 * LOOP_MS)		/* beyond three usual dials: it is made to wait */
#define SETTLED 16		/* exchanges; then it is no beginning any more */
#define RAISE_US (60 * LOOP_SECOND)	/* one more may be tried again */
#define RAISE_MAX_US (1800 * LOOP_SECOND)

#define LOOK_US (500 * LOOP_MS)		/* while all are silent */
#define LATE_US (100 * LOOP_MS)		/* beyond two usual dials: another is begun beside it, for its first packet may be lost */
#define BESIDE_US (300 * LOOP_MS)	/* beyond a usual dial: that one is made to wait, too */
#define SLOW_MAX 1			/* in a row are made anew where none could be begun beside them */
#define CROWDED_MAX 8			/* in a row: then it is something else */

/* On one of those that stand something came since then: it is not the network that is silent. */
static bool heard_since(const struct pool *p, int64_t us)
{
	for (const struct member *m = p->members; m; m = m->next)
		if (m->state != MEMBER_DIALLING && http_course(m->http)->heard >= us)
			return true;
	return false;
}

static bool is_refusal(const struct pool *p, int error, int64_t begun_us)
{
	if (error == ERROR_TIMEOUT)
		return heard_since(p, begun_us);
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

static void dial_failed(struct pool *p, int error, const char *why, int64_t begun_us)
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

	m->dial = NULL;
	if (!s) {
		pool_unlink(p, m);
		loop_free_later(p->loop, m);
		dial_failed(p, error, why && *why ? why : error_text(error), begun);
		return;
	}
	p->trying = false;
	p->failures = p->slow_dials = 0;
	p->not_before = 0;
	p->stood_us = loop_now(p->loop);
	p->usual_us = p->usual_us ? (7 * p->usual_us + took) / 8 : took;
	if (p->raise_us && pool_standing(p) + 1 == p->limit)
		p->raise_wait_us = RAISE_US;	/* so many do stand */
	pool_stands(p, m, s);
}

/* ---- dials that wait ---- */

static int64_t patience(const struct pool *p)
{
	return 3 * p->usual_us + SLOW_US;
}

static int64_t late_us(const struct pool *p, const struct member *m)
{
	return m->since + 2 * p->usual_us + LATE_US;
}

static void watch_slow(struct pool *p)
{
	int64_t now = loop_now(p->loop), at;

	if (!p->usual_us || pool_standing(p) == 0)
		return;
	for (const struct member *m = p->members; m; m = m->next) {
		if (m->state != MEMBER_DIALLING)
			continue;
		at = late_us(p, m) > now ? late_us(p, m) : m->since + patience(p);
		timer_sooner(&p->slow, at > now ? at : now + LOOK_US);
	}
}

/* While others stand, and something comes on them, all that are under way are late: one of them is not to be counted on. */
static bool dials_are_late(const struct pool *p)
{
	bool any = false;

	if (!p->usual_us || pool_standing(p) == 0)
		return false;
	for (const struct member *m = p->members; m; m = m->next) {
		if (m->state != MEMBER_DIALLING)
			continue;
		if (late_us(p, m) > loop_now(p->loop) || !heard_since(p, m->since))
			return false;
		any = true;
	}
	return any;
}

/* One that was begun beside it waits as well, and none came about since. */
static bool another_waits(const struct pool *p, const struct member *slow)
{
	for (const struct member *m = p->members; m; m = m->next)
		if (m->state == MEMBER_DIALLING && m->since > slow->since && m->since >= p->stood_us &&
		    m->since + p->usual_us + BESIDE_US <= loop_now(p->loop) && heard_since(p, m->since))
			return true;
	return false;
}

static bool is_slow(const struct pool *p, const struct member *m)
{
	return m->state == MEMBER_DIALLING && m->since + patience(p) <= loop_now(p->loop);
}

/* What takes so long is given up, but while all are silent; if they are refused what was begun beside them, too. True if one of
 * them tells more than that all were silent. */
static bool give_up_slow(struct pool *p, bool refused, int64_t *begun)
{
	bool telling = false;

	for (struct member *m = p->members, *next; pool_standing(p) > 0 && m; m = next) {
		next = m->next;
		if (!is_slow(p, m) && !(refused && m->state == MEMBER_DIALLING && late_us(p, m) <= loop_now(p->loop)))
			continue;
		if (!heard_since(p, m->since)) {
			m->silent = true;
			continue;
		}
		telling |= !m->silent;
		*begun = m->since;
		p->dialler->cancel(m->dial);
		pool_unlink(p, m);
		loop_free_later(p->loop, m);
	}
	return telling;
}

/*
 * While others stand, and something comes on them, a dial that takes far longer than usual waits for one of them to end. Unless
 * its first packet was lost: then another, begun beside it, comes about.
 */
static void on_slow(void *ctx)
{
	struct pool *p = ctx;
	bool refused = p->trying, telling;
	int64_t begun = 0;

	for (const struct member *m = p->members; m; m = m->next)
		refused |= is_slow(p, m) && !m->silent && another_waits(p, m);
	telling = give_up_slow(p, refused, &begun);
	watch_slow(p);
	if (!begun) {
		pool_ensure(p, true);
	} else if (!refused && (!telling || p->slow_dials < SLOW_MAX)) {
		p->slow_dials += telling;
		pool_tell_available(p);
	} else {
		dial_failed(p, ERROR_TIMEOUT, "it was made to wait", begun);
	}
}

/* ---- opening ---- */

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
	watch_slow(p);
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
	unsigned eager = 0, modest = 0, spare = 0, coming;

	for (const struct link *l = p->users.next; l != &p->users; l = l->next) {
		const struct pool_user *u = list_entry(l, const struct pool_user, link);

		if (!is_apart(u))
			*(pool_is_modest(u) ? &modest : &eager) += pool_is_multiplexed(p) && u->waiting ? 1 : u->waiting;
		spare = u->spare > spare ? u->spare : spare;
	}
	eager += with_spare ? spare : 0;
	ensure_apart(p);
	while (!p->dead) {
		coming = pool_free_count(p) + pool_count(p, MEMBER_DIALLING) - dials_are_late(p);
		/* One more than the modest take: see may_take. */
		if (coming >= eager + modest + (modest && p->limit > POOL_LIMIT_MIN))
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
	timer_init(&p->slow, p->loop, on_slow, p);
}

void pool_dial_fini(struct pool *p)
{
	timer_stop(&p->retry);
	timer_stop(&p->slow);
}

void pool_dial_forget(struct pool *p)
{
	for (struct member *m = p->members, *next; m; m = next) {
		next = m->next;
		if (m->state != MEMBER_DIALLING)
			continue;
		p->dialler->cancel(m->dial);
		pool_unlink(p, m);
		loop_free_later(p->loop, m);
	}
	p->trying = false;
	p->limit = p->most;
	p->raise_us = p->raise_wait_us = p->limited_us = 0;
	p->usual_us = p->turn_us = p->stood_us = 0;
	p->turns = 0;
	p->failures = 0;
	p->not_before = 0;
	timer_stop(&p->slow);
}

void pool_set_limit(struct pool *p, unsigned limit)
{
	if (limit >= p->most)
		return;
	p->limit = limit < POOL_LIMIT_MIN ? POOL_LIMIT_MIN : limit;
	p->raise_wait_us = RAISE_US;
	p->raise_us = loop_now(p->loop) + RAISE_US;
}
