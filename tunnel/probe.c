/*
 * Probes at the helper: one exchange on a connection of the shared pool, its marks sent
 * by the clock, and a note of when everything came. Called by the ladder and the
 * doctor; calls the pool and the exchange. What the result means is in probe_judge.c.
 */
#include "tunnel/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/record.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/log.h"
#include "tunnel/probe_filler.h"

#define CONNECTION_WAIT (15 * LOOP_SECOND)
#define FOREIGN_MAX 65536	/* bytes of a body that is not culvertd's, then it is dropped */
#define MARK_ROOM 128		/* bytes around the filler of one mark */

struct probe {
	struct loop *loop;
	struct session *session;
	const struct carrier_path *path;
	struct pool_user user;
	struct probe_plan plan;
	void (*done)(void *ctx, const struct probe_result *);
	void *ctx;
	struct exchange *x;	/* NULL: waits for a connection, or over */
	struct record_reader in;
	struct timer timer;	/* the next mark, or giving up */
	struct later begin, tell;
	int64_t started_us, next_us, give_up_us;
	uint64_t records;	/* sent */
	size_t page_n;
	bool head_sent, out_ended, foreign, gone, over;
	struct probe_result result;
};

/* ---- the end ---- */

static void drop(struct probe *p)
{
	timer_stop(&p->timer);
	later_cancel(p->loop, &p->begin);
	later_cancel(p->loop, &p->tell);
	if (p->x)
		exchange_abort(p->x);
	p->x = NULL;
	pool_leave(&p->user);
	record_reader_fini(&p->in);
	loop_free_later(p->loop, p);
}

void probe_cancel(struct probe *p)
{
	drop(p);
}

static void tell(void *ctx)
{
	struct probe *p = ctx;
	void (*done)(void *, const struct probe_result *) = p->done;
	void *done_ctx = p->ctx;

	drop(p);		/* its memory stays until the end of the turn */
	done(done_ctx, &p->result);
}

static void finish(struct probe *p, int error, const char *why)
{
	if (p->over)
		return;
	p->over = true;
	p->result.error = error;
	snprintf(p->result.why, sizeof p->result.why, "%s", why);
	if (!p->foreign)
		p->result.page[0] = 0;
	timer_stop(&p->timer);
	later_cancel(p->loop, &p->begin);
	log_debug("probe", p->session->tag, "%llu: status %d, %u of %u marks up, %u of %u down%s%s",
		  (unsigned long long)p->result.number, p->result.status, p->result.up_seen, p->result.up_sent,
		  p->result.down_seen, p->plan.down_marks, *why ? ": " : "", why);
	loop_later(p->loop, &p->tell);
}

/* ---- sending ---- */

static int64_t age(const struct probe *p)
{
	return loop_now(p->loop) - p->started_us;
}

static const struct exchange_head *request_head(struct probe *p)
{
	const struct probe_plan *plan = &p->plan;
	struct request r = { .x = p->result.number, .mode = MODE_PROBE, .answer = plan->answer, .hold_ms = plan->hold_ms,
			     .marks = plan->down_marks, .gap_ms = plan->down_gap_ms, .size = (uint32_t)plan->down_size,
			     .pad = plan->pad, .event_stream = plan->event_stream, .has_epoch = true,
			     .epoch = p->session->epoch };

	memcpy(r.sid, p->session->sid, sizeof r.sid);
	return carrier_path_head(p->path, &r, plan->up_streamed);
}

/* A record with the next mark: its length, 0 when there is no room. */
static size_t put_mark(struct probe *p, uint8_t *at, size_t cap)
{
	struct message_mark m = { .id = p->result.number, .n = p->result.up_sent, .time_ms = loop_clock(p->loop),
				  .filler = probe_filler(p->plan.up_size) };
	struct record_builder b;

	if (cap <= RECORD_HEAD_MAX)
		return 0;
	record_begin(&b, at, cap, p->records, m.time_ms);
	if (!message_mark_put(&b.w, &m))
		return 0;
	p->records++;
	p->result.up_sent_us[p->result.up_sent++] = age(p);
	return record_finish(&b);
}

static void request_ended(struct probe *p)
{
	p->out_ended = true;
	p->result.up_end_us = age(p);
}

static void send_complete(struct probe *p)
{
	size_t want = p->plan.up_fill + CAPSULE_HEAD_MAX + p->plan.up_marks * (p->plan.up_size + MARK_ROOM), cap, n, more;
	uint8_t *at;
	struct writer w;

	want = want < EXCHANGE_ROOM_MAX ? want : EXCHANGE_ROOM_MAX;
	at = exchange_room(p->x, want, &cap);
	if (!at)
		return;		/* cannot be: the exchange is fresh */
	writer_init(&w, at, want);
	if (p->plan.up_fill)
		message_pad_put(&w, p->plan.up_fill);
	n = writer_len(&w);
	while (p->result.up_sent < p->plan.up_marks && (more = put_mark(p, at + n, want - n)) > 0)
		n += more;
	p->head_sent = true;
	request_ended(p);
	exchange_send(p->x, request_head(p), n, true);
}

