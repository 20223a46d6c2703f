/* A scheduler in virtual time with ten flows, what goes in and out of it, and what it drops. */
#ifndef TESTS_LIB_SCHEDULED_H
#define TESTS_LIB_SCHEDULED_H

#include "tunnel/scheduler.h"

#define MS 1000
#define FLOWS 10
#define LONGEST 1200
#define CONTROL TRAFFIC_CONTROL
#define AUDIO TRAFFIC_AUDIO
#define VIDEO TRAFFIC_VIDEO
#define BULK TRAFFIC_BULK

extern struct scheduler s;
extern struct scheduler_flow flow[FLOWS];
extern int64_t now;
extern struct gone {
	unsigned count[SCHEDULER_REASONS], of_flow[FLOWS];
	uint64_t last;	/* number */
} gone;

struct taken {
	int class, flow;	/* -1: nothing */
	size_t len;
	uint64_t number;
	int64_t age;
	uint32_t ssrc, timestamp;
};

int scheduled_setup(void **state);
int scheduled_teardown(void **state);
/* Another one, empty; the old one must be so, too. */
void scheduled_begin(size_t max_packets, size_t max_bytes);

struct packet *packet(enum traffic class, size_t len);
/* Adds one: its number. */
uint64_t add(unsigned f, enum traffic class, size_t len);
/* A part of a video frame. */
uint64_t add_part(unsigned f, uint32_t ssrc, uint32_t timestamp, bool last);
struct taken take_of(unsigned classes);
struct taken take(void);

#define SCHEDULED(fn) cmocka_unit_test_setup_teardown(fn, scheduled_setup, scheduled_teardown)

#endif
