/*
 * The REST server. Called by the front for requests below {base}/v1/{sid}/signal/; what they need is a session of sessions.c whose tenant
 * is a rest_session. Every error is said by rest_problem.
 */
#include "server/rest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/rest_body.h"
#include "server/rest_call.h"
#include "server/rest_check.h"
#include "server/rest_cors.h"
#include "server/rest_internal.h"
#include "server/rest_problem.h"
#include "server/rest_stream.h"
#include "server/rest_ticket.h"
#include "server/rest_turn.h"
#include "tunnel/counters.h"
#include "tunnel/daemon.h"

#define ANSWER_MAX (1 << 20)	/* bytes of messages in one answer, but for one that is longer */

struct rest *rest_new(struct loop *loop, const struct rest_config *config)
{
	struct rest *r = calloc(1, sizeof *r);
	uint64_t seed[4];

	if (!r)
		abort();
	r->config = *config;
	for (size_t i = 0; i < sizeof seed / sizeof *seed; i++)
		seed[i] = loop_random_u64(loop);
	r->ticket_key = mac_key_new(seed, sizeof seed);
	r->failures = rest_rate_new(loop_random_u64(loop));
	daemon_wipe(seed, sizeof seed);
	return r;
}

void rest_free(struct rest *r)
{
	if (!r)
		return;
	rest_cors_free(r->cors);
	mac_key_free(r->ticket_key);
	rest_rate_free(r->failures);
	turn_credentials_free(r->turn);
	free(r);
}

void rest_set_cors(struct rest *r, struct rest_cors *cors)
{
	rest_cors_free(r->cors);
	r->cors = cors;
}

void rest_set_turn(struct rest *r, struct turn_credentials *turn)
{
	turn_credentials_free(r->turn);
	r->turn = turn;
}

bool rest_take_room(struct rest *r, size_t n)
{
	if (n > REST_BODIES_MAX - r->bodies)
		return false;
	r->bodies += n;
	return true;
}

void rest_give_room(struct rest *r, size_t n)
{
	r->bodies -= n;
}

static struct loop *loop_of(const struct rest_call *c)
{
	return c->visitor->front->loop;
}

/* ---- answers ---- */

static void gone(struct rest_call *c, const struct rest_session *s)
{
	if (s && rest_session_stopping(s))
		rest_problem(c, 503, "busy", "the server is stopping: begin a new session", "Retry-After: 2\r\n");
	else
		rest_problem(c, 410, "gone", "this session has ended: begin a new one with another sid, and tell the application", "");
}

static void failed(struct rest_call *c, struct rest_session *s)
{
	const char *why;

	switch (rest_session_failure(s, &why)) {
	case CODE_UNKNOWN_SERVICE:
	case CODE_WRONG_KIND:
		rest_problem(c, 404, "service", *why ? why : "there is no such service here", "");
		break;
	case CODE_TIMEOUT:
		rest_problem(c, 504, "target", *why ? why : "the target of this service did not answer", "");
		break;
	case CODE_LIMIT:
		rest_problem(c, 503, "busy", *why ? why : "the service is in use as much as it may be", "Retry-After: 5\r\n");
		break;
	default:
		rest_problem(c, 502, "target", *why ? why : "the target of this service refused the connection", "");
		break;
	}
	rest_session_end(s, "the target did not open");
}

static void answer_put(struct rest_call *c, const struct rest_session *s)
{
	static const char *const states[] = { "opening", "open", "closed", "closed", "closed" };
	const struct rest_config *f = &c->rest->config;
	const char *protocol = rest_session_protocol(s);
	struct rest_text *t = &c->answer;

	rest_text_print(t, "{\"sid\":\"%s\",\"service\":\"%s\",\"protocol\":", c->request.sid, c->request.service);
	rest_text_string(t, (const uint8_t *)protocol, strlen(protocol));
	rest_text_print(t,
			",\"hold\":%d,\"expires\":%" PRIu32 ",\"message_max\":%zu,\"window\":%zu,\"messages_max\":%zu,"
			"\"transports\":[\"stream\",\"sse\",\"poll\"],\"state\":\"%s\"}\n",
			REST_HOLD, f->expire_s, f->limits.message_max, f->limits.window, f->limits.messages_max, states[rest_session_state(s)]);
	rest_call_answer(c, c->created ? 201 : 200, REST_JSON, "");
}

