/*
 * The sealer. Made by attachment.c; carries the flights of a handshake (seal_handshake.c) in
 * exchanges of their own. A flight that got no answer goes again, in a new exchange; a handshake that failed
 * is followed by another one with another number, later and later.
 */
#include "tunnel/sealer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/log.h"

#define ANSWER_US (5 * LOOP_SECOND)	/* for the answer to a flight; doubled each time that it does not come */
#define LOST_MAX 3			/* answers that did not come, in a row */
#define EXCHANGES_MAX 12		/* of one handshake */
#define AGAIN_FIRST (250 * LOOP_MS)	/* after a handshake that failed */
#define AGAIN_MAX (10 * LOOP_SECOND)
#define WHY_MAX 640

struct sealer {
	struct loop *loop;
	struct sealer_config config;
	const struct sealer_events *events;
	void *ctx;
	struct pool_user user;
	struct seal_handshake *handshake;
	uint32_t number;	/* of the seal that is being made */
	uint64_t exchanges;	/* of this handshake */
	unsigned lost, refused, failures; /* in a row */
	uint8_t *flight, *answer; /* ours, and what came of the server's: SEAL_FLIGHT_MAX and a capsule header each */
	size_t flight_n, answer_n;
	struct exchange *x;
	int status;		/* of its answer, 0: none came */
	bool whole;		/* its answer did */
	struct timer timer;	/* the answer is late; else it is time to go on */
	struct later step;
	bool dead;
};

/* ---- failing ---- */

static void forget_handshake(struct sealer *s)
{
	seal_handshake_free(s->handshake);
	s->handshake = NULL;
	s->exchanges = s->lost = s->refused = 0;
}

static int64_t again_in(struct sealer *s)
{
	int64_t us = AGAIN_FIRST << (s->failures < 6 ? s->failures : 6);

	if (us > AGAIN_MAX)
		us = AGAIN_MAX;
	s->failures++;
	return us * 3 / 4 + (int64_t)(loop_random_u64(s->loop) % (uint64_t)(us / 2));
}

