/*
 * The lossy network: how an end sends. Segments are lost to the sender when one that was sent
 * later is acknowledged and a quarter of a round trip has passed (RFC 8985), when a probe
 * shows it, or by timeout (RFC 6298); the congestion window is Reno's or like BBR's, which
 * does not shrink for loss.
 */
#include "tests/sim/lossy_internal.h"

#include <math.h>

#define WINDOW_FIRST 10.0
#define WINDOW_LEAST 4.0
#define RTO_LEAST (200 * LOOP_MS)
#define RTO_LEAST_SPARSE (20 * LOOP_MS)
#define RTO_MOST (120 * LOOP_SECOND)
#define PROBE_LEAST (2 * LOOP_MS)
#define REORDERING 3		/* segments acknowledged beyond one: it is lost without waiting */
#define BACKOFF_MOST 10
#define STARTUP_GAIN 2.89
#define GAIN 2.0
#define FLAT_ROUNDS 3
#define PEER_BUFFER 1000000

static void on_timer(void *ctx);

void tcp_init(struct lossy_end *e)
{
	const struct lossy_queue *q = e->pair->lossy->queue;

	e->window = WINDOW_FIRST;
	e->threshold = 1e9;
	e->min_rtt_us = q[0].way.delay_us + q[1].way.delay_us;
	e->srtt_us = (double)e->min_rtt_us;
	e->var_us = e->srtt_us / 2;
	e->delivered_us = loop_now(end_loop(e));
	timer_init(&e->timer, end_loop(e), on_timer, e);
}

static int64_t rto_least(const struct lossy_end *e)
{
	return e->sparse ? RTO_LEAST_SPARSE : RTO_LEAST;
}

static int64_t rto(const struct lossy_end *e)
{
	double us = e->srtt_us + fmax(4 * e->var_us, (double)rto_least(e));

	us *= (double)(1 << e->backoff);
	return us < (double)RTO_MOST ? (int64_t)us : RTO_MOST;
}

static unsigned outstanding(const struct lossy_end *e)
{
	return (unsigned)(e->next - e->una);
}

static unsigned in_pipe(const struct lossy_end *e)
{
	return outstanding(e) - e->n_sacked - e->n_lost;
}

/* ---- the timer: reordering, else tail loss probe, else timeout ---- */

static int64_t rto_at(const struct lossy_end *e)
{
	return max_of(end_segment(e, e->una)->sent_us, e->advanced_us) + rto(e);
}

static bool may_probe(const struct lossy_end *e)
{
	return e->state == TCP_OPEN && e->n_sacked == 0 && !e->probed;
}

/* Instead of a timeout that would come earlier. */
static int64_t probe_at(const struct lossy_end *e)
{
	int64_t more = outstanding(e) == 1 ? rto_least(e) : PROBE_LEAST;

	return min_of(max_of(e->sent_us, e->advanced_us) + (int64_t)(2 * e->srtt_us) + more, rto_at(e));
}

static void arm(struct lossy_end *e)
{
	int64_t at;

	if (outstanding(e) == 0) {
		timer_stop(&e->timer);
		return;
	}
	at = rto_at(e);
	if (e->reorder_us && e->reorder_us < at)
		at = e->reorder_us;
	else if (may_probe(e))
		at = probe_at(e);
	timer_set(&e->timer, at);
}

/* ---- sending ---- */

static void transmit(struct lossy_end *e, uint64_t number)
{
	struct segment *s = end_segment(e, number);

	s->sent_us = loop_now(end_loop(e));
	if (outstanding(e) == 1)
		e->delivered_us = s->sent_us;
	s->delivered = e->delivered;
	s->delivered_us = e->delivered_us;
	e->unacked = 0;
	e->interactive = true;
	timer_stop(&e->ack);
	lossy_carry(e, true, number, s->len + s->extra);
}

static void retransmit(struct lossy_end *e, uint64_t number)
{
	end_segment(e, number)->retransmitted = true;
	e->pair->lossy->counts.way[e->side].retransmitted++;
	transmit(e, number);
}

