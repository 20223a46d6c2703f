/*
 * Target: the pieces that request targets of helpers and of REST clients have in
 * common (PROTOCOL.md section 2.1, REST.md section 1). Pure.
 */
#ifndef FRAMING_TARGET_H
#define FRAMING_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/cursor.h"

#define TARGET_SID_LEN 22	/* characters: base64url of 16 octets */

bool target_is(struct span, const char *text);
/* Takes everything up to the separator, and that, off the front. */
struct span target_take(struct span *, uint8_t separator);
/* Decimal digits within bounds: 0 or ERROR_MALFORMED. */
int target_number(struct span, uint64_t min, uint64_t max, uint64_t *);
/* "https://host/path" to "/path"; origin form stays; n = 0: no path. */
struct span target_path(struct span target);
/* Takes {base}/v1/ off the front of a path; false: it is not below that. */
bool target_below(struct span *path, const char *base);
/* For logs: as much of it as fits into cap bytes with its NUL; of a ticket the value is left out. */
void target_shown(struct span target, char *out, size_t cap);
/* A sid, with its NUL: 0 or ERROR_MALFORMED. */
int target_sid(struct span, char out[TARGET_SID_LEN + 1]);

#endif
