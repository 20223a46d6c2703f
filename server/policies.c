/* Made from the options, asked by destinations. */
#include "server/policies.h"

#include <stdlib.h>
#include <string.h>

struct own {
	char *identity;
	struct policy *policy;
};

struct policies {
	struct policy *everyone;
	size_t n;
	struct own own[POLICIES_MAX];
};

struct policies *policies_new(struct policy *everyone)
{
	struct policies *all = calloc(1, sizeof *all);

	if (!all)
		abort();
	all->everyone = everyone;
	return all;
}

void policies_free(struct policies *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->n; i++) {
		free(all->own[i].identity);
		policy_free(all->own[i].policy);
	}
	policy_free(all->everyone);
	free(all);
}

static const struct own *find(const struct policies *all, const char *identity)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->own[i].identity, identity))
			return &all->own[i];
	return NULL;
}

bool policies_add(struct policies *all, const char *identity, struct policy *policy)
{
	struct own *own = &all->own[all->n];

	if (all->n == POLICIES_MAX || find(all, identity)) {
		policy_free(policy);
		return false;
	}
	own->identity = strdup(identity);
	if (!own->identity)
		abort();
	own->policy = policy;
	all->n++;
	return true;
}

const struct policy *policies_of(const struct policies *all, const char *identity)
{
	const struct own *own = find(all, identity);

	return own ? own->policy : all->everyone;
}
