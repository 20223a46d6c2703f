/*
 * REST session: the messages of one client, both ways, between its requests and the channel to its target (REST.md 3 to 5).
 */
#ifndef SERVER_REST_SESSION_H
#define SERVER_REST_SESSION_H

#include "server/rest_messages.h"
#include "tunnel/session.h"

#define REST_PROTOCOL_MAX 256

struct rest_limits {
	size_t window;		/* bytes of messages that wait, in each direction */
	size_t messages_max;	/* their number */
	size_t message_max;	/* bytes of one */
};

enum rest_state {
	REST_OPENING,	/* -> OPEN, FAILED, GONE */
	REST_OPEN,	/* -> CLOSED, GONE */
	REST_CLOSED,	/* the close for the client is there -> GONE */
	REST_FAILED,	/* the target never opened -> GONE */
	REST_GONE,	/* the session has ended; the object follows */
};

/* Who waits at a session. told: something came, it opened or failed, it ended, or (superseded) another one waits in its place: not
 * called again after any of them. Never from within a call of the one who waits. */
enum rest_news { REST_NEWS, REST_SUPERSEDED, REST_ENDED };
struct rest_waiter {
	struct rest_waiter *next;
	void (*told)(void *ctx, enum rest_news);
	void *ctx;
	bool waits;
	bool polls;		/* is told once, then asks again */
	const char *by;		/* the transport's name; stays where it is */
};

struct rest_session;

struct rest_session_stats {
	const char *service, *state;
	const char *by;		/* how messages were waited for last; "": not yet */
	bool waits;		/* somebody does so now */
	uint64_t out, in;	/* messages of the target, of the client, so far */
	size_t out_kept, out_bytes, in_kept, in_bytes; /* of those that the client has not received yet, that the target has not taken yet */
};

/* Opens the service for the client; it lives as long as the session and goes with it. protocols: "a,b" or NULL. */
struct rest_session *rest_session_new(struct loop *, struct session *, const struct rest_limits *, const char *service, const char *protocols);

void rest_session_stats(const struct rest_session *, struct rest_session_stats *);
const char *rest_session_service(const struct rest_session *);
const char *rest_session_protocol(const struct rest_session *); /* the one chosen, "": none */
enum rest_state rest_session_state(const struct rest_session *);
/* Of FAILED: a code of capsule.h and a sentence. */
uint64_t rest_session_failure(const struct rest_session *, const char **why);
bool rest_session_stopping(const struct rest_session *); /* GONE since the server stops */

/* From the client: as rest_messages_insert; takes the chain over in any case. Behind its close nothing comes: ERROR_MALFORMED. */
int rest_session_send(struct rest_session *, uint64_t number, struct rest_message *chain);
uint64_t rest_session_taken(const struct rest_session *); /* the highest number taken in order */
/* The client has everything up to there: ERROR_MALFORMED when that was never sent. *after becomes the highest it ever had. */
int rest_session_after(struct rest_session *, uint64_t *after);
const struct rest_message *rest_session_from(const struct rest_session *, uint64_t after); /* the first behind it, or NULL */
uint64_t rest_session_next(const struct rest_session *); /* number of the next one for the client */
bool rest_session_is_closed(const struct rest_session *); /* the close is the last one for the client */
/* Closed, and the client has the close: nothing is left. */
bool rest_session_is_done(const struct rest_session *);

/* Waits for messages: instead of whoever did so before. */
void rest_session_wait(struct rest_session *, struct rest_waiter *);
/* A poll has come, whether it will wait or not. */
void rest_session_polls(struct rest_session *);
/* Waits for the target, beside others. */
void rest_session_wait_open(struct rest_session *, struct rest_waiter *);
/* So much of the client waits for the target that it should send nothing more; and waiting, beside others, until that is over. Half a
 * window: whoever sends one when he was answered finds room for it. */
bool rest_session_is_crowded(const struct rest_session *);
void rest_session_wait_room(struct rest_session *, struct rest_waiter *);
void rest_session_leave(struct rest_session *, struct rest_waiter *); /* fine when it does not wait */
/* A request came: it does not expire for another while. */
void rest_session_touch(struct rest_session *);
/* Ends it: whoever waits is told. The object goes in a later turn. */
void rest_session_end(struct rest_session *, const char *why);
/* For sessions_let. */
void rest_session_gone(void *rest_session);

#endif
