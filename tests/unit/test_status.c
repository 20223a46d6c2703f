/* links: client/status_json.c client/status_media.c client/status_text.c client/screen.c client/place.c tunnel/counters.c tunnel/summary.c framing/traffic.c framing/classify.c framing/cursor.c framing/varint.c */
/* libs: -ljansson */
/* Status in its two forms: everything survives JSON, the text tells the same; screens are cut to size; where sockets are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/place.h"
#include "client/screen.h"
#include "client/status.h"

/* ---- a status with a value of its own in every field ---- */

static int64_t next_value;

static void fill_numbers(int64_t *first, size_t n)
{
	while (n--)
		*first++ = ++next_value;
}

#define NUMBERS(first, last) fill_numbers(&(first), (size_t)(&(last) - &(first)) + 1)
#define WORDS(field, text) snprintf(field, sizeof(field), "%s", text)

static void fill_path(struct status_path *p)
{
	WORDS(p->rung, "split");
	WORDS(p->why, "both at once is held");
	WORDS(p->http, "HTTP/2");
	NUMBERS(p->since_ms, p->stalls);
	NUMBERS(p->connections.open, p->connections.peak);
	NUMBERS(p->cuts.age_ms, p->cuts.count);
	WORDS(p->findings.duplex, "held");
	WORDS(p->findings.up, "passes");
	WORDS(p->findings.down, "passes");
	NUMBERS(p->fleet.wanted, p->fleet.failed);
	WORDS(p->fleet.why, "connections are few");
	p->next_probe_ms = ++next_value;
}

static void fill_media(struct status_media *m)
{
	m->there = true;
	m->queue_ms = 3.25;
	NUMBERS(m->rate, m->recent_ms);
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		NUMBERS(m->class[c].waiting_packets, m->class[c].waiting_bytes);
		m->class[c].delay_ms = 0.5 + c;
		NUMBERS(m->class[c].deadline_ms, m->class[c].recent.dropped);
	}
	m->redundancy.on = true;
	WORDS(m->redundancy.why, "loss is seen");
	NUMBERS(m->redundancy.since_ms, m->redundancy.recent.again_bytes);
}

static void *array(size_t n, size_t size)
{
	void *p = calloc(n, size);

	assert_non_null(p);
	return p;
}

static void fill_channels(struct status *s, size_t n)
{
	s->channel = array(n, sizeof *s->channel);
	s->channels = n;
	for (size_t i = 0; i < n; i++) {
		WORDS(s->channel[i].kind, i % 2 ? "stream" : "datagram");
		WORDS(s->channel[i].service, "rtp");
		NUMBERS(s->channel[i].packets_in, s->channel[i].queue);
		s->channel[i].id = (int64_t)(2 * i + 2);
	}
}

static void fill_forwards(struct status *s, size_t n)
{
	s->forward = array(n, sizeof *s->forward);
	s->forwards = n;
	for (size_t i = 0; i < n; i++) {
		WORDS(s->forward[i].scheme, "udp");
		snprintf(s->forward[i].local, sizeof s->forward[i].local, "127.0.0.1:%zu", 5004 + i);
		WORDS(s->forward[i].service, "rtp");
		NUMBERS(s->forward[i].flows, s->forward[i].last_ms);
	}
}

static void fill_way(struct status *s)
{
	WORDS(s->proxy, "proxy.example:3128 > https://inner.example:443");
	WORDS(s->proxy_from, "PAC http://wpad/wpad.dat");
	s->candidate = array(3, sizeof *s->candidate);
	s->candidates = 3;
	WORDS(s->candidate[0].proxy, "gone.example:3128");
	WORDS(s->candidate[1].proxy, "proxy.example:3128 > https://inner.example:443");
	s->candidate[1].used = true;
	WORDS(s->candidate[2].proxy, "direct");
	s->login = array(2, sizeof *s->login);
	s->logins = 2;
	WORDS(s->login[0].proxy, "proxy.example:3128");
	WORDS(s->login[0].scheme, "Negotiate");
	WORDS(s->login[0].user, "alice@EXAMPLE");
	WORDS(s->login[1].proxy, "https://inner.example:443");
	WORDS(s->login[1].scheme, "Digest");
	s->sealed = true;
	s->certificate.there = true;
	WORDS(s->certificate.issuer, "Corp CA");
	WORDS(s->certificate.words, "signed by 'Corp CA' (which --cafile trusts): TLS is intercepted");
	WORDS(s->certificate.expected, "no");
	WORDS(s->certificate.pin, "sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=");
}

