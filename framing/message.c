/*
 * Messages: the fields of each capsule, to and from its value. Called by the
 * session; calls cursor, capsule and varint. The messages of channels are in
 * message_channel.c. Every put first writes the fields into a small scratch, so
 * that the length is known and nothing is written when there is no room.
 */
#include "framing/message.h"

#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/message_fields.h"
#include "framing/varint.h"

#define UNKNOWN_MAX 16	/* unknown parameter ids that are compared with each other */
#define AGENT_MAX 128

#define IN_BOTH                                                                                                        \
	(MESSAGE_BIT(PARAM_MAX_CHANNELS) | MESSAGE_BIT(PARAM_SESSION_WINDOW) | MESSAGE_BIT(PARAM_CHANNEL_WINDOW) |     \
	 MESSAGE_BIT(PARAM_AGENT))
#define LATE_MAX 60000	/* ms, told of by receipts */
#define IN_HELLO (IN_BOTH | MESSAGE_BIT(PARAM_KEEPALIVE))
#define IN_WELCOME (IN_BOTH | MESSAGE_BIT(PARAM_MAX_HOLD))

/* Where a numeric parameter is kept, and its range. */
static const struct number {
	uint8_t id;
	size_t offset;
	uint64_t min, max;
} numbers[] = {
	{ PARAM_MAX_CHANNELS, offsetof(struct message_params, max_channels), 0, 65535 },
	{ PARAM_SESSION_WINDOW, offsetof(struct message_params, session_window), 0, VARINT_MAX },
	{ PARAM_CHANNEL_WINDOW, offsetof(struct message_params, channel_window), 0, VARINT_MAX },
	{ PARAM_KEEPALIVE, offsetof(struct message_params, keepalive_ms), 500, 60000 },
	{ PARAM_MAX_HOLD, offsetof(struct message_params, max_hold_ms), 0, 60000 },
	{ PARAM_PORT_INDEX, offsetof(struct message_params, port_index), 0, VARINT_MAX },
	{ PARAM_CLASS, offsetof(struct message_params, class), CLASS_AUTO, CLASS_BULK },
	{ PARAM_DEADLINE, offsetof(struct message_params, deadline_ms), 10, 60000 },
	{ PARAM_IDLE, offsetof(struct message_params, idle_ms), 0, VARINT_MAX },
	{ PARAM_WINDOW, offsetof(struct message_params, channel_window), 0, VARINT_MAX },
	{ PARAM_REDUNDANCY, offsetof(struct message_params, redundancy), REDUNDANCY_AUTO, REDUNDANCY_NEVER },
};

bool message_emit(struct writer *w, uint64_t type, const struct writer *fields, struct span rest)
{
	size_t len = writer_len(fields) + rest.n;

	if (w->full || fields->full || len > CAPSULE_MAX)
		return false;
	if (varint_len(type) + varint_len(len) + len > writer_left(w))
		return false;
	capsule_head_put(w, type, len);
	writer_bytes(w, fields->start, writer_len(fields));
	writer_bytes(w, rest.p, rest.n);
	return true;
}

void message_text_put(struct writer *w, struct span text, size_t max)
{
	if (text.n > max)
		w->full = true;
	writer_block(w, text.p, text.n);
}

static const struct number *number_find(uint64_t id)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (numbers[i].id == id)
			return &numbers[i];
	return NULL;
}

static uint64_t *number_at(struct message_params *p, const struct number *number)
{
	return (uint64_t *)((char *)p + number->offset);
}

static int number_get(struct message_params *p, const struct number *number, struct span block)
{
	struct cursor c;
	uint64_t v;

	cursor_init(&c, block.p, block.n);
	v = cursor_varint(&c);
	if (c.bad || cursor_left(&c) || v < number->min || v > number->max)
		return ERROR_MALFORMED;
	*number_at(p, number) = v;
	return 0;
}

