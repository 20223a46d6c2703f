/*
 * The proof of a helper's carrier: HELLO, then two marks that must come back by themselves in
 * time, and on rungs that may pass for a moment only a third one after a rest; beside one that is proven on the same rung a single mark, right behind the request. Called by carrier_helper.c and by the legs
 * whose requests went out and whose answers have begun.
 */
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/log.h"

#define PROOF_SLACK LOOP_SECOND			/* beyond two round trips and the time to connect */
#define MARK_GAP (100 * LOOP_MS)
#define REST (5 * LOOP_SECOND)			/* before the third mark, where one is wanted: who upgrades may cut what is silent */

/* ---- proof ---- */

static void prove(struct carrier_helper *h)
{
	h->base.state = CARRIER_PROVEN;
	h->user.leaving = false;
	timer_stop(&h->proof);
	h->base.session->window_due = true;	/* tells the server, by a capsule that is sent until it arrives */
	log_debug("carrier", h->base.session->tag, "%u: %s is proven", h->base.id, h->rung->name);
	h->events->proven(h->ctx, &h->base);
	session_kick(h->base.session);
}

static int64_t patience(const struct carrier_helper *h)
{
	return 2 * h->hello_rtt_us + h->hello_us + PROOF_SLACK;
}

static void send_mark(struct carrier_helper *h)
{
	h->base.marks_due++;
	timer_in(&h->proof, patience(h));
	session_kick(h->base.session);
}

void carrier_proof_due(void *ctx)
{
	struct carrier_helper *h = ctx;

	if (!h->streamed_down)
		prove(h);
	else if (h->base.marks_due == 0 && h->marks_back > 0 && h->base.mark_next == h->marks_back)
		send_mark(h);	/* the next one, by itself */
	else
		carrier_helper_fail(h, ERROR_TIMEOUT, "marks did not come back in time: the path holds back %s",
		     h->down && h->down->got_head ? "what it should pass at once" : "the answer until it is complete");
}

void carrier_proof_standing(struct carrier_helper *h)
{
	if (!h->beside || h->base.state != CARRIER_PROBING)
		return;
	h->hello_us = loop_now(h->base.session->loop) - h->opened_us;
	h->base.marks_due = 1;
	timer_in(&h->proof, patience(h));
	session_kick(h->base.session);
}

void carrier_helper_down_open(struct carrier_helper *h)
{
	if (h->base.state == CARRIER_PROBING && h->base.mark_next == 0 && !h->base.marks_due)
		send_mark(h);
}

bool carrier_proof_rests(const struct carrier_helper *h)
{
	return h->rung->rest && !h->trusting && !h->beside && h->base.state < CARRIER_PROVEN;
}

static unsigned marks_wanted(const struct carrier_helper *h)
{
	if (h->beside)
		return 1;
	return carrier_proof_rests(h) ? 3 : 2;
}

void carrier_proof_seen(struct carrier *c, struct leg *leg, const struct message_seen *m)
{
	struct carrier_helper *h = (struct carrier_helper *)c;

	if (c->state != CARRIER_PROBING || m->id != c->id || (m->n != h->marks_back && !h->beside) || !m->intact)
		return;
	if (!leg || !request_mode_down(leg->ops->mode)) {
		if (h->beside && h->down)	/* a post was faster than the request that stands: once more */
			c->marks_due = 1;
		return;
	}
	h->marks_back++;
	if (h->marks_back == marks_wanted(h))
		prove(h);
	else
		timer_in(&h->proof, h->marks_back == 1 ? MARK_GAP : REST);
}

void carrier_proof_welcomed(struct carrier *c)
{
	struct carrier_helper *h = (struct carrier_helper *)c;

	if (c->state != CARRIER_OPENING)
		return;
	h->hello_rtt_us = loop_now(c->session->loop) - h->hello_rtt_us;
	c->state = CARRIER_PROBING;
	if (h->streamed_down)
		timer_in(&h->proof, patience(h));
	else
		timer_in(&h->proof, 0);	/* HELLO's answer was all the proof that polls need */
	timer_in(&h->retry, 0);	/* behind this exchange's end: its connection is then free */
}

/* ---- hello ---- */

static void hello_end(struct leg *leg)
{
	(void)leg;
}

static void hello_timer(struct leg *leg)
{
	leg_fail(leg, ERROR_TIMEOUT);
}

static void hello_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);
	char why[200];

	if (h->base.state != CARRIER_OPENING || h->base.session->state == SESSION_ENDED || carrier_path_is_sealing(h->path))
		return;
	if (error == 0)
		error = ERROR_HTTP;
	if (error == ERROR_HTTP && leg->date && !h->clock_corrected && h->path->clock(h->path->ctx, leg->date)) {
		h->clock_corrected = true;
		loop_later(h->base.session->loop, &h->again);
		return;
	}
	if (error == ERROR_AGAIN && ++h->refused <= CARRIER_REFUSED_MAX) {
		loop_later(h->base.session->loop, &h->again);
		return;
	}
	carrier_helper_fail(h, error, "%s", carrier_helper_why(leg, error, why, sizeof why));
}

static const struct leg_ops hello_leg = {
	.mode = MODE_HELLO, .end = hello_end, .timer = hello_timer, .closed = hello_closed,
};

void carrier_proof_begin(void *ctx)
{
	struct carrier_helper *h = ctx;
	struct leg *leg;

	if (h->base.state != CARRIER_OPENING || h->base.leg_count > 0)
		return;
	leg = carrier_helper_leg(h, &hello_leg, 0);
	if (!leg)
		return;
	h->hello_us = loop_now(h->base.session->loop) - h->opened_us;
	h->hello_rtt_us = loop_now(h->base.session->loop);
	leg_complete(leg, carrier_helper_head(h, leg, false), OUTBOX_HELLO);
}
