/*
 * Advice: what a failure means, in a sentence that tells a person what to do; and
 * whether it has been said already.
 */
#ifndef CLIENT_ADVICE_H
#define CLIENT_ADVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/options.h"

#define ADVICE_MAX 900		/* bytes of a sentence */

/* The sentence for an error of a carrier; why is what it said. */
void advice_text(char out[ADVICE_MAX], const struct options *, int error, const char *why);

#define ADVICE_SAID 8

/* The sentences said since the last success. Zeroed memory: none. */
struct advice_said {
	uint32_t hash[ADVICE_SAID];
	unsigned n;
};

/* True when it was not among the last ones, which it then is. */
bool advice_is_new(struct advice_said *, const char *sentence);
void advice_forget(struct advice_said *);

#endif
