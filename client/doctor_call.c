/*
 * A simulated call. Started by `culvert doctor` for each rung that passes; calls
 * session, carrier and channel as the helper does, and call_result.c in the end. A carrier
 * that is lost in mid-call is opened again, as it would be in a real one.
 */
#include "client/doctor_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/echo.h"
#include "tunnel/log.h"

#define RATE 50				/* packets per second */
#define SIZE 172			/* RTP with 20 ms of G.711 */
#define SETTLE 25			/* packets in front that do not count */
#define CONNECT_US (15 * LOOP_SECOND)	/* for the carrier to be proven */
#define OPEN_US (5 * LOOP_SECOND)	/* for the echo to be opened */
#define TAIL_US (1500 * LOOP_MS)	/* for the last packets to come back */
#define BYE_US (200 * LOOP_MS)		/* for BYE to be sent */
#define REOPEN_MAX 3			/* carriers lost in mid-call */

enum call_state {
	CALL_CONNECTING,	/* -> OPENING, ENDING */
	CALL_OPENING,		/* -> TALKING, ENDING */
	CALL_TALKING,		/* -> LISTENING, ENDING */
	CALL_LISTENING,		/* everything was sent. -> ENDING */
	CALL_ENDING,		/* -> BYE */
	CALL_BYE,		/* -> over */
};

struct doctor_call {
	struct call_setup setup;
	const struct rung *rung;
	void (*done)(void *ctx, const struct call_result *);
	void *ctx;
	enum call_state state;
	struct session *session;
	struct carrier *carrier; /* NULL: lost, being opened again */
	struct channel *channel; /* NULL: not open */
	struct sealed_path sealed;
	struct timer timer;	/* what the state waits for */
	struct later reopen;
	unsigned reopened;
	int64_t began_us;	/* when the first packet was due */
	unsigned next, total;	/* packets; those in front included */
	unsigned back;		/* that came, of those that count */
	struct call_sample *sample;
	uint8_t payload[SIZE];
	struct call_result result;
};

static bool is_over(const struct doctor_call *c)
{
	return c->state >= CALL_ENDING;
}

/* The rest happens in a turn of its own: this may be deep within an exchange. why NULL: it is all there. */
static void finish(struct doctor_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void finish(struct doctor_call *c, const char *fmt, ...)
{
	va_list ap;

	if (is_over(c))
		return;
	c->result.ran = c->next > SETTLE;
	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(c->result.why, sizeof c->result.why, fmt, ap);
		va_end(ap);
	}
	if (c->result.ran)
		call_result_make(&c->result, c->sample, c->next - SETTLE);
	c->state = CALL_ENDING;
	timer_in(&c->timer, 0);
}

/* ---- the channel ---- */

static void say(struct doctor_call *c)
{
	struct echo_stamp stamp = { .sequence = c->next++, .sent_us = (uint32_t)loop_now(c->setup.loop) };
	struct packet *p = packet_get(c->setup.packets, SIZE);

	if (stamp.sequence >= SETTLE)
		c->sample[stamp.sequence - SETTLE].sent = stamp.sent_us;
	if (!p)
		return;
	memcpy(p->data, c->payload, SIZE);
	echo_put(p->data, &stamp);
	p->len = SIZE;
	p->born_us = loop_now(c->setup.loop);
	channel_send(c->channel, p);
}

/* Sends what is due; the next time follows from the beginning, so that nothing drifts. */
static void talk(struct doctor_call *c)
{
	int64_t due = c->began_us;

	while (c->next < c->total) {
		due = c->began_us + c->next * LOOP_SECOND / RATE;
		if (due > loop_now(c->setup.loop))
			break;
		say(c);
	}
	if (c->next < c->total) {
		timer_set(&c->timer, due);
		return;
	}
	c->state = CALL_LISTENING;
	timer_in(&c->timer, TAIL_US);
}

static void on_datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct doctor_call *c = ctx;
	struct echo_stamp stamp;
	struct call_sample *s;

	if (n != SIZE || !echo_get(p, n, &stamp) || stamp.sequence < SETTLE || stamp.sequence >= c->next)
		return;
	s = &c->sample[stamp.sequence - SETTLE];
	if (s->came || is_over(c))
		return;
	s->came = true;
	s->served = stamp.served_us;
	s->back = (uint32_t)loop_now(c->setup.loop);
	c->back++;
	if (c->state == CALL_LISTENING && c->back == c->total - SETTLE)
		finish(c, NULL);
}

static void on_opened(void *ctx)
{
	struct doctor_call *c = ctx;

	if (c->state != CALL_OPENING)
		return;
	c->state = CALL_TALKING;
	c->began_us = loop_now(c->setup.loop);
	timer_in(&c->timer, 0);
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct doctor_call *c = ctx;

	c->channel = NULL;
	finish(c, "the server's echo cannot be used: %s", reason && reason[0] ? reason : capsule_code_text(code));
}

static const struct endpoint_ops endpoint = { .datagram = on_datagram, .opened = on_opened, .closed = on_closed };

/* ---- the carrier ---- */

