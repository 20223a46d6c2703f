/*
 * Front: the router. Decides for each exchange, by itself and never by its
 * connection, whether it belongs to a helper; all others get the cover, or what the website says.
 */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include "server/cover.h"
#include "server/fallback.h"
#include "server/seals.h"
#include "server/sessions.h"
#include "tunnel/address.h"
#include "tunnel/credential.h"
#include "tunnel/loop.h"

struct rest;

/* All are the owner's; cover, fallback and credentials may be exchanged between two turns. */
struct front {
	struct loop *loop;
	const char *base;
	const struct cover *cover;
	struct fallback *fallback;	/* gets what others get the cover for; NULL: none */
	const struct credentials *credentials;
	struct sessions *sessions;
	struct seals *seals;
	struct rest *rest;		/* NULL: none */
};

/* Clients behind trusted proxies that have many exchanges at a time. */
enum front_crowd {
	FRONT_CROWD_NONE,
	FRONT_CROWD_STRANGERS,	/* only helpers that authenticate are served */
	FRONT_CROWD_ALL,	/* nobody */
};

/* What the front keeps of an exchange: who asks. */
struct front_visitor {
	const struct front *front;
	char peer[ADDRESS_TEXT];
	uint8_t origin[SEALS_ORIGIN];
	bool plain;		/* of a listener without TLS: nothing but sealed sessions is served */
	bool tls;		/* it came by TLS to us */
	bool proxied;		/* by a trusted proxy */
	enum front_crowd crowd;
	size_t discarded;	/* bytes of bodies that nobody wants */
	struct {		/* the sealed request that is being opened */
		struct request request;
		const struct http1_head *head;
		struct span path_query;
		struct seal *seal;
	} sealed;
};

/* A request's head came: takes the exchange over. */
void front_request(struct front_visitor *, struct exchange *, const struct http1_head *);

#endif
