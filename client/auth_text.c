/* Auth: what people are told. Called by auth.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/auth_internal.h"

static void __attribute__((format(printf, 2, 3))) add(struct auth_dialogue *d, const char *fmt, ...)
{
	size_t n = strlen(d->why);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why + n, sizeof d->why - n, fmt, ap);
	va_end(ap);
}

/* Is it one of the names in the list already? */
static bool is_listed(const char *list, const char *name)
{
	const char *at = strcasestr(list, name);
	size_t n = strlen(name);

	return at && (at == list || at[-1] == ' ') && (at[n] == 0 || at[n] == ',');
}

void auth_text_offer(struct auth *a, struct span scheme)
{
	size_t n = strlen(a->offered);
	char name[32];

	snprintf(name, sizeof name, "%.*s", (int)scheme.n, (const char *)scheme.p);
	if (!is_listed(a->offered, name))
		snprintf(a->offered + n, sizeof a->offered - n, "%s%s", n ? ", " : "", name);
}

void auth_text_rejected(struct auth_dialogue *d)
{
	const struct auth *a = d->auth;

	snprintf(d->why, sizeof d->why, "the proxy %s rejected the user name or password (user '%s', by %s) and is not asked with them "
		 "again, so that no account is locked: put the right ones into the configuration, then reload it (SIGHUP)",
		 a->proxy.shown, a->proxy.user, a->stopped_by ? a->stopped_by->name : "name and password");
}

static bool wants_password(const struct auth *a)
{
	unsigned with_password = auth_bit(AUTH_BASIC) | auth_bit(AUTH_DIGEST) | auth_bit(AUTH_NTLM);

	return (!a->proxy.user[0] || !a->password) && (a->seen & a->allowed & with_password);
}

void auth_text_hopeless(struct auth_dialogue *d)
{
	const struct auth *a = d->auth;
	const char *separator = ": ";

	snprintf(d->why, sizeof d->why, "the proxy %s wants credentials (it offers: %s)", a->proxy.shown,
		 a->offered[0] ? a->offered : "nothing");
	if (!a->seen) {
		add(d, ": none of a kind that is supported; ask its administrator for Negotiate, NTLM, Digest or Basic, or for a rule "
		       "without credentials");
		return;
	}
	for (size_t i = 0; auth_methods[i]; i++) {
		enum auth_scheme s = auth_methods[i]->scheme;

		if (!(a->seen & auth_bit(s)) || !a->missing[s].reason[0])
			continue;
		add(d, "%s%s: %s", separator, auth_methods[i]->name, a->missing[s].reason);
		separator = "; ";
	}
	if (wants_password(a) && a->proxy.user[0])
		add(d, "%sgive the password of user '%s' by --proxy-password-file FILE", separator, a->proxy.user);
	else if (wants_password(a))
		add(d, "%sgive a name and password by --proxy-user NAME and --proxy-password-file FILE", separator);
}
