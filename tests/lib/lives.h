/*
 * Lives: helpers, one after the other, that share the file of their memory in a folder of the test's own, with
 * three rungs to remember.
 */
#ifndef TESTS_LIB_LIVES_H
#define TESTS_LIB_LIVES_H

#include "client/memory.h"

extern char lives_dir[256], lives_file[300], lives_warning[1000]; /* the last life's warning */

/* cmocka's set-up and tear-down. */
int lives_set_up(void **state);
int lives_tear_down(void **state);
void lives_write(const char *text, size_t n);
char *lives_read(size_t *n);
unsigned lives_files(void);	/* in the folder */

struct life {
	struct loop *loop;
	struct memory *memory;
};

/* start_us: what the monotonic clock says, which is another one after each boot. */
struct life life_begin(int64_t wall, int64_t start_us, const char *where);
void life_end(struct life *);
struct verdict life_verdict(const char *rung, int64_t when, unsigned limit);
void life_put(struct life *, const char *network, const char *rung, int64_t when);
/* The rung that is remembered; "none": a verdict without one; "-": nothing. */
const char *life_got(struct life *, const char *network);

#endif
