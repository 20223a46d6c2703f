// links: tunnel/seal_handshake.c tunnel/seal.c tunnel/counters.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c tunnel/loop.c tunnel/log.c
// links: framing/base64.c framing/capsule.c framing/cursor.c framing/varint.c framing/error.c tests/lib/certs.c
/* libs: -lev -lssl -lcrypto */
/* Handshakes of seals between both ends in memory: in order, lost, repeated, damaged, and with certificates that are not to be
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/certs.h"
#include "tunnel/seal_handshake.h"
#include "tunnel/stream_tls.h"
#include "tunnel/tls_context.h"

#define DAY 86400L
#define SID "AAAAAAAAAAAAAAAAAAAAAA"

static struct cert ca, cert, stranger;
static struct tls_context *client_ctx, *server_ctx;
static struct seal_handshake *helper, *server;

struct flight {
	uint8_t p[SEAL_FLIGHT_MAX];
	size_t n;
};
static struct flight hello, shown, last, done;

static int take(struct seal_handshake *h, const struct flight *in, struct flight *out)
{
	const uint8_t *p;
	size_t n;
	int error = seal_handshake_take(h, in ? in->p : NULL, in ? in->n : 0, &p, &n);

	memcpy(out->p, p, n);
	out->n = n;
	return error;
}

static void begin_with(const char *host, const char *sid)
{
	helper = seal_handshake_new(SEAL_HELPER, client_ctx, host, SID);
	server = seal_handshake_new(SEAL_SERVER, server_ctx, NULL, sid);
}

static void begin(const char *host)
{
	begin_with(host, SID);
}

static void end(void)
{
	seal_handshake_free(helper);
	seal_handshake_free(server);
}

/* One end's capsule is opened by the other. */
static bool fits(struct seal *from, struct seal *to)
{
	uint8_t p[SEAL_HEAD + 5 + SEAL_TAG], plain[5];
	struct seal_bond a = { .index = 0 }, b = { .index = 0 };

	memcpy(p + SEAL_HEAD, "hello", 5);
	assert_int_equal(seal_close(from, &a, 0, p, 5), sizeof p);
	return seal_open(to, &b, p + 5, sizeof p - 5, plain) == 5 && !memcmp(plain, "hello", 5);
}

static bool agree(void)
{
	struct seal *a = seal_handshake_seal(helper), *b = seal_handshake_seal(server);
	bool same;

	assert_non_null(a);
	assert_non_null(b);
	same = fits(a, b) && fits(b, a);
	assert_int_equal(!memcmp(seal_binding(a), seal_binding(b), SEAL_BINDING), same);
	seal_release(a);
	seal_release(b);
	return same;
}

static void no_seal(struct seal_handshake *h)
{
	assert_null(seal_handshake_seal(h));
}

/* Everything up to the two last flights. */
static void run(void)
{
	assert_int_equal(take(helper, NULL, &hello), 0);
	assert_true(hello.n > 0);
	assert_int_equal(take(server, &hello, &shown), 0);
	assert_true(shown.n > 0);
	no_seal(server);
	assert_int_equal(take(helper, &shown, &last), 0);
	assert_true(last.n > 0);
	no_seal(helper);
	assert_int_equal(take(server, &last, &done), 0);
	assert_true(done.n > 0);
}

static void test_two_exchanges(void **state)
{
	struct flight more;

	(void)state;
	begin("a.test");
	run();
	assert_int_equal(take(helper, &done, &more), 0);
	assert_int_equal(more.n, 0);
	assert_true(agree());
	assert_string_equal(seal_handshake_reason(helper), "");
	end();
}

/* Each flight is lost and each comes twice. */
static void test_lost_and_repeated(void **state)
{
	struct flight again, more;

	(void)state;
	begin("a.test");
	assert_int_equal(take(helper, NULL, &hello), 0);
	assert_int_equal(take(helper, NULL, &again), 0);
	assert_int_equal(again.n, hello.n);
	assert_memory_equal(again.p, hello.p, hello.n);
	assert_int_equal(take(server, &hello, &shown), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(take(server, &again, &more), 0);
		assert_int_equal(more.n, shown.n);
		assert_memory_equal(more.p, shown.p, more.n);
	}
	assert_int_equal(take(helper, &shown, &last), 0);
	assert_int_equal(take(helper, &shown, &more), 0);
	assert_int_equal(more.n, last.n);
	assert_memory_equal(more.p, last.p, last.n);
	assert_int_equal(take(server, &last, &done), 0);
	no_seal(helper);
	assert_int_equal(take(server, &last, &more), 0);
	assert_int_equal(more.n, done.n);
	assert_memory_equal(more.p, done.p, done.n);
	assert_int_equal(take(server, &hello, &more), 0);	/* the first one comes late */
	assert_memory_equal(more.p, done.p, done.n);
	assert_int_equal(take(helper, &shown, &more), 0);
	assert_int_equal(take(helper, &done, &more), 0);
	assert_int_equal(take(helper, &done, &more), 0);
	assert_int_equal(more.n, 0);
	assert_true(agree());
	end();
}

