/*
 * Discovery. Called by route.c and the doctor; asks, in this order, the options, the
 * environment, the system's settings (settings.c) and PAC files (pac_ask.c). The latter two
 * are asked again every 15 minutes, a PAC file that gave no answer sooner.
 */
#include "client/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/environment.h"
#include "client/pac_ask.h"
#include "client/proxy_env.h"
#include "client/settings.h"
#include "tunnel/log.h"
#include "tunnel/resolve.h"

#define ALL_US (10 * LOOP_SECOND)
#define AGAIN_US (15 * 60 * LOOP_SECOND)
#define FAILED_AGAIN_US (5 * LOOP_SECOND)	/* doubled with each failure */

struct discovery {
	struct loop *loop;
	const struct options *options;
	void (*found)(void *ctx, const struct proxy_list *);
	void *ctx;
	struct resolver *resolver;
	struct settings *settings;
	struct pac_ask *pac;
	struct later look;
	struct timer again;
	int64_t began_us;
	char url[300];			/* of the server, as browsers tell it to PAC scripts */
	bool moved;			/* the network changed since the last answer: an old one is of no use */
	bool from_settings;		/* the PAC file being asked is named by the desktop */
	unsigned failures;
	bool answered;			/* a PAC file gave the list that is in use */
	char said[400];			/* the last trouble that was logged */
	struct proxy_list next;		/* being made */
	struct proxy_list list;
	bool known;
};

/* ---- answers ---- */

