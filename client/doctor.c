/*
 * culvert doctor: runs the table of checks one after the other on the loop, each with
 * a deadline. Called by command_doctor.c; what is printed is doctor_report.c's.
 */
#include "client/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/doctor_checks.h"
#include "client/doctor_way.h"
#include "framing/error.h"

#define PACKETS_SMALL 2048
#define PACKETS_LARGE 64

const struct check *const doctor_checks[] = {
	&check_dns, &check_tcp, &check_proxy, &check_connect, &check_tls, &check_certificate, &check_alpn, &check_http,
	&check_websocket, &check_parallel, &check_server, &check_up, &check_down, &check_down_sse, &check_duplex, &check_bodies,
	&check_size, &check_hold, &check_idle, &check_calls, NULL,
};

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = { "ok", "limited", "broken", "skipped" };

	return names[o];
}

enum outcome doctor_outcome(const struct doctor *d, const char *name)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->runs[i].over && strcmp(d->runs[i].check->name, name) == 0)
			return d->runs[i].outcome;
	return OUTCOME_SKIPPED;
}

const struct sealed_setup *doctor_sealing(struct doctor *d)
{
	if (!doctor_must_seal(d))
		return NULL;
	d->sealing = (struct sealed_setup){ .loop = d->loop, .pool = d->pool, .path = &d->path, .signer = &d->signer,
					    .tls = route_seal_tls(d->route), .host = d->options->server.host };
	return &d->sealing;
}

unsigned doctor_connections(const struct doctor *d)
{
	return d->limit && d->limit < d->options->connections ? d->limit : d->options->connections;
}

/* ---- one check ---- */

void check_end(struct check_run *run, enum outcome outcome, const char *fmt, ...)
{
	struct doctor *d = run->doctor;
	va_list ap;

	if (run->over)
		return;
	run->over = true;
	run->outcome = outcome;
	run->ended_us = loop_now(d->loop) - d->began_us;
	va_start(ap, fmt);
	vsnprintf(run->sentence, sizeof run->sentence, fmt, ap);
	va_end(ap);
	timer_stop(&d->deadline);
	loop_later(d->loop, &d->next);
}

void check_say(struct check_run *run, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	report_progress(run->doctor, run, text);
}

void check_figure(struct check_run *run, const char *name, double value)
{
	struct figure *f = &run->figure[run->figures];

	if (run->figures == DOCTOR_FIGURES)
		return;
	snprintf(f->name, sizeof f->name, "%s", name);
	f->value = value;
	run->figures++;
}

void check_blame_by(struct check_run *run, enum obstacle obstacle, const struct box_evidence *own, bool outer)
{
	struct doctor *d = run->doctor;
	const struct box_evidence *by = own && box_name(own, run->box) ? own : outer ? &d->outer : &d->inner;

	run->obstacle = obstacle;
	run->outer = outer;
	run->named = box_product(by) != NULL;
	if (by != own)
		box_name(by, run->box);
	box_advice(obstacle, box_product(by), d->options->server.host, run->advice);
}

/* What a box said later may tell who it is. */
static void name_boxes(struct doctor *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct check_run *run = &d->runs[i];

		if (run->obstacle != OBSTACLE_NONE && !run->named && box_product(run->outer ? &d->outer : &d->inner))
			check_blame(run, run->obstacle, run->outer);
	}
}

void check_blame(struct check_run *run, enum obstacle obstacle, bool outer)
{
	check_blame_by(run, obstacle, NULL, outer);
}

static void check_drop(struct check_run *run)
{
	if (!run->state)
		return;
	if (run->check->stop)
		run->check->stop(run);
	loop_free_later(run->doctor->loop, run->state);
	run->state = NULL;
}

static void on_deadline(void *ctx)
{
	struct doctor *d = ctx;
	struct check_run *run = &d->runs[d->n - 1];

	if (run->check->late)
		run->check->late(run);
	else
		check_end(run, OUTCOME_BROKEN, "no end within %lld s", (long long)(run->check->deadline_us / LOOP_SECOND));
}

/* ---- all of them ---- */

/* Why a check cannot be done: the first thing that is missing. */
static const char *lacking(const struct doctor *d, unsigned needs)
{
	unsigned missing = needs & ~d->have;

	if (missing & (HAVE_ADDRESS | HAVE_TCP | HAVE_PROXY | HAVE_TUNNEL))
		return "no connection";
	if (missing & HAVE_TLS)
		return "no TLS";
	if (missing & HAVE_SESSION)
		return d->missing ? d->missing : "no session";
	if (missing & HAVE_PROBES)
		return "the server is too old for probes";
	return missing & HAVE_LONG ? "takes minutes: with --long only" : NULL;
}

