/*
 * One direction between two exchanges. Called by the fallback with what their events say; calls both.
 */
#include "server/conduit.h"

#include <stdlib.h>
#include <string.h>

#include "tunnel/http.h"

void conduit_init(struct conduit *r, int (*first)(void *ctx, size_t n, bool end), void *ctx)
{
	*r = (struct conduit){ .first = first, .ctx = ctx };
}

void conduit_fini(struct conduit *r)
{
	free(r->kept);
	r->kept = NULL;
}

static void hold_back(struct conduit *r, bool on)
{
	if (r->paused == on)
		return;
	r->paused = on;
	if (r->from)
		exchange_pause(r->from, on);
}

static void keep(struct conduit *r, const uint8_t *p, size_t n)
{
	if (r->n + n > r->cap) {
		r->cap = r->n + n;
		r->kept = realloc(r->kept, r->cap);
		if (!r->kept)
			abort();
	}
	memcpy(r->kept + r->n, p, n);
	r->n += n;
}

/* One portion of at most n bytes: how many went, or -1 while there is no room. */
static ssize_t send_some(struct conduit *r, const uint8_t *p, size_t n, bool all)
{
	size_t want = n < EXCHANGE_ROOM_MAX ? n : EXCHANGE_ROOM_MAX, most = want ? http_room_beside_media(r->to) : 0, cap;
	int (*first)(void *ctx, size_t n, bool end) = r->first;
	uint8_t *room;

	if (want && !most && !first)
		return -1;
	want = want < most ? want : most;	/* a head can always go */
	room = exchange_room(r->to, want ? want : 1, &cap);
	if (!room)
		return -1;
	if (want)
		memcpy(room, p, want);
	r->done = all && want == n;
	r->first = NULL;
	if (first)
		(void)first(r->ctx, want, r->done);	/* a failure ends the exchange by itself */
	else
		(void)exchange_send(r->to, NULL, want, r->done);
	return (ssize_t)want;
}

/* As much as there is room for: how many bytes went. */
static size_t send_all(struct conduit *r, const uint8_t *p, size_t n, bool head)
{
	size_t sent = 0;

	while (!r->done && (sent < n || r->ended || (head && r->first))) {
		ssize_t k = send_some(r, p + sent, n - sent, r->ended);

		if (k < 0)
			break;
		sent += (size_t)k;
		if (sent == n && !r->ended)
			break;
	}
	return sent;
}

static bool is_ready(const struct conduit *r)
{
	return r->to && !r->hold && !r->done;
}

/* Whether from goes on: while more of it can be taken, or nobody wants it. */
static void balance(struct conduit *r)
{
	bool room = r->n == 0 && is_ready(r);
	size_t cap;

	hold_back(r, !r->done && !r->ended && !(room && exchange_room(r->to, 1, &cap)));
}

void conduit_body(struct conduit *r, const uint8_t *p, size_t n)
{
	size_t sent = 0;

	if (is_ready(r) && r->n == 0)
		sent = send_all(r, p, n, false);
	if (sent < n)
		keep(r, p + sent, n - sent);
	balance(r);
}

void conduit_end(struct conduit *r)
{
	r->ended = true;
	conduit_pump(r, false);
}

void conduit_pump(struct conduit *r, bool head)
{
	size_t sent;

	if (is_ready(r)) {
		sent = send_all(r, r->kept, r->n, head);
		r->n -= sent;
		if (r->n && sent)
			memmove(r->kept, r->kept + sent, r->n);
	}
	if (r->to && !r->hold)
		balance(r);
}

void conduit_drop(struct conduit *r)
{
	r->n = 0;
	r->to = NULL;
	hold_back(r, false);
}
