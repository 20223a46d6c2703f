/*
 * The course of a connection, see course.h. Fed by the HTTP engines, asked by the pool.
 */
#include "tunnel/course.h"

#define RESTED 1000000		/* us */

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Exchanges whose answer has not begun. */
static unsigned waiting(const struct course *c)
{
	return c->at[COURSE_NONE][COURSE_NONE] + c->at[COURSE_NONE][COURSE_OPEN] + c->at[COURSE_NONE][COURSE_COMPLETE];
}

static unsigned sending(const struct course *c)
{
	return c->at[COURSE_NONE][COURSE_OPEN] + c->at[COURSE_OPEN][COURSE_OPEN] + c->at[COURSE_COMPLETE][COURSE_OPEN];
}

static unsigned receiving(const struct course *c)
{
	return c->at[COURSE_OPEN][COURSE_NONE] + c->at[COURSE_OPEN][COURSE_OPEN] + c->at[COURSE_OPEN][COURSE_COMPLETE];
}

static int64_t silence(const struct course *c, int64_t now)
{
	int64_t longest = 0;

	if (sending(c))
		longest = now - c->out_last;
	if (receiving(c))
		longest = longer(longest, now - c->in_last);
	if (c->at[COURSE_NONE][COURSE_COMPLETE])
		longest = longer(longest, now - longer(c->out_last, c->in_last));
	/* One that was cut while it was free is noticed by the next exchange, soon. */
	return waiting(c) && now - c->begun < RESTED ? longer(longest, c->rested) : longest;
}

static uint64_t most_bytes(const struct course *c)
{
	return c->in_bytes > c->out_bytes ? c->in_bytes : c->out_bytes;
}

void course_init(struct course *c, int64_t now)
{
	*c = (struct course){ .born = now, .heard = now, .in_last = now, .out_last = now };
}

void course_begin(struct course *c, struct course_exchange *x, int64_t now)
{
	*x = (struct course_exchange){ .counted = true };
	c->at[COURSE_NONE][COURSE_NONE]++;
	c->ended = false;
	if (c->exchanges++ > 0)
		return;
	c->in_last = c->out_last = c->begun = c->last_open = now;
	c->rested = c->used ? now - c->free_since : 0;
	c->used = true;
}

void course_end(struct course *c, struct course_exchange *x, int64_t now)
{
	if (!x->counted)
		return;
	x->counted = false;
	c->at[x->in][x->out]--;
	if (--c->exchanges == 0)
		c->free_since = now;
}

static void move(struct course *c, struct course_exchange *x, enum course_message in, enum course_message out)
{
	if (x->counted) {
		c->at[x->in][x->out]--;
		c->at[in][out]++;
	}
	x->in = in;
	x->out = out;
}

void course_in(struct course *c, struct course_exchange *x, enum course_message m)
{
	c->ended = m == COURSE_COMPLETE || (c->ended && m == COURSE_OPEN);
	c->answered_once |= m != COURSE_NONE;
	move(c, x, m, x->out);
}

void course_out(struct course *c, struct course_exchange *x, enum course_message m)
{
	move(c, x, x->in, m);
}

void course_heard(struct course *c, size_t n, int64_t now)
{
	int64_t quiet = longer(silence(c, now), c->unproven);

	/* An answer that comes only behind the end of a body was waited for since its beginning. */
	if (waiting(c) && c->last_open > c->begun)
		c->answered = longer(c->answered, c->last_open - c->heard);
	c->in_bytes += n;
	c->heard = c->in_last = now;
	c->asked = 0;
	c->gap = quiet;
	c->quiet_before = c->quiet;
	c->quiet = longer(c->quiet, quiet);
	c->unproven = 0;
	c->ended = false;
}

void course_said(struct course *c, size_t n, int64_t now)
{
	if (sending(c))
		c->last_open = now;
	c->out_bytes += n;
	if (!c->asked)
		c->asked = now;
	c->unproven = longer(c->unproven, now - c->out_last);
	c->out_last = now;
}

void course_excuse(struct course *c, int64_t now)
{
	c->in_last = now;
}

void course_disown(struct course *c)
{
	c->quiet = c->quiet_before = c->unproven = 0;
}

void course_now(const struct course *c, int64_t now, struct cut *out)
{
	int64_t unanswered = c->at[COURSE_NONE][COURSE_OPEN] ? now - c->heard : 0;

	*out = (struct cut){ .age_us = now - c->born, .idle_us = silence(c, now), .answer_us = unanswered, .bytes = most_bytes(c) };
}

void course_survived(const struct course *c, struct cut *out)
{
	*out = (struct cut){ .age_us = c->heard - c->born, .idle_us = c->quiet, .answer_us = c->answered, .bytes = most_bytes(c) };
}

void course_cut(const struct course *c, int64_t at, struct cut *now, struct cut *stood)
{
	course_now(c, at, now);
	if (c->ended)
		now->idle_us = c->gap;
	*stood = (struct cut){ .idle_us = c->ended ? c->quiet_before : c->quiet };
}
