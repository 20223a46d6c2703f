/*
 * What the files of the HTTP/1.1 engine share: the connection, its states, and
 * the hooks in which the two roles differ. Nobody else includes it.
 *
 *   h1.c         input, the course of an exchange, teardown
 *   h1_output.c  the four functions of an exchange; heads, chunks, writing
 *   h1_again.c   a request that a proxy refused for want of credentials, sent again
 *   h1_client.c  h1_server.c  what differs
 */
#ifndef TUNNEL_H1_INTERNAL_H
#define TUNNEL_H1_INTERNAL_H

#include "tunnel/course.h"
#include "tunnel/dress.h"
#include "tunnel/h1.h"

#define H1_INPUT 18432		/* a TLS record and its framing */

enum h1_state {
	H1_IDLE,	/* -> BUSY, CLOSING */
	H1_BUSY,	/* an exchange is in flight; -> IDLE, CLOSING */
	H1_CLOSING,	/* torn down as soon as no event of ours is on the stack; -> DEAD */
	H1_DEAD,	/* freed at the end of the turn */
};

struct h1;

struct h1_role {
	enum http1_role parses;
	const struct http1_events *parser;
	/* Bytes came that belong to no message being read. */
	void (*stray)(struct h1 *);
	void (*malformed)(struct h1 *, int error);
	void (*eof)(struct h1 *);
	void (*write_failed)(struct h1 *, int error);
	/* After every event: whatever the role has to look after. */
	void (*settled)(struct h1 *);
};

struct h1 {
	struct http http;	/* first */
	struct exchange x;	/* the one in flight. events NULL: dropped */
	struct loop *loop;
	const struct http_events *events;
	const struct h1_role *role;
	struct http1 *parser;
	struct later later;	/* goes on with what exchange_* calls left to do */
	unsigned depth;		/* events of ours on the stack */
	enum h1_state state;
	int error;		/* why it closes */

	struct course_exchange messages;
	struct course course;
	bool keep;		/* the connection can take another exchange */
	bool paused;
	bool chunked;		/* our body is */
	bool bodyless;		/* our message must not have a body */
	bool old;		/* server: the request was HTTP/1.0 */
	bool refused;		/* client: the answer's status is not 200 */
	bool resumed;		/* server: and wants to be told that the connection stays */
	bool resting;		/* buffers are given back on the way out */
	bool sparse;		/* asked for by the exchange, and ends with it */
	bool asked;		/* the request asks for another protocol, and no answer has said yes or no */
	bool raw;		/* which is spoken: bytes both ways, until the connection ends */

	uint8_t *input;		/* H1_INPUT bytes, or NULL */
	size_t in_start, in_end; /* not parsed yet */
	size_t held, held_n;	/* body bytes parsed while paused, moved together in place */
	bool held_end;		/* and the end behind them */

	uint8_t *output;	/* headroom, room, trailer; or NULL */
	size_t headroom, head_max, room;
	size_t out_pos, out_len; /* not written yet */
	int write_error;	/* client: what is left to read is still read */

	/* client: see h1_again */
	struct dress *dress;	/* NULL: requests go as they are */
	char *kept;		/* method, target, host, lines of the request in flight, each with its NUL; NULL: none was dressed */
	size_t kept_cap, kept_body; /* kept_body: bytes of the body, which still lie behind the headroom */
	bool repeatable;	/* the request was complete at once */
	bool again;		/* refused, and to be sent again once the refusal is read */
	unsigned repeats;	/* of this exchange */

	/* server */
	struct http_limits limits;
	struct timer timer;
	int64_t since;		/* idle, or the head begun, since then */
	bool fresh;		/* had no exchange yet */
	bool draining;
};

/* h1.c */
struct h1 *h1_new(struct loop *, struct stream *, const struct h1_role *, const struct http_events *, void *ctx);
/* Closes with a code (0: in order) once nobody is on the stack. */
void h1_fail(struct h1 *, int error);
/* Around everything that may call up. */
void h1_enter(struct h1 *);
void h1_leave(struct h1 *);
/* Another protocol is spoken from here on. */
void h1_switch(struct h1 *);
/* A new exchange begins: everything about it is reset. */
void h1_begin(struct h1 *);
/* Gives back buffers that are empty: they come again with what they are for. */
void h1_rest(struct h1 *);
/* Of the stream. */
void h1_sparse(struct h1 *, bool on);
/* Carries on as far as it goes: held and buffered input, the end of the exchange, the next. */
void h1_proceed(struct h1 *);
/* One read into the buffer; false when nothing came. */
bool h1_read(struct h1 *);
bool h1_wants_read(const struct h1 *);
/* The one place where interest in the stream is set. */
void h1_interest(struct h1 *);
/* Parser events that the roles have in common. */
int h1_on_body(void *ctx, const uint8_t *p, size_t n);
int h1_on_end(void *ctx);

static inline void h1_in(struct h1 *h, enum course_message m)
{
	course_in(&h->course, &h->messages, m);
}

/* h1_client.c: an exchange on an idle connection; NULL when it is not idle. */
struct exchange *h1_ask(struct h1 *, const struct exchange_events *, void *ctx);

/* h1_again.c */
void h1_keep_request(struct h1 *, const struct exchange_head *, size_t body);
/* The head of an answer came on a dressed connection: 0; or a code with which the exchange fails. With `again` set what follows of the
 * answer is nobody's. */
int h1_look_at_answer(struct h1 *, const struct http1_head *);
/* The refusal is read: 0 or a code. */
int h1_repeat(struct h1 *);

/* h1_output.c */
/* Sends a request again whose n body bytes still lie where they were. */
int h1_output_again(struct h1 *, const struct exchange_head *, size_t n);
extern const struct exchange_ops h1_output_ops;
void h1_output_init(struct h1 *);
/* Writes what is left: 0 (also when some is left still) or a code. */
int h1_output_flush(struct h1 *);

#endif
