/*
 * A running culvertd: makes everything in order, ties it together, reloads and
 * stops it. Called by main.
 */
#include "server/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/daemon.h"
#include "tunnel/log.h"
#include "tunnel/udp_sender.h"

#define ERROR_TEXT 1024
#define STOP_WAIT (300 * LOOP_MS)	/* for BYE to reach the helpers */
#define STOP_LOOK (50 * LOOP_MS)
#define STOP_VISITORS (3 * LOOP_SECOND) /* for answers of the website that are on their way */
#define PACKETS_SMALL 32768		/* waiting in the process: 70 MB at most */
#define PACKETS_LARGE 256		/* 17 MB */
#define TOMBSTONES 65536		/* 16 MB */

/* What a reload replaces, all of it or nothing. */
struct loaded {
	struct tls_context *tls, *seal_tls; /* of streams, of the handshakes of seals */
	struct credentials *credentials;
	struct cover *cover;
	struct fallback *fallback;
};

static void unload(struct loaded *l)
{
	if (l->tls)
		tls_context_release(l->tls);
	if (l->seal_tls)
		tls_context_release(l->seal_tls);
	credentials_free(l->credentials);
	cover_free(l->cover);
	fallback_free(l->fallback);
}

/* There is nothing to read: the website need not be there yet. */
static bool load_fallback(struct loaded *l, const struct options *o, struct loop *loop, char *error, size_t size)
{
	char why[ERROR_TEXT / 2];

	if (!o->fallback)
		return true;
	l->fallback = fallback_new(loop, o->fallback, (size_t)config_int(o->config, "max-fallback-connections"), why, sizeof why);
	if (!l->fallback)
		snprintf(error, size, "%s: fallback %s", config_where(o->config, "fallback", 0), why);
	return l->fallback;
}

/* Behind a reverse proxy that ends TLS there need be none. */
static bool load_certificate(struct loaded *l, const struct options *o, char *error, size_t size)
{
	if (!o->cert)
		return true;
	l->tls = tls_context_server(o->cert, o->key, "http/1.1,h2", error, size);
	if (l->tls)
		l->seal_tls = tls_context_server_seal(o->cert, o->key, error, size);
	return l->seal_tls;
}

static bool load(struct loaded *l, const struct options *o, struct loop *loop, char *error, size_t size)
{
	char why[ERROR_TEXT / 2];

	memset(l, 0, sizeof *l);
	if (!load_certificate(l, o, error, size)) {
		unload(l);
		return false;
	}
	l->credentials = credentials_load(o->token_file, why, sizeof why);
	if (!l->credentials)
		snprintf(error, size, "--token-file: %s", why);
	if (l->credentials) {
		l->cover = cover_new(o->cover, why, sizeof why);
		if (!l->cover)
			snprintf(error, size, "%s: %s", config_where(o->config, "cover", 0), why);
	}
	if (l->cover && load_fallback(l, o, loop, error, size))
		return true;
	unload(l);
	return false;
}

bool server_check(const struct options *o, char *error, size_t size)
{
	struct loop *loop = loop_new();
	struct loaded l;
	bool ok = load(&l, o, loop, error, size);

	if (ok)
		unload(&l);
	loop_free(loop);
	return ok;
}

/* ---- channels ---- */

static uint64_t open_service(struct server *s, struct channel *channel, const struct message_open *open, struct channel_params *params,
			     const struct endpoint_ops **ops, void **endpoint, const char **sentence)
{
	struct address to[RESOLVE_MAX];
	const struct egress_kind *kind;
	size_t n = 0;
	uint64_t code = services_choose(s->services, open, params, &kind, to, &n, sentence);

	if (code != CODE_NONE)
		return code;
	*endpoint = kind->open(&s->egress, channel, to, n, &code, sentence);
	*ops = kind->ops;
	return code;
}

static uint64_t on_open(void *ctx, struct channel *channel, const struct message_open *open, struct channel_params *params,
			const struct endpoint_ops **ops, void **endpoint, const char **sentence)
{
	struct server *s = ctx;
	uint64_t code = open->form == FORM_ADDRESS ? destination_open(&s->destinations, channel, open, params, ops, endpoint, sentence) :
						     open_service(s, channel, open, params, ops, endpoint, sentence);

	if (code != CODE_NONE)
		log_limited(LOG_LEVEL_WARN, "channel", session_tag(channel_session(channel)), "refused one to %s%.*s: %s",
			    open->form == FORM_ADDRESS ? "" : "service ", (int)open->target.n, (const char *)open->target.p, *sentence);
	return code;
}

