/* Policies: the target policy of each identity. */
#ifndef SERVER_POLICIES_H
#define SERVER_POLICIES_H

#include "server/policy.h"

#define POLICIES_MAX 1024

struct policies;

/* everyone: of identities that have none of their own; taken over. */
struct policies *policies_new(struct policy *everyone);
void policies_free(struct policies *);	/* NULL is fine */
/* That identity's own, instead of everyone's; taken over. False: it has one, or there are too many. */
bool policies_add(struct policies *, const char *identity, struct policy *);
const struct policy *policies_of(const struct policies *, const char *identity);

#endif