/* How many messages from there go into one answer. */
static size_t some(const struct rest_message *m)
{
	size_t bytes = 0, n = 0;

	for (; m && (n == 0 || bytes + m->n <= ANSWER_MAX); m = m->next) {
		bytes += m->n;
		n++;
	}
	return n;
}

/* What there is for the client, now. */
static void answer_messages(struct rest_call *c, struct rest_session *s)
{
	struct rest_answer a = { .taken = rest_session_taken(s), .first = rest_session_from(s, c->after) };

	if (c->quiet)
		a.first = NULL;
	a.count = some(a.first);
	a.seq = c->quiet ? c->after + 1 : a.first ? a.first->number : rest_session_next(s);
	a.closed = rest_session_is_closed(s) && a.seq + a.count == rest_session_next(s);
	if (c->method == REST_GET && !a.first && !a.closed) {
		rest_call_answer(c, 204, "", "");
		return;
	}
	c->octets ? rest_records_write(&c->answer, &a) : rest_json_write(&c->answer, &a);
	rest_call_answer(c, 200, c->octets ? REST_RECORDS : REST_JSON, "");
	if (rest_session_is_done(s))
		rest_session_end(s, "closed, and the client knows");
}

/* ---- waiting ---- */

static bool has_something(const struct rest_call *c, const struct rest_session *s)
{
	return c->quiet || rest_session_from(s, c->after) || rest_session_is_closed(s);
}

static void wait_or_answer(struct rest_call *c)
{
	struct rest_session *s = c->session;

	if (rest_session_state(s) == REST_FAILED) {
		failed(c, s);
	} else if (has_something(c, s) || c->until_us <= loop_now(loop_of(c))) {
		answer_messages(c, s);
	} else {
		count(rest_held);
		timer_set(&c->timer, c->until_us);
		rest_session_wait(s, &c->waiter);
		rest_call_park(c);
	}
}

static void told(void *ctx, enum rest_news news)
{
	struct rest_call *c = ctx;
	struct rest_session *s = c->session;

	if (news == REST_ENDED) {
		c->session = NULL;
		gone(c, s);
	} else if (c->method == REST_PUT) {
		rest_session_state(s) == REST_FAILED ? failed(c, s) : answer_put(c, s);
	} else if (news == REST_SUPERSEDED) {
		answer_messages(c, s);
	} else {
		wait_or_answer(c);
	}
}

static void on_timer(void *ctx)
{
	struct rest_call *c = ctx;

	rest_session_leave(c->session, &c->waiter);
	c->method == REST_PUT ? answer_put(c, c->session) : answer_messages(c, c->session);
}

static void waits_at(struct rest_call *c, struct rest_session *s)
{
	c->session = s;
	c->waiter = (struct rest_waiter){ .told = told, .ctx = c, .polls = true, .by = "poll" };
	timer_init(&c->timer, loop_of(c), on_timer, c);
}

/* ---- methods ---- */

/* The session of the call; NULL: answered. */
static struct rest_session *session_of(struct rest_call *c)
{
	struct rest_session *s;
	void *tenant;

	switch (sessions_find(c->visitor->front->sessions, c->identity, c->visitor->peer, c->request.sid, &tenant)) {
	case SESSIONS_NONE:
		rest_problem(c, 404, "session", "no such session was made here, or the server was restarted: begin a new one, and tell the application", "");
		return NULL;
	case SESSIONS_ENDED:
		gone(c, NULL);
		return NULL;
	case SESSIONS_OF_HELPER:
		rest_problem(c, 409, "conflict", "this session is a helper's: choose another sid", "");
		return NULL;
	default:
		s = tenant;
	}
	if (strcmp(rest_session_service(s), c->request.service) != 0) {
		rest_problem(c, 409, "conflict", "this session is for another service: choose another sid for this one", "");
		return NULL;
	}
	rest_session_touch(s);
	return s;
}

