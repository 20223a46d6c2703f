/*
 * Auth: which scheme, and when it is enough: a wrong password reaches the proxy twice at
 * most, however many connections there are. Called by the dialler; calls the gate
 * (auth_gate.c) and the schemes (auth_basic.c, auth_digest.c, auth_token.c).
 */
#include "client/auth.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/auth_gss.h"
#include "client/auth_internal.h"
#include "client/auth_worker.h"
#include "framing/error.h"
#include "tunnel/log.h"

#define LEGS_MAX 8	/* challenges in a row on one connection */
#define STALE_MAX 50	/* nonces in a row that are stale at once */
#define PAUSE_US (60 * LOOP_SECOND) /* before a scheme that cannot be used is tried in front of one that can */

static const char header[] = "Proxy-Authorization: ";

const struct auth_method *const auth_methods[] = { &auth_negotiate, &auth_ntlm, &auth_digest, &auth_basic, NULL };

/* ---- choice ---- */

void auth_missing(struct auth *a, enum auth_scheme scheme, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->missing[scheme].reason, sizeof a->missing[scheme].reason, fmt, ap);
	va_end(ap);
}

bool auth_has_password(struct auth *a, enum auth_scheme scheme)
{
	if (a->proxy.user[0] && a->password)
		return true;
	auth_missing(a, scheme, "%s", "");	/* said once for all schemes */
	return false;
}

static bool usable(const struct auth_dialogue *d, const struct auth_method *m, bool patient)
{
	const struct auth *a = d->auth;

	return (a->offers & ~d->failed & auth_bit(m->scheme)) &&
	       (patient || a->missing[m->scheme].until_us <= loop_now(a->loop));
}

/* What works stays; else the strongest that can be had. NULL: none. */
static const struct auth_method *choose(const struct auth_dialogue *d)
{
	const struct auth *a = d->auth;

	if (a->stopped)
		return NULL;
	if (a->method && a->proven && usable(d, a->method, true))
		return a->method;
	for (int patient = 0; patient < 2; patient++)
		for (size_t i = 0; auth_methods[i]; i++)
			if (usable(d, auth_methods[i], patient))
				return auth_methods[i];
	return NULL;
}

static void use(struct auth_dialogue *d, const struct auth_method *m)
{
	struct auth *a = d->auth;

	if (m != a->method) {
		a->proven = false;
		if (m)
			log_debug("auth", a->proxy.shown, "credentials by %s", m->name);
	}
	a->method = m;
}

/* The dialogue leaves a scheme that cannot be used now. */
static void give_up(struct auth_dialogue *d, const struct auth_method *m)
{
	struct auth *a = d->auth;

	log_debug("auth", a->proxy.shown, "not by %s: %s", m->name, a->missing[m->scheme].reason);
	d->failed |= auth_bit(m->scheme);
	a->missing[m->scheme].until_us = loop_now(a->loop) + PAUSE_US;
	if (m->reset)
		m->reset(d);
	d->method = NULL;
	use(d, choose(d));
}

static int hopeless(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	auth_gate_leave(d);
	if (a->stopped)
		auth_text_rejected(d);
	else
		auth_text_hopeless(d);
	return ERROR_PROXY_AUTH;
}

/* ---- lines ---- */

/* Credentials by the method in use, as a line. */
static ssize_t put_line(struct auth_dialogue *d, const char *method, const char *uri, char *out, size_t cap)
{
	const struct auth_method *m = d->method;
	size_t at = sizeof header - 1 + strlen(m->name) + 1;
	ssize_t n;

	if (cap < at + 3)
		return ERROR_LIMIT;
	n = m->put(d, method, uri, out + at, cap - at - 2);
	if (n < 0)
		return n;
	snprintf(out, at, "%s%s", header, m->name);
	out[at - 1] = ' ';
	memcpy(out + at + n, "\r\n", 3);
	return (ssize_t)at + n + 2;
}

/* The method for the next line. False: none is wanted on this connection now. */
static bool take_method(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (a->stopped)
		return false;
	if (d->method && d->token)
		return true;	/* in the middle of it */
	if (!a->method && d->challenged)
		use(d, choose(d));
	if (d->method != a->method && d->method && d->method->reset)
		d->method->reset(d);
	d->method = a->method;
	return d->method && !(d->failed & auth_bit(d->method->scheme)) &&
	       !(d->method->bound && d->authenticated && !a->each_request);
}

