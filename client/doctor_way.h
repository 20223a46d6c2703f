/*
 * The way that the doctor looks at: one of the candidates that were found, in their order. The first that
 * can be connected to is examined; those passed over are told.
 */
#ifndef CLIENT_DOCTOR_WAY_H
#define CLIENT_DOCTOR_WAY_H

#include "client/doctor.h"

/* Waits until the candidates are known, for 12 s at most; known is called in a later turn. */
void way_begin(struct doctor *, void (*known)(struct doctor *));
void way_end(struct doctor *);
/* The one that is looked at leads nowhere. False: it was the last one. */
bool way_next(struct doctor *, const char *why);
/* What is connected to first: the first proxy, or the server. */
const char *way_host(const struct doctor *);
uint16_t way_port(const struct doctor *);
const char *way_shown(const struct doctor *);
/* Who named the proxies: "--proxy", "culvert.conf:4", "HTTPS_PROXY", "PAC http://...". */
const char *way_from(const struct doctor *);
/* "direct", or all hops. */
const char *way_text(const struct doctor *);

/* By what scheme and as whom the proxies know us, as far as it is known now. */
void doctor_note_login(struct doctor *);

#endif
