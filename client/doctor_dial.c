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
#include "client/happy.h"
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
	char why[DOCTOR_TEXT];
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
		stream_close(s->stream);
	dialler_free(s->dialler);
}

static double ms_since(const struct check_run *run, int64_t us)
{
	return (double)(loop_now(run->doctor->loop) - us) / 1e3;
}

/* On the connection that won the race to the proxy. */
static void ask_connect(struct check_run *run, struct stream *stream, unsigned port,
			void (*answered)(void *ctx, const struct ask_answer *))
{
	const char *host = run->doctor->options->server.host;
	struct dialling *s = run->state;
	char target[300];

	s->happy = NULL;
	s->stream = stream;
	snprintf(target, sizeof target, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	s->ask = ask_start(run->doctor->loop, stream, "CONNECT", target, target, PROXY_LINES, 10 * LOOP_SECOND, answered, run);
}

static const char *first_host(const struct options *o)
{
	return o->proxy.n ? o->proxy.hop[0].host : o->server.host;
}

static const char *first_hop(const struct options *o)
{
	return o->proxy.n ? o->proxy.hop[0].shown : o->server.authority;
}

/* ---- DNS ---- */

static void dns_done(void *ctx, const struct address *address, size_t n, int error)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;
	const char *host = first_host(d->options), *whose = d->options->proxy.n ? " of the proxy" : "";
	char text[ADDRESS_TEXT];
	struct address literal;
	double ms = ms_since(run, s->began_us);

	s->resolve = NULL;
	check_figure(run, "ms", ms);
	if (error) {
		box_note(run->box, sizeof run->box, "DNS", 3);
		check_blame(run, OBSTACLE_DNS, true);
		check_end(run, OUTCOME_BROKEN, error == ERROR_TIMEOUT
			  ? "DNS gave no address for the name %s%s in time: is the network up?"
			  : "the name %s%s has no address: check its spelling, or this machine's DNS", host, whose);
		return;
	}
	memcpy(d->address, address, n * sizeof *address);
	d->addresses = n;
	d->have |= HAVE_ADDRESS;
	address_text(&address[0], text);
	*strrchr(text, ':') = 0;	/* the port */
	check_figure(run, "addresses", (double)n);
	if (address_literal(host, 0, &literal))
		check_end(run, OUTCOME_OK, d->options->proxy.n
			  ? "the proxy is given by its address; the server's name is found by the proxy"
			  : "the server is given by its address");
	else if (d->options->proxy.n)
		check_end(run, OUTCOME_OK, "the proxy %s is at %s (%.0f ms); the server's name is found by the proxy", host, text, ms);
	else
		check_end(run, OUTCOME_OK, "%s is at %s%s (%.0f ms)", host, text, n > 1 ? " and others" : "", ms);
}

static void dns_start(struct check_run *run)
{
	const struct options *o = run->doctor->options;
	struct dialling *s = dialling_new(run);

	check_say(run, "looking for %s", first_host(o));
	s->resolve = resolve_start(route_resolver(run->doctor->route), first_host(o),
				   o->proxy.n ? o->proxy.hop[0].port : o->server.port, dns_done, run);
}

const struct check check_dns = { "dns", "DNS", 0, 8 * LOOP_SECOND, dns_start, dialling_stop, NULL };

/* ---- TCP ---- */

static void tcp_failed(struct check_run *run, int error)
{
	const struct options *o = run->doctor->options;
	const char *whose = o->proxy.n ? "the proxy " : "", *hop = first_hop(o);
	const char *hint = o->proxy.n ? "" : ": if this network needs a proxy, give it with --proxy";

	check_blame(run, OBSTACLE_REACH, true);
	if (error == ERROR_REFUSED)
		check_end(run, OUTCOME_BROKEN, "nothing listens at %s%s (connection refused)%s", whose, hop,
			  o->proxy.n ? "; is that the proxy's address?" : "; is that the server's port?");
	else if (error == ERROR_UNREACHABLE)
		check_end(run, OUTCOME_BROKEN, "there is no route to %s%s: is the network up?", whose, hop);
	else
		check_end(run, OUTCOME_BROKEN, "%s%s did not accept a connection (%s)%s", whose, hop, error_text(error), hint);
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
	check_end(run, OUTCOME_OK, "connected to %s (%s) in %.1f ms", first_hop(d->options), text, (double)d->connect_us / 1e3);
}

static void tcp_late(struct check_run *run)
{
	tcp_failed(run, ERROR_TIMEOUT);
}

static void tcp_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct dialling *s = dialling_new(run);

	check_say(run, "connecting to %s", first_hop(d->options));
	s->happy = happy_start(d->loop, d->address, d->addresses, tcp_done, run);
}

const struct check check_tcp = { "tcp", "TCP", HAVE_ADDRESS, 10 * LOOP_SECOND, tcp_start, dialling_stop, tcp_late };

/* ---- the proxy: what does it ask for? ---- */

