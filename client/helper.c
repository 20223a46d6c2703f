/*
 * The helper. Made by main.c; holds the local ports (ingress), what signs and dials
 * (signer, route), and the attachments: the current one, which takes new
 * channels, and older ones that end after GOAWAY.
 */
#include "client/helper.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/advice.h"
#include "client/attachment.h"
#include "client/path.h"
#include "client/place.h"
#include "client/route.h"
#include "client/status.h"
#include "client/unreached.h"
#include "client/witness.h"
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/control.h"
#include "tunnel/daemon.h"
#include "tunnel/stream_tls.h"
#include "tunnel/udp_sender.h"

#define ATTACHED_MAX 4			/* sessions at a time */
#define PACKETS_SMALL 8192
#define PACKETS_LARGE 128
#define STOP_US (250 * LOOP_MS)		/* for BYE to be sent */
#define GOAWAY_DELAY_MAX 60000		/* ms that a server may ask us to wait */
#define DELAY_HOPELESS 8		/* in a row of failures: the longest wait */

struct helper {
	struct loop *loop;
	const struct options *options;
	struct signer signer;
	struct route *route;
	struct path *path;
	struct packet_pool *packets;

	struct ingress_host host;
	struct credentials *logins; /* NULL: none are asked for */
	struct ingress **ingress;
	size_t n_ingress;
	struct unreached unreached;

	struct attachment_setup setup;
	struct attachment *attached[ATTACHED_MAX]; /* oldest first */
	unsigned n_attached;
	struct attachment *current;	/* NULL: the timer is armed, or we are stopping */
	struct timer begin;
	unsigned useless;		/* sessions in a row that ended before they were of use */
	bool connected;			/* said so, and nothing else since */
	struct advice_said said;
	char trouble[ADVICE_MAX];	/* said last; "": it works */
	struct witness witness;
	struct control *control;	/* NULL: none */
	int64_t begun_us;

	bool stopping;
	struct timer stop;
};

static const struct attachment_events attachment_events;

/* ---- words ---- */

static void status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void status(const char *fmt, ...)
{
	char text[400] = "STATUS=";
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof text - n, fmt, ap);
	va_end(ap);
	daemon_notify(text);
}

/* Who signed what the server shows: told, kept for other visits. */
static void look_who_signed(struct helper *h)
{
	bool plain = route_is_plain(h->route);	/* then it is shown in the handshake of a seal */
	const struct certificate_seen *seen = tls_context_seen(plain ? route_seal_tls(h->route) : route_tls(h->route));
	struct verdict_issuer known, now;
	bool was = path_issuer(h->path, &known);

	if (!witness_look(&h->witness, seen, was ? &known : NULL, route_chain(h->route)->n > 0, h->options->server.authority))
		return;
	issuer_note(seen, loop_wall(h->loop), &now);
	path_signed(h->path, &now);
}

static void say_connected(struct helper *h, const struct carrier *c, const struct rung *before, const char *why)
{
	const struct options *o = h->options;
	struct carrier_stats stats;
	unsigned ms;

	carrier_stats(c, &stats);
	ms = (stats.rtt_us + 500) / 1000;
	if (h->connected && before)
		log_limited(LOG_LEVEL_INFO, "helper", "", "carried by %s now, before by %s: %s", stats.rung, before->name, why);
	else
		log_limited(LOG_LEVEL_INFO, "helper", "", "connected to %s as %s by %s%s%s (round trip %u ms)",
			    o->server.authority, credentials_first(h->signer.credentials), stats.rung,
			    route_chain(h->route)->n ? " through " : "", route_chain(h->route)->n ? route_text(h->route) : "", ms);
	status("connected by %s%s%s (%u ms)", stats.rung, route_chain(h->route)->n ? " through " : "", route_chain(h->route)->n ? route_text(h->route) : "", ms);
	h->connected = true;
}

/* At warn when it is news, else at debug. */
static void say_trouble(struct helper *h, const char *sentence)
{
	enum log_level level = advice_is_new(&h->said, sentence) ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;

	log_write(level, NULL, "helper", "", "%s (trying again until it works)", sentence);
	snprintf(h->trouble, sizeof h->trouble, "%s", sentence);
	status("not connected: %.300s", sentence);
	h->connected = false;
}

/* ---- attachments ---- */

static void forget(struct helper *h, const struct attachment *a)
{
	unsigned i = 0;

	while (h->attached[i] != a)
		i++;
	memmove(&h->attached[i], &h->attached[i + 1], (--h->n_attached - i) * sizeof h->attached[0]);
	if (h->current == a)
		h->current = NULL;
}

