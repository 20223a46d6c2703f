/*
 * CONNECT: one request, one answer, and for each refusal a sentence that says
 * what a person can do about it. Called by the dialler; calls the HTTP/1 codec.
 */
#include "client/proxy_connect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/base64.h"
#include "framing/error.h"
#include "framing/http1.h"

#define PROXY_CONNECT_SCHEMES 96	/* bytes of "Negotiate, NTLM, Basic" */

struct proxy_connect {
	struct loop *loop;
	struct stream *stream;
	struct proxy_connect_config config;
	struct http1 *parser;
	struct later later;	/* reports a request that cannot be made */
	uint8_t *request;	/* NULL once it was written */
	size_t size, written;
	int status;		/* of the answer; 0: not there yet */
	bool over;
	int error;
	char why[512];
	void (*done)(void *ctx, int error, const char *why);
	void *ctx;
};

static int __attribute__((format(printf, 3, 4))) proxy_say(struct proxy_connect *p, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof p->why, fmt, ap);
	va_end(ap);
	p->error = error;
	return error;
}

/* The request has a password in it. */
static void proxy_forget_request(struct proxy_connect *p)
{
	if (p->request)
		explicit_bzero(p->request, p->size);
	free(p->request);
	p->request = NULL;
}

void proxy_connect_free(struct proxy_connect *p)
{
	if (!p)
		return;
	if (!p->over)
		stream_want(p->stream, false, false);
	p->over = true;
	later_cancel(p->loop, &p->later);
	proxy_forget_request(p);
	http1_free(p->parser);
	p->parser = NULL;
	loop_free_later(p->loop, p);
}

static void proxy_finish(void *ctx)
{
	struct proxy_connect *p = ctx;

	p->over = true;
	stream_want(p->stream, false, false);
	p->done(p->ctx, p->error, p->why);
}

/* The answer. */

/* Appends the scheme of one challenge ("Basic realm=...") unless it is there. */
static void proxy_scheme(char *list, size_t size, struct span value)
{
	size_t n = 0, at = strlen(list);
	char name[24];

	while (n < value.n && n + 1 < sizeof name && value.p[n] > ' ' && value.p[n] < 0x7f && value.p[n] != ',')
		n++;
	snprintf(name, sizeof name, "%.*s", (int)n, (const char *)value.p);
	if (n && !strstr(list, name))
		snprintf(list + at, size - at, "%s%s", at ? ", " : "", name);
}

static int proxy_wants_credentials(struct proxy_connect *p, const struct http1_head *head)
{
	char offers[PROXY_CONNECT_SCHEMES] = "";

	for (size_t i = 0; i < head->count; i++)
		if (http1_is(head->header[i].name, "Proxy-Authenticate"))
			proxy_scheme(offers, sizeof offers, head->header[i].value);
	if (offers[0] && !strcasestr(offers, "basic"))
		return proxy_say(p, ERROR_PROXY_AUTH, "the proxy %s wants credentials of a kind that is not supported "
				 "(it offers: %s): ask its administrator for Basic, or for a rule without credentials",
				 p->config.proxy, offers);
	if (p->config.user)
		return proxy_say(p, ERROR_PROXY_AUTH, "the proxy %s rejected the user name or password (user '%s')",
				 p->config.proxy, p->config.user);
	return proxy_say(p, ERROR_PROXY_AUTH, "the proxy %s wants credentials (it offers: %s): put them into "
			 "--proxy http://USER@%s and --proxy-password-file", p->config.proxy,
			 offers[0] ? offers : "nothing", p->config.proxy);
}

static bool proxy_other_port(const char *server)
{
	return strcmp(strrchr(server, ':'), ":443") != 0;
}

static int proxy_refused(struct proxy_connect *p, const struct http1_head *head)
{
	const char *proxy = p->config.proxy, *server = p->config.server, *reason = http1_reason(head->status);

	switch (head->status) {
	case 407:
		return proxy_wants_credentials(p, head);
	case 403:
	case 405:
		return proxy_say(p, ERROR_PROXY, "the proxy %s does not allow CONNECT to %s (%d %s); ask its "
				 "administrator to allow it%s", proxy, server, head->status, reason,
				 proxy_other_port(server) ? ", or let the server listen on port 443" : "");
	case 503:
		return proxy_say(p, ERROR_PROXY, "the proxy %s does not serve CONNECT to %s now (503 %s): it may allow no "
				 "more connections, or the server does not run", proxy, server, reason);
	case 500:
	case 502:
	case 504:
		return proxy_say(p, ERROR_PROXY, "the proxy %s could not reach %s (%d %s): is the server's name right, "
				 "and does it run?", proxy, server, head->status, reason);
	case 301:
	case 302:
	case 303:
	case 307:
	case 511:
		return proxy_say(p, ERROR_PROXY, "the proxy %s answered CONNECT to %s with a redirection (%d): a login page "
				 "may be in between; open any page in a browser first", proxy, server, head->status);
	default:
		return proxy_say(p, ERROR_PROXY, "the proxy %s refused CONNECT to %s (%d %s)", proxy, server,
				 head->status, reason);
	}
}

