/*
 * A request on its way to the website. Begun by the fallback; asks the website for a connection, begins an exchange on it and
 * conveys both bodies. Whatever ends one side ends the other.
 */
#include "server/passage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "framing/error.h"
#include "server/conduit.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/websocket_key.h"

#define HEAD_MAX (60 * LOOP_SECOND)	/* silence before an answer */
#define SILENCE_MAX (600 * LOOP_SECOND)	/* in it */
#define PARTING (5 * LOOP_SECOND)	/* for the last words of a WebSocket */
#define DISCARD_MAX (256 * 1024)	/* bytes of a request that nobody wants any more */
#define OWN_LINES 160

enum passage_state {
	PASSAGE_WAITING,	/* in line for a connection -> ASKED, ANSWERED */
	PASSAGE_ASKED,		/* the website has the request, or is getting it -> WAITING once more, ANSWERED */
	PASSAGE_ANSWERED,	/* by the website or by us */
};

/* A request on its way. */
struct passage {
	struct passages *all;
	struct link link;
	enum passage_state state;
	struct exchange *visitor, *site; /* NULL: over, or not begun */
	struct fallback_head head;
	int64_t length;		/* of the request's body; 0: not declared */
	bool is_head, h2;
	uint8_t key[SEALS_ORIGIN];	/* who asks */
	struct origin *origin;	/* NULL: not counted */
	bool begun;		/* a part of the request's body came */
	bool bodiless;		/* of what comes nothing goes on */
	bool parting;		/* the visitor said its last in a WebSocket by HTTP/2, and listens still */
	bool again;		/* it was sent a second time */
	int status;		/* of our own answer; 0: it is the website's */
	struct {
		int status;
		int64_t length;	/* -1: not known */
		bool upgrade;
		char *lines;
	} answer;		/* the website's */
	struct conduit up, down;
	size_t discarded;
	struct website_wait wait;
	struct later later;	/* the head of an answer goes, though nothing followed in this turn */
	struct timer timer;
	int64_t progress;	/* when something came last */
};

static const struct website_events website_events;

/* ---- ends ---- */

/* Frees it once both sides are over. */
static void settle(struct passage *p)
{
	struct passages *all = p->all;

	if (p->visitor || p->site || !link_in_list(&p->link))
		return;
	website_withdraw(&p->wait);
	timer_stop(&p->timer);
	later_cancel(all->loop, &p->later);
	link_remove(&p->link);
	origins_give(&all->origins, p->origin);
	fallback_head_drop(&p->head);
	conduit_fini(&p->up);
	conduit_fini(&p->down);
	free(p->answer.lines);
	loop_free_later(all->loop, p);
	all->count--;
	all->left(all->ctx);
}

static void leave_site(struct passage *p)
{
	if (p->site)
		exchange_abort(p->site);
	p->site = p->down.from = NULL;
	conduit_drop(&p->up);
}

static void leave_visitor(struct passage *p)
{
	if (p->visitor)
		exchange_abort(p->visitor);
	p->visitor = p->up.from = p->down.to = NULL;
}

static void failed(struct passage *p, const char *what, int error)
{
	p->all->failures++;
	count(fallback_failed);
	log_limited(LOG_LEVEL_WARN, "fallback", website_url(p->all->website), "%s: %s", what, error_text(error));
}

/* ---- answers ---- */

static int send_own(struct passage *p, size_t n, bool end)
{
	char lines[OWN_LINES], date[40];
	struct exchange_head head = { .status = p->status, .lines = lines };
	time_t t = (time_t)loop_wall(p->all->loop);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* C locale: nobody calls setlocale */
	snprintf(lines, sizeof lines, "Date: %s\r\nContent-Type: text/plain; charset=utf-8\r\n%s", date,
		 p->status == 503 ? "Retry-After: 5\r\n" : "");
	return exchange_send(p->visitor, &head, n, end);
}

/* The head of the answer goes to the visitor. */
static int send_answer(void *ctx, size_t n, bool end)
{
	struct passage *p = ctx;
	struct exchange_head head = { .status = p->answer.status, .lines = p->answer.lines };

	if (p->status)
		return send_own(p, n, end);
	head.streamed = !end || (p->is_head && p->answer.length != 0) || head.status == 304;
	head.length = p->answer.length > 0 ? (uint64_t)p->answer.length : 0;
	if (p->answer.upgrade)
		head.protocol = "websocket";
	return exchange_send(p->visitor, &head, n, end);
}

static void answer_ourselves(struct passage *p, int status)
{
	char text[64];
	size_t n = (size_t)snprintf(text, sizeof text, "%s\n", http1_reason(status));

	leave_site(p);
	website_withdraw(&p->wait);
	timer_stop(&p->timer);
	p->state = PASSAGE_ANSWERED;
	p->status = status;
	p->down.hold = true;
	if (!p->is_head)
		conduit_body(&p->down, (const uint8_t *)text, n);
	p->down.hold = false;
	conduit_end(&p->down);
}

