/*
 * The way of the doctor. Used by doctor.c before the first check, and by those that
 * speak to the first box; asks the route what was found.
 */
#include "client/doctor_way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/hop.h"

#define LOOK_US (50 * LOOP_MS)
#define PATIENCE_US (12 * LOOP_SECOND)	/* longer than discovery takes at most */

static void begin_with(struct doctor *d, unsigned candidate)
{
	d->candidate = candidate;
	proxy_chain_text(doctor_chain(d), d->way, sizeof d->way);
}

/* ---- the candidate that the helper would use ---- */

/* The route has found its way, or none; or that takes too long. */
static void settled(struct doctor *d)
{
	const struct proxy_chain *used = route_chain(d->route);
	unsigned at = 0;

	timer_stop(&d->look);
	while (at + 1 < d->list.n && !proxy_chain_equal(&d->list.chain[at], used))
		at++;
	if (!proxy_chain_equal(&d->list.chain[at], used))
		at = 0;
	while (d->candidate < at)
		way_next(d, "no way to the server");
	d->known(d);
}

static void tried(void *ctx, struct stream *stream, int error, const char *why)
{
	struct doctor *d = ctx;

	(void)error;
	(void)why;
	d->trial = NULL;
	if (stream)
		hop_close(stream);
	settled(d);
}

static void trial_cancel(struct doctor *d)
{
	if (d->trial)
		route_dialler(d->route)->cancel(d->trial);
	d->trial = NULL;
}

/* The first that works, as for the helper: what is behind it cannot be seen from the first hop alone. */
static void try_all(struct doctor *d)
{
	const struct pool_dialler *by = route_dialler(d->route);

	d->trial = by->start(by->ctx, DIAL_11, tried, d);
	timer_in(&d->look, PATIENCE_US);
}

/* ---- waiting ---- */

static void on_look(void *ctx)
{
	struct doctor *d = ctx;
	const struct proxy_list *found = route_list(d->route);

	if (d->list.n) {	/* the trial takes too long */
		trial_cancel(d);
		settled(d);
		return;
	}
	if (!found && loop_now(d->loop) - d->began_us < PATIENCE_US) {
		timer_in(&d->look, LOOK_US);
		return;
	}
	if (found)
		d->list = *found;
	else
		d->list = (struct proxy_list){ .n = 1, .chain = { d->options->proxy } };
	begin_with(d, 0);
	if (d->list.n > 1)
		try_all(d);
	else
		d->known(d);
}

void way_begin(struct doctor *d, void (*known)(struct doctor *))
{
	d->known = known;
	timer_init(&d->look, d->loop, on_look, d);
	timer_in(&d->look, 0);
}

void way_end(struct doctor *d)
{
	if (!d->known)
		return;
	trial_cancel(d);
	timer_stop(&d->look);
}

bool way_next(struct doctor *d, const char *why)
{
	size_t n = strlen(d->passed_over);

	if (d->candidate + 1 >= d->list.n)
		return false;
	snprintf(d->passed_over + n, sizeof d->passed_over - n, "%s%.100s (%.100s)", n ? ", " : "", d->way, why);
	begin_with(d, d->candidate + 1);
	return true;
}

const char *way_host(const struct doctor *d)
{
	const struct proxy_chain *c = doctor_chain(d);

	return c->n ? c->hop[0].host : doctor_is_plain(d) ? d->options->server.plain_host : d->options->server.host;
}

uint16_t way_port(const struct doctor *d)
{
	const struct proxy_chain *c = doctor_chain(d);

	return c->n ? c->hop[0].port : doctor_is_plain(d) ? d->options->server.plain_port : d->options->server.port;
}

const char *way_shown(const struct doctor *d)
{
	const struct proxy_chain *c = doctor_chain(d);

	return c->n ? c->hop[0].shown : doctor_is_plain(d) ? d->options->server.plain_authority : d->options->server.authority;
}

const char *way_from(const struct doctor *d)
{
	return d->options->proxy.n || !d->list.from[0] ? config_where(d->options->config, "proxy", 0) : d->list.from;
}

const char *way_text(const struct doctor *d)
{
	return d->way;
}

void doctor_note_login(struct doctor *d)
{
	const struct proxy_chain *c = doctor_chain(d);
	size_t n = 0;

	for (unsigned i = 0; i < c->n && n < sizeof d->login; i++) {
		const struct auth *auth = route_auth(d->route, i);
		enum auth_scheme scheme = auth ? auth_scheme(auth) : AUTH_NONE;

		if (scheme)
			n += (size_t)snprintf(d->login + n, sizeof d->login - n, "%s%s%s%s", n ? ", " : "", auth_scheme_name(scheme),
					      auth_user(auth)[0] ? " as " : "", auth_user(auth));
	}
}
