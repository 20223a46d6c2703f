/*
 * One direction of the link: what happens to each packet. The rate limiter is
 * a virtual clock: free_at is when everything accepted so far has been sent,
 * so the backlog is free_at - now and needs no timer.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/tools/linkem.h"
#include "tests/tools/tool.h"

#define READ_BATCH 64
#define QUEUE_LIMIT 1000000 /* packets */

/* splitmix64: a stream of its own for each direction, repeatable by its seed */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static double random_unit(uint64_t *state)
{
	return (double)(random_next(state) >> 11) * 0x1.0p-53;
}

static bool random_hit(uint64_t *state, double probability)
{
	return probability > 0 && random_unit(state) < probability;
}

/* The sum of 12 uniforms less 6: near a normal distribution, bounded at 6 sigma. */
static double random_normal(uint64_t *state)
{
	double x = -6;
	for (int i = 0; i < 12; i++)
		x += random_unit(state);
	return x;
}

void linkem_link_init(struct linkem_link *l, const struct linkem_params *params, int in, int out, uint64_t seed, int64_t start)
{
	*l = (struct linkem_link){ .params = *params, .in = in, .out = out, .random = seed, .start = start };
	random_next(&l->random);
}

void linkem_link_fini(struct linkem_link *l)
{
	while (l->queue.count)
		linkem_packet_put(linkem_queue_pop(&l->queue));
	free(l->queue.item);
}

static void emit(struct linkem_link *l, struct linkem_packet *p)
{
	if (write(l->out, p->data, p->size) == (ssize_t)p->size) {
		l->count.out_packets++;
		l->count.out_bytes += p->size;
	} else {
		l->count.write_errors++;
	}
	linkem_packet_put(p);
}

static bool in_blackout(const struct linkem_link *l, int64_t now)
{
	for (int i = 0; i < l->params.blackouts; i++) {
		int64_t t = now - l->start - l->params.blackout[i].at;
		if (t >= 0 && t < l->params.blackout[i].length)
			return true;
	}
	return false;
}

static bool is_lost(struct linkem_link *l)
{
	const struct linkem_params *p = &l->params;
	if (random_hit(&l->random, p->loss))
		return true;
	if (!p->bursts)
		return false;
	if (random_hit(&l->random, l->bad ? p->bad_to_good : p->good_to_bad))
		l->bad = !l->bad;
	return random_hit(&l->random, l->bad ? p->loss_bad : p->loss_good);
}

/* When the packet's last bit has left the rate limiter, or -1 where its queue is full. */
static int64_t serialise(struct linkem_link *l, int64_t now, size_t size)
{
	const struct linkem_params *p = &l->params;
	if (p->rate <= 0)
		return now;
	int64_t from = l->free_at > now ? l->free_at : now, backlog = from - now;
	if (p->queue_ns >= 0 && backlog > p->queue_ns)
		return -1;
	if (p->queue_bytes >= 0 && (double)backlog * p->rate / 8e9 + (double)size > (double)p->queue_bytes)
		return -1;
	l->free_at = from + (int64_t)((double)size * 8e9 / p->rate);
	return l->free_at;
}

static int64_t delay(struct linkem_link *l)
{
	const struct linkem_params *p = &l->params;
	double shift = 0;
	if (p->jitter)
		shift = p->jitter_normal ? random_normal(&l->random) : 2 * random_unit(&l->random) - 1;
	int64_t d = p->delay + (int64_t)(shift * (double)p->jitter);
	return d > 0 ? d : 0;
}

/* Takes the packet over. */
static void schedule(struct linkem_link *l, int64_t now, struct linkem_packet *p)
{
	int64_t due = serialise(l, now, p->size);
	if (due < 0 || l->queue.count >= QUEUE_LIMIT) {
		l->count.queue_drops++;
		linkem_packet_put(p);
		return;
	}
	due += delay(l);
	if (random_hit(&l->random, l->params.reorder)) {
		due += l->params.reorder_by; /* held back: later ones overtake */
		l->count.reordered++;
	} else if (!l->params.jitter_reorder) {
		if (due < l->last_due)
			due = l->last_due;
		l->last_due = due;
	}
	if (due <= now && !l->queue.count)
		emit(l, p);
	else
		linkem_queue_push(&l->queue, due, p);
}

static void accept_packet(struct linkem_link *l, int64_t now, struct linkem_packet *p)
{
	l->count.in_packets++;
	l->count.in_bytes += p->size;
	if (in_blackout(l, now)) {
		l->count.blackout_drops++;
		linkem_packet_put(p);
	} else if (is_lost(l)) {
		l->count.lost++;
		linkem_packet_put(p);
	} else {
		if (random_hit(&l->random, l->params.duplicate)) {
			l->count.duplicated++;
			schedule(l, now, linkem_packet_copy(p));
		}
		schedule(l, now, p);
	}
}

bool linkem_link_read(struct linkem_link *l)
{
	for (int i = 0; i < READ_BATCH; i++) {
		struct linkem_packet *p = linkem_packet_get();
		ssize_t n = read(l->in, p->data, p->size);
		if (n <= 0) {
			linkem_packet_put(p);
			return false;
		}
		p->size = (size_t)n;
		accept_packet(l, tool_now_ns(), p);
	}
	return true;
}

int64_t linkem_link_write(struct linkem_link *l)
{
	int64_t due, now = tool_now_ns();
	while ((due = linkem_queue_due(&l->queue)) <= now) {
		l->count.timed++;
		l->count.late_sum += now - due;
		if (now - due > l->count.late_max)
			l->count.late_max = now - due;
		emit(l, linkem_queue_pop(&l->queue));
		now = tool_now_ns();
	}
	return due;
}
