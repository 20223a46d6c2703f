/*
 * The dialogue with an HTTP proxy. Each leg is one request and one whole answer; a
 * 407 is read to its end, so that the next leg can follow on the same connection.
 * Called by hop_connect.c and hop_absolute.c; calls the HTTP/1 codec and auth.
 */
#include "client/legs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "framing/http1.h"

#define SCHEMES 96		/* bytes of "Negotiate, NTLM, Basic" */
#define BODY_MAX (256 * 1024)	/* bytes of an answer that are read */

struct legs {
	struct legs_config config;
	struct http1 *parser;
	struct later later;	/* reports a request that cannot be made */
	uint8_t *request;	/* NULL once it was written */
	size_t size, written;
	unsigned n;		/* legs so far */
	size_t body;		/* bytes of all answers' bodies */
	char line[LEGS_LINE];	/* the beginning of the answer */
	size_t line_len;
	int status;		/* of the answer; 0: not there yet */
	bool waiting;		/* for a line of the dialogue */
	bool kept, on_new;	/* the connection is; else a new one will do as well */
	bool whole;		/* the answer ended */
	bool over;
	int error;
	char why[LEGS_WHY];
};

static int __attribute__((format(printf, 3, 4))) legs_say(struct legs *l, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof l->why, fmt, ap);
	va_end(ap);
	l->error = error;
	return error;
}

static bool is_connect(const struct legs *l)
{
	return strcmp(l->config.method, "CONNECT") == 0;
}

/* The request may have a password in it. */
static void forget_request(struct legs *l)
{
	if (l->request)
		explicit_bzero(l->request, l->size);
	free(l->request);
	l->request = NULL;
}

void legs_free(struct legs *l)
{
	if (!l)
		return;
	if (!l->over)
		stream_want(l->config.stream, false, false);
	l->over = true;
	later_cancel(l->config.loop, &l->later);
	forget_request(l);
	http1_free(l->parser);
	l->parser = NULL;
	loop_free_later(l->config.loop, l);
}

const char *legs_waits(const struct legs *l)
{
	return l->waiting ? auth_why(l->config.dialogue) : NULL;
}

bool legs_kept(const struct legs *l)
{
	return l->kept;
}

static void legs_finish(void *ctx)
{
	struct legs *l = ctx;

	l->over = true;
	stream_want(l->config.stream, false, false);
	l->config.over(l->config.ctx, l->error, l->why);
}

/* ---- the request ---- */

/* Nothing in a name may end a line of the head. */
static bool is_clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static int put_request(struct legs *l, const char *lines)
{
	const struct legs_config *c = &l->config;
	ssize_t size;

	forget_request(l);
	l->size = 2 * strlen(c->target) + strlen(c->host) + strlen(lines) + 64;
	l->request = malloc(l->size);
	if (!l->request)
		abort();
	size = http1_request_put(l->request, l->size, c->method, c->target, c->host, lines, HTTP1_NO_BODY, 0);
	if (size < 0 || !is_clean(c->target) || !is_clean(c->host))
		return legs_say(l, ERROR_CONFIG, "'%s' cannot be the name of a server", c->host);
	l->written = 0;
	l->size = (size_t)size;
	return 0;
}

/* 0: it is being sent, or the line is waited for. */
static int legs_ask(struct legs *l)
{
	static const char agent[] = "User-Agent: culvert/" CULVERT_VERSION "\r\nProxy-Connection: keep-alive\r\n";
	const struct legs_config *c = &l->config;
	char lines[sizeof agent + AUTH_LINE_MAX];
	size_t at = sizeof agent - 1;
	ssize_t n = 0;
	int rc;

	memcpy(lines, agent, sizeof agent);
	if (c->dialogue)
		n = auth_line(c->dialogue, c->method, c->target, lines + at, sizeof lines - at);
	l->waiting = n == ERROR_AGAIN;
	if (l->waiting)
		return 0;
	if (n < 0)
		return legs_say(l, (int)n, "%s", auth_why(c->dialogue));
	l->n++;
	l->status = 0;
	l->line_len = 0;
	l->whole = false;
	rc = put_request(l, lines);
	explicit_bzero(lines, sizeof lines);
	if (rc == 0)
		stream_want(c->stream, true, true);
	return rc;
}

