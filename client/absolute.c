/*
 * Requests in absolute form. Made by hop_absolute.c for a connection; called by the
 * HTTP engine for each request on it and for what answers it; calls auth.
 */
#include "client/absolute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/log.h"

#define LINES_MAX EXCHANGE_HEAD_MAX

struct absolute {
	struct dress base;
	struct loop *loop;
	struct auth *auth;
	struct auth_dialogue *dialogue;
	bool proxied;
	void (*ready)(void *ctx);	/* NULL: settled */
	void *ctx;
	char authority[ABSOLUTE_AUTHORITY];
	char target[EXCHANGE_HEAD_MAX];
	size_t cap;		/* of lines */
	char lines[];
};

/* The lines with what the proxy wants: bytes, or a code. */
static ssize_t put_lines(struct absolute *a, const struct exchange_head *in)
{
	int n = snprintf(a->lines, LINES_MAX, "%s%s", in->lines ? in->lines : "", a->proxied ? "Proxy-Connection: keep-alive\r\n" : "");

	if (n >= LINES_MAX)
		return ERROR_LIMIT;
	return a->dialogue ? auth_line(a->dialogue, in->method, a->target, a->lines + n, a->cap - (size_t)n) : n;
}

static int absolute_request(struct dress *d, const struct exchange_head *in, struct exchange_head *out)
{
	struct absolute *a = (struct absolute *)d;
	int n = snprintf(a->target, sizeof a->target, "%s%s%s", a->proxied ? "http://" : "", a->proxied ? a->authority : "", in->target);
	ssize_t rc = n < (int)sizeof a->target ? put_lines(a, in) : ERROR_LIMIT;

	if (in->lines && strncasecmp(in->lines, "Authorization:", strlen("Authorization:")) == 0) {
		log_error("dial", a->authority, "a request that is not sealed was not sent in the clear");	/* and never may be */
		return ERROR_CLOSED;
	}
	if (rc < 0)
		return (int)rc;
	*out = *in;
	out->target = a->target;
	out->host = a->authority;
	out->lines = a->lines;
	return 0;
}

/* Credentials that are bound to the connection are not proved on a request with a body: the next connection is asked first. */
static int absolute_refused(struct dress *d, const struct http1_head *head)
{
	struct absolute *a = (struct absolute *)d;
	bool on_new;
	int rc = a->dialogue ? auth_challenged(a->dialogue, head, &on_new) : ERROR_PROXY_AUTH;

	return rc == 0 && auth_is_bound(a->auth) ? ERROR_AGAIN : rc;
}

static void absolute_accepted(struct dress *d, const struct http1_head *head)
{
	struct absolute *a = (struct absolute *)d;

	if (a->dialogue)
		auth_accepted(a->dialogue, head);
}

static void absolute_release(struct dress *d)
{
	struct absolute *a = (struct absolute *)d;

	auth_end(a->dialogue);
	a->dialogue = NULL;
	explicit_bzero(a->lines, a->cap);
	loop_free_later(a->loop, a);
}

static const struct dress_ops absolute_ops = { absolute_request, absolute_refused, absolute_accepted, absolute_release };

static void on_ready(void *ctx)
{
	struct absolute *a = ctx;

	if (a->ready)
		a->ready(a->ctx);
}

struct dress *absolute_new(const struct absolute_config *c, void (*ready)(void *ctx), void *ctx)
{
	size_t cap = LINES_MAX + (c->auth ? AUTH_LINE_MAX : 0);
	struct absolute *a = calloc(1, sizeof *a + cap);

	if (!a)
		abort();
	a->base.ops = &absolute_ops;
	a->loop = c->loop;
	a->auth = c->auth;
	a->proxied = c->proxied;
	a->ready = ready;
	a->ctx = ctx;
	a->cap = cap;
	snprintf(a->authority, sizeof a->authority, "%s", c->authority);
	a->dialogue = c->auth ? auth_begin(c->auth, on_ready, a) : NULL;
	return &a->base;
}

struct auth_dialogue *absolute_dialogue(struct dress *d)
{
	return ((struct absolute *)d)->dialogue;
}

void absolute_settled(struct dress *d)
{
	((struct absolute *)d)->ready = NULL;
}
