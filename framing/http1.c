/*
 * HTTP/1.x parser. Called by the connections of both sides; calls http-parser
 * for start lines and header fields, http1_head, and the three events.
 *
 * A head is first gathered and checked line by line against RFC 9112, then given
 * to http-parser in one piece, so that all spans point into the gathered head.
 * Framing is decided and bodies are taken apart here: http-parser as distributed
 * is built without its strict checks, takes any two bytes for the CRLF behind a
 * chunk, line feeds in chunk extensions, folded lines and "Name : value".
 */
#include "framing/http1.h"

#include <http_parser.h>
#include <stdlib.h>

#include "framing/error.h"
#include "framing/http1_head.h"

#define CHUNK_DIGITS_MAX 15
#define CHUNK_LINE_MAX 1024	/* bytes of a chunk header with its extensions */
#define HEAD_USUAL 1024	/* bytes of a head; doubled up to HTTP1_HEAD_MAX */

enum state {
	HEAD,		/* -> LENGTH, UNTIL_CLOSE, CHUNK_SIZE, DONE; itself after an interim response */
	LENGTH,		/* -> DONE */
	UNTIL_CLOSE,	/* -> DONE */
	CHUNK_SIZE,	/* -> CHUNK_PAD, CHUNK_EXT, CHUNK_LF */
	CHUNK_PAD,	/* spaces behind a size; -> CHUNK_EXT, CHUNK_LF */
	CHUNK_EXT,	/* -> CHUNK_LF */
	CHUNK_LF,	/* -> CHUNK_DATA, TRAILER */
	CHUNK_DATA,	/* -> DATA_CR */
	DATA_CR,	/* -> DATA_LF */
	DATA_LF,	/* -> CHUNK_SIZE */
	TRAILER,	/* -> TRAILER_LF */
	TRAILER_LF,	/* -> TRAILER, DONE */
	DONE,		/* -> HEAD by http1_next */
	FAILED,		/* -> HEAD by http1_next */
};

struct http1 {
	enum http1_role role;
	const struct http1_events *events;
	void *ctx;
	enum state state;
	int error;		/* in FAILED */
	bool head_request, connect_request; /* what a response answers */
	bool begun;		/* a byte of the message was seen */
	bool blank;		/* an empty line before the request was skipped */
	uint64_t left;		/* bytes of the body or chunk still to come */
	size_t digits;		/* of the chunk size */
	size_t line;		/* HEAD: start of the line; CHUNK, TRAILER: bytes in it */
	size_t trailer;		/* bytes of all trailers */
	http_parser parser;
	struct http1_head head;
	size_t len, cap;
	uint8_t *buf;		/* the head; grows as heads do */
};

struct http1 *http1_new(enum http1_role role, const struct http1_events *events, void *ctx)
{
	struct http1 *h = calloc(1, sizeof *h);

	if (!h)
		abort();
	h->role = role;
	h->events = events;
	h->ctx = ctx;
	http1_next(h, false, false);
	return h;
}

void http1_free(struct http1 *h)
{
	if (h)
		free(h->buf);
	free(h);
}

static void head_start(struct http1 *h)
{
	h->state = HEAD;
	h->len = h->line = 0;
}

void http1_next(struct http1 *h, bool head_request, bool connect_request)
{
	head_start(h);
	h->begun = h->blank = false;
	h->head_request = head_request;
	h->connect_request = connect_request;
}

bool http1_busy(const struct http1 *h)
{
	return h->begun && h->state != DONE && h->state != FAILED;
}

static int on_url(http_parser *parser, const char *p, size_t n)
{
	struct http1 *h = parser->data;

	h->head.target = (struct span){ (const uint8_t *)p, n };
	return 0;
}

static int on_field(http_parser *parser, const char *p, size_t n)
{
	struct http1_head *head = &((struct http1 *)parser->data)->head;

	if (head->count == HTTP1_HEADERS_MAX)
		return 1;
	head->header[head->count].name = (struct span){ (const uint8_t *)p, n };
	head->header[head->count++].value = (struct span){ (const uint8_t *)p + n, 0 };
	return 0;
}

static int on_value(http_parser *parser, const char *p, size_t n)
{
	struct http1_head *head = &((struct http1 *)parser->data)->head;

	head->header[head->count - 1].value = http1_head_trim((struct span){ (const uint8_t *)p, n });
	return 0;
}

/* "No body": what follows the head is not http-parser's. */
static int on_headers_complete(http_parser *parser)
{
	(void)parser;
	return 1;
}

static const http_parser_settings settings = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
};

