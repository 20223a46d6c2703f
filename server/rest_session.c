/*
 * REST sessions. Called by rest.c for requests; the tenant of a session of sessions.c, and at the other end of its channel (tunnel/local.h),
 * whose bytes are frames of RFC 6455.
 *
 * For the client: frames become messages, which are kept until the client says that it has them. When they fill the window nothing is
 * taken from the channel, and that stops the target. From the client: messages become frames in order, as the channel takes them.
 */
#include "server/rest_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/websocket.h"
#include "tunnel/counters.h"
#include "tunnel/local.h"
#include "tunnel/log.h"

#define PORTION 4096	/* bytes of frames between two looks at the window */
#define REASON_MAX 123
#define GATHER_PART 32	/* of the time that a client takes to poll again: what comes within it goes with the first message */
#define GATHER_MAX (5 * LOOP_MS)
#define GATHER_MIN (LOOP_MS / 2) /* less is not worth a timer */
#define AGAIN_MAX (2 * LOOP_SECOND) /* who polls later than that had other reasons */

struct rest_session {
	struct loop *loop;
	struct session *session;
	struct local *local;	/* NULL: over */
	struct rest_limits limits;
	enum rest_state state;
	bool stopping, done;
	char service[MESSAGE_NAME_MAX + 1], protocol[REST_PROTOCOL_MAX + 1];
	uint64_t failure;
	char why[MESSAGE_TEXT_MAX + 1];
	struct rest_waiter *waiter, *openers, *senders;
	const char *by;		/* of the last waiter */
	struct later tell;	/* whoever waits */
	struct timer gather;	/* before a poll is answered */
	int64_t answered_us, again_us; /* the last poll was told; and how long it took then to the next one */

	/* for the client */
	struct websocket_reader *reader; /* NULL: nothing came yet */
	struct rest_message *open;	/* of which pieces came */
	size_t open_cap;
	struct rest_messages out;
	uint64_t after;
	bool out_closed;

	/* for the target */
	struct rest_messages in;
	uint8_t *frame;		/* the one that is being written */
	size_t frame_n, frame_at;
	bool in_closed;		/* the client's close is behind what was taken */
	bool to_answer;		/* the target's close waits for ours */
	bool finished;		/* nothing goes to the target any more */
	unsigned answer;	/* code of ours */
};

/* ---- who waits ---- */

static void tell_one(struct rest_waiter *w, enum rest_news news)
{
	if (!w)
		return;
	w->waits = false;
	w->told(w->ctx, news);
}

/* It waits for messages no more. */
static struct rest_waiter *unwait(struct rest_session *s)
{
	struct rest_waiter *w = s->waiter;

	s->waiter = NULL;
	if (w && s->state != REST_GONE)
		local_attend(s->session, -1);
	return w;
}

static void tell_all(const struct rest_session *s, struct rest_waiter **list)
{
	while (*list) {
		struct rest_waiter *w = *list;

		*list = w->next;
		tell_one(w, s->state == REST_GONE ? REST_ENDED : REST_NEWS);
	}
}

static void tell(void *ctx)
{
	struct rest_session *s = ctx;

	timer_stop(&s->gather);
	if (s->waiter)
		s->answered_us = loop_now(s->loop);
	tell_one(unwait(s), s->state == REST_GONE ? REST_ENDED : REST_NEWS);
	if (s->state != REST_OPENING)
		tell_all(s, &s->openers);
	if (s->state == REST_GONE || !rest_session_is_crowded(s))
		tell_all(s, &s->senders);
}

static void news(struct rest_session *s)
{
	loop_later(s->loop, &s->tell);
}

void rest_session_polls(struct rest_session *s)
{
	int64_t took = s->answered_us ? loop_now(s->loop) - s->answered_us : 0;

	if (took)
		s->again_us = took < AGAIN_MAX ? took : 0;
	s->answered_us = 0;
}

