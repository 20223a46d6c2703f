/*
 * Media over a world: RTP as a phone or a browser sends it, both ways, and how long each packet
 * took from being made to being handed over. Sent by the flow's own timers.
 */
#ifndef TESTS_SIM_MEDIA_H
#define TESTS_SIM_MEDIA_H

#include "tests/sim/world.h"

#define MEDIA_FLOWS 16
#define MEDIA_LOST INT64_MAX	/* instead of a delay */

enum media_kind { MEDIA_AUDIO, MEDIA_VIDEO };

struct media_options {
	enum media_kind kind;
	bool silent_up, silent_down;	/* nobody sends that way */
	unsigned kbps;			/* video; 0: 1500 */
	int64_t talk_us, pause_us;	/* audio by turns; 0: all the time. In pauses one small packet each 160 ms */
	enum message_redundancy redundancy; /* as the server configures it */
};

/* One packet. */
struct media_packet {
	int64_t born_us, took_us;	/* MEDIA_LOST: it did not come */
	uint32_t frame;			/* video */
};

/* One direction. */
struct media_way {
	struct media *media;
	bool up;
	struct channel *channel;	/* of the sending end */
	struct media_packet *packet;
	unsigned n, cap;
	unsigned repeated, wrong;
	uint64_t bytes;
	struct timer timer;
	uint32_t timestamp, frame, ssrc;
};

struct media {
	struct world *w;
	struct session *session;
	struct media_options o;
	unsigned index;
	struct media_way up, down;
	int64_t offset_us;	/* of the server's sending behind its opening */
};

/* Opens a channel and begins to send; the server's end when its channel is open. Takes world.open. */
struct media *media_new(struct world *, struct session *, const struct media_options *);
void media_stop(struct media *);	/* sends no more; what is under way still counts */
void media_free(struct media *);	/* before or behind the world */
/* For world.open. */
uint64_t media_accept(struct world *, struct channel *, struct channel_params *, const struct endpoint_ops **, void **,
		      const char **sentence);

/* Delays, to be summed up over flows and runs. */
struct tally {
	int64_t *took;
	unsigned n, cap;
	bool sorted;
};

/* Packets born from..until. */
void tally_add(struct tally *, const struct media_way *, int64_t from_us, int64_t until_us);
void tally_fini(struct tally *);
double tally_late(const struct tally *, int64_t us);	/* %, later than that or lost */
double tally_lost(const struct tally *);		/* % */
double tally_percentile(struct tally *, double p);	/* ms, of what came; p 0..100 */
/* Frames of which everything came, and of which a part came, %. */
void media_frames(const struct media_way *, int64_t from_us, int64_t until_us, double *whole, double *torn);

#endif