static struct rest_session *create(struct rest_call *c, const char *protocols)
{
	const struct front *f = c->visitor->front;
	const char *why = "the server is stopping";
	struct session *session = NULL;
	struct rest_session *s;
	/* One that stops is started again soon, most often. */
	const char *lines = sessions_closing(f->sessions) ? "Retry-After: 2\r\n" : "Retry-After: 10\r\n";

	if (!sessions_closing(f->sessions))
		session = sessions_create(f->sessions, c->identity, c->visitor->peer, c->request.sid, c->rest->config.expire_s * 1000, &why);
	if (!session) {
		rest_problem(c, 503, "busy", why, lines);
		return NULL;
	}
	s = rest_session_new(f->loop, session, &c->rest->config.limits, c->request.service, protocols);
	sessions_let(session, s, rest_session_gone);
	c->created = true;
	return s;
}

static void do_put(struct rest_call *c)
{
	struct rest_session *s;
	struct rest_body b;
	const char *why;
	void *tenant;

	if (c->body.n && !c->typed) {
		rest_problem(c, 415, "type", "the body of PUT must be application/json", "");
		return;
	}
	if (rest_json_read_put(&b, c->body.p, c->body.n, &why) < 0) {
		rest_problem(c, 400, "malformed", why, "");
		return;
	}
	if (sessions_find(c->visitor->front->sessions, c->identity, c->visitor->peer, c->request.sid, &tenant) == SESSIONS_NONE)
		s = create(c, b.protocols);
	else
		s = session_of(c);
	if (!s)
		return;
	if (rest_session_state(s) == REST_FAILED) {
		failed(c, s);
	} else if (rest_session_state(s) != REST_OPENING) {
		answer_put(c, s);
	} else {
		waits_at(c, s);
		timer_in(&c->timer, REST_OPEN_WAIT);
		rest_session_wait_open(s, &c->waiter);
	}
}

/* False: answered. */
static bool take_after(struct rest_call *c, struct rest_session *s, bool given, uint64_t after)
{
	c->after = given ? after : 0;
	if (rest_session_after(s, &c->after) == 0)
		return true;
	rest_problem(c, 409, "conflict", "after is the number of a message that was never sent: begin a new session", "");
	return false;
}

/* The answer lets the client send more. */
static void wait_for_room(struct rest_call *c, struct rest_session *s)
{
	timer_in(&c->timer, REST_ROOM_WAIT);
	rest_session_wait_room(s, &c->waiter);
	rest_call_park(c);
}

static void hold(struct rest_call *c, struct rest_session *s, uint32_t wait_ms)
{
	if (wait_ms > REST_HOLD * 1000)
		wait_ms = REST_HOLD * 1000;
	waits_at(c, s);
	if (wait_ms > 0)
		rest_session_polls(s);
	c->until_us = loop_now(loop_of(c)) + wait_ms * LOOP_MS;
	if (wait_ms == 0 && c->method == REST_POST && rest_session_is_crowded(s))
		wait_for_room(c, s);
	else
		wait_or_answer(c);
}

/* False: answered. */
static bool take_messages(struct rest_call *c, struct rest_session *s, struct rest_body *b)
{
	struct rest_message *messages = b->messages;
	int error = 0;

	b->messages = NULL;
	if (messages)
		error = rest_session_send(s, b->seq, messages);
	if (error == ERROR_LIMIT)
		rest_problem(c, 429, "window", "too many messages wait for the target: nothing of this request was taken, send it again later",
			     "Retry-After: 1\r\n");
	else if (error < 0)
		rest_problem(c, 409, "conflict",
			     "a message with one of these numbers was another one, or comes behind the close: number each message once", "");
	return error == 0;
}

