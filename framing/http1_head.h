/*
 * Syntax and meaning of HTTP/1.x heads: what http1.c and http1_head.c share.
 * Nobody else includes it.
 */
#ifndef FRAMING_HTTP1_HEAD_H
#define FRAMING_HTTP1_HEAD_H

#include "framing/http1.h"

/* Checks of one line without its CRLF. A field line that begins with white space is
 * obsolete folding: it has no name and is not accepted. */
bool http1_head_request_line(const uint8_t *p, size_t n, struct span *verb);
bool http1_head_status_line(const uint8_t *p, size_t n);
bool http1_head_field_line(const uint8_t *p, size_t n);

/* Without spaces and tabs at both ends. */
struct span http1_head_trim(struct span);
/* True when any header of that name has the token. */
bool http1_head_has(const struct http1_head *, const char *name, const char *token);
/* Sets length and chunked from the headers: 0 or ERROR_MALFORMED. */
int http1_head_framing(struct http1_head *);
/* Whether minor and the headers leave the connection open. */
bool http1_head_keep_alive(const struct http1_head *);

#endif
