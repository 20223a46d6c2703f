/*
 * The checks from the name to the tunnel: DNS, TCP, what the proxy asks for, and
 * where it lets CONNECT go. Rows of doctor.c's table; they call the resolver, the
 * race of connections and the dialler that the helper itself uses.
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

struct dialling {
	struct resolve *resolve;
	struct happy *happy;
	struct stream *stream;
	struct ask *ask;
	struct dialler *dialler;	/* without TLS */
	struct reach reach;
	int64_t began_us;
	int error;
	char why[DOCTOR_TEXT], schemes[96];
};

static struct dialling *dialling_new(struct check_run *run)
{
	struct dialling *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->began_us = loop_now(run->doctor->loop);
	run->state = s;
	return s;
}

static void dialling_stop(struct check_run *run)
{
	struct dialling *s = run->state;

	if (s->resolve)
		resolve_cancel(s->resolve);
	if (s->happy)
		happy_cancel(s->happy);
	ask_cancel(s->ask);
	reach_stop(&s->reach);
	if (s->stream)
		hop_close(s->stream);
	dialler_free(s->dialler);
}

static double ms_since(const struct check_run *run, int64_t us)
{
	return (double)(loop_now(run->doctor->loop) - us) / 1e3;
}

/* What the first proxy is asked to CONNECT to: the next one, or the server. */
static void next_target(const struct doctor *d, unsigned port, char *out, size_t size)
{
	const struct proxy_chain *c = doctor_chain(d);
	const char *host = c->n > 1 ? c->hop[1].host : d->options->server.host;

	snprintf(out, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, c->n > 1 ? c->hop[1].port : port);
}

/* On the connection that won the race to the proxy. */
static void ask_connect(struct check_run *run, struct stream *stream, unsigned port,
			void (*answered)(void *ctx, const struct ask_answer *))
{
	struct dialling *s = run->state;
	char target[300];

	s->happy = NULL;
	s->stream = stream;
	next_target(run->doctor, port, target, sizeof target);
	s->ask = ask_start(run->doctor->loop, stream, "CONNECT", target, target, PROXY_LINES, 10 * LOOP_SECOND, answered, run);
}

static void look_up(struct check_run *run, void (*found)(void *ctx, const struct address *, size_t n, int error))
{
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;

	s->began_us = loop_now(d->loop);
	check_say(run, "looking for %s", way_host(d));
	s->resolve = resolve_start(route_resolver(d->route), way_host(d), way_port(d), found, run);
}

/* ---- DNS ---- */

static void dns_failed(struct check_run *run, int error)
{
	struct doctor *d = run->doctor;
	const char *whose = doctor_chain(d)->n ? " of the proxy" : "";

	box_note(run->box, sizeof run->box, "DNS", 3);
	check_blame(run, OBSTACLE_DNS, true);
	check_end(run, OUTCOME_BROKEN, error == ERROR_TIMEOUT
		  ? "DNS gave no address for the name %s%s in time: is the network up?"
		  : "the name %s%s has no address: check its spelling, or this machine's DNS", way_host(d), whose);
}

static void dns_done(void *ctx, const struct address *address, size_t n, int error)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;
	const char *host = way_host(d);
	char text[ADDRESS_TEXT];
	struct address literal;
	double ms = ms_since(run, s->began_us);

	s->resolve = NULL;
	if (error) {
		if (way_next(d, error == ERROR_TIMEOUT ? "no answer from DNS" : "its name has no address"))
			look_up(run, dns_done);
		else
			dns_failed(run, error);
		return;
	}
	check_figure(run, "ms", ms);
	memcpy(d->address, address, n * sizeof *address);
	d->addresses = n;
	d->have |= HAVE_ADDRESS;
	address_text(&address[0], text);
	*strrchr(text, ':') = 0;	/* the port */
	check_figure(run, "addresses", (double)n);
	if (address_literal(host, 0, &literal))
		check_end(run, OUTCOME_OK, doctor_chain(d)->n
			  ? "the proxy is given by its address; the server's name is found by the proxy"
			  : "the server is given by its address");
	else if (doctor_chain(d)->n)
		check_end(run, OUTCOME_OK, "the proxy %s is at %s (%.0f ms); the server's name is found by the proxy", host, text, ms);
	else
		check_end(run, OUTCOME_OK, "%s is at %s%s (%.0f ms)", host, text, n > 1 ? " and others" : "", ms);
}

