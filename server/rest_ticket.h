/*
 * Tickets: what a page's EventSource has instead of an Authorization header (REST.md 5), which it cannot send. One is good for GET of one session,
 * from the origin that asked for it, for a minute. Nothing is kept of it: it is signed with a key of this process. Pure.
 */
#ifndef SERVER_REST_TICKET_H
#define SERVER_REST_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/cursor.h"
#include "tunnel/credential.h"
#include "tunnel/mac.h"

#define REST_TICKET_SECONDS 60
#define REST_TICKET_TEXT 160	/* bytes of one with its NUL */

/* What a ticket is for. */
struct rest_ticket {
	const char *sid, *service;
	struct span origin;	/* n = 0: whoever has no Origin */
};

/* Who asked for it. */
struct rest_ticket_holder {
	char identity[CREDENTIAL_NAME_MAX + 1];
	int64_t until_s;	/* Unix seconds when his credential ends; 0: never */
};

/* until_us: by the loop's clock. */
void rest_ticket_write(char out[REST_TICKET_TEXT], const struct mac_key *, const struct rest_ticket *, const struct rest_ticket_holder *,
		       int64_t until_us);
/* False: it is none for that, or not any more. */
bool rest_ticket_read(struct rest_ticket_holder *, const struct mac_key *, const struct rest_ticket *, struct span text, int64_t now_us);

#endif
