/* links: tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c framing/base64.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c tests/lib/pair.c tests/lib/stream_mem.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto */
/* An open TLS stream allocates nothing per record: OpenSSL is given an allocator that counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/pair.h"

static unsigned long allocations, live;

static void *counting_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	live++;
	return malloc(n);
}

static void *counting_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	live += !p;
	return realloc(p, n);
}

static void counting_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	live -= p != NULL;
	free(p);
}

static void test_no_allocation(void **state)
{
	unsigned long before, alive, records;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_contexts(&pair_cert, pair_ca.file, version, NULL, NULL);
		pair_connect("a.test", NULL);
		pair.client.total = pair.server.total = 100000;
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.client.in, 100000);
		before = allocations;
		alive = live;
		assert_true(before > 0);
		pair.client.piece = pair.server.piece = 1000;
		pair.client.total = pair.server.total = 1000000;
		pair_want(&pair.client);
		pair_want(&pair.server);
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.client.in, 1000000);
		assert_int_equal(pair.server.in, 1000000);
		/* None of ours. OpenSSL 3.0 itself takes and gives back 40 bytes twice when it writes a record (WPACKET),
		 * and in TLS 1.3 once more on either side (the header as additional data). */
		records = 2 * (1000000 - 100000) / 1000;
		assert_in_range(allocations - before, 0, (version == TLS1_3_VERSION ? 4 : 2) * records);
		assert_int_equal(live, alive);
		pair_disconnect();
		pair_forget();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_allocation),
	};

	alarm(600); /* whatever happens, end */
	CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free);
	return cmocka_run_group_tests(tests, pair_make_certs, pair_drop_certs);
}
