/*
 * How many carriers a session may have: by its rung, by the budget of connections, by what was configured, and by what
 * failed a moment ago. Called by fleet.c.
 */
#include "client/fleet_internal.h"

#define SPARE 1				/* connection left to renew by overlap, and to probes */
#define SPARE_POSTS 2			/* ... and to posts */
#define OTHERS_MOST 4			/* carriers on rungs with more exchanges than one each */

static bool is_post(const struct rung *r)
{
	return r->up == rung_find("poll")->up;
}

static unsigned rung_most(const struct rung *r)
{
	if (r->down == rung_find("poll")->down)
		return 1;	/* which has as many exchanges as it needs */
	return r->up == r->down ? FLEET_MOST : OTHERS_MOST;
}

/* Connections that a carrier holds: its exchanges share one of HTTP/2. */
static unsigned holds(const struct fleet *f, const struct rung *r)
{
	return pool_is_multiplexed(f->config.pool) ? 1 : r->connections;
}

/* That the budget of connections allows. */
static unsigned room(const struct fleet *f, const struct rung *r)
{
	unsigned limit = pool_limit(f->config.pool), spare = is_post(r) ? SPARE_POSTS : SPARE;
	unsigned n = limit > spare ? (limit - spare) / holds(f, r) : 0;

	return n ? n : 1;
}

unsigned fleet_ceiling(const struct fleet *f, const char **why)
{
	const struct rung *r = f->lead ? carrier_rung(f->lead) : NULL;
	unsigned n;

	*why = "";
	if (!r || f->doomed)
		return 1;
	n = rung_most(r);
	if (n < f->wanted)
		*why = "no more on this rung";
	if (f->config.most < n) {
		n = f->config.most;
		*why = "no more are allowed (carriers)";
	}
	if (room(f, r) < n) {
		n = room(f, r);
		*why = "no more connections";
	}
	if (fleet_now(f) < f->few_until && f->few < n) {
		n = f->few;
		*why = "others failed a moment ago";
	}
	return n;
}

unsigned fleet_target(const struct fleet *f)
{
	const char *why;
	unsigned most = fleet_ceiling(f, &why);

	return f->wanted < most ? f->wanted : most;
}

/* Connections that nobody has, waits for, or is about to ask for. */
static unsigned places(struct fleet *f, const struct rung *r)
{
	unsigned limit = pool_limit(f->config.pool), used = pool_others(&f->user);

	EACH(f, k)
		used += k->opened_us == fleet_now(f) ? holds(f, r) : 0;
	return limit > used ? limit - used : 0;
}

bool fleet_has_room(struct fleet *f, bool replaces)
{
	const struct rung *r = carrier_rung(f->lead);

	return places(f, r) >= holds(f, r) + (replaces ? 0 : SPARE);
}
