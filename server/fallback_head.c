/*
 * Heads that pass through. Called by the fallback; calls the writer. Names are compared as applications behind CGI see them, to
 * which X_Forwarded_For and X-Forwarded-For are the same.
 */
#include "server/fallback_head.h"

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

#define ADDED 2048		/* bytes besides what came: names of the lines that we make, the peer's address */

/* ---- which lines go on ---- */

/* Of one connection, or made anew. */
static const char *const hop[] = {
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
	"TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Content-Length", NULL,
};

/* Claims of who asks, and what we answer ourselves. "Proxy" would be HTTP_PROXY to a CGI program. */
static const char *const claims[] = {
	"Host", "Expect", "Proxy", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
	"X-Forwarded-By", "X-Real-IP", NULL,
};

static char folded(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + 32);
	return c == '_' ? '-' : (char)c;
}

static bool is_name(struct span s, const char *name)
{
	size_t i = 0;

	while (i < s.n && name[i] && folded(s.p[i]) == folded((uint8_t)name[i]))
		i++;
	return i == s.n && !name[i];
}

static bool is_among(struct span name, const char *const *list)
{
	for (; *list; list++)
		if (is_name(name, *list))
			return true;
	return false;
}

/* Named by Connection. */
static bool is_named(const struct http1_head *head, struct span name)
{
	char text[64];

	if (name.n >= sizeof text)
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	for (size_t i = 0; i < head->count; i++)
		if (http1_is(head->header[i].name, "Connection") && http1_has_token(head->header[i].value, text))
			return true;
	return false;
}

/* What nobody may take away by naming it: it decides what the request means, or who may make it. */
static bool is_end_to_end(struct span name)
{
	static const char *const always[] = { "Cookie", "Authorization", "Content-Type", "Content-Encoding", "Range", "Date",
					      "Set-Cookie", "Cache-Control", "Location", NULL };

	return is_among(name, always);
}

/* A helper's credential that was not right here is nobody else's business. */
static bool is_credential(const struct http1_header *h)
{
	return is_name(h->name, "Authorization") && h->value.n > 7 && http1_is((struct span){ h->value.p, 8 }, "Culvert ");
}

static bool stays_behind(const struct http1_head *head, struct span name)
{
	return is_among(name, hop) || (is_named(head, name) && !is_end_to_end(name));
}

/* ---- writing ---- */

static void put(struct writer *w, const char *text)
{
	writer_bytes(w, text, strlen(text));
}

static struct span span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static void put_span(struct writer *w, struct span s)
{
	if (s.n)
		writer_bytes(w, s.p, s.n);
}

static void put_line(struct writer *w, struct span name, struct span value)
{
	put_span(w, name);
	put(w, ": ");
	put_span(w, value);
	put(w, "\r\n");
}

/* A text of its own in the memory of the head. */
static char *put_text(struct writer *w, struct span s)
{
	char *at = (char *)w->p;

	put_span(w, s);
	writer_u8(w, 0);
	return at;
}

/* ---- the request line ---- */

struct line {
	struct span target, host;
};

static bool is_scheme(struct span target, const char *scheme)
{
	return target.n >= strlen(scheme) && http1_is((struct span){ target.p, strlen(scheme) }, scheme);
}

/* Of "http://host/path" the parts; other forms as they are (RFC 9112 section 3.2). */
static bool split_target(struct line *l, struct span target, bool options)
{
	size_t scheme = is_scheme(target, "https://") ? 8 : is_scheme(target, "http://") ? 7 : 0, n = 0;

	if (!scheme) {
		l->target = target;
		return target.n > 0 && (*target.p == '/' || (options && target.n == 1 && *target.p == '*'));
	}
	target.p += scheme;
	target.n -= scheme;
	while (n < target.n && target.p[n] != '/' && target.p[n] != '?')
		n++;
	l->host = (struct span){ target.p, n };
	l->target = (struct span){ target.p + n, target.n - n };
	if (target.n == n)
		l->target = span_of("/");
	return n > 0 && *l->target.p == '/';
}

/* uri-host [ ":" port ], and nothing that means something where it is put. */
static bool host_ok(struct span host)
{
	for (size_t i = 0; i < host.n; i++) {
		uint8_t c = host.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~%!$&'()*+;=:[]", c))))
			return false;
	}
	return host.n <= 512;
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c))))
			return false;
	}
	return s.n > 0;
}

/* Nothing that would end a line or a part of it, whoever has checked before. */
static bool texts_ok(const struct http1_head *head)
{
	if (!is_token(head->method))
		return false;
	for (size_t i = 0; i < head->target.n; i++)
		if (head->target.p[i] <= ' ' || head->target.p[i] >= 0x7f)
			return false;
	for (size_t i = 0; i < head->count; i++) {
		struct span value = head->header[i].value;

		if (!is_token(head->header[i].name))
			return false;
		for (size_t k = 0; k < value.n; k++)
			if ((value.p[k] < ' ' && value.p[k] != '\t') || value.p[k] == 0x7f)
				return false;
	}
	return true;
}

/* Exactly one Host, but for HTTP/1.0. */
static bool find_host(struct line *l, const struct http1_head *head)
{
	struct span host = { NULL, 0 };
	size_t count = 0;

	for (size_t i = 0; i < head->count; i++)
		if (http1_is(head->header[i].name, "Host")) {
			host = head->header[i].value;
			count++;
		}
	if (count > 1 || (count == 0 && head->minor > 0 && !l->host.n) || !host_ok(host) || !host_ok(l->host))
		return false;
	if (!l->host.n)
		l->host = host;
	return true;
}

