/*
 * The checks behind TLS: who answers HTTP there, and whether it is a culvertd that
 * knows us. Rows of doctor.c's table. The session that is made here serves
 * all the probes behind; its carrier is ended at once, so that probes have the connections for themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/advice.h"
#include "client/doctor.h"
#include "client/doctor_ask.h"
#include "client/doctor_checks.h"
#include "client/doctor_probe.h"
#include "client/doctor_reach.h"
#include "framing/capsule.h"
#include "client/hop.h"
#include "framing/error.h"

struct asking {
	struct reach reach;
	struct stream *stream;
	struct ask *ask;
	char target[REQUEST_TARGET_MAX];
	/* session */
	struct carrier *carrier;
	struct timer again;
	unsigned tries;
	int64_t began_us;
};

#define TRIES 4
#define PAUSE_US (500 * LOOP_MS)

static struct asking *asking_new(struct check_run *run)
{
	struct asking *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->began_us = loop_now(run->doctor->loop);
	run->state = s;
	return s;
}

static void asking_stop(struct check_run *run)
{
	struct asking *s = run->state;

	reach_stop(&s->reach);
	timer_stop(&s->again);
	ask_cancel(s->ask);
	if (s->stream)
		hop_close(s->stream);
	if (s->carrier)
		carrier_free(s->carrier);
}

/* ---- HTTP ---- */

static const char *inside(const struct doctor *d)
{
	return doctor_is_plain(d) ? "" : " inside TLS";
}

static void http_answered(void *ctx, const struct ask_answer *a)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	char box[BOX_TEXT];

	((struct asking *)run->state)->ask = NULL;
	if (a->error) {
		check_blame(run, OBSTACLE_ANSWER, false);
		check_end(run, OUTCOME_BROKEN, "no answer to a plain GET%s: %s", inside(d), error_text(a->error));
		return;
	}
	snprintf(box, sizeof box, "%s", d->inner.issuer);
	d->inner = a->evidence;
	snprintf(d->inner.issuer, sizeof d->inner.issuer, "%s", box);
	if (a->status < 500)
		d->inner.page[0] = 0; /* of culvertd itself, or of what its operator shows */
	doctor_notice(d);
	d->rtt_us = a->took_us;
	check_figure(run, "ms", (double)a->took_us / 1e3);
	check_figure(run, "status", a->status);
	check_figure(run, "version", a->minor ? 1.1 : 1.0);
	check_figure(run, "close", a->close);
	box_name(&d->inner, box);
	if (a->status >= 500) {
		check_blame(run, OBSTACLE_ANSWER, false);
		check_end(run, OUTCOME_BROKEN, "%s answers %d %s%s, and culvertd does not do that%s", box[0] ? box : "a box in between",
			  a->status, http1_reason(a->status), inside(d), doctor_is_plain(d) ? ": does it listen there without TLS (--listen-http)?" : "");
	} else if (a->minor == 0 || a->close) {
		check_blame(run, a->minor == 0 ? OBSTACLE_VERSION : OBSTACLE_CLOSE, false);
		check_end(run, OUTCOME_LIMITED, "HTTP/1.%d, %s (%.1f ms)", a->minor,
			  a->close ? "a new connection for each request" : "connections stay open", (double)a->took_us / 1e3);
	} else {
		check_end(run, OUTCOME_OK, "HTTP/1.1, connections stay open (%.1f ms)%s%s", (double)a->took_us / 1e3,
			  box[0] ? "; read by " : "", box);
	}
}

static void http_dialled(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct doctor *d = run->doctor;
	struct asking *s = run->state;

	s->stream = stream;
	if (error) {
		check_blame(run, OBSTACLE_REACH, false);
		check_end(run, OUTCOME_BROKEN, "%s", why);
		return;
	}
	snprintf(s->target, sizeof s->target, "%s/v1/", d->options->server.base);
	s->ask = ask_start(d->loop, stream, "GET", s->target, d->options->server.authority,
			   "User-Agent: culvert/" CULVERT_VERSION "\r\nAccept: */*\r\n", 10 * LOOP_SECOND, http_answered, run);
}

static void http_start(struct check_run *run)
{
	struct asking *s = asking_new(run);

	check_say(run, "a plain GET");
	reach_start(&s->reach, run, route_dialler(run->doctor->route), http_dialled);
}

