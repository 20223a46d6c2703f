/*
 * The inside of the pool, shared by pool.c (users, connections), pool_dial.c (dials, the
 * limit), pool_slow.c (dials that take long), pool_wait.c and pool_cuts.c.
 */
#ifndef TUNNEL_POOL_INTERNAL_H
#define TUNNEL_POOL_INTERNAL_H

#include "tunnel/http.h"
#include "tunnel/pool.h"

#define POOL_WAITERS_MAX (4 * POOL_LIMIT_MAX)
#define GAP_US (50 * LOOP_MS)		/* between dials once one has failed */
#define EXCUSE_US (30 * LOOP_SECOND)	/* what is learned one after the other may have one cause */

enum member_state {
	MEMBER_DIALLING,	/* -> FREE, gone */
	MEMBER_FREE,		/* -> USED, gone */
	MEMBER_USED,		/* by one exchange, or several of its user's; -> FREE, gone */
};

struct member {
	struct member *next;
	struct pool *pool;	/* NULL: the pool is gone */
	struct pool_user *user;	/* of USED; NULL: it has left */
	enum member_state state;
	struct dial *dial;
	struct http *http;
	int64_t since;		/* free, or being dialled, since */
	unsigned exchanges;
	bool silent;		/* being dialled: so were all that stand, when it had taken too long */
	bool spent;		/* not used again */
	bool noted;		/* its cut was */
	bool only_11;		/* being dialled: HTTP/1.1 alone is offered, for whoever asks for another protocol */
	bool old;		/* of another network: it takes no place, and says nothing */
};

struct pool {
	struct loop *loop;
	const struct pool_dialler *dialler;
	struct cuts *cuts;
	struct member *members;	/* newest free ones first */
	struct link users;
	struct {
		struct pool_user *user;
		void *asker;
	} waiting[POOL_WAITERS_MAX];
	unsigned waiting_count;
	uint64_t count;		/* of those who begin to wait, and of rounds of telling */
	unsigned peak;		/* most connections that stood at once */
	bool dead;
	void (*learned)(void *ctx); /* NULL: nobody wants to know */
	void *learned_ctx;
	struct cuts before;	/* before those noted last; see pool_excuse */
	int64_t noted_us;	/* 0: none */
	struct timer expiry;
	/* dials */
	unsigned failures;	/* in a row */
	int64_t not_before;	/* the next dial */
	unsigned slow_dials;	/* what those in a row that took too long tell */
	int64_t stood_us;	/* when the last one came about */
	int64_t usual_us;	/* that a dial takes, smoothed; 0: none succeeded */
	unsigned turns;		/* exchanges that had a connection each */
	int64_t turn_us;	/* that such an exchange takes, smoothed; each counts at most as long as a dial */
	int64_t dialled_us;	/* when the last one began */
	bool single;		/* connections end behind one exchange here */
	bool kept;		/* one served a second exchange */
	bool multiplexed;	/* the newest is HTTP/2 */
	bool few;		/* it bears hardly more than one exchange at a time here */
	unsigned hushed;	/* connections that ended behind an answer which did not say so, until one is kept */
	int64_t hushed_us;	/* the last one */
	bool no_switch;		/* HTTP/2 has no other protocols here */
	unsigned mute;		/* connections of HTTP/2 in a row that ended before any answer, the last one at */
	int64_t mute_us;
	int64_t safe_until;	/* HTTP/1.1 alone is offered; 0: it was not */
	bool insists;		/* never */
	unsigned crowded;	/* exchanges in a row that were refused because others stand */
	struct timer retry, slow;
	struct member *doubt;	/* being dialled, none of the members: the limit was learned from it; see pool_slow_ended */
	struct timer doubted;
	/* limit */
	unsigned most, limit;	/* as configured, and as learned */
	unsigned before_limit;	/* before it was learned last; see pool_excuse */
	int64_t limited_us;	/* when that was; 0: not */
	bool trying;		/* the limit was just raised, and may not hold */
	int64_t raise_us, raise_wait_us; /* when one more may be tried; 0: the limit is the configured one */
};

/* pool.c */
unsigned pool_count(const struct pool *, enum member_state);
unsigned pool_standing(const struct pool *);	/* free and used */
void pool_link(struct pool *, struct member *);
void pool_unlink(struct pool *, struct member *);
void pool_stands(struct pool *, struct member *, struct stream *);	/* its dial succeeded */
void pool_tell_learned(struct pool *);

/* pool_wait.c */
void pool_wait(struct pool_user *, void *asker);
void pool_forget_waiting(struct pool *, struct pool_user *); /* NULL: all */
void pool_tell_available(struct pool *);
bool pool_is_modest(const struct pool_user *);	/* now */
unsigned pool_eager(const struct pool *);	/* exchanges that users which are not modest wait for */
/* False: nobody waited. */
bool pool_tell_failed(struct pool *, int error, const char *why);

/* pool_cuts.c */
/* over: it ended in order. While it goes on it may be cut any moment, so a little less counts. */
void pool_survived(struct member *, bool over);
void pool_was_cut(struct member *);
/* A connection is gone right after its last answer, which had not said so: no cut. Some proxies do that each time. */
bool pool_was_hushed(struct member *, int error);
/* They do it here: no connection is used twice. */
bool pool_is_hushed(const struct pool *);

/* It is gone: whether HTTP/2 works here. */
void pool_judge_version(struct member *);
enum dial_versions pool_versions(const struct pool *);

/* pool_dial.c */
void pool_dial_init(struct pool *);
void pool_dial_fini(struct pool *);
void pool_dial_forget(struct pool *);
void pool_unlimit(struct pool *);	/* the limit that was learned last was none */
/* The first exchange on this connection was refused: because others stand? */
bool pool_is_crowded(struct pool *, const struct member *);
/* Opens what is missing for those who wait and, if wanted, for what is to be kept spare. */
void pool_ensure(struct pool *, bool spare);
/* A dial failed that began then. */
void pool_dial_failed(struct pool *, int error, const char *why, int64_t begun_us);
/* One that is no member any more, or was never: its dial and it. */
void pool_drop(struct pool *, struct member *);

/* pool_slow.c */
void pool_slow_init(struct pool *);
void pool_slow_stop(struct pool *);
/* On one of those that stand something came since then: it is not the network that is silent. */
bool pool_heard_since(const struct pool *, int64_t us);
/* A dial began. */
void pool_watch_slow(struct pool *);
/* While others stand, and something comes on them, all that are under way are late: so many are to be begun beside them. */
unsigned pool_missing_beside(const struct pool *);
/* One of those that stood is gone: the dial in doubt, if there is one, may have waited for its place, and takes it. */
void pool_slow_ended(struct pool *);
/* The dial in doubt is over, and a member again. If it stands, though none of those that stood has ended, nothing let it wait. */
void pool_slow_settle(struct pool *, bool stands);

#endif
