/*
 * The course of a connection: its age, its bytes, and its silences, for the pool
 * that learns when connections are cut. A silence counts for a direction in which a message
 * is under way; while an answer is waited for, for that.
 */
#include "tunnel/h1_internal.h"

#define RESTED LOOP_SECOND

static int64_t silence(const struct h1 *h)
{
	int64_t now = loop_now(h->loop), longest = 0;

	if (h->out == H1_OPEN)
		longest = now - h->out_last;
	if (h->in == H1_OPEN && now - h->in_last > longest)
		longest = now - h->in_last;
	if (h->in == H1_NONE && h->out == H1_COMPLETE)
		longest = now - h->out_last;
	/* One that was cut while it was free is noticed by the next exchange, soon. */
	return h->in == H1_NONE && now - h->begun < RESTED && h->rested > longest ? h->rested : longest;
}

static int64_t unanswered(const struct h1 *h)
{
	return h->in == H1_NONE && h->out == H1_OPEN ? loop_now(h->loop) - h->heard : 0;
}

void h1_heard(struct h1 *h, size_t n)
{
	int64_t now = silence(h);

	/* An answer that comes only behind the end of a body was waited for since its beginning. */
	if (h->in == H1_NONE && h->last_open > h->begun && h->last_open - h->heard > h->answered)
		h->answered = h->last_open - h->heard;
	h->in_bytes += n;
	h->heard = loop_now(h->loop);
	if (now < h->unproven)
		now = h->unproven;
	h->gap = now;
	h->quiet_before = h->quiet;
	if (h->quiet < now)
		h->quiet = now;
	h->unproven = 0;
}

void h1_said(struct h1 *h, size_t n)
{
	int64_t now = loop_now(h->loop) - h->out_last;

	if (h->out == H1_OPEN)
		h->last_open = loop_now(h->loop);

	h->out_bytes += n;
	if (h->unproven < now)
		h->unproven = now;
}

void h1_course(const struct h1 *h, struct cut *out)
{
	*out = (struct cut){ .age_us = loop_now(h->loop) - h->born, .idle_us = silence(h),
			     .answer_us = unanswered(h), .bytes = h->in_bytes > h->out_bytes ? h->in_bytes : h->out_bytes };
}

void h1_survived(const struct h1 *h, struct cut *out)
{
	*out = (struct cut){ .age_us = h->heard - h->born, .idle_us = h->quiet,
			     .answer_us = h->answered, .bytes = h->in_bytes > h->out_bytes ? h->in_bytes : h->out_bytes };
}

void h1_cut(const struct h1 *h, struct cut *now, struct cut *stood)
{
	bool ended = h->in == H1_COMPLETE;	/* as if in order */

	h1_course(h, now);
	if (ended)
		now->idle_us = h->gap;
	*stood = (struct cut){ .idle_us = ended ? h->quiet_before : h->quiet };
}

int64_t h1_heard_us(const struct h1 *h)
{
	return h->heard;
}

bool h1_was_answered(const struct h1 *h)
{
	return h->refused || h->in == H1_COMPLETE;
}

void h1_disown(struct h1 *h)
{
	h->quiet = h->quiet_before = h->unproven = 0;
}

void *h1_owner(const struct exchange *x)
{
	return ((const struct h1 *)(const void *)x)->ctx;
}