void rest_session_wait(struct rest_session *s, struct rest_waiter *w)
{
	struct rest_waiter *before = unwait(s);

	s->waiter = w;
	s->by = w->by;
	w->waits = true;
	local_attend(s->session, 1);
	if (before)
		count(rest_superseded);
	tell_one(before, REST_SUPERSEDED);
}

void rest_session_wait_open(struct rest_session *s, struct rest_waiter *w)
{
	w->next = s->openers;
	w->waits = true;
	s->openers = w;
}

bool rest_session_is_crowded(const struct rest_session *s)
{
	return !s->finished && (s->in.bytes > s->limits.window / 2 || s->in.count > s->limits.messages_max / 2);
}

void rest_session_wait_room(struct rest_session *s, struct rest_waiter *w)
{
	w->next = s->senders;
	w->waits = true;
	s->senders = w;
}

static void unlink_from(struct rest_waiter **at, const struct rest_waiter *w)
{
	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

void rest_session_leave(struct rest_session *s, struct rest_waiter *w)
{
	if (!w->waits)
		return;
	w->waits = false;
	if (s->waiter == w) {
		(void)unwait(s);
		return;
	}
	unlink_from(&s->openers, w);
	unlink_from(&s->senders, w);
}

/* ---- for the client ---- */

/* The last message for the client. */
static void close_out(struct rest_session *s, unsigned code, const void *reason, size_t n)
{
	struct rest_message *m;

	if (s->out_closed)
		return;
	rest_message_free(s->open);
	s->open = NULL;
	m = rest_message_new(REST_CLOSE, reason, n);
	m->code = code;
	count(rest_messages_out);
	rest_messages_append(&s->out, m);
	s->out_closed = true;
	if (s->state == REST_OPEN)
		s->state = REST_CLOSED;
	news(s);
}

static void grow(struct rest_session *s, enum rest_type type, size_t n)
{
	size_t have = s->open ? s->open->n : 0;

	if (s->open && have + n <= s->open_cap)
		return;
	s->open_cap = s->open ? (have + n) * 2 : n;
	s->open = realloc(s->open, sizeof *s->open + s->open_cap);
	if (!s->open)
		abort();
	if (have == 0)
		*s->open = (struct rest_message){ .type = type };
}

static bool is_full(const struct rest_session *s)
{
	return s->out.bytes >= 2 * s->limits.window || s->out.count >= 2 * s->limits.messages_max; /* one in an answer, one for the next */
}

static void gathered(void *ctx)
{
	news(ctx);
}

/* What comes right behind a message that ends a poll would have to wait for the next one: a little time is given to it. */
static void news_of_message(struct rest_session *s)
{
	int64_t us = s->again_us / GATHER_PART;

	if (!s->waiter || !s->waiter->polls || us < GATHER_MIN || is_full(s))
		news(s);
	else if (!timer_armed(&s->gather))
		timer_in(&s->gather, us < GATHER_MAX ? us : GATHER_MAX);
}

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct rest_session *s = ctx;

	(void)first;
	grow(s, type == WEBSOCKET_TEXT ? REST_TEXT : REST_BINARY, n);
	if (n)
		memcpy(s->open->p + s->open->n, p, n);
	s->open->n += n;
	if (!last)
		return 0;
	count(rest_messages_out);
	count_add(rest_bytes_out, s->open->n);
	rest_messages_append(&s->out, s->open);
	s->open = NULL;
	news_of_message(s);
	return 0;
}

static int on_ping(void *ctx, struct span payload)
{
	(void)ctx, (void)payload;
	return 0;	/* each end of a WebSocket answers its own */
}

static void write_on(struct rest_session *s);

/* As browsers do, it is answered here, with the same code; what the client still sends is not for the target any more. */
static int on_close(void *ctx, unsigned code, struct span reason)
{
	struct rest_session *s = ctx;

	close_out(s, code, reason.p, reason.n);
	s->to_answer = !s->finished && !s->in_closed;
	s->answer = code;
	write_on(s);
	return 0;
}

