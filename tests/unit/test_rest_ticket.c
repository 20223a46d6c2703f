/* Tickets: good for what they were made for, for a minute, and for nothing else; every cut and every bit of one. */
/* links: server/rest_ticket.c tunnel/mac.c framing/base64.c framing/cursor.c framing/varint.c framing/error.c */
/* libs: -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/rest_request.h"
#include "server/rest_ticket.h"

#define SID "AAAAAAAAAAAAAAAAAAAAAA"
#define ORIGIN "https://app.example"
#define UNTIL 60000000

static struct mac_key *key;
static struct rest_ticket_holder holder;

static struct rest_ticket of(const char *sid, const char *service, const char *origin)
{
	return (struct rest_ticket){ sid, service, { (const uint8_t *)origin, strlen(origin) } };
}

static void make(char text[REST_TICKET_TEXT], const struct rest_ticket *t, const char *identity)
{
	struct rest_ticket_holder who = { .until_s = 1700000000 };

	memcpy(who.identity, identity, strlen(identity) + 1);
	rest_ticket_write(text, key, t, &who, UNTIL);
}

static bool reads(const struct rest_ticket *t, const char *text, size_t n, int64_t now)
{
	uint8_t *p = malloc(n ? n : 1);
	bool good;

	assert_non_null(p);
	memcpy(p, text, n);
	good = rest_ticket_read(&holder, key, t, (struct span){ p, n }, now);
	free(p);
	return good;
}

static int setup(void **state)
{
	(void)state;
	key = mac_key_new("0123456789abcdef", 16);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mac_key_free(key);
	return 0;
}

static void one_is_for_one_thing(void **state)
{
	const struct rest_ticket t = of(SID, "sig", ORIGIN);
	const struct rest_ticket others[] = {
		of("BAAAAAAAAAAAAAAAAAAAAA", "sig", ORIGIN), of(SID, "sig2", ORIGIN), of(SID, "si", "g" ORIGIN), of(SID, "sig", ""),
		of(SID, "sig", "https://app.example:444"),	of(SID, "sig", "http://app.example"), of(SID, "sig", "null"),
	};
	char text[REST_TICKET_TEXT];
	struct mac_key *mine = key;
	size_t n;

	(void)state;
	make(text, &t, "page");
	n = strlen(text);
	assert_true(n < REST_TICKET_MAX);
	assert_true(reads(&t, text, n, 0));
	assert_string_equal(holder.identity, "page");
	assert_int_equal(holder.until_s, 1700000000);
	assert_true(reads(&t, text, n, UNTIL - 1));
	assert_false(reads(&t, text, n, UNTIL));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(reads(&others[i], text, n, 0));
	key = mac_key_new("0123456789abcdeg", 16);	/* another process */
	assert_false(reads(&t, text, n, 0));
	mac_key_free(key);
	key = mine;
}

static void names_of_any_length(void **state)
{
	const struct rest_ticket t = of(SID, "sig", "");
	char text[REST_TICKET_TEXT], longest[CREDENTIAL_NAME_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	make(text, &t, longest);
	assert_true(strlen(text) < REST_TICKET_TEXT && reads(&t, text, strlen(text), 0));
	assert_string_equal(holder.identity, longest);
	make(text, &t, "a");
	assert_true(reads(&t, text, strlen(text), 0));
	assert_string_equal(holder.identity, "a");
}

static void no_other_text_is_one(void **state)
{
	const struct rest_ticket t = of(SID, "sig", ORIGIN);
	char text[REST_TICKET_TEXT], other[REST_TICKET_TEXT + 100];
	size_t n;

	(void)state;
	make(text, &t, "page");
	n = strlen(text);
	for (size_t i = 0; i < n; i++)
		assert_false(reads(&t, text, i, 0));
	for (size_t i = 0; i < 8 * n; i++) {
		memcpy(other, text, n);
		other[i / 8] = (char)(other[i / 8] ^ 1 << i % 8);
		assert_false(reads(&t, other, n, 0));
	}
	memset(other, 'A', sizeof other);
	for (size_t i = 0; i < sizeof other; i++)
		assert_false(reads(&t, other, i, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_for_one_thing),
		cmocka_unit_test(names_of_any_length),
		cmocka_unit_test(no_other_text_is_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
