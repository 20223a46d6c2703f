/*
 * Messages: the fields of each capsule of wire format v1 (PROTOCOL.md sections
 * 4 to 6). get functions read the value of a capsule and return 0 or
 * ERROR_MALFORMED; spans point into the value. put functions write the whole
 * capsule, header included; when the writer has no room for all of it nothing
 * is written and false is returned.
 */
#ifndef FRAMING_MESSAGE_H
#define FRAMING_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/cursor.h"
#include "framing/ranges.h"

#define MESSAGE_TEXT_MAX 256	/* octets of any text block */
#define MESSAGE_NAME_MAX 64	/* octets of a service name */
#define MESSAGE_TARGET_MAX 255	/* octets of an address in OPEN */
#define MESSAGE_DATAGRAM_MAX 65507
#define MESSAGE_TYPES_MAX 32	/* RTP payload types of one class */
#define MESSAGE_PROTOCOLS_MAX 256 /* octets of a list of subprotocols */

enum message_kind { KIND_DATAGRAM = 0, KIND_STREAM = 1, KIND_MESSAGE = 2 };
enum message_form { FORM_SERVICE = 0, FORM_ADDRESS = 1 };
enum message_redundancy { REDUNDANCY_AUTO = 0, REDUNDANCY_ALWAYS = 1, REDUNDANCY_NEVER = 2 };
enum message_class { CLASS_AUTO = 0, CLASS_AUDIO = 1, CLASS_VIDEO = 2, CLASS_CONTROL = 3, CLASS_BULK = 4 };

/* The enum value of "audio", "always" and the like, or -1. */
int message_class_find(const char *text);
int message_redundancy_find(const char *text);

/* Parameters that were present have their bit set in `has` (1 << id). A number
 * out of the range of PROTOCOL.md is malformed. */
struct message_params {
	uint32_t has;
	uint64_t max_channels;	/* 1 */
	uint64_t session_window; /* 2 */
	uint64_t channel_window; /* 3, and 20 in OPEN and OPENED */
	uint64_t keepalive_ms;	/* 4 */
	uint64_t max_hold_ms;	/* 5 */
	struct span agent;	/* 6 */
	uint64_t port_index;	/* 16 */
	uint64_t class;		/* 17 */
	uint64_t deadline_ms;	/* 18 */
	uint64_t idle_ms;	/* 19 */
	uint64_t redundancy;	/* 21 */
	uint8_t audio_types[16], video_types[16]; /* 22, 23: bit sets of payload types, 128 each */
	struct span protocols;	/* 24: subprotocols, best first, commas between them; 25: the one chosen */
};
enum message_param {
	PARAM_MAX_CHANNELS = 1, PARAM_SESSION_WINDOW = 2, PARAM_CHANNEL_WINDOW = 3, PARAM_KEEPALIVE = 4,
	PARAM_MAX_HOLD = 5, PARAM_AGENT = 6, PARAM_PORT_INDEX = 16, PARAM_CLASS = 17, PARAM_DEADLINE = 18,
	PARAM_IDLE = 19, PARAM_WINDOW = 20, PARAM_REDUNDANCY = 21, PARAM_AUDIO_TYPES = 22, PARAM_VIDEO_TYPES = 23,
	PARAM_PROTOCOLS = 24, PARAM_PROTOCOL = 25,
};

struct message_hello {
	uint64_t version_min, version_max, features;
	struct message_params params;
};
struct message_welcome {
	uint64_t version, features, node, epoch;
	struct message_params params;
};
/* GONE, BYE and GOAWAY. */
struct message_farewell {
	uint64_t code, delay_ms, version_min, version_max;
	struct span elsewhere, reason;
};
struct message_receipt {
	uint64_t carrier, delay_us;
	struct ranges ranges;
	bool has_late;
	uint32_t late_ms;	/* lateness of the newest of them */
};
struct message_open {
	uint64_t channel;
	uint8_t kind, form;
	struct span target;	/* FORM_SERVICE: its name; FORM_ADDRESS: "HOST:PORT" */
	struct message_params params;
};
struct message_opened {
	uint64_t channel;
	struct message_params params;
};
struct message_refused {
	uint64_t channel, code;
	struct span sentence;
};
struct message_datagram {
	uint64_t channel;
	uint32_t sequence;	/* the low part */
	uint8_t sequence_bits;	/* 16, 24 or 32 */
	uint64_t age_ms;
	struct span payload;
};
struct message_stream {
	uint64_t channel, offset;
	bool fin;
	struct span bytes;
};
struct message_ack {
	uint64_t channel, offset, limit;
};
struct message_window {
	uint64_t bytes, channels;
};
struct message_reset {
	uint64_t channel, code, final;
	struct span reason;
};
struct message_close {
	uint64_t channel, code;
	struct span reason;
};
struct message_mark {
	uint64_t id, n;
	uint32_t time_ms, check;
	struct span filler;
};
struct message_seen {
	uint64_t id, n;
	uint32_t arrival_ms;
	bool intact;
};
/* What a server says of the request of a probe. */
struct message_probed {
	uint64_t x, copies;	/* copies: of this x so far */
	uint64_t version;	/* of HTTP: 10 or 11 */
	uint64_t framing;	/* enum message_framing */
	uint64_t body;		/* octets so far */
	struct span via;
};
enum message_framing { FRAMING_NONE = 0, FRAMING_LENGTH = 1, FRAMING_CHUNKED = 2 };

