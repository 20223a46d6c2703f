/*
 * Target policy: which addresses, beside the services, somebody's channels may lead to: an ordered list of rules, of which the first
 * that matches decides. Nothing matches: it is denied. Pure.
 *
 *     +203.0.113.0/24:3478      a network, or an address, and a port
 *     -*.lab.example.org        names, whatever their ports
 *     +*.example.org:443-8443   a range of ports
 *     +[2001:db8::/32]:443
 *     +*:443                    everything
 *
 * What is looked at is the address that will be connected to. Addresses of special use (RFC 6890: loopback, private, link-local, and so on)
 * are allowed only by a rule that names a network within them: neither by a name that leads there nor by a rule for everything.
 */
#ifndef SERVER_POLICY_H
#define SERVER_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "tunnel/address.h"

#define POLICY_RULES_MAX 1024

enum policy_verdict {
	POLICY_ALLOWED,
	POLICY_DENIED,		/* by a rule, or by none */
	POLICY_SPECIAL,		/* it would be allowed, but is an address of special use that no rule names */
};

struct policy;

/* n rules; NULL and in error which one is wrong ("... not 'x'"). */
struct policy *policy_new(const char *const *rules, size_t n, char *error, size_t size);
void policy_free(struct policy *);	/* NULL is fine */
/* Nothing is allowed. */
bool policy_is_empty(const struct policy *);
/* name: as the client gave it, NULL for a literal address. to: with its port. */
enum policy_verdict policy_judge(const struct policy *, const char *name, const struct address *to);

#endif
