/*
 * Name and password as SOCKS5 wants them (RFC 1929): sent in clear, without a challenge,
 * and, once they were rejected, not again; by one connection until they are accepted. Called by the dialler's hop of that kind.
 */
#include <stdio.h>

#include "client/auth_internal.h"
#include "framing/error.h"

static int rejected(struct auth_dialogue *d)
{
	const struct auth *a = d->auth;

	snprintf(d->why, sizeof d->why, "the proxy %s rejected the user name or password (user '%s') and is not asked with them again, so "
		 "that no account is locked: put the right ones into the configuration, then reload it (SIGHUP)", a->proxy.shown,
		 a->proxy.user);
	return ERROR_PROXY_AUTH;
}

int auth_login(struct auth_dialogue *d, const char **user, const char **password)
{
	struct auth *a = d->auth;

	if (a->stopped)
		return rejected(d);
	if (!a->proxy.user[0] || !a->password) {
		snprintf(d->why, sizeof d->why, "the proxy %s wants a name and password: give them by --proxy-user NAME and "
			 "--proxy-password-file FILE", a->proxy.shown);
		return ERROR_PROXY_AUTH;
	}
	if (!a->proven && a->prover && a->prover != d) {
		d->waiting = true;
		snprintf(d->why, sizeof d->why, "the proxy %s has not answered another connection's name and password yet", a->proxy.shown);
		return ERROR_AGAIN;
	}
	if (!a->proven)
		a->prover = d;	/* until the dialogue ends */
	*user = a->proxy.user;
	*password = a->password;
	return 0;
}

int auth_login_answered(struct auth_dialogue *d, bool accepted)
{
	d->auth->proven = accepted;
	d->auth->stopped = !accepted;
	return accepted ? 0 : rejected(d);
}
