/* links: tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c framing/base64.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c tests/lib/pair.c tests/lib/stream_mem.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto */
/* What a TLS context does beyond one stream: sessions are resumed, each ticket once and for its host only, and files
 * that cannot be used are refused with a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/certs.h"
#include "tests/lib/pair.h"

#define DAY 86400L

static struct cert mismatch;

static bool once(const char *host)
{
	struct stream_info c, s;

	pair_connect(host, NULL);
	pair_run(LOOP_SECOND);
	assert_int_equal(pair.client.ready, 1);
	stream_info(pair.client.stream, &c);
	stream_info(pair.server.stream, &s);
	assert_int_equal(c.resumed, s.resumed);
	pair_disconnect();
	return c.resumed;
}

static void test_resumption_13(void **state)
{
	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, TLS1_3_VERSION, NULL, NULL);
	assert_false(once("a.test"));
	assert_int_equal(pair.client_ctx->ticket_count, 2);
	assert_true(once("a.test"));
	assert_int_equal(pair.client_ctx->ticket_count, 2); /* one used, one new */
	assert_false(once("x.wild.test"));		/* another host: never its session */
	assert_int_equal(pair.client_ctx->ticket_count, 4);
	assert_true(once("a.test"));
	assert_true(once("a.test"));
	SSL_CTX_set_num_tickets(pair.server_ctx->ctx, 20);
	assert_true(once("x.wild.test"));
	assert_false(once("127.0.0.1"));
	assert_int_equal(pair.client_ctx->ticket_count, TLS_TICKETS);
	pair_forget();
}

/* Each ticket is used once: both of one connection serve, then no more until new ones came. */
static void test_tickets_once(void **state)
{
	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, TLS1_3_VERSION, NULL, NULL);
	assert_false(once("a.test"));
	SSL_CTX_set_num_tickets(pair.server_ctx->ctx, 0);
	assert_true(once("a.test"));
	assert_true(once("a.test"));
	assert_int_equal(pair.client_ctx->ticket_count, 0);
	assert_false(once("a.test"));
	pair_forget();
}

static void test_resumption_12(void **state)
{
	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, TLS1_2_VERSION, NULL, NULL);
	assert_false(once("a.test"));
	for (int i = 0; i < 12; i++)
		assert_true(once("a.test"));
	assert_true(pair.client_ctx->ticket_count >= 1);
	assert_false(once("x.wild.test"));
	/* A server that forgot: a full handshake, no error. */
	tls_context_release(pair.server_ctx);
	pair.server_ctx = tls_context_server(pair_cert.file, pair_cert.keyfile, NULL, pair.error, sizeof pair.error);
	assert_false(once("a.test"));
	pair_forget();
}

/* A connection that was cut leaves its tickets good. */
static void test_resumption_after_cut(void **state)
{
	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_contexts(&pair_cert, pair_ca.file, version, NULL, NULL);
		pair_connect("a.test", NULL);
		pair_run(LOOP_SECOND);
		stream_mem_cut(pair.lower[0]);
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.client.error, ERROR_RESET);
		pair_disconnect();
		assert_true(once("a.test"));
		pair_forget();
	}
}

static void expect_no_server(const char *cert, const char *key, const char *why)
{
	pair.error[0] = '\0';
	assert_null(tls_context_server(cert, key, NULL, pair.error, sizeof pair.error));
	if (!strstr(pair.error, why))
		fail_msg("\"%s\" lacks \"%s\"", pair.error, why);
}

static const char *file_with(const char *name, const char *text)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", certs_dir(), name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	return path;
}

static const char *encrypted_key(void)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/locked.key", certs_dir());
	f = fopen(path, "w");
	assert_true(PEM_write_PrivateKey(f, pair_cert.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL));
	fclose(f);
	return path;
}

static struct tls_context *client_with(const char *cafile)
{
	return tls_context_client(&(struct tls_trust){ .cafile = cafile }, NULL, pair.error, sizeof pair.error);
}

static void test_bad_files(void **state)
{
	char want[400];
	const char *path;

	(void)state;
	expect_no_server("/nonexistent/c.pem", pair_cert.keyfile, "cannot read certificate /nonexistent/c.pem: No such file or directory");
	expect_no_server(pair_cert.file, "/nonexistent/x.key", "cannot read key /nonexistent/x.key: No such file or directory");
	snprintf(want, sizeof want, "key %s does not belong to certificate %s", mismatch.keyfile, pair_cert.file);
	expect_no_server(pair_cert.file, mismatch.keyfile, want);
	expect_no_server(pair_cert.file, pair_cert.file, "cannot read key");
	expect_no_server(pair_cert.keyfile, pair_cert.keyfile, "nothing in PEM format");
	expect_no_server(pair_cert.file, encrypted_key(), "it is protected by a passphrase; give one without");
	path = file_with("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	expect_no_server(path, pair_cert.keyfile, "cannot read certificate");
	if (geteuid() != 0) {
		chmod(pair_cert.keyfile, 0);
		expect_no_server(pair_cert.file, pair_cert.keyfile, "Permission denied");
		chmod(pair_cert.keyfile, 0600);
	}
	assert_null(client_with("/nonexistent/ca.pem"));
	assert_string_equal(pair.error, "cannot read CA certificates /nonexistent/ca.pem: No such file or directory");
	assert_null(client_with(file_with("empty.pem", "")));
	assert_non_null(strstr(pair.error, "empty.pem"));
	assert_null(client_with(certs_dir()));
	tls_context_release(NULL);
}

static int make_certs(void **state)
{
	pair_make_certs(state);
	cert_make(&mismatch, "mismatch", "m.test", NULL, -DAY, 30 * DAY, &pair_ca, false);
	return 0;
}

static int drop_certs(void **state)
{
	cert_free(&mismatch);
	return pair_drop_certs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resumption_13),
		cmocka_unit_test(test_tickets_once),
		cmocka_unit_test(test_resumption_12),
		cmocka_unit_test(test_resumption_after_cut),
		cmocka_unit_test(test_bad_files),
	};

	alarm(600); /* whatever happens, end */
	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