/* The head, and the filling in front of the first mark. */
static bool send_head(struct probe *p)
{
	size_t cap;
	uint8_t *at = exchange_room(p->x, p->plan.up_fill + CAPSULE_HEAD_MAX, &cap);
	struct writer w;

	if (!at)
		return false;
	writer_init(&w, at, cap);
	if (p->plan.up_fill)
		message_pad_put(&w, p->plan.up_fill);
	p->head_sent = true;
	exchange_send(p->x, request_head(p), writer_len(&w), false);
	return true;
}

static bool send_mark(struct probe *p)
{
	size_t cap, n;
	uint8_t *at = exchange_room(p->x, p->plan.up_size + MARK_ROOM, &cap);

	if (!at)
		return false;
	n = put_mark(p, at, cap);
	exchange_send(p->x, NULL, n, false);
	return true;
}

/* Sends what is due. False when there is no room: on_writable goes on. */
static bool send_due(struct probe *p)
{
	int64_t now = loop_now(p->loop);

	if (!p->head_sent && !send_head(p))
		return false;
	while (p->result.up_sent < p->plan.up_marks && p->next_us <= now) {
		if (!send_mark(p))
			return false;
		p->next_us = now + p->plan.up_gap_us;
	}
	if (p->result.up_sent == p->plan.up_marks && p->next_us <= now) {
		request_ended(p);
		exchange_send(p->x, NULL, 0, true);
	}
	return true;
}

static void advance(struct probe *p)
{
	int64_t at = p->give_up_us;

	if (p->over || !p->x)
		return;
	if (!p->out_ended && send_due(p) && !p->out_ended && p->next_us < at)
		at = p->next_us;
	timer_set(&p->timer, at);
}

/* ---- receiving ---- */

static void copy_text(char *out, size_t size, struct span text)
{
	out[probe_printable(out, size - 1, text)] = 0;
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct probe *p = ctx;
	struct probe_result *r = &p->result;
	struct span encoding = http1_find(head, "content-encoding");

	r->status = head->status;
	r->head_us = age(p);
	r->answer_version = head->minor ? 11 : 10;
	r->answer_close = !head->keep_alive;
	copy_text(r->answer_via, sizeof r->answer_via, http1_find(head, "via"));
	copy_text(r->answer_server, sizeof r->answer_server, http1_find(head, "server"));
	if (!http1_is(encoding, "identity"))
		copy_text(r->answer_encoding, sizeof r->answer_encoding, encoding);
	p->foreign = head->status != 200;
	return 0;
}

static int on_body(void *ctx, const uint8_t *bytes, size_t n)
{
	struct probe *p = ctx;
	struct probe_result *r = &p->result;
	int error;

	r->bytes_in += n;
	p->page_n += probe_printable(r->page + p->page_n, sizeof r->page - 1 - p->page_n, (struct span){ bytes, n });
	if (p->foreign)
		return r->bytes_in > FOREIGN_MAX ? ERROR_LIMIT : 0;
	error = record_reader_feed(&p->in, bytes, n);
	if (error != ERROR_HTTP)
		return error;
	p->foreign = true;
	return 0;
}

static int on_probed(struct probe *p, struct span value)
{
	struct probe_result *r = &p->result;
	struct message_probed m;

	if (message_probed_get(value, &m) < 0)
		return ERROR_MALFORMED;
	r->reported = true;
	r->x = m.x;
	r->copies = m.copies;
	r->version = (unsigned)m.version;
	r->framing = (unsigned)m.framing;
	r->body = m.body;
	copy_text(r->via, sizeof r->via, m.via);
	return 0;
}

