/*
 * Sealed exchanges. Made by carriers and probes of the helper (carrier_path.c) and
 * by the server's front; calls seal.c for each capsule. Output is protected where
 * the engine will send it from. Input is opened into one buffer of the process, since
 * whoever gets it takes all of it at once; of what is not there in full yet each
 * exchange holds its own, from a free list.
 */
#include "tunnel/sealed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/varint.h"
#include "tunnel/counters.h"
#include "tunnel/hold.h"
#include "tunnel/log.h"

#define OVERHEAD (SEAL_HEAD + SEAL_TAG)
#define AUTHORIZATION_MAX (CAPSULE_HEAD_MAX + 192)

static_assert(EXCHANGE_ROOM_MAX + AUTHORIZATION_MAX <= SEAL_PLAIN_MAX, "one portion fits in a capsule");
static_assert(SEAL_PLAIN_MAX + OVERHEAD <= EXCHANGE_ROOM_INNER, "and in the engine's room");
static_assert(SEAL_VALUE_MAX + CAPSULE_HEAD_MAX + 32768 <= HOLD_MAX, "and is held, with what the engine reads behind it");

struct sealed {
	struct exchange x;	/* what is written and read plain; first */
	struct loop *loop;
	struct seal *seal;
	const struct sealed_events *events; /* server, until the first capsule was opened */
	void *ctx;
	struct seal_bond out, in;
	struct hold *hold;	/* came and was not opened yet; NULL: nothing */
	struct hold *rest;	/* was opened, and waits for the end of a pause that began with it */
	uint8_t *room;		/* the engine's */
	struct later later;	/* goes on after a pause, or tells a failure of our own */
	struct timer timer;	/* server: for the first capsule */
	int error;		/* ours */
	bool helper, head_sent;
	bool begun;		/* a capsule was opened */
	bool plain;		/* the answer is nothing of culvertd's */
	bool paused, dead;
};

static uint8_t opened[SEAL_PLAIN_MAX];

static const struct exchange_events inner_events;

static struct sealed *sealed_of(struct exchange *x)
{
	return (struct sealed *)x;
}

/* ---- life ---- */

static void end(struct sealed *s)
{
	if (s->dead)
		return;
	s->dead = true;
	s->x.events = NULL;
	timer_stop(&s->timer);
	later_cancel(s->loop, &s->later);
	hold_drop(&s->hold);
	hold_drop(&s->rest);
	seal_release(s->seal);
	loop_free_later(s->loop, s);
}

/* The last call of the user, who may be gone already. */
static void tell_closed(struct sealed *s, int error)
{
	const struct exchange_events *events = s->x.events;
	void *ctx = s->x.ctx;

	end(s);
	if (events)
		events->closed(ctx, error);
}

/* Server: the request is nobody's; who gave it to us answers it. */
static void hand_back(struct sealed *s, const char *why)
{
	const struct sealed_events *events = s->events;
	struct exchange *inner = s->x.inner;
	void *ctx = s->ctx;

	end(s);
	events->failed(ctx, inner, why);
}

/* ---- input ---- */

/* A body that is given up, counted and logged (by whom it is handed back to, if it is: he knows whose it was); the code for it. */
static int refuse(struct sealed *s, int error, const char *why)
{
	count(sealed_refused);
	if (s->events) {
		hand_back(s, why);
		return 0;
	}
	log_limited(LOG_LEVEL_WARN, "sealed", "", "%s of an exchange is dropped: %s", s->helper ? "the answer" : "the request",
		    why);
	return error;
}

/* AUTHORIZATION at the front of what was opened, if it is there: taken off. */
static struct span take_authorization(struct span *plain)
{
	struct span value = { NULL, 0 };
	uint64_t type;
	size_t len;
	ssize_t head = capsule_head_get(plain->p, plain->n, AUTHORIZATION_MAX, &type, &len);

	if (head <= 0 || type != CAPSULE_AUTHORIZATION || len > plain->n - (size_t)head)
		return value;
	value = (struct span){ plain->p + head, len };
	plain->p += (size_t)head + len;
	plain->n -= (size_t)head + len;
	return value;
}

static int give_body(struct sealed *s, struct span plain)
{
	int rc = plain.n > 0 ? s->x.events->body(s->x.ctx, plain.p, plain.n) : 0;

	return s->dead ? ERROR_CLOSED : rc;
}

/* Genuine bytes go up: 0 or a code. */
static int deliver(struct sealed *s, struct span plain)
{
	const struct sealed_events *events = s->events;

	s->begun = true;
	if (events) {
		struct span authorization = take_authorization(&plain);

		s->events = NULL;
		timer_stop(&s->timer);
		if (!events->opened(s->ctx, &s->x, authorization)) {
			s->events = events;
			hand_back(s, NULL);
			return 0;
		}
	}
	if (s->dead || !s->x.events)
		return ERROR_CLOSED;
	if (!s->paused)
		return give_body(s, plain);
	return hold_add(&s->rest, plain.p, plain.n);
}

