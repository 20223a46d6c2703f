/* Reaching the server, for checks that need a stream. */
#ifndef CLIENT_DOCTOR_REACH_H
#define CLIENT_DOCTOR_REACH_H

#include "client/doctor.h"

struct reach {
	struct check_run *run;
	const struct pool_dialler *by;
	struct dial *dial;
	struct timer again;
	unsigned tries;
	int64_t began_us;	/* the last try */
	void (*done)(struct check_run *, struct stream *, int error, const char *why);
};

/* by: route_dialler for a stream with TLS, made in the helper's own way, or another, which outlives it. done is called in a later turn:
 * with a stream, now the callee's, or NULL, a code and a sentence. A proxy that has let us through before and refuses now may still
 * count a connection that was just closed: it is asked again for two seconds. */
void reach_start(struct reach *, struct check_run *, const struct pool_dialler *by,
		 void (*done)(struct check_run *, struct stream *, int error, const char *why));
/* In any state; zeroed memory is fine. */
void reach_stop(struct reach *);

#endif
