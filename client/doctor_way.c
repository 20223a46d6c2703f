/*
 * The way of the doctor. Used by doctor.c before the first check, and by those that
 * speak to the first box; asks the route what was found.
 */
#include "client/doctor_way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_US (50 * LOOP_MS)
#define PATIENCE_US (12 * LOOP_SECOND)	/* longer than discovery takes at most */

static void settle(struct doctor *d)
{
	const struct proxy_list *found = route_list(d->route);

	if (found)
		d->list = *found;
	else
		d->list = (struct proxy_list){ .n = 1, .chain = { d->options->proxy } };
	d->candidate = 0;
	proxy_chain_text(&d->list.chain[0], d->way, sizeof d->way);
}

static void on_look(void *ctx)
{
	struct doctor *d = ctx;

	if (!route_list(d->route) && d->options->proxy_auto && loop_now(d->loop) - d->began_us < PATIENCE_US) {
		timer_in(&d->look, LOOK_US);
		return;
	}
	settle(d);
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
	if (d->known)
		timer_stop(&d->look);
}

bool way_next(struct doctor *d, const char *why)
{
	size_t n = strlen(d->passed_over);

	if (d->candidate + 1 >= d->list.n)
		return false;
	snprintf(d->passed_over + n, sizeof d->passed_over - n, "%s%.100s (%.100s)", n ? ", " : "", d->way, why);
	d->candidate++;
	proxy_chain_text(doctor_chain(d), d->way, sizeof d->way);
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
