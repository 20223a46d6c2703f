/*
 * Loop: time, timers, file descriptors and end-of-turn work for everything in
 * a process. The real loop runs on libev; a virtual one has no descriptors and
 * its time moves only when loop_advance says so (simulation). Only the loop
 * reads the clock.
 */
#ifndef TUNNEL_LOOP_H
#define TUNNEL_LOOP_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOP_MS INT64_C(1000)
#define LOOP_SECOND INT64_C(1000000)

struct loop;

struct loop *loop_new(void);
struct loop *loop_new_virtual(int64_t start_us, int64_t wall_seconds);
void loop_free(struct loop *);

int64_t loop_now(const struct loop *);	/* us, monotonic, constant within a turn */
/* Reads the clock anew: for stamps of packets received late in a long turn. */
int64_t loop_touch(struct loop *);
int64_t loop_wall(const struct loop *);	/* Unix seconds */
/* Milliseconds of the monotonic clock modulo 2^32: the clock of records. */
uint32_t loop_clock(const struct loop *);
void loop_random(struct loop *, void *p, size_t n); /* virtual: seeded, repeatable */
uint64_t loop_random_u64(struct loop *);
void loop_seed(struct loop *, uint64_t seed);	/* virtual only */

void loop_run(struct loop *);		/* until loop_break; real only */
void loop_break(struct loop *);
/* Virtual: runs everything due up to and including `until_us`, in order. */
void loop_advance(struct loop *, int64_t until_us);
bool loop_is_virtual(const struct loop *);

/* One-shot timer. Embedded; zeroed memory is a stopped timer. */
struct timer {
	struct loop *loop;
	void (*fire)(void *ctx);
	void *ctx;
	int64_t at;
	uint32_t slot;		/* place in the heap + 1; 0: not armed */
};
void timer_init(struct timer *, struct loop *, void (*fire)(void *ctx), void *ctx);
void timer_set(struct timer *, int64_t at_us);	/* absolute; arms or re-arms */
void timer_in(struct timer *, int64_t delta_us);
/* Arms it for at_us unless it is armed for earlier. */
void timer_sooner(struct timer *, int64_t at_us);
void timer_stop(struct timer *);
static inline bool timer_armed(const struct timer *t) { return t->slot != 0; }

/* Work for the end of this turn, behind all callbacks of it. A work queued
 * while the queue is being run runs in the same turn. Embedded; queued once. */
struct later {
	struct later *next;
	void (*run)(void *ctx);
	void *ctx;
	bool queued;
};
void later_init(struct later *, void (*run)(void *ctx), void *ctx);
void loop_later(struct loop *, struct later *);
void later_cancel(struct loop *, struct later *);
/* free(p) at the end of the turn: nothing is freed under its own callers' feet. */
void loop_free_later(struct loop *, void *p);

/* Interest in a descriptor. Embedded. */
struct io {
	struct ev_io ev;
	struct loop *loop;
	void (*ready)(void *ctx, bool readable, bool writable);
	void *ctx;
};
void io_init(struct io *, struct loop *, int fd, void (*ready)(void *ctx, bool readable, bool writable), void *ctx);
/* The one place to change interest; false, false stops. */
void io_want(struct io *, bool read, bool write);
void io_stop(struct io *);

/* Calls fn in the loop when the signal comes; for the life of the process. */
void loop_signal(struct loop *, int signo, void (*fn)(void *ctx), void *ctx);

#endif