ssize_t auth_line(struct auth_dialogue *d, const char *method, const char *uri, char *out, size_t cap)
{
	struct auth *a = d->auth;
	ssize_t n;

	d->sent = d->proof = d->waiting = d->woken = false;
	if (cap)
		out[0] = 0;
	while (take_method(d)) {
		if (!auth_gate_enter(d)) {
			d->waiting = true;
			snprintf(d->why, sizeof d->why, "the proxy %s has not answered another connection's credentials yet",
				 a->proxy.shown);
			return ERROR_AGAIN;
		}
		d->proof = true;
		n = put_line(d, method, uri, out, cap);
		if (n > 0) {
			d->sent = true;
			d->round = a->round;
			auth_gate_sent(d);
			return n;
		}
		d->waiting = n == ERROR_AGAIN;
		if (n == ERROR_AGAIN)
			return n;
		if (n == ERROR_LIMIT)
			auth_missing(a, d->method->scheme, "the credentials are too long for a request (more than %zu bytes)", cap);
		give_up(d, d->method);
	}
	if (d->challenged && !d->authenticated)
		return hopeless(d);
	auth_gate_leave(d);
	return 0;
}

/* ---- challenges ---- */

static const struct auth_method *method_of(const struct challenge *c)
{
	for (size_t i = 0; auth_methods[i]; i++)
		if (challenge_is(c, auth_methods[i]->name))
			return auth_methods[i];
	return NULL;
}

static void read_offers(struct auth_dialogue *d, const struct challenge *list, size_t count)
{
	struct auth *a = d->auth;

	a->offers = a->seen = 0;
	a->offered[0] = 0;
	a->answers++;
	for (size_t i = 0; i < AUTH_SCHEMES; i++)
		if (!(d->failed & 1u << i))
			a->missing[i].reason[0] = 0;
	for (size_t i = 0; i < count; i++) {
		const struct auth_method *m = method_of(&list[i]);

		auth_text_offer(a, list[i].scheme);
		if (!m)
			continue;
		a->seen |= auth_bit(m->scheme);
		if (!(a->allowed & auth_bit(m->scheme)))
			auth_missing(a, m->scheme, "not allowed here%s (--proxy-auth says what is)",
				     m == &auth_basic ? ", for it shows the password to everybody on the way" : "");
		else if (m != &auth_negotiate && auth_ring_is_doubtful(a))
			auth_missing(a, m->scheme, "other proxies rejected the password, so it is not tried here: put the right one into the "
				     "configuration, then reload it (SIGHUP)");
		else if (m->offered(d, &list[i]))
			a->offers |= auth_bit(m->scheme);
	}
}

/* The proxy goes on with a dialogue of several steps on this connection. */
static bool goes_on(struct auth_dialogue *d, const struct challenge *list, size_t count)
{
	const struct auth_method *m = d->method;

	if (!d->sent || !m || !m->go_on)
		return false;
	for (size_t i = 0; i < count; i++)
		if (list[i].token.n && challenge_is(&list[i], m->name))
			return m->go_on(d, list[i].token);
	return false;
}

/* The first step of several led nowhere. */
static void not_gone_on(struct auth_dialogue *d)
{
	auth_missing(d->auth, d->method->scheme, "the proxy does not go on with it on the same connection");
	d->auth->missing[d->method->scheme].until_us = loop_now(d->auth->loop) + PAUSE_US;
	d->failed |= auth_bit(d->method->scheme);
}

/* Credentials were sent, and 407 is the answer. */
static void rejected(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (d->round != a->round)
		return;		/* by a request that was under way when others were rejected */
	a->proven = false;
	a->round++;
	if (++a->rejections < AUTH_REJECTIONS_MAX && !auth_ring_is_doubtful(a))
		return;
	if (d->method->refused && d->method->refused(d)) {
		a->rejections = 0;
		d->failed |= auth_bit(d->method->scheme);
		return;
	}
	a->stopped = true;
	a->stopped_by = d->method;
	if (a->prover)
		auth_gate_leave(a->prover);
	auth_gate_wake(a);
}

/* Was it not the password, but the nonce? */
static bool is_stale(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	return d->method == &auth_digest && auth_digest_stale(d) && ++a->stale <= STALE_MAX;
}

int auth_challenged(struct auth_dialogue *d, const struct http1_head *head, bool *on_new)
{
	struct auth *a = d->auth;
	struct challenge list[CHALLENGE_MAX];
	size_t count = challenge_parse(head, "Proxy-Authenticate", list, CHALLENGE_MAX);

	*on_new = false;
	d->challenged = true;
	if (++d->legs <= LEGS_MAX && goes_on(d, list, count)) {
		d->sent = false;
		return 0;
	}
	*on_new = true;
	if (d->authenticated && !d->sent && d->method == &auth_negotiate)
		a->each_request = true;
	d->authenticated = false;
	read_offers(d, list, count);
	if (d->sent && !d->proof)
		not_gone_on(d);
	else if (d->sent && !is_stale(d))
		rejected(d);
	if (d->method && d->method->reset)
		d->method->reset(d);
	d->sent = false;
	d->method = NULL;
	use(d, d->legs > LEGS_MAX ? NULL : choose(d));
	return a->method ? 0 : hopeless(d);
}

