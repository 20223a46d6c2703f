/*
 * The check of CONNECT: whether the proxies let us through to the server by the dialler
 * that the helper itself uses; if not, whether to port 443, and whether requests without
 * CONNECT, which are sealed, are used instead. Row of doctor.c's table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/dial.h"
#include "client/doctor.h"
#include "client/doctor_ask.h"
#include "client/doctor_checks.h"
#include "client/doctor_reach.h"
#include "client/doctor_way.h"
#include "client/happy.h"
#include "client/hop.h"
#include "framing/error.h"

#define PROXY_LINES "User-Agent: culvert/" CULVERT_VERSION "\r\n"

struct connecting {
	struct happy *happy;
	struct stream *stream;
	struct ask *ask;
	struct dialler *dialler;	/* without TLS */
	struct reach reach;
	int error;
	bool port;		/* 443 would be allowed */
	char why[DOCTOR_TEXT];
};

static void connect_stop(struct check_run *run)
{
	struct connecting *s = run->state;

	if (s->happy)
		happy_cancel(s->happy);
	ask_cancel(s->ask);
	reach_stop(&s->reach);
	if (s->stream)
		hop_close(s->stream);
	dialler_free(s->dialler);
}

/* ---- no CONNECT ---- */

static void connect_refused(struct check_run *run)
{
	struct connecting *s = run->state;

	check_blame(run, s->port ? OBSTACLE_PORT : s->error == ERROR_PROXY_AUTH ? OBSTACLE_AUTH : OBSTACLE_CONNECT, true);
	check_end(run, OUTCOME_BROKEN, "%s", s->why);
}

/* The route's own way out: requests in absolute form, without TLS to the server and sealed. */
static void without_done(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct connecting *s = run->state;
	struct doctor *d = run->doctor;

	(void)why;
	s->stream = stream;
	if (error || !route_is_plain(d->route)) {
		connect_refused(run);
		return;
	}
	d->plain = true;
	d->have |= HAVE_TUNNEL;
	check_figure(run, "plain", 1);
	check_blame(run, s->port ? OBSTACLE_PORT : OBSTACLE_CONNECT, true);
	check_end(run, OUTCOME_LIMITED, "%s; requests to http://%s that name the server in full are used instead, sealed", s->why,
		  d->options->server.plain_authority);
}

static void connect_without(struct check_run *run)
{
	struct connecting *s = run->state;

	if (s->error != ERROR_DENIED) {
		connect_refused(run);
		return;
	}
	if (s->stream)
		hop_close(s->stream);
	s->stream = NULL;
	check_say(run, "requests without CONNECT");
	reach_start(&s->reach, run, route_dialler(run->doctor->route), without_done);
}

/* ---- another port, to compare ---- */

/* Whether the server is there on 443 does not matter: 502 and the like mean that the proxy has tried. */
static void compared(void *ctx, const struct ask_answer *a)
{
	struct check_run *run = ctx;
	const struct doctor *d = run->doctor;
	struct connecting *s = run->state;

	s->ask = NULL;
	s->port = !a->error && (a->status / 100 == 2 || a->status / 100 == 5);
	check_figure(run, "connect_443", s->port);
	if (s->port)
		snprintf(s->why, sizeof s->why, "%s allows CONNECT to port 443 of %s, but not to port %u", way_text(d), d->options->server.host,
			 d->options->server.port);
	connect_without(run);
}

static void compare(void *ctx, struct stream *stream, const struct address *winner, int error)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct connecting *s = run->state;
	const char *host = d->options->server.host;
	char target[300];

	(void)winner;
	s->happy = NULL;
	s->stream = stream;
	if (error) {
		connect_without(run);
		return;
	}
	snprintf(target, sizeof target, strchr(host, ':') ? "[%s]:443" : "%s:443", host);
	s->ask = ask_start(d->loop, stream, "CONNECT", target, target, PROXY_LINES, 10 * LOOP_SECOND, compared, run);
}

/* One HTTP proxy that says no to another port than 443. */
static bool is_comparable(const struct doctor *d)
{
	return (d->proxy_status == 403 || d->proxy_status == 405) && d->options->server.port != 443 && doctor_chain(d)->n == 1;
}

/* ---- CONNECT ---- */

static void connect_allowed(struct check_run *run)
{
	struct connecting *s = run->state;
	struct doctor *d = run->doctor;
	const struct proxy_chain *c = doctor_chain(d);
	const struct auth *auth = route_auth(d->route, c->n - 1);
	enum auth_scheme scheme = auth ? auth_scheme(auth) : AUTH_NONE;
	double ms = (double)(loop_now(d->loop) - s->reach.began_us) / 1e3;

	d->have |= HAVE_TUNNEL;
	doctor_note_login(d);
	if (c->hop[c->n - 1].kind == PROXY_SOCKS5)
		check_end(run, OUTCOME_OK, "%s lets us through to port %u (%.1f ms)", way_text(d), d->options->server.port, ms);
	else
		check_end(run, OUTCOME_OK, "CONNECT to port %u is allowed%s%s%s%s (%.1f ms)", d->options->server.port,
			  scheme ? ", by " : "", scheme ? auth_scheme_name(scheme) : "", scheme && auth_user(auth)[0] ? " as " : "",
			  scheme ? auth_user(auth) : "", ms);
}

static void connect_done(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct doctor *d = run->doctor;
	struct connecting *s = run->state;

	s->stream = stream;
	s->error = error;
	snprintf(s->why, sizeof s->why, "%s", why ? why : "");
	check_figure(run, "ms", (double)(loop_now(d->loop) - s->reach.began_us) / 1e3);
	if (!error) {
		connect_allowed(run);
	} else if (is_comparable(d)) {
		check_say(run, "CONNECT to port 443, to compare");
		s->happy = happy_start(d->loop, d->address, d->addresses, compare, run);
	} else {
		connect_without(run);
	}
}

static void connect_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct connecting *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	run->state = s;
	if (doctor_is_plain(d)) {
		d->have |= HAVE_TUNNEL;
		check_end(run, OUTCOME_SKIPPED, "not needed: the server is reached without TLS, and everything is sealed");
		return;
	}
	if (!doctor_chain(d)->n) {
		d->have |= HAVE_TUNNEL;
		check_end(run, OUTCOME_SKIPPED, "no proxy, nothing to ask for");
		return;
	}
	check_say(run, "CONNECT to %s:%u", d->options->server.host, d->options->server.port);
	s->dialler = route_plain(d->route, d->options->server.port);
	reach_start(&s->reach, run, dialler_pool(s->dialler), connect_done);
}

const struct check check_connect = { "connect", "CONNECT", HAVE_PROXY, 45 * LOOP_SECOND, connect_start, connect_stop, NULL };
