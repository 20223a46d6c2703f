/*
 * Course: how a connection lives, as its client sees it: its age, its bytes, and
 * its silences, for the pool that learns when connections are cut (cuts.h). The
 * engines feed it; it knows no clock and no engine.
 *
 * A silence counts for a direction in which a message is under way; while an answer is
 * waited for, for both together. With several exchanges at once it is that of the
 * connection below them.
 */
#ifndef TUNNEL_COURSE_H
#define TUNNEL_COURSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/cuts.h"

/* One message of an exchange. */
enum course_message {
	COURSE_NONE,		/* no head yet; -> OPEN, COMPLETE */
	COURSE_OPEN,		/* -> COMPLETE */
	COURSE_COMPLETE,	/* -> NONE, where an exchange is repeated */
};
#define COURSE_STATES 3

/* Embedded in each exchange of an engine, all 0 at first. Only course.c writes it. */
struct course_exchange {
	enum course_message in, out; /* the peer's, and ours */
	bool counted;		/* between begin and end */
};

/* Times in us of the loop's clock. */
struct course {
	int64_t born, heard;	/* heard: something came, ever */
	int64_t in_last, out_last; /* progress while something was under way */
	uint64_t in_bytes, out_bytes;
	unsigned at[COURSE_STATES][COURSE_STATES]; /* exchanges, by in and out */
	unsigned exchanges;	/* their sum */
	bool used;		/* there was one */
	int64_t free_since;	/* there is none since then */
	int64_t begun, last_open, answered; /* the first of those under way; a body went on then; the longest silence of the peer beside a body that was answered in the end */
	int64_t rested;		/* between the last exchange and this one */
	int64_t gap, quiet_before; /* the silence that ended last, and quiet before it */
	int64_t quiet, unproven; /* longest silences that ended: and something was heard since, or not */
	int64_t asked;		/* something was said first since anything was heard; 0: nothing */
	bool ended;		/* what was heard last ended a message */
	bool answered_once;	/* the peer's messages began to come */
};

void course_init(struct course *, int64_t now);
/* An exchange begins, and is over (in whatever state; more than once is fine). */
void course_begin(struct course *, struct course_exchange *, int64_t now);
void course_end(struct course *, struct course_exchange *, int64_t now);
/* Its messages go on. Outside of begin and end they are set, and nothing is counted. */
void course_in(struct course *, struct course_exchange *, enum course_message);
void course_out(struct course *, struct course_exchange *, enum course_message);
/* n bytes came or went, of any exchange or of none. Called before what they do to messages is told when they came,
 * behind it when they went. */
void course_heard(struct course *, size_t n, int64_t now);
void course_said(struct course *, size_t n, int64_t now);
/* The peer was kept from saying anything until now: that was no silence of its own. */
void course_excuse(struct course *, int64_t now);
/* The silences so far do not count as survived. */
void course_disown(struct course *);

/* The connection as it is now, and the most of everything that it is known to have stood: up to the last time that
 * something was heard. */
void course_now(const struct course *, int64_t now, struct cut *);
void course_survived(const struct course *, struct cut *);
/* It was cut just now, or an answer was ended by something in between: what it had come to, and the silences that it
 * had stood before. */
void course_cut(const struct course *, int64_t at, struct cut *now, struct cut *stood);

#endif