void legs_ready(struct legs *l)
{
	if (l->over || !l->waiting)
		return;
	if (legs_ask(l) < 0)
		legs_finish(l);
}

/* ---- the answer ---- */

/* Appends the scheme of one challenge ("Basic realm=...") unless it is there. */
static void add_scheme(char *list, size_t size, struct span value)
{
	size_t n = 0, at = strlen(list);
	char name[24];

	while (n < value.n && n + 1 < sizeof name && value.p[n] > ' ' && value.p[n] < 0x7f && value.p[n] != ',')
		n++;
	snprintf(name, sizeof name, "%.*s", (int)n, (const char *)value.p);
	if (n && !strstr(list, name))
		snprintf(list + at, size - at, "%s%s", at ? ", " : "", name);
}

static int wants_credentials(struct legs *l, const struct http1_head *head)
{
	char offers[SCHEMES] = "";

	for (size_t i = 0; i < head->count; i++)
		if (http1_is(head->header[i].name, "Proxy-Authenticate"))
			add_scheme(offers, sizeof offers, head->header[i].value);
	return legs_say(l, ERROR_PROXY_AUTH, "the proxy %s wants credentials (it offers: %s): put them into "
			"--proxy http://USER@%s and --proxy-password-file", l->config.proxy,
			offers[0] ? offers : "nothing", l->config.proxy);
}

static int legs_challenged(struct legs *l, const struct http1_head *head)
{
	const struct legs_config *c = &l->config;
	int rc;

	if (!c->dialogue)
		return wants_credentials(l, head);
	rc = auth_challenged(c->dialogue, head, &l->on_new);
	if (rc < 0)
		return legs_say(l, rc, "%s", auth_why(c->dialogue));
	if (l->n >= LEGS_MAX)
		return legs_say(l, ERROR_PROXY_AUTH, "the proxy %s asks for credentials again and again", c->proxy);
	return 0;
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct legs *l = ctx;
	const struct legs_config *c = &l->config;
	int rc;

	l->status = head->status;
	l->kept = head->keep_alive;
	if (head->status == 407)
		return legs_challenged(l, head);
	if (c->dialogue)
		auth_accepted(c->dialogue, head);
	rc = c->judge(c->ctx, head, l->line, l->why, sizeof l->why);
	l->error = rc;
	return rc;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct legs *l = ctx;

	(void)p;
	l->body += n;
	if (l->body <= BODY_MAX)
		return 0;
	l->kept = false; /* as good as: nobody reads that much */
	l->whole = true;
	return ERROR_LIMIT;
}

static int on_end(void *ctx)
{
	((struct legs *)ctx)->whole = true;
	return 0;
}

static const struct http1_events http = { on_head, on_body, on_end };

/* After a whole 407 that is not hopeless, or an end in the middle of it. */
static int legs_next(struct legs *l)
{
	const struct legs_config *c = &l->config;

	if (l->kept) {
		http1_next(l->parser, false, is_connect(l));
		return legs_ask(l);
	}
	if (l->on_new)
		return legs_say(l, ERROR_AGAIN, "the proxy %s closes each connection on which it wants credentials", c->proxy);
	return legs_say(l, ERROR_PROXY_AUTH, "the proxy %s closes the connection in the middle of authentication, which is bound to it: "
			"an older box may be in between", c->proxy);
}

