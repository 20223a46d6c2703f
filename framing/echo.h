/*
 * Echo: what datagrams to the service culvert.echo carry in front (PROTOCOL.md
 * section 6.4). The helper puts it there, the server writes its clock into it.
 */
#ifndef FRAMING_ECHO_H
#define FRAMING_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_SERVICE "culvert.echo"
#define ECHO_STAMP 16		/* bytes */

struct echo_stamp {
	uint32_t sequence;
	uint32_t sent_us;	/* the helper's clock, us modulo 2^32 */
	uint32_t served_us;	/* the server's clock, as well; 0 on the way up */
};

/* Writes ECHO_STAMP bytes. */
void echo_put(uint8_t *p, const struct echo_stamp *);
/* False: the n bytes do not begin with a stamp. */
bool echo_get(const uint8_t *p, size_t n, struct echo_stamp *);
/* Server: puts its clock into the stamp, if there is one. */
void echo_serve(uint8_t *p, size_t n, uint32_t now_us);

#endif
