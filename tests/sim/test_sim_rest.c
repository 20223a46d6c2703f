/*
 * REST against a model: 100,000 messages each way, while requests and answers get lost, come twice, late and in another order, connections
 * are cut and each side is stuck for a while. Each message arrives once, in order, as it was; nothing is invented; the session lives on.
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

#include "framing/websocket.h"
#include "tests/lib/rest_rig.h"
#include "tunnel/log.h"

#define AT RIG_BASE "/v1/" RIG_SID "/signal/sig"
#define MESSAGES 100000
#define CALLS 24	/* requests of the client that are under way */
#define BATCH 60

/* A request as the client sends it; it may be delivered several times, or never. */
struct flight {
	struct rig_call *call;	/* NULL: none */
	bool records, ignored;	/* ignored: the answer gets lost */
	int64_t cut_us;		/* when its connection is cut */
};

/* The client: what it knows. */
struct model {
	struct rig rig;
	uint64_t random;
	uint64_t sent, taken;	/* numbers given out; known to be taken */
	uint64_t received;	/* the highest in order */
	uint64_t at_target, from_target;
	struct flight flight[CALLS];
	struct rest_text kept[8]; /* requests that come late, or again */
	bool kept_records[8];
	unsigned refused, lost, cut, repeats;
};

static uint32_t below(struct model *m, uint32_t n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (uint32_t)(m->random >> 33) % n;
}

/* What message n of a direction is: its type and text follow from its number. */
static size_t content(char direction, uint64_t n, char out[400], bool *binary)
{
	size_t len = (size_t)snprintf(out, 400, "%c%llu:", direction, (unsigned long long)n), more = (n * 7919) % 97 == 0 ? 300 : n % 23;

	*binary = n % 5 == 0;
	for (size_t i = 0; i < more; i++)
		out[len + i] = (char)('a' + (n + i) % 26);
	return len + more;
}

static void check(char direction, uint64_t n, bool binary, const uint8_t *p, size_t len)
{
	char want[400];
	bool want_binary;
	size_t want_len = content(direction, n, want, &want_binary);

	if (len != want_len || memcmp(p, want, len) != 0 || binary != want_binary)
		fail_msg("message %llu: '%.*s'", (unsigned long long)n, (int)len, (const char *)p);
}

static void got(void *ctx, int opcode, const uint8_t *p, size_t n)
{
	struct model *m = ctx;

	check('c', ++m->at_target, opcode == WEBSOCKET_BINARY, p, n);
}

/* ---- requests ---- */

static void record(struct rest_text *t, unsigned type, const void *p, size_t n)
{
	uint8_t *at = rest_text_room(t, 4);

	at[0] = (uint8_t)type;
	at[1] = (uint8_t)(n >> 16);
	at[2] = (uint8_t)(n >> 8);
	at[3] = (uint8_t)n;
	rest_text_put(t, p, n);
}

static void write_records(struct model *m, struct rest_text *t, uint64_t first, unsigned count, unsigned wait)
{
	char head[200], text[400];
	bool binary;
	int n = snprintf(head, sizeof head, "{\"seq\":%llu,\"after\":%llu,\"wait\":%u}", (unsigned long long)first,
			 (unsigned long long)m->received, wait);

	record(t, 16, head, (size_t)n);
	for (unsigned i = 0; i < count; i++) {
		size_t len = content('c', first + i, text, &binary);

		record(t, binary ? 2 : 1, text, len);
	}
}

static void write_json(struct model *m, struct rest_text *t, uint64_t first, unsigned count, unsigned wait)
{
	char text[400];
	bool binary;

	rest_text_print(t, "{\"seq\":%llu,\"after\":%llu,\"wait\":%u,\"messages\":[", (unsigned long long)first, (unsigned long long)m->received,
			wait);
	for (unsigned i = 0; i < count; i++) {
		size_t len = content('c', first + i, text, &binary);

		rest_text_print(t, "%s%s", i ? "," : "", binary ? "{\"binary\":\"" : "");
		if (binary)
			rest_text_base64(t, (uint8_t *)text, len);
		else
			rest_text_string(t, (uint8_t *)text, len);
		rest_text_print(t, "%s", binary ? "\"}" : "");
	}
	rest_text_print(t, "]}");
}

/* ---- answers ---- */

