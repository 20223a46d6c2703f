/*
 * Pooled: a pool over HTTP/2 and the server that it dials, in virtual time, for the
 * tests of test_pool_h2*.c. A dial takes 10 ms, a way 1 ms.
 */
#ifndef TESTS_POOLED_H
#define TESTS_POOLED_H

#include "tunnel/http.h"
#include "tunnel/pool.h"

#define POOLED_USERS 4
#define POOLED_SERVED 32
#define POOLED_ASKED 128

/* A server's connection: it answers nothing by itself. */
struct served {
	struct http *http;	/* NULL: closed */
	struct stream *mute;	/* in its place */
	struct exchange *x[POOLED_ASKED];
	unsigned n;
};

extern struct pooled {
	struct loop *loop;
	struct pool *pool;
	struct cuts cuts;
	struct served served[POOLED_SERVED];
	unsigned connections, only_11; /* dials, and those that were to be HTTP/1.1 */
	struct pool_user user[POOLED_USERS];
	unsigned available, over;
	const uint8_t *says;	/* instead of serving anything; NULL: it serves */
	size_t says_n;
	void (*grabs)(unsigned i); /* called when something is available */
	int error;		/* of the last exchange that was over */
} pooled;

/* Of users' exchanges: counts those that are over. */
extern const struct exchange_events pooled_events;

/* cmocka's: before and behind each test. */
int pooled_set_up(void **state);
int pooled_tear_down(void **state);
void pooled_run(int64_t us);
/* An exchange of user i that is sent; waits for a connection if there has to be another. */
struct exchange *pooled_ask(unsigned i);
/* The server answers the exchange that came there as number i of a connection. */
void pooled_answer(unsigned connection, unsigned i);

#endif
