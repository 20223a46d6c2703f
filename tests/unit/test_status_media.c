/* links: client/status_json.c client/status_media.c client/status_text.c tunnel/counters.c tunnel/summary.c framing/traffic.c framing/classify.c framing/cursor.c framing/varint.c */
/* libs: -ljansson */
/* What `culvert status` says of media: on a clean path, on a lossy one, on one that cannot carry it, from second to second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client/status.h"

#define WORDS(field, text) snprintf(field, sizeof(field), "%s", text)

/* Nothing but audio, clean. */
static void quiet_media(struct status_media *m)
{
	memset(m, 0, sizeof *m);
	m->there = true;
	m->in_flight = 340;
	m->in_flight_bound = 24000;
	m->redundancy.left_ms = -1;
	WORDS(m->redundancy.why, "clean");
	m->class[TRAFFIC_AUDIO] = (struct status_class){ .delay_ms = 0.1, .deadline_ms = 200, .sent = 500, .recent = { 300, 0 } };
}

/* A session with two carriers, and audio on it. */
static void begin(struct status *s)
{
	memset(s, 0, sizeof *s);
	WORDS(s->state, "connected");
	WORDS(s->session.tag, "a1b2c3");
	s->session.there = true;
	s->uptime_ms = 60000;
	s->carrier = calloc(2, sizeof *s->carrier);
	assert_non_null(s->carrier);
	s->carriers = 2;
	s->carrier[0].media = s->carrier[1].media = s->carrier[1].streams = true;
	quiet_media(&s->media);
}

static char *shown(const struct status *s, const struct status *before)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	status_text(out, s, before);
	fclose(out);
	return text;
}

static void has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("no '%s' in:\n%s", what, text);
}

static void has_not(const char *text, const char *what)
{
	if (strstr(text, what))
		fail_msg("'%s' in:\n%s", what, text);
}

static void test_media_clean(void **state)
{
	struct status s;
	char *text;

	(void)state;
	begin(&s);
	s.carriers = 1;
	text = shown(&s, NULL);
	has(text, "media     1 carrier, second copies off (clean); path queue 0 ms\n          in flight 340 bytes (streams: up to 24000)\n");
	has(text, "  audio            0      0.1      200      500        0\n");
	has_not(text, "warning");
	has_not(text, "losses and stalls");
	has_not(text, "  video ");
	has_not(text, "kbit/s arrive");
	free(text);
	/* No datagram yet, no session. */
	s.media.class[TRAFFIC_AUDIO].sent = 0;
	text = shown(&s, NULL);
	has_not(text, "media     ");
	has_not(text, "to server");
	free(text);
	status_fini(&s);
}

static void test_media_lossy(void **state)
{
	struct status s;
	char *text;

	(void)state;
	begin(&s);
	s.media.queue_ms = 3.2;
	s.media.rate = 140000;
	s.media.redundancy = (struct status_redundancy){ .on = true, .why = "loss is seen", .left_ms = 22100, .packets = 5000,
							  .copies = 4900, .hedges = 30, .evidence = 41, .recent = { 500, 80000, 520, 75200 } };
	s.media.class[TRAFFIC_VIDEO] = (struct status_class){ .deadline_ms = 400, .sent = 4000, .dropped = { 0, 5, 7 }, .recent = { 880, 120 } };
	text = shown(&s, NULL);
	has(text, "media     2 carriers, second copies on (loss is seen, 23 s left), +94 % bytes; path queue 3 ms\n"
		  "          in flight 340 bytes (streams: up to 24000), 1120 kbit/s arrive\n"
		  "          41 losses and stalls seen; of 5000 packets 4900 went twice, 30 more when they were overdue\n"
		  "warning   the path carries about 1.1 Mbit/s; video is dropped here (12 % of packets)\n");
	has(text, "  video            0      0.0      400     4000       12\n      dropped: 0 no room, 5 waited too long, 7 with their frame\n");
	free(text);
	/* A few of many packets are no reason to warn. */
	s.media.class[TRAFFIC_VIDEO].recent = (struct status_class_recent){ 998, 2 };
	text = shown(&s, NULL);
	has_not(text, "warning");
	free(text);
	s.media.class[TRAFFIC_AUDIO].recent = (struct status_class_recent){ 90, 10 };
	s.media.class[TRAFFIC_VIDEO].recent = (struct status_class_recent){ 0, 60 };
	s.media.rate = 8000;
	text = shown(&s, NULL);
	has(text, "warning   the path carries about 64 kbit/s; audio is dropped here (10 % of packets), video is dropped here (100 %)\n");
	free(text);
	s.media.rate = 0;
	text = shown(&s, NULL);
	has(text, "warning   the path does not carry what comes in; audio is dropped here");
	free(text);
	status_fini(&s);
}

static void test_media_rates(void **state)
{
	struct status before, now;
	char *text;

	(void)state;
	begin(&before);
	begin(&now);
	now.uptime_ms = before.uptime_ms + 2000;
	now.media.class[TRAFFIC_AUDIO].sent = 600;
	now.media.class[TRAFFIC_AUDIO].dropped.deadline = 8;
	text = shown(&now, &before);
	has(text, "to server   waiting  wait ms deadline   sent/s   drop/s\n  audio            0      0.1      200       50        4\n");
	free(text);
	/* Another session counts from its beginning. */
	WORDS(now.session.tag, "other");
	text = shown(&now, &before);
	has(text, "     sent  dropped\n  audio            0      0.1      200      600        8\n");
	free(text);
	status_fini(&before);
	status_fini(&now);
}

static void test_takes(void **state)
{
	struct status s;
	char *text;

	(void)state;
	begin(&s);
	s.carrier[0].in_flight = 1234;
	s.carrier[0].rate = 12500;
	s.carrier[0].overdue_ms = 73;
	s.carrier[1].media = false;
	text = shown(&s, NULL);
	has(text, "exchanges   flight   kbit/s overdue takes\n");
	has(text, "     1234      100      73 media\n");
	has(text, " streams\n");
	free(text);
	status_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_media_clean),
		cmocka_unit_test(test_media_lossy),
		cmocka_unit_test(test_media_rates),
		cmocka_unit_test(test_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
