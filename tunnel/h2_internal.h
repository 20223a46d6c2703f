/*
 * What the files of the HTTP/2 engine share: the connection, its exchanges, and
 * the hooks in which the two roles differ. Nobody else includes it.
 *
 *   h2.c         entering and leaving, reading, telling, teardown
 *   h2_pump.c    what nghttp2 is to do, and its output
 *   h2_input.c   what nghttp2 tells of frames that came
 *   h2_output.c  the functions of an exchange; frames of its body
 *   h2_head.c    heads, both ways
 *   h2_limits.c  what a peer may do how often
 *   h2_windows.c what its windows leave to what can wait
 *   h2_client.c  h2_server.c  what differs
 *
 * nghttp2 is entered at two places: h2_pump (all that changes it, and its output) and
 * receive in h2.c (its input), and never at one within the other (`inside`). What exchange_* calls want is
 * written down at the exchange, which is linked among the touched ones, for h2_pump; what its owner
 * is to be told is written down, too, and linked among the news, for proceed in h2.c. Heads and bodies
 * alone are handed on as they are received: what their takers want of nghttp2 waits. From within its callbacks
 * it is asked only for what it keeps of ours at a stream, and what the peer's settings and windows are.
 */
#ifndef TUNNEL_H2_INTERNAL_H
#define TUNNEL_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "tunnel/h2.h"
#include "tunnel/list.h"

#define H2_FRAME 16384		/* octets of a frame, the least that everybody accepts */
#define H2_FRAME_HEAD 9
#define H2_INPUT 18432		/* a TLS record and its framing */
#define H2_OUTPUT_FULL 16384	/* no further frame behind so much that was not written */
#define H2_OUTPUT (H2_OUTPUT_FULL + H2_FRAME_HEAD + H2_FRAME)
#define H2_WINDOW (1 << 20)	/* bytes of a body to us */
#define H2_WINDOW_FIRST (1 << 18) /* server: of a request's body at first, when nobody knows yet whose it is */
#define H2_WINDOW_CONNECTION (1 << 24)
#define H2_HANDED 32768		/* fewer bytes are not worth telling nghttp2, which gives a window back by halves */
#define H2_HELD_MAX (16 << 20)	/* bytes of paused exchanges of one connection that are kept: as many large uploads at a time */
#define H2_FEW 4		/* exchanges at a time: a server that takes fewer is no better than one of HTTP/1.1 */
#define H2_SPARE 4		/* buffers kept for further exchanges */

enum h2_state {
	H2_OPEN,	/* -> CLOSING */
	H2_CLOSING,	/* torn down as soon as no event of ours is on the stack; -> DEAD */
	H2_DEAD,	/* freed at the end of the turn */
};

struct h2;

struct h2_role {
	bool server;
	const struct http_ops *ops;
	/* A head is there in full. It may be one that cannot be taken. */
	void (*head)(struct h2 *, int32_t id, bool ended);
	/* After every event: whatever the role has to look after. */
	void (*settled)(struct h2 *);
	/* The timer fired: what is overdue ends, and the timer is armed for what comes next. */
	void (*overdue)(struct h2 *);
};

/* The head of a message that goes out, until nghttp2 has it. */
struct h2_block {
	size_t count, cap;
	nghttp2_nv *field;	/* pointing into the text behind */
};

/* What media took lately, of a connection or an exchange. */
struct h2_media {
	int64_t at_us;		/* the last of it; 0: none */
	int64_t bytes;		/* in a second, about, then */
};

struct h2_stream {
	struct exchange x;	/* first. events NULL: dropped */
	struct h2 *h2;
	struct link link;	/* among all of the connection */
	struct link touched, news;
	int32_t id;		/* 0: nghttp2 does not know it yet */
	struct course_exchange course; /* how far its messages are */
	bool gone;		/* nghttp2 does not know it any more */
	bool over;		/* nothing more comes of it but closed(error) */
	int error;

