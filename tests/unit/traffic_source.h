/* Senders of RTP for the tests of traffic classes: streams, frames, and what becomes of their packets. */
#ifndef TESTS_UNIT_TRAFFIC_SOURCE_H
#define TESTS_UNIT_TRAFFIC_SOURCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/message.h"
#include "framing/traffic.h"

#define EF 46
#define AF41 34
#define CS1 8

static const struct traffic_rules none;
static struct traffic_flow flow;

/* One RTP stream of a sender's. */
struct source {
	uint32_t ssrc, timestamp;
	uint16_t sequence;
	uint8_t type;
	bool marker;
};

static uint8_t packet[1500];

static inline struct traffic_mark look(const struct traffic_rules *rules, const uint8_t *p, size_t n, uint8_t dscp)
{
	/* In a buffer of its exact size: the sanitizer sees what is read beyond. */
	uint8_t *copy = malloc(n + !n);
	struct traffic_mark m;

	if (n)
		memcpy(copy, p, n);
	m = traffic_look(&flow, rules, copy, n, dscp);
	free(copy);
	return m;
}

static inline void rtp_head(uint8_t *p, const struct source *s)
{
	const uint8_t head[12] = {
		0x80, (uint8_t)(s->marker << 7 | s->type), (uint8_t)(s->sequence >> 8), (uint8_t)s->sequence,
		(uint8_t)(s->timestamp >> 24), (uint8_t)(s->timestamp >> 16), (uint8_t)(s->timestamp >> 8), (uint8_t)s->timestamp,
		(uint8_t)(s->ssrc >> 24), (uint8_t)(s->ssrc >> 16), (uint8_t)(s->ssrc >> 8), (uint8_t)s->ssrc,
	};

	memcpy(p, head, sizeof head);
}

static inline struct traffic_mark send_as(const struct traffic_rules *rules, struct source *s, size_t n, uint8_t dscp)
{
	rtp_head(packet, s);
	s->sequence++;
	return look(rules, packet, n, dscp);
}

static inline enum traffic send(struct source *s, size_t n)
{
	return send_as(&none, s, n, 0).class;
}

/* Packets of one size, each with a time stamp of its own, `step` apart; the class of the last. */
static inline enum traffic talk(struct source *s, unsigned packets, uint32_t step, size_t n)
{
	enum traffic class = TRAFFIC_CLASSES;

	while (packets--) {
		class = send(s, n);
		s->timestamp += step;
	}
	return class;
}

/* A frame of so many packets; the class of the last. */
static inline enum traffic frame(struct source *s, unsigned packets, uint32_t step, size_t n)
{
	enum traffic class = TRAFFIC_CLASSES;

	while (packets--) {
		s->marker = packets == 0;
		class = send(s, n);
	}
	s->timestamp += step;
	return class;
}

static inline int setup(void **state)
{
	(void)state;
	traffic_flow_init(&flow);
	return 0;
}

#endif
