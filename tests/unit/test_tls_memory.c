/* links: tunnel/tls_memory.c */
/* libs: -lcrypto */
/* OpenSSL's blocks: kept for the thread that asked for it, while libraries in other threads take and give back theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/tls_memory.h"

#define HELD 200
#define ROUNDS 200000

/* Takes and gives back blocks of many sizes, each filled with a mark of its own. */
static void churn(unsigned seed, unsigned char *held[HELD], size_t size[HELD])
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned k;

		seed = seed * 1103515245u + 12345u;
		k = seed / 65536 % HELD;
		for (size_t at = 0; held[k] && at < size[k]; at++)
			if (held[k][at] != (unsigned char)k)
				abort();
		OPENSSL_free(held[k]);
		size[k] = seed / 256 % 700 + 1;
		held[k] = OPENSSL_malloc(size[k]);
		if (!held[k])
			abort();
		memset(held[k], (int)k, size[k]);
	}
}

static unsigned char *others[HELD];	/* left by the thread, given back by the main one */

static void *thread(void *arg)
{
	size_t size[HELD] = { 0 };

	churn(7, others, size);
	return arg;
}

static void test_two_threads(void **state)
{
	unsigned char *held[HELD] = { 0 };
	size_t size[HELD] = { 0 };
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, thread, NULL), 0);
	churn(1, held, size);
	assert_int_equal(pthread_join(t, NULL), 0);
	for (int i = 0; i < HELD; i++) {
		OPENSSL_free(held[i]);
		OPENSSL_free(others[i]);
	}
}

static void test_resize(void **state)
{
	char *p = OPENSSL_malloc(30);

	(void)state;
	strcpy(p, "text");
	for (size_t n = 31; n < 2000; n += 97) {
		p = OPENSSL_realloc(p, n);
		assert_string_equal(p, "text");
	}
	p = OPENSSL_realloc(p, 5);
	assert_string_equal(p, "text");
	OPENSSL_free(p);
	assert_null(OPENSSL_malloc(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_threads),
		cmocka_unit_test(test_resize),
	};

	tls_memory_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