static void proxy_wants(struct check_run *run, const struct ask_answer *a, const char *from)
{
	const struct options *o = run->doctor->options;
	const char *offers = a->schemes[0] ? a->schemes : "nothing";
	bool basic = strcasestr(offers, "basic") != NULL;

	if (o->proxy.hop[0].user[0] && basic) {
		run->doctor->have |= HAVE_PROXY;
		check_end(run, OUTCOME_OK, "%s (%s) wants credentials, offers %s: those of user '%s' are used (407)", o->proxy.hop[0].shown, from,
			  offers, o->proxy.hop[0].user);
		return;
	}
	check_blame(run, OBSTACLE_AUTH, true);
	if (basic)
		check_end(run, OUTCOME_BROKEN, "%s wants credentials (407, it offers %s): give --proxy http://USER@%s and "
			  "--proxy-password-file", o->proxy.hop[0].shown, offers, o->proxy.hop[0].shown);
	else
		check_end(run, OUTCOME_BROKEN, "%s wants credentials of a kind that is not supported (407, it offers %s)", o->proxy.hop[0].shown,
			  offers);
}

static void proxy_silent(struct check_run *run, int error)
{
	const char *proxy = run->doctor->options->proxy.hop[0].shown;

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
	const struct options *o = d->options;
	const char *from = config_where(o->config, "proxy", 0);

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
		proxy_wants(run, a, from);
		return;
	}
	d->have |= HAVE_PROXY;
	check_end(run, OUTCOME_OK, "%s (%s) answers in HTTP/1.%d%s%s%s and asks for no credentials", o->proxy.hop[0].shown, from, a->minor,
		  run->box[0] ? ", is " : "", run->box, run->box[0] ? "," : "");
}

static void proxy_connected(void *ctx, struct stream *stream, const struct address *winner, int error)
{
	struct check_run *run = ctx;

	(void)winner;
	if (error) {
		((struct dialling *)run->state)->happy = NULL;
		tcp_failed(run, error);
		return;
	}
	ask_connect(run, stream, run->doctor->options->server.port, proxy_answered);
}

static void proxy_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct dialling *s = dialling_new(run);

	if (!d->options->proxy.n) {
		d->have |= HAVE_PROXY;
		check_end(run, OUTCOME_OK, "none is used; if this network has one, give it with --proxy");
		return;
	}
	check_say(run, "asking %s", d->options->proxy.hop[0].shown);
	s->happy = happy_start(d->loop, d->address, d->addresses, proxy_connected, run);
}

const struct check check_proxy = { "proxy", "Proxy", HAVE_TCP, 15 * LOOP_SECOND, proxy_start, dialling_stop, NULL };

/* ---- CONNECT: how far does it let us? ---- */

static void connect_refused(struct check_run *run, bool port)
{
	struct dialling *s = run->state;
	const struct options *o = run->doctor->options;

	check_blame(run, port ? OBSTACLE_PORT : s->error == ERROR_PROXY_AUTH ? OBSTACLE_AUTH : OBSTACLE_CONNECT, true);
	if (port)
		check_end(run, OUTCOME_BROKEN, "%s allows CONNECT to port 443 of %s, but not to port %u", o->proxy.hop[0].shown, o->server.host,
			  o->server.port);
	else
		check_end(run, OUTCOME_BROKEN, "%s", s->why);
}

/* Whether the server is there on 443 does not matter: 502 and the like mean that the proxy has tried. */
static void connect_compared(void *ctx, const struct ask_answer *a)
{
	struct check_run *run = ctx;
	struct dialling *s = run->state;
	bool usual = !a->error && (a->status / 100 == 2 || a->status / 100 == 5);

	s->ask = NULL;
	check_figure(run, "connect_443", usual);
	connect_refused(run, usual);
}

static void connect_other(void *ctx, struct stream *stream, const struct address *winner, int error)
{
	struct check_run *run = ctx;

	(void)winner;
	if (error) {
		((struct dialling *)run->state)->happy = NULL;
		connect_refused(run, false);
		return;
	}
	ask_connect(run, stream, 443, connect_compared);
}

static void connect_done(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct doctor *d = run->doctor;
	struct dialling *s = run->state;

	s->stream = stream;
	s->error = error;
	snprintf(s->why, sizeof s->why, "%s", why);
	check_figure(run, "ms", ms_since(run, s->reach.began_us));
	if (!error) {
		d->have |= HAVE_TUNNEL;
		check_end(run, OUTCOME_OK, "CONNECT to port %u is allowed (%.1f ms)", d->options->server.port,
			  ms_since(run, s->reach.began_us));
	} else if ((d->proxy_status == 403 || d->proxy_status == 405) && d->options->server.port != 443) {
		check_say(run, "CONNECT to port 443, to compare");
		s->happy = happy_start(d->loop, d->address, d->addresses, connect_other, run);
	} else {
		connect_refused(run, false);
	}
}

static void connect_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct dialling *s = dialling_new(run);

	if (!d->options->proxy.n) {
		d->have |= HAVE_TUNNEL;
		check_end(run, OUTCOME_SKIPPED, "no proxy, nothing to ask for");
		return;
	}
	check_say(run, "CONNECT to %s:%u", d->options->server.host, d->options->server.port);
	s->dialler = route_plain(d->route, d->options->server.port);
	reach_start(&s->reach, run, dialler_pool(s->dialler), connect_done);
}

const struct check check_connect = { "connect", "CONNECT", HAVE_PROXY, 25 * LOOP_SECOND, connect_start, dialling_stop, NULL };
