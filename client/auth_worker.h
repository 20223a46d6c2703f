/*
 * A thread for what may block: Kerberos asks its server, and nobody knows for how long.
 * Jobs are done one after the other. One that is no longer wanted is forgotten, also
 * while it runs: its result is thrown away when it comes.
 */
#ifndef CLIENT_AUTH_WORKER_H
#define CLIENT_AUTH_WORKER_H

#include <stdbool.h>

#include "tunnel/loop.h"

#define AUTH_WORKER_JOBS 32	/* at a time */

struct auth_worker;

/* Embedded. */
struct auth_job {
	struct auth_job *next;
	void (*run)(struct auth_job *);	/* in the thread */
	void (*done)(struct auth_job *); /* in the loop, with what run did; the job is the receiver's again */
	void (*drop)(struct auth_job *); /* instead of done, in either: frees the job and all that it has */
	bool cancelled;
};

/* The thread starts with the first job. Real loops only. */
struct auth_worker *auth_worker_new(struct loop *);
/* All jobs are dropped; one that runs drops itself when it is through, and the thread ends behind it. NULL is fine. */
void auth_worker_free(struct auth_worker *);
/* The job is the worker's until done or drop: 0, ERROR_LIMIT (too many), ERROR_SYSTEM (no thread). */
int auth_worker_do(struct auth_worker *, struct auth_job *);
/* Of a job that is the worker's: drop follows, at once or when it was run. */
void auth_worker_cancel(struct auth_worker *, struct auth_job *);

#endif
