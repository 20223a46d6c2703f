/* The router: what is a helper's goes to the sessions, all else gets one and the same cover. */
/* links: server/front.c server/cover.c tunnel/websocket_exchange.c tunnel/websocket_key.c framing/websocket.c framing/mask.c framing/utf8.c tunnel/seal.c framing/capsule.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/request.c framing/base64.c framing/error.c framing/cursor.c framing/varint.c tunnel/credential.c tunnel/daemon.c tunnel/log.c tunnel/counters.c tunnel/loop.c */
/* libs: -lwslay -lcrypto -lhttp_parser -lev */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "framing/error.h"
#include "server/rest.h"
#include "server/front.h"
#include "framing/capsule.h"
#include "tunnel/counters.h"
#include "tunnel/leg.h"
#include "tunnel/log.h"
#include "tunnel/sealed.h"

#define WALL 1700000000
#define SID "AAAAAAAAAAAAAAAAAAAAAA"
#define GOOD "/culvert/v1/" SID "?c=0&x=7&m=hello"

static struct loop *loop;
static struct credentials *credentials;
static struct cover *cover;
static struct front front;
static struct front_visitor visitor;
static char error[512];

/* An exchange that keeps what is sent. */
static struct {
	struct exchange x;
	uint8_t room[EXCHANGE_ROOM_MAX];
	char answer[2048];	/* "status CRLF lines body" */
	bool complete, aborted;
} fake;

static uint8_t *fake_room(struct exchange *x, size_t want, size_t *cap)
{
	(void)x;
	assert_true(want <= sizeof fake.room);
	*cap = sizeof fake.room;
	return fake.room;
}

static int fake_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	(void)x;
	assert_non_null(head);
	assert_false(head->streamed);
	snprintf(fake.answer, sizeof fake.answer, "%d\n%s%.*s", head->status, head->lines, (int)n, (char *)fake.room);
	fake.complete = end;
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
	fake.aborted = true;
}

static const struct exchange_ops fake_ops = { fake_room, fake_send, fake_pause, fake_abort, NULL, NULL };

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

/* The other side of the seam. */
static char accepted_as[80];
static struct request accepted;
static struct exchange *taken;

bool rest_request(struct rest *r, struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	(void)r, (void)v, (void)x, (void)head;
	return false;
}

void sessions_accept(struct sessions *s, const char *identity, const char *peer, const struct request *r, struct exchange *x,
		     const struct http1_head *head)
{
	(void)s, (void)head;
	assert_ptr_equal(x->inner ? x->inner : x, &fake.x);
	assert_int_equal(x->inner != NULL, r->mode == MODE_WEBSOCKET);
	taken = x;
	assert_ptr_equal(peer, visitor.peer);
	snprintf(accepted_as, sizeof accepted_as, "%s", identity);
	accepted = *r;
	x->events = &drop_events;
}

static bool sealed_session;	/* the session was used sealed before */

bool sessions_is_sealed(const struct sessions *s, const char *identity, const char *sid)
{
	(void)s;
	assert_string_equal(identity, "alice");
	assert_string_equal(sid, SID);
	return sealed_session;
}

const struct exchange_head *leg_answer_head(struct loop *l, bool streamed, bool event_stream)
{
	static const struct exchange_head head = { .status = 200, .lines = "" };

	(void)l;
	assert_false(streamed || event_stream);
	return &head;
}

/* ---- the seals, and what opens ---- */

#define SEALED GOOD "&s=9"

static struct seal *seal;	/* number 9 */
static struct {
	const struct sealed_events *events;
	void *ctx;
	char path_query[200];
} opening;
static unsigned visits, proofs;
static bool no_visits;

/* ---- the website, and what gets there ---- */

static struct {
	struct fallback *fallback;
	char target[200], peer[80];
	bool tls, bodiless;
	int count;
} passed;

void fallback_request(struct fallback *f, struct exchange *x, const struct http1_head *head, const struct fallback_visitor *v, bool bodiless)
{
	assert_ptr_equal(x, &fake.x);
	passed.fallback = f;
	passed.tls = v->tls;
	passed.bodiless = bodiless;
	passed.count++;
	snprintf(passed.target, sizeof passed.target, "%.*s", (int)head->target.n, (const char *)head->target.p);
	snprintf(passed.peer, sizeof passed.peer, "%s", v->peer);
	x->events = &drop_events;
}

