/*
 * Dials of the pool that take long: whether a proxy lets them wait until another connection ends,
 * or packets of theirs were lost. Called by pool_dial.c.
 */
#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/pool_internal.h"

#define SLOW_US (500 * LOOP_MS)		/* beyond three usual dials: it is made to wait */
#define LOOK_US (500 * LOOP_MS)		/* while all are silent */
#define LATE_US (100 * LOOP_MS)		/* beyond two usual dials: another is begun beside it, for its first packet may be lost */
#define BESIDE_US (300 * LOOP_MS)	/* beyond a usual dial: that one is made to wait, too */
#define BESIDE 2			/* are begun beside those that are late */
#define EVIDENCE (2 * (BESIDE + 1))	/* dials that wait, and none that comes about: no loss of packets. See weight */
#define DOUBT_US (1500 * LOOP_MS)	/* what was lost comes again by then */

bool pool_heard_since(const struct pool *p, int64_t us)
{
	for (const struct member *m = p->members; m; m = m->next)
		if (m->state != MEMBER_DIALLING && http_course(m->http)->heard >= us)
			return true;
	return false;
}

static int64_t patience(const struct pool *p)
{
	return 3 * p->usual_us + SLOW_US;
}

static int64_t late_us(const struct pool *p, const struct member *m)
{
	return m->since + 2 * p->usual_us + LATE_US;
}

void pool_watch_slow(struct pool *p)
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

unsigned pool_missing_beside(const struct pool *p)
{
	bool any = false;

	if (!p->usual_us || pool_standing(p) == 0)
		return 0;
	for (const struct member *m = p->members; m; m = m->next) {
		if (m->state != MEMBER_DIALLING)
			continue;
		if (late_us(p, m) > loop_now(p->loop) || !pool_heard_since(p, m->since))
			return 0;
		any = true;
	}
	return any ? BESIDE : 0;
}

/* What a dial that waits says: a box that lets it wait has mostly accepted it; where nothing did, a packet may be lost. */
static unsigned weight(const struct pool *p, const struct member *m)
{
	return !p->dialler->reached || p->dialler->reached(m->dial) ? 2 : 1;
}

/* Dials that wait, and those that were given up for it; none came about since. */
static unsigned evidence(const struct pool *p)
{
	unsigned n = p->slow_dials;

	for (const struct member *m = p->members; m; m = m->next)
		if (m->state == MEMBER_DIALLING && !m->silent && m->since >= p->stood_us &&
		    m->since + p->usual_us + BESIDE_US <= loop_now(p->loop) && pool_heard_since(p, m->since))
			n += weight(p, m);
	return n;
}

static bool is_slow(const struct pool *p, const struct member *m)
{
	return m->state == MEMBER_DIALLING && m->since + patience(p) <= loop_now(p->loop);
}

/* ---- the limit in doubt ---- */

static void end_doubt(void *ctx)
{
	struct pool *p = ctx;

	timer_stop(&p->doubted);
	if (p->doubt)
		pool_drop(p, p->doubt);
	p->doubt = NULL;
}

static void begin_doubt(struct pool *p, struct member *m)
{
	end_doubt(p);
	p->doubt = m;
	timer_in(&p->doubted, DOUBT_US);
}

static struct member *take_doubt(struct pool *p)
{
	struct member *m = p->doubt;

	timer_stop(&p->doubted);
	p->doubt = NULL;
	pool_link(p, m);
	return m;
}

void pool_slow_ended(struct pool *p)
{
	if (!p->doubt)
		return;
	if (pool_open_count(p) >= p->limit) {
		end_doubt(p);
		return;
	}
	take_doubt(p)->since = loop_now(p->loop);
	pool_watch_slow(p);
}

void pool_slow_settle(struct pool *p, bool stands)
{
	take_doubt(p);
	if (!stands)
		return;
	log_info("pool", "", "more than %u connections can be had after all", pool_open_count(p) - 1);
	pool_unlimit(p);
	pool_tell_learned(p);
}

/* ---- dials that are given up ---- */

/* Of those that are refused the oldest takes no place any more, but may come about still. */
static void give_up(struct pool *p, struct member *m, bool refused)
{
	pool_unlink(p, m);
	if (refused && (!p->doubt || m->since < p->doubt->since))
		begin_doubt(p, m);
	else
		pool_drop(p, m);
}

/* What takes so long is given up, but while all are silent; if they are refused what was begun beside them, too. What they tell
 * beyond that all were silent. */
static unsigned give_up_slow(struct pool *p, bool refused, int64_t *begun)
{
	unsigned telling = 0;

	for (struct member *m = p->members, *next; pool_standing(p) > 0 && m; m = next) {
		next = m->next;
		if (!is_slow(p, m) && !(refused && m->state == MEMBER_DIALLING && late_us(p, m) <= loop_now(p->loop)))
			continue;
		if (!pool_heard_since(p, m->since)) {
			m->silent = true;
			continue;
		}
		telling += m->silent ? 0 : weight(p, m);
		*begun = m->since;
		give_up(p, m, refused);
	}
	return telling;
}

/*
 * While others stand, and something comes on them, a dial that takes far longer than usual waits for one of them to end. Unless
 * a packet of it was lost: then others, begun beside it or in its place, come about.
 */
static void on_slow(void *ctx)
{
	struct pool *p = ctx;
	bool refused = p->trying, any = false;
	unsigned telling;
	int64_t begun = 0;

	for (const struct member *m = p->members; m; m = m->next)
		any |= is_slow(p, m) && !m->silent;
	refused |= any && evidence(p) >= EVIDENCE;
	telling = give_up_slow(p, refused, &begun);
	pool_watch_slow(p);
	if (!begun) {
		pool_ensure(p, true);
	} else if (!refused) {
		p->slow_dials += telling;
		pool_tell_available(p);
	} else {
		pool_dial_failed(p, ERROR_TIMEOUT, "it was made to wait", begun);
		if (p->limited_us != loop_now(p->loop))
			end_doubt(p);	/* nothing was learned */
	}
}

void pool_slow_init(struct pool *p)
{
	timer_init(&p->slow, p->loop, on_slow, p);
	timer_init(&p->doubted, p->loop, end_doubt, p);
}

void pool_slow_stop(struct pool *p)
{
	timer_stop(&p->slow);
	end_doubt(p);
}