/* The helper is the last to know, and what comes before its time does no harm. */
static void test_early(void **state)
{
	struct flight more;

	(void)state;
	begin("a.test");
	run();
	seal_handshake_free(server);
	server = seal_handshake_new(SEAL_SERVER, server_ctx, NULL, SID);
	assert_int_equal(take(server, &last, &more), 0);	/* of a handshake that it does not know */
	assert_int_equal(more.n, 0);
	no_seal(server);
	end();
}

static void expect_failure(const char *host, const char *why)
{
	struct flight alert, more;

	begin(host);
	assert_int_equal(take(helper, NULL, &hello), 0);
	assert_int_equal(take(server, &hello, &shown), 0);
	assert_int_equal(take(helper, &shown, &alert), ERROR_CERTIFICATE);
	if (!strstr(seal_handshake_reason(helper), why))
		fail_msg("\"%s\" lacks \"%s\"", seal_handshake_reason(helper), why);
	no_seal(helper);
	assert_int_equal(take(helper, &shown, &more), ERROR_CERTIFICATE);
	assert_int_equal(more.n, 0);
	assert_true(alert.n > 0);
	assert_int_equal(take(server, &alert, &more), ERROR_TLS);
	assert_non_null(strstr(seal_handshake_reason(server), "alert"));
	no_seal(server);
	end();
}

static void test_certificates(void **state)
{
	char error[300];

	(void)state;
	expect_failure("b.test", "the certificate shown for b.test is for a.test");
	tls_context_release(server_ctx);
	server_ctx = tls_context_server_seal(stranger.file, stranger.keyfile, error, sizeof error);
	assert_non_null(server_ctx);
	expect_failure("a.test", "self-signed");
	tls_context_release(server_ctx);
	server_ctx = tls_context_server_seal(cert.file, cert.keyfile, error, sizeof error);
	begin("");
	assert_int_equal(take(helper, NULL, &hello), ERROR_CERTIFICATE);
	assert_string_equal(seal_handshake_reason(helper), "'' is no name or address that a certificate could be for");
	end();
	begin("127.0.0.1");
	run();
	end();
	assert_null(tls_context_server_seal("/nonexistent", cert.keyfile, error, sizeof error));
	assert_non_null(strstr(error, "/nonexistent"));
	assert_null(tls_context_client_seal(&(struct tls_trust){ .cafile = "/nonexistent" }, error, sizeof error));
	assert_non_null(strstr(error, "/nonexistent"));
}

/* A pin counts for seals as for TLS: a certificate that is in order but has another key is not believed. */
static void test_pins(void **state)
{
	struct tls_context *before = client_ctx;
	uint8_t pin[1][32];
	char error[300];
	struct flight more;

	(void)state;
	begin("a.test");
	run();
	memcpy(pin[0], tls_context_seen(client_ctx)->chain[0].pin, sizeof pin[0]);
	end();
	client_ctx = tls_context_client_seal(&(struct tls_trust){ .cafile = ca.file, .pins = (const void *)pin, .n_pins = 1 },
					     error, sizeof error);
	begin("a.test");
	run();
	assert_int_equal(take(helper, &done, &more), 0);
	assert_true(agree());
	end();
	tls_context_release(client_ctx);
	pin[0][31] ^= 1;
	client_ctx = tls_context_client_seal(&(struct tls_trust){ .cafile = ca.file, .pins = (const void *)pin, .n_pins = 1 },
					     error, sizeof error);
	expect_failure("a.test", "no --pin fits the certificate for a.test, signed by 'Test CA'");
	tls_context_release(client_ctx);
	client_ctx = before;
}

/* A seal is for one session: with another one's name the two ends have nothing in common. */
static void test_another_session(void **state)
{
	struct flight more;

	(void)state;
	begin_with("a.test", "BAAAAAAAAAAAAAAAAAAAAA");
	run();
	assert_int_equal(take(helper, &done, &more), 0);
	assert_false(agree());
	end();
}

static void test_each_handshake_is_another(void **state)
{
	struct seal_handshake *first;
	struct seal *a, *b;
	struct flight more;

	(void)state;
	begin("a.test");
	run();
	seal_handshake_free(helper);
	first = server;
	begin("a.test");
	run();
	assert_int_equal(take(helper, &done, &more), 0);
	a = seal_handshake_seal(first);
	b = seal_handshake_seal(helper);
	assert_false(fits(a, b));
	assert_memory_not_equal(seal_binding(a), seal_binding(b), SEAL_BINDING);
	seal_release(a);
	seal_release(b);
	seal_handshake_free(first);
	end();
}