/* Fills the head in from the gathered bytes. */
static int head_parse(struct http1 *h)
{
	struct http1_head *head = &h->head;
	size_t used;

	head->request = h->role == HTTP1_REQUESTS;
	head->count = 0;
	head->target = (struct span){ NULL, 0 };
	h->parser.data = h;
	http_parser_init(&h->parser, head->request ? HTTP_REQUEST : HTTP_RESPONSE);
	used = http_parser_execute(&h->parser, &settings, (const char *)h->buf, h->len);
	if (HTTP_PARSER_ERRNO(&h->parser) != HPE_OK || used != h->len)
		return ERROR_MALFORMED;
	head->minor = h->parser.http_minor;
	head->status = head->request ? 0 : h->parser.status_code;
	return 0;
}

/* What follows the head (RFC 9112 section 6.3). */
static enum state state_behind_head(const struct http1 *h)
{
	const struct http1_head *head = &h->head;

	if (!head->request &&
	    (h->head_request || head->status == 101 || head->status == 204 || head->status == 304 ||
	     (h->connect_request && head->status / 100 == 2)))
		return DONE;
	if (head->chunked)
		return CHUNK_SIZE;
	if (head->length > 0)
		return LENGTH;
	return head->request || head->length == 0 ? DONE : UNTIL_CLOSE;
}

static int message_end(struct http1 *h)
{
	h->state = DONE;
	return h->events->end(h->ctx);
}

static void chunk_start(struct http1 *h)
{
	h->state = CHUNK_SIZE;
	h->left = 0;
	h->digits = h->line = 0;
}

/* Another protocol may be spoken behind this head. Nobody asks so in HTTP/1.0 (RFC 9110 7.8), nor with a body in front. */
static bool asks_for(const struct http1_head *head, enum state next)
{
	return head->request && head->upgrade && head->minor > 0 && next == DONE && http1_is(head->method, "GET");
}

static int head_done(struct http1 *h)
{
	struct http1_head *head = &h->head;
	enum state next;
	int rc;

	if (head_parse(h) != 0 || http1_head_framing(head) != 0)
		return ERROR_MALFORMED;
	if (!head->request && head->status / 100 == 1 && head->status != 101) {
		head_start(h);
		return 0;
	}
	/* CONNECT has no body; one that has is for somebody else's parser. */
	if (head->request && http1_is(head->method, "CONNECT") && (head->chunked || head->length > 0))
		return ERROR_MALFORMED;
	next = state_behind_head(h);
	head->keep_alive = next != UNTIL_CLOSE && http1_head_keep_alive(head);
	if (head->request)
		head->upgrade = http1_head_has(head, "Connection", "upgrade") && http1_find(head, "Upgrade").n > 0;
	else
		head->upgrade = head->status == 101;
	head->protocol = asks_for(head, next) ? http1_find(head, "Upgrade") : (struct span){ NULL, 0 };
	h->trailer = 0;
	chunk_start(h);
	h->state = next;
	if (next == LENGTH)
		h->left = (uint64_t)head->length;
	rc = h->events->head(h->ctx, head);
	if (rc == 0 && next == DONE)
		rc = message_end(h);
	return rc;
}

/* Checks the line that was just completed; the empty one ends the head. */
static int head_line(struct http1 *h)
{
	const uint8_t *p = h->buf + h->line;
	size_t n = h->len - h->line - 2;
	bool first = h->line == 0, ok;

	if (n == 0 && first) {
		/* An empty line may precede a request (RFC 9112 section 2.2). */
		if (h->role != HTTP1_REQUESTS || h->blank)
			return ERROR_MALFORMED;
		h->blank = true;
		h->begun = false;
		h->len = 0;
		return 0;
	}
	if (n == 0)
		return head_done(h);
	if (!first)
		ok = http1_head_field_line(p, n);
	else if (h->role == HTTP1_REQUESTS)
		ok = http1_head_request_line(p, n, &h->head.method);
	else
		ok = http1_head_status_line(p, n);
	h->line = h->len;
	return ok ? 0 : ERROR_MALFORMED;
}

/* The method is known already, and moves along. */
static void widen(struct http1 *h)
{
	size_t at = h->head.method.p ? (size_t)(h->head.method.p - h->buf) : 0;

	h->cap = h->cap ? 2 * h->cap : HEAD_USUAL;
	h->buf = realloc(h->buf, h->cap);
	if (!h->buf)
		abort();
	if (h->head.method.p)
		h->head.method.p = h->buf + at;
}

