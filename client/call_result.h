/*
 * What a simulated call was like: delay, loss and the score that people would give,
 * worked out from the times of its packets. Each packet went up to the server's
 * echo and came down again; the server wrote its clock into it.
 */
#ifndef CLIENT_CALL_RESULT_H
#define CLIENT_CALL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_LATE_MS 150.0	/* one way: conversations begin to suffer (ITU-T G.114) */

/* One packet. Times in us modulo 2^32, sent and back by our clock, served by the server's. */
struct call_sample {
	uint32_t sent, served, back;
	bool came;
};

struct call_result {
	bool ran;		/* else why says why not, and nothing else is filled */
	char why[200];		/* also when it ran, but not to its end */
	unsigned sent, received;
	double p50_ms, p99_ms;	/* one way, in the direction with the lower score */
	double loss_percent;	/* did not come back at all: lost on either way */
	double late_percent;	/* of those sent: one way later than CALL_LATE_MS, in that direction */
	double mos;		/* estimated; see emodel_words */
};

/*
 * Fills all but ran and why from n samples in the order in which they were sent. The clocks are apart by an unknown time;
 * so the quickest packets of both directions together are one round trip, of which each direction gets half.
 * For the score a jitter buffer is assumed that adapts: it plays what came within 20 ms behind the 99th percentile,
 * and the rest is lost.
 */
void call_result_make(struct call_result *, const struct call_sample *, size_t n);

#endif
