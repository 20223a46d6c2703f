/*
 * Heads of HTTP/2 (RFC 9113 8.2, 8.3), both ways: what comes is shown as a head of HTTP/1.1,
 * what goes is given as one. nghttp2 has checked names, values and pseudo-headers before.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/http1_head.h"
#include "tunnel/h2_internal.h"

#define SEEN_MAX (4 * HTTP1_HEAD_MAX) /* octets of a head after which nobody listens any more */
#define FIELD_COST 32		/* RFC 9113 6.5.2 */
#define FIELDS_OUT (HTTP1_HEADERS_MAX + 8) /* of an answer that is passed on, too */
#define TEXT_OUT (EXCHANGE_HEAD_MAX + 8192)

enum pseudo { METHOD, PATH, AUTHORITY, SCHEME, PROTOCOL, STATUS };
static const char *const pseudo_name[] = { ":method", ":path", ":authority", ":scheme", ":protocol", ":status" };

/* What belongs to a connection of HTTP/1.1 has no place here, 8.2.2; Host and lengths come from elsewhere. */
static bool is_dropped(struct span name)
{
	static const char *const names[] = { "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
					     "http2-settings", "host", "content-length", "te" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (http1_is(name, names[i]))
			return true;
	return false;
}

/* ---- what comes ---- */

void h2_head_begin(struct h2 *h, bool trailer)
{
	struct h2_incoming *in = h->incoming;

	if (!in)
		in = h->incoming = malloc(sizeof *in);
	if (!in)
		abort();
	in->trailer = trailer;
	in->huge = false;
	in->count = in->text_n = in->seen = 0;
	memset(in->pseudo, 0, sizeof in->pseudo);
}

/* Its text, kept; NULL where there is no room. */
static const uint8_t *keep(struct h2_incoming *in, struct span s)
{
	uint8_t *p = in->text + in->text_n;

	if (s.n > sizeof in->text - in->text_n) {
		in->huge = true;
		return NULL;
	}
	memcpy(p, s.p, s.n);
	in->text_n += s.n;
	return p;
}

/* The cookie that stands in a header already goes on with this one, 8.2.3. True: done. */
static bool join_cookie(struct h2_incoming *in, struct span name, struct span value)
{
	struct http1_header *f = in->field;
	const struct http1_header *end = in->field + in->count;
	const uint8_t *p;

	if (!http1_is(name, "cookie"))
		return false;
	while (f < end && !http1_is(f->name, "cookie"))
		f++;
	if (f == end)
		return false;
	/* One behind the other, as they mostly come, they grow where they are. */
	p = f->value.p + f->value.n == in->text + in->text_n ? f->value.p : keep(in, f->value);
	if (p && keep(in, (struct span){ (const uint8_t *)"; ", 2 }) && keep(in, value))
		f->value = (struct span){ p, f->value.n + 2 + value.n };
	return true;
}

static void add_pseudo(struct h2_incoming *in, struct span name, struct span value)
{
	for (size_t i = 0; i < sizeof pseudo_name / sizeof *pseudo_name; i++)
		if (name.n == strlen(pseudo_name[i]) && !memcmp(name.p, pseudo_name[i], name.n))
			in->pseudo[i] = (struct span){ keep(in, value), value.n };
}

bool h2_head_add(struct h2 *h, struct span name, struct span value)
{
	struct h2_incoming *in = h->incoming;
	struct http1_header *f;

	if (!in || (in->seen += name.n + value.n + FIELD_COST) > SEEN_MAX)
		return false;
	if (in->trailer || in->huge)
		return true;
	if (name.n > 0 && name.p[0] == ':')
		add_pseudo(in, name, value);
	else if (in->count == HTTP1_HEADERS_MAX - 1)	/* one is for Host */
		in->huge = true;
	else if (!join_cookie(in, name, value)) {
		f = &in->field[in->count++];
		f->name = (struct span){ keep(in, name), name.n };
		f->value = (struct span){ keep(in, value), value.n };
		if (!in->huge)
			f->value = http1_head_trim(f->value);
	}
	return true;
}

/* The place that a span has in the copy of the text. */
static struct span moved(const struct h2_incoming *in, struct span s, const uint8_t *text)
{
	return s.p ? (struct span){ text + (s.p - in->text), s.n } : s;
}

static void put_headers(const struct h2_incoming *in, struct http1_head *head, const uint8_t *text)
{
	static const uint8_t host[] = "host";
	struct span authority = moved(in, in->pseudo[AUTHORITY], text);

	if (authority.p && head->request)
		head->header[head->count++] = (struct http1_header){ { host, 4 }, authority };
	for (size_t i = 0; i < in->count; i++) {
		struct http1_header f = { moved(in, in->field[i].name, text), moved(in, in->field[i].value, text) };

		if (!(head->count && head->request && authority.p && http1_is(f.name, "host")))
			head->header[head->count++] = f;
	}
}

static int parse_status(struct span s)
{
	int status = 0;

	for (size_t i = 0; i < s.n && i < 3; i++)
		status = status * 10 + (s.p[i] - '0');
	return status;
}

struct http1_head *h2_head_take(struct h2 *h, bool request, bool ended)
{
	struct h2_incoming *in = h->incoming;
	struct http1_head *head;
	uint8_t *text;

	if (in->huge)
		return NULL;
	head = malloc(sizeof *head + in->text_n);
	if (!head)
		abort();
	text = (uint8_t *)(head + 1);
	memcpy(text, in->text, in->text_n);
	*head = (struct http1_head){ .request = request, .minor = 1, .keep_alive = true, .h2 = true };
	head->method = moved(in, in->pseudo[METHOD], text);
	head->target = moved(in, in->pseudo[in->pseudo[PATH].p ? PATH : AUTHORITY], text);
	head->protocol = moved(in, in->pseudo[PROTOCOL], text);
	head->upgrade = head->protocol.n > 0;
	head->status = parse_status(in->pseudo[STATUS]);
	put_headers(in, head, text);
	if (http1_head_framing(head) != 0 || (!request && head->status < 100)) {
		free(head);
		return NULL;
	}
	/* As with chunks: a body follows, of which nobody knows the length. */
	head->chunked = !ended && head->length < 0 && !head->upgrade;
	return head;
}

/* ---- what goes ---- */

/* The block and its text are one piece of memory. */
struct out {
	struct h2_block *b;
	uint8_t *text;
	size_t left;
	bool full;
};

static struct h2_block *out_init(struct out *o, size_t text)
{
	size_t fields = FIELDS_OUT * sizeof(nghttp2_nv);

	o->b = malloc(sizeof *o->b + fields + text);
	if (!o->b)
		abort();
	*o->b = (struct h2_block){ .cap = FIELDS_OUT, .field = (nghttp2_nv *)(void *)(o->b + 1) };
	o->text = (uint8_t *)o->b->field + fields;
	o->left = text;
	o->full = false;
	return o->b;
}

static uint8_t *put_text(struct out *o, const void *p, size_t n)
{
	uint8_t *at = o->text;

	if (n > o->left) {
		o->full = true;
		return at;
	}
	memcpy(at, p, n);
	o->text += n;
	o->left -= n;
	return at;
}

static void put_field(struct out *o, struct span name, struct span value)
{
	/* What is different each time would push other things out of the peer's table. */
	bool once = http1_is(name, "authorization") || http1_is(name, ":path");
	nghttp2_nv *f = &o->b->field[o->b->count];

	if (o->b->count == o->b->cap) {
		o->full = true;
		return;
	}
	f->name = put_text(o, name.p, name.n);
	f->namelen = name.n;
	f->value = put_text(o, value.p, value.n);
	f->valuelen = value.n;
	f->flags = once ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
	if (o->full)
		return;
	for (size_t i = 0; i < name.n; i++)
		f->name[i] = (uint8_t)tolower(f->name[i]);
	o->b->count++;
}

static struct span text_span(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void put(struct out *o, const char *name, const char *value)
{
	put_field(o, text_span(name), text_span(value));
}

/* "Name: value\r\n" ... */
static void put_lines(struct out *o, const char *lines)
{
	while (lines && *lines) {
		size_t n = strcspn(lines, "\r\n");
		const char *colon = memchr(lines, ':', n);

		if (colon) {
			struct span name = { (const uint8_t *)lines, (size_t)(colon - lines) };
			struct span value = { (const uint8_t *)colon + 1, n - name.n - 1 };

			if (!is_dropped(name))
				put_field(o, name, http1_head_trim(value));
		}
		lines += n;
		lines += strspn(lines, "\r\n");
	}
}

static void put_length(struct out *o, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, n);
	put(o, "content-length", text);
}

static struct h2_block *out_done(struct out *o)
{
	if (!o->full)
		return o->b;
	free(o->b);
	return NULL;
}

struct h2_block *h2_head_request(const struct h2 *h, const struct exchange_head *head, size_t body)
{
	bool connect = !strcmp(head->method, "CONNECT");
	bool empty = connect || !strcmp(head->method, "GET") || !strcmp(head->method, "HEAD");
	struct out o;

	out_init(&o, TEXT_OUT + strlen(head->target) + strlen(head->lines));
	put(&o, ":method", head->protocol ? "CONNECT" : head->method);
	if (head->protocol)
		put(&o, ":protocol", head->protocol);
	if (!connect || head->protocol) {
		put(&o, ":scheme", h->tls ? "https" : "http");
		put(&o, ":path", head->target);
	}
	put(&o, ":authority", connect && !head->protocol ? head->target : head->host);
	put_lines(&o, head->lines);
	if (head->priority)
		put(&o, "priority", head->priority);
	if (head->streamed ? head->length > 0 : body > 0 || !empty)
		put_length(&o, head->streamed ? head->length : body);
	return out_done(&o);
}

struct h2_block *h2_head_response(const struct exchange_head *head, size_t body)
{
	bool switched = head->status == 101;	/* RFC 8441: 200 says so here */
	char status[16];
	struct out o;

	out_init(&o, TEXT_OUT + strlen(head->lines));
	snprintf(status, sizeof status, "%d", switched ? 200 : head->status);
	put(&o, ":status", status);
	put_lines(&o, head->lines);
	if (!switched && head->status != 204 && head->status != 304 && (!head->streamed || head->length > 0))
		put_length(&o, head->streamed ? head->length : body);
	return out_done(&o);
}
