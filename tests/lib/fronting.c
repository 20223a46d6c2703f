/*
 * The router's surroundings: an exchange that keeps what is sent, sessions, seals and a website that note what gets there. Called by the
 * tests of the front.
 */
#include "tests/lib/fronting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/rest.h"
#include "tunnel/counters.h"
#include "tunnel/leg.h"
#include "tunnel/sealed.h"

struct fronting fronting;

static uint8_t *fake_room(struct exchange *x, size_t want, size_t *cap)
{
	(void)x;
	assert_true(want <= sizeof fronting.fake.room);
	*cap = sizeof fronting.fake.room;
	return fronting.fake.room;
}

static int fake_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	(void)x;
	assert_non_null(head);
	assert_false(head->streamed);
	snprintf(fronting.fake.answer, sizeof fronting.fake.answer, "%d\n%s%.*s", head->status, head->lines, (int)n, (char *)fronting.fake.room);
	fronting.fake.complete = end;
	return 0;
}

static void fake_pause(struct exchange *x, bool on)
{
	(void)x;
	(void)on;
}

static void fake_abort(struct exchange *x)
{
	(void)x;
	fronting.fake.aborted = true;
}

static const struct exchange_ops ops = { fake_room, fake_send, fake_pause, fake_abort, NULL, NULL };

static int drop_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void drop_end(void *ctx)
{
	(void)ctx;
}

static const struct exchange_events drop_events = { .body = drop_body, .end = drop_end };

/* ---- the other side of the seam ---- */

bool rest_request(struct rest *r, struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	(void)r, (void)v, (void)x, (void)head;
	return false;
}

void sessions_accept(struct sessions *s, const char *identity, const char *peer, const struct request *r, struct exchange *x,
		     const struct http1_head *head)
{
	(void)s, (void)head;
	assert_ptr_equal(x->inner ? x->inner : x, &fronting.fake.x);
	assert_int_equal(x->inner != NULL, r->mode == MODE_WEBSOCKET);
	fronting.taken = x;
	assert_ptr_equal(peer, fronting.visitor.peer);
	snprintf(fronting.accepted_as, sizeof fronting.accepted_as, "%s", identity);
	fronting.accepted = *r;
	x->events = &drop_events;
}

bool sessions_is_sealed(const struct sessions *s, const char *identity, const char *sid)
{
	(void)s;
	assert_string_equal(identity, "alice");
	assert_string_equal(sid, FRONTING_SID);
	return fronting.sealed_session;
}

const struct exchange_head *leg_answer_head(struct loop *l, bool streamed, bool event_stream)
{
	static const struct exchange_head head = { .status = 200, .lines = "" };

	(void)l;
	assert_false(streamed || event_stream);
	return &head;
}

/* ---- the website, and what gets there ---- */

void fallback_request(struct fallback *f, struct exchange *x, const struct http1_head *head, const struct fallback_visitor *v, bool bodiless)
{
	assert_ptr_equal(x, &fronting.fake.x);
	fronting.passed.fallback = f;
	fronting.passed.tls = v->tls;
	fronting.passed.bodiless = bodiless;
	fronting.passed.count++;
	snprintf(fronting.passed.target, sizeof fronting.passed.target, "%.*s", (int)head->target.n, (const char *)head->target.p);
	snprintf(fronting.passed.peer, sizeof fronting.passed.peer, "%s", v->peer);
	x->events = &drop_events;
}

bool seals_accept(struct seals *s, const struct request *r, struct exchange *x, const struct seals_visitor *from)
{
	(void)s;
	assert_int_equal(r->mode, MODE_SEAL);
	assert_int_equal(r->seal, 9);
	assert_ptr_equal(x, &fronting.fake.x);
	assert_ptr_equal(from->peer, fronting.visitor.peer);
	fronting.visits++;
	if (!fronting.no_visits)
		from->refused(from->ctx, x);	/* later, in truth */
	return !fronting.no_visits;
}

struct seal *seals_find(struct seals *s, const char *sid, uint32_t number)
{
	(void)s;
	assert_string_equal(sid, FRONTING_SID);
	return number == 9 ? fronting.seal : NULL;
}

bool seals_enter(struct seals *s, const char *sid, uint32_t number)
{
	(void)s;
	assert_string_equal(sid, FRONTING_SID);
	assert_int_equal(number, 9);
	fronting.entered += !fronting.crowded;
	return !fronting.crowded;
}

void seals_leave(struct seals *s, const char *sid, uint32_t number)
{
	(void)s;
	assert_string_equal(sid, FRONTING_SID);
	assert_int_equal(number, 9);
	assert_true(fronting.entered > 0);
	fronting.entered--;
}

void seals_prove(struct seals *s, const char *sid, uint32_t number, const char *identity)
{
	(void)s;
	assert_string_equal(sid, FRONTING_SID);
	assert_int_equal(number, 9);
	assert_string_equal(identity, "alice");
	fronting.proofs++;
}

