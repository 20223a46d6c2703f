#include "tests/lib/scheduled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define POOL 4000

static struct packet_pool *pool;
struct scheduler s;
struct scheduler_flow flow[FLOWS];
int64_t now;
struct gone gone;

static void on_dropped(void *ctx, const struct packet *p, enum scheduler_reason reason)
{
	struct scheduler_flow *f = ctx;

	gone.count[reason]++;
	gone.of_flow[f - flow]++;
	gone.last = p->sequence;
}

void scheduled_begin(size_t max_packets, size_t max_bytes)
{
	now = 1000 * MS;
	memset(&gone, 0, sizeof gone);
	scheduler_init(&s, max_packets, max_bytes, on_dropped);
	for (unsigned i = 0; i < FLOWS; i++)
		scheduler_flow_init(&flow[i], &s, &flow[i]);
}

int scheduled_setup(void **state)
{
	(void)state;
	pool = packet_pool_new(POOL, 1);
	scheduled_begin(3000, 3000000);
	return 0;
}

int scheduled_teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FLOWS; i++)
		scheduler_flow_fini(&flow[i]);
	assert_int_equal(s.packets + s.bytes + s.waiting, 0);
	packet_pool_free(pool);	/* asserts that all packets came back */
	return 0;
}

static int64_t lifetime(enum traffic class)
{
	static const int64_t ms[] = { 1000, 200, 400, 1000 };

	return ms[class] * MS;
}

struct packet *packet(enum traffic class, size_t len)
{
	static uint64_t number;
	struct packet *p = packet_get(pool, len);

	assert_non_null(p);
	memset(&p->mark, 0, sizeof p->mark);
	p->mark.class = class;
	p->len = len;
	p->born_us = now;
	p->deadline_us = now + lifetime(class);
	p->sequence = ++number;
	return p;
}

uint64_t add(unsigned f, enum traffic class, size_t len)
{
	struct packet *p = packet(class, len);
	uint64_t number = p->sequence;

	scheduler_add(&flow[f], p, now);
	return number;
}

uint64_t add_part(unsigned f, uint32_t ssrc, uint32_t timestamp, bool last)
{
	struct packet *p = packet(VIDEO, LONGEST);
	uint64_t number = p->sequence;

	p->mark.framed = true;
	p->mark.ssrc = ssrc;
	p->mark.timestamp = timestamp;
	p->mark.last = last;
	scheduler_add(&flow[f], p, now);
	return number;
}

struct taken take_of(unsigned classes)
{
	struct scheduler_flow *f = NULL;
	struct packet *p = scheduler_next(&s, classes, now, &f);
	struct taken t = { .class = -1, .flow = -1 };
	bool in_time;

	if (!p)
		return t;
	assert_ptr_equal(p, scheduler_next(&s, classes, now, &f));
	scheduler_take(&s, f, p, now);
	in_time = now <= p->deadline_us;
	t = (struct taken){ (int)p->mark.class, (int)(f - flow), p->len, p->sequence, now - p->born_us, p->mark.ssrc,
			    p->mark.timestamp };
	packet_put(p);
	assert_true(in_time);
	return t;
}

struct taken take(void)
{
	return take_of(SCHEDULER_ALL);
}
