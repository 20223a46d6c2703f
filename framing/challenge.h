/*
 * Challenges: what a Proxy-Authenticate or WWW-Authenticate header asks for (RFC 9110
 * section 11.6.1). Several headers, several challenges in one of them, token68 or
 * parameters, quoted strings. Pure; nothing is copied: spans point into the head.
 */
#ifndef FRAMING_CHALLENGE_H
#define FRAMING_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/cursor.h"
#include "framing/http1.h"

#define CHALLENGE_MAX 12	/* challenges of a head that are looked at */
#define CHALLENGE_PARAMS_MAX 16	/* parameters of one that are kept */

struct challenge_param {
	struct span name, value;
	bool quoted;		/* value is what stands between the quotes, with its backslashes */
};

struct challenge {
	struct span scheme;
	struct span token;	/* token68; n = 0: none */
	size_t count;
	struct challenge_param param[CHALLENGE_PARAMS_MAX];
};

/* All challenges in the headers of that name, in order: how many, at most max. What is malformed is skipped up to the next comma:
 * a parameter is then missing, the others and other challenges are not. */
size_t challenge_parse(const struct http1_head *, const char *header, struct challenge *out, size_t max);
/* A list of parameters without a scheme (Proxy-Authentication-Info, RFC 7615): all headers of that name; scheme is empty. */
void challenge_info(const struct http1_head *, const char *header, struct challenge *out);
bool challenge_is(const struct challenge *, const char *scheme);	/* any case */
/* The first parameter of that name (any case), unquoted, with a NUL behind it: its length; ERROR_EOF: there is none;
 * ERROR_LIMIT: it is longer than cap - 1. */
ssize_t challenge_value(const struct challenge *, const char *name, char *out, size_t cap);

#endif
