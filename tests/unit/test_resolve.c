/* links: tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c */
/* libs: -lev -lcares */
/* The resolver, with a name server of our own on the loopback interface: its source is included, so that
 * its c-ares can be pointed there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tunnel/resolve.c"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#define NS_A 1
#define NS_AAAA 28

struct lookup {
	int called, error;
	size_t n;
	struct address address[RESOLVE_MAX];
	int64_t at;
	struct resolve *resolve;
};

/* What the name server says: nothing, an error code, or addresses. */
struct zone {
	const char *name;
	int type, rcode;	/* rcode -1: never answers */
	const char *addresses[4];
};

static const struct zone zones[] = {
	{ "both.test", NS_A, 0, { "127.0.0.1", "127.0.0.2" } },
	{ "both.test", NS_AAAA, 0, { "::1" } },
	{ "four.test", NS_A, 0, { "127.0.0.3" } },
	{ "four.test", NS_AAAA, 0, { NULL } },
	{ "six.test", NS_A, 0, { NULL } },
	{ "six.test", NS_AAAA, 0, { "::1" } },
	{ "lame.test", NS_A, 0, { "127.0.0.4" } },
	{ "lame.test", NS_AAAA, -1, { NULL } },
	{ "silent.test", NS_A, -1, { NULL } },
	{ "silent.test", NS_AAAA, -1, { NULL } },
	{ "failing.test", NS_A, 2, { NULL } },
	{ "failing.test", NS_AAAA, 2, { NULL } },
};

static struct loop *loop;
static struct resolver *resolver;
static struct timer guard;
static struct io ns_io;
static int ns_fd;
static unsigned ns_questions;

/* The name server. */

static const struct zone *ns_find(const char *name, int type)
{
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (!strcasecmp(zones[i].name, name) && zones[i].type == type)
			return &zones[i];
	return NULL;
}

/* The name of the question, with dots; the bytes it takes. */
static size_t ns_name(const uint8_t *p, char *out)
{
	const uint8_t *start = p;

	*out = '\0'; /* the root */
	while (*p) {
		memcpy(out, p + 1, *p);
		out[*p] = p[1 + *p] ? '.' : '\0';
		out += *p + 1;
		p += *p + 1;
	}
	return (size_t)(p + 1 - start);
}

static size_t ns_answer(uint8_t *p, const struct zone *z)
{
	uint8_t head[] = { 0xc0, 12, 0, (uint8_t)z->type, 0, 1, 0, 0, 0, 60, 0, 0 };
	size_t n = z->type == NS_A ? 4 : 16, at = 0;

	head[11] = (uint8_t)n;
	for (int i = 0; i < 4 && z->addresses[i]; i++) {
		memcpy(p + at, head, sizeof head);
		inet_pton(z->type == NS_A ? AF_INET : AF_INET6, z->addresses[i], p + at + sizeof head);
		at += sizeof head + n;
	}
	return at;
}

static void ns_ready(void *ctx, bool readable, bool writable)
{
	uint8_t q[512], a[1024] = { 0 };
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	char name[256];
	const struct zone *z;
	ssize_t n = recvfrom(ns_fd, q, sizeof q, 0, (struct sockaddr *)&from, &len);
	size_t size;

	(void)ctx;
	(void)readable;
	(void)writable;
	assert_true(n > 16);
	ns_questions++;
	size = 12 + ns_name(q + 12, name) + 4;
	z = ns_find(name, q[size - 3]);
	if (z && z->rcode < 0)
		return;
	memcpy(a, q, size);
	a[2] = 0x81;
	a[3] = (uint8_t)(0x80 | (z ? z->rcode : 3));
	memset(a + 6, 0, 6);
	for (int i = 0; z && i < 4 && z->addresses[i]; i++)
		a[7]++;
	size += z ? ns_answer(a + size, z) : 0;
	sendto(ns_fd, a, size, 0, (struct sockaddr *)&from, len);
}

/* Lookups. */

