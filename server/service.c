/*
 * Services. Filled by the server's options, asked by it for each OPEN; uses the
 * resolver. A host that was found once stays reachable at its last addresses,
 * whatever the name server says later.
 */
#include "server/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/log.h"

#define OWN_PREFIX "culvert."	/* of names that no configuration can give */
#define RESOLVE_AGAIN (60 * LOOP_SECOND)
#define RESOLVE_RETRY (5 * LOOP_SECOND)	/* while there is no answer at all */
#define IDLE_SIGNALLING_MS 3700000	/* "turn" and "sip": registrations are refreshed once an hour */

struct service {
	struct services *services;
	char name[MESSAGE_NAME_MAX + 1];
	char *target;		/* as configured */
	const struct egress_kind *kind;
	struct egress_settings *settings; /* NULL: a service of our own */
	struct address_hostport at;
	enum message_class class;
	enum message_redundancy redundancy;
	uint8_t audio_types[16], video_types[16]; /* bit sets */
	bool has_types;
	uint32_t deadline_ms, idle_ms;
	bool literal, asked, known_bad; /* asked: answered or failed once. known_bad: logged */
	size_t n;
	struct address address[RESOLVE_MAX];
	struct resolve *lookup;
	struct timer again;
};

struct services {
	struct service *service[SERVICES_MAX + 1]; /* those configured, and our own */
	size_t n;
	struct loop *loop;
	struct resolver *resolver;
	struct later later;
	void (*ready)(void *ctx);
	void *ctx;
};

/* ---- configuration ---- */

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= MESSAGE_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* Is it a name for a service of the server's own? */
static bool is_own(struct span name)
{
	return name.n >= strlen(OWN_PREFIX) && !memcmp(name.p, OWN_PREFIX, strlen(OWN_PREFIX));
}

static int wrong(char *error, size_t size, const char *name, const char *what, const char *value)
{
	snprintf(error, size, "service '%s': %s%s%s%s", name, what, value ? ", not '" : "", value ? value : "",
		 value ? "'" : "");
	return ERROR_CONFIG;
}

/* Of a WebSocket's URL the path is not looked at here, and a port is not needed. */
static int parse_host(struct service *s, const char *host)
{
	bool message = s->kind->kind == KIND_MESSAGE;
	char text[300];

	if (snprintf(text, sizeof text, "%.*s", (int)(message ? strcspn(host, "/?#") : strlen(host)), host) >= (int)sizeof text ||
	    address_split(text, !message, &s->at) < 0)
		return ERROR_CONFIG;
	if (message && !s->at.has_port) {
		s->at.has_port = true;
		s->at.first = s->at.last = strcmp(s->kind->scheme, "wss") ? 80 : 443;
	}
	return 0;
}

static int parse_settings(struct service *s, const char *host, const struct egress_wishes *wishes, char *error, size_t size)
{
	char why[400];

	s->settings = egress_settings_new(s->kind->scheme, host, wishes, why, sizeof why);
	if (!s->settings)
		return wrong(error, size, s->name, why, NULL);
	if (s->settings->framing != EGRESS_UNFRAMED)
		s->kind = &egress_framed;
	return 0;
}

static int parse_target(struct service *s, const char *target, const struct egress_wishes *wishes, char *error, size_t size)
{
	const char *host = strstr(target, "://");

	s->kind = host ? egress_find(target, (size_t)(host - target)) : NULL;
	if (!s->kind || parse_host(s, host + 3) < 0)
		return wrong(error, size, s->name,
			     "the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST, tcp://HOST:PORT or ws://HOST:PORT/PATH", target);
	if (parse_settings(s, host + 3, wishes, error, size) < 0)
		return ERROR_CONFIG;
	if (!s->at.has_port || s->at.first == 0)
		return wrong(error, size, s->name, "the target needs a port from 1 to 65535", target);
	s->literal = address_literal(s->at.host, s->at.first, &s->address[0]);
	s->n = s->literal;
	s->asked = s->literal;
	return 0;
}

static int parse_class(struct service *s, const char *text, char *error, size_t size)
{
	int value = message_class_find(text);

	if (value < 0)
		return wrong(error, size, s->name, "class must be auto, audio, video, control or bulk", text);
	s->class = (enum message_class)value;
	return 0;
}

static int parse_redundancy(struct service *s, const char *text, char *error, size_t size)
{
	int value = message_redundancy_find(text);

	if (value < 0)
		return wrong(error, size, s->name, "redundancy must be auto, always or never", text);
	s->redundancy = (enum message_redundancy)value;
	return 0;
}

static bool type_add(uint8_t set[16], const char *text)
{
	size_t n = strspn(text, "0123456789");
	int type = atoi(text);

	if (n == 0 || n > 3 || text[n] || type > 127)
		return false;
	set[type / 8] |= (uint8_t)(1 << type % 8);
	return true;
}

