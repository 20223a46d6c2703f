/*
 * Fingerprint: a name for something that must be recognised and must not be read: a network,
 * a path. A keyed hash; the key is this machine's id, so that equal things on other
 * machines have other fingerprints and nobody can look one up.
 */
#ifndef CLIENT_FINGERPRINT_H
#define CLIENT_FINGERPRINT_H

#include <stddef.h>

#define FINGERPRINT 65	/* 64 hex digits and the NUL */

/* HMAC-SHA256 of n bytes as hex. Stable while the machine's id is: on a machine without one (machine-id(5)) until it is
 * started anew. */
void fingerprint(char out[FINGERPRINT], const void *p, size_t n);

#endif