/* Octets that are payload types, into a bit set of them. */
static int types_get(uint8_t set[16], struct span block)
{
	if (block.n > MESSAGE_TYPES_MAX)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < block.n; i++) {
		if (block.p[i] > 127)
			return ERROR_MALFORMED;
		set[block.p[i] / 8] |= (uint8_t)(1 << block.p[i] % 8);
	}
	return 0;
}

static void types_put(struct writer *w, uint64_t id, const uint8_t set[16])
{
	uint8_t list[128];
	size_t n = 0;

	for (unsigned type = 0; type < 128; type++)
		if (set[type / 8] >> type % 8 & 1)
			list[n++] = (uint8_t)type;
	writer_varint(w, id);
	message_text_put(w, (struct span){ list, n }, MESSAGE_TYPES_MAX);
}

/* Names of subprotocols (RFC 6455 4.1), with what lists have between them if it is one. */
static int protocols_get(struct message_params *p, struct span block, bool list)
{
	if (block.n < 1 || block.n > MESSAGE_PROTOCOLS_MAX)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < block.n; i++)
		if (block.p[i] <= ' ' || block.p[i] >= 0x7f || (block.p[i] == ',' && !list))
			return ERROR_MALFORMED;
	p->protocols = block;
	return 0;
}

/* One parameter that the message knows. */
static int param_get(struct message_params *p, uint64_t id, struct span block)
{
	switch (id) {
	case PARAM_AGENT:
		p->agent = block;
		return block.n > AGENT_MAX ? ERROR_MALFORMED : 0;
	case PARAM_AUDIO_TYPES:
		return types_get(p->audio_types, block);
	case PARAM_VIDEO_TYPES:
		return types_get(p->video_types, block);
	case PARAM_PROTOCOLS:
	case PARAM_PROTOCOL:
		return protocols_get(p, block, id == PARAM_PROTOCOLS);
	default:
		return number_get(p, number_find(id), block);
	}
}

int message_params_get(struct cursor *c, uint32_t mask, struct message_params *p)
{
	uint64_t unknown[UNKNOWN_MAX];
	uint32_t seen = 0;
	size_t n = 0;

	memset(p, 0, sizeof *p);
	while (cursor_left(c) > 0) {
		uint64_t id = cursor_varint(c);
		struct span block = cursor_block(c, CAPSULE_MAX);

		if (c->bad || (id < 32 && (seen & MESSAGE_BIT(id))))
			return ERROR_MALFORMED;
		for (size_t i = 0; i < n; i++)
			if (unknown[i] == id)
				return ERROR_MALFORMED;
		if (id < 32)
			seen |= MESSAGE_BIT(id);
		else if (n < UNKNOWN_MAX)
			unknown[n++] = id;
		if (id >= 32 || !(mask & MESSAGE_BIT(id)))
			continue;
		if (param_get(p, id, block) != 0)
			return ERROR_MALFORMED;
		p->has |= MESSAGE_BIT(id);
	}
	return message_result(c);
}

void message_params_put(struct writer *w, uint32_t mask, const struct message_params *p)
{
	uint32_t has = p->has;

	/* One field, two ids: which one goes out is the message's choice. */
	if (has & (MESSAGE_BIT(PARAM_CHANNEL_WINDOW) | MESSAGE_BIT(PARAM_WINDOW)))
		has |= MESSAGE_BIT(PARAM_CHANNEL_WINDOW) | MESSAGE_BIT(PARAM_WINDOW);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		uint64_t v;

		if (!(has & mask & MESSAGE_BIT(numbers[i].id)))
			continue;
		memcpy(&v, (const char *)p + numbers[i].offset, sizeof v);
		writer_varint(w, numbers[i].id);
		writer_varint(w, varint_len(v));
		writer_varint(w, v);
	}
	if (has & mask & MESSAGE_BIT(PARAM_AGENT)) {
		writer_varint(w, PARAM_AGENT);
		message_text_put(w, p->agent, AGENT_MAX);
	}
	if (has & mask & MESSAGE_BIT(PARAM_AUDIO_TYPES))
		types_put(w, PARAM_AUDIO_TYPES, p->audio_types);
	if (has & mask & MESSAGE_BIT(PARAM_VIDEO_TYPES))
		types_put(w, PARAM_VIDEO_TYPES, p->video_types);
	for (uint64_t id = PARAM_PROTOCOLS; id <= PARAM_PROTOCOL; id++)
		if (has & mask & MESSAGE_BIT(id)) {
			writer_varint(w, id);
			message_text_put(w, p->protocols, MESSAGE_PROTOCOLS_MAX);
		}
}