bool seals_accept(struct seals *s, const struct request *r, struct exchange *x, const struct seals_visitor *from)
{
	(void)s;
	assert_int_equal(r->mode, MODE_SEAL);
	assert_int_equal(r->seal, 9);
	assert_ptr_equal(x, &fake.x);
	assert_ptr_equal(from->peer, visitor.peer);
	visits++;
	if (!no_visits)
		from->refused(from->ctx, x);	/* later, in truth */
	return !no_visits;
}

struct seal *seals_find(struct seals *s, const char *sid, uint32_t number)
{
	(void)s;
	assert_string_equal(sid, SID);
	return number == 9 ? seal : NULL;
}

static unsigned entered;
static bool crowded;

bool seals_enter(struct seals *s, const char *sid, uint32_t number)
{
	(void)s;
	assert_string_equal(sid, SID);
	assert_int_equal(number, 9);
	entered += !crowded;
	return !crowded;
}

void seals_leave(struct seals *s, const char *sid, uint32_t number)
{
	(void)s;
	assert_string_equal(sid, SID);
	assert_int_equal(number, 9);
	assert_true(entered > 0);
	entered--;
}

void seals_prove(struct seals *s, const char *sid, uint32_t number, const char *identity)
{
	(void)s;
	assert_string_equal(sid, SID);
	assert_int_equal(number, 9);
	assert_string_equal(identity, "alice");
	proofs++;
}

void sealed_server(struct loop *l, struct seal *with, struct exchange *inner, struct span path_query,
		   const struct sealed_events *events, void *ctx)
{
	assert_ptr_equal(l, loop);
	assert_ptr_equal(with, seal);
	assert_ptr_equal(inner, &fake.x);
	opening.events = events;
	opening.ctx = ctx;
	snprintf(opening.path_query, sizeof opening.path_query, "%.*s", (int)path_query.n, (const char *)path_query.p);
	fake.x.events = NULL;	/* until it is opened */
}

static enum { OPENS, OPENS_UNBOUND, OPENS_EMPTY, FAILS, CLOSES } becomes;

static void opened(const struct sealed_events *events, struct span authorization)
{
	if (!events->opened(opening.ctx, &fake.x, authorization))
		events->failed(opening.ctx, &fake.x, NULL);
}

/* What came is opened, or cannot be. */
static void open_it(void)
{
	struct span binding = { seal_binding(seal), becomes == OPENS ? SEAL_BINDING : 0 };
	const struct sealed_events *events = opening.events;
	char value[CREDENTIAL_HEADER_MAX];
	size_t n;

	opening.events = NULL;
	n = credentials_sign(credentials, value, sizeof value, "POST", opening.path_query, binding, WALL);
	switch (becomes) {
	case OPENS:
	case OPENS_UNBOUND:
		opened(events, (struct span){ (const uint8_t *)value, n });
		break;
	case OPENS_EMPTY:
		opened(events, (struct span){ NULL, 0 });
		break;
	case FAILS:
		events->failed(opening.ctx, &fake.x, "a reason");
		break;
	case CLOSES:
		events->closed(opening.ctx);
		fake.x.events = &drop_events;
		break;
	}
}

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx;
	fake.x = (struct exchange){ .ops = &fake_ops };
	*fake.answer = 0;
	*accepted_as = 0;
	fake.complete = fake.aborted = false;
	front_request(&visitor, &fake.x, head);
	if (opening.events)
		open_it();
	assert_non_null(fake.x.events);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	return fake.x.events->body(fake.x.ctx, p, n);
}

static int on_end(void *ctx)
{
	(void)ctx;
	fake.x.events->end(fake.x.ctx);
	return 0;
}

static const struct http1_events events = { on_head, on_body, on_end };

/* Passes a whole request through the parser to the router; signed: the target to sign, or NULL. */
static void request(const char *method, const char *target, const char *signed_target, int64_t at)
{
	char text[2048], value[CREDENTIAL_HEADER_MAX];
	struct http1 *parser = http1_new(HTTP1_REQUESTS, &events, NULL);
	int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\n", method, target);

	if (signed_target) {
		assert_true(credentials_sign(credentials, value, sizeof value, method, signed_target, (struct span){ 0 }, at) > 0);
		n += snprintf(text + n, sizeof text - (size_t)n, "Authorization: %s\r\n", value);
	}
	n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: 3\r\n\r\nabc");
	assert_int_equal(http1_feed(parser, (const uint8_t *)text, (size_t)n), n);
	http1_free(parser);
}