static void fill(struct status *s, size_t forwards, size_t channels)
{
	memset(s, 0, sizeof *s);
	next_value = 1000;
	WORDS(s->version, "1.2.3");
	s->uptime_ms = 7384000;
	WORDS(s->server, "https://tunnel.example/culvert");
	fill_way(s);
	WORDS(s->identity, "alice");
	WORDS(s->state, "connected");
	WORDS(s->trouble, "a \"quoted\" \\ trouble\nwith a line");
	s->session.there = true;
	WORDS(s->session.tag, "a1b2c3");
	NUMBERS(s->session.age_ms, s->session.queued_bytes);
	s->session.rtt_ms = 31.426;
	fill_path(&s->path);
	fill_media(&s->media);
	s->carrier = array(2, sizeof *s->carrier);
	s->carriers = 2;
	for (size_t i = 0; i < 2; i++) {
		s->carrier[i].id = (int64_t)i;
		WORDS(s->carrier[i].rung, i ? "poll" : "split");
		s->carrier[i].proven = true;
		s->carrier[i].stalled = i == 1;
		s->carrier[i].legs = 2;
		s->carrier[i].rtt_ms = 0.5;
		NUMBERS(s->carrier[i].lateness_ms, s->carrier[i].exchanges);
		s->carrier[i].media = true;
		s->carrier[i].streams = i == 1;
		NUMBERS(s->carrier[i].in_flight, s->carrier[i].overdue_ms);
	}
	fill_forwards(s, forwards);
	fill_channels(s, channels);
	NUMBERS(s->counter[0], s->counter[COUNTER_COUNT - 1]);
}

static char *written(const struct status *s)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	status_json_write(out, s);
	fclose(out);
	return text;
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

/* ---- JSON ---- */

static void same_lists(const struct status *a, const struct status *b)
{
	assert_int_equal(a->candidates, b->candidates);
	for (size_t i = 0; i < a->candidates; i++)
		assert_memory_equal(&a->candidate[i], &b->candidate[i], sizeof *a->candidate);
	assert_int_equal(a->logins, b->logins);
	for (size_t i = 0; i < a->logins; i++)
		assert_memory_equal(&a->login[i], &b->login[i], sizeof *a->login);
	assert_int_equal(a->carriers, b->carriers);
	assert_int_equal(a->forwards, b->forwards);
	assert_int_equal(a->channels, b->channels);
	for (size_t i = 0; i < a->carriers; i++)
		assert_memory_equal(&a->carrier[i], &b->carrier[i], sizeof *a->carrier);
	for (size_t i = 0; i < a->forwards; i++)
		assert_memory_equal(&a->forward[i], &b->forward[i], sizeof *a->forward);
	for (size_t i = 0; i < a->channels; i++)
		assert_memory_equal(&a->channel[i], &b->channel[i], sizeof *a->channel);
}

static void test_json_and_back(void **state)
{
	struct status s, again;
	char error[200], *text;

	(void)state;
	fill(&s, 3, 5);
	text = written(&s);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* one line */
	assert_true(status_json_read(&again, text, error, sizeof error));
	same_lists(&s, &again);
	free(text);
	status_fini(&s);
	status_fini(&again);
	/* The rest has no pointers any more. */
	fill(&s, 0, 0);
	free(s.carrier);
	s.carrier = NULL;
	s.carriers = 0;
	free(s.candidate);
	s.candidate = NULL;
	s.candidates = 0;
	free(s.login);
	s.login = NULL;
	s.logins = 0;
	free(s.forward);
	free(s.channel);
	s.forward = NULL;
	s.channel = NULL;
	text = written(&s);
	assert_true(status_json_read(&again, text, error, sizeof error));
	assert_memory_equal(&s, &again, sizeof s);
	free(text);
}

