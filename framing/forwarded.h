/*
 * Forwarded (RFC 7239) and X-Forwarded-For: for whom proxies asked, from the nearest on.
 * Pure. Read from the right, since what stands there was written by the last proxy, who can be
 * believed; what others wrote before it, quotes that never end for example, cannot hide it.
 */
#ifndef FRAMING_FORWARDED_H
#define FRAMING_FORWARDED_H

#include "framing/http1.h"

enum forwarded_header { FORWARDED_X_FOR, FORWARDED_RFC7239 };

/* One that a proxy got the request from. */
struct forwarded_node {
	enum forwarded_kind {
		FORWARDED_ADDRESS,
		FORWARDED_HIDDEN,	/* "unknown", "_name", or an element without for= */
		FORWARDED_MALFORMED,
	} kind;
	uint8_t ip[16];
	size_t ip_len;		/* 4 or 16 */
	uint16_t port;		/* 0: not told, or hidden */
};

struct forwarded {
	const struct http1_head *head;
	enum forwarded_header header;
	size_t left;		/* headers not looked at yet */
	struct span rest;	/* of the one before */
};

/* Has the head such a header at all? */
bool forwarded_given(const struct http1_head *, enum forwarded_header);
void forwarded_begin(struct forwarded *, const struct http1_head *, enum forwarded_header);
/* The next one to the left. False: there is none. What is left of one that is malformed is for nobody to believe. */
bool forwarded_next(struct forwarded *, struct forwarded_node *);

#endif