static int parse_types(struct service *s, const char *option, const char *const *list, uint8_t set[16], char *error, size_t size)
{
	char why[128];
	size_t n;

	for (n = 0; list && list[n]; n++) {
		if (type_add(set, list[n]))
			continue;
		snprintf(why, sizeof why, "%s are RTP payload types from 0 to 127", option);
		return wrong(error, size, s->name, why, list[n]);
	}
	if (n && s->kind->kind != KIND_DATAGRAM) {
		snprintf(why, sizeof why, "%s are for UDP targets", option);
		return wrong(error, size, s->name, why, NULL);
	}
	s->has_types |= n > 0;
	if (n <= MESSAGE_TYPES_MAX)
		return 0;
	snprintf(why, sizeof why, "%s has more than %d payload types", option, MESSAGE_TYPES_MAX);
	return wrong(error, size, s->name, why, NULL);
}

/* What is about datagrams. */
static int parse_media(struct service *s, const struct service_spec *spec, char *error, size_t size)
{
	char why[64];

	if (parse_class(s, spec->class, error, size) < 0 || parse_redundancy(s, spec->redundancy, error, size) < 0 ||
	    parse_types(s, "audio-payload-types", spec->audio_types, s->audio_types, error, size) < 0 ||
	    parse_types(s, "video-payload-types", spec->video_types, s->video_types, error, size) < 0)
		return ERROR_CONFIG;
	for (unsigned type = 0; type < 128; type++)
		if ((s->audio_types[type / 8] & s->video_types[type / 8]) >> type % 8 & 1) {
			snprintf(why, sizeof why, "payload type %u is said to be both audio and video", type);
			return wrong(error, size, s->name, why, NULL);
		}
	return 0;
}

static int parse_idle(struct service *s, const struct service_spec *spec, char *error, size_t size)
{
	bool signalling = !strcmp(spec->kind, "turn") || !strcmp(spec->kind, "sip");

	if (*spec->kind && !signalling)
		return wrong(error, size, s->name, "kind must be turn or sip, or left out", spec->kind);
	if (signalling && s->kind->kind != KIND_DATAGRAM)
		return wrong(error, size, s->name, "kind is for UDP targets: streams have no idle time-out by themselves", NULL);
	s->idle_ms = signalling ? IDLE_SIGNALLING_MS : s->kind->idle_ms;
	if (spec->idle_s >= 0)
		s->idle_ms = (uint32_t)spec->idle_s * 1000;
	return 0;
}

static void service_free(struct service *s)
{
	if (s->lookup)
		resolve_cancel(s->lookup);
	timer_stop(&s->again);
	egress_settings_release(s->settings);
	free(s->target);
	free(s);
}

struct services *services_new(void)
{
	struct services *all = calloc(1, sizeof *all);

	if (!all)
		abort();
	return all;
}

void services_free(struct services *all)
{
	if (!all)
		return;
	if (all->loop)
		later_cancel(all->loop, &all->later);
	for (size_t i = 0; i < all->n; i++)
		service_free(all->service[i]);
	free(all);
}

static struct service *find(const struct services *all, struct span name)
{
	for (size_t i = 0; i < all->n; i++)
		if (strlen(all->service[i]->name) == name.n && !memcmp(all->service[i]->name, name.p, name.n))
			return all->service[i];
	return NULL;
}

static struct service *service_new(struct services *all, const char *name, const char *target)
{
	struct service *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->services = all;
	snprintf(s->name, sizeof s->name, "%s", name);
	s->target = strdup(target);
	if (!s->target)
		abort();
	return s;
}

void services_add_own(struct services *all, const struct egress_kind *kind)
{
	struct service *s = service_new(all, kind->service, "built in");

	s->kind = kind;
	s->idle_ms = kind->idle_ms;
	s->deadline_ms = kind->deadline_ms;
	s->literal = s->asked = true;
	all->service[all->n++] = s;
}

int services_add(struct services *all, const struct service_spec *spec, char *error, size_t size)
{
	struct service *s;

	if (!name_ok(spec->name))
		return wrong(error, size, spec->name, "a name has 1 to 64 characters of a-z 0-9 . _ -", NULL);
	if (is_own((struct span){ (const uint8_t *)spec->name, strlen(spec->name) }))
		return wrong(error, size, spec->name, "names that begin with " OWN_PREFIX " are culvertd's own: choose another", NULL);
	if (find(all, (struct span){ (const uint8_t *)spec->name, strlen(spec->name) }))
		return wrong(error, size, spec->name, "there is one of that name already", NULL);
	if (all->n == SERVICES_MAX)
		return wrong(error, size, spec->name, "there are too many services", NULL);
	s = service_new(all, spec->name, spec->target);
	s->deadline_ms = (uint32_t)spec->deadline_ms;
	if (parse_target(s, spec->target, &spec->wishes, error, size) < 0 || parse_media(s, spec, error, size) < 0 ||
	    parse_idle(s, spec, error, size) < 0) {
		service_free(s);
		return ERROR_CONFIG;
	}
	all->service[all->n++] = s;
	return 0;
}

/* ---- names ---- */

