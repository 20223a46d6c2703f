/* The router: with a website behind, everything that is not a helper's is that one's. */
/* links: server/front.c framing/rest_request.c server/cover.c tunnel/websocket_exchange.c tunnel/websocket_handshake.c tunnel/websocket_key.c framing/websocket.c framing/mask.c framing/utf8.c tunnel/seal.c framing/capsule.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/request.c framing/target.c framing/base64.c framing/error.c framing/cursor.c framing/varint.c tunnel/credential.c tunnel/mac.c tunnel/daemon.c tunnel/log.c tunnel/counters.c tunnel/loop.c tests/lib/fronting.c */
/* libs: -lwslay -lcrypto -lhttp_parser -lev */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/lib/fronting.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

/* With a website everything that is not a helper's is that one's. */
static void test_fallback(void **state)
{
	uint64_t covers = counted(cover_replies);
	static char site;

	(void)state;
	fronting.front.fallback = (struct fallback *)&site;
	fronting.passed.count = 0;
	fronting.visitor.tls = true;
	fronting_request("GET", "/index.html", NULL, 0);
	assert_ptr_equal(fronting.passed.fallback, &site);
	assert_string_equal(fronting.passed.target, "/index.html");
	assert_string_equal(fronting.passed.peer, "192.0.2.1:5");
	assert_true(fronting.passed.tls && !fronting.passed.bodiless);
	fronting_request("POST", FRONTING_GOOD, NULL, 0);				/* a helper's but for its credentials */
	assert_string_equal(fronting.passed.target, FRONTING_GOOD);
	fronting_request("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL - 121);
	fronting_request("GET", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	fronting.visitor.tls = false;
	fronting_request("GET", "/plain", NULL, 0);
	assert_false(fronting.passed.tls);
	assert_int_equal(fronting.passed.count, 5);
	assert_string_equal(fronting.accepted_as, "");
	assert_string_equal(fronting.fake.answer, "");
	fronting_request("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	assert_string_equal(fronting.accepted_as, "alice");
	assert_int_equal(fronting.passed.count, 5);
	assert_int_equal(counted(cover_replies), covers);
}

/* A stranger who asks for a seal learns no more of us than one who asks for a page. */
static void test_fallback_seal(void **state)
{
	static char site;

	(void)state;
	fronting.front.fallback = (struct fallback *)&site;
	fronting.passed.count = 0;
	fronting.no_visits = false;
	fronting_request("POST", "/culvert/v1/" FRONTING_SID "?c=0&x=0&m=seal&s=9", NULL, 0);
	assert_int_equal(fronting.passed.count, 1);
	assert_true(fronting.passed.bodiless);
	assert_string_equal(fronting.fake.answer, "");
}

/* What is no request at all goes nowhere. */
static void test_fallback_malformed(void **state)
{
	static const struct http1_head nothing = { .request = true, .minor = 1, .length = -1 };
	static char site;

	(void)state;
	fronting.front.fallback = (struct fallback *)&site;
	fronting.passed.count = 0;
	fronting_fresh();
	front_request(&fronting.visitor, &fronting.fake.x, &nothing);
	assert_memory_equal(fronting.fake.answer, "400\n", 4);
	assert_int_equal(fronting.passed.count, 0);
}

/* /healthz is the website's; ours is below the base, and only this machine sees it. */
static void test_fallback_health(void **state)
{
	static char site;

	(void)state;
	fronting.front.fallback = (struct fallback *)&site;
	fronting.passed.count = 0;
	fronting_request("GET", "/healthz", NULL, 0);
	fronting.visitor.origin[0] = AF_INET;
	fronting.visitor.origin[1] = 192;
	fronting_request("GET", "/culvert/healthz", NULL, 0);
	fronting.visitor.origin[0] = AF_INET6;
	fronting_request("GET", "/culvert/healthz", NULL, 0);
	assert_int_equal(fronting.passed.count, 3);
	fronting.visitor.origin[1] = 0;
	fronting_request("GET", "/culvert/healthz", NULL, 0);
	assert_non_null(strstr(fronting.fake.answer, "ok\n"));
	fronting.visitor.origin[0] = AF_INET;
	fronting.visitor.origin[1] = 127;
	fronting_request("HEAD", "/culvert/healthz", NULL, 0);
	assert_memory_equal(fronting.fake.answer, "200\n", 4);
	assert_int_equal(fronting.passed.count, 3);
	fronting_request("GET", "/culvert/healthzz", NULL, 0);
	assert_int_equal(fronting.passed.count, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRONTING_TEST(test_fallback),
		FRONTING_TEST(test_fallback_seal),
		FRONTING_TEST(test_fallback_malformed),
		FRONTING_TEST(test_fallback_health),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
