/*
 * Messages of channels (PROTOCOL.md sections 4.4 and 6): opening, datagrams,
 * stream bytes, credit and ends. Called by the session and its channels; calls
 * cursor, capsule, varint and what message.c shares.
 */
#include "framing/message.h"

#include "framing/capsule.h"
#include "framing/message_fields.h"
#include "framing/varint.h"

#define AGE_MIN 10		/* ms from which on the age of a datagram is told */
#define AGE_MAX ((1u << 30) - 1) /* ms that are told at most: 4 bytes */

#define IN_EITHER                                                                                                      \
	(MESSAGE_BIT(PARAM_CLASS) | MESSAGE_BIT(PARAM_DEADLINE) | MESSAGE_BIT(PARAM_WINDOW) |                          \
	 MESSAGE_BIT(PARAM_REDUNDANCY) | MESSAGE_BIT(PARAM_AUDIO_TYPES) | MESSAGE_BIT(PARAM_VIDEO_TYPES))
#define IN_OPEN (IN_EITHER | MESSAGE_BIT(PARAM_PORT_INDEX) | MESSAGE_BIT(PARAM_PROTOCOLS))
#define IN_OPENED (IN_EITHER | MESSAGE_BIT(PARAM_IDLE) | MESSAGE_BIT(PARAM_PROTOCOL))

enum datagram_form { FORM_16, FORM_24, FORM_32, FORM_32_AGE };

static bool is_name(struct span s)
{
	if (s.n < 1 || s.n > MESSAGE_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

/* HOST:PORT, not looked at closely here: printable, and a colon within. */
static bool is_address(struct span s)
{
	bool colon = false;

	if (s.n < 1 || s.n > MESSAGE_TARGET_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
		colon |= s.p[i] == ':';
	}
	return colon;
}

static bool is_target(uint8_t kind, uint8_t form, struct span target)
{
	if (form == FORM_ADDRESS)
		return kind != KIND_MESSAGE && is_address(target);
	return form == FORM_SERVICE && kind <= KIND_MESSAGE && is_name(target);
}

int message_open_get(struct span value, struct message_open *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->channel = cursor_varint(&c);
	m->kind = cursor_u8(&c);
	m->form = cursor_u8(&c);
	m->target = cursor_block(&c, MESSAGE_TARGET_MAX);
	if (c.bad || !is_target(m->kind, m->form, m->target))
		return ERROR_MALFORMED;
	return message_params_get(&c, IN_OPEN, &m->params);
}

bool message_open_put(struct writer *w, const struct message_open *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	if (!is_target(m->kind, m->form, m->target))
		return false;
	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->channel);
	writer_u8(&f, m->kind);
	writer_u8(&f, m->form);
	message_text_put(&f, m->target, MESSAGE_TARGET_MAX);
	message_params_put(&f, IN_OPEN, &m->params);
	return message_emit(w, CAPSULE_OPEN, &f, message_nothing);
}

int message_opened_get(struct span value, struct message_opened *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->channel = cursor_varint(&c);
	return message_params_get(&c, IN_OPENED, &m->params);
}

bool message_opened_put(struct writer *w, const struct message_opened *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->channel);
	message_params_put(&f, IN_OPENED, &m->params);
	return message_emit(w, CAPSULE_OPENED, &f, message_nothing);
}

int message_refused_get(struct span value, struct message_refused *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->channel = cursor_varint(&c);
	m->code = cursor_varint(&c);
	m->sentence = cursor_block(&c, MESSAGE_TEXT_MAX);
	return message_result(&c);
}

bool message_refused_put(struct writer *w, const struct message_refused *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->channel);
	writer_varint(&f, m->code);
	message_text_put(&f, m->sentence, MESSAGE_TEXT_MAX);
	return message_emit(w, CAPSULE_REFUSED, &f, message_nothing);
}

int message_datagram_get(struct span value, struct message_datagram *m)
{
	struct cursor c;
	uint64_t head;

	cursor_init(&c, value.p, value.n);
	head = cursor_varint(&c);
	m->channel = head / 4;
	m->age_ms = 0;
	switch ((enum datagram_form)(head % 4)) {
	case FORM_16:
		m->sequence_bits = 16;
		m->sequence = cursor_u16(&c);
		break;
	case FORM_24:
		m->sequence_bits = 24;
		m->sequence = (uint32_t)cursor_u8(&c) << 16;
		m->sequence |= cursor_u16(&c);
		break;
	case FORM_32:
	case FORM_32_AGE:
		m->sequence_bits = 32;
		m->sequence = cursor_u32(&c);
		if (head % 4 == FORM_32_AGE)
			m->age_ms = cursor_varint(&c);
		break;
	}
	m->payload = cursor_rest(&c);
	return m->payload.n > MESSAGE_DATAGRAM_MAX ? ERROR_MALFORMED : message_result(&c);
}