int message_hello_get(struct span value, struct message_hello *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->version_min = cursor_varint(&c);
	m->version_max = cursor_varint(&c);
	m->features = cursor_varint(&c);
	return message_params_get(&c, IN_HELLO, &m->params);
}

bool message_hello_put(struct writer *w, const struct message_hello *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->version_min);
	writer_varint(&f, m->version_max);
	writer_varint(&f, m->features);
	message_params_put(&f, IN_HELLO, &m->params);
	return message_emit(w, CAPSULE_HELLO, &f, message_nothing);
}

int message_welcome_get(struct span value, struct message_welcome *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->version = cursor_varint(&c);
	m->features = cursor_varint(&c);
	m->node = cursor_u64(&c);
	m->epoch = cursor_u64(&c);
	return message_params_get(&c, IN_WELCOME, &m->params);
}

bool message_welcome_put(struct writer *w, const struct message_welcome *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->version);
	writer_varint(&f, m->features);
	writer_u64(&f, m->node);
	writer_u64(&f, m->epoch);
	message_params_put(&f, IN_WELCOME, &m->params);
	return message_emit(w, CAPSULE_WELCOME, &f, message_nothing);
}

int message_farewell_get(struct span value, struct message_farewell *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->code = cursor_varint(&c);
	m->delay_ms = cursor_varint(&c);
	m->version_min = cursor_varint(&c);
	m->version_max = cursor_varint(&c);
	m->elsewhere = cursor_block(&c, MESSAGE_TEXT_MAX);
	m->reason = cursor_block(&c, MESSAGE_TEXT_MAX);
	return message_result(&c);
}

bool message_farewell_put(struct writer *w, uint64_t type, const struct message_farewell *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->code);
	writer_varint(&f, m->delay_ms);
	writer_varint(&f, m->version_min);
	writer_varint(&f, m->version_max);
	message_text_put(&f, m->elsewhere, MESSAGE_TEXT_MAX);
	message_text_put(&f, m->reason, MESSAGE_TEXT_MAX);
	return message_emit(w, type, &f, message_nothing);
}

/* Newest first on the wire, ascending in the set. */
int message_receipt_get(struct span value, struct message_receipt *m)
{
	struct ranges *s = &m->ranges;
	uint64_t count, top, length;
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->carrier = cursor_varint(&c);
	m->delay_us = cursor_varint(&c);
	count = cursor_varint(&c);
	if (count < 1 || count > RANGES_MAX)
		return ERROR_MALFORMED;
	s->n = (size_t)count;
	top = cursor_varint(&c);
	for (size_t i = s->n; i-- > 0;) {
		length = cursor_varint(&c);
		if (c.bad || length > top)
			return ERROR_MALFORMED;
		s->r[i] = (struct range){ top - length, top };
		if (i > 0) {
			uint64_t gap = cursor_varint(&c);

			if (s->r[i].first < 2 || gap > s->r[i].first - 2)
				return ERROR_MALFORMED;
			top = s->r[i].first - gap - 2;
		}
	}
	m->has_late = !c.bad && cursor_left(&c) > 0;
	if (m->has_late) {
		uint64_t late = cursor_varint(&c);

		m->late_ms = late < LATE_MAX ? (uint32_t)late : LATE_MAX;
	}
	return message_result(&c);
}

