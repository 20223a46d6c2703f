/*
 * Cover: what everybody gets who is not an authenticated helper, the same for
 * every cause (PROTOCOL.md section 2.4): a 404, a page from a file, or a redirect.
 */
#ifndef SERVER_COVER_H
#define SERVER_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/exchange.h"

#define COVER_BODY_MAX 65536	/* bytes of a page */

struct cover;

/* spec: "404", "redirect:URL" or "file:PATH" (read now). NULL and a sentence in error. */
struct cover *cover_new(const char *spec, char *error, size_t size);
void cover_free(struct cover *);	/* NULL is fine */
/* Sends the whole answer; wall: Unix seconds for Date. with_body: not for HEAD. */
void cover_send(const struct cover *, struct exchange *, int64_t wall, bool with_body);
/* The same with a status and text of one's own: for /healthz. */
void cover_send_text(struct exchange *, int64_t wall, int status, const char *text, bool with_body);

#endif
