/* Reaching the server. Used by the checks from CONNECT on; calls a dialler. */
#include "client/doctor_reach.h"

#include "framing/error.h"

#define TRIES 4
#define PAUSE_US (500 * LOOP_MS)

/* The proxy let a CONNECT pass, with credentials or without. */
static bool is_let_through(const struct doctor *d)
{
	return doctor_chain(d)->n && (d->proxy_status / 100 == 2 || (d->have & HAVE_TUNNEL));
}

static void reach_done(void *pool_ctx, struct stream *stream, int error, const char *why)
{
	struct reach *r = pool_ctx;

	r->dial = NULL;
	if ((error == ERROR_PROXY || error == ERROR_DENIED || error == ERROR_RESET) && is_let_through(r->run->doctor) && ++r->tries < TRIES)
		timer_in(&r->again, PAUSE_US);
	else
		r->done(r->run, stream, error, why);
}

static void reach_try(void *ctx)
{
	struct reach *r = ctx;

	r->began_us = loop_now(r->run->doctor->loop);
	r->dial = r->by->start(r->by->ctx, DIAL_11, reach_done, r);
}

void reach_start(struct reach *r, struct check_run *run, const struct pool_dialler *by,
		 void (*done)(struct check_run *, struct stream *, int error, const char *why))
{
	*r = (struct reach){ .run = run, .by = by, .done = done };
	timer_init(&r->again, run->doctor->loop, reach_try, r);
	reach_try(r);
}

void reach_stop(struct reach *r)
{
	timer_stop(&r->again);
	if (r->dial)
		r->by->cancel(r->dial);
	r->dial = NULL;
}