static void finish(struct doctor *d)
{
	char error[DOCTOR_TEXT];
	enum usable usable;

	d->done = true;
	certificate_amend(d);
	name_boxes(d);
	report_end(d);
	usable = doctor_usable(d);
	d->exit_code = usable == USABLE_YES || usable == USABLE_LIMITED ? 0 : 1;
	if (d->how->report && !report_file(d, d->how->report, error, sizeof error)) {
		fprintf(stderr, "culvert: doctor: %s\n", error);
		d->exit_code = 1;
	}
	loop_break(d->loop);
}

static void on_next(void *ctx)
{
	struct doctor *d = ctx;
	const struct check *check;
	struct check_run *run;
	const char *why;

	if (d->n > 0) {
		run = &d->runs[d->n - 1];
		check_drop(run);
		report_check(d, run);
	}
	check = doctor_checks[d->n];
	if (!check) {
		finish(d);
		return;
	}
	run = &d->runs[d->n++];
	run->doctor = d;
	run->check = check;
	run->began_us = loop_now(d->loop) - d->began_us;
	why = lacking(d, check->needs);
	if (why) {
		run->left_out = true;
		check_end(run, OUTCOME_SKIPPED, "%s", why);
		return;
	}
	timer_in(&d->deadline, check->deadline_us);
	check->start(run);
}

static void on_known(struct doctor *d)
{
	report_head(d);
	loop_later(d->loop, &d->next);
}

/* Other proxies: what stands is of no use any more. */
static void on_moved(void *ctx)
{
	struct doctor *d = ctx;

	pool_forget(d->pool);
}

static bool on_stands(void *ctx)
{
	const struct doctor *d = ctx;

	return pool_is_standing(d->pool);
}

static const struct route_events route_events = { on_moved, on_stands };

void doctor_start(struct doctor *d)
{
	d->began_us = loop_now(d->loop);
	route_listen(d->route, &route_events, d);
	way_begin(d, on_known);
}

/* ---- life ---- */

static size_t on_sign(void *ctx, char *out, size_t cap, const char *method, const char *target)
{
	struct doctor *d = ctx;

	return signer_sign(&d->signer, out, cap, method, target, (struct span){ NULL, 0 });
}

static bool on_clock(void *ctx, int64_t date)
{
	struct doctor *d = ctx;

	return signer_correct(&d->signer, date);
}

static bool load_token(struct doctor *d, char *error, size_t size)
{
	const char *file = d->options->token_file;
	struct credentials *c;
	char why[600];

	if (!file)
		return true;
	c = credentials_load(file, why, sizeof why);
	if (!c) {
		snprintf(error, size, "--token-file: %s", why);
		return false;
	}
	signer_init(&d->signer, d->loop, c);
	d->has_token = true;
	return true;
}

struct doctor *doctor_new(struct loop *loop, const struct doctor_options *how, char *error, size_t size)
{
	struct doctor *d = calloc(1, sizeof *d);
	const struct options *o = how->options;

	if (!d)
		abort();
	d->loop = loop;
	d->how = how;
	d->options = o;
	d->have = how->longer ? HAVE_LONG : 0;
	timer_init(&d->deadline, loop, on_deadline, d);
	later_init(&d->next, on_next, d);
	d->path = (struct carrier_path){ .host = o->server.authority, .base = o->server.base, .user_agent = "culvert/" CULVERT_VERSION,
					 .sign = on_sign, .clock = on_clock, .ctx = d, .hold_ms = o->hold_ms };
	d->memory = memory_open(loop, o->state, error, size);	/* without it nothing is compared */
	d->packets = packet_pool_new(PACKETS_SMALL, PACKETS_LARGE);
	if (load_token(d, error, size) && (d->route = route_new(loop, o, error, size))) {
		d->pool = pool_new(loop, route_dialler(d->route), o->connections, &d->cuts);
		if (o->http == HTTP_2)
			pool_insist(d->pool);
		return d;
	}
	doctor_free(d);
	return NULL;
}

void doctor_free(struct doctor *d)
{
	if (!d)
		return;
	timer_stop(&d->deadline);
	later_cancel(d->loop, &d->next);
	way_end(d);
	if (d->n)
		check_drop(&d->runs[d->n - 1]);
	sealed_path_end(&d->sealed);
	session_free(d->session);
	if (d->route)
		route_listen(d->route, NULL, NULL);
	if (d->pool)
		pool_free(d->pool);
	memory_free(d->memory);
	route_free(d->route);
	signer_fini(&d->signer);
	packet_pool_free(d->packets);
	loop_free_later(d->loop, d);
}