static void fail(struct sealer *s, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct sealer *s, int error, const char *fmt, ...)
{
	char why[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	log_debug("sealer", "", "seal %u: %s", (unsigned)s->number, why);
	forget_handshake(s);
	timer_in(&s->timer, again_in(s));
	s->events->failed(s->ctx, error, why);
}

/* ---- the handshake ---- */

/* Takes the server's flight (none: begins) and has ours to send next. False: it failed, or is done. */
static bool take(struct sealer *s, const uint8_t *p, size_t n)
{
	struct seal *seal;
	const uint8_t *out;
	size_t out_n;
	int error = seal_handshake_take(s->handshake, p, n, &out, &out_n);

	if (error < 0) {
		fail(s, error, "%s", seal_handshake_reason(s->handshake));
		return false;
	}
	seal = seal_handshake_seal(s->handshake);
	if (seal) {
		uint32_t number = s->number;

		forget_handshake(s);
		timer_stop(&s->timer);
		pool_leave(&s->user);
		s->events->sealed(s->ctx, seal, number);
		return false;
	}
	if (out_n) {	/* else what was sent last is still to be answered */
		struct writer w;

		writer_init(&w, s->flight, SEAL_FLIGHT_MAX + CAPSULE_HEAD_MAX);
		capsule_head_put(&w, CAPSULE_FLIGHT, out_n);
		writer_bytes(&w, out, out_n);
		s->flight_n = writer_len(&w);
	}
	return true;
}

static bool begin(struct sealer *s)
{
	if (s->handshake)
		return true;
	s->handshake = seal_handshake_new(SEAL_HELPER, s->config.trust(s->config.trust_ctx), s->config.host, s->config.sid);
	do
		s->number = (uint32_t)loop_random_u64(s->loop);
	while (!s->number);
	s->flight_n = 0;
	return take(s, NULL, 0);
}

/* The value of the one FLIGHT that an answer is; p = NULL: it is something else. */
static struct span flight_of(const uint8_t *p, size_t n)
{
	uint64_t type;
	size_t len;
	ssize_t head = capsule_head_get(p, n, SEAL_FLIGHT_MAX, &type, &len);

	if (head <= 0 || type != CAPSULE_FLIGHT || (size_t)head + len != n)
		return (struct span){ NULL, 0 };
	return (struct span){ p + head, len };
}

/* ---- exchanges ---- */

static int on_head(void *ctx, const struct http1_head *head)
{
	struct sealer *s = ctx;

	s->status = head->status;
	return head->status == 200 ? 0 : ERROR_HTTP;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct sealer *s = ctx;

	if (n > SEAL_FLIGHT_MAX + CAPSULE_HEAD_MAX - s->answer_n)
		return ERROR_HTTP;
	memcpy(s->answer + s->answer_n, p, n);
	s->answer_n += n;
	return 0;
}

static void on_end(void *ctx)
{
	struct sealer *s = ctx;

	s->whole = true;
}

static void on_writable(void *ctx)
{
	(void)ctx;
}

/* A flight without an answer: again, for a while. */
static void unanswered(struct sealer *s, int error, const char *why)
{
	if (++s->lost < LOST_MAX)
		loop_later(s->loop, &s->step);
	else
		fail(s, error, "sealing: %s", why);
}

static void on_closed(void *ctx, int error)
{
	struct sealer *s = ctx;
	struct span flight = flight_of(s->answer, s->whole ? s->answer_n : 0);

	s->x = NULL;
	timer_stop(&s->timer);
	if (flight.p) {
		s->lost = s->refused = 0;
		if (take(s, flight.p, flight.n))
			loop_later(s->loop, &s->step);
	} else if (error == ERROR_AGAIN && ++s->refused <= CARRIER_REFUSED_MAX) {
		loop_later(s->loop, &s->step);	/* a proxy wants other words, and now has them */
	} else if (error == ERROR_AGAIN || error == ERROR_PROXY_AUTH) {
		fail(s, ERROR_PROXY_AUTH, "%s", error_text(ERROR_PROXY_AUTH));
	} else if (s->status && s->status != 200) {
		fail(s, ERROR_HTTP, "sealing: the answer was HTTP status %d", s->status);
	} else if (s->whole || error == ERROR_HTTP) {
		fail(s, ERROR_HTTP, "sealing: the answer was not in Culvert's format (a page of a box in between?)");
	} else {
		unanswered(s, error < 0 ? error : ERROR_RESET, error_text(error < 0 ? error : ERROR_RESET));
	}
}

static const struct exchange_events exchange_events = { on_head, on_body, on_end, on_writable, on_closed };

static void send_flight(struct sealer *s)
{
	struct request r = { .x = s->exchanges++, .mode = MODE_SEAL, .seal = s->number };
	size_t cap;
	uint8_t *p = exchange_room(s->x, s->flight_n, &cap);

	s->status = 0;
	s->whole = false;
	s->answer_n = 0;
	memcpy(r.sid, s->config.sid, sizeof r.sid);
	timer_in(&s->timer, ANSWER_US << s->lost);
	if (!p)
		return;		/* cannot be: the exchange is fresh */
	memcpy(p, s->flight, s->flight_n);
	exchange_send(s->x, carrier_path_head(s->config.path, &r, false), s->flight_n, true);
}

/* Does what can be done now: a new handshake, the next exchange. */
static void step(void *ctx)
{
	struct sealer *s = ctx;

	if (s->dead || s->x || !s->user.pool || !begin(s))
		return;
	if (s->exchanges == EXCHANGES_MAX) {
		fail(s, ERROR_TIMEOUT, "sealing: no end of the handshake");
		return;
	}
	s->x = pool_exchange(&s->user, &exchange_events, s);
	if (s->x)
		send_flight(s);
}

static void on_timer(void *ctx)
{
	struct sealer *s = ctx;
	struct exchange *x = s->x;

	s->x = NULL;
	if (!x) {
		step(s);
		return;
	}
	exchange_abort(x);
	unanswered(s, ERROR_TIMEOUT, "no answer came in time");
}

/* ---- pool ---- */

static void on_available(void *ctx)
{
	struct sealer *s = ctx;

	if (!timer_armed(&s->timer))	/* else it waits behind a failure, or for an answer */
		step(s);
}

static void on_dial_failed(void *ctx, int error, const char *why)
{
	struct sealer *s = ctx;

	if (!s->x)
		fail(s, error, "%s", why);
}

static const struct pool_events pool_events = { on_available, on_dial_failed };

/* ---- life ---- */

struct sealer *sealer_new(struct loop *loop, const struct sealer_config *config, const struct sealer_events *events, void *ctx)
{
	struct sealer *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->loop = loop;
	s->config = *config;
	s->events = events;
	s->ctx = ctx;
	s->flight = malloc(SEAL_FLIGHT_MAX + CAPSULE_HEAD_MAX);
	s->answer = malloc(SEAL_FLIGHT_MAX + CAPSULE_HEAD_MAX);
	if (!s->flight || !s->answer)
		abort();
	timer_init(&s->timer, loop, on_timer, s);
	later_init(&s->step, step, s);
	pool_join(config->pool, &s->user, false, &pool_events, s);
	if (config->wait_us)
		timer_in(&s->timer, config->wait_us);
	else
		loop_later(loop, &s->step);
	return s;
}

void sealer_free(struct sealer *s)
{
	if (!s || s->dead)
		return;
	s->dead = true;
	timer_stop(&s->timer);
	later_cancel(s->loop, &s->step);
	if (s->x)
		exchange_abort(s->x);
	s->x = NULL;
	pool_leave(&s->user);
	forget_handshake(s);
	loop_free_later(s->loop, s->flight);
	loop_free_later(s->loop, s->answer);
	loop_free_later(s->loop, s);
}