static void test_nulls(void **state)
{
	struct status s, again;
	char error[200], *text;

	(void)state;
	memset(&s, 0, sizeof s);
	WORDS(s.state, "connecting");
	s.path.connected_after_ms = s.path.rung_after_ms = s.path.next_probe_ms = -1;
	text = written(&s);
	has(text, "\"media\":null");
	has(text, "\"proxy\":null");
	has(text, "\"proxy_from\":null");
	has(text, "\"certificate\":null");
	has(text, "\"candidates\":[]");
	has(text, "\"logins\":[]");
	has(text, "\"sealed\":false");
	has(text, "\"trouble\":null");
	has(text, "\"session\":null");
	has(text, "\"rung\":null");
	has(text, "\"connected_after_ms\":null");
	has(text, "\"next_probe_ms\":null");
	has(text, "\"carriers\":[]");
	assert_true(status_json_read(&again, text, error, sizeof error));
	assert_memory_equal(&s, &again, sizeof s);
	assert_false(status_is_connected(&again));
	free(text);
}

static void test_not_utf8(void **state)
{
	struct status s, again;
	char error[200], *text;

	(void)state;
	memset(&s, 0, sizeof s);
	WORDS(s.state, "connecting");
	WORDS(s.trouble, "caf\xe9 said no");
	text = written(&s);
	assert_true(status_json_read(&again, text, error, sizeof error));
	assert_string_equal(again.trouble, "caf? said no");
	free(text);
}

static void test_json_foreign(void **state)
{
	static const char *const wrong[] = {
		"", "status", "[]", "{}", "{\"state\":3}", "{\"state\":\"connected\",\"uptime_ms\":\"x\"}",
		"{\"state\":\"connected\",\"session\":7}", "{\"state\":\"connected\",\"channels\":{}}",
		"{\"state\":\"connected\",\"channels\":[{\"id\":2},{\"id\":\"two\"}]}", "{\"state\":\"connected\",\"counters\":[]}",
		"{\"state\":\"connected\",\"carriers\":[1]}",
	};
	struct status s;
	char error[200];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		error[0] = 0;
		assert_false(status_json_read(&s, wrong[i], error, sizeof error));
		assert_true(error[0]);
	}
	/* What an older one does not tell is empty; what a newer one tells is passed over. */
	assert_true(status_json_read(&s, "{\"state\":\"connected\",\"mood\":\"good\"}", error, sizeof error));
	assert_true(status_is_connected(&s));
	assert_int_equal(s.channels, 0);
	status_fini(&s);
}

static void test_truncated(void **state)
{
	struct status s;
	char error[200], *text;

	(void)state;
	fill(&s, 2, 2);
	text = written(&s);
	status_fini(&s);
	for (size_t n = strlen(text) - 2; n > 0; n -= n > 40 ? 37 : 1) {
		text[n] = 0;
		assert_false(status_json_read(&s, text, error, sizeof error));
	}
	free(text);
}

/* ---- text ---- */

