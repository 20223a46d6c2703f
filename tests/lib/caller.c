/* Dialling in tests: contexts, set-up, and what every dial has to keep. Called by the tests of the dialler. */
#include "tests/lib/caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/lib/certs.h"
#include "tests/lib/names.h"
#include "tests/lib/prover.h"
#include "tests/lib/there.h"
#include "tests/lib/turns.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

#define DAY 86400L

struct caller caller;
static struct cert ca, cert;

static void on_done(void *ctx, struct stream *s, int error, const char *why)
{
	struct outcome *o = ctx;
	static const struct stream_events none;

	assert_false(o->starting);
	assert_int_equal(s == NULL, error < 0);
	o->called++;
	o->error = error;
	o->stream = s;
	snprintf(o->why, sizeof o->why, "%s", why);
	if (s)
		stream_attach(s, &none, NULL);
	loop_break(caller.loop);
}

void caller_begin(struct outcome *o)
{
	const struct pool_dialler *d = dialler_pool(caller.dialler);

	memset(o, 0, sizeof *o);
	o->starting = true;
	o->dial = d->start(d->ctx, caller.versions, on_done, o);
	o->starting = false;
}

void caller_dial(struct outcome *o)
{
	caller_begin(o);
	while (!o->called)
		assert_true(turns_run(caller.loop, 15 * LOOP_SECOND));
	assert_int_equal(o->called, 1);
}

struct proxy *caller_add(enum proxy_kind kind, const char *host, uint16_t port)
{
	static const char *const front[] = { "", "https://", "socks5://" };
	struct proxy *p = &caller.chain.hop[caller.chain.n++];

	memset(p, 0, sizeof *p);
	p->kind = kind;
	p->port = port;
	snprintf(p->host, sizeof p->host, "%s", host);
	snprintf(p->shown, sizeof p->shown, "%s%s:%u", front[kind], host, port);
	return p;
}

void caller_make(void)
{
	caller.config.chain = &caller.chain;
	caller.dialler = dialler_new(&caller.config);
}

void caller_direct(const char *host)
{
	caller.config.server_host = host;
	caller.config.server_port = address_port(&there.address);
	caller.chain.n = 0;
	caller_make();
}

void caller_proxied(const char *reply)
{
	there.reply = reply;
	caller.config.server_host = "a.test";
	caller.config.server_port = 443;
	caller.chain.n = 0;
	caller_add(PROXY_HTTP, "127.0.0.1", address_port(&there.address));
	caller_make();
}

void caller_finish(struct outcome *o)
{
	if (o->stream)
		stream_close(o->stream);
	dialler_free(caller.dialler);
	caller.dialler = NULL;
	turns_run(caller.loop, 10 * LOOP_MS);
	there_close_peers();
	turns_run(caller.loop, LOOP_MS);
}

/* In "%P" stands the port of the other end. */
static const char *with_port(const char *text)
{
	static char out[700];
	const char *mark = strstr(text, "%P");

	if (!mark)
		return text;
	snprintf(out, sizeof out, "%.*s%u%s", (int)(mark - text), text, (unsigned)address_port(&there.address), mark + 2);
	return out;
}

void caller_expect_failure(int error, const char *why)
{
	struct outcome o;
	uint64_t failed = counted(connections_failed);

	caller_dial(&o);
	assert_int_equal(o.error, error);
	if (!strstr(o.why, with_port(why)))
		fail_msg("\"%s\" lacks \"%s\"", o.why, with_port(why));
	assert_int_equal(counted(connections_failed), failed + 1);
	caller_finish(&o);
}

void caller_expect_success(bool tls)
{
	struct outcome o;
	struct stream_info info;
	uint8_t buf[8];

	caller_dial(&o);
	if (o.error)
		fail_msg("%d: %s", o.error, o.why);
	stream_info(o.stream, &info);
	assert_string_equal(info.tls, tls ? "TLSv1.3" : "");
	assert_int_equal(stream_write(o.stream, (const uint8_t *)"ping", 4), 4);
	for (int i = 0; i < 200 && stream_read(o.stream, buf, sizeof buf) != 4; i++)
		turns_run(caller.loop, 5 * LOOP_MS);
	assert_memory_equal(buf, "ping", 4);
	caller_finish(&o);
}

int caller_setup(void **state)
{
	(void)state;
	caller.loop = loop_new();
	names_reset(caller.loop);
	prover_reset(caller.loop);
	memset(&caller.config, 0, sizeof caller.config);
	memset(&caller.chain, 0, sizeof caller.chain);
	caller.config.loop = caller.loop;
	caller.config.tls = caller.config.proxy_tls = caller.client_tls;
	there_listen(caller.loop, caller.server_tls, "127.0.0.1");
	names.address[0] = there.address;
	names.n = 1;
	return 0;
}

int caller_teardown(void **state)
{
	(void)state;
	there_stop();
	loop_free(caller.loop);
	return 0;
}

int caller_make_contexts(void **state)
{
	char error[512];

	(void)state;
	log_setup(LOG_LEVEL_ERROR, false);
	cert_make(&ca, "ca", "Dial CA", NULL, -DAY, 30 * DAY, NULL, true);
	cert_make(&cert, "server", "ignored", "DNS:a.test,IP:127.0.0.1,IP:::1", -DAY, 30 * DAY, &ca, false);
	caller.client_tls = tls_context_client(&(struct tls_trust){ .cafile = ca.file }, "http/1.1", error, sizeof error);
	caller.distrusting_tls = tls_context_client(NULL, NULL, error, sizeof error);
	caller.server_tls = tls_context_server(cert.file, cert.keyfile, "http/1.1,h2", error, sizeof error);
	assert_true(caller.client_tls && caller.distrusting_tls && caller.server_tls);
	return 0;
}

int caller_drop_contexts(void **state)
{
	(void)state;
	tls_context_release(caller.client_tls);
	tls_context_release(caller.distrusting_tls);
	tls_context_release(caller.server_tls);
	cert_free(&ca);
	cert_free(&cert);
	certs_remove();
	return 0;
}
