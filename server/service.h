/*
 * Services: the targets that helpers may ask for by name. Names of hosts are
 * looked up at start and every minute, in the background; the last good answer
 * is kept.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/message.h"
#include "server/egress.h"
#include "server/egress_settings.h"
#include "tunnel/resolve.h"

#define SERVICES_MAX 256

struct services;
struct service;

/* What a configuration says of one service. */
struct service_spec {
	const char *name;	/* 1 to 64 characters of a-z 0-9 . _ -, not beginning with "culvert." */
	const char *target;	/* "udp://HOST:PORT", "udp://HOST:FIRST-LAST", "tcp://...", "ws://HOST:PORT/PATH", "wss://..." */
	const char *kind;	/* of what speaks UDP: "", "turn" or "sip" */
	const char *class;	/* "auto", "audio", "video", "control" or "bulk" */
	long idle_s;		/* -1: by kind */
	long deadline_ms;	/* 0: by class */
	const char *redundancy;	/* "auto", "always" or "never" */
	const char *const *audio_types, *const *video_types; /* RTP payload types, "0" to "127"; NULL-terminated, or NULL */
	struct egress_wishes wishes;
};

struct services *services_new(void);
void services_free(struct services *);	/* NULL is fine */
/* 0, or ERROR_CONFIG and what is wrong with the service in error. */
int services_add(struct services *, const struct service_spec *, char *error, size_t size);
/* Adds a service of the server's own. */
void services_add_own(struct services *, const struct egress_kind *);
/* Takes over addresses that were found for the same host names before. */
void services_inherit(struct services *, const struct services *);
/* Begins to look up names; ready is called once, in a later turn, when each has been answered or failed. */
void services_start(struct services *, struct loop *, struct resolver *, void (*ready)(void *ctx), void *ctx);

/* What an OPEN asks for: CODE_NONE, then *params gets what the service decides, *kind how, and to[RESOLVE_MAX] and *n
 * where; else a code and a static sentence. */
uint64_t services_choose(const struct services *, const struct message_open *, struct channel_params *params,
			 const struct egress_kind **kind, struct address *to, size_t *n, const char **sentence);

/* For status. */
size_t services_count(const struct services *);
const struct service *services_at(const struct services *, size_t i);
const char *service_name(const struct service *);
const char *service_target(const struct service *); /* as configured; "built in" */
bool service_is_own(const struct service *);	/* ... that: it has no addresses */
/* The addresses known now, at most RESOLVE_MAX. */
size_t service_addresses(const struct service *, const struct address **);

#endif
