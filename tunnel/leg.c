/*
 * Legs. Created by carrier_helper.c and carrier_server.c; calls the inbox with what
 * it reads and the outbox for what it writes.
 */
#include "tunnel/leg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/http.h"
#include "tunnel/log.h"

#define POST_ROOM 65536		/* bytes of the largest complete body */
#define PAD_ROOM (REQUEST_PAD_MAX + CAPSULE_HEAD_MAX)

/* ---- reading ---- */

static int on_record(void *ctx, uint64_t number, uint32_t clock_ms)
{
	struct leg *leg = ctx;

	return inbox_begin(leg->carrier, &leg->inbound, number, clock_ms);
}

static int on_capsule(void *ctx, uint64_t type, struct span value)
{
	struct leg *leg = ctx;

	return inbox_capsule(leg->carrier, leg, &leg->inbound, type, value);
}

static int on_record_end(void *ctx)
{
	struct leg *leg = ctx;

	leg->recorded = true;
	leg->heard |= leg->inbound.accountable;
	return inbox_end(leg->carrier, &leg->inbound);
}

static const struct record_events record_events = { on_record, on_capsule, on_record_end };

static int64_t parse_date(struct span s)
{
	char text[40];
	struct tm tm;

	if (s.n == 0 || s.n >= sizeof text)
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	memset(&tm, 0, sizeof tm);
	return strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) ? (int64_t)timegm(&tm) : 0;
}

/* Helper only: at the server the router had the head. */
static int on_head(void *ctx, const struct http1_head *head)
{
	struct leg *leg = ctx;

	leg->status = head->status;
	leg->date = parse_date(http1_find(head, "date"));
	if (head->status != 200) {
		if (leg->ops->refused)
			leg->ops->refused(leg);
		return ERROR_HTTP;
	}
	leg->got_head = true;
	leg->last_in_us = loop_now(leg->carrier->session->loop);
	if (leg->ops->head)
		leg->ops->head(leg);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct leg *leg = ctx;
	int error;

	leg->last_in_us = loop_now(leg->carrier->session->loop);
	error = record_reader_feed(&leg->in, p, n);
	if (error == ERROR_MALFORMED) {
		count(malformed);
		log_limited(LOG_LEVEL_WARN, "leg", leg->carrier->session->tag,
			    "malformed body on exchange %llu: it is dropped", (unsigned long long)leg->number);
	}
	return error;
}

static void on_end(void *ctx)
{
	struct leg *leg = ctx;

	leg->in_ended = true;
	leg->ops->end(leg);
}

static void on_writable(void *ctx)
{
	struct leg *leg = ctx;

	if (leg->ops->writable)
		leg->ops->writable(leg);
	else
		session_kick(leg->carrier->session);
}

static void detach(struct leg *leg)
{
	struct carrier *c = leg->carrier;

	if (leg->streamed_answer)
		c->streamed_answers--;
	leg->streamed_answer = false;
	link_remove(&leg->link);
	c->leg_count--;
	c->active_us = loop_now(c->session->loop);
	timer_stop(&leg->timer);
	session_attached(c->session);
}

static void leg_free(struct leg *leg)
{
	record_reader_fini(&leg->in);
	loop_free_later(leg->carrier->session->loop, leg);
}

static void on_closed(void *ctx, int error)
{
	struct leg *leg = ctx;
	struct carrier *c = leg->carrier;

	leg->x = NULL;
	detach(leg);
	if (error < 0)
		count(exchanges_failed);
	/* A helper's exchange that ended without the receipt was not heard; a server cannot tell. */
	if (error < 0 || c->session->role == SESSION_HELPER)
		ledger_leg_lost(&c->ledger, leg->number);
	leg->ops->closed(leg, error);
	leg_free(leg);
}

const struct exchange_events leg_exchange_events = { on_head, on_body, on_end, on_writable, on_closed };

/* ---- life ---- */

static void on_timer(void *ctx)
{
	struct leg *leg = ctx;

	leg->ops->timer(leg);
}

struct leg *leg_new(struct carrier *c, const struct leg_ops *ops, struct exchange *x, uint64_t number, bool strict)
{
	struct leg *leg = calloc(1, sizeof *leg);

	if (!leg)
		abort();
	leg->carrier = c;
	leg->ops = ops;
	leg->x = x;
	leg->number = number;
	leg->born_us = leg->last_in_us = leg->last_out_us = loop_now(c->session->loop);
	x->events = &leg_exchange_events;
	x->ctx = leg;
	record_reader_init(&leg->in, &record_events, leg, strict);
	timer_init(&leg->timer, c->session->loop, on_timer, leg);
	list_append(&c->legs, &leg->link);
	c->leg_count++;
	c->exchanges++;
	c->active_us = leg->born_us;
	count(exchanges);
	session_attached(c->session);
	return leg;
}

void leg_drop(struct leg *leg)
{
	struct exchange *x = leg->x;

	leg->x = NULL;
	detach(leg);
	if (x)
		exchange_abort(x);
	ledger_leg_lost(&leg->carrier->ledger, leg->number);
	leg_free(leg);
}

void leg_fail(struct leg *leg, int error)
{
	struct exchange *x = leg->x;

	exchange_abort(x);
	on_closed(leg, error);
}

/* ---- writing ---- */

/* A PAD behind n bytes, so that a proxy that passes only full blocks passes them: its length. */
static size_t fill_up(const struct leg *leg, uint8_t *p, size_t cap, size_t n)
{
	struct writer w;

	writer_init(&w, p, cap);
	if (n < leg->pad)
		message_fill_put(&w, leg->pad - n);
	return writer_len(&w);
}

