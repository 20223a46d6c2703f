/* Path and query of REST requests: what they may be, and every cut of one. */
/* links: framing/rest_request.c framing/target.c framing/base64.c framing/error.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "framing/rest_request.h"
#include "framing/target.h"

#define AT "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA/signal/sig"

static struct rest_request r;

/* In memory of exactly that size: reading beyond it shows. */
static int parse_n(const char *text, size_t n)
{
	uint8_t *p = malloc(n ? n : 1);
	int rc;

	assert_non_null(p);
	memcpy(p, text, n);
	rc = rest_request_parse(&r, "/culvert", (struct span){ p, n });
	free(p);
	return rc;
}

static int parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static void paths(void **state)
{
	(void)state;
	assert_int_equal(parse(AT), 0);
	assert_string_equal(r.sid, "AAAAAAAAAAAAAAAAAAAAAA");
	assert_string_equal(r.service, "sig");
	assert_false(r.ticket_wanted || r.has_after);
	assert_int_equal(parse("https://h:1" AT), 0);
	assert_int_equal(parse(AT "/ticket"), 0);
	assert_true(r.ticket_wanted);
	assert_int_equal(parse("/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0"), ERROR_UNSUPPORTED);
	assert_int_equal(parse("/other/v1/AAAAAAAAAAAAAAAAAAAAAA/signal/sig"), ERROR_UNSUPPORTED);
	assert_int_equal(parse("/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA/signals/sig"), ERROR_UNSUPPORTED);
	assert_int_equal(parse("/culvert/v1/AAAA/signal/sig"), ERROR_MALFORMED);
	assert_int_equal(parse("/culvert/v1/AAAAAAAAAAAAAAAAAAAAA=/signal/sig"), ERROR_MALFORMED);
	assert_int_equal(parse("/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA/signal/"), ERROR_MALFORMED);
	assert_int_equal(parse("/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA/signal/SIG"), ERROR_MALFORMED);
	assert_int_equal(parse(AT "/"), ERROR_MALFORMED);
	assert_int_equal(parse(AT "/x"), ERROR_MALFORMED);
}

static void queries(void **state)
{
	(void)state;
	assert_int_equal(parse(AT "?after=17&wait=20&x=y&stream=1&keepalive=8&for=600"), 0);
	assert_true(r.has_after && r.stream);
	assert_int_equal(r.after, 17);
	assert_int_equal(r.wait_s, 20);
	assert_int_equal(r.keepalive_s, 8);
	assert_int_equal(r.for_s, 600);
	assert_int_equal(parse(AT "?after=9007199254740991"), 0);
	assert_int_equal(parse(AT "?after=9007199254740992"), ERROR_MALFORMED);
	assert_int_equal(parse(AT "?after="), ERROR_MALFORMED);
	assert_int_equal(parse(AT "?after=-1"), ERROR_MALFORMED);
	assert_int_equal(parse(AT "?after=1&after=1"), ERROR_MALFORMED);
	assert_int_equal(parse(AT "?wait=3601"), ERROR_MALFORMED);
	assert_int_equal(parse(AT "?keepalive=0"), ERROR_MALFORMED);
	assert_int_equal(parse(AT "?ticket="), ERROR_MALFORMED);
}

static void cuts(void **state)
{
	static const char whole[] = "https://host" AT "/ticket?after=1&wait=2&ticket=abc";

	(void)state;
	for (size_t n = 0; n < sizeof whole; n++) {
		int rc = parse_n(whole, n);

		assert_true(rc == 0 || rc == ERROR_UNSUPPORTED || rc == ERROR_MALFORMED);
	}
}

static void shown(const char *target, size_t cap, const char *expected)
{
	char *out = malloc(cap);

	assert_non_null(out);
	target_shown((struct span){ (const uint8_t *)target, strlen(target) }, out, cap);
	assert_string_equal(out, expected);
	free(out);
}

static void logs_show_no_tickets(void **state)
{
	(void)state;
	shown("/a?ticket=secret", 101, "/a?ticket=");
	shown("/a?after=1&ticket=secret&wait=2&ticket=more", 101, "/a?after=1&ticket=&wait=2&ticket=");
	shown("https://h/a?ticket=secret&b", 101, "https://h/a?ticket=&b");
	shown("/a?ticket=secret", 11, "/a?ticket=");
	shown("/a?ticket=secret", 8, "/a?tick");
	shown("/a?my-ticket=x&ticke=y", 101, "/a?my-ticket=x&ticke=y");
	shown("ticket=x", 101, "ticket=x");
	shown("", 1, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(paths), cmocka_unit_test(queries), cmocka_unit_test(cuts),
					   cmocka_unit_test(logs_show_no_tickets) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
