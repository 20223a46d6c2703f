/*
 * A pair of TLS streams, client and server, over a pair of lower streams, in memory and in virtual time unless a test
 * brings others. Each side writes `total` bytes of a pattern and checks what it reads against it.
 */
#ifndef TESTS_LIB_PAIR_H
#define TESTS_LIB_PAIR_H

#include "tests/lib/certs.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/stream_tls.h"
#include "tunnel/tls_context.h"

struct side {
	struct stream *stream;
	int ready, readable, writable, error;
	bool eof, paused;
	char reason[512];
	uint64_t out, in, total;	/* bytes written, read, to be written */
	size_t piece;			/* bytes per read and write */
	uint64_t pause_at;		/* stops reading there once */
	bool broken;			/* a byte was wrong */
};

extern struct pair {
	struct loop *loop;
	struct tls_context *client_ctx, *server_ctx;
	struct stream *lower[2];	/* of the client, of the server */
	struct side client, server;
	char error[512];		/* for what makes contexts */
} pair;
extern struct cert pair_ca, pair_cert;	/* pair_cert: for a.test, *.wild.test, 127.0.0.1, ::1 */
extern const struct stream_events pair_events;	/* of a side, which is their ctx */

/* Set-up and tear-down of a group: makes and removes the two certificates. */
int pair_make_certs(void **state);
int pair_drop_certs(void **state);

/* The contexts; version: the highest, 0 for any; alpn may be NULL. pair_forget releases them. */
void pair_contexts(const struct cert *show, const char *cafile, int version, const char *alpn, const char *server_alpn);
void pair_forget(void);

/* A loop, lower streams in memory and TLS on both; host is what the client expects. NULL: the plain stream. */
void pair_connect(const char *host, const struct stream_mem_options *);
/* TLS only, over loop and lower of the test. */
void pair_connect_over(const char *host);
void pair_disconnect(void);		/* closes both, frees the loop */
void pair_init_sides(void);		/* for a test that makes the streams itself */

void pair_run(int64_t us);
void pair_want(struct side *);		/* after a change of total or paused */
void pair_expect_open(const char *version, bool resumed);

#endif