static void dns_start(struct check_run *run)
{
	dialling_new(run);
	look_up(run, dns_done);
}

const struct check check_dns = { "dns", "DNS", 0, 8 * LOOP_SECOND, dns_start, dialling_stop, NULL };

/* ---- TCP ---- */

static void tcp_connect(struct check_run *run);

static void tcp_broken(struct check_run *run, int error)
{
	struct doctor *d = run->doctor;
	bool proxied = doctor_chain(d)->n > 0;
	const char *whose = proxied ? "the proxy " : "", *hop = way_shown(d);
	const char *hint = proxied ? "" : ": if this network needs a proxy, give it with --proxy";

	check_blame(run, OBSTACLE_REACH, true);
	if (error == ERROR_REFUSED)
		check_end(run, OUTCOME_BROKEN, "nothing listens at %s%s (connection refused)%s", whose, hop,
			  proxied ? "; is that the proxy's address?" : "; is that the server's port?");
	else if (error == ERROR_UNREACHABLE)
		check_end(run, OUTCOME_BROKEN, "there is no route to %s%s: is the network up?", whose, hop);
	else
		check_end(run, OUTCOME_BROKEN, "%s%s did not accept a connection (%s)%s", whose, hop, error_text(error), hint);
}

static void tcp_resolved(void *ctx, const struct address *address, size_t n, int error)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;

	((struct dialling *)run->state)->resolve = NULL;
	if (!error) {
		memcpy(d->address, address, n * sizeof *address);
		d->addresses = n;
		tcp_connect(run);
	} else if (way_next(d, "its name has no address")) {
		look_up(run, tcp_resolved);
	} else {
		tcp_broken(run, error);
	}
}

/* The next candidate, if there is one. */
static void tcp_failed(struct check_run *run, int error)
{
	if (way_next(run->doctor, error_text(error)))
		look_up(run, tcp_resolved);
	else
		tcp_broken(run, error);
}

static void tcp_done(void *ctx, struct stream *stream, const struct address *winner, int error)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;
	char text[ADDRESS_TEXT];

	s->happy = NULL;
	s->stream = stream;
	if (error) {
		tcp_failed(run, error);
		return;
	}
	d->have |= HAVE_TCP;
	d->connect_us = loop_now(d->loop) - s->began_us;
	d->address[0] = *winner;
	d->addresses = 1;
	address_text(winner, text);
	check_figure(run, "ms", (double)d->connect_us / 1e3);
	check_end(run, OUTCOME_OK, "connected to %s (%s) in %.1f ms", way_shown(d), text, (double)d->connect_us / 1e3);
}

static void tcp_late(struct check_run *run)
{
	tcp_broken(run, ERROR_TIMEOUT);
}

static void tcp_connect(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;

	check_say(run, "connecting to %s", way_shown(d));
	s->began_us = loop_now(d->loop);
	s->happy = happy_start(d->loop, d->address, d->addresses, tcp_done, run);
}

static void tcp_start(struct check_run *run)
{
	dialling_new(run);
	tcp_connect(run);
}

const struct check check_tcp = { "tcp", "TCP", HAVE_ADDRESS, 20 * LOOP_SECOND, tcp_start, dialling_stop, tcp_late };

/* ---- the proxy: what does it ask for? ---- */

/* "; a:3128 (connection refused) was passed over" */
static const char *passed_over(const struct doctor *d, char out[DOCTOR_TEXT])
{
	out[0] = 0;
	if (d->passed_over[0])
		snprintf(out, DOCTOR_TEXT, "; passed over: %s", d->passed_over);
	return out;
}

static const char *user_of(const struct doctor *d)
{
	const struct auth *auth = route_auth(d->route, 0);

	if (auth && auth_user(auth)[0])
		return auth_user(auth);
	return doctor_chain(d)->hop[0].user[0] ? doctor_chain(d)->hop[0].user : d->options->proxy_user;
}

/* It asked for credentials, and was shown those that we have. */
static void proxy_tried(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;
	const char *shown = doctor_chain(d)->hop[0].shown, *user = user_of(d);
	const struct auth *auth = route_auth(d->route, 0);
	enum auth_scheme scheme = auth ? auth_scheme(auth) : AUTH_NONE;
	char text[DOCTOR_TEXT];

	s->stream = stream;
	if (error == ERROR_PROXY_AUTH) {
		check_blame(run, OBSTACLE_AUTH, true);
		check_end(run, OUTCOME_BROKEN, "%s (407)", why);
		return;
	}
	d->have |= HAVE_PROXY;
	doctor_note_login(d);
	check_end(run, OUTCOME_OK, "%s (%s) wants credentials, offers %s: %s%s%s are used%s%s (407)%s", shown, way_from(d), s->schemes,
		  user ? "those of user '" : "those that this machine has", user ? user : "", user ? "'" : "", scheme ? ", by " : "",
		  scheme ? auth_scheme_name(scheme) : "", passed_over(d, text));
}

