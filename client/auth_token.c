/*
 * Negotiate and NTLM: tokens, each computed by the worker, because Kerberos may ask its
 * server. A step that takes too long is given up. Called by auth.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/auth_gss.h"
#include "client/auth_internal.h"
#include "client/auth_worker.h"
#include "framing/base64.h"
#include "framing/error.h"

#define TOKEN_MAX 12288		/* octets of one by the proxy */

struct auth_token {
	struct auth_dialogue *dialogue;
	enum auth_gss_kind kind;
	struct auth_gss *gss;	/* NULL: none yet, or the job has it */
	struct step *step;	/* being computed */
	struct timer limit;
	uint8_t *in;		/* what the proxy said last; NULL: nothing */
	size_t in_n;
	char *out;		/* for the next line, in base64 */
	unsigned sent;		/* tokens */
	bool failed;		/* auth_missing says why */
	int64_t expires;	/* of the ticket */
};

/* One job. */
struct step {
	struct auth_job job;
	struct auth_token *token; /* the loop's; not good in the thread */
	struct auth_gss *gss;
	uint8_t *in;
	size_t in_n;
	enum auth_gss_end end;
	struct auth_gss_result result;
};

static void wipe_text(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* ---- steps ---- */

static void step_run(struct auth_job *job)
{
	struct step *s = (struct step *)job;

	s->end = auth_gss_step(s->gss, s->in, s->in_n, &s->result);
}

static void step_drop(struct auth_job *job)
{
	struct step *s = (struct step *)job;

	auth_gss_free(s->gss);
	if (s->result.token)
		explicit_bzero(s->result.token, s->result.n);
	free(s->result.token);
	free(s->in);
	free(s);
}

static void begin(struct auth_token *, enum auth_gss_kind);
static void on_step(struct auth_job *);

/* why NULL: it was said. */
static void fail(struct auth_token *t, const char *why)
{
	struct auth_dialogue *d = t->dialogue;

	if (why)
		auth_missing(d->auth, d->method->scheme, "%s", why);
	t->failed = true;
	auth_ready(d);
}

/* Hands the context to the worker. */
static void start(struct auth_token *t)
{
	struct auth *a = t->dialogue->auth;
	struct step *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	if (!a->worker)
		a->worker = auth_worker_new(a->loop);
	s->job = (struct auth_job){ .run = step_run, .done = on_step, .drop = step_drop };
	s->token = t;
	s->gss = t->gss;
	s->in = t->in;
	s->in_n = t->in_n;
	t->gss = NULL;
	t->in = NULL;
	t->in_n = 0;
	if (auth_worker_do(a->worker, &s->job) < 0) {
		step_drop(&s->job);
		fail(t, "too much waits for Kerberos already");
		return;
	}
	t->step = s;
	timer_in(&t->limit, a->step_us);
}

/* No ticket, but a password, and the proxy does not take NTLM by itself: it may take it inside of Negotiate. */
static bool may_use_password(const struct auth_token *t)
{
	const struct auth *a = t->dialogue->auth;

	return t->kind == AUTH_GSS_TICKET && !t->sent && t->dialogue->method == &auth_negotiate && a->proxy.user[0] && a->password &&
	       !(a->offers & ~t->dialogue->failed & auth_bit(AUTH_NTLM)) && (a->allowed & auth_bit(AUTH_NTLM));
}

static bool was_refused(const struct auth *a, const struct auth_gss_result *r)
{
	return r->expires && strcmp(r->principal, a->refused_principal) == 0 && llabs((long long)(r->expires - a->refused_expires)) < 3;
}

static void take_failure(struct auth_token *t, enum auth_gss_end end, const char *why)
{
	bool absent = t->kind == AUTH_GSS_SPNEGO_NTLM && end == AUTH_GSS_ABSENT;

	if (!may_use_password(t)) {
		fail(t, absent ? NULL : why); /* then what was said of the ticket counts */
		return;
	}
	auth_missing(t->dialogue->auth, AUTH_NEGOTIATE, "%s", why);
	begin(t, AUTH_GSS_SPNEGO_NTLM);
}

static void take_token(struct auth_token *t, const struct auth_gss_result *r)
{
	struct auth *a = t->dialogue->auth;

	t->expires = r->expires;
	if (r->principal[0])
		snprintf(a->principal, sizeof a->principal, "%s", r->principal);
	t->out = malloc(base64_len(r->n, false) + 1);
	if (!t->out)
		abort();
	base64_encode(t->out, r->token, r->n, false);
	auth_ready(t->dialogue);
}

/* A token, or why there is none. */
static void take(struct auth_token *t, enum auth_gss_end end, const struct auth_gss_result *r)
{
	char why[AUTH_REASON_MAX];

	if (end != AUTH_GSS_OK) {
		take_failure(t, end, r->why);
	} else if (was_refused(t->dialogue->auth, r)) {
		snprintf(why, sizeof why, "the proxy does not accept the ticket of %s", r->principal);
		fail(t, why);
	} else {
		take_token(t, r);
	}
}

static void on_step(struct auth_job *job)
{
	struct step *s = (struct step *)job;
	struct auth_token *t = s->token;

	timer_stop(&t->limit);
	t->step = NULL;
	t->gss = s->gss;
	s->gss = NULL;
	take(t, s->end, &s->result);
	step_drop(job);
}

static void cancel_step(struct auth_token *t)
{
	timer_stop(&t->limit);
	if (t->step)
		auth_worker_cancel(t->dialogue->auth->worker, &t->step->job);
	t->step = NULL;
}

static void on_limit(void *ctx)
{
	struct auth_token *t = ctx;

	cancel_step(t);
	fail(t, "Kerberos has not answered in time: is its server (KDC) reachable from here?");
}

/* ---- the dialogue ---- */

static void token_reset(struct auth_dialogue *d)
{
	struct auth_token *t = d->token;

	if (!t)
		return;
	cancel_step(t);
	auth_gss_free(t->gss);
	free(t->in);
	wipe_text(&t->out);
	loop_free_later(d->auth->loop, t);
	d->token = NULL;
}

/* A context of that kind, and its first step. */
static void begin(struct auth_token *t, enum auth_gss_kind kind)
{
	struct auth *a = t->dialogue->auth;
	bool by_password = kind != AUTH_GSS_TICKET;

	if (by_password && !a->login)
		a->login = auth_gss_login_new(a->proxy.user, a->password);
	auth_gss_free(t->gss);
	t->kind = kind;
	t->gss = auth_gss_new(kind, a->proxy.host, a->proxy.user, by_password ? a->login : NULL);
	start(t);
}

static void token_new(struct auth_dialogue *d)
{
	struct auth_token *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->dialogue = d;
	timer_init(&t->limit, d->auth->loop, on_limit, t);
	d->token = t;
	begin(t, d->method == &auth_ntlm ? AUTH_GSS_NTLM : AUTH_GSS_TICKET);
}

static ssize_t token_put(struct auth_dialogue *d, const char *method, const char *uri, char *out, size_t cap)
{
	struct auth_token *t = d->token;
	size_t n;

	(void)method;
	(void)uri;
	if (t && t->sent && !t->step && !t->out && !t->failed) { /* the request was not sent, or not answered */
		token_reset(d);
		t = NULL;
	}
	if (!t) {
		token_new(d);
		t = d->token;
	}
	if (t->failed)
		return ERROR_PROXY_AUTH;
	if (!t->out) {
		snprintf(d->why, sizeof d->why, "Kerberos has not answered yet: is its server (KDC) reachable from here?");
		return ERROR_AGAIN;
	}
	n = strlen(t->out);
	if (n >= cap)
		return ERROR_LIMIT;
	memcpy(out, t->out, n + 1);
	wipe_text(&t->out);
	t->sent++;
	d->proof = t->kind == AUTH_GSS_TICKET || t->sent > 1;
	return (ssize_t)n;
}

static bool token_go_on(struct auth_dialogue *d, struct span token)
{
	struct auth_token *t = d->token;
	ssize_t n;

	if (!t || !t->gss || token.n > base64_len(TOKEN_MAX, false) || (d->proof && t->kind != AUTH_GSS_TICKET))
		return false;
	free(t->in);
	t->in = malloc(token.n);
	if (!t->in)
		abort();
	n = base64_decode(t->in, token.n, (const char *)token.p, token.n, false);
	t->in_n = n > 0 ? (size_t)n : 0;
	if (n <= 0)
		return false;
	start(t);
	return true;
}

static void token_accepted(struct auth_dialogue *d, const struct http1_head *head)
{
	(void)head;
	token_reset(d);
	if (d->auth->each_request && d->method == &auth_negotiate)
		token_new(d);	/* ahead of the next request */
}

static bool negotiate_refused(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (!d->token || d->token->kind != AUTH_GSS_TICKET)
		return false;
	snprintf(a->refused_principal, sizeof a->refused_principal, "%s", a->principal);
	a->refused_expires = d->token->expires;
	auth_missing(a, AUTH_NEGOTIATE, "the proxy does not accept the ticket of %s", a->principal);
	return true;
}

static bool negotiate_offered(struct auth_dialogue *d, const struct challenge *c)
{
	(void)d;
	(void)c;
	return true;	/* whether there is a ticket is seen when it is needed */
}

static bool ntlm_offered(struct auth_dialogue *d, const struct challenge *c)
{
	(void)c;
	return auth_has_password(d->auth, AUTH_NTLM);
}

const struct auth_method auth_negotiate = {
	.scheme = AUTH_NEGOTIATE,
	.name = "Negotiate",
	.bound = true,
	.offered = negotiate_offered,
	.put = token_put,
	.accepted = token_accepted,
	.go_on = token_go_on,
	.refused = negotiate_refused,
	.reset = token_reset,
};

const struct auth_method auth_ntlm = {
	.scheme = AUTH_NTLM,
	.name = "NTLM",
	.bound = true,
	.offered = ntlm_offered,
	.put = token_put,
	.accepted = token_accepted,
	.go_on = token_go_on,
	.reset = token_reset,
};
