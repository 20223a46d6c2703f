/*
 * What a pool learns from the ends of its connections, and what users are told of how long theirs
 * will live. The arithmetic is in cuts.c.
 */
#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/pool_internal.h"

/* What was learned, in words; news only. */
static void say_learned(const struct cuts *before, const struct cuts *c)
{
	if (c->seen.idle_us != before->seen.idle_us)
		log_limited(LOG_LEVEL_INFO, "pool", "", "connections are cut here after %.1f s of silence: keeping below that",
			    (double)c->seen.idle_us / LOOP_SECOND);
	if (c->seen.age_us != before->seen.age_us)
		log_limited(LOG_LEVEL_INFO, "pool", "", "connections are cut here when they are %.1f s old: replacing them before",
			    (double)c->seen.age_us / LOOP_SECOND);
	if (c->seen.answer_us != before->seen.answer_us && c->seen.answer_us != c->seen.age_us)
		log_limited(LOG_LEVEL_INFO, "pool", "", "requests are cut here that go on for %.1f s without an answer: ending them before",
			    (double)c->seen.answer_us / LOOP_SECOND);
	if (c->seen.bytes != before->seen.bytes)
		log_limited(LOG_LEVEL_INFO, "pool", "", "connections are cut here after %.1f MB: replacing them before",
			    (double)c->seen.bytes / 1e6);
}

void pool_on_learned(struct pool *p, void (*learned)(void *ctx), void *ctx)
{
	p->learned = learned;
	p->learned_ctx = ctx;
}

void pool_tell_learned(struct pool *p)
{
	if (p->learned && !p->dead)
		p->learned(p->learned_ctx);
}

static struct member *member_of(const struct exchange *x)
{
	return http_owner(x);
}

bool pool_is_plain(const struct exchange *x)
{
	return http_stream(x->http)->plain;
}

void pool_survived(struct member *m, bool over)
{
	struct cut stood;

	if (m->old)
		return;
	course_survived(http_course(m->http), &stood);
	if (!over) {
		stood.age_us -= stood.age_us / 8;
		stood.bytes -= stood.bytes / 8;
	}
	cuts_survived(m->pool->cuts, &stood);
}

/* Cuts one after the other are forgiven together. */
static void keep_before(struct pool *p)
{
	int64_t now = loop_now(p->loop);

	if (!p->noted_us || now - p->noted_us > EXCUSE_US)
		p->before = *p->cuts;
	p->noted_us = now;
}

void pool_was_cut(struct member *m)
{
	struct cuts *c = m->pool->cuts, before = *c;
	int64_t at = loop_now(m->pool->loop);
	struct cut now, stood;

	if (m->noted)
		return;
	m->noted = m->spent = true;
	course_cut(http_course(m->http), at, &now, &stood);
	keep_before(m->pool);
	cuts_survived(c, &stood);
	if (cuts_note(c, &now, at)) {
		say_learned(&before, c);
		pool_tell_learned(m->pool);
	}
	log_debug("pool", "", "cut at %.1f s, silent %.1f s, %.2f MB; before %.1f s and %.1f s were survived", (double)now.age_us / LOOP_SECOND,
		  (double)now.idle_us / LOOP_SECOND, (double)now.bytes / 1e6, (double)before.survived.age_us / LOOP_SECOND,
		  (double)before.survived.idle_us / LOOP_SECOND);
}

void pool_excuse(struct pool *p)
{
	int64_t since = loop_now(p->loop) - EXCUSE_US;
	bool cut = p->noted_us && p->noted_us > since, limited = p->limited_us && p->limited_us > since;

	if (cut)
		*p->cuts = p->before;
	if (limited)
		pool_unlimit(p);
	p->noted_us = p->limited_us = 0;
	if (cut || limited)
		pool_tell_learned(p);	/* what was kept is wrong */
}

void pool_note_cut(const struct exchange *x)
{
	struct member *m = member_of(x);

	if (m->pool)
		pool_was_cut(m);
}

void pool_note_idle(const struct exchange *x, int64_t idle_us)
{
	struct member *m = member_of(x);
	struct cuts before;

	if (!m->pool || m->old)
		return;
	before = *m->pool->cuts;
	keep_before(m->pool);
	course_disown(http_course(m->http));	/* that it stood this silence means nothing */
	if (cuts_note_idle(m->pool->cuts, idle_us, loop_now(m->pool->loop))) {
		say_learned(&before, m->pool->cuts);
		pool_tell_learned(m->pool);
	}
}

