/* The router: what is a helper's goes to the sessions, all else gets one and the same cover. */
/* links: server/front.c framing/rest_request.c server/cover.c tunnel/websocket_exchange.c tunnel/websocket_handshake.c tunnel/websocket_key.c framing/websocket.c framing/mask.c framing/utf8.c tunnel/seal.c framing/capsule.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/request.c framing/target.c framing/base64.c framing/error.c framing/cursor.c framing/varint.c tunnel/credential.c tunnel/mac.c tunnel/daemon.c tunnel/log.c tunnel/counters.c tunnel/loop.c tests/lib/fronting.c */
/* libs: -lwslay -lcrypto -lhttp_parser -lev */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/fronting.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

static void test_accept(void **state)
{
	(void)state;
	fronting_request("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	assert_string_equal(fronting.accepted_as, "alice");
	assert_string_equal(fronting.accepted.sid, FRONTING_SID);
	assert_int_equal(fronting.accepted.x, 7);
	assert_int_equal(fronting.accepted.mode, MODE_HELLO);
	assert_string_equal(fronting.fake.answer, "");
	fronting_request("POST", "https://host.example:443" FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL + 119);
	assert_string_equal(fronting.accepted_as, "alice");
}

static void test_cover(void **state)
{
	struct credentials *other = fronting_load("alice:another-token-0123\n"), *own = fronting.credentials;
	uint64_t failed = counted(auth_failed);

	(void)state;
	fronting_covered("GET", "/", NULL, 0);
	fronting_covered("POST", "/", "/", FRONTING_WALL);
	fronting_covered("POST", "/culvert", NULL, 0);
	fronting_covered("POST", "/culvert2/v1/" FRONTING_SID "?c=0&x=7&m=hello", FRONTING_GOOD, FRONTING_WALL);
	fronting_covered("POST", "/culvert/v2/" FRONTING_SID "?c=0&x=7&m=hello", FRONTING_GOOD, FRONTING_WALL);
	fronting_covered("GET", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	fronting_covered("POST", "/culvert/v1/" FRONTING_SID "?c=0&x=7&m=nonsense", FRONTING_GOOD, FRONTING_WALL);
	fronting_covered("POST", "/culvert/v1/short?c=0&x=7&m=hello", FRONTING_GOOD, FRONTING_WALL);
	assert_int_equal(counted(auth_failed), failed);
	fronting_covered("POST", FRONTING_GOOD, NULL, 0);					/* no credentials */
	fronting_covered("POST", FRONTING_GOOD, "/culvert/v1/" FRONTING_SID "?c=0&x=8&m=hello", FRONTING_WALL); /* for another request */
	fronting_covered("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL - 121);			/* replayed later, or a wrong clock */
	fronting_covered("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL + 121);
	fronting.credentials = other;
	fronting_covered("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);				/* another token */
	fronting.credentials = own;
	assert_int_equal(counted(auth_failed) - failed, 5);
	credentials_free(other);
}

/* ---- WebSockets ---- */

#define SOCKET "/culvert/v1/" FRONTING_SID "?c=0&x=7&m=websocket&e=0000000000000001"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: other, culvert.v1\r\n"

/* signed_as: the method that is signed, or NULL. */
static void ask(const char *method, const char *target, const char *signed_as, const char *lines)
{
	char text[2048], value[CREDENTIAL_HEADER_MAX] = "none";
	struct http1 *parser = http1_new(HTTP1_REQUESTS, &fronting_events, NULL);
	int n;

	if (signed_as)
		assert_true(credentials_sign(fronting.credentials, value, sizeof value, signed_as, target, (struct span){ 0 }, FRONTING_WALL) > 0);
	n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n%s\r\n", method, target, value, lines);
	fronting.taken = NULL;
	assert_int_equal(http1_feed(parser, (const uint8_t *)text, (size_t)n), n);
	http1_free(parser);
}

static void not_found(void)
{
	assert_null(fronting.taken);
	assert_memory_equal(fronting.fake.answer, "404\n", 4);
}

static void test_websocket(void **state)
{
	(void)state;
	ask("GET", SOCKET, "GET", UPGRADE KEY VERSION PROTOCOL);
	assert_string_equal(fronting.accepted_as, "alice");
	assert_int_equal(fronting.accepted.mode, MODE_WEBSOCKET);
	assert_string_equal(fronting.fake.answer, "");
	exchange_abort(fronting.taken);

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
	ask("GET", "/culvert/v1/" FRONTING_SID "?c=0&x=7&m=duplex&e=0000000000000001", "GET", UPGRADE KEY VERSION PROTOCOL);
	not_found();
	ask("GET", "/chat", NULL, UPGRADE KEY VERSION);
	not_found();

	/* To a helper it is said what is wrong. */
	ask("GET", SOCKET, "GET", UPGRADE KEY PROTOCOL "Sec-WebSocket-Version: 8\r\n");
	assert_memory_equal(fronting.fake.answer, "426\n", 4);
	ask("GET", SOCKET, "GET", UPGRADE VERSION PROTOCOL);
	assert_memory_equal(fronting.fake.answer, "400\n", 4);
	ask("GET", SOCKET, "GET", UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: c2hvcnQ=\r\n");
	assert_memory_equal(fronting.fake.answer, "400\n", 4);
	ask("GET", SOCKET, "GET", UPGRADE KEY VERSION "Sec-WebSocket-Protocol: culvert.v2\r\n");
	assert_memory_equal(fronting.fake.answer, "400\n", 4);
	assert_null(fronting.taken);
}

static void test_health(void **state)
{
	(void)state;
	fronting_request("GET", "/healthz", NULL, 0);
	assert_string_equal(fronting.fake.answer, "200\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
					 "Content-Type: text/plain; charset=utf-8\r\nok\n");
	fronting_request("GET", "/healthz?x=1", NULL, 0);
	assert_non_null(strstr(fronting.fake.answer, "ok\n"));
	fronting_request("HEAD", "/healthz", NULL, 0);
	assert_null(strstr(fronting.fake.answer, "ok\n"));
	fronting_covered("GET", "/healthzz", NULL, 0);
	fronting_covered("POST", "/healthz", NULL, 0);
}

/* What nobody wants is taken up to a bound for each connection. */
static void test_body(void **state)
{
	static uint8_t much[65536];
	int rc = 0, n = 0;

	(void)state;
	fronting_covered("POST", "/", NULL, 0);
	while (rc == 0 && n++ < 100)
		rc = fronting.fake.x.events->body(fronting.fake.x.ctx, much, sizeof much);
	assert_int_equal(rc, ERROR_LIMIT);
	assert_int_equal(n, 4);
}

static void test_cover_kinds(void **state)
{
	char file[] = "/tmp/culvert-cover-XXXXXX.html", spec[80];
	int fd;

	(void)state;
	cover_free(fronting.cover);
	fronting.cover = cover_new("redirect:https://example.org/", fronting.error, sizeof fronting.error);
	fronting.front.cover = fronting.cover;
	fronting_request("GET", "/", NULL, 0);
	assert_memory_equal(fronting.fake.answer, "302\n", 4);
	assert_non_null(strstr(fronting.fake.answer, "\r\nLocation: https://example.org/\r\n"));

	fd = mkstemps(file, 5);
	assert_int_equal(write(fd, "<p>hello", 8), 8);
	close(fd);
	snprintf(spec, sizeof spec, "file:%s", file);
	cover_free(fronting.cover);
	fronting.cover = cover_new(spec, fronting.error, sizeof fronting.error);
	unlink(file);
	fronting.front.cover = fronting.cover;
	fronting_request("GET", "/any/path", NULL, 0);
	assert_memory_equal(fronting.fake.answer, "200\n", 4);
	assert_non_null(strstr(fronting.fake.answer, "Content-Type: text/html; charset=utf-8\r\n<p>hello"));
}

static void test_cover_errors(void **state)
{
	(void)state;
	assert_null(cover_new("500", fronting.error, sizeof fronting.error));
	assert_string_equal(fronting.error, "must be 404, redirect:URL or file:PATH, not '500'");
	assert_null(cover_new("redirect:example.org", fronting.error, sizeof fronting.error));
	assert_string_equal(fronting.error, "redirect: needs a URL that begins with https://, http:// or /, not 'example.org'");
	assert_null(cover_new("redirect:https://a\r\nX: y", fronting.error, sizeof fronting.error));
	assert_null(cover_new("file:/nonexistent/x", fronting.error, sizeof fronting.error));
	assert_string_equal(fronting.error, "cannot read the cover page /nonexistent/x: No such file or directory");
	assert_null(cover_new("file:/dev/zero", fronting.error, sizeof fronting.error));
	assert_string_equal(fronting.error, "the cover page /dev/zero is longer than 65536 bytes");
}

static void turned_away(const char *method, const char *target, const char *signed_target)
{
	uint64_t before = counted(clients_refused);

	fronting_request(method, target, signed_target, FRONTING_WALL);
	assert_string_equal(fronting.accepted_as, "");
	assert_memory_equal(fronting.fake.answer, "503\n", 4);
	assert_true(fronting.fake.complete);
	assert_int_equal(counted(clients_refused) - before, 1);
}

/* Of a client behind a proxy that asks too much: strangers first, then everybody; and nothing is begun for it. */
static void test_crowd(void **state)
{
	(void)state;
	fronting.visits = 0;
	fronting.no_visits = true;
	fronting.visitor.crowd = FRONT_CROWD_STRANGERS;
	turned_away("GET", "/", NULL);
	turned_away("POST", FRONTING_GOOD, NULL);
	turned_away("POST", FRONTING_GOOD, "/other");
	turned_away("POST", "/culvert/v1/" FRONTING_SID "?c=0&x=0&m=seal&s=9", NULL);
	assert_int_equal(fronting.visits, 0);
	fronting_request("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	assert_string_equal(fronting.accepted_as, "alice");
	fronting.visitor.crowd = FRONT_CROWD_ALL;
	turned_away("POST", FRONTING_GOOD, FRONTING_GOOD);
	turned_away("GET", "/", NULL);
	fronting_request("GET", "/healthz", NULL, 0);	/* whoever looks whether we live */
	assert_memory_equal(fronting.fake.answer, "200\n", 4);
	fronting.visitor.crowd = FRONT_CROWD_NONE;
	fronting_covered("GET", "/", NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRONTING_TEST(test_accept),
		FRONTING_TEST(test_cover),
		FRONTING_TEST(test_websocket),
		FRONTING_TEST(test_health),
		FRONTING_TEST(test_body),
		FRONTING_TEST(test_cover_kinds),
		FRONTING_TEST(test_cover_errors),
		FRONTING_TEST(test_crowd),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