void sealed_server(struct loop *l, struct seal *with, struct exchange *inner, struct span path_query,
		   const struct sealed_events *events, void *ctx)
{
	assert_ptr_equal(l, fronting.loop);
	assert_ptr_equal(with, fronting.seal);
	assert_ptr_equal(inner, &fronting.fake.x);
	fronting.opening.events = events;
	fronting.opening.ctx = ctx;
	snprintf(fronting.opening.path_query, sizeof fronting.opening.path_query, "%.*s", (int)path_query.n, (const char *)path_query.p);
	fronting.fake.x.events = NULL;	/* until it is opened */
}

static void opened(const struct sealed_events *events, struct span authorization)
{
	if (!events->opened(fronting.opening.ctx, &fronting.fake.x, authorization))
		events->failed(fronting.opening.ctx, &fronting.fake.x, NULL);
}

/* What came is opened, or cannot be. */
static void open_it(void)
{
	struct span binding = { seal_binding(fronting.seal), fronting.becomes == OPENS ? SEAL_BINDING : 0 };
	const struct sealed_events *events = fronting.opening.events;
	char value[CREDENTIAL_HEADER_MAX];
	size_t n;

	fronting.opening.events = NULL;
	n = credentials_sign(fronting.credentials, value, sizeof value, "POST", fronting.opening.path_query, binding, FRONTING_WALL);
	switch (fronting.becomes) {
	case OPENS:
	case OPENS_UNBOUND:
		opened(events, (struct span){ (const uint8_t *)value, n });
		break;
	case OPENS_EMPTY:
		opened(events, (struct span){ NULL, 0 });
		break;
	case FAILS:
		events->failed(fronting.opening.ctx, &fronting.fake.x, "a reason");
		break;
	case CLOSES:
		events->closed(fronting.opening.ctx);
		fronting.fake.x.events = &drop_events;
		break;
	}
}

void fronting_fresh(void)
{
	fronting.fake.x = (struct exchange){ .ops = &ops };
	*fronting.fake.answer = 0;
	*fronting.accepted_as = 0;
	fronting.fake.complete = fronting.fake.aborted = false;
}

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx;
	fronting_fresh();
	front_request(&fronting.visitor, &fronting.fake.x, head);
	if (fronting.opening.events)
		open_it();
	assert_non_null(fronting.fake.x.events);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	return fronting.fake.x.events->body(fronting.fake.x.ctx, p, n);
}

static int on_end(void *ctx)
{
	(void)ctx;
	fronting.fake.x.events->end(fronting.fake.x.ctx);
	return 0;
}

const struct http1_events fronting_events = { on_head, on_body, on_end };

void fronting_request(const char *method, const char *target, const char *signed_target, int64_t at)
{
	char text[2048], value[CREDENTIAL_HEADER_MAX];
	struct http1 *parser = http1_new(HTTP1_REQUESTS, &fronting_events, NULL);
	int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\n", method, target);

	if (signed_target) {
		assert_true(credentials_sign(fronting.credentials, value, sizeof value, method, signed_target, (struct span){ 0 }, at) > 0);
		n += snprintf(text + n, sizeof text - (size_t)n, "Authorization: %s\r\n", value);
	}
	n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: 3\r\n\r\nabc");
	assert_int_equal(http1_feed(parser, (const uint8_t *)text, (size_t)n), n);
	http1_free(parser);
}

void fronting_covered(const char *method, const char *target, const char *signed_target, int64_t at)
{
	uint64_t before = counted(cover_replies);

	fronting_request(method, target, signed_target, at);
	assert_string_equal(fronting.accepted_as, "");
	assert_string_equal(fronting.fake.answer, "404\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
					 "Content-Type: text/plain; charset=utf-8\r\nNot Found\n");
	assert_true(fronting.fake.complete);
	assert_int_equal(counted(cover_replies) - before, 1);
}

struct credentials *fronting_load(const char *text)
{
	char file[] = "/tmp/culvert-front-XXXXXX";
	int fd = mkstemp(file);
	struct credentials *c;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	c = credentials_load(file, fronting.error, sizeof fronting.error);
	unlink(file);
	assert_non_null(c);
	return c;
}

int fronting_set_up(void **state)
{
	(void)state;
	memset(&fronting, 0, sizeof fronting);
	fronting.loop = loop_new_virtual(0, FRONTING_WALL);
	fronting.credentials = fronting_load("alice:0123456789abcdef\n");
	fronting.cover = cover_new("404", fronting.error, sizeof fronting.error);
	assert_non_null(fronting.cover);
	fronting.front = (struct front){ .loop = fronting.loop, .base = "/culvert", .cover = fronting.cover, .credentials = fronting.credentials };
	fronting.visitor = (struct front_visitor){ .front = &fronting.front, .peer = "192.0.2.1:5" };
	return 0;
}

int fronting_tear_down(void **state)
{
	(void)state;
	cover_free(fronting.cover);
	credentials_free(fronting.credentials);
	loop_free(fronting.loop);
	return 0;
}
