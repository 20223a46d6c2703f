/*
 * Traffic: what a datagram is to the scheduler: its class, and which video frame
 * it belongs to. By its first bytes where they tell (classify.h), by payload type
 * where the service's configuration names it, by DSCP, else by the size and cadence
 * of its RTP stream. Pure; one flow for each direction of a channel.
 */
#ifndef FRAMING_TRAFFIC_H
#define FRAMING_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of their priority. */
enum traffic {
	TRAFFIC_CONTROL,	/* STUN, DTLS, ZRTP, RTCP: few, and everything hangs on them */
	TRAFFIC_AUDIO,
	TRAFFIC_VIDEO,
	TRAFFIC_BULK,		/* everything else: DNS, games, QUIC */
	TRAFFIC_CLASSES,
};

#define TRAFFIC_SSRCS 8		/* RTP streams that a flow tells apart */

/* Configured for a channel; zeros: nothing is. */
struct traffic_rules {
	uint8_t class;		/* enum message_class: anything but CLASS_AUTO decides for all packets */
	uint8_t audio_types[16], video_types[16]; /* bit sets of RTP payload types, 128 each */
};

/* What is known of one direction of a channel. */
struct traffic_flow {
	struct traffic_ssrc {
		uint32_t ssrc, timestamp;
		uint16_t mean_size;	/* smoothed, octets */
		uint8_t packets, bursts; /* counted up to 255; packets with the time stamp of the one before */
		uint8_t payload_type;
		uint8_t class;		/* enum traffic, as found last */
	} stream[TRAFFIC_SSRCS];
	unsigned streams, next;	/* next: the entry to be given away */
};

struct traffic_mark {
	enum traffic class;
	bool framed;		/* ssrc and timestamp name a video frame */
	bool last;		/* the frame's last packet (RTP marker) */
	uint32_t ssrc, timestamp;
};

void traffic_flow_init(struct traffic_flow *);
/* dscp: 0..63 as the local socket got it, 0 when nothing is known. Any bytes get an answer. */
struct traffic_mark traffic_look(struct traffic_flow *, const struct traffic_rules *, const uint8_t *p, size_t n,
				 uint8_t dscp);
/* Of a channel without a configured deadline, ms: audio 200, video 400, others 1000. */
uint32_t traffic_deadline_ms(enum traffic);
const char *traffic_name(enum traffic); /* "control", "audio", "video", "bulk" */

#endif
