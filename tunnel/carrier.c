/*
 * Carrier: what both roles share. The helper's half is in carrier_helper.c, the
 * server's in carrier_server.c.
 */
#include "tunnel/carrier.h"

#include <stdlib.h>
#include <string.h>

#include "tunnel/carrier_internal.h"
#include "tunnel/leg.h"
#include "tunnel/session_internal.h"

void carrier_init(struct carrier *c, struct session *s, const struct carrier_ops *ops, uint32_t id)
{
	c->session = s;
	c->ops = ops;
	c->id = id;
	c->takes = TAKES_ALL;
	c->active_us = loop_now(s->loop);
	list_init(&c->legs);
	c->beside_media = SIZE_MAX;
	ledger_init(&c->ledger, &session_ledger_events, s);
	arrivals_init(&c->arrivals, loop_now(s->loop));
}

void carrier_free(struct carrier *c)
{
	struct session *s = c->session;

	session_drop_carrier(s, c);
	c->state = CARRIER_FAILED;
	c->ops->fini(c);
	while (!list_empty(&c->legs))
		leg_drop(list_entry(c->legs.next, struct leg, link));
	ledger_all_lost(&c->ledger);
	ledger_fini(&c->ledger);
	loop_free_later(s->loop, c);
}

bool carrier_is_proven(const struct carrier *c)
{
	return c->state == CARRIER_PROVEN;
}

static int64_t heard(const struct carrier *c)
{
	int64_t newest = 0;

	for (const struct link *l = c->legs.next; l != &c->legs; l = l->next) {
		const struct leg *leg = list_entry(l, const struct leg, link);

		if ((leg->got_head || leg->recorded) && leg->last_in_us > newest)
			newest = leg->last_in_us;
	}
	return newest;
}

void carrier_stats(const struct carrier *c, struct carrier_stats *out)
{
	const struct rung *rung = carrier_rung(c);

	*out = (struct carrier_stats){
		.id = c->id,
		.rung = rung ? rung->name : "",
		.proven = c->state == CARRIER_PROVEN,
		.stalled = c->stalled,
		.legs = c->leg_count,
		.rtt_us = (uint32_t)c->ledger.srtt_us,
		.lateness_ms = c->arrivals.latest_ms,
		.records_out = c->records_out,
		.records_in = c->records_in,
		.records_lost = c->ledger.lost,
		.exchanges = c->exchanges,
		.heard_us = heard(c),
		.media = c->takes & TAKES_MEDIA,
		.streams = c->takes & TAKES_STREAMS,
		.in_flight = c->ledger.bytes,
		.rate = c->ledger.rate.rate,
		.overdue_ms = (uint32_t)(steer_overdue_us(c->session, c) / LOOP_MS),
	};
}
