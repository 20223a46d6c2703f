/* links: tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c framing/base64.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c tests/lib/pair.c tests/lib/stream_mem.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto */
/* TLS handshakes over a stream in memory, in both versions: names, protocols, certificates that must be refused, peers
 * that do not do their part, and cuts at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/certs.h"
#include "tests/lib/pair.h"

#define DAY 86400L

static struct cert ip, expired, early, lone, deep, middle, other_ca;

static void version_test(int version, const char *name)
{
	const char *names[] = { "a.test", "A.test", "a.test.", "x.wild.test", "127.0.0.1", "::1" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct stream_info info;

		pair_contexts(&pair_cert, pair_ca.file, version, "h2,http/1.1", "http/1.1,h2");
		pair_connect(names[i], NULL);
		pair_run(LOOP_SECOND);
		pair_expect_open(name, false);
		stream_info(pair.server.stream, &info);
		assert_string_equal(info.alpn, "h2");
		pair_disconnect();
		pair_forget();
	}
}

static void test_versions(void **state)
{
	(void)state;
	version_test(TLS1_2_VERSION, "TLSv1.2");
	version_test(TLS1_3_VERSION, "TLSv1.3");
}

static const char *alpn_of(struct side *s)
{
	struct stream_info i;

	stream_info(s->stream, &i);
	return i.alpn;
}

static void test_alpn(void **state)
{
	static const struct { const char *client, *server, *agreed; } cases[] = {
		{ "h2", "http/1.1", "" },
		{ "http/1.1", NULL, "" },
		{ NULL, "http/1.1", "" },
		{ "http/1.1", "h2,http/1.1", "http/1.1" },
		{ "http/1.1,h2", "h2,http/1.1", "http/1.1" },	/* the client's order decides */
		{ "h2,http/1.1", "http/1.1,h2", "h2" },
		{ "h2", "http/1.1,h2", "h2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pair_contexts(&pair_cert, pair_ca.file, 0, cases[i].client, cases[i].server);
		pair_connect("a.test", NULL);
		pair_run(LOOP_SECOND);
		pair_expect_open("TLSv1.3", false);
		assert_string_equal(alpn_of(&pair.client), cases[i].agreed);
		assert_string_equal(alpn_of(&pair.server), cases[i].agreed);
		pair_disconnect();
		pair_forget();
	}
	assert_null(tls_context_client(NULL, "h2,,http/1.1", pair.error, sizeof pair.error));
	assert_non_null(strstr(pair.error, "h2,,http/1.1"));
}

static void expect_refused(const struct cert *show, const char *cafile, const char *host, const char *a, const char *b)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_contexts(show, cafile, version, NULL, NULL);
		pair_connect(host, NULL);
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.client.ready, 0);
		assert_int_equal(pair.client.error, ERROR_CERTIFICATE);
		if (!strstr(pair.client.reason, a) || !strstr(pair.client.reason, b))
			fail_msg("\"%s\" lacks \"%s\" or \"%s\"", pair.client.reason, a, b);
		/* The server hears of it, in the handshake or (TLS 1.3) behind it. */
		assert_int_equal(pair.server.error, ERROR_TLS);
		assert_non_null(strstr(pair.server.reason, "alert"));
		assert_int_equal(stream_read(pair.client.stream, (uint8_t *)pair.error, 1), ERROR_CERTIFICATE);
		assert_int_equal(stream_write(pair.client.stream, (uint8_t *)pair.error, 1), ERROR_CERTIFICATE);
		pair_disconnect();
		pair_forget();
	}
}

static void test_refused(void **state)
{
	char issuer[] = "'Test \xc3\x96""rtchen? CA'";

	(void)state;
	expect_refused(&pair_cert, other_ca.file, "a.test", issuer, "--cafile");
	expect_refused(&pair_cert, NULL, "a.test", issuer, "--cafile");
	expect_refused(&deep, other_ca.file, "deep.test", "'Middle CA'", "--cafile"); /* the chain lacks it */
	expect_refused(&lone, pair_ca.file, "lone.test", "self-signed ('lone.test')", "--cafile");
	expect_refused(&pair_cert, pair_ca.file, "b.test", "for b.test is for a.test, *.wild.test", "127.0.0.1, ::1");
	expect_refused(&pair_cert, pair_ca.file, "x.y.wild.test", "for x.y.wild.test is for a.test", "");
	expect_refused(&pair_cert, pair_ca.file, "127.0.0.2", "for 127.0.0.2 is for a.test", "");
	expect_refused(&ip, pair_ca.file, "a.test", "is for 127.0.0.1", "");
	expect_refused(&expired, pair_ca.file, "a.test", "expired on 20", "renewed");
	expect_refused(&early, pair_ca.file, "a.test", "not valid before 20", "clock");
}

static void test_trusted_otherwise(void **state)
{
	static const struct { const struct cert *show, *trust; const char *host; } cases[] = {
		{ &lone, &lone, "lone.test" },
		{ &deep, &middle, "deep.test" },	/* not a root, but named by --cafile */
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pair_contexts(cases[i].show, cases[i].trust->file, 0, NULL, NULL);
		pair_connect(cases[i].host, NULL);
		pair_run(LOOP_SECOND);
		pair_expect_open("TLSv1.3", false);
		pair_disconnect();
		pair_forget();
	}
}

