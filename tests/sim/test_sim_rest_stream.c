/*
 * Answers that go on against a model: 100,000 messages of the target, while streams in both forms break at any octet, are taken over, polled
 * beside, read slowly and resumed by Last-Event-ID or after, late and with numbers of before. Each message arrives once, in order, as it
 * was; nothing is invented, and what the client sends beside it arrives, too.
 */
// links: tests/lib/rest_rig.c server/rest*.c server/sessions.c framing/*.c tunnel/*.c
/* libs: -lev -lssl -lcrypto -lhttp_parser -lwslay -lnghttp2 -lcares -lconfuse -ljansson -lm */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/base64.h"
#include "framing/websocket.h"
#include "tests/lib/rest_rig.h"
#include "tunnel/log.h"

#define AT RIG_BASE "/v1/" RIG_SID "/signal/sig"
#define JSON "Content-Type: application/json\n"
#define MESSAGES 100000
#define CONTENT 700

/* What a reader of one answer knows. */
struct reading {
	struct rig_call *call;		/* NULL: none */
	bool records;
	size_t read;			/* octets of its answer that were read */
	uint64_t next;			/* records: number of the next one; 0: before the head */
	int64_t cut_us;
};

struct model {
	struct rig rig;
	uint64_t random;
	uint64_t received, from_target;
	uint64_t sent, taken, at_target;	/* of the client's own messages */
	struct reading reading;
	unsigned cuts, ends, repeats, slow;
};

static uint32_t below(struct model *m, uint32_t n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (uint32_t)(m->random >> 33) % n;
}

/* What message n is follows from its number: texts of one and of several lines, with carriage returns, empty ones, binary ones. */
static size_t content(uint64_t n, char out[CONTENT], bool *binary)
{
	static const char odd[] = "\n\r\"\\\t :x";
	size_t len = n % 11 == 0 ? 0 : (size_t)snprintf(out, CONTENT, "s%llu:", (unsigned long long)n), more = (n * 7919) % 97 == 0 ? 600 : n % 23;

	*binary = n % 5 == 0;
	for (size_t i = 0; i < more && n % 11; i++)
		out[len + i] = n % 3 ? (char)('a' + (n + i) % 26) : odd[(n + i) % (n % 2 ? 8 : 1)];
	return n % 11 ? len + more : 0;
}

static void took(struct model *m, uint64_t n, bool binary, const void *p, size_t len)
{
	char want[CONTENT];
	bool want_binary;
	size_t want_len = content(n, want, &want_binary);

	if (n > m->received + 1 || n > m->from_target)
		fail_msg("message %llu behind %llu", (unsigned long long)n, (unsigned long long)m->received);
	if (len != want_len || (len && memcmp(p, want, len) != 0) || binary != want_binary)
		fail_msg("message %llu: '%.*s'", (unsigned long long)n, (int)len, (const char *)p);
	m->repeats += n <= m->received;
	if (n == m->received + 1)
		m->received = n;
}

/* ---- reading ---- */