static void output_lost(struct lossy_end *e)
{
	for (uint64_t i = e->una; i < e->next && e->n_lost && in_pipe(e) < e->window; i++) {
		struct segment *s = end_segment(e, i);

		if (!s->lost)
			continue;
		s->lost = false;
		e->n_lost--;
		retransmit(e, i);
	}
}

void tcp_output(struct lossy_end *e)
{
	bool room = e->unsent > 0;

	output_lost(e);
	while (e->next < e->end && in_pipe(e) < e->window && end_peer(e)->unread < PEER_BUFFER) {
		struct segment *s = end_segment(e, e->next);

		transmit(e, e->next++);
		e->sent_us = s->sent_us;
		e->unsent -= s->len;
		s->idle = e->next == e->end && in_pipe(e) < e->window;
	}
	arm(e);
	if (room)
		end_arm(e);
}

/* ---- congestion ---- */

static void rate_sample(struct lossy_end *e, const struct segment *s, int64_t now)
{
	struct tcp_rate *r = &e->rate;
	double took = (double)max_of(now - s->delivered_us, e->min_rtt_us / 2 + 1);
	double rate = (double)(e->delivered - s->delivered) / took;

	if (rate > r->round_best && (!s->idle || rate > fmax(r->best[0], r->best[1])))
		r->round_best = rate;
	if (s->delivered < r->round_end)
		return;
	r->round_end = e->delivered;
	if (r->round_best > r->before * 1.25) {
		r->before = r->round_best;
		r->flat = 0;
	} else if (!s->idle && ++r->flat >= FLAT_ROUNDS) {
		r->full = true;
	}
	r->best[1] = fmax(r->best[1], r->round_best);
	if (++r->rounds % 5 == 0) {
		r->best[0] = r->best[1];
		r->best[1] = 0;
	}
	r->round_best = 0;
}

static void window_after(struct lossy_end *e, unsigned newly)
{
	double product = fmax(fmax(e->rate.best[0], e->rate.best[1]), e->rate.round_best) * (double)e->min_rtt_us;
	double target = (e->rate.full ? GAIN : STARTUP_GAIN) * product + 3;

	if (e->state == TCP_RECOVERY && e->pair->lossy->o.congestion == LOSSY_RENO)
		return;
	if (e->state == TCP_LOSS)
		e->window += newly;
	else if (e->pair->lossy->o.congestion == LOSSY_RENO)
		e->window += e->window < e->threshold ? newly : newly / e->window;
	else if (e->rate.full)
		e->window = fmax(fmin(e->window + newly, target), WINDOW_LEAST);
	else if (e->window < target || e->delivered < 2 * WINDOW_FIRST)
		e->window += newly;
}

static void enter(struct lossy_end *e, enum tcp_state state)
{
	e->recovery_end = e->next;
	if (e->state == TCP_OPEN)
		e->window_saved = e->window;
	e->state = state;
	e->threshold = fmax(in_pipe(e) / 2.0, 2);
	if (state == TCP_LOSS)
		e->window = 1;
	else if (e->pair->lossy->o.congestion == LOSSY_RENO)
		e->window = fmax((outstanding(e) - e->n_sacked) / 2.0, 2);
}

static void leave_recovery(struct lossy_end *e)
{
	if (e->pair->lossy->o.congestion == LOSSY_BBR)
		e->window = fmax(e->window, e->window_saved);
	else
		e->window = fmax(e->state == TCP_LOSS ? fmin(e->window, e->threshold) : e->threshold, 2);
	e->state = TCP_OPEN;
}

/* ---- acknowledgements ---- */

struct sample {
	unsigned newly;
	int64_t first_rtt_us;	/* of the oldest that is new and was sent once; 0: none */
	const struct segment *newest;
};

static void delivered(struct lossy_end *e, uint64_t number, struct sample *sample, int64_t now)
{
	struct segment *s = end_segment(e, number);
	int64_t rtt = max_of(now - s->sent_us, 1);

	e->delivered++;
	sample->newly++;
	e->n_lost -= s->lost;
	s->lost = false;
	if (!s->retransmitted) {
		if (!sample->first_rtt_us)
			sample->first_rtt_us = rtt;
		if (rtt < e->min_rtt_us)
			e->min_rtt_us = rtt;
	} else if (rtt < e->min_rtt_us) {
		return;		/* of the first copy, in truth */
	}
	if (s->sent_us >= e->rack_us) {
		e->rack_us = s->sent_us;
		e->rack_number = number;
		e->rack_rtt_us = rtt;
		sample->newest = s;
	}
}