static void on_begin(void *ctx)
{
	struct helper *h = ctx;

	if (h->n_attached == ATTACHED_MAX) {
		struct attachment *oldest = h->attached[0];

		forget(h, oldest);
		attachment_free(oldest);
	}
	h->current = attachment_new(&h->setup, &attachment_events, h);
	h->attached[h->n_attached++] = h->current;
}

/* A session begins now, or later when others were of no use. Returns the wait. */
static int64_t begin_soon(struct helper *h, const struct attachment *last, int64_t at_least_us)
{
	int64_t wait;

	h->useless = attachment_was_good(last) ? 0 : h->useless + 1;
	wait = ladder_delay(h->loop, h->useless ? h->useless - 1 : 0);
	if (wait < at_least_us)
		wait = at_least_us;
	timer_in(&h->begin, wait);
	return wait;
}

static void on_welcome(void *ctx, struct attachment *a)
{
	struct helper *h = ctx;

	for (size_t i = 0; a == h->current && i < h->n_ingress; i++)
		h->ingress[i]->kind->welcome(h->ingress[i]);
}

static void on_goaway(void *ctx, struct attachment *a, uint64_t code, uint32_t delay_ms)
{
	struct helper *h = ctx;

	if (a != h->current || h->stopping)
		return;
	log_info("helper", session_tag(attachment_session(a)), "the server asks for a new session: %s",
		 capsule_code_text(code));
	h->current = NULL;
	begin_soon(h, a, (delay_ms < GOAWAY_DELAY_MAX ? delay_ms : GOAWAY_DELAY_MAX) * LOOP_MS);
}

static void on_ended(void *ctx, struct attachment *a, uint64_t code, const char *reason)
{
	struct helper *h = ctx;
	bool was_current = a == h->current;
	int64_t wait;

	forget(h, a);
	if (!was_current || h->stopping) {
		log_debug("helper", session_tag(attachment_session(a)), "the session is over: %s", reason);
		return;
	}
	if (code == CODE_VERSION) {
		char text[ADVICE_MAX];

		h->useless = DELAY_HOPELESS;
		begin_soon(h, a, 0);
		advice_text(text, h->options, ERROR_VERSION, reason);
		say_trouble(h, text);
		return;
	}
	wait = begin_soon(h, a, 0);
	log_write(h->useless > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, NULL, "helper", session_tag(attachment_session(a)),
		  "the session ended (%s): a new one begins %s", reason, wait ? "soon" : "now");
	if (h->connected) {
		status("the session ended (%s): a new one begins", reason);
		snprintf(h->trouble, sizeof h->trouble, "the session ended (%s): a new one begins", reason);
	}
	h->connected = false;
}

static void on_proven(void *ctx, struct attachment *a, struct carrier *c, const struct rung *before)
{
	struct helper *h = ctx;
	struct ladder_status ladder;

	if (a != h->current)
		return;
	ladder_status(attachment_ladder(a), &ladder);
	advice_forget(&h->said);
	h->trouble[0] = 0;
	path_works(h->path);
	look_who_signed(h);
	say_connected(h, c, before, ladder.why);
}

static void on_trouble(void *ctx, struct attachment *a, const struct rung *failed, int error, const char *why,
		       int64_t retry_us)
{
	struct helper *h = ctx;
	char advice[ADVICE_MAX], text[2 * ADVICE_MAX];

	if (a != h->current || h->stopping) {
		log_debug("helper", session_tag(attachment_session(a)), "%s failed: %s", failed->name, why);
		return;
	}
	if (h->connected && retry_us == 0) {
		log_limited(LOG_LEVEL_INFO, "helper", "", "the connection by %s was lost (%s): connecting again", failed->name, why);
		snprintf(h->trouble, sizeof h->trouble, "the connection by %s was lost (%s): connecting again", failed->name, why);
		h->connected = false;
		return;
	}
	advice_text(advice, h->options, error, why);
	snprintf(text, sizeof text, "%s%s%s", route_why(h->route), route_why(h->route)[0] ? "; without CONNECT: " : "", advice);
	say_trouble(h, text);
	path_failed(h->path, error);
}

static const struct attachment_events attachment_events = {
	.welcome = on_welcome,
	.goaway = on_goaway,
	.ended = on_ended,
	.proven = on_proven,
	.trouble = on_trouble,
};