static void took(struct model *m, uint64_t n, bool binary, const uint8_t *p, size_t len)
{
	check('s', n, binary, p, len);	/* also what was there before */
	if (n == m->received + 1)
		m->received = n;
	assert_true(n <= m->received);	/* there are no gaps */
}

static uint64_t head_number(const char *head, const char *name)
{
	const char *at = strstr(head, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

static void read_records(struct model *m, const uint8_t *p, size_t n, uint64_t seq)
{
	for (; n > 0; seq++) {
		size_t len = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

		assert_true(len + 4 <= n);
		took(m, seq, p[0] == 2, p + 4, len);
		p += 4 + len;
		n -= 4 + len;
	}
}

/* Messages of JSON are compared as they would be written: their texts need no escapes. */
static void read_json(struct model *m, const char *list, uint64_t seq)
{
	struct rest_text want = { 0 };
	char text[400];
	bool binary;

	for (list++; *list != ']'; seq++) {
		size_t len = content('s', seq, text, &binary);

		want.n = 0;
		rest_text_print(&want, "%s", binary ? "{\"binary\":\"" : "");
		binary ? rest_text_base64(&want, (uint8_t *)text, len) : rest_text_string(&want, (uint8_t *)text, len);
		rest_text_print(&want, "%s", binary ? "\"}" : "");
		assert_memory_equal(list, want.p, want.n);
		took(m, seq, binary, (uint8_t *)text, len);
		list += want.n;
		list += *list == ',';
	}
	rest_text_fini(&want);
}

static void take_answer(struct model *m, const struct rig_call *c, bool records)
{
	const uint8_t *p = c->answer.p;
	char head[256];
	uint64_t taken, seq;
	size_t n;

	if (c->status == 429) {
		m->refused++;
		return;
	}
	if (c->status != 200)
		fail_msg("%d: %.*s", c->status, (int)c->answer.n, (const char *)p);
	n = records ? (size_t)p[2] << 8 | p[3] : c->answer.n < 255 ? c->answer.n : 255;
	snprintf(head, sizeof head, "%.*s", (int)n, (const char *)p + (records ? 4 : 0));
	taken = head_number(head, "\"taken\":");
	seq = head_number(head, "\"seq\":");
	assert_true(taken <= m->sent && taken >= (taken < m->taken ? 0 : m->taken));
	if (taken > m->taken)
		m->taken = taken;
	rest_text_put((struct rest_text *)(uintptr_t)&c->answer, "", 1);
	if (seq > m->received + 1)
		fail_msg("a gap: %llu follows %llu", (unsigned long long)seq, (unsigned long long)m->received);
	if (records)
		read_records(m, p + 4 + n, c->answer.n - 1 - 4 - n, seq);
	else
		read_json(m, strstr((const char *)c->answer.p, "\"messages\":") + 11, seq);
}

/* ---- the course ---- */

static struct flight *free_flight(struct model *m)
{
	for (unsigned i = 0; i < CALLS; i++)
		if (!m->flight[i].call)
			return &m->flight[i];
	return NULL;
}

static void deliver(struct model *m, const struct rest_text *body, bool records, bool ignored)
{
	struct flight *f = free_flight(m);

	if (!f)
		return;		/* as if it were lost */
	f->call = rig_ask(&m->rig, "POST", AT, records ? "Content-Type: application/octet-stream\n" : "Content-Type: application/json\n", body->p,
			  body->n);
	f->records = records;
	f->ignored = ignored;
	f->cut_us = below(m, 8) ? INT64_MAX : loop_now(m->rig.loop) + below(m, 3000) * LOOP_MS;
}

/* Some request of before, whatever has happened since. */
static void repeat(struct model *m)
{
	unsigned i = below(m, 8);

	if (!m->kept[i].n)
		return;
	m->repeats++;
	deliver(m, &m->kept[i], m->kept_records[i], true);	/* nobody waits for its answer */
}

static void ask(struct model *m)
{
	unsigned i = below(m, 8), back = below(m, 4) ? 0 : below(m, 20), count = below(m, BATCH);
	bool records = below(m, 2);
	uint64_t first = m->taken + 1 + below(m, 3) * below(m, BATCH);	/* beyond the next one, too */
	struct rest_text *t = &m->kept[i];

	first = first > back ? first - back : 1;
	if (first + count > MESSAGES + 1)
		count = first > MESSAGES ? 0 : (unsigned)(MESSAGES + 1 - first);
	if (first + count - 1 > m->sent && count)
		m->sent = first + count - 1;
	t->n = 0;
	m->kept_records[i] = records;
	(records ? write_records : write_json)(m, t, first, count, below(m, 4));
	switch (below(m, 10)) {
	case 0:
		m->lost++;
		return;		/* or it comes late, as a repeat */
	case 1:
		deliver(m, t, records, true);
		return;
	case 2:
		deliver(m, t, records, false);
		deliver(m, t, records, below(m, 2));
		return;
	default:
		deliver(m, t, records, false);
	}
}

/* Answers come in any order: which is looked at first is chance. */
static void look(struct model *m)
{
	for (unsigned n = 0, i = below(m, CALLS); n < CALLS; n++, i = (i + 7) % CALLS) {
		struct flight *f = &m->flight[i];
		bool cut = f->call && loop_now(m->rig.loop) >= f->cut_us;

		if (!f->call || (!f->call->answered && !cut) || (f->call->answered && below(m, 4) == 0))
			continue;
		if (f->call->answered && !f->ignored && !cut)
			take_answer(m, f->call, f->records);
		m->cut += cut;
		rig_drop(f->call);
		f->call = NULL;
	}
}

static void target_speaks(struct model *m)
{
	unsigned n = below(m, 3) ? 0 : below(m, 3) ? below(m, 100) : below(m, 1500);
	char text[400];
	bool binary;

	while (n-- && m->from_target < MESSAGES && m->rig.target.waiting.n < 1 << 20) {
		size_t len = content('s', ++m->from_target, text, &binary);

		rig_send(&m->rig, binary ? WEBSOCKET_BINARY : WEBSOCKET_TEXT, text, len);
	}
}

static void target_listens(struct model *m)
{
	bool stuck = m->rig.target.appetite == 0;

	if (below(m, 40) == 0)
		m->rig.target.appetite = below(m, 2) ? 0 : 1 + below(m, 2000);
	else if (below(m, 10) == 0)
		m->rig.target.appetite = SIZE_MAX;
	if (stuck || m->rig.target.appetite == SIZE_MAX)
		channel_resume(m->rig.target.channel);
}

/* window: bytes that wait in each direction; messages: their number. */
static unsigned run(uint64_t seed, size_t window, size_t messages)
{
	struct rest_config config = rest_config_default;
	struct model *m = calloc(1, sizeof *m);
	struct rig_call *c;
	unsigned steps = 0, refused;

	assert_non_null(m);
	config.limits.window = window;
	config.limits.messages_max = messages;
	m->random = seed;
	rig_init(&m->rig, &config, 1);
	m->rig.target.got = got;
	m->rig.target.ctx = m;
	c = rig_ask(&m->rig, "PUT", AT, NULL, NULL, 0);
	assert_int_equal(c->status, 201);
	rig_drop(c);
	while (m->at_target < MESSAGES || m->received < MESSAGES) {
		if (++steps > 2000000)
			fail_msg("stuck at %llu and %llu", (unsigned long long)m->at_target, (unsigned long long)m->received);
		if (below(m, 2000) == 0)
			rig_run(&m->rig, 200 * LOOP_SECOND);	/* the page slept */
		target_speaks(m);
		target_listens(m);
		if (below(m, 12) == 0)
			repeat(m);
		ask(m);
		rig_run(&m->rig, below(m, 5) ? below(m, 50) * LOOP_MS : below(m, 3000) * LOOP_MS);
		look(m);
	}
	assert_int_equal(m->at_target, MESSAGES);
	assert_int_equal(m->received, MESSAGES);
	assert_int_equal(m->from_target, MESSAGES);
	assert_true(m->lost > 100 && m->cut > 100 && m->repeats > 100);
	print_message("seed %llu: %u steps, %u requests lost, %u cut, %u repeated, %u refused\n", (unsigned long long)seed, steps, m->lost, m->cut,
		      m->repeats, m->refused);
	for (unsigned i = 0; i < CALLS; i++)
		if (m->flight[i].call)
			rig_drop(m->flight[i].call);
	for (unsigned i = 0; i < 8; i++)
		rest_text_fini(&m->kept[i]);
	rig_fini(&m->rig);
	refused = m->refused;
	free(m);
	return refused;
}

static void exactly_once_in_order_nothing_invented(void **state)
{
	(void)state;
	run(1, 1 << 20, 4096);
	assert_true(run(20261122, 8 << 10, 80) > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(exactly_once_in_order_nothing_invented) };

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
