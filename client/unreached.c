/*
 * Unreached. Used by helper.c; reads what the ingresses say of when something came.
 */
#include "client/unreached.h"

#include <string.h>

#include "client/ingress.h"
#include "tunnel/log.h"

#define LISTED 4	/* by name */

static bool same(const struct ingress *a, const struct ingress *b)
{
	return a->kind == b->kind && strcmp(a->service, b->service) == 0;
}

/* The first port of a service none of whose ports has been used. */
static bool is_unreached(struct ingress *const *ingress, size_t n, size_t i)
{
	for (size_t k = 0; k < n; k++)
		if (same(ingress[k], ingress[i]) && (k < i || ingress[k]->reached_us))
			return false;
	return true;
}

size_t unreached_list(struct ingress *const *ingress, size_t n, char *out, size_t size)
{
	size_t found = 0, used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct ingress *at = ingress[i];

		if (!is_unreached(ingress, n, i))
			continue;
		if (++found > LISTED || used >= size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s %s%s%s", found > 1 ? ", " : "", at->kind->scheme, at->local,
					 at->service[0] ? " " : "", at->service);
	}
	if (found > LISTED && used < size)
		snprintf(out + used, size - used, " and %zu more", found - LISTED);
	return found;
}

static void on_timer(void *ctx)
{
	struct unreached *u = ctx;
	char list[400];

	if (unreached_list(u->ingress, u->n, list, sizeof list) > 0)
		log_info("helper", "", "nothing has come to %s yet: is the application pointed there? A browser says nothing when it may not: a page from "
			 "the internet needs its permission for the local network, and where its policy forbids UDP it takes TURN by TCP only", list);
}

void unreached_start(struct unreached *u, struct loop *loop, struct ingress *const *ingress, size_t n)
{
	u->ingress = ingress;
	u->n = n;
	timer_init(&u->timer, loop, on_timer, u);
	timer_in(&u->timer, UNREACHED_US);
}

void unreached_stop(struct unreached *u)
{
	timer_stop(&u->timer);
}
