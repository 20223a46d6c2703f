/*
 * The inside of seals, shared by seals.c (the table, handshakes) and seals_visit.c (exchanges
 * of the mode `seal`).
 */
#ifndef SERVER_SEALS_INTERNAL_H
#define SERVER_SEALS_INTERNAL_H

#include "server/seals.h"
#include "tunnel/address.h"
#include "tunnel/list.h"

#define SEALS_BUCKETS 1024

struct entry;

struct seals {
	struct loop *loop;
	struct seals_limits limits;
	struct tls_context *tls;
	bool (*lives)(void *ctx, const char *identity, const char *sid);
	void *ctx;
	struct entry *bucket[SEALS_BUCKETS];
	struct link pending, proven, visits;
	size_t pending_count, proven_count, visit_count;
	uint64_t seed;
	struct timer timer;
};

/* Who asks for which seal. */
struct seals_asker {
	char sid[REQUEST_SID_LEN + 1];
	uint32_t number;
	uint8_t origin[SEALS_ORIGIN];
	char peer[ADDRESS_TEXT];
};

/* One more handshake is not taken up: counted and logged. */
void seals_refuse(const char *peer, const char *why);
/* Takes the helper's flight. True: *out, *n are to be answered, valid until the next call. False: it is none, or was refused. */
bool seals_take(struct seals *, const struct seals_asker *, struct span flight, const uint8_t **out, size_t *n);
/* Ends all exchanges. */
void seals_visits_end(struct seals *);

#endif