static const struct websocket_events frames = { on_data, on_ping, on_ping, on_close };

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct rest_session *s = ctx;
	size_t taken = 0;

	if (!s->reader)
		s->reader = websocket_reader_new(false, s->limits.message_max, &frames, s);
	while (taken < n && !is_full(s) && !s->out_closed) {
		size_t piece = n - taken < PORTION ? n - taken : PORTION;

		taken += piece;
		if (websocket_reader_feed(s->reader, p + taken - piece, piece) < 0) {
			log_limited(LOG_LEVEL_WARN, "rest", session_tag(s->session), "service %s sent what is no message, or a longer one than may be",
				    s->service);
			close_out(s, websocket_reader_code(s->reader), "the target sent what is no message here", 39);
		}
	}
	return s->out_closed ? n : taken;
}

/* ---- for the target ---- */

static uint8_t *frame_room(struct rest_session *s, size_t n)
{
	s->frame = malloc(n + WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX);
	if (!s->frame)
		abort();
	s->frame_at = 0;
	return s->frame;
}

static void close_frame(struct rest_session *s, unsigned code, const char *reason)
{
	ssize_t n = websocket_close_put(frame_room(s, 0), WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX, code, reason, NULL);

	s->frame_n = n > 0 ? (size_t)n : 0;
	s->finished = true;
}

static void message_frame(struct rest_session *s, const struct rest_message *m)
{
	ssize_t n = websocket_frame_put(frame_room(s, m->n), m->n + WEBSOCKET_HEAD_MAX, m->type == REST_TEXT ? WEBSOCKET_TEXT : WEBSOCKET_BINARY,
					true, m->p, m->n, NULL);

	s->frame_n = n > 0 ? (size_t)n : 0;
}

/* The next frame; false: nothing waits. */
static bool next_frame(struct rest_session *s)
{
	struct rest_message *m = NULL;
	char reason[REASON_MAX + 1];

	if (s->to_answer) {
		s->to_answer = false;
		close_frame(s, s->answer, "");
		return true;
	}
	while ((m = rest_messages_take(&s->in)) && s->finished)
		rest_message_free(m);
	if (!m)
		return false;
	count(rest_messages_in);
	count_add(rest_bytes_in, m->n);
	if (m->type == REST_CLOSE) {
		snprintf(reason, sizeof reason, "%.*s", (int)m->n, (const char *)m->p);
		close_frame(s, m->code, reason);
		s->in_closed = true;
	} else {
		message_frame(s, m);
	}
	rest_message_free(m);
	return true;
}

static void write_on(struct rest_session *s)
{
	while (s->local && s->state != REST_OPENING && (s->frame || next_frame(s))) {
		s->frame_at += local_write(s->local, s->frame + s->frame_at, s->frame_n - s->frame_at);
		if (s->frame_at < s->frame_n)
			break;
		free(s->frame);
		s->frame = NULL;
		if (s->finished && s->local) {
			local_finish(s->local);
			break;
		}
	}
	if (s->senders && !rest_session_is_crowded(s))
		news(s);
}

/* ---- the channel ---- */

static void on_opened(void *ctx, const char *protocol)
{
	struct rest_session *s = ctx;

	if (s->state != REST_OPENING)
		return;
	snprintf(s->protocol, sizeof s->protocol, "%s", protocol ? protocol : "");
	s->state = s->out_closed ? REST_CLOSED : REST_OPEN;
	news(s);
	write_on(s);
}

static void on_writable(void *ctx)
{
	write_on(ctx);
}

static void on_finish(void *ctx)
{
	close_out(ctx, WEBSOCKET_ABNORMAL, NULL, 0);	/* unless a close was there before */
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct rest_session *s = ctx;

	s->local = NULL;
	if (session_is_ended(s->session)) {
		s->stopping = code == CODE_SHUTDOWN;
		s->state = REST_GONE;
		news(s);
		return;
	}
	if (s->state == REST_OPENING) {
		s->state = REST_FAILED;
		s->failure = code;
		snprintf(s->why, sizeof s->why, "%s", reason);
		news(s);
		return;
	}
	close_out(s, WEBSOCKET_ABNORMAL, reason, strlen(reason) < REASON_MAX ? strlen(reason) : REASON_MAX);
}

