/* The router: what is a helper's goes to the sessions, all else gets one and the same cover. */
/* links: server/front.c server/cover.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/request.c framing/base64.c framing/error.c framing/cursor.c framing/varint.c tunnel/credential.c tunnel/daemon.c tunnel/log.c tunnel/counters.c tunnel/loop.c */
/* libs: -lcrypto -lhttp_parser -lev */
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
#include "server/front.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

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

static const struct exchange_ops fake_ops = { fake_room, fake_send, fake_pause, fake_abort };

/* The other side of the seam. */
static char accepted_as[80];
static struct request accepted;

void sessions_accept(struct sessions *s, const char *identity, const struct request *r, struct exchange *x,
		     const struct http1_head *head)
{
	(void)s, (void)head;
	assert_ptr_equal(x, &fake.x);
	snprintf(accepted_as, sizeof accepted_as, "%s", identity);
	accepted = *r;
}

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx;
	fake.x = (struct exchange){ .ops = &fake_ops };
	*fake.answer = 0;
	*accepted_as = 0;
	fake.complete = fake.aborted = false;
	front_request(&visitor, &fake.x, head);
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_accept), T(test_cover), T(test_health), T(test_body), T(test_cover_kinds), T(test_cover_errors),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
