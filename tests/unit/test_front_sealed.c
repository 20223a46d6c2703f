/* The router: requests that are sealed, and that should be. */
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

#define SEALED FRONTING_GOOD "&s=9"

static void test_sealed(void **state)
{
	static const struct seal_secrets secrets = { .binding = { 1, 2, 3 } };

	(void)state;
	fronting.seal = seal_new(SEAL_SERVER, &secrets);
	fronting.proofs = 0;
	fronting.visitor.plain = true;
	fronting.becomes = OPENS;
	fronting_request("POST", SEALED, NULL, 0);
	assert_string_equal(fronting.accepted_as, "alice");
	assert_int_equal(fronting.accepted.seal, 9);
	assert_int_equal(fronting.proofs, 1);
	fronting_request("POST", "http://host" SEALED, NULL, 0);	/* in absolute form */
	assert_string_equal(fronting.accepted_as, "alice");
	fronting.visitor.plain = false;				/* within TLS, too */
	fronting_request("POST", SEALED, NULL, 0);
	assert_string_equal(fronting.accepted_as, "alice");
	fronting.proofs = 0;
	fronting.becomes = OPENS_UNBOUND;			/* a credential that was seen elsewhere */
	fronting_covered("POST", SEALED, NULL, 0);
	fronting.becomes = OPENS_EMPTY;
	fronting_covered("POST", SEALED, NULL, 0);
	fronting_covered("POST", SEALED, SEALED, FRONTING_WALL);		/* one in the clear does not count */
	fronting.becomes = FAILS;
	fronting_covered("POST", SEALED, NULL, 0);
	fronting.becomes = CLOSES;
	fronting_request("POST", SEALED, NULL, 0);
	assert_string_equal(fronting.accepted_as, "");
	assert_string_equal(fronting.fake.answer, "");
	assert_int_equal(fronting.proofs, 0);
	assert_int_equal(fronting.entered, 0);
	fronting.crowded = true;
	fronting.becomes = OPENS;
	fronting_covered("POST", SEALED, NULL, 0);
	fronting.crowded = false;
	seal_release(fronting.seal);
	fronting.seal = NULL;
}

static void test_unknown_seal(void **state)
{
	uint64_t before = counted(seals_unknown);

	(void)state;
	fronting_request("POST", SEALED, NULL, 0);
	assert_string_equal(fronting.accepted_as, "");
	assert_string_equal(fronting.fake.answer, "200\n\x1a");	/* UNSEALED, of length 0 */
	assert_int_equal(counted(seals_unknown) - before, 1);
}

static void test_making_seals(void **state)
{
	(void)state;
	fronting.visits = 0;
	fronting.visitor.plain = true;
	fronting.no_visits = false;
	fronting_covered("POST", "/culvert/v1/" FRONTING_SID "?c=0&x=0&m=seal&s=9", NULL, 0);
	fronting.no_visits = true;
	fronting_covered("POST", "/culvert/v1/" FRONTING_SID "?c=0&x=0&m=seal&s=9", NULL, 0);
	fronting_covered("GET", "/culvert/v1/" FRONTING_SID "?c=0&x=0&m=seal&s=9", NULL, 0);
	assert_int_equal(fronting.visits, 2);
}

/* Without TLS nothing unsealed is served, nor for a session that was sealed. */
static void test_unsealed(void **state)
{
	uint64_t before = counted(unsealed_refused);

	(void)state;
	fronting.visitor.plain = true;
	fronting_covered("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	fronting.visitor.plain = false;
	fronting.sealed_session = true;
	fronting_covered("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	fronting.sealed_session = false;
	fronting_request("POST", FRONTING_GOOD, FRONTING_GOOD, FRONTING_WALL);
	assert_string_equal(fronting.accepted_as, "alice");
	assert_int_equal(counted(unsealed_refused) - before, 2);
	fronting.visitor.plain = true;
	fronting_request("GET", "/healthz", NULL, 0);
	assert_non_null(strstr(fronting.fake.answer, "ok\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRONTING_TEST(test_sealed),
		FRONTING_TEST(test_unknown_seal),
		FRONTING_TEST(test_making_seals),
		FRONTING_TEST(test_unsealed),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