/* What is to be done with what was read. True: it is over. */
static bool legs_judged(struct legs *l, size_t behind)
{
	const struct legs_config *c = &l->config;

	if (l->error)
		return true;
	l->kept = l->kept && !behind;
	if (l->status == 407)
		return (l->whole || (!l->kept && l->on_new)) && legs_next(l) < 0;
	if (l->status == 0 || !l->whole)
		return false;
	if (behind && is_connect(l)) /* we speak first in the tunnel */
		legs_say(l, ERROR_PROXY, "the proxy %s sent bytes behind its answer to CONNECT: is this a proxy?", c->proxy);
	return true;
}

static void keep_line(struct legs *l, const uint8_t *p, size_t n)
{
	size_t room = sizeof l->line - 1 - l->line_len;

	if (l->status)
		return;
	n = n < room ? n : room;
	memcpy(l->line + l->line_len, p, n);
	l->line_len += n;
	l->line[l->line_len] = 0;
	l->line[strcspn(l->line, "\r\n")] = 0;
}

static void legs_answer(struct legs *l, const uint8_t *p, size_t n)
{
	ssize_t used;

	keep_line(l, p, n);
	used = http1_feed(l->parser, p, n);
	if (used == ERROR_MALFORMED)
		legs_say(l, ERROR_PROXY, "%s does not speak HTTP: is this a proxy?", l->config.proxy);
	if (legs_judged(l, used >= 0 ? n - (size_t)used : 0))
		legs_finish(l);
}

/* The connection is gone in the place of an answer. True: it was because of the credentials. */
static bool legs_cut(struct legs *l)
{
	const struct legs_config *c = &l->config;
	int rc = c->dialogue && l->status == 0 && !l->waiting ? auth_cut(c->dialogue) : 0;

	return rc < 0 && legs_say(l, rc, "%s", auth_why(c->dialogue));
}

/* The proxy closed. */
static void legs_eof(struct legs *l)
{
	const struct legs_config *c = &l->config;

	l->kept = false;
	http1_eof(l->parser);
	if (legs_cut(l)) {
		legs_finish(l);
		return;
	}
	if (l->status && l->status != 407 && !l->error)
		l->whole = true; /* cut or not, it was an answer */
	else if (l->n > 1 || l->status == 407)
		l->error = legs_next(l);
	else
		legs_say(l, ERROR_PROXY, "the proxy %s closed the connection instead of answering %s", c->proxy, c->what);
	legs_finish(l);
}

static void on_readable(void *ctx)
{
	struct legs *l = ctx;
	uint8_t buf[4096];
	ssize_t n = stream_read(l->config.stream, buf, sizeof buf);

	if (n == ERROR_AGAIN)
		return;
	if (n > 0)
		legs_answer(l, buf, (size_t)n);
	else
		legs_eof(l);
}

static void on_writable(void *ctx)
{
	struct legs *l = ctx;
	ssize_t n = stream_write(l->config.stream, l->request + l->written, l->size - l->written);

	if (n == ERROR_AGAIN)
		return;
	/* An error shows when the answer is read; one may have come before it. */
	l->written = n > 0 ? l->written + (size_t)n : l->size;
	if (l->written == l->size) {
		forget_request(l);
		stream_want(l->config.stream, true, false);
	}
}

static void on_failed(void *ctx, int error)
{
	struct legs *l = ctx;

	if (!legs_cut(l))
		legs_say(l, error, "the connection to the proxy %s failed: %s", l->config.proxy, error_text(error));
	legs_finish(l);
}

static const struct stream_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.failed = on_failed,
};

struct legs *legs_new(const struct legs_config *config)
{
	struct legs *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	l->config = *config;
	l->parser = http1_new(HTTP1_RESPONSES, &http, l);
	http1_next(l->parser, false, is_connect(l));
	later_init(&l->later, legs_finish, l);
	stream_attach(config->stream, &events, l);
	stream_want(config->stream, false, false);
	if (legs_ask(l) < 0)
		loop_later(config->loop, &l->later);
	return l;
}
