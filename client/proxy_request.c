/* Called by ingress_http for each connection; calls the HTTP codec. */
#include "client/proxy_request.h"

#include <stdio.h>
#include <string.h>

#include "client/authority.h"
#include "framing/base64.h"
#include "framing/error.h"

size_t proxy_request_end(const uint8_t *p, size_t n)
{
	const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);

	return end ? (size_t)(end - p) + 4 : 0;
}

/* For what the parser calls with the head. */
struct reading {
	struct proxy_request *r;
	int status;
	const char *sentence;
};

static int no(struct reading *g, int status, const char *sentence)
{
	g->status = status;
	g->sentence = sentence;
	return ERROR_MALFORMED;
}

/* ---- the target ---- */

static int read_connect(struct reading *g, struct span target)
{
	const char *why = authority_parse((const char *)target.p, target.n, g->r->host, &g->r->port, 0);

	g->r->kind = PROXY_REQUEST_CONNECT;
	g->r->body = UINT64_MAX;
	return why ? no(g, 400, "CONNECT needs HOST:PORT") : 0;
}

/* Behind http://: host and port, the rest is the path. */
static int read_absolute(struct reading *g, struct span target, struct span *path)
{
	struct span host = target;
	const uint8_t *end = memchr(target.p, '/', target.n), *query = memchr(target.p, '?', target.n);

	if (query && (!end || query < end))
		end = query;
	if (end)
		host.n = (size_t)(end - target.p);
	*path = (struct span){ target.p + host.n, target.n - host.n };
	g->r->kind = PROXY_REQUEST_FORWARD;
	if (memchr(host.p, '@', host.n))
		return no(g, 400, "the URL may not have a user in it");
	return authority_parse((const char *)host.p, host.n, g->r->host, &g->r->port, 80) ? no(g, 400, "the URL needs a host") : 0;
}

static int read_ours(struct reading *g, struct span target)
{
	const uint8_t *query = memchr(target.p, '?', target.n);
	size_t n = query ? (size_t)(query - target.p) : target.n;

	g->r->kind = PROXY_REQUEST_OURS;
	if (n < sizeof g->r->path)
		snprintf(g->r->path, sizeof g->r->path, "%.*s", (int)n, (const char *)target.p);
	return 0;
}

static int read_target(struct reading *g, const struct http1_head *head, struct span *path)
{
	static const char scheme[] = "http://";
	struct span target = head->target;

	if (target.n == 0 || memchr(target.p, '\0', target.n))
		return no(g, 400, "the target of the request cannot be read");
	if (http1_is(head->method, "CONNECT"))
		return read_connect(g, target);
	if (*target.p == '/')
		return read_ours(g, target);
	if (target.n <= strlen(scheme) || strncasecmp((const char *)target.p, scheme, strlen(scheme)))
		return no(g, 400, "only http:// is forwarded: everything else needs CONNECT");
	target.p += strlen(scheme);
	target.n -= strlen(scheme);
	return read_absolute(g, target, path);
}

/* ---- the head that is asked on ---- */

/* Those between the program and us, and the ones that are set anew. */
static bool is_hops(const struct http1_head *head, struct span name)
{
	static const char *const names[] = { "Connection", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "Keep-Alive", "TE",
					     "Trailer", "Upgrade", "Host", "Via" };
	struct span connection = http1_find(head, "Connection");
	char token[64];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (http1_is(name, names[i]))
			return true;
	if (!connection.n || name.n >= sizeof token)
		return false;
	snprintf(token, sizeof token, "%.*s", (int)name.n, (const char *)name.p);
	return http1_has_token(connection, token);
}

static void put(struct writer *w, const char *text)
{
	writer_bytes(w, text, strlen(text));
}

static void put_field(struct writer *w, struct span name, struct span value)
{
	writer_bytes(w, name.p, name.n);
	put(w, ": ");
	writer_bytes(w, value.p, value.n);
	put(w, "\r\n");
}

static int write_head(struct reading *g, const struct http1_head *head, struct span path)
{
	struct proxy_request *r = g->r;
	char authority[264], via[300];
	struct span former = http1_find(head, "Via");
	struct writer w;

	authority_text(r->host, r->port, 80, authority, sizeof authority);
	writer_init(&w, r->head, sizeof r->head);
	writer_bytes(&w, head->method.p, head->method.n);
	put(&w, path.n && *path.p == '/' ? " " : " /");
	writer_bytes(&w, path.p, path.n);
	put(&w, head->minor ? " HTTP/1.1\r\nHost: " : " HTTP/1.0\r\nHost: ");
	put(&w, authority);
	put(&w, "\r\n");
	for (size_t i = 0; i < head->count; i++)
		if (!is_hops(head, head->header[i].name))
			put_field(&w, head->header[i].name, head->header[i].value);
	snprintf(via, sizeof via, "Via: %.*s%s1.%d culvert\r\nConnection: close\r\n\r\n", (int)(former.n < 200 ? former.n : 0), (const char *)former.p,
		 former.n && former.n < 200 ? ", " : "", head->minor);
	put(&w, via);
	if (w.full)
		return no(g, 431, "the head of the request is too long");
	r->head_len = writer_len(&w);
	r->body = head->chunked ? UINT64_MAX : head->length > 0 ? (uint64_t)head->length : 0;
	return 0;
}

/* ---- whole heads ---- */

static void read_login(struct proxy_request *r, struct span value)
{
	static const char scheme[] = "Basic ";
	size_t skip = strlen(scheme);
	ssize_t n;

	if (value.n <= skip || strncasecmp((const char *)value.p, scheme, skip))
		return;
	for (; skip < value.n && value.p[skip] == ' '; skip++)
		;
	n = base64_decode((uint8_t *)r->login, sizeof r->login - 1, (const char *)value.p + skip, value.n - skip, false);
	r->login[n > 0 && !memchr(r->login, '\0', (size_t)n) ? n : 0] = '\0';
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct reading *g = ctx;
	struct span path = { (const uint8_t *)"", 0 };

	g->r->head_only = http1_is(head->method, "HEAD");
	g->r->get = g->r->head_only || http1_is(head->method, "GET");
	read_login(g->r, http1_find(head, "Proxy-Authorization"));
	if (read_target(g, head, &path) < 0)
		return ERROR_MALFORMED;
	return g->r->kind == PROXY_REQUEST_FORWARD ? write_head(g, head, path) : 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static int on_end(void *ctx)
{
	(void)ctx;
	return 0;
}

int proxy_request_get(const uint8_t *p, size_t n, struct proxy_request *r, const char **sentence)
{
	static const struct http1_events events = { on_head, on_body, on_end };
	struct reading g = { .r = r, .status = 400, .sentence = "that is no HTTP request" };
	struct http1 *parser = http1_new(HTTP1_REQUESTS, &events, &g);
	ssize_t used;

	memset(r, 0, sizeof *r);
	used = http1_feed(parser, p, n);
	http1_free(parser);
	*sentence = g.sentence;
	return used < 0 ? g.status : 0;
}
