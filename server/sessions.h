/*
 * Sessions: the table of this process, by identity and sid, with caps and with
 * tombstones of those that ended. The one seam between the front and sessions is
 * sessions_accept.
 */
#ifndef SERVER_SESSIONS_H
#define SERVER_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/request.h"
#include "tunnel/exchange.h"
#include "tunnel/session.h"

struct sessions;
struct egress_share;

struct sessions_config {
	struct session_config session;	/* of each */
	size_t max, max_per_identity;	/* sessions at a time */
	size_t max_tombstones;		/* the oldest are forgotten beyond that */
	uint64_t node, epoch;		/* told in WELCOME; epoch is never 0 */
};

/* open: what session_events has, ctx as given here. */
typedef uint64_t sessions_open(void *ctx, struct channel *, const struct message_open *, struct channel_params *,
			       const struct endpoint_ops **, void **endpoint, const char **sentence);

struct sessions *sessions_new(struct loop *, const struct sessions_config *, struct packet_pool *, sessions_open *,
			      void *ctx);
/* Ends all without a word. NULL is fine. */
void sessions_free(struct sessions *);
/* An authenticated exchange of this identity, from there (text): gives it to its session, which is made by the mode hello; or answers
 * GONE with the reason. Takes the exchange over. The head is the request's, valid during the call. */
void sessions_accept(struct sessions *, const char *identity, const char *peer, const struct request *, struct exchange *,
		     const struct http1_head *);
/* Is there such a session that has not ended? And one that was ever used sealed: it takes nothing unsealed any more. */
bool sessions_lives(const struct sessions *, const char *identity, const char *sid);
bool sessions_is_sealed(const struct sessions *, const char *identity, const char *sid);
/* Sessions that no helper has, but something in this process on behalf of a client (tunnel/local.h): its tenant. They count as all others do. */
enum sessions_found { SESSIONS_NONE, SESSIONS_LIVE, SESSIONS_ENDED, SESSIONS_OF_HELPER };
/* *tenant: as given to sessions_let, when one lives. peer: where its client is now. */
enum sessions_found sessions_find(struct sessions *, const char *identity, const char *peer, const char *sid, void **tenant);
/* A new one, of a sid that has none; NULL and a sentence at a cap. It expires after expire_ms without anybody attending. */
struct session *sessions_create(struct sessions *, const char *identity, const char *peer, const char *sid, uint32_t expire_ms,
				const char **why);
/* gone: called once, when the session has ended and what is left of it is a tombstone. */
void sessions_let(struct session *, void *tenant, void (*gone)(void *tenant));
bool sessions_closing(const struct sessions *);
/* Says BYE to all; new ones are refused from now on. */
void sessions_bye(struct sessions *, uint64_t code, const char *reason);

/* What a session of this table has had of the server's own services. */
struct egress_share *sessions_share(const struct session *);
/* Whose one of this table is. */
const char *sessions_identity(const struct session *);

size_t sessions_count(const struct sessions *);
size_t sessions_tombstones(const struct sessions *);
size_t sessions_sealed(const struct sessions *); /* of those, that were ever used sealed */
/* One that lives. peer: where its helper was seen last. */
struct sessions_one {
	const char *identity, *peer;
	const struct session *session;
	bool sealed, local;
	const void *tenant;	/* of a local one */
};
void sessions_each(const struct sessions *, void (*fn)(void *arg, const struct sessions_one *), void *arg);

#endif
