/*
 * Probes at the server (PROTOCOL.md section 4.6): notes when the marks of the request
 * arrived, reports them and sends marks back as the request asks. Called by
 * carrier_accept; touches no carrier. Each answer lives as long as its exchange.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/record.h"
#include "tunnel/counters.h"
#include "tunnel/leg.h"
#include "tunnel/log.h"
#include "tunnel/probe.h"
#include "tunnel/probe_filler.h"
#include "tunnel/session_internal.h"

#define ANSWERS_MAX 4			/* of a session at a time; one more gets PROBED and what is known of its marks */
#define FILLER_MAX (16 << 20)		/* bytes of filler and padding for a session in FILLER_US; who asks for more gets the same */
#define FILLER_US (600 * LOOP_SECOND)
#define SURPLUS_WAIT (200 * LOOP_MS)	/* for the end of a request body that is one too many */
#define REPORT_ROOM 4096		/* bytes of PROBED and all SEENs */
#define MARK_ROOM 128			/* bytes around the filler of one mark */

struct answer {
	struct session *session;
	struct exchange *x;
	struct link link;	/* in session->probes */
	struct timer timer;	/* the next mark, or the end */
	struct record_reader in;
	struct request request;
	struct message_probed probed;
	char via[MESSAGE_TEXT_MAX];
	struct seen_due seen[REQUEST_MARKS_MAX]; /* marks that came */
	unsigned seens, told;
	unsigned marks;		/* sent */
	uint64_t number;	/* of the next record */
	int64_t due_us;		/* when the answer goes on, once the request is complete */
	bool surplus;
	bool report_due, head_sent, in_ended, out_ended;
};

/* ---- writing ---- */

static void put_report(struct answer *a, struct writer *w)
{
	if (a->report_due)
		message_probed_put(w, &a->probed);
	a->report_due = false;
	for (; a->told < a->seens; a->told++) {
		const struct seen_due *d = &a->seen[a->told];

		message_seen_put(w, &(struct message_seen){ .id = d->id, .n = d->n, .arrival_ms = d->arrival_ms,
							     .intact = d->intact });
	}
}

static bool put_mark(struct answer *a, struct writer *w)
{
	struct message_mark m = { .id = a->request.x, .n = a->marks, .time_ms = loop_clock(a->session->loop),
				  .filler = probe_filler(a->request.size) };

	if (!message_mark_put(w, &m))
		return false;
	a->marks++;
	return true;
}

static void put_one_mark(struct answer *a, struct writer *w)
{
	put_mark(a, w);
}

/* As many marks as a body that goes out at once can hold. */
static void put_everything(struct answer *a, struct writer *w)
{
	put_report(a, w);
	while (a->marks < a->request.marks && put_mark(a, w))
		;
}

static bool is_streamed(const struct answer *a)
{
	return a->request.answer != ANSWER_COMPLETE;
}

/* One record, filled up; false when there is no room yet. */
static bool send_record(struct answer *a, void (*put)(struct answer *, struct writer *), size_t want, bool end)
{
	struct loop *loop = a->session->loop;
	struct record_builder b;
	struct writer pad;
	size_t cap, n;
	uint8_t *p;

	if (want < REQUEST_PAD_MAX + MARK_ROOM)
		want = REQUEST_PAD_MAX + MARK_ROOM;
	p = exchange_room(a->x, want, &cap);
	if (!p)
		return false;
	record_begin(&b, p, want, a->number++, loop_clock(loop));
	put(a, &b.w);
	n = record_finish(&b);
	writer_init(&pad, p + n, cap - n);
	if (n < a->request.pad)
		message_fill_put(&pad, a->request.pad - n);
	n += writer_len(&pad);
	exchange_send(a->x, a->head_sent ? NULL : leg_answer_head(loop, is_streamed(a), a->request.event_stream), n, end);
	a->head_sent = true;
	a->out_ended = end;
	return true;
}

/* Marks that are due, then the end. */
static void send_marks(struct answer *a)
{
	int64_t now = loop_now(a->session->loop);

	while (a->marks < a->request.marks && a->due_us <= now) {
		if (!send_record(a, put_one_mark, a->request.size + MARK_ROOM, false))
			return;
		a->due_us = now + a->request.gap_ms * LOOP_MS;
	}
	if (a->marks < a->request.marks) {
		timer_set(&a->timer, a->due_us);
		return;
	}
	a->out_ended = true;
	exchange_send(a->x, NULL, 0, true);
}

/* Sends whatever can be sent now; what is waited for calls it again. */
static void advance(struct answer *a)
{
	bool may_speak = is_streamed(a) && (a->in_ended || a->request.answer == ANSWER_EARLY);

	if (a->out_ended)
		return;
	if (may_speak && (a->report_due || a->told < a->seens) && !send_record(a, put_report, REPORT_ROOM, false))
		return;
	if (!a->in_ended && !a->surplus)
		return;
	if (loop_now(a->session->loop) < a->due_us)
		timer_set(&a->timer, a->due_us);
	else if (is_streamed(a))
		send_marks(a);
	else
		send_record(a, put_everything, a->request.marks ? EXCHANGE_ROOM_MAX : REPORT_ROOM, true);
}

static void on_timer(void *ctx)
{
	advance(ctx);
}

/* ---- reading ---- */

static int on_record(void *ctx, uint64_t number, uint32_t clock_ms)
{
	(void)ctx, (void)number, (void)clock_ms;
	return 0;
}

