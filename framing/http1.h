/*
 * HTTP/1.x codec: a strict incremental parser (http-parser, which no other file
 * sees) and the formatting of heads and chunks. Pure: no I/O, no clock, and no
 * allocation beyond the parser object itself.
 *
 * Strictness (RFC 9112): no pipelined bytes are parsed behind a complete
 * message unless http1_next is called; both Content-Length and
 * Transfer-Encoding, two different Content-Lengths, a transfer coding other
 * than chunked, obsolete line folding, a bare CR or a NUL in a head, a head
 * longer than HTTP1_HEAD_MAX and more than HTTP1_HEADERS_MAX headers are
 * malformed.
 */
#ifndef FRAMING_HTTP1_H
#define FRAMING_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/cursor.h"

#define HTTP1_HEAD_MAX 16384	/* bytes of a head accepted */
#define HTTP1_HEADERS_MAX 64

struct http1_header {
	struct span name, value;	/* value without surrounding white space */
};

/* What a head says. Spans point into the parser and hold until http1_next. */
struct http1_head {
	bool request;
	int minor;			/* of HTTP/1.minor: 0 or 1 */
	int status;			/* responses */
	struct span method, target;	/* requests */
	int64_t length;			/* Content-Length, -1: none */
	bool chunked;
	bool keep_alive;		/* the connection may be used again after the message */
	bool upgrade;			/* 101, or Upgrade asked */
	bool h2;			/* came over HTTP/2: :authority is in a Host header, :scheme nowhere */
	struct span protocol;		/* requests: the other protocol asked for, by Upgrade (of a GET without body) or by extended CONNECT (RFC 8441) */
	size_t count;
	struct http1_header header[HTTP1_HEADERS_MAX];
};

/* The value of the first header of that name (any case); n = 0 and p = NULL: none. */
struct span http1_find(const struct http1_head *, const char *name);
/* Case-insensitive comparison of a span with a string. */
bool http1_is(struct span, const char *);
/* True when a comma-separated header value contains the token (any case). */
bool http1_has_token(struct span value, const char *token);

enum http1_role { HTTP1_REQUESTS, HTTP1_RESPONSES };

/* Each callback returns 0, or a negative code that ends the parsing. */
struct http1_events {
	int (*head)(void *ctx, const struct http1_head *);
	int (*body)(void *ctx, const uint8_t *p, size_t n); /* chunk framing removed */
	int (*end)(void *ctx);	/* the message is complete */
};

struct http1;

struct http1 *http1_new(enum http1_role, const struct http1_events *, void *ctx);
void http1_free(struct http1 *);
/* Parses up to n bytes: bytes consumed (less than n only behind the end of a
 * message, or behind a 101 or 2xx to CONNECT), ERROR_MALFORMED, or what a
 * callback returned. Interim responses (1xx but 101) are skipped silently. */
ssize_t http1_feed(struct http1 *, const uint8_t *p, size_t n);
/* Gets ready for the next message on the connection. A response parser must be
 * told whether the request was HEAD or CONNECT. */
void http1_next(struct http1 *, bool head_request, bool connect_request);
/* The stream ended: 0 when that ends a message in order (until-close body, or
 * between messages), ERROR_RESET when it cuts one. May call end. */
int http1_eof(struct http1 *);
/* True from the first byte of a message up to its end. */
bool http1_busy(const struct http1 *);

/* Formatting. */
#define HTTP1_CHUNK_HEAD 6	/* "XXXX\r\n": always four digits, so that it can be filled in */
#define HTTP1_CHUNK_MAX 65535
/* Writes the six bytes of a chunk header for n <= HTTP1_CHUNK_MAX data bytes. */
void http1_chunk_head(uint8_t *p, size_t n);

enum http1_framing { HTTP1_NO_BODY, HTTP1_LENGTH, HTTP1_CHUNKED, HTTP1_UNTIL_CLOSE };

/* "METHOD target HTTP/1.1", Host, the given header lines (each with its CRLF; may
 * be ""), the framing header and the empty line. Returns bytes, or ERROR_LIMIT. */
ssize_t http1_request_put(uint8_t *p, size_t cap, const char *method, const char *target, const char *host,
			  const char *lines, enum http1_framing, uint64_t length);
/* "HTTP/1.1 status reason", the lines, framing, Connection: close unless
 * keep_alive, empty line. */
ssize_t http1_response_put(uint8_t *p, size_t cap, int status, const char *lines, enum http1_framing,
			   uint64_t length, bool keep_alive);
const char *http1_reason(int status);

#endif