static void test_text(void **state)
{
	struct status s;
	char *text;

	(void)state;
	fill(&s, 2, 2);
	WORDS(s.trouble, "the proxy said no");
	s.forward[0] = (struct status_forward){ "udp", "127.0.0.1:5004", "rtp", 1, 12345, 23456, 3456789, 4567890, 17, 0 };
	text = shown(&s, NULL);
	has(text, "culvert 1.2.3: connected by split through proxy.example:3128 > https://inner.example:443, up 2 h 3 min\n");
	has(text, "https://tunnel.example/culvert as alice\n");
	has(text, "          certificate signed by 'Corp CA' (which --cafile trusts): TLS is intercepted; pin sha256/d6qz");
	has(text, "proxy     proxy.example:3128 > https://inner.example:443 (PAC http://wpad/wpad.dat)\n");
	has(text, "          1. gone.example:3128\n          2. proxy.example:3128 > https://inner.example:443, in use\n          3. direct\n");
	has(text, "login     Negotiate as alice@EXAMPLE at proxy.example:3128\nlogin     Digest at https://inner.example:443\n");
	has(text, "sealed    yes: ");
	has(text, "trouble   the proxy said no\n");
	has(text, ": both at once is held\n");
	has(text, "session   a1b2c3, ");
	has(text, " open (HTTP/2), at most ");
	has(text, " can be had (connections are few); ");
	has(text, "round trip 31.4 ms");
	has(text, "up passes, down passes, both at once held; next probe in ");
	has(text, "udp 127.0.0.1:5004 rtp");
	has(text, "    1    12345   3.46 M    23456   4.57 M       17  0 ms ago\n");
	has(text, "stalled");
	has(text, "2 datagram rtp");
	has(text, " with their frame, ");
	has(text, " arrived late\n      besides: ");
	has(text, "the send queue was full\n");
	free(text);
	s.trouble[0] = s.path.rung[0] = s.proxy[0] = s.proxy_from[0] = 0;
	s.candidates = 1;
	s.logins = 0;
	s.sealed = s.certificate.there = false;
	s.session.there = false;
	s.path.connected_after_ms = -1;
	text = shown(&s, NULL);
	has_not(text, "trouble");
	has_not(text, "proxy ");
	has_not(text, "login");
	has_not(text, "sealed");
	has_not(text, "certificate");
	has(text, "path      none yet: both at once is held\n");
	has(text, "session   none\n");
	has_not(text, "connected after");
	free(text);
	status_fini(&s);
}

static void test_rates(void **state)
{
	struct status before, now;
	char *text;

	(void)state;
	fill(&before, 1, 1);
	fill(&now, 1, 1);
	now.uptime_ms = before.uptime_ms + 2000;
	now.forward[0].packets_in = before.forward[0].packets_in + 100;
	now.forward[0].bytes_in = before.forward[0].bytes_in + 17200;
	now.channel[0].packets_out = before.channel[0].packets_out + 60;
	now.channel[0].bytes_out = before.channel[0].bytes_out + 10000;
	text = shown(&now, &before);
	has(text, "in/s   kbit/s    out/s   kbit/s");
	has(text, "       50       69        0        0 ");
	has(text, "        0        0       30       40 ");
	free(text);
	/* Another helper, later: nothing to compare with. */
	now.uptime_ms = 10;
	text = shown(&now, &before);
	has_not(text, "in/s");
	free(text);
	/* Another session: channels of the same numbers are others; what they did so far is new. */
	now.uptime_ms = before.uptime_ms + 1000;
	WORDS(now.session.tag, "other");
	now.channel[0].packets_in = 7;
	text = shown(&now, &before);
	has(text, "2 datagram rtp");
	has(text, "        7 ");
	free(text);
	status_fini(&before);
	status_fini(&now);
}

static void test_busiest_first(void **state)
{
	struct status s;
	char *text;

	(void)state;
	fill(&s, 1, 40);
	s.channel[30].bytes_in = 5000000;
	text = shown(&s, NULL);
	has(text, "... and 28 less busy ones\n");
	has(text, "bytes  dropped\n  62 datagram rtp");
	free(text);
	status_fini(&s);
}

