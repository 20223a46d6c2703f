/* What the files of auth share: see auth.h for what it is. */
#ifndef CLIENT_AUTH_INTERNAL_H
#define CLIENT_AUTH_INTERNAL_H

#include "client/auth.h"
#include "client/digest.h"
#include "framing/challenge.h"

#define AUTH_REJECTIONS_MAX 2
#define AUTH_SCHEMES (AUTH_NEGOTIATE + 1)
#define AUTH_WHY_MAX 800
#define AUTH_REASON_MAX 300
#define AUTH_STEP_US (8 * LOOP_SECOND)	/* shorter than a dial's patience with a proxy: another scheme must have its turn */

/* A scheme: one row of auth_methods. */
struct auth_method {
	enum auth_scheme scheme;
	const char *name;	/* on the wire */
	bool bound;		/* to the connection */
	/* Looks at one challenge of it; several may come in one answer. False: it cannot be answered, reason says why. */
	bool (*offered)(struct auth_dialogue *, const struct challenge *);
	/* What stands behind the name of the scheme: its length; ERROR_AGAIN: auth_ready comes; ERROR_LIMIT: no room; ERROR_PROXY_AUTH:
	 * not by this scheme now, reason says why. Sets proof: these are the credentials, not a step on the way there. */
	ssize_t (*put)(struct auth_dialogue *, const char *method, const char *uri, char *out, size_t cap);
	/* An answer that is not 407. NULL: of no interest. */
	void (*accepted)(struct auth_dialogue *, const struct http1_head *);
	/* The proxy goes on with a token (bound): false, this makes no sense. */
	bool (*go_on)(struct auth_dialogue *, struct span token);
	/* Credentials were rejected twice: true when they are of a kind that cannot lock an account, so that others may be tried. */
	bool (*refused)(struct auth_dialogue *);
	/* Forgets what belongs to this dialogue. NULL: nothing does. */
	void (*reset)(struct auth_dialogue *);
};

extern const struct auth_method auth_basic, auth_digest, auth_ntlm, auth_negotiate;
extern const struct auth_method *const auth_methods[]; /* strongest first, ends with NULL */

struct auth_nonce;	/* of Digest */
struct auth_token;	/* of Negotiate and NTLM */
struct auth_worker;
struct auth_gss_login;

struct auth {
	struct loop *loop;
	struct proxy proxy;
	char *password;		/* NULL: none */
	unsigned allowed;
	const struct auth_method *method; /* in use; NULL: nothing is wanted, or nothing possible */
	unsigned offers;	/* bits of schemes in the last 407 that can be answered */
	unsigned seen;		/* ... those that cannot be answered, too */
	char offered[120];	/* and others, for people */
	bool proven;		/* what we have was accepted, and not rejected since */
	bool was_proven;	/* ... at any time */
	bool stopped;		/* rejected twice: nothing more until auth_forget */
	const struct auth_method *stopped_by;
	unsigned rejections;	/* in a row */
	unsigned round;		/* of credentials; a rejection of an older round does not count */
	unsigned stale;		/* nonces in a row */
	unsigned answers;	/* 407 so far */
	struct auth_dialogue *prover; /* the only one to try what is not proven; the others wait */
	struct timer patience;	/* with the prover */
	struct auth_dialogue *dialogues;
	unsigned refs;		/* 0: only they are left */
	struct auth *ring;	/* the next proxy with the same password; itself when there is none */
	struct later wake;
	struct {
		int64_t until_us; /* not again before, if another scheme will do */
		char reason[AUTH_REASON_MAX];
	} missing[AUTH_SCHEMES];
	struct auth_nonce *nonce; /* the newest */
	/* Of auth_token.c: */
	struct auth_worker *worker;
	struct auth_gss_login *login;
	int64_t step_us;	/* longest wait for one token */
	bool each_request;	/* Negotiate: a token with each request */
	char principal[256];	/* of the ticket in use; "": unknown */
	char refused_principal[256]; /* of the ticket that was rejected twice: not that one again */
	int64_t refused_expires;
};

struct auth_dialogue {
	struct auth_dialogue *next;
	struct auth *auth;
	void (*ready)(void *ctx);
	void *ctx;
	const struct auth_method *method; /* of the last line; NULL: none */
	bool waiting, woken;
	bool challenged;	/* since the last accepted request */
	bool sent, proof;	/* the last line had credentials; had a proof in it */
	bool authenticated;	/* a bound scheme was accepted on this connection */
	unsigned round;		/* of the auth when it was sent */
	unsigned failed;	/* bits of schemes that cannot be used now */
	unsigned legs;		/* challenges in a row */
	struct auth_nonce *nonce; /* of the last line */
	struct auth_token *token;
	char why[AUTH_WHY_MAX];
};

static inline unsigned auth_bit(enum auth_scheme s) { return 1u << s; }
/* Why a scheme cannot be used, for people. */
void auth_missing(struct auth *, enum auth_scheme, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A line that was not there in time may be asked for. */
void auth_ready(struct auth_dialogue *);
/* A user and a password are configured; else says that they are missing. */
bool auth_has_password(struct auth *, enum auth_scheme);
/* Digest: the last answer says that it was the nonce, or the nonce had served before. */
bool auth_digest_stale(const struct auth_dialogue *);
void auth_digest_release(struct auth_nonce *);	/* NULL is fine */

/* auth_gate.c. False: another one is trying; auth_ready comes. */
bool auth_gate_enter(struct auth_dialogue *);
void auth_gate_sent(struct auth_dialogue *);	/* what is to be proved is on its way */
void auth_gate_leave(struct auth_dialogue *);	/* whether it was inside or not */
void auth_gate_wake(struct auth *);		/* all who wait may ask again */
void auth_gate_init(struct auth *);
void auth_gate_fini(struct auth *);

/* auth_ring.c: proxies with the same password. */
void auth_ring_init(struct auth *);
void auth_ring_leave(struct auth *);
/* Several proxies rejected the password, and none accepted it. */
bool auth_ring_is_doubtful(const struct auth *);
/* How many rejections stay counted when it may be tried once more. */
unsigned auth_ring_again(const struct auth *);

/* auth_text.c: notes what is offered; composes d->why. */
void auth_text_offer(struct auth *, struct span scheme);
void auth_text_rejected(struct auth_dialogue *);
void auth_text_hopeless(struct auth_dialogue *);

#endif