/* A record, if all of it is there: its octets. */
static size_t read_record(struct model *m, struct reading *r, const uint8_t *p, size_t n)
{
	size_t len = n < 4 ? 0 : (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	char head[128];

	if (n < 4 || n < 4 + len)
		return 0;
	if (p[0] == 16) {
		snprintf(head, sizeof head, "%.*s", (int)len, (const char *)p + 4);
		r->next = strtoull(strstr(head, "\"seq\":") + 6, NULL, 10);
	} else if (p[0] == 1 || p[0] == 2) {
		assert_true(r->next > 0);
		took(m, r->next++, p[0] == 2, p + 4, len);
	} else {
		assert_true(p[0] == 0 || p[0] == 17);
	}
	return 4 + len;
}

/* The string of JSON that we write, undone. */
static size_t unquote(const char *p, size_t n, char *out)
{
	size_t len = 0;

	assert_true(n >= 2 && p[0] == '"' && p[n - 1] == '"');
	for (size_t i = 1; i < n - 1; i++) {
		if (p[i] != '\\') {
			out[len++] = p[i];
		} else if (p[++i] == 'u') {
			out[len++] = (char)strtoul((char[5]){ p[i + 1], p[i + 2], p[i + 3], p[i + 4], 0 }, NULL, 16);
			i += 4;
		} else {
			out[len++] = p[i];
		}
	}
	return len;
}

static void event(struct model *m, const char *name, uint64_t id, char *data, size_t n)
{
	char out[2 * CONTENT];

	if (!strcmp(name, "text")) {
		took(m, id, false, data, n);
	} else if (!strcmp(name, "json")) {
		n = unquote(data, n, out);
		took(m, id, false, out, n);
	} else if (!strcmp(name, "binary")) {
		ssize_t len = base64_decode((uint8_t *)out, sizeof out, data, n, false);

		assert_true(len >= 0);
		took(m, id, true, out, (size_t)len);
	} else {
		assert_true(!strcmp(name, "mark") || !strcmp(name, "end"));
	}
}

/* An event, if all of it is there: its octets. */
static size_t read_event(struct model *m, const uint8_t *bytes, size_t n)
{
	const char *p = (const char *)bytes, *end = memmem(p, n, "\n\n", 2), *line = p;
	char name[16] = "", data[4 * CONTENT];
	size_t len = 0, lines = 0;
	uint64_t id = 0;

	if (!end)
		return 0;
	while (line <= end) {
		const char *feed = memchr(line, '\n', (size_t)(end + 1 - line));
		size_t k = (size_t)(feed - line);

		if (k > 7 && !memcmp(line, "event: ", 7))
			snprintf(name, sizeof name, "%.*s", (int)k - 7, line + 7);
		if (k > 4 && !memcmp(line, "id: ", 4))
			id = strtoull(line + 4, NULL, 10);
		if (k >= 6 && !memcmp(line, "data: ", 6)) {
			assert_true(len + k < sizeof data);
			if (lines++)
				data[len++] = '\n';
			memcpy(data + len, line + 6, k - 6);
			len += k - 6;
		}
		assert_null(memchr(line, '\r', k));
		line = feed + 1;
	}
	if (lines)
		event(m, name, id, data, len);
	return (size_t)(end + 2 - p);
}

/* Reads what has come up to there. */
static void read_on(struct model *m, size_t upto)
{
	struct reading *r = &m->reading;
	size_t n;

	do {
		const uint8_t *p = r->call->answer.p + r->read;

		n = r->records ? read_record(m, r, p, upto - r->read) : read_event(m, p, upto - r->read);
		r->read += n;
	} while (n && r->read < upto);
}

/* ---- the client ---- */

static void begin(struct model *m)
{
	struct reading *r = &m->reading;
	uint64_t back = below(m, 3) ? 0 : below(m, 30), after = m->received > back ? m->received - back : 0;
	bool header = below(m, 2);
	char target[256], lines[128];

	*r = (struct reading){ .records = below(m, 2), .cut_us = loop_now(m->rig.loop) + below(m, 20000) * LOOP_MS };
	snprintf(target, sizeof target, AT "?stream=1&for=%u&keepalive=%u&after=%llu", 1 + below(m, 20), 1 + below(m, 10),
		 (unsigned long long)(header ? 0 : after));
	snprintf(lines, sizeof lines, "Accept: %s\n", r->records ? "application/octet-stream" : "text/event-stream");
	if (header)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "Last-Event-ID: %llu\n", (unsigned long long)after);
	r->call = rig_ask(&m->rig, "GET", target, lines, NULL, 0);
	if (r->call->status != 200)
		fail_msg("%d", r->call->status);
}

/* The connection breaks: some of what came was not read, to the octet. */
static void cut(struct model *m)
{
	struct reading *r = &m->reading;
	size_t left = r->call->answer.n - r->read;

	if (left)
		read_on(m, r->read + below(m, (uint32_t)left + 1));
	m->cuts++;
	rig_drop(r->call);
	r->call = NULL;
}