static const struct local_events channel = { on_opened, on_bytes, on_writable, on_finish, on_closed };

/* ---- life ---- */

struct rest_session *rest_session_new(struct loop *loop, struct session *session, const struct rest_limits *limits, const char *service,
				      const char *protocols)
{
	struct rest_session *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->loop = loop;
	s->session = session;
	s->by = "";
	s->limits = *limits;
	snprintf(s->service, sizeof s->service, "%s", service);
	rest_messages_init(&s->out);
	rest_messages_init(&s->in);
	later_init(&s->tell, tell, s);
	timer_init(&s->gather, loop, gathered, s);
	s->local = local_open(session, service, protocols, &channel, s);
	return s;
}

void rest_session_gone(void *ctx)
{
	struct rest_session *s = ctx;

	s->state = REST_GONE;
	later_cancel(s->loop, &s->tell);
	if (s->local)
		local_close(s->local, CODE_SESSION_LOST, "the session has ended");
	tell(s);
	websocket_reader_free(s->reader);
	rest_message_free(s->open);
	rest_messages_fini(&s->out);
	rest_messages_fini(&s->in);
	free(s->frame);
	loop_free_later(s->loop, s);
}

void rest_session_touch(struct rest_session *s)
{
	local_attend(s->session, 0);
}

void rest_session_end(struct rest_session *s, const char *why)
{
	if (s->state != REST_GONE)
		session_end(s->session, CODE_NONE, why);
}

/* ---- requests ---- */

int rest_session_send(struct rest_session *s, uint64_t number, struct rest_message *chain)
{
	const struct rest_message *m = chain;
	uint64_t last = number;
	int error = 0;

	for (; m && m->next; m = m->next)
		last++;
	if (number == 0 || (s->in_closed && chain && last >= s->in.next))
		error = ERROR_MALFORMED;
	else
		error = rest_messages_insert(&s->in, number, chain, s->limits.window + s->limits.window / 2,
					     s->limits.messages_max + s->limits.messages_max / 2);
	if (error < 0)
		rest_message_free(chain);
	else
		write_on(s);
	return error;
}

uint64_t rest_session_taken(const struct rest_session *s)
{
	return s->in.next - 1;
}

int rest_session_after(struct rest_session *s, uint64_t *after)
{
	if (*after >= s->out.next)
		return ERROR_MALFORMED;
	if (*after > s->after) {
		s->after = *after;
		rest_messages_forget(&s->out, *after);
		if (s->local && !is_full(s))
			local_resume(s->local);
	}
	*after = s->after;
	s->done = s->out_closed && !s->out.first;
	return 0;
}

const struct rest_message *rest_session_from(const struct rest_session *s, uint64_t after)
{
	return rest_messages_after(&s->out, after);
}

uint64_t rest_session_next(const struct rest_session *s)
{
	return s->out.next;
}

bool rest_session_is_closed(const struct rest_session *s)
{
	return s->out_closed;
}

bool rest_session_is_done(const struct rest_session *s)
{
	return s->done;
}

void rest_session_stats(const struct rest_session *s, struct rest_session_stats *out)
{
	static const char *const states[] = { "opening", "open", "closed", "failed", "gone" };

	*out = (struct rest_session_stats){
		.service = s->service, .state = states[s->state], .by = s->by, .waits = s->waiter,
		.out = s->out.next - 1, .out_kept = s->out.count, .out_bytes = s->out.bytes,
		.in = s->in.next - 1, .in_kept = s->in.count, .in_bytes = s->in.bytes,
	};
}

const char *rest_session_service(const struct rest_session *s)
{
	return s->service;
}

const char *rest_session_protocol(const struct rest_session *s)
{
	return s->protocol;
}

enum rest_state rest_session_state(const struct rest_session *s)
{
	return s->state;
}

uint64_t rest_session_failure(const struct rest_session *s, const char **why)
{
	*why = s->why;
	return s->failure;
}

bool rest_session_stopping(const struct rest_session *s)
{
	return s->stopping;
}
