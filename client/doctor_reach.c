/* Reaching the server. Used by the checks behind CONNECT; calls the dialler of the route. */
#include "client/doctor_reach.h"

#include "framing/error.h"

#define TRIES 4
#define PAUSE_US (500 * LOOP_MS)

static void reach_done(void *pool_ctx, struct stream *stream, int error, const char *why)
{
	struct reach *r = pool_ctx;

	r->dial = NULL;
	if ((error == ERROR_PROXY || error == ERROR_RESET) && ++r->tries < TRIES)
		timer_in(&r->again, PAUSE_US);
	else
		r->done(r->run, stream, error, why);
}

static void reach_try(void *ctx)
{
	struct reach *r = ctx;
	const struct pool_dialler *p = route_dialler(r->run->doctor->route);

	r->began_us = loop_now(r->run->doctor->loop);
	r->dial = p->start(p->ctx, reach_done, r);
}

void reach_start(struct reach *r, struct check_run *run,
		 void (*done)(struct check_run *, struct stream *, int error, const char *why))
{
	*r = (struct reach){ .run = run, .done = done };
	timer_init(&r->again, run->doctor->loop, reach_try, r);
	reach_try(r);
}

void reach_stop(struct reach *r)
{
	timer_stop(&r->again);
	if (r->dial)
		route_dialler(r->run->doctor->route)->cancel(r->dial);
	r->dial = NULL;
}
