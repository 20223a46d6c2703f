/*
 * Name and password as SOCKS5 wants them (RFC 1929): sent in clear, without a challenge,
 * and, once they were rejected, not again; by one connection until they are accepted. Called by the dialler's hop of that kind.
 */
#include <stdio.h>

#include "client/auth_internal.h"
#include "framing/error.h"

#define CUTS_MAX 3	/* in a row, of what was accepted before: a proxy that is restarted is no reason to give up */

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
	if (!(a->allowed & auth_bit(AUTH_BASIC))) {
		snprintf(d->why, sizeof d->why, "the proxy %s wants a name and password, which SOCKS5 shows to everybody on the way: not allowed "
			 "here, for nobody named this proxy; name it with --proxy, or allow it with --proxy-auth basic", a->proxy.shown);
		return ERROR_PROXY_AUTH;
	}
	if (!a->proven && a->prover && a->prover != d) {
		d->waiting = true;
		snprintf(d->why, sizeof d->why, "the proxy %s has not answered another connection's name and password yet", a->proxy.shown);
		return ERROR_AGAIN;
	}
	if (!a->proven)
		a->prover = d;	/* until the dialogue ends */
	d->round = a->round;
	*user = a->proxy.user;
	*password = a->password;
	return 0;
}

int auth_login_answered(struct auth_dialogue *d, bool accepted)
{
	struct auth *a = d->auth;

	a->proven = accepted;
	a->was_proven = a->was_proven || accepted;
	a->stopped = !accepted;
	a->rejections = 0;
	return accepted ? 0 : rejected(d);
}

int auth_login_cut(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (d->round == a->round) {
		a->round++;
		a->rejections++;
	}
	if (!a->was_proven || a->rejections >= CUTS_MAX)
		return auth_login_answered(d, false);
	a->proven = false;
	snprintf(d->why, sizeof d->why, "the proxy %s closed the connection instead of answering the name and password", a->proxy.shown);
	return ERROR_PROXY;
}
