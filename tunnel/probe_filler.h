/*
 * Filler of the marks of probes: octets that do not compress, so that a box which
 * changes bodies shows itself.
 */
#ifndef TUNNEL_PROBE_FILLER_H
#define TUNNEL_PROBE_FILLER_H

#include <stddef.h>

#include "framing/cursor.h"

/* n octets (<= REQUEST_SIZE_MAX), always the same ones; valid for the life of the process. */
struct span probe_filler(size_t n);

/* Copies text as printable ASCII, what is not as '?': octets written, at most cap. */
size_t probe_printable(char *out, size_t cap, struct span text);

#endif