/* ---- start ---- */

/* Names the machine in WELCOME without telling its name. */
static uint64_t node_id(void)
{
	char name[256] = "";
	uint64_t h = UINT64_C(14695981039346656037);

	gethostname(name, sizeof name - 1);
	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
	return h;
}

static void make_sessions(struct server *s)
{
	const struct config *c = s->options.config;
	struct sessions_config config = {
		.session = session_config_default,
		.max = (size_t)config_int(c, "max-sessions"),
		.max_per_identity = (size_t)config_int(c, "max-sessions-per-identity"),
		.max_tombstones = TOMBSTONES,
		.node = node_id(),
	};

	do
		s->epoch = loop_random_u64(s->loop);
	while (!s->epoch);
	config.epoch = s->epoch;
	config.session.max_channels = (uint32_t)config_int(c, "max-channels");
	config.session.session_window = (uint32_t)config_int(c, "session-window") * 1024;
	if (config.session.channel_window > config.session.session_window)
		config.session.channel_window = config.session.session_window;
	config.session.expire_ms = (uint32_t)config_int(c, "expire") * 1000;
	config.session.expire_empty_ms = (uint32_t)config_int(c, "expire-empty") * 1000;
	s->sessions = sessions_new(s->loop, &config, s->pool, on_open, s);
}

static bool session_lives(void *ctx, const char *identity, const char *sid)
{
	const struct server *s = ctx;

	return sessions_lives(s->sessions, identity, sid);
}

static void make_seals(struct server *s)
{
	struct seals_limits limits = seals_limits_default;

	limits.seals = 2 * (size_t)config_int(s->options.config, "max-sessions");
	limits.idle_us = config_int(s->options.config, "expire") * LOOP_SECOND;
	s->seals = seals_new(s->loop, &limits, session_lives, s);
}

static void make_rest(struct server *s)
{
	struct rest_config config = rest_config_default;

	if (!s->options.rest)
		return;
	config.expire_s = (uint32_t)config_int(s->options.config, "rest-expire");
	s->rest = rest_new(s->loop, &config);
}

static bool make_listeners(struct server *s)
{
	int backlog = (int)config_int(s->options.config, "listen-backlog");
	char error[ERROR_TEXT];

	for (size_t i = 0; i < s->options.listen_count; i++) {
		const struct listener_place *at = &s->options.listen[i];
		struct listener *l = listener_new(s->loop, s->connections, at, backlog, error, sizeof error);

		if (l) {
			s->listener[s->listeners++] = l;
		} else if (at->optional) {
			log_info("server", "", "%s; going on without", error);
		} else {
			log_error("server", "", "%s", error);
			return false;
		}
	}
	return true;
}

/* Sockets that systemd opened. */
static bool take_listeners(struct server *s)
{
	char error[ERROR_TEXT], text[ADDRESS_TEXT];
	struct activation a;

	if (activation_take(&a, error, sizeof error) < 0) {
		log_error("server", "", "%s", error);
		return false;
	}
	for (size_t i = 0; i < a.n; i++) {
		const struct activation_socket *at = &a.socket[i];

		if (at->manner.kind != CONNECTIONS_CLEAR && !s->options.cert) {
			log_error("server", "", "the socket '%s' of systemd needs a certificate: give cert and key",
				  connections_kind_name(at->manner.kind));
			return false;
		}
		if (at->manner.kind == CONNECTIONS_CLEAR && !address_is_local(&at->address) && trusted_is_empty(s->trusted)) {
			log_error("server", "",
				  "the socket 'clear' of systemd at %s is not of this machine only: let it listen on a loopback address or "
				  "path, or name the reverse proxy in trusted-proxies", address_text(&at->address, text));
			return false;
		}
		s->listener[s->listeners++] = listener_adopt(s->loop, s->connections, &at->manner, at->fd);
	}
	return true;
}

static bool make_admin(struct server *s)
{
	const struct control_place at = { s->options.admin, "culvertd", "admin" };
	char error[ERROR_TEXT];

	if (!s->options.admin)
		return true;
	if (!s->options.admin_given)
		(void)mkdir("/run/culvertd", 0755); /* for root; what failed shows below */
	s->admin = control_new(s->loop, &at, status_write, s, error, sizeof error);
	if (s->admin)
		return true;
	if (s->options.admin_given) {
		log_error("server", "", "%s", error);
		return false;
	}
	log_info("server", "", "no `culvertd status`: %s; --admin SOCKET chooses another place", error);
	return true;
}