static void look(struct model *m)
{
	struct reading *r = &m->reading;

	if (!r->call)
		return;
	if (loop_now(m->rig.loop) >= r->cut_us) {
		cut(m);
	} else if (r->call->stuck) {
		if (below(m, 4) == 0)
			rig_unstick(r->call);
	} else {
		read_on(m, r->call->answer.n);
		m->ends += r->call->answered;
		if (r->call->answered || below(m, 500) == 0) {
			rig_drop(r->call);
			r->call = NULL;
		} else if (below(m, 20) == 0) {
			r->call->stuck = true;
			m->slow++;
		}
	}
}

/* Says what it has, and sends something; now and then it asks for messages in the same way, and the stream ends. */
static void post(struct model *m)
{
	char body[256];
	uint64_t first = m->taken + 1, count = below(m, 3);
	bool quiet = below(m, 10);
	struct rig_call *c;

	if (!m->reading.call || !m->reading.records)
		count = 0;
	snprintf(body, sizeof body, "{\"after\":%llu,\"wait\":0,\"quiet\":%s,\"seq\":%llu,\"messages\":[%s]}", (unsigned long long)m->received,
		 quiet ? "true" : "false", (unsigned long long)first, count == 2 ? "\"a\",\"b\"" : count ? "\"a\"" : "");
	c = rig_ask(&m->rig, "POST", AT, JSON, body, strlen(body));
	assert_true(c->answered);
	if (c->status == 200) {
		m->taken += below(m, 2) ? count : 0;	/* or it takes the answer for lost, and the same again */
		if (m->sent < first + count - 1)
			m->sent = first + count - 1;
	}
	rig_drop(c);
}

static void got(void *ctx, int opcode, const uint8_t *p, size_t n)
{
	struct model *m = ctx;

	(void)opcode;
	assert_true(n == 1 && (*p == 'a' || *p == 'b'));
	m->at_target++;
}

static void target_speaks(struct model *m)
{
	unsigned n = below(m, 4) ? 0 : below(m, 12);
	char text[CONTENT];
	bool binary;

	while (n-- && m->from_target < MESSAGES && m->rig.target.waiting.n < 1 << 20) {
		size_t len = content(++m->from_target, text, &binary);

		rig_send(&m->rig, binary ? WEBSOCKET_BINARY : WEBSOCKET_TEXT, text, len);
	}
}

static void run(uint64_t seed, size_t window)
{
	struct rest_config config = rest_config_default;
	struct model *m = calloc(1, sizeof *m);
	struct rig_call *c;
	unsigned steps = 0;

	assert_non_null(m);
	config.limits.window = window;
	m->random = seed;
	rig_init(&m->rig, &config, 1);
	m->rig.target.got = got;
	m->rig.target.ctx = m;
	c = rig_ask(&m->rig, "PUT", AT, NULL, NULL, 0);
	assert_int_equal(c->status, 201);
	rig_drop(c);
	while (m->received < MESSAGES) {
		if (++steps > 1000000)
			fail_msg("stuck at %llu", (unsigned long long)m->received);
		target_speaks(m);
		if (!m->reading.call || below(m, 300) == 0) {	/* beside one that goes on: it ends */
			if (m->reading.call)
				cut(m);
			begin(m);
		}
		rig_run(&m->rig, below(m, 5) ? below(m, 20) * LOOP_MS : below(m, 2000) * LOOP_MS);
		look(m);
		if (below(m, 3) == 0)
			post(m);
	}
	assert_int_equal(m->from_target, MESSAGES);
	assert_int_equal(m->at_target, m->sent);
	assert_int_equal(sessions_count(m->rig.sessions), 1);
	assert_true(m->cuts > 1000 && m->ends > 500 && m->repeats > 1000 && m->slow > 1000);
	print_message("seed %llu: %u steps, %u cuts, %u ends, %u repeats, %u times slow\n", (unsigned long long)seed, steps, m->cuts,
		      m->ends, m->repeats, m->slow);
	if (m->reading.call)
		rig_drop(m->reading.call);
	rig_fini(&m->rig);
	free(m);
}

static void exactly_once_in_order_nothing_invented(void **state)
{
	(void)state;
	run(1, 256 << 10);
	run(20261123, 8 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(exactly_once_in_order_nothing_invented) };

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
