// links: tunnel/summary.c framing/traffic.c framing/classify.c framing/cursor.c framing/varint.c
/* Sentences about media. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tunnel/summary.h"

static void line_is(const struct summary *s, const char *expected)
{
	char text[SUMMARY_TEXT];

	assert_string_equal(summary_line(s, text), expected);
}

static void test_line(void **state)
{
	struct summary s = { .carriers = 8, .on = true, .why = "loss is seen", .left_ms = 22001, .queue_ms = 3.4,
			     .recent = { .packets = 500, .bytes = 80000, .again = 520, .again_bytes = 75200 } };

	(void)state;
	line_is(&s, "8 carriers, second copies on (loss is seen, 23 s left), +94 % bytes; path queue 3 ms");
	s.left_ms = -1;
	s.why = "always";
	line_is(&s, "8 carriers, second copies on (always), +94 % bytes; path queue 3 ms");
	s = (struct summary){ .carriers = 1, .why = "clean", .left_ms = -1 };
	line_is(&s, "1 carrier, second copies off (clean); path queue 0 ms");
	s.why = "";
	line_is(&s, "1 carrier, second copies off; path queue 0 ms");
	s.left_ms = 1000;
	line_is(&s, "1 carrier, second copies off (1 s left); path queue 0 ms");
	/* An older helper may say more than there is room for here. */
	char why[2 * SUMMARY_TEXT], text[SUMMARY_TEXT];
	memset(why, 'x', sizeof why - 1);
	why[sizeof why - 1] = 0;
	s.why = why;
	assert_int_equal(strlen(summary_line(&s, text)), SUMMARY_TEXT - 1);
}

static void warns(const struct summary *s, const char *expected)
{
	char text[SUMMARY_TEXT];

	assert_int_equal(summary_warning(s, text), *expected != 0);
	assert_string_equal(text, expected);
}

static void test_warning(void **state)
{
	struct summary s = { .why = "", .rate = 137500 };

	(void)state;
	warns(&s, "");
	s.recent.sent[TRAFFIC_AUDIO] = 300;
	warns(&s, "");
	/* A few. */
	s.recent.dropped[TRAFFIC_VIDEO] = 2;
	warns(&s, "");
	s.recent.sent[TRAFFIC_VIDEO] = 1000;
	s.recent.dropped[TRAFFIC_VIDEO] = 9;
	warns(&s, "");
	s.recent.sent[TRAFFIC_VIDEO] = 880;
	s.recent.dropped[TRAFFIC_VIDEO] = 120;
	warns(&s, "the path carries about 1.1 Mbit/s; video is dropped here (12 % of packets)");
	s.rate = 8000;
	s.recent.dropped[TRAFFIC_AUDIO] = 100;
	warns(&s, "the path carries about 64 kbit/s; audio is dropped here (25 % of packets), video is dropped here (12 %)");
	s.rate = 0;
	s.recent.dropped[TRAFFIC_AUDIO] = 0;
	warns(&s, "the path does not carry what comes in; video is dropped here (12 % of packets)");
}

static void test_percent(void **state)
{
	(void)state;
	assert_int_equal((int)summary_percent(0, 0), 0);
	assert_int_equal((int)summary_percent(5, 0), 0);
	assert_int_equal((int)summary_percent(1, 4), 25);
	assert_int_equal((int)summary_percent(UINT64_C(1) << 62, UINT64_C(1) << 61), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_warning),
		cmocka_unit_test(test_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
