/*
 * UTF-8 as RFC 3629 has it, checked while it comes: shortest forms only, no surrogates,
 * nothing above U+10FFFF. A wrong octet is seen at once, not at the end of its character.
 */
#ifndef FRAMING_UTF8_H
#define FRAMING_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at the beginning of a text. */
struct utf8 {
	uint8_t wanting;	/* octets that the open character still needs: 0 to 3 */
	uint8_t lo, hi;		/* the next one of them must be in here */
};

/* False: the octets so far are not the beginning of any text. */
bool utf8_feed(struct utf8 *, const uint8_t *p, size_t n);
/* True when the text may end here. */
bool utf8_whole(const struct utf8 *);
/* All of it is UTF-8. */
bool utf8_ok(const uint8_t *p, size_t n);

#endif