static void covered(const char *method, const char *target, const char *signed_target, int64_t at)
{
	uint64_t before = counted(cover_replies);

	request(method, target, signed_target, at);
	assert_string_equal(accepted_as, "");
	assert_string_equal(fake.answer, "404\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
					 "Content-Type: text/plain; charset=utf-8\r\nNot Found\n");
	assert_true(fake.complete);
	assert_int_equal(counted(cover_replies) - before, 1);
}

static struct credentials *load(const char *text)
{
	char file[] = "/tmp/culvert-front-XXXXXX";
	int fd = mkstemp(file);
	struct credentials *c;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	c = credentials_load(file, error, sizeof error);
	unlink(file);
	assert_non_null(c);
	return c;
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new_virtual(0, WALL);
	credentials = load("alice:0123456789abcdef\n");
	cover = cover_new("404", error, sizeof error);
	assert_non_null(cover);
	front = (struct front){ .loop = loop, .base = "/culvert", .cover = cover, .credentials = credentials };
	visitor = (struct front_visitor){ .front = &front, .peer = "192.0.2.1:5" };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cover_free(cover);
	credentials_free(credentials);
	loop_free(loop);
	return 0;
}

static void test_accept(void **state)
{
	(void)state;
	request("POST", GOOD, GOOD, WALL);
	assert_string_equal(accepted_as, "alice");
	assert_string_equal(accepted.sid, SID);
	assert_int_equal(accepted.x, 7);
	assert_int_equal(accepted.mode, MODE_HELLO);
	assert_string_equal(fake.answer, "");
	request("POST", "https://host.example:443" GOOD, GOOD, WALL + 119);
	assert_string_equal(accepted_as, "alice");
}

static void test_cover(void **state)
{
	struct credentials *other = load("alice:another-token-0123\n"), *own = credentials;
	uint64_t failed = counted(auth_failed);

	(void)state;
	covered("GET", "/", NULL, 0);
	covered("POST", "/", "/", WALL);
	covered("POST", "/culvert", NULL, 0);
	covered("POST", "/culvert2/v1/" SID "?c=0&x=7&m=hello", GOOD, WALL);
	covered("POST", "/culvert/v2/" SID "?c=0&x=7&m=hello", GOOD, WALL);
	covered("GET", GOOD, GOOD, WALL);
	covered("POST", "/culvert/v1/" SID "?c=0&x=7&m=nonsense", GOOD, WALL);
	covered("POST", "/culvert/v1/short?c=0&x=7&m=hello", GOOD, WALL);
	assert_int_equal(counted(auth_failed), failed);
	covered("POST", GOOD, NULL, 0);					/* no credentials */
	covered("POST", GOOD, "/culvert/v1/" SID "?c=0&x=8&m=hello", WALL); /* for another request */
	covered("POST", GOOD, GOOD, WALL - 121);			/* replayed later, or a wrong clock */
	covered("POST", GOOD, GOOD, WALL + 121);
	credentials = other;
	covered("POST", GOOD, GOOD, WALL);				/* another token */
	credentials = own;
	assert_int_equal(counted(auth_failed) - failed, 5);
	credentials_free(other);
}

/* ---- WebSockets ---- */

#define SOCKET "/culvert/v1/" SID "?c=0&x=7&m=websocket&e=0000000000000001"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: other, culvert.v1\r\n"

/* signed_as: the method that is signed, or NULL. */
static void ask(const char *method, const char *target, const char *signed_as, const char *lines)
{
	char text[2048], value[CREDENTIAL_HEADER_MAX] = "none";
	struct http1 *parser = http1_new(HTTP1_REQUESTS, &events, NULL);
	int n;

	if (signed_as)
		assert_true(credentials_sign(credentials, value, sizeof value, signed_as, target, (struct span){ 0 }, WALL) > 0);
	n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n%s\r\n", method, target, value, lines);
	taken = NULL;
	assert_int_equal(http1_feed(parser, (const uint8_t *)text, (size_t)n), n);
	http1_free(parser);
}

static void not_found(void)
{
	assert_null(taken);
	assert_memory_equal(fake.answer, "404\n", 4);
}