static void say(const struct proxy_list *l)
{
	enum log_level level = l->n > 1 || l->chain[0].n > 0 || l->from[0] ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
	char text[1000], one[600];
	size_t n = 0;

	for (unsigned i = 0; i < l->n && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", proxy_chain_text(&l->chain[i], one, sizeof one));
	log_write(level, NULL, "proxy", "", "proxy candidates: %s (from %s)", text, l->from[0] ? l->from : "nothing: nobody names one");
}

/* The last thing done in a callback: found may free us. */
static void settle(struct discovery *d)
{
	bool news = !d->known || !proxy_list_equal(&d->list, &d->next);

	d->moved = false;
	if (!news)
		return;
	d->list = d->next;
	d->known = true;
	say(&d->list);
	d->found(d->ctx, &d->list);
}

static void clear(struct discovery *d)
{
	explicit_bzero(&d->next, sizeof d->next);
	d->next.n = 1;
}

/* At warn when it is news. */
static void trouble(struct discovery *d, const char *what)
{
	bool news = strcmp(d->said, what) != 0;

	snprintf(d->said, sizeof d->said, "%s", what);
	log_write(news ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, NULL, "proxy", "", "%s", what);
}

/* ---- PAC files ---- */

/* A URL without what may be secret in it: users and queries. */
static void show(const char *where, char *out, size_t size)
{
	const char *rest = strstr(where, "://"), *at;
	size_t n;

	rest = rest ? rest + 3 : where;
	n = strcspn(rest, "/?#");
	at = rest > where ? memrchr(rest, '@', n) : NULL;
	n = rest > where ? strcspn(rest, "?#") : strlen(rest);
	if (at)
		n -= (size_t)(at + 1 - rest);
	snprintf(out, size, "%.*s%.*s", (int)(rest - where), where, (int)n, at ? at + 1 : rest);
}

/* What was found before is better than nothing, as long as the network is the same. */
static bool keeps(const struct discovery *d)
{
	return d->known && !d->moved;
}

static void pac_failed(struct discovery *d, const char *where, const char *why)
{
	char what[400];
	bool keep = keeps(d);

	snprintf(what, sizeof what, "the PAC file %.120s %.180s; %s", where, why,
		 keep && d->answered ? "what it said before stays" : "going without a proxy until it answers");
	trouble(d, what);
	timer_in(&d->again, d->failures < 7 ? FAILED_AGAIN_US << d->failures : AGAIN_US);
	d->failures++;
	if (keep)
		return;
	d->answered = false;
	clear(d);
	snprintf(d->next.from, sizeof d->next.from, "PAC %.200s, which fails", where);
	settle(d);
}

static void on_pac(void *ctx, struct proxy_list *list, const char *where, const char *why)
{
	struct discovery *d = ctx;
	char shown[260];

	show(where, shown, sizeof shown);
	pac_ask_free(d->pac);	/* its memory stays until the end of the turn */
	d->pac = NULL;
	if (!list) {
		pac_failed(d, shown, why);
		return;
	}
	d->next = *list;
	d->next.named = false;
	snprintf(d->next.from, sizeof d->next.from, "PAC %.230s%s", shown, d->from_settings ? ", system settings" : "");
	d->failures = 0;
	d->answered = true;
	d->said[0] = 0;
	timer_in(&d->again, AGAIN_US);
	settle(d);
}

static void ask_pac(struct discovery *d, const char *pac, bool from_settings)
{
	struct pac_ask_config config = {
		.loop = d->loop, .resolver = d->resolver, .pac = pac, .cafile = d->options->cafile, .cadir = d->options->ca_dir, .url = d->url,
		.host = d->options->server.host, .until_us = d->began_us + ALL_US,
	};

	d->from_settings = from_settings;
	d->pac = pac_ask_start(&config, on_pac, d);
}

/* ---- where to look ---- */

static void on_settings(void *ctx, const struct settings_result *r)
{
	struct discovery *d = ctx;

	clear(d);
	if (r->kind == SETTINGS_LIST) {
		d->next = r->list;
		snprintf(d->next.from, sizeof d->next.from, "system settings");
	} else if (r->kind == SETTINGS_UNKNOWN) {
		log_debug("proxy", "", "the system's settings are not known: %s", r->why);
	} else if (r->kind != SETTINGS_NONE) {
		ask_pac(d, r->kind == SETTINGS_PAC ? r->pac : "wpad", true);
	}
	settings_free(d->settings);
	d->settings = NULL;
	if (d->pac)
		return;
	timer_in(&d->again, AGAIN_US);	/* people change them */
	if (r->kind != SETTINGS_UNKNOWN || !keeps(d))
		settle(d);
}

/* True when it is decided. */
static bool look_at_once(struct discovery *d)
{
	const struct options *o = d->options;
	char error[300], text[360];
	int rc;

	clear(d);
	if (!o->proxy_auto) {
		d->next.chain[0] = o->proxy;
		d->next.named = true;
		snprintf(d->next.from, sizeof d->next.from, "%.290s", config_where(o->config, "proxy", 0));
		return true;
	}
	if (o->proxy_pac)
		return false;
	rc = proxy_env_find(environment_get, o->server.plain_only, o->server.host, o->server.port, &d->next, error, sizeof error);
	if (rc < 0) {
		snprintf(text, sizeof text, "the environment variable %s", error);
		trouble(d, text);
		clear(d);
	}
	return rc > 0;
}

static void on_look(void *ctx)
{
	struct discovery *d = ctx;

	d->began_us = loop_now(d->loop);
	if (look_at_once(d))
		settle(d);
	else if (d->options->proxy_pac)
		ask_pac(d, d->options->proxy_pac, false);
	else
		d->settings = settings_start(d->loop, d->url, on_settings, d);
}

static void quiet(struct discovery *d)
{
	pac_ask_free(d->pac);
	settings_free(d->settings);
	d->pac = NULL;
	d->settings = NULL;
	timer_stop(&d->again);
	later_cancel(d->loop, &d->look);
}

static void on_again(void *ctx)
{
	struct discovery *d = ctx;

	quiet(d);
	on_look(d);
}

/* ---- from outside ---- */

struct discovery *discovery_new(struct loop *loop, const struct options *o, void (*found)(void *ctx, const struct proxy_list *),
				void *ctx)
{
	struct discovery *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->loop = loop;
	d->options = o;
	d->found = found;
	d->ctx = ctx;
	d->resolver = resolver_new(loop);
	snprintf(d->url, sizeof d->url, "%s://%s/", o->server.plain_only ? "http" : "https", o->server.authority);
	later_init(&d->look, on_look, d);
	timer_init(&d->again, loop, on_again, d);
	if (look_at_once(d)) {
		d->list = d->next;
		d->known = true;
		say(&d->list);
	} else {
		loop_later(loop, &d->look);
	}
	return d;
}

void discovery_free(struct discovery *d)
{
	if (!d)
		return;
	quiet(d);
	resolver_free(d->resolver);
	explicit_bzero(&d->next, sizeof d->next);
	explicit_bzero(&d->list, sizeof d->list);
	loop_free_later(d->loop, d);
}

void discovery_again(struct discovery *d, bool moved)
{
	quiet(d);
	resolver_renew(d->resolver);
	d->moved = d->moved || moved;
	d->failures = 0;
	d->said[0] = 0;
	loop_later(d->loop, &d->look);
}

const struct proxy_list *discovery_list(const struct discovery *d)
{
	return d->known ? &d->list : NULL;
}