#define LEAVING_US (5 * LOOP_SECOND)	/* the peer would end it: not at once, for it may say so of each */

bool pool_is_worn(const struct exchange *x)
{
	struct member *m = member_of(x);
	struct cut now;

	if (!m->pool)
		return false;
	pool_survived(m, false);
	cuts_relax(m->pool->cuts, loop_now(m->pool->loop));
	course_now(http_course(m->http), loop_now(m->pool->loop), &now);
	return m->spent || (m->http->leaving && now.age_us >= LEAVING_US) || cuts_due(m->pool->cuts, &now);
}

int64_t pool_left_us(const struct exchange *x)
{
	struct member *m = member_of(x);
	struct cut now;

	if (!m->pool)
		return INT64_MAX;
	course_now(http_course(m->http), loop_now(m->pool->loop), &now);
	return cuts_left_us(m->pool->cuts, &now);
}

#define HUSHED_US (100 * LOOP_MS)	/* from the answer to the end */
#define HUSHED 2
#define HUSHED_FOR (600 * LOOP_SECOND)	/* then it is tried again */

bool pool_was_hushed(struct member *m, int error)
{
	struct pool *p = m->pool;
	int64_t now = loop_now(p->loop);
	bool ended = error == ERROR_EOF || error == ERROR_RESET;

	if (m->state == MEMBER_USED && (m->exchanges < 2 || !ended || http_was_answered(m->http)))
		return false;
	if (m->state == MEMBER_FREE && (m->exchanges == 0 || (error && !ended)))
		return false;
	if (m->state == MEMBER_DIALLING || p->kept || m->http->multiplexed || m->old || m->spent || now - m->since > HUSHED_US)
		return false;
	if (pool_is_hushed(p))
		return true;
	p->hushed = now - p->hushed_us < HUSHED_FOR ? p->hushed + 1 : 1;
	p->hushed_us = now;
	if (p->hushed == HUSHED)
		log_debug("pool", "", "connections end behind each answer here, though none says so");
	return true;
}

bool pool_is_hushed(const struct pool *p)
{
	return p->hushed >= HUSHED && loop_now(p->loop) - p->hushed_us < HUSHED_FOR;
}

#define MUTE 2
#define MUTE_BESIDE 8		/* where another one answers: it may be that only some are taken */
#define MUTE_US (60 * LOOP_SECOND) /* what happened before that says nothing any more */
#define YOUNG_US LOOP_SECOND
#define SAFE_US (600 * LOOP_SECOND)

static bool has_answered(const struct member *m)
{
	return m->state != MEMBER_DIALLING && m->http->multiplexed && http_course(m->http)->answered_once;
}

/* It ended without an answer to what was asked, or was told to go before anything could be. */
static bool was_mute(const struct member *m)
{
	if (m->state == MEMBER_DIALLING || !m->http->multiplexed || m->old || has_answered(m))
		return false;
	return m->exchanges > 0 || (m->http->leaving && loop_now(m->pool->loop) - m->since < YOUNG_US);
}

/* Where another one answers it is hardly the version; but nobody tries one such connection after the other for ever. */
void pool_judge_version(struct member *m)
{
	struct pool *p = m->pool;
	int64_t now = loop_now(p->loop);
	bool answers = false;

	if (has_answered(m))
		p->mute = 0;
	if (!was_mute(m))
		return;
	for (const struct member *other = p->members; other; other = other->next)
		answers |= has_answered(other);
	p->mute = now - p->mute_us < MUTE_US ? p->mute + 1 : 1;
	p->mute_us = now;
	if (answers)
		p->not_before = now + (GAP_US << (p->mute < 6 ? p->mute - 1 : 5));
	if (p->mute < (answers ? MUTE_BESIDE : MUTE) || p->insists)
		return;
	p->mute = 0;
	p->safe_until = loop_now(p->loop) + SAFE_US;
	log_warn("pool", "", "HTTP/2 does not work here, though it is offered: %d connections ended before any answer. Using HTTP/1.1 for %d minutes "
		 "(--http 1.1 does so always)", answers ? MUTE_BESIDE : MUTE, (int)(SAFE_US / LOOP_SECOND / 60));
}

enum dial_versions pool_versions(const struct pool *p)
{
	return loop_now(p->loop) < p->safe_until ? DIAL_11 : DIAL_ANY;
}

void pool_insist(struct pool *p)
{
	p->insists = true;
}