static void do_post(struct rest_call *c)
{
	struct rest_session *s = session_of(c);
	struct rest_body b;
	const char *why;
	int error;

	if (!s)
		return;
	error = (c->octets ? rest_records_read : rest_json_read)(&b, c->body.p, c->body.n, c->rest->config.limits.message_max, &why);
	if (error < 0) {
		error == ERROR_LIMIT ? rest_problem(c, 413, "too-big", why, "") : rest_problem(c, 400, "malformed", why, "");
		return;
	}
	if (rest_session_state(s) == REST_FAILED) {
		rest_message_free(b.messages);
		failed(c, s);
		return;
	}
	c->quiet = b.quiet;
	if (take_messages(c, s, &b) && take_after(c, s, b.has_after, b.after))
		hold(c, s, b.wait_ms);
}

static void do_get(struct rest_call *c)
{
	struct rest_session *s = session_of(c);

	if (!s || !take_after(c, s, c->request.has_after, c->request.after))
		return;
	if (c->form && rest_session_state(s) != REST_FAILED && !rest_session_is_done(s))
		rest_stream_begin(c, s);
	else
		hold(c, s, c->request.wait_s * 1000);
}

static void do_delete(struct rest_call *c)
{
	struct rest_session *s;
	void *tenant;

	if (sessions_find(c->visitor->front->sessions, c->identity, c->visitor->peer, c->request.sid, &tenant) == SESSIONS_ENDED) {
		rest_call_answer(c, 204, "", "");
		return;
	}
	s = session_of(c);
	if (!s)
		return;
	rest_session_end(s, "the client deleted it");
	rest_call_answer(c, 204, "", "");
}

static void do_ticket(struct rest_call *c)
{
	const struct rest_ticket t = { c->request.sid, c->request.service, { (const uint8_t *)c->origin, c->origin ? strlen(c->origin) : 0 } };
	struct rest_ticket_holder holder = { .until_s = c->until_s };
	int64_t left_s = c->until_s ? c->until_s - loop_wall(loop_of(c)) : REST_TICKET_SECONDS;
	char text[REST_TICKET_TEXT];

	if (!session_of(c))
		return;
	if (left_s > REST_TICKET_SECONDS)
		left_s = REST_TICKET_SECONDS;
	if (left_s < 1)
		left_s = 1;
	memcpy(holder.identity, c->identity, sizeof holder.identity);
	rest_ticket_write(text, c->rest->ticket_key, &t, &holder, loop_now(loop_of(c)) + left_s * LOOP_SECOND);
	rest_text_print(&c->answer, "{\"ticket\":\"%s\",\"expires\":%d}\n", text, (int)left_s);
	rest_call_answer(c, 200, REST_JSON, "");
}

static void do_turn(struct rest_call *c)
{
	turn_credentials_put(c->rest->turn, c->identity, loop_wall(loop_of(c)), &c->answer);
	rest_call_answer(c, 200, REST_JSON, "");
}

void rest_ready(struct rest_call *c)
{
	static void (*const methods[])(struct rest_call *) = { do_put, do_post, do_get, do_delete };

	if (c->request.turn)
		do_turn(c);
	else if (c->request.ticket_wanted)
		do_ticket(c);
	else
		methods[c->method](c);
}

bool rest_request(struct rest *rest, struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	struct rest_request request;
	struct rest_call *c;
	int readable;
	bool wanted;

	if (head->method.n == 0)
		return false;
	readable = rest_request_parse(&request, v->front->base, head->target);
	if (readable == ERROR_UNSUPPORTED || (request.turn && !rest->turn))
		return false;
	c = rest_call_new(rest, v, x);
	c->request = request;
	wanted = rest_check(c, head, readable);
	c->request.ticket = (struct span){ NULL, 0 };	/* it points into the head */
	if (wanted && head->minor > 0 && !head->h2 && http1_has_token(http1_find(head, "expect"), "100-continue"))
		(void)exchange_send(x, &(struct exchange_head){ .status = 100 }, 0, false);
	return true;
}