static void test_websocket(void **state)
{
	(void)state;
	ask("GET", SOCKET, "GET", UPGRADE KEY VERSION PROTOCOL);
	assert_string_equal(accepted_as, "alice");
	assert_int_equal(accepted.mode, MODE_WEBSOCKET);
	assert_string_equal(fake.answer, "");
	exchange_abort(taken);

	/* What it may not be has the cover. */
	ask("GET", SOCKET, NULL, UPGRADE KEY VERSION PROTOCOL);
	not_found();
	ask("GET", SOCKET, "POST", UPGRADE KEY VERSION PROTOCOL);
	not_found();
	ask("POST", SOCKET, "POST", UPGRADE KEY VERSION PROTOCOL);
	not_found();
	ask("GET", SOCKET, "GET", KEY VERSION PROTOCOL);
	not_found();
	ask("GET", SOCKET, "GET", "Connection: Upgrade\r\nUpgrade: h2c\r\n" KEY VERSION PROTOCOL);
	not_found();
	ask("GET", SOCKET "&s=9", "GET", UPGRADE KEY VERSION PROTOCOL);
	not_found();
	ask("GET", "/culvert/v1/" SID "?c=0&x=7&m=duplex&e=0000000000000001", "GET", UPGRADE KEY VERSION PROTOCOL);
	not_found();
	ask("GET", "/chat", NULL, UPGRADE KEY VERSION);
	not_found();

	/* To a helper it is said what is wrong. */
	ask("GET", SOCKET, "GET", UPGRADE KEY PROTOCOL "Sec-WebSocket-Version: 8\r\n");
	assert_memory_equal(fake.answer, "426\n", 4);
	ask("GET", SOCKET, "GET", UPGRADE VERSION PROTOCOL);
	assert_memory_equal(fake.answer, "400\n", 4);
	ask("GET", SOCKET, "GET", UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: c2hvcnQ=\r\n");
	assert_memory_equal(fake.answer, "400\n", 4);
	ask("GET", SOCKET, "GET", UPGRADE KEY VERSION "Sec-WebSocket-Protocol: culvert.v2\r\n");
	assert_memory_equal(fake.answer, "400\n", 4);
	assert_null(taken);
}

static void test_health(void **state)
{
	(void)state;
	request("GET", "/healthz", NULL, 0);
	assert_string_equal(fake.answer, "200\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
					 "Content-Type: text/plain; charset=utf-8\r\nok\n");
	request("GET", "/healthz?x=1", NULL, 0);
	assert_non_null(strstr(fake.answer, "ok\n"));
	request("HEAD", "/healthz", NULL, 0);
	assert_null(strstr(fake.answer, "ok\n"));
	covered("GET", "/healthzz", NULL, 0);
	covered("POST", "/healthz", NULL, 0);
}

/* What nobody wants is taken up to a bound for each connection. */
static void test_body(void **state)
{
	static uint8_t much[65536];
	int rc = 0, n = 0;

	(void)state;
	covered("POST", "/", NULL, 0);
	while (rc == 0 && n++ < 100)
		rc = fake.x.events->body(fake.x.ctx, much, sizeof much);
	assert_int_equal(rc, ERROR_LIMIT);
	assert_int_equal(n, 4);
}

static void test_cover_kinds(void **state)
{
	char file[] = "/tmp/culvert-cover-XXXXXX.html", spec[80];
	int fd;

	(void)state;
	cover_free(cover);
	cover = cover_new("redirect:https://example.org/", error, sizeof error);
	front.cover = cover;
	request("GET", "/", NULL, 0);
	assert_memory_equal(fake.answer, "302\n", 4);
	assert_non_null(strstr(fake.answer, "\r\nLocation: https://example.org/\r\n"));

	fd = mkstemps(file, 5);
	assert_int_equal(write(fd, "<p>hello", 8), 8);
	close(fd);
	snprintf(spec, sizeof spec, "file:%s", file);
	cover_free(cover);
	cover = cover_new(spec, error, sizeof error);
	unlink(file);
	front.cover = cover;
	request("GET", "/any/path", NULL, 0);
	assert_memory_equal(fake.answer, "200\n", 4);
	assert_non_null(strstr(fake.answer, "Content-Type: text/html; charset=utf-8\r\n<p>hello"));
}

static void test_cover_errors(void **state)
{
	(void)state;
	assert_null(cover_new("500", error, sizeof error));
	assert_string_equal(error, "must be 404, redirect:URL or file:PATH, not '500'");
	assert_null(cover_new("redirect:example.org", error, sizeof error));
	assert_string_equal(error, "redirect: needs a URL that begins with https://, http:// or /, not 'example.org'");
	assert_null(cover_new("redirect:https://a\r\nX: y", error, sizeof error));
	assert_null(cover_new("file:/nonexistent/x", error, sizeof error));
	assert_string_equal(error, "cannot read the cover page /nonexistent/x: No such file or directory");
	assert_null(cover_new("file:/dev/zero", error, sizeof error));
	assert_string_equal(error, "the cover page /dev/zero is longer than 65536 bytes");
}

/* ---- sealed ---- */

static void test_sealed(void **state)
{
	static const struct seal_secrets secrets = { .binding = { 1, 2, 3 } };

	(void)state;
	seal = seal_new(SEAL_SERVER, &secrets);
	proofs = 0;
	visitor.plain = true;
	becomes = OPENS;
	request("POST", SEALED, NULL, 0);
	assert_string_equal(accepted_as, "alice");
	assert_int_equal(accepted.seal, 9);
	assert_int_equal(proofs, 1);
	request("POST", "http://host" SEALED, NULL, 0);	/* in absolute form */
	assert_string_equal(accepted_as, "alice");
	visitor.plain = false;				/* within TLS, too */
	request("POST", SEALED, NULL, 0);
	assert_string_equal(accepted_as, "alice");
	proofs = 0;
	becomes = OPENS_UNBOUND;			/* a credential that was seen elsewhere */
	covered("POST", SEALED, NULL, 0);
	becomes = OPENS_EMPTY;
	covered("POST", SEALED, NULL, 0);
	covered("POST", SEALED, SEALED, WALL);		/* one in the clear does not count */
	becomes = FAILS;
	covered("POST", SEALED, NULL, 0);
	becomes = CLOSES;
	request("POST", SEALED, NULL, 0);
	assert_string_equal(accepted_as, "");
	assert_string_equal(fake.answer, "");
	assert_int_equal(proofs, 0);
	assert_int_equal(entered, 0);
	crowded = true;
	becomes = OPENS;
	covered("POST", SEALED, NULL, 0);
	crowded = false;
	seal_release(seal);
	seal = NULL;
}

static void test_unknown_seal(void **state)
{
	uint64_t before = counted(seals_unknown);

	(void)state;
	request("POST", SEALED, NULL, 0);
	assert_string_equal(accepted_as, "");
	assert_string_equal(fake.answer, "200\n\x1a");	/* UNSEALED, of length 0 */
	assert_int_equal(counted(seals_unknown) - before, 1);
}

static void test_making_seals(void **state)
{
	(void)state;
	visits = 0;
	visitor.plain = true;
	no_visits = false;
	covered("POST", "/culvert/v1/" SID "?c=0&x=0&m=seal&s=9", NULL, 0);
	no_visits = true;
	covered("POST", "/culvert/v1/" SID "?c=0&x=0&m=seal&s=9", NULL, 0);
	covered("GET", "/culvert/v1/" SID "?c=0&x=0&m=seal&s=9", NULL, 0);
	assert_int_equal(visits, 2);
}

/* Without TLS nothing unsealed is served, nor for a session that was sealed. */
static void test_unsealed(void **state)
{
	uint64_t before = counted(unsealed_refused);

	(void)state;
	visitor.plain = true;
	covered("POST", GOOD, GOOD, WALL);
	visitor.plain = false;
	sealed_session = true;
	covered("POST", GOOD, GOOD, WALL);
	sealed_session = false;
	request("POST", GOOD, GOOD, WALL);
	assert_string_equal(accepted_as, "alice");
	assert_int_equal(counted(unsealed_refused) - before, 2);
	visitor.plain = true;
	request("GET", "/healthz", NULL, 0);
	assert_non_null(strstr(fake.answer, "ok\n"));
}

/* With a website everything that is not a helper's is that one's. */
static void test_fallback(void **state)
{
	uint64_t covers = counted(cover_replies);
	static char site;

	(void)state;
	front.fallback = (struct fallback *)&site;
	passed.count = 0;
	visitor.tls = true;
	request("GET", "/index.html", NULL, 0);
	assert_ptr_equal(passed.fallback, &site);
	assert_string_equal(passed.target, "/index.html");
	assert_string_equal(passed.peer, "192.0.2.1:5");
	assert_true(passed.tls && !passed.bodiless);
	request("POST", GOOD, NULL, 0);				/* a helper's but for its credentials */
	assert_string_equal(passed.target, GOOD);
	request("POST", GOOD, GOOD, WALL - 121);
	request("GET", GOOD, GOOD, WALL);
	visitor.tls = false;
	request("GET", "/plain", NULL, 0);
	assert_false(passed.tls);
	assert_int_equal(passed.count, 5);
	assert_string_equal(accepted_as, "");
	assert_string_equal(fake.answer, "");
	request("POST", GOOD, GOOD, WALL);
	assert_string_equal(accepted_as, "alice");
	assert_int_equal(passed.count, 5);
	assert_int_equal(counted(cover_replies), covers);
}

/* What is no request at all goes nowhere. */
static void test_fallback_malformed(void **state)
{
	static const struct http1_head nothing = { .request = true, .minor = 1, .length = -1 };
	static char site;

	(void)state;
	front.fallback = (struct fallback *)&site;
	passed.count = 0;
	fake.x = (struct exchange){ .ops = &fake_ops };
	front_request(&visitor, &fake.x, &nothing);
	assert_memory_equal(fake.answer, "400\n", 4);
	assert_int_equal(passed.count, 0);
}

/* /healthz is the website's; ours is below the base, and only this machine sees it. */
static void test_fallback_health(void **state)
{
	static char site;

	(void)state;
	front.fallback = (struct fallback *)&site;
	passed.count = 0;
	request("GET", "/healthz", NULL, 0);
	visitor.origin[0] = AF_INET;
	visitor.origin[1] = 192;
	request("GET", "/culvert/healthz", NULL, 0);
	visitor.origin[0] = AF_INET6;
	request("GET", "/culvert/healthz", NULL, 0);
	assert_int_equal(passed.count, 3);
	visitor.origin[1] = 0;
	request("GET", "/culvert/healthz", NULL, 0);
	assert_non_null(strstr(fake.answer, "ok\n"));
	visitor.origin[0] = AF_INET;
	visitor.origin[1] = 127;
	request("HEAD", "/culvert/healthz", NULL, 0);
	assert_memory_equal(fake.answer, "200\n", 4);
	assert_int_equal(passed.count, 3);
	request("GET", "/culvert/healthzz", NULL, 0);
	assert_int_equal(passed.count, 4);
}

static void turned_away(const char *method, const char *target, const char *signed_target)
{
	uint64_t before = counted(clients_refused);

	request(method, target, signed_target, WALL);
	assert_string_equal(accepted_as, "");
	assert_memory_equal(fake.answer, "503\n", 4);
	assert_true(fake.complete);
	assert_int_equal(counted(clients_refused) - before, 1);
}

/* Of a client behind a proxy that asks too much: strangers first, then everybody; and nothing is begun for it. */
static void test_crowd(void **state)
{
	(void)state;
	visits = 0;
	no_visits = true;
	visitor.crowd = FRONT_CROWD_STRANGERS;
	turned_away("GET", "/", NULL);
	turned_away("POST", GOOD, NULL);
	turned_away("POST", GOOD, "/other");
	turned_away("POST", "/culvert/v1/" SID "?c=0&x=0&m=seal&s=9", NULL);
	assert_int_equal(visits, 0);
	request("POST", GOOD, GOOD, WALL);
	assert_string_equal(accepted_as, "alice");
	visitor.crowd = FRONT_CROWD_ALL;
	turned_away("POST", GOOD, GOOD);
	turned_away("GET", "/", NULL);
	request("GET", "/healthz", NULL, 0);	/* whoever looks whether we live */
	assert_memory_equal(fake.answer, "200\n", 4);
	visitor.crowd = FRONT_CROWD_NONE;
	covered("GET", "/", NULL, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_accept), T(test_cover), T(test_websocket), T(test_health), T(test_body), T(test_cover_kinds), T(test_cover_errors),
		T(test_sealed), T(test_unknown_seal), T(test_making_seals), T(test_unsealed), T(test_crowd),
		T(test_fallback), T(test_fallback_malformed), T(test_fallback_health),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