static void proxy_wants(struct check_run *run, const struct ask_answer *a)
{
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;

	snprintf(s->schemes, sizeof s->schemes, "%s", a->schemes[0] ? a->schemes : "nothing");
	if (doctor_is_plain(d)) {	/* there, each request tells */
		proxy_tried(run, s->stream, 0, "");
		return;
	}
	hop_close(s->stream);
	s->stream = NULL;
	check_say(run, "it offers %s", s->schemes);
	s->dialler = route_plain(d->route, d->options->server.port);
	reach_start(&s->reach, run, dialler_pool(s->dialler), proxy_tried);
}

static void proxy_silent(struct check_run *run, int error)
{
	const char *proxy = way_shown(run->doctor);

	check_blame(run, OBSTACLE_CONNECT, true);
	if (error == ERROR_MALFORMED)
		check_end(run, OUTCOME_BROKEN, "%s does not speak HTTP: is this a proxy?", proxy);
	else if (error == ERROR_TIMEOUT)
		check_end(run, OUTCOME_BROKEN, "%s does not answer CONNECT: is this a proxy?", proxy);
	else
		check_end(run, OUTCOME_BROKEN, "%s ends the connection instead of answering CONNECT (%s): is this a proxy?", proxy,
			  error_text(error));
}

static void proxy_answered(void *ctx, const struct ask_answer *a)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;
	char text[DOCTOR_TEXT];

	s->ask = NULL;
	d->outer = a->evidence;
	if (a->error) {
		proxy_silent(run, a->error);
		return;
	}
	box_name(&d->outer, run->box);
	d->proxy_status = a->status;
	check_figure(run, "status", a->status);
	if (a->status == 407) {
		proxy_wants(run, a);
		return;
	}
	d->have |= HAVE_PROXY;
	check_end(run, OUTCOME_OK, "%s (%s) answers in HTTP/1.%d%s%s%s and asks for no credentials%s", way_shown(d), way_from(d), a->minor,
		  run->box[0] ? ", is " : "", run->box, run->box[0] ? "," : "", passed_over(d, text));
}

static void proxy_connected(void *ctx, struct stream *stream, const struct address *winner, int error)
{
	struct check_run *run = ctx;

	(void)winner;
	if (error) {
		((struct dialling *)run->state)->happy = NULL;
		tcp_broken(run, error);
		return;
	}
	ask_connect(run, stream, run->doctor->options->server.port, proxy_answered);
}

static void proxy_none(struct check_run *run)
{
	struct doctor *d = run->doctor;
	char text[DOCTOR_TEXT];

	d->have |= HAVE_PROXY;
	if (d->list.from[0])
		check_end(run, OUTCOME_OK, "none is used: %s says so%s", d->list.from, passed_over(d, text));
	else
		check_end(run, OUTCOME_OK, "none is used%s; if this network has one, give it with --proxy",
			  d->options->proxy_auto ? ": neither the environment nor the system names one" : "");
}

static void proxy_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct dialling *s = dialling_new(run);
	const struct proxy_chain *c = doctor_chain(d);
	char text[DOCTOR_TEXT];

	check_figure(run, "candidates", d->list.n);
	check_figure(run, "hops", c->n);
	if (c->n == 0) {
		proxy_none(run);
	} else if (c->hop[0].kind != PROXY_HTTP) {
		d->have |= HAVE_PROXY;
		check_end(run, OUTCOME_OK, "%s (%s) is spoken to %s%s", way_text(d), way_from(d),
			  c->hop[0].kind == PROXY_HTTPS ? "by TLS" : "in SOCKS5", passed_over(d, text));
	} else {
		check_say(run, "asking %s", way_shown(d));
		s->happy = happy_start(d->loop, d->address, d->addresses, proxy_connected, run);
	}
}

const struct check check_proxy = { "proxy", "Proxy", HAVE_TCP, 40 * LOOP_SECOND, proxy_start, dialling_stop, NULL };
