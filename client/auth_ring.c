/*
 * The ring: proxies that are given the same password. They may ask one directory, which
 * locks an account after a few attempts, whoever made them. Called by auth.c.
 */
#include "client/auth_internal.h"

#define ALL_MAX 3	/* rejections by all of them together */

void auth_ring_init(struct auth *a)
{
	a->ring = a;
}

void auth_ring_leave(struct auth *a)
{
	struct auth *before = a;

	while (before->ring != a)
		before = before->ring;
	before->ring = a->ring;
}

void auth_join(struct auth *a, struct auth *b)
{
	struct auth *next = a->ring;

	for (const struct auth *o = a; o->ring != a; o = o->ring)
		if (o->ring == b)
			return;
	if (a == b)
		return;
	a->ring = b->ring;
	b->ring = next;
}

/* Rejections by the other proxies; 0 when one of them accepted the password. */
static unsigned elsewhere(const struct auth *a)
{
	unsigned n = 0;

	for (const struct auth *o = a->ring; o != a; o = o->ring) {
		if (o->was_proven)
			return 0;
		n += o->rejections;
	}
	return n;
}

/* Several proxies rejected the password, and none accepted it. */
bool auth_ring_is_doubtful(const struct auth *a)
{
	unsigned n = elsewhere(a);

	return !a->was_proven && n > 0 && n + a->rejections >= ALL_MAX;
}

unsigned auth_ring_again(const struct auth *a)
{
	return a->rejections && elsewhere(a) < ALL_MAX - 1 ? AUTH_REJECTIONS_MAX - 1 : 0;
}
