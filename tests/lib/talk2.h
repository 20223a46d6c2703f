/*
 * Two ends of an HTTP/2 connection over a stream in memory, in virtual time: both engines, or one of them against the raw
 * end (raw.h) and frames made by hand. Each exchange is a speaker, which sends and checks a pattern and counts what it is told.
 */
#ifndef TESTS_LIB_TALK2_H
#define TESTS_LIB_TALK2_H

#include "tests/lib/raw.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/h2.h"

#define SPEAKERS 400

/* One side of one exchange. */
struct speaker {
	struct exchange *x;
	bool server;

	/* what it sends */
	struct exchange_head head;
	uint64_t total, sent;
	size_t portion;		/* 0: 1000 */
	bool ended, hold, end_late;
	int send_error;

	/* what it got */
	int heads, ends, writables, closed, status, error;
	uint64_t got;
	uint32_t id;		/* of the pattern it gets and sends: from x-id of the request */
	bool lax;		/* does not compare the body */
	bool chunked;		/* the head said so */
	int64_t length;
	char method[16], target[64], host[64], protocol[16], cookie[128];
	size_t cookies;		/* length of its Cookie */
	bool paused;

	/* one thing to do from one event */
	enum { AT_NEVER, AT_HEAD, AT_BODY, AT_END, AT_WRITABLE, AT_CLOSED, AT_MOMENTS } when;
	enum { DO_NOTHING, DO_ABORT, DO_CLOSE, DO_PAUSE, DO_FAIL, DO_ANSWER, DO_ACTIONS } what;
};

extern struct talk2 {
	struct loop *loop;
	struct http *client, *server;
	int idles, client_over, server_over, client_error, server_error, overs;
	int asked, taken;	/* speakers in use */
	struct speaker ask[SPEAKERS], take[SPEAKERS];
	struct speaker answer;	/* what the next requests are answered like */
} talk2;

void talk2_set_up_pair(const struct stream_mem_options *);
void talk2_set_up_client(const struct stream_mem_options *);
/* The connection preface and SETTINGS are sent already. NULL: the default limits. */
void talk2_set_up_server(const struct http_limits *, const struct stream_mem_options *);
/* Closes what stands; each connection and exchange must have ended exactly once. */
void talk2_tear_down(void);

void talk2_run(int64_t us);
void talk2_settle(void);
/* Begins an exchange like this one; NULL: no room. */
struct speaker *talk2_ask(const struct speaker *like);
void talk2_pump(struct speaker *);

/* Frames by hand. */
void talk2_frame(int type, int flags, uint32_t stream, const void *p, size_t n);
/* HEADERS of a request: plain literals, from "name\0value\0...", ended by an empty name. */
void talk2_headers(int flags, uint32_t stream, const char *const *fields);
size_t talk2_block(char *p, const char *const *fields);
/* The n-th frame of a type among what came, from 0; its stream (-1: any) must be that; NULL: there is none. */
const uint8_t *talk2_find(int type, int64_t stream, int n);
static inline size_t talk2_length(const uint8_t *f) { return (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]; }
uint32_t talk2_u32(const uint8_t *);

#endif