/* What the ingresses ask. */
static struct session *open_session(void *ctx)
{
	struct helper *h = ctx;
	struct session *s = h->current && !h->stopping ? attachment_session(h->current) : NULL;

	if (!s || !session_is_open(s))
		return NULL;
	ladder_wake(attachment_ladder(h->current));	/* a flow begins */
	return s;
}

static void on_learned(void *ctx)
{
	struct helper *h = ctx;

	path_learned(h->path);
}

static bool must_seal(void *ctx)
{
	const struct helper *h = ctx;

	return h->options->seal_always || h->options->server.plain_only || route_is_plain(h->route);
}

static struct tls_context *seal_trust(void *ctx)
{
	const struct helper *h = ctx;

	return route_seal_tls(h->route);
}

static void on_path_changed(void *ctx)
{
	struct helper *h = ctx;

	witness_forget(&h->witness);
	for (unsigned i = 0; i < h->n_attached && !h->stopping; i++)
		ladder_network_changed(attachment_ladder(h->attached[i]));
}

/* ---- control ---- */

static void on_control(void *ctx, FILE *out, size_t n, char *const *words)
{
	struct helper *h = ctx;
	const struct status_source from = {
		.loop = h->loop,
		.options = h->options,
		.begun_us = h->begun_us,
		.identity = credentials_first(h->signer.credentials),
		.trouble = h->trouble,
		.stopping = h->stopping,
		.sealed = h->current && attachment_is_sealed(h->current),
		.session = h->current ? attachment_session(h->current) : NULL,
		.ladder = h->current ? attachment_ladder(h->current) : NULL,
		.pool = path_pool(h->path),
		.route = h->route,
		.witness = &h->witness,
		.ingress = h->ingress,
		.n_ingress = h->n_ingress,
	};
	struct status s;

	look_who_signed(h);
	if (n != 1 || strcmp(words[0], "status") != 0) {
		fputs("error: say 'status'\n", out);
		return;
	}
	status_gather(&s, &from);
	status_json_write(out, &s);
	status_fini(&s);
}

/* Whatever is wrong with it: calls do not need it. */
static void open_control(struct helper *h)
{
	const char *given = h->options->control;
	char path[PLACE_MAX], error[1024];
	const struct control_place at = { given ? given : path, "culvert", "control" };

	if (given && strcmp(given, "none") == 0)
		return;
	if (given || place_control(path, true, error, sizeof error))
		h->control = control_new(h->loop, &at, on_control, h, error, sizeof error);
	if (!h->control)
		log_warn("helper", "", "no `culvert status` for this one: %s; --control PATH chooses another place", error);
}

/* ---- local ports ---- */

static int bind_forward(struct helper *h, const struct forward *f, char *error, size_t size)
{
	if (!forward_is_loopback(f) && !(f->kind->any && h->logins))
		log_warn("helper", "", "the ports for %s are open to other machines, not to this one alone: "
			 "whoever reaches them uses your access%s", f->kind->any ? f->kind->scheme : f->service,
			 f->kind->any ? " (login-file: those with a name and a token only)" : "");
	for (unsigned i = 0; i < f->count; i++) {
		struct address a = forward_port(f, i);
		int fd = ingress_bind(f->kind, &a, error, size);

		if (fd < 0)
			return fd;
		h->ingress[h->n_ingress] = f->kind->open(&h->host, fd, f->service, i);
		h->ingress[h->n_ingress++]->wish = f->wish;
	}
	return 0;
}

int helper_bind(struct helper *h, char *error, size_t size)
{
	const struct options *o = h->options;
	size_t total = 0, i;

	for (i = 0; i < o->n_forwards; i++)
		total += o->forward[i].count;
	h->ingress = calloc(total, sizeof *h->ingress);
	if (!h->ingress)
		abort();
	for (i = 0; i < o->n_forwards; i++)
		if (bind_forward(h, &o->forward[i], error, size) < 0)
			return ERROR_SYSTEM;
	for (i = 0; i < h->n_ingress; i++)
		daemon_ready_line(h->ingress[i]->kind->scheme, h->ingress[i]->local, h->ingress[i]->service);
	unreached_start(&h->unreached, h->loop, h->ingress, h->n_ingress);
	open_control(h);
	return 0;
}

/* ---- files ---- */

static struct credentials *load_credentials(const char *option, const char *file, char *error, size_t size)
{
	struct credentials *c;
	char why[600];

