/*
 * Request: the target of an exchange, {base}/v1/{sid}?c=..&x=..&m=.. (PROTOCOL.md
 * section 2.1). One parser and one formatter for both ends.
 */
#ifndef FRAMING_REQUEST_H
#define FRAMING_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/cursor.h"
#include "framing/target.h"

#define REQUEST_SID_LEN TARGET_SID_LEN
#define REQUEST_HOLD_MAX 60000	/* ms */
#define REQUEST_KEEP_MAX 16
#define REQUEST_CARRIER_MAX 65535
#define REQUEST_X_MAX ((UINT64_C(1) << 53) - 1)
#define REQUEST_TARGET_MAX 512	/* bytes of a target that the helper formats, base included */
#define REQUEST_BASE_MAX 256

#define REQUEST_KEEPALIVE_MIN 200 /* ms */
#define REQUEST_KEEPALIVE_MAX 60000
#define REQUEST_PAD_MAX 6144
#define REQUEST_MARKS_MAX 32
#define REQUEST_GAP_MAX 600000	/* ms */
#define REQUEST_SIZE_MAX 65000

enum request_mode { MODE_HELLO, MODE_POLL, MODE_UP, MODE_DOWN, MODE_DUPLEX, MODE_PROBE, MODE_SEAL, MODE_WEBSOCKET };

/* How a probe is answered. */
enum request_answer { ANSWER_COMPLETE, ANSWER_STREAMED, ANSWER_EARLY };

struct request {
	char sid[REQUEST_SID_LEN + 1];
	uint32_t carrier;
	uint64_t x;
	enum request_mode mode;
	uint32_t hold_ms;	/* poll, probe */
	uint32_t keep;		/* poll */
	bool end;		/* poll: the helper gives the carrier up */
	uint32_t keepalive_ms;	/* down, duplex, websocket; 0: HELLO's */
	bool rest;		/* down, duplex, websocket: it is trusted only by what is said so, not by the receipt for a SEEN */
	uint32_t pad;		/* down, duplex, websocket, probe */
	bool event_stream;	/* down, duplex, probe */
	enum request_answer answer; /* probe, as all below */
	uint32_t marks, gap_ms, size;
	uint32_t seal;		/* number of the seal that closes the body, and the answer's (mode seal: that is to be made); 0: none */
	bool has_epoch;
	uint64_t epoch;
};

/* Parses a request target (origin or absolute form). 0; ERROR_UNSUPPORTED when its path is not below
 * base; ERROR_MALFORMED. *path_query is the part from the path on (what is signed). */
int request_parse(struct request *, const char *base, struct span target, struct span *path_query);
/* Writes the target with a final NUL: its length, or ERROR_LIMIT. */
ssize_t request_put(const struct request *, const char *base, char *out, size_t cap);
const char *request_mode_name(enum request_mode);
/* Its answer is streamed, its request body is. */
bool request_mode_down(enum request_mode);
bool request_mode_up(enum request_mode);
/* The method that is signed, whatever the request has: that of a WebSocket is GET in HTTP/1.1 and CONNECT in HTTP/2, and
 * what is in between may make one of the other. */
const char *request_mode_method(enum request_mode);
/* 16 random octets to a sid. */
void request_sid(char out[REQUEST_SID_LEN + 1], const uint8_t random[16]);

#endif
