/* The other end of a wire, by hand: a stream to which a test writes bytes and of which it sees the bytes that came. */
#ifndef TESTS_LIB_RAW_H
#define TESTS_LIB_RAW_H

#include <stdbool.h>
#include <stddef.h>

#include "tunnel/stream.h"

extern struct raw {
	struct stream *stream;	/* NULL: none */
	char in[262144];	/* what came, with a NUL behind it */
	size_t n;		/* bytes; a test may set it to 0 */
	bool eof;
	int error;
} raw;

void raw_reset(void);			/* nothing came, no stream */
void raw_attach(struct stream *);	/* which it owns from then on */
void raw_close(void);			/* the stream, if there is one */

/* All of it must find room. */
void raw_write(const char *, size_t);
void raw_put(const char *);

#endif