/* Names were looked up as far as they can be: serve. */
static void on_names(void *ctx)
{
	struct server *s = ctx;
	char text[ADDRESS_TEXT];

	if (s->state != SERVER_STARTING)
		return;
	s->state = SERVER_READY;
	for (size_t i = 0; i < s->listeners; i++) {
		static const char *const uses[] = { "", ", for sealed sessions only", ", for reverse proxies" };
		const struct connections_manner *m = listener_manner(s->listener[i]);

		listener_start(s->listener[i]);
		daemon_ready_line(connections_kind_name(m->kind), address_text(listener_address(s->listener[i]), text), "culvertd");
		log_info("server", "", "listening on %s, base %s%s%s", text, s->options.base, uses[m->kind],
			 m->proxy_protocol ? ", with the PROXY protocol" : "");
	}
	daemon_notify("READY=1");
}

/* ---- reload ---- */

/* The same website goes on as it is. */
static void adopt_fallback(struct server *s, struct fallback *fresh)
{
	if (s->fallback && fresh && !strcmp(fallback_url(s->fallback), fallback_url(fresh))) {
		fallback_free(fresh);
		return;
	}
	fallback_free(s->fallback);
	s->fallback = s->front.fallback = fresh;
	if (fresh)
		log_info("server", "", "whoever is not a helper gets the website at %s", fallback_url(fresh));
}

static void adopt(struct server *s, struct loaded *l)
{
	credentials_free(s->credentials);
	cover_free(s->cover);
	s->credentials = l->credentials;
	s->cover = l->cover;
	s->front.credentials = l->credentials;
	s->front.cover = l->cover;
	adopt_fallback(s, l->fallback);
	connections_set_tls(s->connections, l->tls);
	seals_set_tls(s->seals, l->seal_tls);
}

static void adopt_trusted(struct server *s, struct options *o)
{
	trusted_free(s->trusted);
	s->trusted = o->trusted;
	o->trusted = NULL;
	connections_set_trusted(s->connections, s->trusted);
}

static void adopt_rest(struct server *s, struct options *o)
{
	if (!s->rest)
		return;
	rest_set_cors(s->rest, o->cors);
	rest_set_turn(s->rest, o->turn);
	o->cors = NULL;
	o->turn = NULL;
}

static void adopt_policies(struct server *s, struct options *o)
{
	policies_free(s->policies);
	s->policies = o->policies;
	s->destinations.policies = s->policies;
	o->policies = NULL;
}

static void adopt_services(struct server *s, struct options *o)
{
	services_inherit(o->services, s->services);
	services_free(s->services);
	s->services = o->services;
	o->services = NULL;
	services_start(s->services, s->loop, s->resolver, NULL, NULL);
}

/* Sockets of systemd may need what the options do not ask for. */
static bool has_what_listeners_need(const struct server *s, const struct options *fresh, char *error, size_t size)
{
	for (size_t i = 0; i < s->listeners && !fresh->cert; i++)
		if (listener_manner(s->listener[i])->kind != CONNECTIONS_CLEAR) {
			snprintf(error, size, "cert and key are gone, and listeners need them");
			return false;
		}
	return true;
}

static void on_reload(void *ctx)
{
	struct server *s = ctx;
	struct options fresh;
	struct loaded l;
	char error[ERROR_TEXT];

	if (s->state != SERVER_READY)
		return;
	daemon_notify("RELOADING=1");
	if (options_read(&fresh, s->argc, s->argv, error, sizeof error) < 0) {
		log_error("reload", "", "nothing was changed: %s", error);
	} else if (!has_what_listeners_need(s, &fresh, error, sizeof error) || !load(&l, &fresh, s->loop, error, sizeof error)) {
		log_error("reload", "", "nothing was changed: %s", error);
		options_fini(&fresh);
	} else {
		adopt(s, &l);
		adopt_trusted(s, &fresh);
		if (fresh.rest != (s->rest != NULL))
			log_warn("reload", "", "REST is %s as it was at start: restart to have it %s", s->rest ? "on" : "off", s->rest ? "off" : "on");
		adopt_rest(s, &fresh);
		adopt_policies(s, &fresh);
		adopt_services(s, &fresh);
		log_setup(fresh.log_level, fresh.log_json);
		log_info("reload", "",
			 "certificate, key, %zu tokens, cover, fallback, trusted proxies, targets and %zu services were read again; listen, base, admin and limits "
			 "stay as they were at start",
			 credentials_count(s->credentials), services_count(s->services));
		options_fini(&fresh);
	}
	daemon_notify("READY=1");
}

