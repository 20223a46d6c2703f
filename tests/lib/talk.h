/*
 * Two parties that talk HTTP/1.1 over a stream in memory, in virtual time: client and server engine, or one of them
 * against the raw end (raw.h). Each party sends and checks a pattern, counts what it is told, and can do one thing
 * from one event.
 */
#ifndef TESTS_LIB_TALK_H
#define TESTS_LIB_TALK_H

#include "tests/lib/raw.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/h1.h"

#define TALK_REQUEST "POST /p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
#define TALK_OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

enum moment { AT_NEVER, AT_HEAD, AT_BODY, AT_END, AT_WRITABLE, AT_CLOSED, MOMENTS };
enum action { DO_NOTHING, DO_ABORT, DO_CLOSE, DO_PAUSE, DO_FAIL, DO_DRAIN, ACTIONS };

/* One side: the connection and what is done with its exchanges. */
struct party {
	struct http *h;
	struct exchange *x;
	bool server;

	/* what it sends */
	struct exchange_head head;
	uint64_t total, sent;
	size_t portion;
	bool ended, hold, end_late;
	int send_error;

	/* what it got */
	int requests, heads, ends, writables, closed, idles, over;
	int status, error, over_error, minor;
	uint64_t got, got_now;
	bool lax;		/* does not compare the body */
	char text[512];		/* of the body, when lax */
	bool paused;

	enum moment when;
	enum action what;

	/* Another exchange around the engine's; NULL: none. The server's comes by talk_take. */
	struct exchange *(*around)(struct exchange *);
	void (*taken)(struct exchange *, const struct http1_head *);
};

extern struct talk {
	struct loop *loop;
	struct party client, server;
	struct dress *dress;	/* of the next client's connection */
} talk;
extern const struct exchange_events talk_exchange_events;	/* of a party, which is their ctx */

/* Both engines; or one and raw, which then does not compare the body. NULL: the default limits, the plain stream. */
void talk_set_up_pair(const struct stream_mem_options *);
void talk_set_up_client(const struct stream_mem_options *);
void talk_set_up_server(const struct http_limits *, const struct stream_mem_options *);
/* Closes what stands; after it each connection must have ended exactly once. */
void talk_tear_down(void);

void talk_run(int64_t us);
void talk_settle(void);			/* long enough for everything to settle, shorter than all limits */
void talk_say(const char *);		/* from the raw end; and everything settles */
void talk_ask(struct party *);		/* begins an exchange */
void talk_take(struct party *, struct exchange *, int minor); /* a request is the server's to answer */
void talk_pump(struct party *);		/* sends as much as there is room for */

#endif
