/* The scripted credentials. Lines are "Test N", with a bound scheme "Test one" and "Test two" on each connection. */
#include "tests/lib/prover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

struct prover prover;

struct auth {
	int unused;
};

struct auth_dialogue {
	void (*ready)(void *ctx);
	void *ctx;
	struct timer timer;
	bool there;		/* the line that was waited for */
	unsigned leg;		/* bound: lines sent on this connection */
	bool done;		/* bound: accepted */
	bool challenged;
};

static struct auth auth;

void prover_reset(struct loop *loop)
{
	memset(&prover, 0, sizeof prover);
	prover.loop = loop;
}

struct auth *prover_auth(void)
{
	return &auth;
}

enum auth_scheme auth_scheme(const struct auth *a)
{
	(void)a;
	return prover.known || prover.eager ? prover.scheme : AUTH_NONE;
}

const char *auth_scheme_name(enum auth_scheme scheme)
{
	static const char *const names[] = { "none", "Basic", "Digest", "NTLM", "Negotiate" };

	return names[scheme];
}

bool auth_is_bound(const struct auth *a)
{
	return auth_scheme(a) != AUTH_NONE && prover.bound;
}

static void on_timer(void *ctx)
{
	struct auth_dialogue *d = ctx;

	d->there = true;
	d->ready(d->ctx);
}

struct auth_dialogue *auth_begin(struct auth *a, void (*ready)(void *ctx), void *ctx)
{
	struct auth_dialogue *d = calloc(1, sizeof *d);

	(void)a;
	d->ready = ready;
	d->ctx = ctx;
	timer_init(&d->timer, prover.loop, on_timer, d);
	prover.dialogues++;
	prover.open++;
	return d;
}

void auth_end(struct auth_dialogue *d)
{
	if (!d)
		return;
	timer_stop(&d->timer);
	prover.open--;
	loop_free_later(prover.loop, d);
}

static bool is_hopeless(void)
{
	return prover.patience && prover.challenged >= prover.patience;
}

ssize_t auth_line(struct auth_dialogue *d, const char *method, const char *uri, char *out, size_t cap)
{
	static const char *const legs[] = { "one", "two", "three" };

	out[0] = 0;
	if (is_hopeless())
		return d->challenged ? ERROR_PROXY_AUTH : 0;
	if (auth_scheme(&auth) == AUTH_NONE || (prover.bound && d->done))
		return 0;
	if (prover.delay_us && !d->there) {
		timer_in(&d->timer, prover.delay_us);
		return ERROR_AGAIN;
	}
	d->there = false;
	prover.lines++;
	if (prover.bound)
		return snprintf(out, cap, "Proxy-Authorization: Test %s\r\n", legs[d->leg++ % 3]);
	return snprintf(out, cap, "Proxy-Authorization: Test %u %s %s\r\n", prover.lines, method, uri);
}

int auth_challenged(struct auth_dialogue *d, const struct http1_head *head, bool *on_new)
{
	(void)head;
	prover.challenged++;
	d->challenged = true;
	prover.known = true;
	*on_new = !prover.bound || d->leg == 0;
	return is_hopeless() ? ERROR_PROXY_AUTH : 0;
}

void auth_accepted(struct auth_dialogue *d, const struct http1_head *head)
{
	(void)head;
	prover.accepted++;
	d->done = d->leg > 0;
}

int auth_cut(struct auth_dialogue *d)
{
	(void)d;
	return 0;
}

int auth_login(struct auth_dialogue *d, const char **user, const char **password)
{
	(void)d;
	*user = prover.user;
	*password = prover.password;
	return prover.rejected ? ERROR_PROXY_AUTH : 0;
}

int auth_login_answered(struct auth_dialogue *d, bool accepted)
{
	(void)d;
	prover.accepted += accepted;
	prover.rejected = !accepted;
	return accepted ? 0 : ERROR_PROXY_AUTH;
}

int auth_login_cut(struct auth_dialogue *d)
{
	return auth_login_answered(d, false);
}

const char *auth_why(const struct auth_dialogue *d)
{
	return d && timer_armed(&d->timer) ? "the ticket is waited for" : "the proxy knows nobody of that name";
}

bool auth_is_refused(const struct auth *a)
{
	(void)a;
	return is_hopeless();
}
