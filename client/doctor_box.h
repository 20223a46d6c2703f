/*
 * Boxes: what stands on the path, by what it says of itself: Via, Server,
 * Proxy-Agent, Proxy-Status (RFC 9209), error pages, and the issuer of the
 * certificate. Names a culprit to a person; no rung is chosen by it.
 */
#ifndef CLIENT_DOCTOR_BOX_H
#define CLIENT_DOCTOR_BOX_H

#include <stdbool.h>
#include <stddef.h>

#include "framing/http1.h"

#define BOX_TEXT 160
#define BOX_ADVICE 480

/* Beginnings of what was seen, printable; "": nothing. */
struct box_evidence {
	char via[BOX_TEXT], server[BOX_TEXT], agent[BOX_TEXT], status[BOX_TEXT], cache[BOX_TEXT], error[BOX_TEXT];
	char issuer[BOX_TEXT];	/* common name and organisation */
	char page[2 * BOX_TEXT];
	bool lower;		/* names of headers that culvertd writes otherwise are in lower case */
};

/* What an administrator is asked to change. */
enum obstacle {
	OBSTACLE_NONE,
	OBSTACLE_DNS, OBSTACLE_REACH, OBSTACLE_CONNECT, OBSTACLE_PORT, OBSTACLE_AUTH, OBSTACLE_TRUST, OBSTACLE_INTERCEPTED,
	OBSTACLE_ANSWER, OBSTACLE_UPGRADE, OBSTACLE_UP_HELD, OBSTACLE_UP_CHUNKED, OBSTACLE_DOWN_HELD, OBSTACLE_DUPLEX,
	OBSTACLE_HOLD, OBSTACLE_IDLE, OBSTACLE_AGE, OBSTACLE_BODY, OBSTACLE_CLOSE, OBSTACLE_VERSION, OBSTACLE_DAMAGED, OBSTACLE_CACHE,
	OBSTACLE_REPEAT, OBSTACLE_CONNECTIONS,
	OBSTACLES
};

/* Text from outside into a field: printable, cut, only where nothing was yet. */
void box_note(char *field, size_t size, const void *text, size_t n);
/* The headers of an answer that was not made by culvertd. */
void box_note_head(struct box_evidence *, const struct http1_head *);

/* "Squid", "nginx" ...: the product, or NULL when it is not known. */
const char *box_product(const struct box_evidence *);
/* Squid (proxy.corp), 'gw7' ...: false and "" when there is no evidence. */
bool box_name(const struct box_evidence *, char out[BOX_TEXT]);
/* What would be changed for that; product NULL: not known. host: of the server. "" for OBSTACLE_NONE. */
void box_advice(enum obstacle, const char *product, const char *host, char out[BOX_ADVICE]);

#endif