/* ---- stop ---- */

static bool is_answering(const struct server *s)
{
	struct fallback_stats f = { 0 };

	if (s->fallback)
		fallback_stats(s->fallback, &f);
	return f.in_flight > 0;
}

/* The helpers know by now. */
static void on_stopped(void *ctx)
{
	struct server *s = ctx;

	if (!is_answering(s) || loop_now(s->loop) >= s->stop_at) {
		loop_break(s->loop);
		return;
	}
	connections_drain(s->connections);
	timer_in(&s->stop, STOP_LOOK);
}

static void on_stop(void *ctx)
{
	struct server *s = ctx;

	if (s->state == SERVER_STOPPING)
		_exit(SERVER_FAILED); /* asked twice */
	s->state = SERVER_STOPPING;
	daemon_notify("STOPPING=1");
	log_info("server", "", "stopping, with %zu sessions", sessions_count(s->sessions));
	while (s->listeners)
		listener_free(s->listener[--s->listeners]);
	s->stop_at = loop_now(s->loop) + STOP_VISITORS;
	timer_init(&s->stop, s->loop, on_stopped, s);
	timer_in(&s->stop, sessions_count(s->sessions) ? STOP_WAIT : 0);
	sessions_bye(s->sessions, CODE_SHUTDOWN, "the server is stopping");
}

/* ---- life ---- */

static void server_fini(struct server *s)
{
	while (s->listeners)
		listener_free(s->listener[--s->listeners]);
	sessions_free(s->sessions);
	connections_free(s->connections);
	fallback_free(s->fallback);
	trusted_free(s->trusted);
	rest_free(s->rest);
	seals_free(s->seals);
	control_free(s->admin);
	services_free(s->services);
	policies_free(s->policies);
	resolver_free(s->resolver);
	credentials_free(s->credentials);
	cover_free(s->cover);
	options_fini(&s->options);
	udp_sender_free(s->egress.sender);
	packet_pool_free(s->pool);
	loop_free(s->loop);
}

static void server_init(struct server *s, const struct options *o)
{
	s->options = *o;
	s->services = o->services;
	s->options.services = NULL;
	s->policies = o->policies;
	s->options.policies = NULL;
	s->loop = loop_new();
	s->began_us = loop_now(s->loop);
	s->pool = packet_pool_new(PACKETS_SMALL, PACKETS_LARGE);
	s->resolver = resolver_new(s->loop);
	s->egress = (struct egress_env){ s->loop, s->pool, udp_sender_new(s->loop), sessions_share };
	s->destinations = (struct destinations){ &s->egress, s->resolver, s->policies, sessions_identity };
	make_sessions(s);
	make_seals(s);
	make_rest(s);
	s->front = (struct front){ .loop = s->loop, .base = s->options.base, .sessions = s->sessions, .seals = s->seals,
				   .rest = s->rest };
	s->connections = connections_new(s->loop, &s->front, (size_t)config_int(o->config, "max-connections"),
					 (size_t)config_int(o->config, "max-connections-per-address"));
}

int server_run(const struct options *o, int argc, char **argv)
{
	struct server s = { .argc = argc, .argv = argv };
	struct loaded l;
	char error[ERROR_TEXT];
	int code = SERVER_FAILED;

	daemon_setup();
	server_init(&s, o);
	if (!load(&l, &s.options, s.loop, error, sizeof error)) {
		log_error("server", "", "%s", error);
		code = SERVER_USAGE;
		goto out;
	}
	adopt(&s, &l);
	adopt_trusted(&s, &s.options);
	adopt_rest(&s, &s.options);
	if (!take_listeners(&s)) {
		code = SERVER_USAGE;
		goto out;
	}
	if (!make_listeners(&s) || !make_admin(&s))
		goto out;
	loop_signal(s.loop, SIGTERM, on_stop, &s);
	loop_signal(s.loop, SIGINT, on_stop, &s);
	loop_signal(s.loop, SIGHUP, on_reload, &s);
	services_start(s.services, s.loop, s.resolver, on_names, &s);
	loop_run(s.loop);
	log_info("server", "", "stopped");
	code = SERVER_OK;
out:
	server_fini(&s);
	return code;
}
