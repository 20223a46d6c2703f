/*
 * A route. Owned by helper.c; calls the dialler. After a reload the old dialler
 * stays for the longest time that one of its dials can take.
 */
#include "client/route.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/dial.h"
#include "client/secret.h"
#include "framing/error.h"
#include "tunnel/daemon.h"
#include "tunnel/log.h"

#define RETIRE_US (60 * LOOP_SECOND) /* longer than all deadlines of a dial together */

/* A dialler and what it uses. */
struct way {
	struct way *next;	/* older */
	struct tls_context *tls, *proxy_tls, *seal_tls;
	struct proxy_chain chain;
	struct auth *auth[PROXY_HOPS_MAX];
	struct dialler *dialler;
	int64_t until_us;	/* retired: freed then */
};

struct route {
	struct loop *loop;
	const struct options *options;
	struct resolver *resolver;
	struct way *way;	/* the first one is in use */
	struct timer retire;
	struct pool_dialler dialler; /* the one in use, for people who cannot know that it changes */
};

static int unreadable(char *error, size_t size, const char *option, const char *file)
{
	snprintf(error, size, "--%s: cannot read %s: %s", option, file, strerror(errno));
	return ERROR_SYSTEM;
}

/* For TLS to the server, to proxies, and for the handshakes of seals. Pins are of the server only. */
static int tls_load(const struct options *o, struct way *w, char *error, size_t size)
{
	struct tls_trust trust = options_trust(o);

	if (o->cafile && access(o->cafile, R_OK) < 0)
		return unreadable(error, size, "cafile", o->cafile);
	if (o->ca_dir && access(o->ca_dir, R_OK | X_OK) < 0)
		return unreadable(error, size, "ca-dir", o->ca_dir);
	w->tls = tls_context_client(&trust, "http/1.1", error, size);
	if (w->tls)
		w->seal_tls = tls_context_client_seal(&trust, error, size);
	trust.n_pins = 0;
	if (w->seal_tls)
		w->proxy_tls = tls_context_client(&trust, "http/1.1", error, size);
	return w->proxy_tls ? 0 : ERROR_CONFIG;
}

static void way_free(struct way *w)
{
	dialler_free(w->dialler);
	for (unsigned i = 0; i < w->chain.n; i++)
		auth_free(w->auth[i]);
	tls_context_release(w->tls);
	tls_context_release(w->proxy_tls);
	tls_context_release(w->seal_tls);
	free(w);
}

/* The proxies, and who we are at each. */
static void way_proxies(struct way *w, const struct options *o, struct loop *loop, const char *password)
{
	w->chain = o->proxy;
	for (unsigned i = 0; i < w->chain.n; i++) {
		struct proxy *p = &w->chain.hop[i];
		struct auth_config c = { .loop = loop, .proxy = p, .allowed = options_proxy_auth(o, true) };

		if (!p->user[0] && o->proxy_user)
			snprintf(p->user, sizeof p->user, "%s", o->proxy_user);
		c.password = p->user[0] ? password : NULL;
		if (p->kind != PROXY_SOCKS5 || p->user[0])
			w->auth[i] = auth_new(&c);
	}
}

/* Puts a new way in front; on failure nothing changes. */
static int way_load(struct route *r, char *error, size_t size)
{
	const struct options *o = r->options;
	struct dial_config config = {
		.loop = r->loop,
		.resolver = r->resolver,
		.server_host = o->server.host,
		.server_port = o->server.port,
		.plain = o->server.plain_only,
		.plain_host = o->server.plain_host,
		.plain_port = o->server.plain_port,
	};
	char password[PROXY_PASSWORD_MAX] = "";
	struct way *w = calloc(1, sizeof *w);
	int rc = secret_read(o, password, error, size);

	if (!w)
		abort();
	if (rc >= 0)
		rc = tls_load(o, w, error, size);
	if (rc < 0) {
		way_free(w);
		goto out;
	}
	config.tls = w->tls;
	config.proxy_tls = w->proxy_tls;
	way_proxies(w, o, r->loop, password);
	config.chain = &w->chain;
	memcpy(config.auth, w->auth, sizeof config.auth);
	w->dialler = dialler_new(&config);
	w->next = r->way;
	r->way = w;
out:
	daemon_wipe(password, sizeof password);
	return rc;
}

static void on_retire(void *ctx)
{
	struct route *r = ctx;
	struct way **at = &r->way->next;

	while (*at) {
		struct way *w = *at;

		if (w->until_us > loop_now(r->loop)) {
			timer_sooner(&r->retire, w->until_us);
			at = &w->next;
			continue;
		}
		*at = w->next;
		way_free(w);
	}
}

static struct dial *on_start(void *ctx, void (*done)(void *pool_ctx, struct stream *, int error, const char *why),
			     void *pool_ctx)
{
	struct route *r = ctx;
	const struct pool_dialler *d = dialler_pool(r->way->dialler);

	return d->start(d->ctx, done, pool_ctx);
}

struct route *route_new(struct loop *loop, const struct options *o, char *error, size_t size)
{
	struct route *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->loop = loop;
	r->options = o;
	r->resolver = resolver_new(loop);
	timer_init(&r->retire, loop, on_retire, r);
	if (way_load(r, error, size) < 0) {
		route_free(r);
		return NULL;
	}
	/* A dial is cancelled alike whichever dialler it came from. */
	r->dialler = (struct pool_dialler){ on_start, dialler_pool(r->way->dialler)->cancel, r };
	return r;
}

void route_free(struct route *r)
{
	struct way *w;

	if (!r)
		return;
	timer_stop(&r->retire);
	while ((w = r->way)) {
		r->way = w->next;
		way_free(w);
	}
	resolver_free(r->resolver);
	loop_free_later(r->loop, r);
}

int route_reload(struct route *r, char *error, size_t size)
{
	struct way *old = r->way;
	int rc = way_load(r, error, size);

	if (rc < 0)
		return rc;
	old->until_us = loop_now(r->loop) + RETIRE_US;
	timer_sooner(&r->retire, old->until_us);
	return 0;
}

const struct pool_dialler *route_dialler(const struct route *r)
{
	return &r->dialler;
}

void route_forget(struct route *r)
{
	for (struct way *w = r->way; w; w = w->next)
		dialler_forget(w->dialler);
	resolver_renew(r->resolver);
}

bool route_moved(const struct route *r)
{
	return dialler_moved(r->way->dialler);
}

struct tls_context *route_tls(const struct route *r)
{
	return r->way->tls;
}

struct tls_context *route_seal_tls(const struct route *r)
{
	return r->way->seal_tls;
}

struct resolver *route_resolver(const struct route *r)
{
	return r->resolver;
}

struct dialler *route_plain(const struct route *r, uint16_t port)
{
	return dialler_plain(r->way->dialler, port);
}