/* Streams leave media its part of the windows. Where there is nothing else to go their carrier has no room. */
static void mind_windows(struct leg *leg)
{
	struct carrier *c = leg->carrier;

	if (!leg->x || !http_has_windows(leg->x) || list_empty(&c->session->streams) || !(c->takes & TAKES_STREAMS))
		return;
	c->beside_media = http_room_beside_media(leg->x);
	if (c->beside_media == 0 && !c->blocked_us)
		c->blocked_us = loop_now(c->session->loop);
}

static bool send_record(struct leg *leg, const struct exchange_head *head, unsigned flags, size_t want, bool end)
{
	struct carrier *c = leg->carrier;
	size_t cap, n;
	uint8_t *p;

	if (!leg->x || leg->out_ended)
		return false;
	p = exchange_room(leg->x, want, &cap);
	if (!p && !c->blocked_us)
		c->blocked_us = loop_now(c->session->loop);
	if (!p)
		return false;
	c->blocked_us = 0;
	n = outbox_fill(c->session, c, flags, leg->number, p, cap < want ? cap : want);
	if (n == 0)
		return false;
	n += fill_up(leg, p + n, cap - n, n);
	leg->last_out_us = loop_now(c->session->loop);
	leg->out_ended = end;
	leg->spoke |= c->spoke;
	exchange_send(leg->x, leg->head_sent ? NULL : head, n, end);
	leg->head_sent = true;
	if (c->media_sent && http_has_windows(leg->x))
		http_media_went(leg->x, c->media_sent, c->ledger.srtt_us);
	return true;
}

static size_t room_wanted(const struct session *s, size_t usual)
{
	size_t want = outbox_want(s);

	return want > usual ? want : usual;
}

bool leg_stream(struct leg *leg, const struct exchange_head *head, unsigned flags)
{
	struct carrier *c = leg->carrier;
	struct session *s = c->session;
	bool sent;

	mind_windows(leg);
	sent = (outbox_has(s, c, flags) || flags & OUTBOX_FORCE) &&
	       send_record(leg, head, flags, outbox_most(s, c, room_wanted(s, EXCHANGE_ROOM)), false);
	c->beside_media = SIZE_MAX;
	return sent;
}

bool leg_complete(struct leg *leg, const struct exchange_head *head, unsigned flags)
{
	struct session *s = leg->carrier->session;
	bool bulk = !list_empty(&s->streams) || s->scheduler.bytes > EXCHANGE_ROOM;

	return send_record(leg, head, flags, room_wanted(s, bulk ? POST_ROOM : EXCHANGE_ROOM), true);
}

void leg_pad(struct leg *leg, const struct exchange_head *head)
{
	leg_fill(leg, head, leg->pad);
}

void leg_fill(struct leg *leg, const struct exchange_head *head, size_t n)
{
	struct writer w;
	size_t cap;
	uint8_t *p = leg->x && !leg->out_ended ? exchange_room(leg->x, n + PAD_ROOM, &cap) : NULL;

	if (!p)
		return;
	writer_init(&w, p, cap);
	message_fill_put(&w, n);
	leg->last_out_us = loop_now(leg->carrier->session->loop);
	exchange_send(leg->x, leg->head_sent ? NULL : head, writer_len(&w), false);
	leg->head_sent = true;
}

void leg_begin(struct leg *leg, const struct exchange_head *head)
{
	leg->head_sent = true;
	leg->last_out_us = loop_now(leg->carrier->session->loop);
	exchange_send(leg->x, head, 0, false);
}

void leg_end(struct leg *leg)
{
	if (!leg->x || leg->out_ended)
		return;
	leg->out_ended = true;
	exchange_send(leg->x, NULL, 0, true);
}

/* ---- answers ---- */

const struct exchange_head *leg_answer_head(struct loop *loop, bool streamed, bool event_stream)
{
	static struct { char lines[400]; int64_t second; } cache[4];
	static struct exchange_head head = { .status = 200 };
	char *lines = cache[2 * streamed + event_stream].lines;
	int64_t *second = &cache[2 * streamed + event_stream].second, now = loop_wall(loop);
	time_t t = (time_t)now;
	struct tm tm;

	if (now != *second || !*lines) {
		size_t n;

		gmtime_r(&t, &tm);
		n = strftime(lines, sizeof cache->lines, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		snprintf(lines + n, sizeof cache->lines - n, "Server: culvertd/" CULVERT_VERSION "\r\n"
			 "Content-Type: %s\r\n"
			 "Cache-Control: no-store, no-transform\r\n"
			 "X-Accel-Buffering: no\r\n%s", event_stream ? "text/event-stream" : "application/octet-stream",
			 streamed ? "Incremental: ?1\r\n" : "");
		*second = now;
	}
	head.lines = lines;
	head.streamed = streamed;
	return &head;
}

void leg_farewell(struct loop *loop, struct exchange *x, uint64_t type, uint64_t code, const char *reason)
{
	struct message_farewell m = { .code = code, .version_min = 1, .version_max = 1,
				      .reason = { (const uint8_t *)reason, strlen(reason) } };
	struct record_builder b;
	size_t cap;
	uint8_t *p = exchange_room(x, 1024, &cap);

	if (!p)
		return;
	record_begin(&b, p, cap, 0, loop_clock(loop));
	message_farewell_put(&b.w, type, &m);
	exchange_send(x, leg_answer_head(loop, false, false), record_finish(&b), true);
}