static void on_guard(void *ctx)
{
	(void)ctx;
	loop_break(loop);
}

static void run(int64_t us)
{
	timer_init(&guard, loop, on_guard, NULL);
	timer_in(&guard, us);
	loop_run(loop);
	timer_stop(&guard);
}

static void on_done(void *ctx, const struct address *address, size_t n, int error)
{
	struct lookup *l = ctx;

	l->called++;
	l->error = error;
	l->n = n;
	l->at = loop_now(loop);
	if (n)
		memcpy(l->address, address, n * sizeof *address);
	loop_break(loop);
}

static int64_t lookup(struct lookup *l, const char *host, uint16_t port)
{
	int64_t began = loop_touch(loop);

	memset(l, 0, sizeof *l);
	l->resolve = resolve_start(resolver, host, port, on_done, l);
	assert_int_equal(l->called, 0); /* never from within the call */
	run(8 * LOOP_SECOND);
	assert_int_equal(l->called, 1);
	assert_int_equal(l->n == 0, l->error < 0);
	return l->at - began;
}

static void expect_address(const struct lookup *l, size_t i, const char *text)
{
	char got[ADDRESS_TEXT];

	assert_true(i < l->n);
	assert_string_equal(address_text(&l->address[i], got), text);
}

static int setup(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	char server[64];

	(void)state;
	loop = loop_new();
	resolver = resolver_new(loop);
	ns_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(ns_fd, (struct sockaddr *)&sin, sizeof sin), 0);
	getsockname(ns_fd, (struct sockaddr *)&sin, &len);
	io_init(&ns_io, loop, ns_fd, ns_ready, NULL);
	io_want(&ns_io, true, false);
	ns_questions = 0;
	assert_int_equal(resolver_refresh(resolver), 0);
	snprintf(server, sizeof server, "127.0.0.1:%u", (unsigned)ntohs(sin.sin_port));
	assert_int_equal(ares_set_servers_ports_csv(resolver->channel, server), ARES_SUCCESS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	resolver_free(resolver);
	io_stop(&ns_io);
	close(ns_fd);
	run(1);
	loop_free(loop);
	return 0;
}

static void test_literals(void **state)
{
	struct lookup l;

	(void)state;
	assert_true(lookup(&l, "127.0.0.1", 80) < LOOP_SECOND);
	assert_int_equal(l.n, 1);
	expect_address(&l, 0, "127.0.0.1:80");
	lookup(&l, "::1", 443);
	assert_int_equal(l.n, 1);
	expect_address(&l, 0, "[::1]:443");
	assert_int_equal(ns_questions, 0);
}

static void test_hosts_file(void **state)
{
	struct lookup l;

	(void)state;
	assert_true(lookup(&l, "localhost", 8080) < LOOP_SECOND);
	assert_true(l.n >= 1);
	for (size_t i = 0; i < l.n; i++) {
		char text[ADDRESS_TEXT];

		address_text(&l.address[i], text);
		assert_true(!strcmp(text, "127.0.0.1:8080") || !strcmp(text, "[::1]:8080"));
	}
	assert_int_equal(ns_questions, 0);
}

static void test_names(void **state)
{
	struct lookup l;

	(void)state;
	lookup(&l, "four.test", 5);
	assert_int_equal(l.n, 1);
	expect_address(&l, 0, "127.0.0.3:5");
	lookup(&l, "SIX.test", 6);
	assert_int_equal(l.n, 1);
	expect_address(&l, 0, "[::1]:6");
	lookup(&l, "both.test", 7);	/* the loopback address of IPv6 goes first (RFC 6724), then they alternate */
	assert_int_equal(l.n, 3);
	assert_int_equal(l.address[0].sa.ss_family + l.address[1].sa.ss_family, AF_INET + AF_INET6);
	assert_int_equal(l.address[2].sa.ss_family, AF_INET);
	assert_int_equal(address_port(&l.address[2]), 7);
}

