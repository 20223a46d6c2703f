/*
 * Ways. Made by route.c. Each chain of proxies is one way by TLS to the server; where
 * its last proxy speaks HTTP, or the server is to be reached without TLS, one more
 * without CONNECT.
 */
#include "client/ways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/secret.h"
#include "framing/error.h"
#include "tunnel/daemon.h"
#include "tunnel/stream_tls.h"

static int unreadable(char *error, size_t size, const char *option, const char *file)
{
	snprintf(error, size, "--%s: cannot read %s: %s", option, file, strerror(errno));
	return ERROR_SYSTEM;
}

/* The server's certificate, a seal's, and those of proxies that are spoken to by TLS: pins are of the server. */
static int trust_load(struct ways *w, char *error, size_t size)
{
	const struct options *o = w->options;
	struct tls_trust trust = options_trust(o), seal = options_trust_seal(o);

	if (o->cafile && access(o->cafile, R_OK) < 0)
		return unreadable(error, size, "cafile", o->cafile);
	if (o->ca_dir && access(o->ca_dir, R_OK | X_OK) < 0)
		return unreadable(error, size, "ca-dir", o->ca_dir);
	w->tls = tls_context_client(&trust, "http/1.1", error, size);
	trust.quiet = seal.quiet = true;
	if (w->tls)
		w->seal_tls = tls_context_client_seal(&seal, error, size);
	trust.n_pins = 0;
	if (w->seal_tls)
		w->proxy_tls = tls_context_client(&trust, "http/1.1", error, size);
	return w->proxy_tls ? 0 : ERROR_CONFIG;
}

/* ---- credentials ---- */

/* What the proxy knew of us before stays known: what it rejected, too. */
static struct auth *auth_make(const struct ways *w, const struct proxy *given, const struct auth_config *config)
{
	for (const struct ways *b = w->before; b; b = b->next)
		for (unsigned i = 0; i < b->n_auths; i++)
			if (proxy_equal(&b->proxies[i], given) && auth_is_same(b->auths[i], config))
				return auth_keep(b->auths[i]);
	return auth_new(config);
}

/* What this proxy knows of us, shared by all ways that go through it. */
static struct auth *auth_of(struct ways *w, const struct proxy *given)
{
	struct proxy p = *given;
	struct auth_config config = { .loop = w->loop, .proxy = &p };

	for (unsigned i = 0; i < w->n_auths; i++)
		if (proxy_equal(&w->proxies[i], given))
			return w->auths[i];
	if (!p.user[0] && w->options->proxy_user)
		snprintf(p.user, sizeof p.user, "%s", w->options->proxy_user);
	if (p.password[0])
		config.password = p.password;
	else if (p.user[0] && w->password[0])
		config.password = w->password;
	/* Basic shows the password to the proxy, and so does SOCKS5, which has nothing else: TLS is no reason to trust one that
	 * anybody may have named. */
	config.allowed = options_proxy_auth(w->options, w->list.named);
	if (p.kind == PROXY_SOCKS5 && w->list.named)
		config.allowed |= 1u << AUTH_BASIC;
	w->proxies[w->n_auths] = *given;
	daemon_wipe(w->proxies[w->n_auths].password, sizeof w->proxies[w->n_auths].password);
	w->auths[w->n_auths] = auth_make(w, given, &config);
	for (unsigned i = 0; config.password && i < w->n_auths; i++)
		if (auth_is_same(w->auths[i], &config))
			auth_join(w->auths[i], w->auths[w->n_auths]);
	daemon_wipe(p.password, sizeof p.password);
	return w->auths[w->n_auths++];
}

/* ---- ways ---- */

static bool is_http(const struct proxy *p)
{
	return p->kind == PROXY_HTTP || p->kind == PROXY_HTTPS;
}

static void add(struct ways *w, struct resolver *resolver, const struct proxy_chain *chain, bool plain)
{
	const struct options_server *s = &w->options->server;
	struct way *way = &w->way[w->n];
	struct dial_config config = {
		.loop = w->loop,
		.resolver = resolver,
		.tls = w->tls,
		.alpn = options_alpn(w->options),
		.proxy_tls = w->proxy_tls,
		.plain = plain,
		.chain = chain,
		.server_host = s->host,
		.server_port = s->port,
		.plain_host = s->plain_host,
		.plain_port = s->plain_port,
	};

	if (w->n == CANDIDATES_MAX)
		return;
	w->n++;
	way->chain = chain;
	way->plain = plain;
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->hop[i].kind != PROXY_SOCKS5 || chain->hop[i].user[0] || w->options->proxy_user)
			way->auth[i] = config.auth[i] = auth_of(w, &chain->hop[i]);
	proxy_chain_text(chain, way->text, sizeof way->text);
	if (plain && chain->n && is_http(&chain->hop[chain->n - 1]))
		strncat(way->text, " without CONNECT", sizeof way->text - strlen(way->text) - 1);
	else if (plain)
		strncat(way->text, " without TLS", sizeof way->text - strlen(way->text) - 1);
	way->dialler = dialler_new(&config);
}

static void add_chain(struct ways *w, struct resolver *resolver, const struct proxy_chain *chain)
{
	if (!w->options->server.plain_only)
		add(w, resolver, chain, false);
	if (w->options->server.plain_only || (chain->n && is_http(&chain->hop[chain->n - 1])))
		add(w, resolver, chain, true);
}

static int files_read(struct ways *w, char *error, size_t size)
{
	int rc = secret_read(w->options, w->password, error, size);

	return rc < 0 ? rc : trust_load(w, error, size);
}

static int files_copy(struct ways *w, const struct ways *from)
{
	memcpy(w->password, from->password, sizeof w->password);
	w->tls = tls_context_keep(from->tls);
	w->seal_tls = tls_context_keep(from->seal_tls);
	w->proxy_tls = tls_context_keep(from->proxy_tls);
	return 0;
}

struct ways *ways_new(struct loop *loop, struct resolver *resolver, const struct options *o, const struct proxy_list *list,
		      const struct ways *before, bool read, char *error, size_t size)
{
	struct ways *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	w->loop = loop;
	w->options = o;
	w->before = before;
	if ((read ? files_read(w, error, size) : files_copy(w, before)) < 0) {
		ways_free(w);
		return NULL;
	}
	if (list)
		w->list = *list;
	for (unsigned i = 0; i < w->list.n; i++)
		add_chain(w, resolver, &w->list.chain[i]);
	for (unsigned i = 0; read && i < w->n_auths; i++)
		auth_forget(w->auths[i]);
	w->before = NULL;
	return w;
}

void ways_free(struct ways *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < w->n; i++)
		dialler_free(w->way[i].dialler);
	for (unsigned i = 0; i < w->n_auths; i++)
		auth_free(w->auths[i]);
	tls_context_release(w->tls);
	tls_context_release(w->seal_tls);
	tls_context_release(w->proxy_tls);
	daemon_wipe(w->password, sizeof w->password);
	for (unsigned i = 0; i < w->list.n; i++)
		daemon_wipe(&w->list.chain[i], sizeof w->list.chain[i]);
	free(w);
}
