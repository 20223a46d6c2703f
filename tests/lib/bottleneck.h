/*
 * Bottleneck: one sender with the bound of inflight.h over a modelled path: a rate, a
 * buffer without end, a delay, receipts each 25 ms on each carrier, and single records
 * that come late because TCP sent them again.
 */
#ifndef TESTS_BOTTLENECK_H
#define TESTS_BOTTLENECK_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/inflight.h"

#define BOTTLENECK_RECORDS 32768
#define BOTTLENECK_STEP 100	/* us */

struct bottleneck {
	struct inflight flow;
	/* to be set, at any time */
	uint64_t rate;		/* bytes/s */
	int64_t base_us, receipt_us; /* round trip without queue; between receipts */
	unsigned carriers, late_permille; /* late_permille: of the records, by 50 to 250 ms */
	uint64_t foreign;	/* bytes/s of somebody else */
	uint64_t offered;	/* bytes/s that there are to send; 0: more than any path takes */
	bool paced;		/* there is a timer for inflight_room_us */
	/* measured, since bottleneck_measure */
	uint64_t arrived;
	int64_t queue_max_us, since_us, queue_sum_us, steps, long_steps; /* long: twice the target and four full packets */
	size_t bound_max;
	/* its own */
	int64_t now, free_us, next_room_us;
	double credit;
	uint64_t first, next, random;
	struct bottleneck_record {
		int64_t sent, arrive, receipt;
		size_t bytes;
		bool newest, done;
	} record[BOTTLENECK_RECORDS];
};

void bottleneck_init(struct bottleneck *, uint64_t bits, int64_t base_us);
void bottleneck_run(struct bottleneck *, int64_t us);
void bottleneck_measure(struct bottleneck *); /* forgets what was measured */
int64_t bottleneck_queue_us(const struct bottleneck *); /* now */
int64_t bottleneck_mean_queue_us(const struct bottleneck *);
/* A queue that nobody minds: the target, or two packets of a slow path. */
int64_t bottleneck_small_us(const struct bottleneck *);
double bottleneck_long(const struct bottleneck *); /* share of the time that the queue was long */
double bottleneck_used(const struct bottleneck *); /* arrived, of what could have been */

#endif