static void test_many_forwards(void **state)
{
	struct status s;
	char *text;

	(void)state;
	fill(&s, 100, 0);
	for (size_t i = 0; i < 95; i++)
		s.forward[i].flows = s.forward[i].bytes_in = s.forward[i].bytes_out = s.forward[i].dropped = 0;
	text = shown(&s, NULL);
	for (unsigned port = 5099; port < 5104; port++) {
		char name[32];

		snprintf(name, sizeof name, "127.0.0.1:%u rtp", port);
		has(text, name);
	}
	has(text, "... and 84 more\n");
	has_not(text, "never");
	free(text);
	s.forward[99].last_ms = -1;
	s.forward[98].last_ms = 65000;
	text = shown(&s, NULL);
	has(text, "  never\n");
	has(text, "  1 min 5 s ago\n");
	has(text, "  never: nothing has come to that port");
	free(text);
	status_fini(&s);
}

/* ---- screens ---- */

static void cut(const char *text, unsigned columns, unsigned lines, const char *expected)
{
	char *got;
	size_t len;
	FILE *out = open_memstream(&got, &len);

	screen_cut(out, text, columns, lines, "|");
	fclose(out);
	assert_string_equal(got, expected);
	free(got);
}

static void test_cut(void **state)
{
	(void)state;
	cut("abc\nde\n", 0, 0, "abc|de|");
	cut("abc\nde\n", 2, 0, "ab|de|");
	cut("abc\nde\nf\n", 80, 3, "abc|de|f|");
	cut("abc\nde\nf\ng\n", 80, 3, "abc|de|... more than fits here|");
	cut("abc\nde\nf\ng\n", 5, 1, "... m|");
	cut("\n\nx\n", 80, 0, "||x|");
	cut("\xc3\xa4\xc3\xb6\xc3\xbc\n", 2, 0, "\xc3\xa4\xc3\xb6|"); /* three characters of two bytes */
}

/* ---- places ---- */

static void place_is(const char *what)
{
	char path[PLACE_MAX], error[600];

	if (!place_control(path, false, error, sizeof error))
		fail_msg("%s", error);
	assert_string_equal(path, what);
}

static void test_place(void **state)
{
	char dir[] = "/tmp/test_status.XXXXXX", path[PLACE_MAX], expected[200], error[600], lengthy[200];
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	setenv("RUNTIME_DIRECTORY", "/run/a:/run/b", 1);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	setenv("HOME", dir, 1);
	place_is("/run/a/control");
	unsetenv("RUNTIME_DIRECTORY");
	snprintf(expected, sizeof expected, "%s/culvert/control", dir);
	place_is(expected);
	setenv("XDG_RUNTIME_DIR", "/no/such/folder", 1);
	snprintf(expected, sizeof expected, "%s/.local/state/culvert/control", dir);
	place_is(expected);
	unsetenv("XDG_RUNTIME_DIR");
	/* Its folders are made for the owner alone. */
	assert_true(place_control(path, true, error, sizeof error));
	snprintf(expected, sizeof expected, "%s/.local/state/culvert", dir);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stat(expected, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		assert_int_equal(rmdir(expected), 0);
		*strrchr(expected, '/') = 0;
	}
	rmdir(dir);
	setenv("HOME", dir, 1);	/* which is gone */
	assert_false(place_control(path, true, error, sizeof error));
	has(error, "say where the control socket is with --control");
	memset(lengthy, 'x', sizeof lengthy);
	lengthy[0] = '/';
	lengthy[sizeof lengthy - 1] = 0;
	setenv("RUNTIME_DIRECTORY", lengthy, 1);
	assert_false(place_control(path, true, error, sizeof error));
	has(error, "a Unix socket's path cannot be that long: choose a shorter one with --control");
	assert_null(place_complaint("/run/x"));
	assert_non_null(place_complaint("x"));
	assert_non_null(place_complaint(lengthy));
	unsetenv("RUNTIME_DIRECTORY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_and_back), cmocka_unit_test(test_nulls),
		cmocka_unit_test(test_not_utf8),      cmocka_unit_test(test_json_foreign),
		cmocka_unit_test(test_truncated),     cmocka_unit_test(test_text),
		cmocka_unit_test(test_rates),	      cmocka_unit_test(test_busiest_first),
		cmocka_unit_test(test_many_forwards), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