bool message_receipt_put(struct writer *w, const struct message_receipt *m)
{
	const struct ranges *s = &m->ranges;
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	if (s->n == 0)
		return false;
	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->carrier);
	writer_varint(&f, m->delay_us);
	writer_varint(&f, s->n);
	writer_varint(&f, s->r[s->n - 1].last);
	for (size_t i = s->n; i-- > 0;) {
		writer_varint(&f, s->r[i].last - s->r[i].first);
		if (i > 0)
			writer_varint(&f, s->r[i].first - s->r[i - 1].last - 2);
	}
	if (m->has_late)
		writer_varint(&f, m->late_ms);
	return message_emit(w, CAPSULE_RECEIPT, &f, message_nothing);
}

int message_mark_get(struct span value, struct message_mark *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->id = cursor_varint(&c);
	m->n = cursor_varint(&c);
	m->time_ms = cursor_u32(&c);
	m->check = cursor_u32(&c);
	m->filler = cursor_rest(&c);
	return message_result(&c);
}

bool message_mark_put(struct writer *w, const struct message_mark *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->id);
	writer_varint(&f, m->n);
	writer_u32(&f, m->time_ms);
	writer_u32(&f, message_check(m->filler));
	return message_emit(w, CAPSULE_MARK, &f, m->filler);
}

int message_seen_get(struct span value, struct message_seen *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->id = cursor_varint(&c);
	m->n = cursor_varint(&c);
	m->arrival_ms = cursor_u32(&c);
	m->intact = cursor_u8(&c) == 1;
	return message_result(&c);
}

bool message_seen_put(struct writer *w, const struct message_seen *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->id);
	writer_varint(&f, m->n);
	writer_u32(&f, m->arrival_ms);
	writer_u8(&f, m->intact);
	return message_emit(w, CAPSULE_SEEN, &f, message_nothing);
}

int message_probed_get(struct span value, struct message_probed *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->x = cursor_varint(&c);
	m->copies = cursor_varint(&c);
	m->version = cursor_varint(&c);
	m->framing = cursor_varint(&c);
	m->body = cursor_varint(&c);
	m->via = cursor_block(&c, MESSAGE_TEXT_MAX);
	return message_result(&c);
}

bool message_probed_put(struct writer *w, const struct message_probed *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->x);
	writer_varint(&f, m->copies);
	writer_varint(&f, m->version);
	writer_varint(&f, m->framing);
	writer_varint(&f, m->body);
	message_text_put(&f, m->via, MESSAGE_TEXT_MAX);
	return message_emit(w, CAPSULE_PROBED, &f, message_nothing);
}

void message_text_get(char out[MESSAGE_TEXT_MAX + 1], struct span text)
{
	size_t n = text.n < MESSAGE_TEXT_MAX ? text.n : MESSAGE_TEXT_MAX;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = text.p[i], next = i + 1 < n ? text.p[i + 1] : 0;
		bool first = i == 0 || text.p[i - 1] < 0x80, eight = c >= 0x80 && c < 0xa0;

		if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			out[i++] = '?';
			out[i] = '?';
			continue;
		}
		out[i] = c < ' ' || c == 0x7f || (eight && first) ? '?' : (char)c;
	}
	out[n] = 0;
}

int message_token_get(struct span value, uint64_t *token)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	*token = cursor_varint(&c);
	return message_result(&c);
}

bool message_token_put(struct writer *w, uint64_t type, uint64_t token)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, token);
	return message_emit(w, type, &f, message_nothing);
}

bool message_pad_put(struct writer *w, size_t n)
{
	if (w->full || n > CAPSULE_PAD_MAX || 1 + varint_len(n) + n > writer_left(w))
		return false;
	capsule_head_put(w, CAPSULE_PAD, n);
	memset(w->p, 0, n);
	w->p += n;
	return true;
}

bool message_fill_put(struct writer *w, size_t n)
{
	size_t value = n > 2 ? n - 2 : 0;	/* behind a type and a length of one octet each */

	if (value >= 64)
		value = n - 3 < 64 ? 64 : n - 3;
	if (value >= 16384)
		value = n - 5 < 16384 ? 16384 : n - 5;
	return message_pad_put(w, value);
}

uint32_t message_check(struct span filler)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < filler.n; i++)
		hash = (hash ^ filler.p[i]) * 16777619u;
	return hash;
}