static void round_trip(struct lossy_end *e, int64_t rtt_us)
{
	double rtt = (double)rtt_us;

	if (!rtt_us)
		return;
	e->var_us += (fabs(rtt - e->srtt_us) - e->var_us) / 4;
	e->srtt_us += (rtt - e->srtt_us) / 8;
	e->backoff = 0;
}

/* RFC 8985, section 6.2. */
static void find_lost(struct lossy_end *e, int64_t now)
{
	int64_t window = e->min_rtt_us / 4;

	if (e->state != TCP_OPEN || e->n_sacked >= REORDERING)
		window = 0;
	e->reorder_us = 0;
	for (uint64_t i = e->una; i < e->next; i++) {
		struct segment *s = end_segment(e, i);
		int64_t at = s->sent_us + e->rack_rtt_us + window;

		if (s->sacked || s->lost || s->sent_us > e->rack_us || (s->sent_us == e->rack_us && i >= e->rack_number))
			continue;
		if (at > now) {
			e->reorder_us = max_of(e->reorder_us, at);
			continue;
		}
		s->lost = true;
		e->n_lost++;
	}
	if (e->n_lost && e->state == TCP_OPEN)
		enter(e, TCP_RECOVERY);
}

static void take_cumulative(struct lossy_end *e, uint64_t upto, struct sample *sample, int64_t now)
{
	if (e->una >= upto)
		return;
	for (; e->una < upto; e->una++) {
		struct segment *s = end_segment(e, e->una);

		if (s->sacked)
			e->n_sacked--;
		else
			delivered(e, e->una, sample, now);
		s->sacked = true;
	}
	e->advanced_us = now;
	e->probed = false;
}

static void take_selective(struct lossy_end *e, const struct acked *a, struct sample *sample, int64_t now)
{
	for (unsigned i = 0; i < SACKED_WORDS * 64 && a->next + i < e->next; i++) {
		uint64_t number = a->next + i;

		if (!(a->map[i / 64] >> (i % 64) & 1) || number < e->una || end_segment(e, number)->sacked)
			continue;
		delivered(e, number, sample, now);
		end_segment(e, number)->sacked = true;
		e->n_sacked++;
	}
}

void tcp_on_acked(struct lossy_end *e, const struct acked *a)
{
	struct sample sample = { 0 };
	int64_t now = loop_now(end_loop(e));

	take_cumulative(e, a->next, &sample, now);
	take_selective(e, a, &sample, now);
	if (!sample.newly)
		return;
	e->delivered_us = now;
	round_trip(e, sample.first_rtt_us);
	if (sample.newest)
		rate_sample(e, sample.newest, now);
	find_lost(e, now);
	if (e->state != TCP_OPEN && e->una >= e->recovery_end)
		leave_recovery(e);
	window_after(e, sample.newly);
	tcp_output(e);
}

/* ---- time ---- */

static void time_out(struct lossy_end *e)
{
	e->pair->lossy->counts.way[e->side].timeouts++;
	enter(e, TCP_LOSS);
	for (uint64_t i = e->una; i < e->next; i++) {
		struct segment *s = end_segment(e, i);

		if (s->sacked || s->lost)
			continue;
		s->lost = true;
		e->n_lost++;
	}
	if (e->backoff < BACKOFF_MOST)
		e->backoff++;
	e->advanced_us = 0;
}

static void on_timer(void *ctx)
{
	struct lossy_end *e = ctx;
	int64_t now = loop_now(end_loop(e));

	if (e->pair->cut)
		return;
	if (e->reorder_us && e->reorder_us <= now) {
		find_lost(e, now);
		tcp_output(e);
	} else if (may_probe(e) && probe_at(e) <= now) {
		e->probed = true;
		retransmit(e, e->next - 1);
		arm(e);
	} else {
		if (rto_at(e) <= now)
			time_out(e);
		tcp_output(e);
	}
}