int message_hello_get(struct span value, struct message_hello *);
int message_welcome_get(struct span value, struct message_welcome *);
int message_farewell_get(struct span value, struct message_farewell *);
int message_receipt_get(struct span value, struct message_receipt *);
int message_open_get(struct span value, struct message_open *);
int message_opened_get(struct span value, struct message_opened *);
int message_refused_get(struct span value, struct message_refused *);
int message_datagram_get(struct span value, struct message_datagram *);
int message_stream_get(struct span value, struct message_stream *);
int message_ack_get(struct span value, struct message_ack *);
int message_window_get(struct span value, struct message_window *);
int message_reset_get(struct span value, struct message_reset *);
int message_close_get(struct span value, struct message_close *);
int message_mark_get(struct span value, struct message_mark *);
int message_seen_get(struct span value, struct message_seen *);
int message_probed_get(struct span value, struct message_probed *);
int message_token_get(struct span value, uint64_t *token);	/* PING and PONG */
/* A text block of the peer's (at most MESSAGE_TEXT_MAX octets), for people: `?` for control characters, of 8 bits or of UTF-8. */
void message_text_get(char out[MESSAGE_TEXT_MAX + 1], struct span text);

/* params: those whose bit is set in has. channel_window goes out as 3 in HELLO
 * and WELCOME, as 20 in OPEN and OPENED; protocols as 24 in OPEN, as 25 in OPENED. */
bool message_hello_put(struct writer *, const struct message_hello *);
bool message_welcome_put(struct writer *, const struct message_welcome *);
bool message_farewell_put(struct writer *, uint64_t type, const struct message_farewell *);
bool message_receipt_put(struct writer *, const struct message_receipt *);
bool message_open_put(struct writer *, const struct message_open *);
bool message_opened_put(struct writer *, const struct message_opened *);
bool message_refused_put(struct writer *, const struct message_refused *);
/* The form follows from sequence_bits and age_ms (>= 10 makes form 3, with all 32
 * bits of sequence). */
bool message_datagram_put(struct writer *, const struct message_datagram *);
/* Bytes that message_datagram_put writes in front of n payload bytes, at most. */
#define MESSAGE_DATAGRAM_HEAD_MAX 24
/* Bytes that message_stream_head_put writes, at most. */
#define MESSAGE_STREAM_HEAD_MAX 24
/* Writes the capsule up to its bytes, of which len follow (written by the caller);
 * false unless there is room for them, too. */
bool message_stream_head_put(struct writer *, uint64_t channel, uint64_t offset, bool fin, size_t len);
bool message_ack_put(struct writer *, const struct message_ack *);
bool message_window_put(struct writer *, const struct message_window *);
bool message_reset_put(struct writer *, const struct message_reset *);
bool message_close_put(struct writer *, const struct message_close *);
/* check is computed here. */
bool message_mark_put(struct writer *, const struct message_mark *);
bool message_seen_put(struct writer *, const struct message_seen *);
bool message_probed_put(struct writer *, const struct message_probed *);
bool message_token_put(struct writer *, uint64_t type, uint64_t token); /* PING and PONG */
/* A PAD whose value is n zero octets (n <= CAPSULE_PAD_MAX). */
bool message_pad_put(struct writer *, size_t n);
/* A PAD of n octets with its header: 2 at least, and one or two more where no PAD has that length. */
bool message_fill_put(struct writer *, size_t n);

/* FNV-1a, 32 bit (PROTOCOL.md 4.5). */
uint32_t message_check(struct span filler);

#endif