bool message_datagram_put(struct writer *w, const struct message_datagram *m)
{
	enum datagram_form form = FORM_32;
	uint8_t scratch[MESSAGE_DATAGRAM_HEAD_MAX];
	struct writer f;

	if (m->payload.n > MESSAGE_DATAGRAM_MAX || m->channel > VARINT_MAX / 4)
		return false;
	if (m->age_ms >= AGE_MIN)
		form = FORM_32_AGE;
	else if (m->sequence_bits == 16)
		form = FORM_16;
	else if (m->sequence_bits == 24)
		form = FORM_24;
	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->channel * 4 + form);
	if (form >= FORM_32)
		writer_u16(&f, (uint16_t)(m->sequence >> 16));
	else if (form == FORM_24)
		writer_u8(&f, (uint8_t)(m->sequence >> 16));
	writer_u16(&f, (uint16_t)m->sequence);
	if (form == FORM_32_AGE)
		writer_varint(&f, m->age_ms < AGE_MAX ? m->age_ms : AGE_MAX);
	return message_emit(w, CAPSULE_DATAGRAM, &f, m->payload);
}

int message_stream_get(struct span value, struct message_stream *m)
{
	struct cursor c;
	uint64_t head;

	cursor_init(&c, value.p, value.n);
	head = cursor_varint(&c);
	m->channel = head / 2;
	m->fin = head % 2;
	m->offset = cursor_varint(&c);
	m->bytes = cursor_rest(&c);
	/* Final size + 1 must be a varint, too: ACK says it. */
	if (m->offset + m->bytes.n >= VARINT_MAX)
		return ERROR_MALFORMED;
	return message_result(&c);
}

bool message_stream_head_put(struct writer *w, uint64_t channel, uint64_t offset, bool fin, size_t len)
{
	uint8_t scratch[MESSAGE_STREAM_HEAD_MAX];
	struct writer f;
	size_t value;

	if (w->full || channel > VARINT_MAX / 2 || len > CAPSULE_MAX)
		return false;
	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, channel * 2 + fin);
	writer_varint(&f, offset);
	value = writer_len(&f) + len;
	if (f.full || value > CAPSULE_MAX || 1 + varint_len(value) + value > writer_left(w))
		return false;
	capsule_head_put(w, CAPSULE_STREAM, value);
	writer_bytes(w, scratch, writer_len(&f));
	return true;
}

int message_ack_get(struct span value, struct message_ack *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->channel = cursor_varint(&c);
	m->offset = cursor_varint(&c);
	m->limit = cursor_varint(&c);
	return message_result(&c);
}

bool message_ack_put(struct writer *w, const struct message_ack *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->channel);
	writer_varint(&f, m->offset);
	writer_varint(&f, m->limit);
	return message_emit(w, CAPSULE_ACK, &f, message_nothing);
}

int message_window_get(struct span value, struct message_window *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->bytes = cursor_varint(&c);
	m->channels = cursor_varint(&c);
	return message_result(&c);
}

bool message_window_put(struct writer *w, const struct message_window *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->bytes);
	writer_varint(&f, m->channels);
	return message_emit(w, CAPSULE_WINDOW, &f, message_nothing);
}

int message_reset_get(struct span value, struct message_reset *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->channel = cursor_varint(&c);
	m->code = cursor_varint(&c);
	m->final = cursor_varint(&c);
	m->reason = cursor_block(&c, MESSAGE_TEXT_MAX);
	return m->final == VARINT_MAX ? ERROR_MALFORMED : message_result(&c);
}

bool message_reset_put(struct writer *w, const struct message_reset *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->channel);
	writer_varint(&f, m->code);
	writer_varint(&f, m->final);
	message_text_put(&f, m->reason, MESSAGE_TEXT_MAX);
	return message_emit(w, CAPSULE_RESET, &f, message_nothing);
}

int message_close_get(struct span value, struct message_close *m)
{
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	m->channel = cursor_varint(&c);
	m->code = cursor_varint(&c);
	m->reason = cursor_block(&c, MESSAGE_TEXT_MAX);
	return message_result(&c);
}

bool message_close_put(struct writer *w, const struct message_close *m)
{
	uint8_t scratch[MESSAGE_SCRATCH_MAX];
	struct writer f;

	writer_init(&f, scratch, sizeof scratch);
	writer_varint(&f, m->channel);
	writer_varint(&f, m->code);
	message_text_put(&f, m->reason, MESSAGE_TEXT_MAX);
	return message_emit(w, CAPSULE_CLOSE, &f, message_nothing);
}
