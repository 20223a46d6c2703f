/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/* Dressed connections: what a proxy wants of each request, and requests that go again behind a 407. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk.h"
#include "tunnel/dress.h"

#define REFUSAL "HTTP/1.1 407 Who\r\nProxy-Authenticate: Fake\r\nContent-Length: 4\r\n\r\n<ha>"
#define REFUSAL_CLOSE "HTTP/1.1 407 Who\r\nConnection: close\r\nContent-Length: 4\r\n\r\n<ha>"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A dress that counts, and whose credentials change with each refusal. */
static struct fake {
	struct dress dress;
	char target[64], lines[64];
	int asked, refused, accepted, released;
	bool hopeless;
} fake;

static int fake_request(struct dress *d, const struct exchange_head *in, struct exchange_head *out)
{
	struct fake *f = (struct fake *)d;

	f->asked++;
	*out = *in;
	snprintf(f->target, sizeof f->target, "http://h%s", in->target);
	snprintf(f->lines, sizeof f->lines, "%sTry: %d\r\n", in->lines, f->refused);
	out->target = f->target;
	out->lines = f->lines;
	return 0;
}

static int fake_refused(struct dress *d, const struct http1_head *head)
{
	(void)head;
	((struct fake *)d)->refused++;
	return ((struct fake *)d)->hopeless ? ERROR_PROXY_AUTH : 0;
}

static void fake_accepted(struct dress *d, const struct http1_head *head)
{
	(void)head;
	((struct fake *)d)->accepted++;
}

static void fake_release(struct dress *d)
{
	((struct fake *)d)->released++;
}

static const struct dress_ops fake_ops = { fake_request, fake_refused, fake_accepted, fake_release };

static void set_up(void)
{
	fake = (struct fake){ .dress = { &fake_ops } };
	talk.dress = &fake.dress;
	talk_set_up_client(NULL);
	talk.client.head.lines = "A: b\r\n";
	talk.client.total = 3;
	talk.client.portion = 3;
}

static void tear_down(void)
{
	talk_tear_down();
	assert_int_equal(fake.released, 1);
}

static const char *body(void)
{
	return strstr(raw.in, "\r\n\r\n") + 4;
}

static void test_dressed(void **state)
{
	static const char head[] = "POST http://h/x?y HTTP/1.1\r\nHost: h\r\nA: b\r\nTry: 0\r\nContent-Length: 3\r\n\r\n";

	(void)state;
	set_up();
	talk_ask(&talk.client);
	talk_settle();
	assert_memory_equal(raw.in, head, sizeof head - 1);
	assert_int_equal(raw.n, sizeof head - 1 + 3);
	talk_say(OK);
	assert_int_equal(fake.accepted, 1);
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, 0);
	tear_down();
}

/* Whoever asked sees one answer; the body comes again as it was. */
static void test_again(void **state)
{
	char sent[4] = "";

	(void)state;
	set_up();
	talk_ask(&talk.client);
	talk_settle();
	memcpy(sent, body(), 3);
	for (int i = 1; i <= 2; i++) {
		raw.n = 0;
		memset(raw.in, 0, sizeof raw.in);
		talk_say(REFUSAL);
		assert_int_equal(talk.client.heads, 0);
		assert_int_equal(talk.client.got, 0);
		assert_non_null(strstr(raw.in, i == 1 ? "Try: 1\r\n" : "Try: 2\r\n"));
		assert_non_null(strstr(raw.in, "POST http://h/x?y HTTP/1.1\r\nHost: h\r\nA: b\r\n"));
		assert_string_equal(body(), sent);
	}
	talk_say(OK);
	assert_int_equal(talk.client.heads, 1);
	assert_int_equal(talk.client.status, 200);
	assert_string_equal(talk.client.text, "ok");
	assert_int_equal(talk.client.error, 0);
	assert_int_equal(talk.client.idles, 1);
	/* The next exchange counts anew. */
	talk.client.sent = 0;
	talk.client.ended = false;
	talk_ask(&talk.client);
	talk_say(REFUSAL);
	talk_say(OK);
	assert_int_equal(talk.client.heads, 2);
	assert_int_equal(talk.client.closed, 2);
	tear_down();
}

/* Refusals cut at each byte, in the middle of what is to be read over. */
static void test_again_in_pieces(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < sizeof REFUSAL - 1; cut++) {
		char first[sizeof REFUSAL];

		set_up();
		talk_ask(&talk.client);
		snprintf(first, sizeof first, "%.*s", (int)cut, REFUSAL);
		talk_say(first);
		talk_say(&REFUSAL[cut]);
		assert_int_equal(fake.asked, 2);
		talk_say(OK);
		assert_string_equal(talk.client.text, "ok");
		tear_down();
	}
}

static void test_not_for_ever(void **state)
{
	(void)state;
	set_up();
	talk_ask(&talk.client);
	for (int i = 0; i < 5; i++)
		talk_say(REFUSAL);
	assert_int_equal(fake.asked, 5);
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, ERROR_PROXY_AUTH);
	assert_int_equal(talk.client.over, 1);
	tear_down();
}

static void test_hopeless(void **state)
{
	(void)state;
	set_up();
	fake.hopeless = true;
	talk_ask(&talk.client);
	talk_say(REFUSAL);
	assert_int_equal(fake.asked, 1);
	assert_int_equal(talk.client.error, ERROR_PROXY_AUTH);
	tear_down();
}

/* The connection ends with the refusal: the dress has learned, another connection may serve. */
static void test_connection_ends(void **state)
{
	(void)state;
	set_up();
	talk_ask(&talk.client);
	talk_say(REFUSAL_CLOSE);
	assert_int_equal(fake.refused, 1);
	assert_int_equal(talk.client.heads, 0);
	assert_int_equal(talk.client.error, ERROR_AGAIN);
	tear_down();
}

static void test_streamed(void **state)
{
	(void)state;
	set_up();
	talk.client.head.streamed = true;
	talk.client.end_late = true;
	talk_ask(&talk.client);
	talk_say(REFUSAL);
	assert_int_equal(fake.refused, 1);
	assert_int_equal(talk.client.heads, 0);
	assert_int_equal(talk.client.error, ERROR_AGAIN);
	tear_down();
}

/* The owner leaves between the refusal's head and its end. */
static void test_aborted(void **state)
{
	(void)state;
	set_up();
	talk_ask(&talk.client);
	talk_say("HTTP/1.1 407 Who\r\nContent-Length: 4\r\n\r\n<h");
	exchange_abort(talk.client.x);
	talk.client.x = NULL;
	talk_settle();
	assert_int_equal(fake.asked, 1);
	assert_int_equal(talk.client.over, 1);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dressed),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_again_in_pieces),
		cmocka_unit_test(test_not_for_ever),
		cmocka_unit_test(test_hopeless),
		cmocka_unit_test(test_connection_ends),
		cmocka_unit_test(test_streamed),
		cmocka_unit_test(test_aborted),
	};

	return cmocka_run_group_tests_name("h1_again", tests, NULL, NULL);
}