/* The other end of the handshake has what we want of it: nothing older, nothing weaker. */
static void test_versions(void **state)
{
	struct flight more;

	(void)state;
	SSL_CTX_set_options(server_ctx->ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	begin("a.test");
	assert_int_equal(take(helper, NULL, &hello), 0);
	assert_int_equal(take(server, &hello, &shown), 0);
	assert_int_equal(take(helper, &shown, &last), 0);
	assert_int_equal(take(server, &last, &more), ERROR_TLS);
	assert_non_null(strstr(seal_handshake_reason(server), "extended master secret"));
	assert_int_equal(more.n, 0);
	no_seal(server);
	end();
	SSL_CTX_clear_options(server_ctx->ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	SSL_CTX_set_min_proto_version(server_ctx->ctx, DTLS1_VERSION);
	SSL_CTX_set_max_proto_version(server_ctx->ctx, DTLS1_VERSION);
	begin("a.test");
	assert_int_equal(take(helper, NULL, &hello), 0);
	assert_int_equal(take(server, &hello, &shown), ERROR_TLS);
	end();
	SSL_CTX_set_max_proto_version(server_ctx->ctx, 0);
	SSL_CTX_set_min_proto_version(server_ctx->ctx, DTLS1_2_VERSION);
}

/* Whatever is damaged on the way, both ends agree in the end or have no seal. */
static void test_damaged(void **state)
{
	unsigned broken = 0;

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		struct flight *damaged[] = { &hello, &shown, &last, &done };
		struct flight *f[] = { NULL, &hello, &shown, &last, &done };
		bool good = true;

		begin("a.test");
		for (unsigned k = 0; k < 4 && good; k++) {
			good = take(k % 2 ? server : helper, f[k], f[k + 1]) == 0;
			if (good && i % 4 == k && damaged[k]->n) {
				size_t bit = (i * 7919U + i * i * 31U) % (8 * damaged[k]->n);

				damaged[k]->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
		}
		if (good)
			take(helper, &done, &hello);
		struct seal *a = seal_handshake_seal(helper), *b = seal_handshake_seal(server);
		if (a && b) {
			assert_true(fits(a, b));
		} else {
			broken++;
		}
		seal_release(a);
		seal_release(b);
		end();
	}
	assert_true(broken > 300);
}

/* ---- what a stranger's handshake takes ---- */

static size_t held;		/* bytes that OpenSSL has */

static void *counted_malloc(size_t n, const char *file, int line)
{
	void *p = malloc(n);

	(void)file, (void)line;
	held += malloc_usable_size(p);
	return p;
}

static void counted_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	held -= malloc_usable_size(p);
	free(p);
}

static void *counted_realloc(void *p, size_t n, const char *file, int line)
{
	size_t before = malloc_usable_size(p);

	(void)file, (void)line;
	p = realloc(p, n);
	held += malloc_usable_size(p) - before;
	return p;
}

static size_t put_record(uint8_t *p, uint8_t type, uint8_t epoch, uint8_t number, const uint8_t *body, size_t n)
{
	const uint8_t head[] = { type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number, 0, (uint8_t)n };

	memcpy(p, head, sizeof head);
	memcpy(p + sizeof head, body, n);
	return sizeof head + n;
}

/* Small flights cannot make the server hold much, whatever they claim is still to come. */
static void test_memory(void **state)
{
	static struct flight junk, more;
	size_t before;

	(void)state;
	begin("a.test");
	assert_int_equal(take(helper, NULL, &hello), 0);
	assert_int_equal(take(server, &hello, &shown), 0);
	before = held;
	junk.n = 0;
	for (uint8_t i = 0; i < 100; i++)	/* under keys that are still to be agreed on */
		junk.n += put_record(junk.p + junk.n, 22, 1, i, (const uint8_t *)"0123456789", 10);
	take(server, &junk, &more);
	assert_in_range(held - before, 0, 100000);
	before = held;
	junk.n = 0;
	for (uint8_t i = 1; i < 12; i++) {	/* one byte each of large messages */
		const uint8_t fragment[] = { 16, 0, 0x3f, 0, 0, i, 0, 0, 0, 0, 0, 1, 'x' };

		junk.n += put_record(junk.p + junk.n, 22, 0, i, fragment, sizeof fragment);
	}
	take(server, &junk, &more);
	assert_in_range(held - before, 0, 250000);
	junk.n = put_record(junk.p, 22, 0, 20, (const uint8_t[]){ 16, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 1, 'x' }, 13);
	assert_int_equal(take(server, &junk, &more), ERROR_TLS);
	end();
}

static int set_up(void **state)
{
	char error[300];

	(void)state;
	cert_make(&ca, "ca", "Test CA", NULL, -DAY, 300 * DAY, NULL, true);
	cert_make(&cert, "server", "ignored", "DNS:a.test,IP:127.0.0.1", -DAY, 30 * DAY, &ca, false);
	cert_make(&stranger, "stranger", "a.test", "DNS:a.test", -DAY, 30 * DAY, NULL, false);
	client_ctx = tls_context_client_seal(&(struct tls_trust){ .cafile = ca.file }, error, sizeof error);
	server_ctx = tls_context_server_seal(cert.file, cert.keyfile, error, sizeof error);
	return client_ctx && server_ctx ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_context_release(client_ctx);
	tls_context_release(server_ctx);
	cert_free(&ca);
	cert_free(&cert);
	cert_free(&stranger);
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_exchanges),
		cmocka_unit_test(test_lost_and_repeated),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_another_session),
		cmocka_unit_test(test_each_handshake_is_another),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_memory),
	};

	if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free))
		return 1;
	alarm(600);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