	c = credentials_load(file, why, sizeof why);
	if (!c)
		snprintf(error, size, "--%s: %s", option, why);
	return c;
}

/* False: nothing was changed. */
static bool reload_logins(struct helper *h, char *error, size_t size)
{
	struct credentials *c;

	if (!h->options->login_file)
		return true;
	c = load_credentials("login-file", h->options->login_file, error, size);
	if (!c)
		return false;
	credentials_free(h->logins);
	h->host.logins = h->logins = c;
	return true;
}

void helper_reload(struct helper *h)
{
	char error[1024];
	struct credentials *c;

	daemon_notify("RELOADING=1");
	c = load_credentials("token-file", h->options->token_file, error, sizeof error);
	if (c && reload_logins(h, error, sizeof error) && route_reload(h->route, error, sizeof error) == 0) {
		signer_replace(&h->signer, c);
		log_info("helper", "", "tokens and certificates were read again");
	} else {
		credentials_free(c);
		log_error("helper", "", "nothing was reloaded: %s", error);
	}
	daemon_notify("READY=1");
}

/* ---- life ---- */

static void on_stop(void *ctx)
{
	struct helper *h = ctx;

	loop_break(h->loop);
}

static void fill_setup(struct helper *h)
{
	const struct options *o = h->options;

	h->host = (struct ingress_host){ h->loop, h->packets, udp_sender_new(h->loop), o->max_flows, open_session, h, o->origins, o->n_origins,
					 h->logins, &o->pac };
	h->setup = (struct attachment_setup){
		.loop = h->loop,
		.packets = h->packets,
		.session = session_config_default,
		.path = {
			.host = o->server.authority,
			.base = o->server.base,
			.user_agent = "culvert/" CULVERT_VERSION,
			.hold_ms = o->hold_ms,
		},
		.ladder = {
			.only = o->rung,
			.pool = path_pool(h->path),
			.verdict = path_verdict(h->path),
			.carriers = o->carriers,
			.learned = on_learned,
			.learned_ctx = h,
		},
		.signer = &h->signer,
		.must_seal = must_seal,
		.seal_trust = seal_trust,
		.seal_ctx = h,
		.seal_host = o->server.host,
	};
}

struct helper *helper_new(struct loop *loop, const struct options *o, char *error, size_t size)
{
	struct helper *h = calloc(1, sizeof *h);
	struct credentials *c;

	if (!h)
		abort();
	h->loop = loop;
	h->options = o;
	h->begun_us = loop_now(loop);
	timer_init(&h->begin, loop, on_begin, h);
	timer_init(&h->stop, loop, on_stop, h);
	h->packets = packet_pool_new(PACKETS_SMALL, PACKETS_LARGE);
	c = load_credentials("token-file", o->token_file, error, size);
	signer_init(&h->signer, loop, c);
	if (!c || !reload_logins(h, error, size))
		goto failed;
	h->route = route_new(loop, o, error, size);
	if (!h->route)
		goto failed;
	h->path = path_new(loop, o, h->route, on_path_changed, h);
	fill_setup(h);
	return h;
failed:
	helper_free(h);
	return NULL;
}

void helper_start(struct helper *h)
{
	status("connecting to %s", h->options->server.authority);
	timer_in(&h->begin, 0);
}

void helper_stop(struct helper *h)
{
	bool heard = false;

	if (h->stopping) {
		loop_break(h->loop);
		return;
	}
	h->stopping = true;
	daemon_notify("STOPPING=1");
	log_info("helper", "", "stopping");
	timer_stop(&h->begin);
	for (unsigned i = 0; i < h->n_attached; i++)
		heard |= attachment_bye(h->attached[i], CODE_SHUTDOWN, "the helper is stopping");
	timer_in(&h->stop, heard ? STOP_US : 0);
}

void helper_free(struct helper *h)
{
	if (!h)
		return;
	h->stopping = true;
	control_free(h->control);
	unreached_stop(&h->unreached);
	timer_stop(&h->begin);
	timer_stop(&h->stop);
	while (h->n_attached) {
		struct attachment *a = h->attached[0];

		forget(h, a);
		attachment_free(a);
	}
	while (h->n_ingress) {
		struct ingress *i = h->ingress[--h->n_ingress];

		i->kind->close(i);
	}
	free(h->ingress);
	path_free(h->path);
	route_free(h->route);
	signer_fini(&h->signer);
	credentials_free(h->logins);
	udp_sender_free(h->host.sender);
	packet_pool_free(h->packets);
	free(h);
}
