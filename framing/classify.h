/*
 * Classifier: what a datagram is, from its first bytes (RFC 7983, RFC 5761,
 * RFC 8656 section 12). It looks into TURN ChannelData and into the DATA
 * attribute of Send and Data indications. It is a question, never a check: any
 * bytes get an answer.
 */
#ifndef FRAMING_CLASSIFY_H
#define FRAMING_CLASSIFY_H

#include <stddef.h>
#include <stdint.h>

enum classify_kind {
	CLASSIFY_OTHER,
	CLASSIFY_STUN,
	CLASSIFY_ZRTP,
	CLASSIFY_DTLS,
	CLASSIFY_RTP,
	CLASSIFY_RTCP,
};

struct classify_result {
	enum classify_kind kind; /* of the innermost packet */
	uint8_t payload_type;	/* of RTP or RTCP, else 0 */
	uint8_t in_turn;	/* 1: found inside ChannelData or an indication */
	uint16_t sequence;	/* of RTP */
	uint32_t timestamp;	/* of RTP */
	uint32_t ssrc;		/* of RTP and RTCP */
	uint8_t marker;		/* of RTP */
	uint8_t first;		/* byte of the innermost packet; 0 when that is empty */
};

struct classify_result classify(const uint8_t *p, size_t n);
const char *classify_name(enum classify_kind);

#endif