static int on_capsule(void *ctx, uint64_t type, struct span value)
{
	struct answer *a = ctx;
	struct message_mark m;

	if (type != CAPSULE_MARK)
		return 0;
	if (message_mark_get(value, &m) < 0)
		return ERROR_MALFORMED;
	if (a->seens < REQUEST_MARKS_MAX)
		a->seen[a->seens++] = (struct seen_due){ .id = m.id, .n = m.n,
							 .arrival_ms = loop_clock(a->session->loop),
							 .intact = message_check(m.filler) == m.check };
	return 0;
}

static int on_record_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct record_events record_events = { on_record, on_capsule, on_record_end };

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct answer *a = ctx;
	int error;

	a->probed.body += n;
	error = record_reader_feed(&a->in, p, n);
	if (error < 0) {
		count(malformed);
		log_limited(LOG_LEVEL_WARN, "probe", a->session->tag, "malformed body on exchange %llu: it is dropped",
			    (unsigned long long)a->request.x);
		return error;
	}
	advance(a);
	return 0;
}

static void on_end(void *ctx)
{
	struct answer *a = ctx;

	a->in_ended = true;
	a->report_due = true;	/* what was said first knew nothing of the body */
	a->due_us = loop_now(a->session->loop) + a->request.hold_ms * LOOP_MS;
	advance(a);
}

static void on_writable(void *ctx)
{
	advance(ctx);
}

static void answer_free(struct answer *a)
{
	struct session *s = a->session;

	timer_stop(&a->timer);
	link_remove(&a->link);
	s->probe_count--;
	record_reader_fini(&a->in);
	session_attached(s);
	loop_free_later(s->loop, a);
}

static void on_closed(void *ctx, int error)
{
	(void)error;
	answer_free(ctx);
}

static const struct exchange_events answer_events = { on_head, on_body, on_end, on_writable, on_closed };

/* ---- life ---- */

/* How often this x has come, this time included. */
static uint64_t count_copies(struct session *s, uint64_t x)
{
	struct probed_x *p = NULL;

	for (unsigned i = 0; i < PROBED_MAX; i++)
		if (s->probed[i].count && s->probed[i].x == x)
			p = &s->probed[i];
	if (!p) {
		p = &s->probed[s->probed_next++ % PROBED_MAX];
		*p = (struct probed_x){ .x = x };
	}
	return ++p->count;
}

/* What it makes us send beyond what it says. */
static uint64_t filler_of(const struct request *r)
{
	uint64_t reports = r->answer == ANSWER_EARLY ? REQUEST_MARKS_MAX + 2 : 1;

	return r->marks * (uint64_t)(r->size > r->pad ? r->size : r->pad) + reports * r->pad;
}

/* A server is no means to make traffic. */
static bool take_filler(struct session *s, uint64_t n)
{
	int64_t now = loop_now(s->loop);

	if (now - s->probe_filler_us >= FILLER_US) {
		s->probe_filler = 0;
		s->probe_filler_us = now;
	}
	if (n > FILLER_MAX - s->probe_filler)
		return false;
	s->probe_filler += n;
	return true;
}

/* All Via headers in one line. */
static size_t take_via(char *out, size_t cap, const struct http1_head *head)
{
	size_t n = 0;

	for (size_t i = 0; i < head->count; i++) {
		if (!http1_is(head->header[i].name, "via"))
			continue;
		if (n > 0)
			n += probe_printable(out + n, cap - n, (struct span){ (const uint8_t *)", ", 2 });
		n += probe_printable(out + n, cap - n, head->header[i].value);
	}
	return n;
}

void probe_answer(struct session *s, const struct request *r, struct exchange *x, const struct http1_head *head)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a)
		abort();
	a->session = s;
	a->x = x;
	a->request = *r;
	a->probed = (struct message_probed){
		.x = r->x, .copies = count_copies(s, r->x), .version = head->minor ? 11 : 10,
		.framing = head->chunked ? FRAMING_CHUNKED : head->length >= 0 ? FRAMING_LENGTH : FRAMING_NONE,
		.via = { (const uint8_t *)a->via, take_via(a->via, sizeof a->via, head) },
	};
	a->report_due = true;
	record_reader_init(&a->in, &record_events, a, false);
	timer_init(&a->timer, s->loop, on_timer, a);
	x->events = &answer_events;
	x->ctx = a;
	if (s->probe_count++ >= ANSWERS_MAX || !take_filler(s, filler_of(r))) {
		a->surplus = true;
		a->request.answer = ANSWER_COMPLETE;
		a->request.marks = a->request.hold_ms = a->request.pad = 0;
		a->due_us = loop_now(s->loop) + SURPLUS_WAIT;
	}
	a->request.pad = exchange_pad(x, a->request.pad);
	list_append(&s->probes, &a->link);
	count(exchanges);
	session_attached(s);
	advance(a);
}

void probe_answers_end(struct session *s)
{
	bool ours = s->farewell_reason[0] || s->farewell_code == CODE_VERSION;	/* session_bye */

	while (!list_empty(&s->probes)) {
		struct answer *a = list_entry(s->probes.next, struct answer, link);

		if (!a->head_sent && a->in_ended)
			leg_farewell(s->loop, a->x, ours ? CAPSULE_BYE : CAPSULE_GONE, s->farewell_code,
				     ours ? capsule_code_text(s->farewell_code) : s->ended_reason);
		exchange_abort(a->x);
		answer_free(a);
	}
}