/* What waited for the end of the pause that opened() began. */
static int deliver_rest(struct sealed *s)
{
	struct hold *rest = s->rest;
	int rc;

	s->rest = NULL;
	rc = give_body(s, (struct span){ rest->p, rest->n });
	hold_drop(&rest);
	return rc;
}

static int open_one(struct sealed *s, const uint8_t *p, size_t n)
{
	ssize_t len = seal_open(s->seal, &s->in, p, n, opened);

	if (len == ERROR_LIMIT)
		seal_lose(s->seal);
	if (len < 0)
		return refuse(s, ERROR_AUTH, len == ERROR_LIMIT ? "too many could not be opened: the seal is given up" :
					     "it was altered on the way, or belongs to another exchange");
	count(sealed_in);
	return deliver(s, (struct span){ opened, (size_t)len });
}

/* What stands where SEALED should. */
static int not_sealed(struct sealed *s, uint64_t type)
{
	if (!s->helper || s->begun)
		return refuse(s, ERROR_AUTH, "something in it is not sealed");
	if (type != CAPSULE_UNSEALED)
		return refuse(s, ERROR_HTTP, "it is not sealed: a page of a box in between, or altered on the way");
	log_debug("sealed", "", "the server does not know the seal");
	seal_lose(s->seal);
	return ERROR_AUTH;
}

/* Opens what is there in full: bytes used, or a code. */
static ssize_t parse(struct sealed *s, const uint8_t *p, size_t n)
{
	size_t at = 0, len;
	uint64_t type;
	ssize_t head;
	int rc = 0;

	while (at < n && !s->paused && !s->dead && rc == 0) {
		if (varint_get(p + at, n - at, &type) && type != CAPSULE_SEALED) {
			rc = not_sealed(s, type);
			break;
		}
		head = capsule_head_get(p + at, n - at, SEAL_VALUE_MAX, &type, &len);
		if (head < 0)
			rc = refuse(s, ERROR_AUTH, "a capsule in it is too long");
		if (head <= 0 || len > n - at - (size_t)head)
			break;
		rc = open_one(s, p + at + head, len);
		at += (size_t)head + len;
	}
	return rc != 0 ? rc : (ssize_t)at;
}

/* Goes on with what is held. */
static int drain(struct sealed *s)
{
	ssize_t n = parse(s, s->hold->p, s->hold->n);

	if (n < 0)
		return (int)n;
	if (!s->dead && n > 0)
		hold_take(&s->hold, (size_t)n);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct sealed *s = ctx;
	ssize_t used;
	int rc;

	if (s->plain)
		return s->x.events->body(s->x.ctx, p, n);
	if (s->hold) {
		rc = hold_add(&s->hold, p, n);
		return rc < 0 ? rc : drain(s);
	}
	used = parse(s, p, n);
	if (used < 0)
		return (int)used;
	return s->dead ? 0 : hold_add(&s->hold, p + used, n - (size_t)used);
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct sealed *s = ctx;

	s->plain = head->status != 200;
	return s->x.events->head(s->x.ctx, head);
}

static void on_end(void *ctx)
{
	struct sealed *s = ctx;

	if (s->events) {
		refuse(s, ERROR_AUTH, "it ended before anything in it was sealed");
		return;
	}
	if (s->hold && !s->plain)	/* it has no effect; what came before stands */
		refuse(s, ERROR_AUTH, "it ended within a capsule");
	s->x.events->end(s->x.ctx);
}

static void on_writable(void *ctx)
{
	struct sealed *s = ctx;

	if (s->x.events)
		s->x.events->writable(s->x.ctx);
}

static void on_closed(void *ctx, int error)
{
	struct sealed *s = ctx;
	const struct sealed_events *events = s->events;

	if (!events) {
		tell_closed(s, error);
		return;
	}
	end(s);
	events->closed(s->ctx);
}

static const struct exchange_events inner_events = { on_head, on_body, on_end, on_writable, on_closed };

static void on_timer(void *ctx)
{
	refuse(ctx, ERROR_AUTH, "nothing sealed came in time");
}

/* After a pause, or a failure that we found while sending. */
static void on_later(void *ctx)
{
	struct sealed *s = ctx;
	int rc = s->error;

	if (rc == 0 && s->rest && !s->paused)
		rc = deliver_rest(s);
	if (rc == 0 && s->hold && !s->paused)
		rc = drain(s);
	if (s->dead)
		return;
	if (rc != 0) {
		exchange_abort(s->x.inner);
		tell_closed(s, rc);
	} else if (!s->paused) {
		exchange_pause(s->x.inner, false);
	}
}