static void test_no_such_name(void **state)
{
	struct lookup l;

	(void)state;
	assert_true(lookup(&l, "nosuchname.invalid", 1) < 5 * LOOP_SECOND + 500 * LOOP_MS);
	assert_true(l.error == ERROR_RESOLVE || l.error == ERROR_TIMEOUT);
	lookup(&l, "gone.test", 1);
	assert_int_equal(l.error, ERROR_RESOLVE);
	lookup(&l, "failing.test", 1);
	assert_int_equal(l.error, ERROR_RESOLVE);
	lookup(&l, "", 1);
	assert_true(l.error < 0);
	lookup(&l, "bad..name", 1);
	assert_true(l.error < 0);
}

/* A server that never answers AAAA costs about a second, not the lookup. */
static void test_lame(void **state)
{
	struct lookup l;

	(void)state;
	assert_true(lookup(&l, "lame.test", 9) < 3 * LOOP_SECOND);
	assert_int_equal(l.n, 1);
	expect_address(&l, 0, "127.0.0.4:9");
}

static void test_silent(void **state)
{
	struct lookup l;

	(void)state;
	assert_true(lookup(&l, "silent.test", 9) < 5 * LOOP_SECOND + 500 * LOOP_MS);
	assert_int_equal(l.error, ERROR_TIMEOUT);
}

static void test_cancel(void **state)
{
	struct lookup l[3] = { { 0 } };

	(void)state;
	l[0].resolve = resolve_start(resolver, "127.0.0.1", 1, on_done, &l[0]);
	l[1].resolve = resolve_start(resolver, "silent.test", 1, on_done, &l[1]);
	l[2].resolve = resolve_start(resolver, "four.test", 1, on_done, &l[2]);
	resolve_cancel(l[0].resolve);
	resolve_cancel(l[1].resolve);
	run(3 * LOOP_SECOND);
	assert_int_equal(l[0].called, 0);
	assert_int_equal(l[1].called, 0);
	assert_int_equal(l[2].called, 1);
	resolve_start(resolver, "silent.test", 1, on_done, &l[1]); /* ended with the resolver */
	run(50 * LOOP_MS);
	assert_int_equal(l[1].called, 0);
}

/* On another network the name servers of the old one are not waited for. */
static void test_renew(void **state)
{
	struct lookup old = { 0 }, fresh = { 0 };
	ares_channel channel = resolver->channel;

	(void)state;
	resolve_start(resolver, "silent.test", 1, on_done, &old);
	run(50 * LOOP_MS);
	assert_int_equal(resolver_refresh(resolver), 0);
	assert_ptr_equal(resolver->channel, channel);
	assert_true(resolver->questions > 0);
	resolver_renew(resolver);
	fresh.resolve = resolve_start(resolver, "192.0.2.7", 1, on_done, &fresh);	/* asks nobody */
	assert_int_equal(resolver_refresh(resolver), 0);
	assert_int_equal(resolver->questions, 0);
	run(50 * LOOP_MS);
	run(50 * LOOP_MS);
	assert_int_equal(old.called, 1);
	assert_int_equal(old.error, ERROR_RESOLVE);
	assert_int_equal(fresh.called, 1);
	assert_int_equal(fresh.error, 0);
}

static void test_many(void **state)
{
	struct lookup l[50] = { { 0 } };
	int called = 0;

	(void)state;
	for (int i = 0; i < 50; i++)
		resolve_start(resolver, i % 2 ? "both.test" : "gone.test", 1, on_done, &l[i]);
	for (int i = 0; i < 200 && called < 50; i++) {
		run(20 * LOOP_MS);
		called = 0;
		for (int k = 0; k < 50; k++)
			called += l[k].called;
	}
	for (int i = 0; i < 50; i++) {
		assert_int_equal(l[i].called, 1);
		assert_int_equal(l[i].n, i % 2 ? 3 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_literals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hosts_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_such_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	alarm(120); /* whatever happens, end */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