static int proxy_head(void *ctx, const struct http1_head *head)
{
	struct proxy_connect *p = ctx;

	p->status = head->status;
	return head->status / 100 == 2 ? 0 : proxy_refused(p, head);
}

static int proxy_body(void *ctx, const uint8_t *data, size_t n)
{
	(void)ctx;
	(void)data;
	(void)n;
	return 0;
}

static int proxy_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct http1_events proxy_http = { proxy_head, proxy_body, proxy_end };

static void proxy_answer(struct proxy_connect *p, const uint8_t *data, size_t n)
{
	ssize_t used = http1_feed(p->parser, data, n);

	if (used == ERROR_MALFORMED)
		proxy_say(p, ERROR_PROXY, "%s does not speak HTTP: is this a proxy?", p->config.proxy);
	else if (used >= 0 && p->status && (size_t)used < n) /* we speak first in the tunnel */
		proxy_say(p, ERROR_PROXY, "the proxy %s sent bytes behind its answer to CONNECT: is this a proxy?",
			  p->config.proxy);
	if (p->status || p->error)
		proxy_finish(p);
}

static void proxy_readable(void *ctx)
{
	struct proxy_connect *p = ctx;
	uint8_t buf[4096];
	ssize_t n = stream_read(p->stream, buf, sizeof buf);

	if (n == ERROR_AGAIN)
		return;
	if (n > 0) {
		proxy_answer(p, buf, (size_t)n);
		return;
	}
	proxy_say(p, ERROR_PROXY, "the proxy %s closed the connection instead of answering CONNECT to %s",
		  p->config.proxy, p->config.server);
	proxy_finish(p);
}

static void proxy_writable(void *ctx)
{
	struct proxy_connect *p = ctx;
	ssize_t n = stream_write(p->stream, p->request + p->written, p->size - p->written);

	if (n == ERROR_AGAIN)
		return;
	/* An error shows when the answer is read; one may have come before it. */
	p->written = n > 0 ? p->written + (size_t)n : p->size;
	if (p->written == p->size) {
		proxy_forget_request(p);
		stream_want(p->stream, true, false);
	}
}

static void proxy_failed(void *ctx, int error)
{
	struct proxy_connect *p = ctx;

	proxy_say(p, error, "the connection to the proxy %s failed: %s", p->config.proxy, error_text(error));
	proxy_finish(p);
}

static const struct stream_events proxy_events = {
	.readable = proxy_readable,
	.writable = proxy_writable,
	.failed = proxy_failed,
};

/* The request. */

/* Credentials as a header line with its CRLF, or "". The caller frees it. */
static char *proxy_authorization(const struct proxy_connect_config *c)
{
	static const char head[] = "Proxy-Authorization: Basic ";
	const char *password = c->password ? c->password : "";
	size_t n = c->user ? strlen(c->user) + 1 + strlen(password) : 0;
	char *pair = calloc(1, n + 1), *line = calloc(1, sizeof head + base64_len(n, false) + 2);

	if (!pair || !line)
		abort();
	if (c->user) {
		snprintf(pair, n + 1, "%s:%s", c->user, password);
		memcpy(line, head, sizeof head - 1);
		base64_encode(line + sizeof head - 1, (const uint8_t *)pair, n, false);
		strcat(line, "\r\n");
	}
	explicit_bzero(pair, n);
	free(pair);
	return line;
}

/* Nothing in a name may end a line of the head. */
static bool proxy_name_ok(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static void proxy_write_request(struct proxy_connect *p)
{
	static const char agent[] = "User-Agent: culvert/" CULVERT_VERSION "\r\n";
	const char *server = p->config.server;
	char *authorization = proxy_authorization(&p->config), *lines;
	size_t n = strlen(authorization), cap = sizeof agent + n;
	ssize_t size;

	lines = malloc(cap);
	p->size = 2 * strlen(server) + cap + 64;
	p->request = malloc(p->size);
	if (!lines || !p->request)
		abort();
	snprintf(lines, cap, "%s%s", agent, authorization);
	size = http1_request_put(p->request, p->size, "CONNECT", server, server, lines, HTTP1_NO_BODY, 0);
	explicit_bzero(lines, cap);
	explicit_bzero(authorization, n);
	free(lines);
	free(authorization);
	if (size < 0 || !proxy_name_ok(server)) {
		proxy_say(p, ERROR_CONFIG, "'%s' cannot be the name of a server", server);
		loop_later(p->loop, &p->later);
		return;
	}
	p->size = (size_t)size;
	stream_want(p->stream, true, true);
}

struct proxy_connect *proxy_connect_new(struct loop *loop, struct stream *stream,
					const struct proxy_connect_config *config,
					void (*done)(void *ctx, int error, const char *why), void *ctx)
{
	struct proxy_connect *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->loop = loop;
	p->stream = stream;
	p->config = *config;
	p->done = done;
	p->ctx = ctx;
	p->parser = http1_new(HTTP1_RESPONSES, &proxy_http, p);
	http1_next(p->parser, false, true);
	later_init(&p->later, proxy_finish, p);
	stream_attach(stream, &proxy_events, p);
	proxy_write_request(p);
	return p;
}