void auth_accepted(struct auth_dialogue *d, const struct http1_head *head)
{
	struct auth *a = d->auth;

	if (d->sent && d->proof && d->method == a->method && d->round == a->round) {
		if (!a->proven)
			log_info("auth", a->proxy.shown, "the proxy accepted the credentials%s%s (%s)", auth_user(a)[0] ? " of " : "",
				 auth_user(a), d->method->name);
		a->proven = a->was_proven = true;
		a->rejections = a->stale = 0;
		auth_gate_wake(a);
	}
	if (d->sent && d->method->bound)
		d->authenticated = true;
	if (d->sent && d->method->accepted)
		d->method->accepted(d, head);
	d->sent = d->challenged = false;
	d->failed = d->legs = 0;
	auth_gate_leave(d);
}

int auth_cut(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (!d->sent || !d->proof || a->was_proven || d->method == &auth_negotiate)
		return 0;
	rejected(d);
	d->sent = false;
	return a->stopped ? hopeless(d) : 0;
}

/* ---- life ---- */

struct auth *auth_new(const struct auth_config *config)
{
	struct auth *a = calloc(1, sizeof *a);

	if (!a)
		abort();
	a->refs = 1;
	auth_ring_init(a);
	a->loop = config->loop;
	a->proxy = *config->proxy;
	explicit_bzero(a->proxy.password, sizeof a->proxy.password);
	if (config->password && config->password[0] && !(a->password = strdup(config->password)))
		abort();
	a->step_us = AUTH_STEP_US;
	a->allowed = config->allowed;
	auth_gate_init(a);
	return a;
}

static void destroy(struct auth *a)
{
	auth_ring_leave(a);
	auth_gate_fini(a);
	auth_worker_free(a->worker);
	auth_gss_login_release(a->login);
	auth_digest_release(a->nonce);
	if (a->password)
		explicit_bzero(a->password, strlen(a->password));
	free(a->password);
	loop_free_later(a->loop, a);
}

void auth_free(struct auth *a)
{
	if (a && --a->refs == 0 && !a->dialogues)
		destroy(a);
}

struct auth *auth_keep(struct auth *a)
{
	a->refs++;
	return a;
}

bool auth_is_same(const struct auth *a, const struct auth_config *c)
{
	return strcmp(a->proxy.user, c->proxy->user) == 0 && a->allowed == c->allowed &&
	       strcmp(a->password ? a->password : "", c->password ? c->password : "") == 0;
}

void auth_forget(struct auth *a)
{
	if (a->proven)
		return;
	a->rejections = auth_ring_again(a);
	a->stopped = false;
	a->stale = 0;
	a->round++;
	a->refused_principal[0] = 0;
	for (size_t i = 0; i < AUTH_SCHEMES; i++)
		a->missing[i].until_us = 0;
}

struct auth_dialogue *auth_begin(struct auth *a, void (*ready)(void *ctx), void *ctx)
{
	struct auth_dialogue *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->auth = a;
	d->ready = ready;
	d->ctx = ctx;
	d->next = a->dialogues;
	a->dialogues = d;
	return d;
}

void auth_end(struct auth_dialogue *d)
{
	struct auth_dialogue **at;
	struct auth *a;

	if (!d)
		return;
	a = d->auth;
	for (at = &a->dialogues; *at != d; at = &(*at)->next)
		;
	*at = d->next;
	if (d->method && d->method->reset)
		d->method->reset(d);
	auth_digest_release(d->nonce);
	auth_gate_leave(d);
	loop_free_later(a->loop, d);
	if (a->refs == 0 && !a->dialogues)
		destroy(a);
}

enum auth_scheme auth_scheme(const struct auth *a)
{
	return a->method ? a->method->scheme : AUTH_NONE;
}

const char *auth_scheme_name(enum auth_scheme scheme)
{
	for (size_t i = 0; auth_methods[i]; i++)
		if (auth_methods[i]->scheme == scheme)
			return auth_methods[i]->name;
	return "none";
}

const char *auth_user(const struct auth *a)
{
	return a->method == &auth_negotiate && a->principal[0] ? a->principal : a->proxy.user;
}

bool auth_is_bound(const struct auth *a)
{
	return a->method && a->method->bound;
}

bool auth_is_refused(const struct auth *a)
{
	return a->answers > 0 && !a->method;
}

const char *auth_why(const struct auth_dialogue *d)
{
	return d->why;
}
