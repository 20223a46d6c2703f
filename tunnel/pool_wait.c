/*
 * Who waits for a connection of a pool: remembered until the next event, so that as
 * many connections are opened as there are askers, however often they ask; and told in the
 * order in which they began to.
 */
#include "tunnel/pool_internal.h"

void pool_forget_waiting(struct pool *p, struct pool_user *u)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < p->waiting_count; i++)
		if (u && p->waiting[i].user != u)
			p->waiting[kept++] = p->waiting[i];
		else
			p->waiting[i].user->waiting = 0;
	p->waiting_count = kept;
}

void pool_wait(struct pool_user *u, void *asker)
{
	struct pool *p = u->pool;

	for (unsigned i = 0; i < p->waiting_count; i++)
		if (p->waiting[i].user == u && p->waiting[i].asker == asker)
			return;
	if (p->waiting_count == POOL_WAITERS_MAX)
		return;
	p->waiting[p->waiting_count].user = u;
	p->waiting[p->waiting_count++].asker = asker;
	u->waiting++;
	if (!u->since)
		u->since = ++p->count;
}

bool pool_is_modest(const struct pool_user *u)
{
	return u->modest && !(u->insist_us && loop_now(u->pool->loop) >= u->insist_us);
}

unsigned pool_eager(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->waiting_count; i++)
		n += !pool_is_modest(p->waiting[i].user);
	return n;
}

/* Who is told first: those who wait, the longest first; modest ones last of all. */
static bool comes_before(const struct pool_user *a, const struct pool_user *b)
{
	if (pool_is_modest(a) != pool_is_modest(b))
		return pool_is_modest(b);
	if (!a->since != !b->since)
		return a->since;
	return a->since < b->since;
}

/* The next one that was not told in this round. */
static struct pool_user *next_user(struct pool *p, uint64_t round)
{
	struct pool_user *first = NULL;

	for (struct link *l = p->users.next; l != &p->users; l = l->next) {
		struct pool_user *u = list_entry(l, struct pool_user, link);

		if (u->told < round && (!first || comes_before(u, first)))
			first = u;
	}
	return first;
}

/* Waiting work asks again, or not at all. */
void pool_tell_available(struct pool *p)
{
	uint64_t round = ++p->count;
	struct pool_user *u;

	pool_forget_waiting(p, NULL);
	while (!p->dead && (u = next_user(p, round))) {
		uint64_t since = u->since;

		u->told = round;
		u->since = 0;
		u->events->available(u->ctx);
		if (p->dead)
			return;
		for (struct link *l = p->users.next; l != &p->users; l = l->next)
			if (list_entry(l, struct pool_user, link) == u && u->waiting && since)
				u->since = since;	/* in vain again: it keeps its place */
	}
}

bool pool_tell_failed(struct pool *p, int error, const char *why)
{
	uint64_t round = ++p->count;
	struct pool_user *u;
	bool any = p->waiting_count > 0;

	for (struct link *l = p->users.next; l != &p->users; l = l->next) {
		u = list_entry(l, struct pool_user, link);
		if (!u->waiting)
			u->told = round;
		u->since = 0;
	}
	pool_forget_waiting(p, NULL);
	while (!p->dead && (u = next_user(p, round))) {
		u->told = round;
		u->events->failed(u->ctx, error, why);
	}
	return any;
}
