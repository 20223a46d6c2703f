/*
 * Renewal of a helper carrier's standing legs: a connection that will soon be cut is replaced
 * while it still works, by overlap, so that nothing is missing in between. Called by the methods that
 * keep legs standing, whenever something is sent, and by the legs' timers.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

#define BODY_AGE (600 * LOOP_SECOND)	/* of any streamed body, though nothing is known of the path */
#define DEAD_SLACK LOOP_SECOND		/* beyond 1.5 keepalives shorter than the usual one */

/* What is left of its life until it should be replaced; carriers that began together do not all do so at once. */
static int64_t left_of(const struct leg *leg)
{
	const struct carrier_helper *h = (const struct carrier_helper *)(const void *)leg->carrier;
	int64_t age = loop_now(leg->carrier->session->loop) - leg->born_us, left = pool_left_us(leg->x);

	if (left > BODY_AGE - age)
		left = BODY_AGE - age;
	return left - (age + left) / 1024 * h->early;
}

bool carrier_helper_is_worn(const struct leg *leg)
{
	return leg->x && (pool_is_worn(leg->x) || left_of(leg) <= 0);
}

int64_t carrier_helper_worn_at(const struct leg *leg)
{
	if (!leg->x || leg->replaced || carrier_helper_is_worn(leg))
		return INT64_MAX;	/* one that is worn waits for a connection, not for a time */
	return loop_now(leg->carrier->session->loop) + left_of(leg);
}

uint32_t carrier_helper_keepalive(const struct carrier_helper *h)
{
	uint32_t usual = h->base.session->config.keepalive_ms;
	int64_t ms = h->user.pool ? cuts_keepalive_us(pool_cuts(h->user.pool), usual * LOOP_MS) / LOOP_MS : usual;

	return ms < REQUEST_KEEPALIVE_MIN ? REQUEST_KEEPALIVE_MIN : (uint32_t)ms;
}

int64_t carrier_helper_dead_at(const struct leg *leg)
{
	int64_t keepalive = leg->keepalive_ms * LOOP_MS;
	bool usual = leg->keepalive_ms >= leg->carrier->session->config.keepalive_ms;

	return leg->last_in_us + keepalive * 3 / 2 + (usual ? 0 : DEAD_SLACK + 2 * leg->carrier->ledger.srtt_us);
}

void carrier_helper_dead(struct leg *leg)
{
	pool_note_cut(leg->x);
	leg_fail(leg, ERROR_TIMEOUT);
}

void carrier_helper_replaced(struct leg *leg)
{
	if (leg)
		leg->replaced = true;
}

void carrier_helper_down_ended(struct leg *leg)
{
	const struct carrier_helper *h = carrier_helper_of(leg);

	/* Nobody but a newer one of ours makes the server end it. */
	if (h->down == leg && h->base.state == CARRIER_PROVEN && h->base.session->state == SESSION_OPEN)
		pool_note_cut(leg->x);
}

/* With no connection left to replace the answer on, the request body makes room. */
void carrier_helper_yield(struct carrier_helper *h)
{
	if (h->up && h->up != h->down && h->user.pool && !pool_is_multiplexed(h->user.pool) && pool_is_full(h->user.pool))
		method_up_stream_end(h);
}