	struct http1_head *head; /* the peer's, with its text behind; NULL: none yet */
	bool connect;		/* the request is an extended CONNECT (RFC 8441) */
	bool is_head;		/* it is HEAD */
	bool bodyless;		/* our message must not have a body */
	bool paused;
	uint8_t *hold;		/* bytes that came while it was paused */
	size_t held, hold_cap;
	bool held_end;		/* and the end behind them */
	size_t handed;		/* bytes handed on that the window has not got back */
	bool wide;		/* its window is H2_WINDOW */
	bool prioritize;	/* server: nghttp2 is to be told of its priority */
	int64_t in_last, out_last; /* progress was made */

	struct h2_block *block;	/* the head to be submitted */
	bool resume;		/* there is something for frames again */
	bool waits;		/* for writable */
	bool sparse;
	uint8_t *out;		/* room; NULL: not used yet */
	size_t out_cap, out_pos, out_len; /* of it, what is in no frame yet */
	bool out_ended;		/* the frame that ends our message is made */

	struct h2_media media;
	struct link narrow;	/* among those that wait for windows */
	int64_t turn;		/* bytes that are its part, in this round */
	uint64_t round;
};

/* A head that is coming in; there is one at a time on a connection. */
struct h2_incoming {
	bool trailer;
	bool huge;		/* too large to be kept */
	size_t count, text_n, seen; /* seen: octets, also of what is not kept */
	struct span pseudo[6];	/* by enum pseudo of h2_head.c */
	struct http1_header field[HTTP1_HEADERS_MAX];
	uint8_t text[HTTP1_HEAD_MAX + 512];
};

/* So many at once, and a rate (h2_limits.c). */
struct h2_budget {
	int64_t left;		/* thousandths */
	int64_t at;		/* what time has earned until then is in it */
};

struct h2 {
	struct http http;	/* first */
	struct loop *loop;
	const struct http_events *events;
	const struct h2_role *role;
	nghttp2_session *session;
	struct later later;	/* goes on with what exchange_* calls left to do */
	struct timer timer;
	unsigned depth;		/* events of ours on the stack */
	bool inside;		/* nghttp2 is on the stack */
	enum h2_state state;
	int error;		/* why it closes */
	int write_error;	/* client: what is left to read is still read */
	bool tls;		/* for :scheme */

	struct link streams, touched, news;
	unsigned count;		/* streams */
	unsigned sparse;	/* those that asked for it */
	struct course course;

	uint8_t *input;		/* H2_INPUT bytes */
	size_t in_pos, in_len;	/* of it, what nghttp2 has not seen yet */
	unsigned requests;	/* server: heads that came since requests_at, which is one turn of the loop */
	int64_t requests_at;
	bool asleep;		/* that was enough: it goes on in the next turn */
	struct h2_incoming *incoming;
	size_t unconsumed;	/* of the connection's window */
	size_t held;		/* sum of the streams' */

	uint8_t *output;	/* H2_OUTPUT bytes */
	size_t out_pos, out_len; /* not written yet */
	bool blocked;		/* something is left of it */
	bool wants_read, wants_write; /* what the stream was told */
	int64_t out_last;
	uint8_t *spare[H2_SPARE]; /* EXCHANGE_ROOM bytes each */

	struct h2_media media;
	int64_t trip_us;	/* of what goes on it */
	int64_t window_most;	/* bytes that the connection's window had */
	bool mixed;		/* it goes on one exchange, and what can wait on another */
	struct link narrow;	/* exchanges that wait for windows */
	int64_t narrow_us;	/* since then; 0: none does */
	int64_t silent_us;	/* the peer was silent meanwhile, last then */
	uint64_t round;		/* of their turns, which began at */
	int64_t round_us;
	int64_t turns;		/* sum of what is left of them */
	int64_t vain_us;	/* the reserve was waited for in vain; 0: never */
	int64_t reserve_cap;	/* bytes that it has for a while behind that */

	bool settings;		/* the peer's came */
	bool goaway;		/* the peer's came: it takes nothing more */
	uint32_t goaway_code;
	bool answered;		/* client: see http_was_answered */
	bool idle_due;		/* client: room was made */
	bool ping_due;
	int64_t pinged;		/* client: a PING is out since then, and nothing came; 0: none */

