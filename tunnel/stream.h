/*
 * Stream: ordered bytes in both directions, non-blocking. Implementations:
 * stream_tcp (a socket), stream_tls (TLS over any other stream) and, in the
 * tests, one in memory. Interest is level-triggered: while reading is wanted
 * and there is something to read, readable is called once per turn.
 */
#ifndef TUNNEL_STREAM_H
#define TUNNEL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;
struct dress;

/* Called up; never from within a call of stream_*. After failed nothing is
 * called any more, and the owner calls stream_close. */
struct stream_events {
	void (*ready)(void *ctx);	/* connected, handshake done: read and write may begin */
	void (*readable)(void *ctx);
	void (*writable)(void *ctx);
	void (*failed)(void *ctx, int error); /* negative error code */
};

/* What is known of a ready stream; pointers live as long as the stream. */
struct stream_info {
	char peer[80];		/* "[addr]:port" of the other side, "unix" of a Unix socket, "" if there is none */
	const char *alpn;	/* "" when none was agreed */
	const char *tls;	/* "TLSv1.3", "" without TLS */
	bool resumed;
};

/* What is sent on it. */
enum stream_use {
	STREAM_SPARSE = 1,	/* little, and all of that is urgent */
	STREAM_MIXED = 2,	/* what is urgent, beside much that is not */
};

struct stream_ops {
	/* Bytes read (> 0), 0 = end of stream, ERROR_AGAIN, or another code. */
	ssize_t (*read)(struct stream *, uint8_t *p, size_t cap);
	/* Bytes taken (may be fewer), ERROR_AGAIN, or another code. */
	ssize_t (*write)(struct stream *, const uint8_t *p, size_t n);
	/* Which of readable and writable to call from now on. */
	void (*want)(struct stream *, bool read, bool write);
	void (*info)(struct stream *, struct stream_info *);
	/* Ends it in any state and frees it at the end of the turn; flushes a TLS
	 * close_notify if it can without waiting. No event comes any more. */
	void (*close)(struct stream *);
	/* Tunes it for a use (enum stream_use), as far as it can be. NULL: it cannot. */
	void (*tune)(struct stream *, unsigned use);
	/* Nothing is likely to come or go for a while: what memory can be given back is. NULL: there is none. */
	void (*rest)(struct stream *);
};

/* Embedded first in each implementation. */
struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *ctx;
	bool plain;		/* nothing protects what goes over it to the server: sealed exchanges only. Set by the dialler */
	struct dress *dress;	/* how requests on it are to look (dress.h); NULL: as they are. Whoever closes it releases it */
};

/* Hands a stream to a new owner. */
static inline void stream_attach(struct stream *s, const struct stream_events *events, void *ctx)
{
	s->events = events;
	s->ctx = ctx;
}
static inline ssize_t stream_read(struct stream *s, uint8_t *p, size_t cap) { return s->ops->read(s, p, cap); }
static inline ssize_t stream_write(struct stream *s, const uint8_t *p, size_t n) { return s->ops->write(s, p, n); }
static inline void stream_want(struct stream *s, bool r, bool w) { s->ops->want(s, r, w); }
static inline void stream_info(struct stream *s, struct stream_info *i) { s->ops->info(s, i); }
static inline void stream_tune(struct stream *s, unsigned use)
{
	if (s->ops->tune)
		s->ops->tune(s, use);
}
static inline void stream_rest(struct stream *s)
{
	if (s->ops->rest)
		s->ops->rest(s);
}
static inline void stream_close(struct stream *s) { s->ops->close(s); }

#endif
