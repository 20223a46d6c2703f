/* For tests of auth: heads of answers, a dialogue that notes when it may go on, lines. */
#ifndef TESTS_LIB_CHALLENGES_H
#define TESTS_LIB_CHALLENGES_H

#include <stdbool.h>

#include "client/auth.h"

/* A head with that status and up to NULL the values of Proxy-Authenticate (or "Name: value" of others); its texts must live on. */
void challenges_head(struct http1_head *, int status, const char *const *values);
#define CHALLENGES(head, status, ...) challenges_head(head, status, (const char *const[]){ __VA_ARGS__, NULL })

struct talker {
	struct auth_dialogue *dialogue;
	unsigned ready;		/* times */
	char line[AUTH_LINE_MAX];
	ssize_t n;
};

void talker_begin(struct talker *, struct auth *);
void talker_end(struct talker *);
/* auth_line for CONNECT calls.example:443. */
ssize_t talker_line(struct talker *);
ssize_t talker_line_for(struct talker *, const char *method, const char *uri);
/* auth_challenged by a 407 with that value. */
#define TALKER_CHALLENGED(t, on_new, ...) talker_challenged(t, on_new, (const char *const[]){ __VA_ARGS__, NULL })
int talker_challenged(struct talker *, bool *on_new, const char *const *values);
void talker_accepted(struct talker *);
/* The line has a parameter name=value or name="value" (Digest); fails the test if not. */
void talker_has(const struct talker *, const char *text);
/* The value of a parameter of the line, in a static buffer. */
const char *talker_value(const struct talker *, const char *name);

#endif