static int status_of(int error)
{
	return error == ERROR_LIMIT ? 503 : error == ERROR_TIMEOUT ? 504 : 502;
}

/* ---- the website's side ---- */

static void in_line(struct passage *p, bool fresh)
{
	p->state = PASSAGE_WAITING;
	website_ask(p->all->website, &p->wait, p->origin ? p->key : NULL, fresh, &website_events, p);
}

static int on_site_head(void *ctx, const struct http1_head *head)
{
	struct passage *p = ctx;
	char lines[FALLBACK_HEAD_LINES];
	ssize_t n = fallback_head_answer(lines, head, p->h2);

	if (n < 0 || head->upgrade != (head->status == 101) || (head->upgrade && !p->head.websocket))
		return ERROR_MALFORMED;
	p->state = PASSAGE_ANSWERED;
	p->progress = loop_now(p->all->loop);
	p->answer.status = head->status;
	p->answer.length = head->length;
	p->answer.upgrade = head->upgrade;
	p->answer.lines = strdup(lines);
	if (!p->answer.lines)
		abort();
	p->up.hold = false;
	p->up.done |= p->head.websocket && !head->upgrade;	/* then the request was all */
	p->parting &= head->upgrade;
	if (p->parting)
		timer_in(&p->timer, PARTING);
	loop_later(p->all->loop, &p->later);
	return 0;
}

static int on_site_body(void *ctx, const uint8_t *b, size_t n)
{
	struct passage *p = ctx;

	p->progress = loop_now(p->all->loop);
	conduit_body(&p->down, b, n);
	return 0;
}

static void on_site_end(void *ctx)
{
	struct passage *p = ctx;

	conduit_end(&p->down);
}

static void on_site_writable(void *ctx)
{
	struct passage *p = ctx;

	p->progress = loop_now(p->all->loop);
	conduit_pump(&p->up, false);
}

/* It had been idle, and the website closed it as we used it. */
static bool may_repeat(const struct passage *p)
{
	return p->state == PASSAGE_ASKED && p->head.repeatable && !p->begun && !p->again && p->visitor;
}

static void on_site_closed(void *ctx, int error)
{
	struct passage *p = ctx;

	p->site = p->down.from = NULL;
	conduit_drop(&p->up);
	if (p->down.ended || !p->visitor) {
		/* in order */
	} else if (error == 0) {
		conduit_end(&p->down);	/* a WebSocket that the visitor has ended */
	} else if (error == ERROR_RESET && may_repeat(p)) {
		p->again = true;
		in_line(p, true);
	} else if (p->state == PASSAGE_ASKED) {
		failed(p, "no answer", error);
		answer_ourselves(p, status_of(error));
	} else {
		failed(p, "its answer was cut", error);
		leave_visitor(p);
	}
	settle(p);
}

static const struct exchange_events site_events = {
	.head = on_site_head,
	.body = on_site_body,
	.end = on_site_end,
	.writable = on_site_writable,
	.closed = on_site_closed,
};

static void on_no_connection(void *ctx, int error)
{
	struct passage *p = ctx;

	failed(p, error == ERROR_LIMIT ? "too many requests at a time" : "no connection", error);
	answer_ourselves(p, status_of(error));
}

/* The head of the request goes to the website. */
static int send_request(void *ctx, size_t n, bool end)
{
	struct passage *p = ctx;
	struct exchange_head head = { .method = p->head.method, .target = p->head.target, .host = p->head.host, .lines = p->head.lines,
				      .streamed = !end, .length = (uint64_t)p->length };

	if (p->head.websocket)
		head.protocol = "websocket";
	return exchange_send(p->site, &head, n, end);
}

static void tell_to_go_on(struct passage *p)
{
	static const struct exchange_head go_on = { .status = 100, .lines = "" };
	size_t cap;

	if (p->head.expects && !p->begun && !p->up.ended && exchange_room(p->visitor, 1, &cap))
		(void)exchange_send(p->visitor, &go_on, 0, false);
}

/* The head goes alone: by HTTP/2 a visitor may say more, and its last, before the website agrees. */
static void ask_to_switch(struct passage *p)
{
	size_t cap;

	p->up.first = NULL;
	p->up.hold = true;
	if (exchange_room(p->site, 1, &cap))
		(void)send_request(p, 0, false);
}

static void on_connection(void *ctx, struct http *h)
{
	struct passage *p = ctx;

	p->site = http_exchange(h, &site_events, p);
	if (!p->site) {
		on_no_connection(p, ERROR_CLOSED);
		return;
	}
	p->state = PASSAGE_ASKED;
	p->progress = loop_now(p->all->loop);
	timer_in(&p->timer, HEAD_MAX);
	p->down.from = p->up.to = p->site;
	p->up.first = send_request;
	p->up.done = p->up.hold = false;
	tell_to_go_on(p);
	if (p->head.websocket)
		ask_to_switch(p);
	else
		conduit_pump(&p->up, true);
}