static int on_seen(struct probe *p, struct span value)
{
	struct probe_result *r = &p->result;
	struct message_seen m;

	if (message_seen_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (m.id != r->number || m.n >= r->up_sent || r->up_told_us[m.n] >= 0)
		return 0;
	r->up_told_us[m.n] = age(p);
	r->up_seen_ms[m.n] = m.arrival_ms;
	r->up_intact &= m.intact;
	r->up_seen++;
	return 0;
}

static int on_mark(struct probe *p, struct span value)
{
	struct probe_result *r = &p->result;
	struct message_mark m;

	if (message_mark_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (m.id != r->number || m.n >= PROBE_MARKS || r->down_seen_us[m.n] >= 0)
		return 0;
	r->down_seen_us[m.n] = age(p);
	r->down_sent_ms[m.n] = m.time_ms;
	r->down_intact &= message_check(m.filler) == m.check;
	r->down_seen++;
	return 0;
}

static int on_record(void *ctx, uint64_t number, uint32_t clock_ms)
{
	(void)ctx, (void)number, (void)clock_ms;
	return 0;
}

static int on_capsule(void *ctx, uint64_t type, struct span value)
{
	struct probe *p = ctx;

	switch (type) {
	case CAPSULE_PROBED:
		return on_probed(p, value);
	case CAPSULE_SEEN:
		return on_seen(p, value);
	case CAPSULE_MARK:
		return on_mark(p, value);
	case CAPSULE_GONE:
	case CAPSULE_BYE:
		p->gone = true;
		return 0;
	default:
		return 0;
	}
}

static int on_record_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct record_events record_events = { on_record, on_capsule, on_record_end };

static void on_end(void *ctx)
{
	struct probe *p = ctx;

	p->result.end_us = age(p);
}

static void on_writable(void *ctx)
{
	advance(ctx);
}

/* What became of the exchange, in words. */
static int verdict(const struct probe *p, int error, char *why, size_t size)
{
	const struct probe_result *r = &p->result;

	if (p->foreign && r->status != 200)
		snprintf(why, size, "the answer was HTTP status %d", r->status);
	else if (p->foreign && *r->answer_encoding)
		snprintf(why, size, "the answer was compressed on the way (Content-Encoding: %.40s)", r->answer_encoding);
	else if (p->foreign)
		snprintf(why, size, "the answer was not in Culvert's format (a page of a box in between?)");
	else if (p->gone)
		snprintf(why, size, "the server does not have this session any more");
	else if (error < 0)
		snprintf(why, size, "the exchange failed %s: %s", r->status ? "within the answer" : "before any answer",
			 error_text(error));
	else if (!r->reported || !record_reader_whole(&p->in))
		snprintf(why, size, "the answer ended too early");
	if (p->foreign)
		return ERROR_HTTP;
	if (p->gone)
		return ERROR_GONE;
	return error < 0 ? error : *why ? ERROR_EOF : 0;
}

static void on_closed(void *ctx, int error)
{
	struct probe *p = ctx;
	char why[PROBE_TEXT] = "";

	p->x = NULL;
	error = verdict(p, error, why, sizeof why);
	finish(p, error, why);
}

static const struct exchange_events exchange_events = { on_head, on_body, on_end, on_writable, on_closed };

/* ---- the course of it ---- */

/* The time that the plan takes by itself on a path without delay. */
static int64_t plan_time(const struct probe_plan *plan)
{
	int64_t us = plan->hold_ms * LOOP_MS;

	if (plan->up_streamed)
		us += plan->up_marks * plan->up_gap_us;
	if (plan->answer != ANSWER_COMPLETE)
		us += plan->down_marks * (plan->down_gap_ms * LOOP_MS);
	return us;
}

static void begin(void *ctx)
{
	struct probe *p = ctx;

	if (p->x || p->over)
		return;
	p->x = carrier_path_exchange(p->path, &p->user, &exchange_events, p);
	if (!p->x)
		return;
	p->result.number = p->session->next_x++;
	p->started_us = p->next_us = loop_now(p->loop);
	p->give_up_us = p->started_us + plan_time(&p->plan) + p->plan.patience_us;
	if (!p->plan.up_streamed)
		send_complete(p);
	advance(p);
}

static void on_timer(void *ctx)
{
	struct probe *p = ctx;
	struct exchange *x = p->x;

	if (!x) {
		finish(p, ERROR_TIMEOUT, "no connection became free");
		return;
	}
	if (loop_now(p->loop) < p->give_up_us) {
		advance(p);
		return;
	}
	p->x = NULL;
	exchange_abort(x);
	finish(p, ERROR_TIMEOUT, p->result.status ? "the answer did not end in time" : "no answer came in time");
}

static void dial_failed(void *ctx, int error, const char *why)
{
	struct probe *p = ctx;

	if (!p->x)
		finish(p, error, why);
}

static const struct pool_events pool_events = { begin, dial_failed };

struct probe *probe_start(struct session *s, const struct carrier_path *path, struct pool *pool, bool modest,
			  const struct probe_plan *plan, void (*done)(void *ctx, const struct probe_result *), void *ctx)
{
	struct probe *p = calloc(1, sizeof *p);
	struct probe_result *r;

	if (!p)
		abort();
	p->loop = s->loop;
	p->session = s;
	p->path = path;
	p->plan = *plan;
	p->done = done;
	p->ctx = ctx;
	r = &p->result;
	r->head_us = r->end_us = r->up_end_us = -1;
	r->up_intact = r->down_intact = true;
	for (unsigned i = 0; i < PROBE_MARKS; i++)
		r->up_sent_us[i] = r->up_told_us[i] = r->down_seen_us[i] = -1;
	record_reader_init(&p->in, &record_events, p, true);
	timer_init(&p->timer, p->loop, on_timer, p);
	later_init(&p->begin, begin, p);
	later_init(&p->tell, tell, p);
	timer_in(&p->timer, CONNECTION_WAIT);
	pool_join(pool, &p->user, modest, &pool_events, p);
	p->user.insist_us = plan->insist_us ? loop_now(p->loop) + plan->insist_us : 0;
	loop_later(p->loop, &p->begin);
	return p;
}
