/*
 * Cuts: what a path was seen to do to connections: how long, how many bytes and how
 * silent they may be before something in between ends them. Learned from the first
 * cut, refuted by connections that outlive it, forgotten slowly.
 */
#ifndef TUNNEL_CUTS_H
#define TUNNEL_CUTS_H

#include <stdbool.h>
#include <stdint.h>

/* A connection as it was when it was cut, or now. bytes: of the direction with more of them. idle: the longest silence of
 * a direction in which a message was under way. answer: how long a request body has been going on without an answer. */
struct cut {
	int64_t age_us, idle_us;
	uint64_t bytes;
	int64_t answer_us;
};

/* All 0: nothing was learned. */
struct cuts {
	struct cut seen;	/* the cut as learned, 0 where none */
	struct cut survived;	/* the most that any connection stood */
	int64_t learned_us;	/* when, on the loop's clock, or when it was last raised */
	unsigned count;		/* cuts noted */
	struct cut odd;		/* the last one that could not be: others survived more. A second one like it counts */
	unsigned wrong;		/* how often raising it was wrong: it is raised ever more rarely */
	bool raised;		/* since it was learned */
};

#define CUTS_AGE_MIN (2 * 1000000LL)	/* younger ones failed for another reason */
#define CUTS_IDLE_MIN (1 * 1000000LL)
#define CUTS_BYTES_MIN (256 * 1024)

/* A connection was ended from outside in the middle of an exchange. True when something was learned. */
bool cuts_note(struct cuts *, const struct cut *, int64_t now_us);
/* An answer was given up by something in between after that silence; the connection itself was not cut. */
bool cuts_note_idle(struct cuts *, int64_t idle_us, int64_t now_us);
/* A connection stood this. */
void cuts_survived(struct cuts *, const struct cut *);
/* It is time to replace a connection like this: 0.8 x the learned age, bytes or answer. */
bool cuts_due(const struct cuts *, const struct cut *);
/* It is better not used for something new: half the learned age or bytes. answer does not matter. */
bool cuts_half(const struct cuts *, const struct cut *);
/* How long such a one may still be used; INT64_MAX: nothing is known. */
int64_t cuts_left_us(const struct cuts *, const struct cut *);
/* The silence to keep below: 0.4 x the learned idle cut, or usual_us when that is less or none is known. */
int64_t cuts_keepalive_us(const struct cuts *, int64_t usual_us);
/* The longest hold of a poll: 0.8 x the learned idle cut, or usual_us. */
int64_t cuts_hold_us(const struct cuts *, int64_t usual_us);
/* Ten minutes without a cut raise what was learned by half. */
void cuts_relax(struct cuts *, int64_t now_us);

#endif