static const struct website_events website_events = { on_connection, on_no_connection };

/* ---- the visitor's side ---- */

static int on_visitor_body(void *ctx, const uint8_t *b, size_t n)
{
	struct passage *p = ctx;

	p->progress = loop_now(p->all->loop);
	p->begun = true;
	if (!p->bodiless && !p->up.done && (p->site || p->state == PASSAGE_WAITING)) {
		conduit_body(&p->up, b, n);
		return 0;
	}
	p->discarded += n;
	return p->discarded > DISCARD_MAX ? ERROR_LIMIT : 0;
}

static void on_visitor_end(void *ctx)
{
	struct passage *p = ctx;

	/* In HTTP/1.1 there is no half of a WebSocket: the website could not answer any more. */
	p->parting = p->h2 && p->head.websocket && (p->state != PASSAGE_ANSWERED || p->site);
	if (p->parting && p->state == PASSAGE_ANSWERED)
		timer_in(&p->timer, PARTING);
	else if (!p->parting && !p->up.ended)
		conduit_end(&p->up);
}

static void on_visitor_writable(void *ctx)
{
	struct passage *p = ctx;

	p->progress = loop_now(p->all->loop);
	conduit_pump(&p->down, p->state == PASSAGE_ANSWERED);
}

static void on_visitor_closed(void *ctx, int error)
{
	struct passage *p = ctx;

	(void)error;
	p->visitor = p->up.from = p->down.to = NULL;
	leave_site(p);
	settle(p);
}

static const struct exchange_events visitor_events = {
	.body = on_visitor_body,
	.end = on_visitor_end,
	.writable = on_visitor_writable,
	.closed = on_visitor_closed,
};

/* ---- life ---- */

static void on_later(void *ctx)
{
	struct passage *p = ctx;

	conduit_pump(&p->down, true);
	conduit_pump(&p->up, false);
}

static void leave_both(struct passage *p)
{
	leave_site(p);
	leave_visitor(p);
	settle(p);
}

static void on_timer(void *ctx)
{
	struct passage *p = ctx;
	int64_t due = p->progress + (p->state == PASSAGE_ASKED ? HEAD_MAX : SILENCE_MAX);

	if (p->parting && p->state == PASSAGE_ANSWERED && !p->up.ended) {
		conduit_end(&p->up);
		timer_in(&p->timer, PARTING);	/* for what is left of it */
	} else if (p->parting && p->state == PASSAGE_ANSWERED) {
		leave_both(p);
	} else if (loop_now(p->all->loop) < due) {
		timer_set(&p->timer, due);
	} else if (p->state == PASSAGE_ASKED) {
		failed(p, "no answer", ERROR_TIMEOUT);
		answer_ourselves(p, 504);
	} else {
		failed(p, "its answer does not go on", ERROR_TIMEOUT);
		leave_both(p);
	}
}

static struct passage *passage_new(struct passages *all, struct exchange *x)
{
	struct passage *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->all = all;
	p->visitor = x;
	conduit_init(&p->up, send_request, p);
	conduit_init(&p->down, send_answer, p);
	p->up.from = p->down.to = x;
	later_init(&p->later, on_later, p);
	timer_init(&p->timer, all->loop, on_timer, p);
	list_append(&all->list, &p->link);
	all->count++;
	x->events = &visitor_events;
	x->ctx = p;
	return p;
}

/* Asks the website, or is refused. */
static void go(struct passage *p, const struct http1_head *head, const struct fallback_visitor *v)
{
	struct fallback_visitor from = *v;
	uint8_t random[WEBSOCKET_KEY_BYTES];
	char key[WEBSOCKET_KEY_TEXT];
	int status;

	loop_random(p->all->loop, random, sizeof random);
	websocket_key(key, random);
	from.key = key;
	status = fallback_head_request(&p->head, head, &from, website_host(p->all->website));
	if (status)
		answer_ourselves(p, status);
	else	/* what cannot be sent again must not meet the end of a connection */
		in_line(p, !p->head.repeatable || p->length || head->chunked || p->head.websocket);
}

/* Too many wait here, or have visitors who read slowly; one address has half of them. */
static bool is_crowded(const struct passage *p)
{
	const struct passages *all = p->all;

	return all->count > all->max || (p->origin && origin_count(p->origin) > all->max / 2);
}

void passage_begin(struct passages *all, struct exchange *x, const struct http1_head *head, const struct fallback_visitor *v,
		   bool bodiless)
{
	struct passage *p = passage_new(all, x);

	p->is_head = http1_is(head->method, "HEAD");
	p->h2 = head->h2;
	p->bodiless = p->up.ended = bodiless;
	if (!bodiless && head->length > 0)
		p->length = head->length;
	if (v->origin) {
		memcpy(p->key, v->origin, sizeof p->key);
		p->origin = origins_take(&all->origins, p->key);
	}
	if (is_crowded(p))
		on_no_connection(p, ERROR_LIMIT);
	else
		go(p, head, v);
}