static void on_proven(void *ctx, struct carrier *carrier)
{
	const struct channel_params params = { .kind = KIND_DATAGRAM, .service = ECHO_SERVICE, .class = CLASS_AUDIO };
	struct doctor_call *c = ctx;

	(void)carrier;
	if (c->state != CALL_CONNECTING)
		return;
	c->channel = channel_open(c->session, &params, &endpoint, c);
	if (!c->channel) {
		finish(c, "the server takes no channel");
		return;
	}
	c->state = CALL_OPENING;
	timer_in(&c->timer, OPEN_US);
}

static void on_failed(void *ctx, struct carrier *carrier, int error, const char *why)
{
	struct doctor_call *c = ctx;

	(void)error;
	c->carrier = NULL;
	if (c->state < CALL_TALKING || c->reopened == REOPEN_MAX)
		finish(c, "%s", why);
	else
		log_debug("doctor", session_tag(c->session), "%s was lost in mid-call: %s", c->rung->name, why);
	carrier_free(carrier);
	if (!is_over(c)) {
		c->reopened++;
		loop_later(c->setup.loop, &c->reopen);
	}
}

static const struct carrier_events carrier_events = { .proven = on_proven, .failed = on_failed };

static void open_carrier(void *ctx)
{
	struct doctor_call *c = ctx;

	if (is_over(c))
		return;
	c->carrier = carrier_open(c->session, c->rung, c->setup.sealed ? &c->sealed.path : c->setup.path, c->setup.pool, &carrier_events, c);
	if (!c->carrier)
		finish(c, "no carrier could be made");
	else if (c->reopened)
		carrier_trust_soon(c->carrier);	/* it was proven */
}

/* It may still come, but then it is too late. */
static void on_unsealed(void *ctx, int error, const char *why)
{
	(void)error;
	finish(ctx, "%s", why);
}

/* ---- the session ---- */

static void on_ended(void *ctx, uint64_t code, const char *reason)
{
	finish(ctx, "the server ended the session: %s", reason && reason[0] ? reason : capsule_code_text(code));
}

static const struct session_events session_events = { .ended = on_ended };

static void teardown(struct doctor_call *c)
{
	timer_stop(&c->timer);
	later_cancel(c->setup.loop, &c->reopen);
	c->state = CALL_BYE;	/* nothing that is told from now on matters */
	if (c->carrier)
		carrier_free(c->carrier);
	sealed_path_end(&c->sealed);
	session_free(c->session);
	free(c->sample);
	loop_free_later(c->setup.loop, c);
}

static void say_bye(struct doctor_call *c)
{
	struct channel *channel = c->channel;

	c->state = CALL_BYE;
	c->channel = NULL;
	if (channel)
		channel_close(channel, CODE_NONE, "");
	if (!session_is_ended(c->session))
		session_bye(c->session, CODE_NONE, "the simulated call is over");
	timer_in(&c->timer, BYE_US);
}

static void over(struct doctor_call *c)
{
	void (*done)(void *, const struct call_result *) = c->done;
	struct call_result result = c->result;
	void *ctx = c->ctx;

	teardown(c);
	done(ctx, &result);
}

static void on_timer(void *ctx)
{
	struct doctor_call *c = ctx;

	switch (c->state) {
	case CALL_CONNECTING:
		finish(c, "nothing could be connected within %d s", (int)(CONNECT_US / LOOP_SECOND));
		return;
	case CALL_OPENING:
		finish(c, "the server's echo was not opened within %d s", (int)(OPEN_US / LOOP_SECOND));
		return;
	case CALL_TALKING:
		talk(c);
		return;
	case CALL_LISTENING:
		finish(c, NULL);
		return;
	case CALL_ENDING:
		say_bye(c);
		return;
	case CALL_BYE:
		over(c);
		return;
	}
}

struct doctor_call *doctor_call_start(const struct call_setup *setup, const struct rung *rung,
				      void (*done)(void *ctx, const struct call_result *), void *ctx)
{
	struct doctor_call *c = calloc(1, sizeof *c);
	unsigned seconds = setup->seconds ? setup->seconds : CALL_SECONDS;

	if (!c)
		abort();
	if (seconds > CALL_SECONDS_MAX)
		seconds = CALL_SECONDS_MAX;
	c->setup = *setup;
	c->rung = rung;
	c->done = done;
	c->ctx = ctx;
	c->total = SETTLE + seconds * RATE;
	c->sample = calloc(c->total - SETTLE, sizeof *c->sample);
	if (!c->sample)
		abort();
	loop_random(setup->loop, c->payload, SIZE); /* like SRTP: nothing on the way can compress it */
	timer_init(&c->timer, setup->loop, on_timer, c);
	timer_in(&c->timer, CONNECT_US);
	later_init(&c->reopen, open_carrier, c);
	c->session = session_new(setup->loop, SESSION_HELPER, setup->session, setup->packets, NULL, &session_events, c);
	if (setup->sealed)
		sealed_path_begin(&c->sealed, setup->sealed, session_sid(c->session), open_carrier, on_unsealed, c);
	else
		loop_later(setup->loop, &c->reopen);
	return c;
}

void doctor_call_cancel(struct doctor_call *c)
{
	if (c)
		teardown(c);
}

unsigned doctor_call_progress(const struct doctor_call *c, unsigned *of)
{
	*of = c->total;
	return c->next;
}