	/* server; the caller's */
	const struct http_limits *limits;
	int64_t since;		/* no exchange since then */
	int64_t head_since;	/* a head began then; 0: none is incomplete */
	bool fresh;		/* had no exchange yet */
	bool draining;
	int64_t drain_at;	/* the second GOAWAY is due then; 0: none */
	bool notice_due, part_due; /* the first one, the second one is to be sent */
	bool calm;		/* the peer went too far */
	struct h2_budget control, resets, waste;
	int32_t newest;		/* stream that a request came on */
};

/* h2.c */
struct h2 *h2_new(struct loop *, struct stream *, const struct h2_role *, const struct http_events *, void *ctx);
static inline struct h2 *h2_of(const struct http *http) { return (struct h2 *)(void *)http; }
void h2_close(struct http *);
/* Closes with a code (0: in order) once nobody is on the stack. */
void h2_fail(struct h2 *, int error);
struct course *h2_course(struct http *);
bool h2_was_answered(const struct http *);
struct h2_stream *h2_stream_new(struct h2 *, int32_t id);
/* nghttp2 has something to do for it; the owner has something to hear of it. */
void h2_touch(struct h2_stream *);
void h2_news(struct h2_stream *);
/* It ends: by itself with 0, else with a code; nghttp2 resets it if it knows it still. */
void h2_stream_over(struct h2_stream *, int error);

/* h2_pump.c */
/* Everything touched goes to nghttp2, and its output as far as the stream takes it. Calls nobody up. Within nghttp2: later. */
void h2_pump(struct h2 *);
/* A last word to the peer, if it can be written without waiting. */
void h2_goodbye(struct h2 *);
/* Something is left that the stream did not take. */
bool h2_is_blocked(const struct h2 *);

/* h2_input.c */
void h2_input_callbacks(nghttp2_session_callbacks *);
/* What was held goes to the owner, who is not paused any more. */
void h2_input_release(struct h2_stream *);
/* The peer's message is complete. */
void h2_input_end(struct h2_stream *);
void h2_input_free(struct h2_stream *);

/* h2_output.c */
extern const struct exchange_ops h2_output_ops;
void h2_output_callbacks(nghttp2_session_callbacks *);
/* The head goes to nghttp2. */
void h2_output_submit(struct h2_stream *);
void h2_tune(struct h2 *);	/* its stream, for what goes on it now */
bool h2_output_is_writable(const struct h2_stream *);
void h2_output_free(struct h2_stream *);

/* h2_head.c */
void h2_head_begin(struct h2 *, bool trailer);
/* False: enough of it. */
bool h2_head_add(struct h2 *, struct span name, struct span value);
/* What came as a head for this exchange; NULL: malformed, or too large. ended: no body follows. */
struct http1_head *h2_head_take(struct h2 *, bool request, bool ended);
/* What goes out: NULL where it is too long. body: its length, if it is complete. */
struct h2_block *h2_head_request(const struct h2 *, const struct exchange_head *, size_t body);
struct h2_block *h2_head_response(const struct exchange_head *, size_t body);

/* h2_limits.c */
void h2_limits_options(nghttp2_option *);
void h2_limits_init(struct h2 *);
/* A frame but DATA comes, of an exchange that is there or not; one of DATA is there in full; one went; a stream was reset by the peer, or by us
 * for what it did. */
void h2_limits_frame(struct h2 *, const nghttp2_frame_hd *, bool live);
void h2_limits_data(struct h2 *, const nghttp2_data *, bool live);
void h2_limits_sent(struct h2 *);
void h2_limits_reset(struct h2 *);
void h2_limits_huge(struct h2 *); /* because its head had no end */
/* So many bytes came; so many of them were a body's. */
void h2_limits_received(struct h2 *, size_t n);
void h2_limits_useful(struct h2 *, size_t n);

/* h2_windows.c */
void h2_windows_sent(struct h2_stream *, size_t n);
void h2_windows_opened(struct h2 *);	/* one of them, or it may be */
void h2_windows_overdue(struct h2 *);

#endif
