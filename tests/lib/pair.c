/* The sides of a pair, their contexts and certificates. Called by the tests of stream_tls and tls_context. */
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "framing/error.h"

#define DAY 86400L

struct pair pair;
struct cert pair_ca, pair_cert;

static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16));
}

void pair_want(struct side *s)
{
	stream_want(s->stream, !s->eof && !s->paused && !s->error, s->out < s->total && !s->error);
}

static void side_stop(struct side *s, int code)
{
	s->error = code;
	snprintf(s->reason, sizeof s->reason, "%s", stream_tls_reason(s->stream));
}

static void on_ready(void *ctx)
{
	struct side *s = ctx;

	s->ready++;
	pair_want(s);
}

static void on_readable(void *ctx)
{
	struct side *s = ctx;
	uint8_t buf[20000];
	ssize_t n = stream_read(s->stream, buf, s->piece);

	s->readable++;
	assert_false(s->paused);
	if (n == ERROR_AGAIN)
		return;
	if (n < 0)
		side_stop(s, (int)n);
	if (n == 0)
		s->eof = true;
	for (ssize_t i = 0; i < n; i++)
		s->broken |= buf[i] != pattern(s->in++);
	if (s->pause_at && s->in >= s->pause_at) {
		s->paused = true;
		s->pause_at = 0;
	}
	pair_want(s);
}

static void on_writable(void *ctx)
{
	struct side *s = ctx;
	uint8_t buf[20000];
	size_t n = s->total - s->out < s->piece ? s->total - s->out : s->piece;
	ssize_t taken;

	s->writable++;
	for (size_t i = 0; i < n; i++)
		buf[i] = pattern(s->out + i);
	taken = stream_write(s->stream, buf, n);
	if (taken > 0)
		s->out += (uint64_t)taken;
	else if (taken != ERROR_AGAIN)
		side_stop(s, (int)taken);
	pair_want(s);
}

static void on_failed(void *ctx, int code)
{
	assert_int_equal(((struct side *)ctx)->error, 0);
	side_stop(ctx, code);
}

const struct stream_events pair_events = { on_ready, on_readable, on_writable, on_failed };

void pair_contexts(const struct cert *show, const char *cafile, int version, const char *alpn, const char *server_alpn)
{
	pair.client_ctx = tls_context_client(&(struct tls_trust){ .cafile = cafile }, alpn, pair.error, sizeof pair.error);
	assert_non_null(pair.client_ctx);
	pair.server_ctx = tls_context_server(show->file, show->keyfile, server_alpn, pair.error, sizeof pair.error);
	assert_non_null(pair.server_ctx);
	SSL_CTX_set_max_proto_version(pair.server_ctx->ctx, version);
}

void pair_forget(void)
{
	tls_context_release(pair.client_ctx);
	tls_context_release(pair.server_ctx);
}

static void side_init(struct side *s)
{
	memset(s, 0, sizeof *s);
	s->piece = 16384;
}

void pair_init_sides(void)
{
	side_init(&pair.client);
	side_init(&pair.server);
}

void pair_connect_over(const char *host)
{
	pair_init_sides();
	pair.client.stream = stream_tls_client(pair.loop, pair.client_ctx, pair.lower[0], host, &pair_events, &pair.client);
	pair.server.stream = stream_tls_server(pair.loop, pair.server_ctx, pair.lower[1], &pair_events, &pair.server);
}

void pair_connect(const char *host, const struct stream_mem_options *o)
{
	pair.loop = loop_new_virtual(0, 0);
	stream_mem_pair(pair.loop, &pair.lower[0], &pair.lower[1], o);
	pair_connect_over(host);
}

void pair_run(int64_t us)
{
	loop_advance(pair.loop, loop_now(pair.loop) + us);
}

void pair_disconnect(void)
{
	if (pair.client.stream)
		stream_close(pair.client.stream);
	if (pair.server.stream)
		stream_close(pair.server.stream);
	pair_run(LOOP_SECOND);
	loop_free(pair.loop);
}

void pair_expect_open(const char *version, bool resumed)
{
	struct stream_info i;

	assert_int_equal(pair.client.ready, 1);
	assert_int_equal(pair.server.ready, 1);
	stream_info(pair.client.stream, &i);
	assert_string_equal(i.tls, version);
	assert_int_equal(i.resumed, resumed);
	assert_string_not_equal(i.peer, "");
	assert_string_equal(stream_tls_reason(pair.client.stream), "");
}

int pair_make_certs(void **state)
{
	(void)state;
	cert_make(&pair_ca, "ca", "Test \xc3\x96rtchen\x01 CA", NULL, -DAY, 300 * DAY, NULL, true);
	cert_make(&pair_cert, "server", "ignored", "DNS:a.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1", -DAY, 30 * DAY, &pair_ca,
		  false);
	return 0;
}

int pair_drop_certs(void **state)
{
	(void)state;
	cert_free(&pair_ca);
	cert_free(&pair_cert);
	certs_remove();
	return 0;
}