static void test_no_host(void **state)
{
	char longest[400];
	const char *hosts[] = { "", ".", longest };

	(void)state;
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	for (size_t i = 0; i < 3; i++) {
		pair_connect(hosts[i], NULL);
		assert_int_equal(pair.client.error, 0); /* not from within the call */
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.client.error, ERROR_CERTIFICATE);
		assert_non_null(strstr(pair.client.reason, "no name or address"));
		assert_int_equal(stream_mem_sent(pair.lower[0]), 0);
		pair_disconnect();
	}
	pair_forget();
}

static void plain_write(struct stream *s, const char *text)
{
	static const struct stream_events none;

	stream_attach(s, &none, NULL);
	assert_int_equal(stream_write(s, (const uint8_t *)text, strlen(text)), (ssize_t)strlen(text));
}

static void test_plaintext_peer(void **state)
{
	static const char *const greetings[] = { "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail.test ESMTP\r\n" };

	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	for (size_t i = 0; i < 4; i++) {
		pair.loop = loop_new_virtual(0, 0);
		stream_mem_pair(pair.loop, &pair.lower[0], &pair.lower[1], NULL);
		pair_init_sides();
		if (i < 3)
			pair.client.stream = stream_tls_client(pair.loop, pair.client_ctx, pair.lower[0], "a.test", &pair_events, &pair.client);
		else	/* the other way round */
			pair.client.stream = stream_tls_server(pair.loop, pair.server_ctx, pair.lower[0], &pair_events, &pair.client);
		plain_write(pair.lower[1], i < 3 ? greetings[i] : "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.client.error, ERROR_TLS);
		assert_string_equal(pair.client.reason, "the other side does not speak TLS on this port");
		stream_close(pair.lower[1]);
		pair_disconnect();
	}
	pair_forget();
}

static void test_old_peer(void **state)
{
	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	SSL_CTX_set_min_proto_version(pair.client_ctx->ctx, TLS1_1_VERSION);
	SSL_CTX_set_max_proto_version(pair.client_ctx->ctx, TLS1_1_VERSION);
	SSL_CTX_set_security_level(pair.client_ctx->ctx, 0);
	SSL_CTX_set_cipher_list(pair.client_ctx->ctx, "ALL:@SECLEVEL=0");
	pair_connect("a.test", NULL);
	pair_run(LOOP_SECOND);
	assert_int_equal(pair.server.error, ERROR_TLS);
	assert_string_equal(pair.server.reason, "the other side speaks no TLS version from 1.2 on");
	assert_int_equal(pair.client.error, ERROR_TLS);
	assert_string_equal(pair.client.reason, "the other side ended TLS with the alert 'protocol version'");
	pair_disconnect();
	pair_forget();
}

/* Cut at every byte of the handshake, either direction: both sides end with a reason, nothing hangs. */
static void test_cut_handshake(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	for (int way = 0; way < 4; way++) {
		pair_contexts(&pair_cert, pair_ca.file, way & 2 ? TLS1_2_VERSION : TLS1_3_VERSION, NULL, NULL);
		SSL_CTX_set_session_cache_mode(pair.client_ctx->ctx, SSL_SESS_CACHE_OFF);
		for (int64_t at = 0; at < 1400; at += at < 20 ? 1 : 37) {
			o.cut_after[0] = o.cut_after[1] = -1;
			o.cut_after[way & 1] = at;
			pair_connect("a.test", &o);
			pair_run(LOOP_SECOND);
			if (!pair.client.ready) {
				assert_int_equal(pair.client.error, ERROR_RESET);
				assert_string_equal(pair.client.reason, "the connection was closed during the TLS handshake");
			}
			if (!pair.server.ready)
				assert_int_equal(pair.server.error, ERROR_RESET);
			pair_disconnect();
		}
		pair_forget();
	}
}

static int make_certs(void **state)
{
	pair_make_certs(state);
	cert_make(&other_ca, "other", "Other CA", NULL, -DAY, 300 * DAY, NULL, true);
	cert_make(&ip, "ip", "ignored", "IP:127.0.0.1", -DAY, 30 * DAY, &pair_ca, false);
	cert_make(&expired, "expired", "a.test", "DNS:a.test", -30 * DAY, -DAY, &pair_ca, false);
	cert_make(&early, "early", "a.test", "DNS:a.test", 30 * DAY, 60 * DAY, &pair_ca, false);
	cert_make(&lone, "lone", "lone.test", "DNS:lone.test", -DAY, 30 * DAY, NULL, true);
	cert_make(&middle, "middle", "Middle CA", NULL, -DAY, 30 * DAY, &pair_ca, true);
	cert_make(&deep, "deep", "deep.test", "DNS:deep.test", -DAY, 30 * DAY, &middle, false);
	return 0;
}

static int drop_certs(void **state)
{
	struct cert *all[] = { &other_ca, &ip, &expired, &early, &lone, &middle, &deep };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		cert_free(all[i]);
	return pair_drop_certs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_trusted_otherwise),
		cmocka_unit_test(test_no_host),
		cmocka_unit_test(test_plaintext_peer),
		cmocka_unit_test(test_old_peer),
		cmocka_unit_test(test_cut_handshake),
	};

	alarm(600); /* whatever happens, end */
	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