static bool is_repeatable(struct span method)
{
	static const char *const idempotent[] = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE" };

	for (size_t i = 0; i < sizeof idempotent / sizeof *idempotent; i++)
		if (method.n == strlen(idempotent[i]) && !memcmp(method.p, idempotent[i], method.n))
			return true;
	return false;
}

/* ---- who asks ---- */

struct address_text {
	struct span text;	/* without port and brackets */
	bool six;
};

/* Of an IPv4 or IPv6 address; others are "unknown". */
static struct address_text address_of(const char *peer)
{
	struct address_text a = { .text = span_of(peer), .six = true };
	const char *colon = strchr(peer, ':');

	if (*peer == '[' && strchr(peer, ']'))
		a.text = (struct span){ (const uint8_t *)peer + 1, (size_t)(strchr(peer, ']') - peer) - 1 };
	else if (strspn(peer, "0123456789abcdefABCDEF:.") != strlen(peer) || !strpbrk(peer, ":."))
		a = (struct address_text){ .text = span_of("unknown") };
	else if (!colon || !strchr(colon + 1, ':'))
		a = (struct address_text){ .text = { (const uint8_t *)peer, colon ? (size_t)(colon - peer) : strlen(peer) } };
	return a;
}

/* What a believed proxy says of the connection to it, if it makes sense. */
static struct span believed(const struct http1_head *head, const struct fallback_visitor *v, const char *name)
{
	return v->trusted ? http1_find(head, name) : (struct span){ NULL, 0 };
}

static void put_visitor(struct writer *w, const struct http1_head *head, const struct fallback_visitor *v, struct span host)
{
	struct span proto = believed(head, v, "X-Forwarded-Proto"), other = believed(head, v, "X-Forwarded-Host");
	struct address_text address = address_of(v->peer);

	if (!http1_is(proto, "https") && !http1_is(proto, "http"))
		proto = span_of(v->tls ? "https" : "http");
	if (other.n && host_ok(other))
		host = other;
	put_line(w, span_of("X-Forwarded-For"), address.text);
	put_line(w, span_of("X-Forwarded-Proto"), proto);
	put_line(w, span_of("X-Forwarded-Host"), host);
	put(w, "Forwarded: for=");
	put(w, address.six ? "\"[" : "");
	put_span(w, address.text);
	put(w, address.six ? "]\"" : "");
	put(w, ";host=\"");
	put_span(w, host);
	put(w, "\";proto=");
	put_span(w, proto);
	put(w, head->h2 ? "\r\nVia: 2 culvert\r\n" : head->minor ? "\r\nVia: 1.1 culvert\r\n" : "\r\nVia: 1.0 culvert\r\n");
}

/* ---- the two heads ---- */

/* Bytes that the request's texts have at most. */
static size_t room_for(const struct http1_head *head, size_t host, size_t peer)
{
	size_t n = ADDED + head->method.n + head->target.n + 4 * host + 2 * peer;

	for (size_t i = 0; i < head->count; i++)
		n += head->header[i].name.n + head->header[i].value.n + 4;
	return n;
}

static void write_request(struct writer *w, struct fallback_head *out, const struct http1_head *head, const struct line *l,
			  const struct fallback_visitor *v)
{
	out->method = put_text(w, out->websocket ? span_of("GET") : head->method);
	out->target = put_text(w, l->target);
	out->host = put_text(w, l->host);
	out->lines = (char *)w->p;
	for (size_t i = 0; i < head->count; i++)
		if (!stays_behind(head, head->header[i].name) && !is_among(head->header[i].name, claims) &&
		    !is_credential(&head->header[i]))
			put_line(w, head->header[i].name, head->header[i].value);
	if (out->websocket && head->h2)
		put_line(w, span_of("Sec-WebSocket-Key"), span_of(v->key));
	put_visitor(w, head, v, l->host);
	writer_u8(w, 0);
}

int fallback_head_request(struct fallback_head *out, const struct http1_head *head, const struct fallback_visitor *v, const char *site)
{
	struct line l = { { NULL, 0 }, { NULL, 0 } };
	struct writer w;
	size_t size;

	memset(out, 0, sizeof *out);
	out->websocket = http1_is(head->protocol, "websocket");
	if (http1_is(head->method, "CONNECT") && !out->websocket)
		return 405;
	if (!texts_ok(head) || !split_target(&l, head->target, http1_is(head->method, "OPTIONS")) || !find_host(&l, head) ||
	    (head->h2 && l.target.p != head->target.p))
		return 400;
	if (!l.host.n)
		l.host = span_of(site);
	size = room_for(head, l.host.n, strlen(v->peer));
	out->method = malloc(size);
	if (!out->method)
		abort();
	writer_init(&w, (uint8_t *)out->method, size);
	write_request(&w, out, head, &l, v);
	out->repeatable = is_repeatable(head->method);
	out->expects = head->minor > 0 && !head->h2 && http1_has_token(http1_find(head, "Expect"), "100-continue");
	if (!w.full)
		return 0;
	fallback_head_drop(out);
	return 400;
}

void fallback_head_drop(struct fallback_head *h)
{
	free(h->method);
	memset(h, 0, sizeof *h);
}

ssize_t fallback_head_answer(char *out, const struct http1_head *head, bool h2)
{
	struct writer w;

	writer_init(&w, (uint8_t *)out, FALLBACK_HEAD_LINES);
	for (size_t i = 0; i < head->count; i++)
		if (!stays_behind(head, head->header[i].name) && !(h2 && is_name(head->header[i].name, "Sec-WebSocket-Accept")))
			put_line(&w, head->header[i].name, head->header[i].value);
	writer_u8(&w, 0);
	return w.full ? ERROR_LIMIT : (ssize_t)writer_len(&w) - 1;
}