/* Gathers bytes of the head up to and including its end: bytes taken. */
static ssize_t take_head(struct http1 *h, const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && h->state == HEAD) {
		uint8_t c = p[i++], before = h->len ? h->buf[h->len - 1] : 0;
		int rc;

		if (h->len == HTTP1_HEAD_MAX || (before == '\r') != (c == '\n'))
			return ERROR_MALFORMED;
		if (c == 0x7f || (c < ' ' && c != '\t' && c != '\r' && c != '\n'))
			return ERROR_MALFORMED;
		h->begun = true;
		if (h->len == h->cap)
			widen(h);
		h->buf[h->len++] = c;
		rc = c == '\n' ? head_line(h) : 0;
		if (rc != 0)
			return rc;
	}
	return (ssize_t)i;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte of the line with the size: 0 or ERROR_MALFORMED. */
static int chunk_line(struct http1 *h, uint8_t c)
{
	int hex = hex_value(c);

	if (++h->line > CHUNK_LINE_MAX)
		return ERROR_MALFORMED;
	if (h->state == CHUNK_SIZE && hex >= 0) {
		h->left = h->left * 16 + (uint64_t)hex;
		return ++h->digits > CHUNK_DIGITS_MAX ? ERROR_MALFORMED : 0;
	}
	if (h->digits == 0)
		return ERROR_MALFORMED;
	if (c == '\r')
		h->state = CHUNK_LF;
	else if (h->state == CHUNK_EXT)
		return c == 0x7f || (c < ' ' && c != '\t') ? ERROR_MALFORMED : 0;
	else if (c == ';')
		h->state = CHUNK_EXT;
	else if (c == ' ' || c == '\t')
		h->state = CHUNK_PAD;
	else
		return ERROR_MALFORMED;
	return 0;
}

/* A byte of the trailers, which are read over. */
static int trailer_byte(struct http1 *h, uint8_t c)
{
	if (++h->trailer > HTTP1_HEAD_MAX || c == '\0' || c == '\n')
		return ERROR_MALFORMED;
	if (c == '\r')
		h->state = TRAILER_LF;
	else
		h->line++;
	return 0;
}

/* A byte of the framing between chunks. */
static int chunk_byte(struct http1 *h, uint8_t c)
{
	switch (h->state) {
	case CHUNK_SIZE:
	case CHUNK_PAD:
	case CHUNK_EXT:
		return chunk_line(h, c);
	case DATA_CR:
		h->state = DATA_LF;
		return c == '\r' ? 0 : ERROR_MALFORMED;
	case TRAILER:
		return trailer_byte(h, c);
	default:
		break;
	}
	if (c != '\n')
		return ERROR_MALFORMED;
	if (h->state == DATA_LF) {
		chunk_start(h);
	} else if (h->state == CHUNK_LF) {
		h->state = h->left ? CHUNK_DATA : TRAILER;
		h->line = 0;
	} else { /* TRAILER_LF */
		if (h->line == 0)
			return message_end(h);
		h->state = TRAILER;
		h->line = 0;
		h->trailer++;
	}
	return 0;
}

/* Bytes of a body or chunk whose length is known: bytes taken. */
static ssize_t take_counted(struct http1 *h, const uint8_t *p, size_t n)
{
	int rc;

	if (n > h->left)
		n = (size_t)h->left;
	h->left -= n;
	rc = h->events->body(h->ctx, p, n);
	if (rc == 0 && h->left == 0 && h->state == LENGTH)
		rc = message_end(h);
	else if (h->left == 0 && h->state == CHUNK_DATA)
		h->state = DATA_CR;
	return rc ? rc : (ssize_t)n;
}

static ssize_t take(struct http1 *h, const uint8_t *p, size_t n)
{
	int rc;

	switch (h->state) {
	case HEAD:
		return take_head(h, p, n);
	case LENGTH:
	case CHUNK_DATA:
		return take_counted(h, p, n);
	case UNTIL_CLOSE:
		rc = h->events->body(h->ctx, p, n);
		return rc ? rc : (ssize_t)n;
	default:
		rc = chunk_byte(h, *p);
		return rc ? rc : 1;
	}
}

ssize_t http1_feed(struct http1 *h, const uint8_t *p, size_t n)
{
	size_t used = 0;

	if (h->state == FAILED)
		return h->error;
	while (used < n && h->state != DONE) {
		ssize_t taken = take(h, p + used, n - used);

		if (taken < 0) {
			h->state = FAILED;
			h->error = (int)taken;
			return taken;
		}
		used += (size_t)taken;
	}
	return (ssize_t)used;
}

int http1_eof(struct http1 *h)
{
	if (h->state == FAILED)
		return h->error;
	if (h->state == UNTIL_CLOSE)
		return message_end(h);
	return http1_busy(h) ? ERROR_RESET : 0;
}
