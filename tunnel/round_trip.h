/*
 * Round trip of a path, over all carriers of a session: the least of the last
 * minute, and how far the last moments lie above it, which is what waits on both
 * ways together. How late the other end saw our newest record come tells our way
 * apart from the way back. Pure.
 */
#ifndef TUNNEL_ROUND_TRIP_H
#define TUNNEL_ROUND_TRIP_H

#include <stdint.h>

struct round_trip {
	int64_t least_us;	/* 0: no sample */
	int64_t next_us, until_us; /* the least since half a minute ago begins to count alone at until_us */
	int64_t recent_us[2], recent_until_us; /* the least of this moment and of the one before */
};

/* A sample, receipt delay subtracted. */
void round_trip_note(struct round_trip *, int64_t rtt_us, int64_t now_us);
/* The round trip if nothing had waited on the way back. late_ms: lateness of the record by the receipt; -1: it does not say. */
int64_t round_trip_ours(const struct round_trip *, int64_t rtt_us, int32_t late_ms);
/* Standing queue of both ways together; 0 also when no sample came of late. */
int64_t round_trip_queue_us(const struct round_trip *, int64_t now_us);

#endif
