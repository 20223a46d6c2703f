/*
 * A helper that is a script of raw requests to a server session, and notes every
 * capsule of the answers and when it came, byte for byte.
 */
#ifndef TESTS_SIM_ASKER_H
#define TESTS_SIM_ASKER_H

#include "framing/capsule.h"
#include "framing/record.h"
#include "tunnel/session_internal.h"

#define ASKER_CONNS 6
#define ASKER_EVENTS 80

/* A capsule that came, or a portion of a body. */
struct event {
	int64_t at;		/* ms since the request */
	uint64_t type, id, n;
	size_t size;		/* filler, or bytes of the portion */
	uint32_t time_ms;
	bool intact;
};

struct asker;

struct conn {
	struct asker *rig;
	struct stream *near;
	struct http1 *parser;
	struct record_reader in;
	int64_t asked;
	int status, minor;
	char type[40];
	struct message_probed probed;
	char via[MESSAGE_TEXT_MAX + 1];
	struct event event[ASKER_EVENTS], portion[ASKER_EVENTS];
	unsigned events, portions, records;
	size_t body;
	int64_t ended;		/* ms, -1: not yet */
	uint64_t farewell;	/* type */
	bool cut, probe;
};

struct asker {
	struct loop *loop;
	struct packet_pool *pool;
	struct session *session;
	struct conn conn[ASKER_CONNS];
};

struct asker *asker_new(void);
void asker_free(struct asker *);
void asker_run(struct asker *, int64_t ms);
/* Connection i, made anew, asks: the query behind the sid, a header line for the body, HTTP/1.minor. */
struct conn *asker_ask(struct asker *, unsigned i, const char *query, const char *framing, int minor);
void asker_write(struct conn *, const void *p, size_t n);
void asker_chunk(struct conn *, const uint8_t *p, size_t n);
/* A record with so many MARKs: its length. bad: with another check than theirs. */
size_t asker_marks(struct asker *, uint8_t *out, size_t cap, unsigned first, unsigned count, bool bad);
void asker_mark(struct conn *, unsigned n, bool bad);	/* one, as a chunk */
/* What came of that type; NULL: not so many. */
const struct event *asker_find(const struct conn *, uint64_t type, unsigned which);

#endif