/* ---- output ---- */

static size_t reserve(const struct sealed *s)
{
	return s->helper && !s->head_sent ? AUTHORIZATION_MAX : 0;
}

static uint8_t *sealed_room(struct exchange *x, size_t want, size_t *cap)
{
	struct sealed *s = sealed_of(x);
	size_t around = OVERHEAD + reserve(s);

	if (s->dead || s->error)
		return NULL;
	s->room = exchange_room(s->x.inner, want + around, cap);
	if (!s->room)
		return NULL;
	*cap = *cap - around < EXCHANGE_ROOM_MAX ? *cap - around : EXCHANGE_ROOM_MAX;
	return s->room + SEAL_HEAD + reserve(s);
}

/* Fails without an event; that follows. */
static int give_up(struct sealed *s, int error)
{
	s->error = error;
	loop_later(s->loop, &s->later);
	return error;
}

/* A request begins: AUTHORIZATION in front of the n bytes, which move up to it. The length of both, or a code. */
static ssize_t authorize(struct sealed *s, const struct exchange_head *head, size_t n)
{
	const char *text = head->authorization ? head->authorization : "";
	struct writer w;
	size_t cap;

	seal_bind(&s->out, (struct span){ (const uint8_t *)head->target, strlen(head->target) });
	s->in = s->out;
	if (!s->room && !sealed_room(&s->x, n, &cap))
		return ERROR_AGAIN;
	writer_init(&w, s->room + SEAL_HEAD, AUTHORIZATION_MAX);
	if (*text) {
		capsule_head_put(&w, CAPSULE_AUTHORIZATION, strlen(text));
		writer_bytes(&w, text, strlen(text));
	}
	if (w.full)
		return ERROR_LIMIT;
	memmove(w.p, s->room + SEAL_HEAD + AUTHORIZATION_MAX, n);
	return (ssize_t)(writer_len(&w) + n);
}

static int sealed_send(struct exchange *x, const struct exchange_head *head, size_t n, bool last)
{
	struct sealed *s = sealed_of(x);

	if (s->dead || s->error)
		return s->error ? s->error : ERROR_CLOSED;
	if (head && s->helper) {
		ssize_t len = authorize(s, head, n);

		if (len < 0)
			return give_up(s, (int)len);
		n = (size_t)len;
	}
	s->head_sent = true;
	if (n > 0) {
		n = seal_close(s->seal, &s->out, loop_now(s->loop), s->room, n);
		if (n == 0)
			return give_up(s, ERROR_LIMIT);
		count(sealed_out);
	}
	s->room = NULL;
	return exchange_send(s->x.inner, head, n, last);
}

static void sealed_pause(struct exchange *x, bool on)
{
	struct sealed *s = sealed_of(x);

	if (s->dead || s->paused == on)
		return;
	s->paused = on;
	if (on)
		exchange_pause(s->x.inner, true);
	else
		loop_later(s->loop, &s->later);
}

static void sealed_abort(struct exchange *x)
{
	struct sealed *s = sealed_of(x);
	struct exchange *inner = s->x.inner;

	if (s->dead)
		return;
	end(s);
	exchange_abort(inner);
}

static void sealed_sparse(struct exchange *x, bool on)
{
	if (!sealed_of(x)->dead)
		exchange_sparse(sealed_of(x)->x.inner, on);
}

static const struct exchange_ops sealed_ops = { sealed_room, sealed_send, sealed_pause, sealed_abort, sealed_sparse, NULL };

/* ---- both ends ---- */

static struct sealed *sealed_new(struct loop *loop, struct seal *seal, struct exchange *inner)
{
	struct sealed *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->x = (struct exchange){ .ops = &sealed_ops, .events = inner->events, .ctx = inner->ctx, .inner = inner, .http = inner->http,
				  .overhead = OVERHEAD };
	s->loop = loop;
	s->seal = seal_keep(seal);
	later_init(&s->later, on_later, s);
	timer_init(&s->timer, loop, on_timer, s);
	inner->events = &inner_events;
	inner->ctx = s;
	return s;
}

struct exchange *sealed_helper(struct loop *loop, struct seal *seal, struct exchange *inner)
{
	struct sealed *s = sealed_new(loop, seal, inner);

	s->helper = true;
	return &s->x;
}

void sealed_server(struct loop *loop, struct seal *seal, struct exchange *inner, struct span path_query,
		   const struct sealed_events *events, void *ctx)
{
	struct sealed *s = sealed_new(loop, seal, inner);

	s->x.events = NULL;	/* whoever takes it sets them */
	s->events = events;
	s->ctx = ctx;
	seal_bind(&s->in, path_query);
	s->out = s->in;
	timer_in(&s->timer, SEALED_WAIT);
}
