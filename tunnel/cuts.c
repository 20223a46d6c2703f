/*
 * Cuts. Pure arithmetic, called by the pool. A cut is taken for one of idleness when the
 * silence was longer than any that was survived, else for one of age or of
 * bytes. What was survived refutes; but a path changes, so two cuts alike count in
 * spite of it.
 */
#include "tunnel/cuts.h"

#include <string.h>

#define RELAX (600 * 1000000LL)
#define WRONG_MAX 6			/* doublings of it */
#define AGE_MAX (3600 * 1000000LL)	/* raised beyond these, nothing is known any more */
#define IDLE_MAX (600 * 1000000LL)
#define BYTES_MAX (UINT64_C(1) << 30)

/* The same cut as that one, as far as can be told. */
static bool alike(uint64_t a, uint64_t b)
{
	return a <= b + b / 5 && b <= a + a / 5;
}

static void learned(struct cuts *c, int64_t now_us)
{
	if (c->raised && c->wrong < WRONG_MAX)
		c->wrong++;
	c->raised = false;
	c->learned_us = now_us;
	memset(&c->odd, 0, sizeof c->odd);
}

static bool learn_idle(struct cuts *c, int64_t idle_us)
{
	if (idle_us < CUTS_IDLE_MIN || idle_us <= c->survived.idle_us)
		return false;
	c->seen.idle_us = idle_us;
	return true;
}

/* Which of these it was cannot be told from one cut: all that it can have been. */
static bool learn_course(struct cuts *c, const struct cut *k)
{
	bool age = k->age_us > c->survived.age_us;
	bool answer = k->answer_us >= CUTS_AGE_MIN && k->answer_us > c->survived.answer_us;
	bool bytes = k->bytes >= CUTS_BYTES_MIN && k->bytes > c->survived.bytes;

	if (age)
		c->seen.age_us = k->age_us;
	if (bytes)
		c->seen.bytes = k->bytes;
	if (answer)
		c->seen.answer_us = k->answer_us;
	return age || bytes || answer;
}

/* What was survived before does not hold any more when it happens twice alike. */
static bool learn_odd(struct cuts *c, const struct cut *k)
{
	struct cut odd = c->odd;
	bool idle = k->idle_us >= CUTS_IDLE_MIN && alike((uint64_t)k->idle_us, (uint64_t)odd.idle_us);
	bool age = k->age_us > 0 && alike((uint64_t)k->age_us, (uint64_t)odd.age_us);
	bool bytes = k->bytes >= CUTS_BYTES_MIN && alike(k->bytes, odd.bytes);
	bool answer = k->answer_us >= CUTS_AGE_MIN && alike((uint64_t)k->answer_us, (uint64_t)odd.answer_us);

	c->odd = *k;
	if (idle)
		c->seen.idle_us = c->survived.idle_us = k->idle_us;
	if (age && !idle)
		c->seen.age_us = c->survived.age_us = k->age_us;
	if (bytes && !idle)
		c->seen.bytes = c->survived.bytes = k->bytes;
	if (answer && !idle)
		c->seen.answer_us = c->survived.answer_us = k->answer_us;
	return idle || age || bytes || answer;
}

bool cuts_note(struct cuts *c, const struct cut *k, int64_t now_us)
{
	if (k->age_us < CUTS_AGE_MIN)
		return false;
	c->count++;
	if (!learn_idle(c, k->idle_us) && !learn_course(c, k) && !learn_odd(c, k))
		return false;
	learned(c, now_us);
	return true;
}

bool cuts_note_idle(struct cuts *c, int64_t idle_us, int64_t now_us)
{
	if (idle_us < CUTS_AGE_MIN)
		return false;
	c->count++;
	if (!learn_idle(c, idle_us) && !learn_odd(c, &(struct cut){ .idle_us = idle_us }))
		return false;
	learned(c, now_us);
	return true;
}

/* A little more than was thought is the same cut, measured better; much more, and there is none. */
static void refute(int64_t *seen, int64_t survived)
{
	if (survived > *seen + *seen / 4)
		*seen = 0;
	else if (*seen && survived > *seen)
		*seen = survived;
}

void cuts_survived(struct cuts *c, const struct cut *k)
{
	int64_t bytes = (int64_t)c->seen.bytes;

	if (k->age_us > c->survived.age_us)
		c->survived.age_us = k->age_us;
	if (k->idle_us > c->survived.idle_us)
		c->survived.idle_us = k->idle_us;
	if (k->bytes > c->survived.bytes)
		c->survived.bytes = k->bytes;
	if (k->answer_us > c->survived.answer_us)
		c->survived.answer_us = k->answer_us;
	refute(&c->seen.age_us, k->age_us);
	refute(&c->seen.answer_us, k->answer_us);
	refute(&c->seen.idle_us, k->idle_us);
	refute(&bytes, (int64_t)k->bytes);
	c->seen.bytes = (uint64_t)bytes;
}

static bool beyond(const struct cuts *c, const struct cut *k, unsigned tenths)
{
	return (c->seen.age_us && k->age_us >= c->seen.age_us / 10 * tenths) ||
	       (c->seen.bytes && k->bytes >= c->seen.bytes / 10 * tenths);
}

bool cuts_due(const struct cuts *c, const struct cut *k)
{
	return beyond(c, k, 8) || (c->seen.answer_us && k->answer_us >= c->seen.answer_us / 10 * 8);
}

bool cuts_half(const struct cuts *c, const struct cut *k)
{
	return beyond(c, k, 5);
}

static int64_t left(int64_t seen_us, int64_t now_us)
{
	int64_t us = seen_us / 10 * 8 - now_us;

	return !seen_us ? INT64_MAX : us > 0 ? us : 0;
}

int64_t cuts_left_us(const struct cuts *c, const struct cut *k)
{
	int64_t age = left(c->seen.age_us, k->age_us);
	int64_t answer = k->answer_us ? left(c->seen.answer_us, k->answer_us) : INT64_MAX;

	return age < answer ? age : answer;
}

static int64_t below(int64_t idle_us, unsigned tenths, int64_t usual_us)
{
	int64_t safe = idle_us / 10 * tenths;

	return idle_us && safe < usual_us ? safe : usual_us;
}

int64_t cuts_keepalive_us(const struct cuts *c, int64_t usual_us)
{
	return below(c->seen.idle_us, 4, usual_us);
}

int64_t cuts_hold_us(const struct cuts *c, int64_t usual_us)
{
	return below(c->seen.idle_us, 8, usual_us);
}

void cuts_relax(struct cuts *c, int64_t now_us)
{
	bool known = c->seen.age_us || c->seen.idle_us || c->seen.bytes || c->seen.answer_us;

	if (!known || now_us - c->learned_us < RELAX << c->wrong)
		return;
	c->learned_us = now_us;
	c->raised = true;
	c->seen.age_us += c->seen.age_us / 2;
	c->seen.idle_us += c->seen.idle_us / 2;
	c->seen.bytes += c->seen.bytes / 2;
	c->seen.answer_us += c->seen.answer_us / 2;
	if (c->seen.answer_us > AGE_MAX)
		c->seen.answer_us = 0;
	if (c->seen.age_us > AGE_MAX)
		c->seen.age_us = 0;
	if (c->seen.idle_us > IDLE_MAX)
		c->seen.idle_us = 0;
	if (c->seen.bytes > BYTES_MAX)
		c->seen.bytes = 0;
}
