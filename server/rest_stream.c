/*
 * Answers that go on. Begun by rest.c; told by the session of what comes, by rest_call.c of the exchange, and written in the form of
 * rest_sse.c or rest_records.c.
 *
 * Nothing is kept here but the piece that goes out now, which is made when the one before it is gone: what waits, waits in the session, whose
 * window stops the target. Messages stay in the session until the client says that it has them, so that a stream may break anywhere. While
 * it is read the session does not expire; a reader who has vanished is noticed by what is sent while there is nothing to say: the
 * connection's time-out ends it, or STUCK when something in between takes no more.
 */
#include "server/rest_stream.h"

#include <stdlib.h>
#include <string.h>

#include "framing/target.h"
#include "server/rest.h"
#include "server/rest_call.h"
#include "tunnel/counters.h"

struct rest_stream {
	struct rest_call *call;
	const struct rest_stream_form *form;
	struct timer timer;	/* the next thing that is due */
	struct rest_text piece;	/* what goes out now */
	size_t sent;		/* of it */
	uint64_t at;		/* number of the last message that was written */
	unsigned marks;
	int64_t began_us, last_us, until_us, keepalive_us;
	uint64_t credentials;	/* serial of those by which it may, for all that is known */
	int64_t stuck_us;	/* since then there was no room; 0: there is */
	bool begun;		/* the head is gone */
	bool ending, over;	/* nothing comes behind the piece; all of it is gone */
};

static int64_t now_of(const struct rest_stream *st)
{
	return loop_now(st->call->visitor->front->loop);
}

/* ---- what is asked for ---- */

/* A media range, whatever its parameters are. */
static bool accepts(const struct http1_head *head, const char *type)
{
	struct span value = http1_find(head, "accept"), range;

	while (value.n) {
		struct span rest = target_take(&value, ',');

		range = target_take(&rest, ';');
		while (range.n && *range.p == ' ') {
			range.p++;
			range.n--;
		}
		while (range.n && range.p[range.n - 1] == ' ')
			range.n--;
		if (http1_is(range, type))
			return true;
	}
	return false;
}

bool rest_stream_ask(struct rest_call *c, const struct http1_head *head)
{
	struct span last = http1_find(head, "last-event-id");

	if (accepts(head, rest_sse_form.type))
		c->form = &rest_sse_form;
	else if (c->request.stream && accepts(head, rest_records_form.type))
		c->form = &rest_records_form;
	if (!c->form || !last.n)
		return true;
	c->request.has_after = true;
	return target_number(last, 0, REST_NUMBER_MAX, &c->request.after) == 0;
}

/* ---- what is to be said ---- */

static struct rest_answer position(const struct rest_stream *st, const struct rest_message *first)
{
	const struct rest_session *s = st->call->session;
	struct rest_answer a = { .taken = rest_session_taken(s), .seq = first ? first->number : rest_session_next(s) };

	a.closed = !first && rest_session_is_closed(s);
	return a;
}

static void put_mark(struct rest_stream *st)
{
	st->form->mark(&st->piece, ++st->marks, (now_of(st) - st->began_us) / LOOP_MS);
}

static void put_begin(struct rest_stream *st)
{
	const struct rest_message *first = rest_session_from(st->call->session, st->at);
	struct rest_answer a = position(st, first);

	st->form->begin(&st->piece, &a);
	st->at = a.seq - 1;
	put_mark(st);
}

static void put_end(struct rest_stream *st, const char *why)
{
	st->ending = true;
	if (st->form->end)
		st->form->end(&st->piece, why);
	rest_session_leave(st->call->session, &st->call->waiter);
	st->call->session = NULL;
}

/* As many as make a piece, or one that is longer. */
static void put_messages(struct rest_stream *st)
{
	const struct rest_message *m = rest_session_from(st->call->session, st->at);

	for (; m && (st->piece.n == 0 || st->piece.n + m->n <= EXCHANGE_ROOM); m = m->next) {
		if (m->number != st->at + 1 && st->form->jump) {
			struct rest_answer a = position(st, m);

			st->form->jump(&st->piece, &a);
		}
		st->form->message(&st->piece, m);
		st->at = m->number;
		if (m->type == REST_CLOSE) {
			put_end(st, "closed");
			return;
		}
	}
}

static bool is_mark_due(const struct rest_stream *st)
{
	return st->marks == 1 && now_of(st) >= st->began_us + REST_STREAM_MARK_MS * LOOP_MS;
}

/* A reload may have taken its identity away. */
static bool is_outlawed(struct rest_stream *st)
{
	const struct rest_call *c = st->call;
	const struct credentials *credentials = c->visitor->front->credentials;

	if (credentials_serial(credentials) == st->credentials)
		return false;
	st->credentials = credentials_serial(credentials);
	return !credentials_named(credentials, (struct span){ (const uint8_t *)c->identity, strlen(c->identity) });
}

