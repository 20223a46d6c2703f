/*
 * Traffic: what a datagram is to the scheduler: its class, and which video frame
 * it belongs to. By its first bytes where they tell (classify.h), by payload type
 * where the service's configuration or RFC 3551 names it, by DSCP, else by the size
 * and cadence of its RTP stream. Pure; one flow for each direction of a channel.
 */
#ifndef FRAMING_TRAFFIC_H
#define FRAMING_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of their priority. */
enum traffic {
	TRAFFIC_CONTROL,	/* STUN, DTLS handshakes, ZRTP, RTCP: few, and everything hangs on them */
	TRAFFIC_AUDIO,
	TRAFFIC_VIDEO,
	TRAFFIC_BULK,		/* everything else: data channels, DNS, games, QUIC */
	TRAFFIC_CLASSES,
};

#define TRAFFIC_SETS 8		/* a flow tells this many times TRAFFIC_WAYS RTP streams apart */
#define TRAFFIC_WAYS 4

/* Configured for a channel; zeros: nothing is. */
struct traffic_rules {
	uint8_t class;		/* enum message_class: anything but CLASS_AUTO decides, see traffic_look */
	uint8_t audio_types[16], video_types[16]; /* bit sets of RTP payload types, 128 each */
};

/* What is known of one direction of a channel. */
struct traffic_flow {
	struct traffic_stream {
		uint32_t ssrc, timestamp; /* of the packet before, as sequence */
		uint16_t sequence;
		uint16_t step;		/* of the time stamp, when audio may have it; else 0 */
		int8_t score;		/* for audio; below 0: for video */
		uint8_t class;		/* enum traffic */
		bool used;
	} stream[TRAFFIC_SETS][TRAFFIC_WAYS];
	uint8_t next[TRAFFIC_SETS]; /* the stream to be given away */
	uint8_t audio_types[16], video_types[16]; /* learned */
	bool has_audio;		/* a type is in audio_types */
	uint8_t doubt;		/* that this is RTP at all */
	uint8_t hidden;		/* DTLS records since the last that showed to be of a handshake */
};

struct traffic_mark {
	enum traffic class;
	bool framed;		/* RTP video: ssrc and timestamp name its frame */
	bool last;		/* the frame's last packet (RTP marker) */
	uint32_t ssrc, timestamp;
};

void traffic_flow_init(struct traffic_flow *);
/* dscp: 0..63 as the local socket got it, 0 when nothing is known. Any bytes get an answer. A configured class is that of
 * all packets but STUN, DTLS handshakes, ZRTP and RTCP, and of these, too, when it is CLASS_BULK. */
struct traffic_mark traffic_look(struct traffic_flow *, const struct traffic_rules *, const uint8_t *p, size_t n,
				 uint8_t dscp);
/* Of a channel without a configured deadline, ms: audio 200, video 400, others 1000. */
uint32_t traffic_deadline_ms(enum traffic);
const char *traffic_name(enum traffic); /* "control", "audio", "video", "bulk" */

#endif
