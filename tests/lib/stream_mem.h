/*
 * A stream in memory: a pair of ends over a virtual loop, with delay, bounded
 * buffers (back-pressure), small reads and writes, stalls and cuts. It behaves
 * as a connected TCP stream does: level-triggered events from the loop, never
 * from within a call; bytes that arrived before a cut can still be read; after
 * the peer's close reading ends in order and writing fails a round trip later.
 */
#ifndef TESTS_LIB_STREAM_MEM_H
#define TESTS_LIB_STREAM_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/loop.h"
#include "tunnel/stream.h"

/* Arrays: [0] is what end a writes, [1] what end b writes. */
struct stream_mem_options {
	int64_t delay_us;	/* one way */
	size_t buffer;		/* bytes per direction written and not yet read; 0: 64 KiB */
	int64_t cut_after[2];	/* the connection is cut when that many bytes have arrived; -1: never */
	int64_t stall_after[2];	/* no byte behind that many arrives; -1: never */
	size_t chunk;		/* the most that one read gives; 0: any */
	size_t write_chunk;	/* the most that one write takes; 0: any */
	const char *alpn;	/* what both ends were told; NULL: nothing */
};
extern const struct stream_mem_options stream_mem_plain;	/* no delay, no faults */

/* Both ends have to be closed (stream_close) in the end; attach events to them. NULL: plain. */
void stream_mem_pair(struct loop *, struct stream **a, struct stream **b, const struct stream_mem_options *);
/* The options in force for both ends; they may be changed for what is written from then on. */
struct stream_mem_options *stream_mem_options(struct stream *);

/* Cuts the connection at once: bytes in flight are lost, both ends get ERROR_RESET. */
void stream_mem_cut(struct stream *);
/* This end will write nothing more: its peer reads end of stream behind what was written. */
void stream_mem_finish(struct stream *);
/* What this end writes waits from now on (its end of stream too), until on is false. */
void stream_mem_stall(struct stream *, bool on);
/* This end gets failed(error), as from a TLS alert, and the connection is cut. */
void stream_mem_fail(struct stream *, int error);

uint64_t stream_mem_sent(const struct stream *);	/* bytes this end wrote */
bool stream_mem_sparse(const struct stream *);		/* this end was told to be */
bool stream_mem_closed(const struct stream *);		/* this end was closed; valid while the peer is open */
struct stream *stream_mem_peer(struct stream *);

#endif