void services_inherit(struct services *all, const struct services *old)
{
	for (size_t i = 0; i < all->n; i++) {
		struct service *s = all->service[i];

		for (size_t k = 0; k < old->n && !s->n; k++) {
			if (old->service[k]->literal || strcmp(old->service[k]->at.host, s->at.host))
				continue;
			s->n = old->service[k]->n;
			memcpy(s->address, old->service[k]->address, sizeof s->address);
		}
	}
}

static void check_ready(struct services *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (!all->service[i]->asked)
			return;
	if (all->ready)
		loop_later(all->loop, &all->later);
}

static void run_ready(void *ctx)
{
	struct services *all = ctx;
	void (*ready)(void *) = all->ready;

	all->ready = NULL;
	ready(all->ctx);
}

static void resolved(void *ctx, const struct address *found, size_t n, int error)
{
	struct service *s = ctx;
	char text[ADDRESS_TEXT];

	s->lookup = NULL;
	if (n) {
		if (!s->n || s->known_bad || !address_equal(&s->address[0], &found[0]))
			log_info("service", s->name, "%s is at %s%s", s->at.host, address_text(&found[0], text),
				 n > 1 ? " and others" : "");
		s->n = n < RESOLVE_MAX ? n : RESOLVE_MAX;
		memcpy(s->address, found, s->n * sizeof *found);
	} else if (!s->known_bad) {
		log_warn("service", s->name, "cannot look up %s: %s; %s", s->at.host, error_text(error),
			 s->n ? "going on with its last address" : "channels to it are refused until it is found");
	}
	s->known_bad = n == 0;
	timer_in(&s->again, s->n ? RESOLVE_AGAIN : RESOLVE_RETRY);
	if (!s->asked) {
		s->asked = true;
		check_ready(s->services);
	}
}

static void look_up(void *ctx)
{
	struct service *s = ctx;

	s->lookup = resolve_start(s->services->resolver, s->at.host, s->at.first, resolved, s);
}

void services_start(struct services *all, struct loop *loop, struct resolver *resolver, void (*ready)(void *ctx), void *ctx)
{
	all->loop = loop;
	all->resolver = resolver;
	all->ready = ready;
	all->ctx = ctx;
	later_init(&all->later, run_ready, all);
	for (size_t i = 0; i < all->n; i++) {
		struct service *s = all->service[i];

		timer_init(&s->again, loop, look_up, s);
		if (!s->literal)
			look_up(s);
	}
	check_ready(all);
}

/* ---- channels ---- */

uint64_t services_choose(const struct services *all, const struct message_open *open, struct channel_params *params,
			 const struct egress_kind **kind, struct address *to, size_t *n, const char **sentence)
{
	const struct service *s = find(all, open->target);
	bool has_index = open->params.has & (1U << PARAM_PORT_INDEX);
	uint64_t index = has_index ? open->params.port_index : 0;

	if (!s) {
		*sentence = is_own(open->target) ? "the server's operator has switched this service off" :
						   "the server has no service of that name";
		return CODE_UNKNOWN_SERVICE;
	}
	if (s->kind->kind != open->kind) {
		*sentence = s->kind->kind == KIND_DATAGRAM ? "this service is UDP: forward it with -L udp://..." :
			    s->kind->kind == KIND_STREAM ? "this service is TCP: forward it with -L tcp://..." :
							   "this service is a WebSocket: forward it with -L ws://...";
		return CODE_WRONG_KIND;
	}
	if (index > (uint64_t)(s->at.last - s->at.first)) {
		*sentence = "the port range of the forward is longer than that of the service";
		return CODE_WRONG_KIND;
	}
	if (!s->n && !s->kind->service) {
		*sentence = "the server cannot look up the name of this service's target";
		return CODE_RESOLVE;
	}
	*kind = s->kind;
	*n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		to[i] = s->address[i];
		address_set_port(&to[i], (uint16_t)(s->at.first + index));
	}
	params->idle_ms = s->idle_ms;
	params->pending = s->kind->pending;
	params->settings = s->settings;
	if (s->class != CLASS_AUTO)
		params->class = s->class;
	if (s->deadline_ms)
		params->deadline_ms = s->deadline_ms;
	/* A helper that wants no copies, on a metered line for example, gets none. */
	if (s->redundancy != REDUNDANCY_AUTO && params->redundancy != REDUNDANCY_NEVER && s->kind->kind == KIND_DATAGRAM)
		params->redundancy = s->redundancy;
	if (s->has_types) {
		memcpy(params->rules.audio_types, s->audio_types, sizeof s->audio_types);
		memcpy(params->rules.video_types, s->video_types, sizeof s->video_types);
	}
	return CODE_NONE;
}

/* ---- status ---- */

size_t services_count(const struct services *all)
{
	return all->n;
}

const struct service *services_at(const struct services *all, size_t i)
{
	return all->service[i];
}

const char *service_name(const struct service *s)
{
	return s->name;
}

const char *service_target(const struct service *s)
{
	return s->target;
}

bool service_is_own(const struct service *s)
{
	return is_own((struct span){ (const uint8_t *)s->name, strlen(s->name) });
}

size_t service_addresses(const struct service *s, const struct address **list)
{
	*list = s->address;
	return s->n;
}