/* The next piece; false: there is nothing to say now. */
static bool make_piece(struct rest_stream *st)
{
	if (!st->begun)
		put_begin(st);
	else if (now_of(st) >= st->until_us || is_outlawed(st))
		put_end(st, "time");
	else if (is_mark_due(st))
		put_mark(st);
	else
		put_messages(st);
	if (!st->ending && st->piece.n == 0 && now_of(st) >= st->last_us + st->keepalive_us)
		st->form->keepalive(&st->piece);
	return st->piece.n > 0 || st->ending;
}

/* ---- sending ---- */

/* False: there is no room for it, or the exchange is over. */
static bool send_piece(struct rest_stream *st)
{
	struct rest_call *c = st->call;
	struct exchange_head head = { .status = 200, .lines = c->lines, .streamed = true };
	size_t left = st->piece.n - st->sent, cap;
	uint8_t *p = exchange_room(c->x, left > EXCHANGE_ROOM ? EXCHANGE_ROOM : left ? left : 1, &cap);

	if (!p) {
		if (!st->stuck_us)
			st->stuck_us = now_of(st);
		return false;
	}
	st->stuck_us = 0;
	st->last_us = now_of(st);
	if (left > cap)
		left = cap;
	if (left)
		memcpy(p, st->piece.p + st->sent, left);
	st->sent += left;
	st->over = st->ending && st->sent == st->piece.n;
	if (exchange_send(c->x, st->begun ? NULL : &head, left, st->over) < 0)
		st->over = true;	/* closed follows */
	st->begun = true;
	if (st->sent == st->piece.n) {
		rest_text_fini(&st->piece);
		st->sent = 0;
	}
	return !st->over;
}

static int64_t next_due(const struct rest_stream *st)
{
	int64_t at = st->last_us + st->keepalive_us;

	if (st->stuck_us)
		return st->stuck_us + REST_STREAM_STUCK * LOOP_SECOND;
	if (st->marks == 1 && st->began_us + REST_STREAM_MARK_MS * LOOP_MS < at)
		at = st->began_us + REST_STREAM_MARK_MS * LOOP_MS;
	return st->until_us < at ? st->until_us : at;
}

static void pump(struct rest_stream *st)
{
	while (!st->over && (st->sent < st->piece.n || st->ending || make_piece(st)) && send_piece(st))
		;
	if (st->over)
		timer_stop(&st->timer);
	else
		timer_set(&st->timer, next_due(st));
}

static void stop(struct rest_stream *st, const char *why)
{
	if (!st->ending)
		put_end(st, why);
	pump(st);
}

/* ---- what happens ---- */

static void told(void *ctx, enum rest_news news)
{
	struct rest_call *c = ctx;
	struct rest_session *s = c->session;

	if (news == REST_ENDED) {
		stop(c->stream, rest_session_stopping(s) ? "stopping" : "gone");
	} else if (news == REST_SUPERSEDED) {
		stop(c->stream, "superseded");
	} else if (rest_session_state(s) == REST_FAILED) {
		stop(c->stream, "failed");
	} else {
		rest_session_wait(s, &c->waiter);
		pump(c->stream);
	}
}

static void on_timer(void *ctx)
{
	struct rest_stream *st = ctx;
	struct rest_call *c = st->call;

	if (st->stuck_us && now_of(st) >= st->stuck_us + REST_STREAM_STUCK * LOOP_SECOND) {
		rest_call_drop(c);
		return;
	}
	pump(st);
	if (!st->over && st->piece.n == 0)
		rest_call_park(c);
}

void rest_stream_writable(struct rest_stream *st)
{
	pump(st);
}

/* ---- life ---- */

void rest_stream_begin(struct rest_call *c, struct rest_session *s)
{
	struct rest_stream *st = calloc(1, sizeof *st);
	struct loop *loop = c->visitor->front->loop;
	uint32_t keepalive = c->request.keepalive_s ? c->request.keepalive_s : REST_STREAM_KEEPALIVE;

	if (!st)
		abort();
	*st = (struct rest_stream){ .call = c, .form = c->form, .at = c->after, .began_us = loop_now(loop), .last_us = loop_now(loop) };
	st->until_us = st->began_us + (c->request.for_s ? c->request.for_s : REST_STREAM_FOR) * LOOP_SECOND;
	st->keepalive_us = keepalive * LOOP_SECOND;
	st->credentials = credentials_serial(c->visitor->front->credentials);
	timer_init(&st->timer, loop, on_timer, st);
	c->stream = st;
	c->session = s;
	c->waiter = (struct rest_waiter){ .told = told, .ctx = c, .by = c->form->name };
	rest_call_begin(c, st->form->type, "Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n");
	count(rest_streams);
	if (c->after)
		count(rest_resumed);
	rest_session_wait(s, &c->waiter);
	pump(st);
}

void rest_stream_free(struct rest_stream *st)
{
	if (!st)
		return;
	timer_stop(&st->timer);
	rest_text_fini(&st->piece);
	loop_free_later(st->call->visitor->front->loop, st);
}
