/* links: server/visitors.c server/origins.c server/trusted.c framing/forwarded.c framing/http1_head.c tunnel/address.c tunnel/cidr.c tunnel/log.c framing/error.c */
/* Visitors: who asks by each exchange, and how many at a time a client behind proxies has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "server/visitors.h"
#include "tunnel/log.h"

static struct trusted *trusted;
static struct visitors visitors;
static struct visitors_place place;
static struct http1_head head;

static int setup(void **state)
{
	struct address a;

	(void)state;
	trusted = trusted_new(TRUSTED_AUTO);
	assert_true(trusted_add(trusted, "10.0.0.0/8"));
	visitors = (struct visitors){ .trusted = trusted, .max = 2 };
	place = (struct visitors_place){ .proxy = true };
	assert_true(address_literal("10.0.0.1", 99, &a));
	address_text(&a, place.visitor.peer);
	origins_key(&a, place.visitor.origin);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	trusted_free(trusted);
	visitors_fini(&visitors);
	for (size_t i = 0; i < ORIGINS_BUCKETS; i++)
		assert_null(visitors.clients.bucket[i]);
	return 0;
}

static struct front_visitor *take(const char *for_whom)
{
	static const char name[] = "X-Forwarded-For";

	head.count = 0;
	if (for_whom)
		head.header[head.count++] = (struct http1_header){ { (const uint8_t *)name, sizeof name - 1 },
								   { (const uint8_t *)for_whom, strlen(for_whom) } };
	return visitors_take(&visitors, &place, &head);
}

static void give(struct front_visitor *v)
{
	visitors_give(&visitors, &place, v);
}

/* Several clients share a connection, each exchange has its own. */
static void test_names(void **state)
{
	struct front_visitor *one = take("203.0.113.9"), *six = take("[2001:db8::7]:5, 10.0.0.2"), *own = take(NULL), *other = take("10.0.0.3"),
			     *bad = take("203.0.113.9, x");

	(void)state;
	assert_string_equal(one->peer, "203.0.113.9");
	assert_memory_equal(one->origin, "\2\xcb\0\x71\x09\0\0\0\0", SEALS_ORIGIN);
	assert_string_equal(six->peer, "[2001:db8::7]:5");
	assert_memory_equal(six->origin + 1, "\x20\x01\x0d\xb8\0\0\0\0", SEALS_ORIGIN - 1);
	assert_string_equal(own->peer, "10.0.0.1:99");
	assert_string_equal(other->peer, "10.0.0.3");
	assert_string_equal(bad->peer, "10.0.0.1:99");
	give(one), give(six), give(own), give(other), give(bad);
	place.proxy = false;	/* nobody believes it */
	one = take("203.0.113.9");
	assert_string_equal(one->peer, "10.0.0.1:99");
	give(one);
}

static void test_crowd(void **state)
{
	static const enum front_crowd want[] = { FRONT_CROWD_NONE, FRONT_CROWD_NONE, FRONT_CROWD_STRANGERS, FRONT_CROWD_STRANGERS,
						 FRONT_CROWD_ALL, FRONT_CROWD_ALL };
	struct front_visitor *v[6], *other, *own[9];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		v[i] = take("203.0.113.9");
		assert_int_equal(v[i]->crowd, want[i]);
	}
	other = take("203.0.113.10");
	assert_int_equal(other->crowd, FRONT_CROWD_NONE);
	give(other);
	for (size_t i = 0; i < 9; i++) { /* those of proxies are not counted */
		own[i] = take(i % 2 ? NULL : "10.0.0.3");
		assert_int_equal(own[i]->crowd, FRONT_CROWD_NONE);
	}
	for (size_t i = 0; i < 9; i++)
		give(own[i]);
	for (size_t i = 2; i < 6; i++)
		give(v[i]);
	v[2] = take("203.0.113.9");	/* there are two others */
	assert_int_equal(v[2]->crowd, FRONT_CROWD_STRANGERS);
	give(v[0]), give(v[2]);
	v[0] = take("203.0.113.9");
	assert_int_equal(v[0]->crowd, FRONT_CROWD_NONE);
	give(v[0]), give(v[1]);
	/* Of IPv6 the /64. */
	for (size_t i = 0; i < 3; i++)
		v[i] = take(i == 0 ? "2001:db8::1" : i == 1 ? "2001:db8::2:0:0:1" : "2001:db8::3");
	assert_int_equal(v[2]->crowd, FRONT_CROWD_STRANGERS);
	for (size_t i = 0; i < 3; i++)
		give(v[i]);
}

/* Bodies that nobody wants are counted for a connection, unless several clients share it. */
static void test_discarded(void **state)
{
	struct front_visitor *v = take("203.0.113.9");

	(void)state;
	v->discarded = 7;
	give(v);
	v = take("203.0.113.10");
	assert_int_equal(v->discarded, 0);
	give(v);
	place.proxy = false;
	v = take(NULL);
	v->discarded = 7;
	give(v);
	v = take(NULL);
	assert_int_equal(v->discarded, 7);
	give(v);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_names), T(test_crowd), T(test_discarded) };

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