const struct check check_http = { "http", "HTTP", HAVE_TLS, 20 * LOOP_SECOND, http_start, asking_stop, NULL };

/* ---- the session ---- */

static void server_proven(void *ctx, struct carrier *c)
{
	(void)ctx;
	(void)c;
}

static void server_failed(void *ctx, struct carrier *c, int error, const char *why)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct asking *s = run->state;
	char text[ADVICE_MAX];

	/* The connections of the check before may still be counted. */
	if ((error == ERROR_PROXY || error == ERROR_DENIED || error == ERROR_RESET) && ++s->tries < TRIES) {
		s->carrier = NULL;
		carrier_free(c);
		timer_in(&s->again, PAUSE_US);
		return;
	}
	advice_text(text, d->options, error, why);
	d->missing = error == ERROR_HTTP || error == ERROR_AUTH ? "the server does not accept our token" : "the server gave no session";
	check_blame(run, OBSTACLE_ANSWER, false);
	check_end(run, OUTCOME_BROKEN, "%s", text);
}

static const struct carrier_events server_events = { .proven = server_proven, .failed = server_failed };

static struct check_run *run_of(struct doctor *d, const struct check *check)
{
	struct check_run *run = &d->runs[d->n - 1];

	return run->check == check && !run->over ? run : NULL;
}

static void session_welcome(void *ctx)
{
	struct doctor *d = ctx;
	struct check_run *run = run_of(d, &check_server);
	struct asking *s;
	double ms;

	if (!run)
		return;
	s = run->state;
	ms = (double)(loop_now(d->loop) - s->began_us) / 1e3;
	d->have |= HAVE_SESSION;
	if (session_has_probes(d->session))
		d->have |= HAVE_PROBES;
	check_figure(run, "ms", ms);
	check_end(run, OUTCOME_OK, "a culvertd, it knows our token; session after %.1f ms%s%s", ms,
		  doctor_must_seal(d) ? ", sealed" : "", d->have & HAVE_PROBES ? "" : "; it is too old for probes");
}

static void session_farewell(void *ctx, uint64_t code, uint32_t delay_ms)
{
	(void)ctx;
	(void)code;
	(void)delay_ms;
}

static void session_over(void *ctx, uint64_t code, const char *reason)
{
	struct doctor *d = ctx;
	struct check_run *run = run_of(d, &check_server);

	d->have &= ~(unsigned)(HAVE_SESSION | HAVE_PROBES);
	d->missing = "the session has ended";
	if (run)
		check_end(run, OUTCOME_BROKEN, "the server ends the session: %s", reason && *reason ? reason : capsule_code_text(code));
}

static const struct session_events session_events = { .welcome = session_welcome, .goaway = session_farewell, .ended = session_over };

static void server_try(void *ctx)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct asking *s = run->state;

	s->began_us = loop_now(d->loop);
	s->carrier = carrier_open(d->session, rung_find("poll"), doctor_path(d), d->pool, &server_events, run);
}

/* The session has its seal. */
static void server_sealed(void *ctx)
{
	struct check_run *run = run_of(ctx, &check_server);

	if (run)
		server_try(run);
}

static void server_unsealed(void *ctx, int error, const char *why)
{
	struct check_run *run = run_of(ctx, &check_server);

	(void)error;
	if (!run)
		return;
	check_blame(run, OBSTACLE_ANSWER, false);
	check_end(run, OUTCOME_BROKEN, "%s", why);
}

static void server_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct asking *s = asking_new(run);

	if (!d->has_token) {
		d->missing = "no token was given (--token-file)";
		check_end(run, OUTCOME_SKIPPED, "%s: whether a culvertd answers there, and how bodies pass, cannot be measured", d->missing);
		return;
	}
	d->missing = "the server gave no session";
	check_say(run, "asking for a session");
	d->session = session_new(d->loop, SESSION_HELPER, &session_config_default, d->packets, NULL, &session_events, d);
	timer_init(&s->again, d->loop, server_try, run);
	if (doctor_must_seal(d))
		sealed_path_begin(&d->sealed, doctor_sealing(d), session_sid(d->session), server_sealed, server_unsealed, d);
	else
		server_try(run);
}

const struct check check_server = { "server", "Server", HAVE_TLS, 30 * LOOP_SECOND, server_start, asking_stop, NULL };
