/*
 * Requests that pass on to a website: visitors and the website by hand, at the far ends of connections in memory, in virtual time;
 * what is between them is real.
 */
#ifndef TESTS_LIB_PASSING_H
#define TESTS_LIB_PASSING_H

#include "server/fallback.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/http.h"

#define PASSING_ENDS 32
#define PASSING_GET "GET /page HTTP/1.1\r\nHost: www.example.org\r\n\r\n"
#define PASSING_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define PASSING_ADDED                                                                                                             \
	"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.org\r\n"                      \
	"Forwarded: for=192.0.2.1;host=\"www.example.org\";proto=https\r\nVia: 1.1 culvert\r\n"

/* A far end by hand: a visitor's, or the website's of one connection. */
struct end {
	struct stream *stream;
	char in[70000];
	size_t n, total;
	bool eof, cut;
};

enum passing_connecting { CONNECTS, REFUSES, SILENT };

extern struct passing {
	struct loop *loop;
	struct fallback *fallback;
	struct end *visitor[PASSING_ENDS], *site[PASSING_ENDS];
	unsigned visitors, sites;
	const struct stream_mem_options *wires;	/* of connections that begin; NULL: plain */
	enum passing_connecting connecting;
	struct fallback_visitor from;	/* who asks */
	bool bodiless;
	char error[256];
} passing;

void passing_begin(size_t max);		/* connections to the website */
void passing_finish(void);		/* after it nothing may be left */
struct end *passing_visit(void);
/* By HTTP/2: the visitor's end, whose owner closes it unless over was called. */
struct http *passing_visit_h2(void (*over)(void *ctx, int error));
void passing_settle(int64_t us);
void passing_say(struct end *, const char *);
const char *passing_heard(struct end *); /* what came since the last time */
void passing_leave(struct end *);
struct fallback_stats passing_stats(void);
/* What was heard is an answer of ours; retry: stands in its head. */
void passing_own(struct end *, const char *status, const char *retry);

#endif
