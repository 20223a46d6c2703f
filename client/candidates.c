/*
 * Candidates. A choice is one dial of the pool, over one or more ways; its
 * sentence is that of the way it began with. Called by the pool through the
 * table, made by route.c.
 */
#include "client/candidates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/dress.h"
#include "tunnel/http.h"
#include "tunnel/log.h"
#include "tunnel/stream.h"

#define WHY_MAX 1200
#define SPARE_US (2 * LOOP_SECOND)	/* a connection that nobody takes is closed */

struct choice;

/* One way of a choice. */
struct attempt {
	struct choice *choice;
	unsigned at;
	struct dial *dial;		/* NULL: not under way */
	const struct pool_dialler *dialler;
	bool tried;
};

/* What the pool takes for a dial. */
struct choice {
	struct candidates *all;
	struct choice *next, **link;	/* in all->choices */
	struct attempt attempt[CANDIDATES_MAX];
	bool back;			/* looks whether a better way is open again; nobody waits for it */
	bool begun;
	enum dial_versions versions;
	struct timer patience;
	struct later hand_over;		/* of a connection that was there already */
	struct stream *stream;		/* it stands */
	int error;
	char why[WHY_MAX];
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
};

struct candidates {
	struct loop *loop;
	struct pool_dialler dialler;
	const struct candidates_events *events;
	void *ctx;
	struct candidate way[CANDIDATES_MAX];
	int64_t bad_until[CANDIDATES_MAX], bad_us[CANDIDATES_MAX];
	unsigned n, current;
	char denied[600];		/* the sentence of the last one that was denied, */
	unsigned denied_at;		/* and which that was */
	struct choice *choices;
	struct stream *spare;		/* of the current way */
	struct timer spare_until, back;
	int64_t back_us;
};

static void ignore(void *ctx)
{
	(void)ctx;
}

static void ignore_failed(void *ctx, int error)
{
	(void)ctx;
	(void)error;
}

static const struct stream_events nobody = { ignore, ignore, ignore, ignore_failed };

static void close_stream(struct stream *s)
{
	if (s->dress)
		s->dress->ops->release(s->dress);
	s->dress = NULL;
	stream_close(s);
}

static void drop_spare(void *ctx)
{
	struct candidates *c = ctx;

	timer_stop(&c->spare_until);
	if (c->spare)
		close_stream(c->spare);
	c->spare = NULL;
}

static void keep_spare(struct candidates *c, struct stream *s)
{
	drop_spare(c);
	c->spare = s;
	stream_attach(s, &nobody, NULL);
	timer_in(&c->spare_until, SPARE_US);
}

/* ---- a choice ---- */

static void attempt_cancel(struct attempt *a)
{
	if (a->dial)
		a->dialler->cancel(a->dial);
	a->dial = NULL;
}

/* The one end of a choice, in any state. */
static void choice_drop(struct choice *k)
{
	struct candidates *c = k->all;

	timer_stop(&k->patience);
	later_cancel(c->loop, &k->hand_over);
	for (unsigned i = 0; i < CANDIDATES_MAX; i++)
		attempt_cancel(&k->attempt[i]);
	if (k->stream)
		keep_spare(c, k->stream);
	k->stream = NULL;
	*k->link = k->next;
	if (k->next)
		k->next->link = k->link;
	loop_free_later(c->loop, k);
}

static void choice_done(struct choice *k, struct stream *s)
{
	void (*done)(void *, struct stream *, int, const char *) = k->done;
	void *ctx = k->pool_ctx;

	k->stream = NULL;
	choice_drop(k);
	if (s)
		done(ctx, s, 0, "");
	else
		done(ctx, NULL, k->error, k->why);
}

static void set_back_timer(struct candidates *c)
{
	if (c->current == 0) {
		timer_stop(&c->back);
		return;
	}
	if (!timer_armed(&c->back))
		timer_in(&c->back, c->back_us);
}

/* Another way is in use from now on. */
static void move_to(struct candidates *c, unsigned at)
{
	log_info("route", "", "%s instead of %s", c->way[at].text, c->way[c->current].text);
	if (at == 0)
		c->back_us = CANDIDATES_BACK_US;
	c->current = at;
	set_back_timer(c);
	c->events->moved(c->ctx);
}

static void choice_won(struct choice *k, unsigned at, struct stream *s)
{
	struct candidates *c = k->all;

	for (unsigned i = 0; i < CANDIDATES_MAX; i++)
		attempt_cancel(&k->attempt[i]);
	timer_stop(&k->patience);
	k->stream = s;
	stream_attach(s, &nobody, NULL);
	if (k->back) {
		choice_drop(k);	/* the connection waits for the pool */
		move_to(c, at);
	} else if (at == c->current) {
		choice_done(k, s);
	} else {
		loop_later(c->loop, &k->hand_over);	/* unless it is cancelled by who is told */
		move_to(c, at);
	}
}

static void on_hand_over(void *ctx)
{
	struct choice *k = ctx;

	choice_done(k, k->stream);
}

static void choice_next(struct choice *k);
static void on_dialled(void *ctx, struct stream *s, int error, const char *why);

static void attempt_start(struct choice *k, unsigned at)
{
	struct attempt *a = &k->attempt[at];

	a->tried = true;
	a->dialler = k->all->way[at].dialler;
	a->dial = a->dialler->start(a->dialler->ctx, k->versions, on_dialled, a);
}

/* The sentence is that of the first way; what was tried because it was denied adds its own. */
static void note_failure(struct choice *k, unsigned at, int error, const char *why)
{
	size_t n = strlen(k->why);

	if (!n) {
		k->error = error;
		snprintf(k->why, sizeof k->why, "%s", why);
	} else if (k->all->way[at].fallback) {
		snprintf(k->why + n, sizeof k->why - n, "; without CONNECT: %s", why);
	} else {
		snprintf(k->why + n, sizeof k->why - n, "; %s: %s", k->all->way[at].text, why);
	}
}

static void on_dialled(void *ctx, struct stream *s, int error, const char *why)
{
	struct attempt *a = ctx;
	struct choice *k = a->choice;
	struct candidates *c = k->all;

	a->dial = NULL;
	if (s) {
		choice_won(k, a->at, s);
		return;
	}
	note_failure(k, a->at, error, why && *why ? why : error_text(error));
	if (error == ERROR_DENIED) {
		snprintf(c->denied, sizeof c->denied, "%s", why);
		c->denied_at = a->at;
	}
	if (!k->back && a->at == c->current && c->events->stands(c->ctx)) {
		choice_done(k, NULL);
		return;
	}
	if (error == ERROR_DENIED && a->at + 1 < c->n && c->way[a->at + 1].fallback && !k->attempt[a->at + 1].tried &&
	    (!k->back || a->at + 1 < c->current) && loop_now(c->loop) >= c->bad_until[a->at + 1])
		attempt_start(k, a->at + 1);
	else
		choice_next(k);
}

/* The first way that is not tried yet. False: there is none. */
static bool start_untried(struct choice *k)
{
	struct candidates *c = k->all;
	unsigned n = k->back ? c->current : c->n;

	for (unsigned i = 0; i < n; i++)
		if (!k->attempt[i].tried && !c->way[i].fallback && loop_now(c->loop) >= c->bad_until[i]) {
			attempt_start(k, i);
			return true;
		}
	return false;
}

static void choice_next(struct choice *k)
{
	for (unsigned i = 0; i < CANDIDATES_MAX; i++)
		if (k->attempt[i].dial)
			return;		/* it may still stand */
	if (start_untried(k))
		return;
	if (k->back)
		choice_drop(k);
	else
		choice_done(k, NULL);
}

static void on_patience(void *ctx)
{
	struct choice *k = ctx;

	/* What stands may turn out to be dead meanwhile. */
	if (k->all->events->stands(k->all->ctx) || start_untried(k))
		timer_in(&k->patience, CANDIDATES_PATIENCE_US);
}

static bool speaks_http2(struct stream *s)
{
	struct stream_info info;

	stream_info(s, &info);
	return strcmp(info.alpn, HTTP_ALPN_2) == 0;
}

static void choice_begin(struct choice *k)
{
	struct candidates *c = k->all;

	k->begun = true;
	if (c->spare && k->versions == DIAL_11 && speaks_http2(c->spare))
		drop_spare(c);
	if (c->spare) {
		k->stream = c->spare;
		c->spare = NULL;
		timer_stop(&c->spare_until);
		loop_later(c->loop, &k->hand_over);
		return;
	}
	attempt_start(k, c->current);
	timer_in(&k->patience, CANDIDATES_PATIENCE_US);
}

static struct choice *choice_new(struct candidates *c)
{
	struct choice *k = calloc(1, sizeof *k);

	if (!k)
		abort();
	k->all = c;
	for (unsigned i = 0; i < CANDIDATES_MAX; i++)
		k->attempt[i] = (struct attempt){ .choice = k, .at = i };
	timer_init(&k->patience, c->loop, on_patience, k);
	later_init(&k->hand_over, on_hand_over, k);
	k->next = c->choices;
	k->link = &c->choices;
	if (k->next)
		k->next->link = &k->next;
	c->choices = k;
	return k;
}

static struct dial *on_start(void *ctx, enum dial_versions versions, void (*done)(void *pool_ctx, struct stream *, int error, const char *why),
			     void *pool_ctx)
{
	struct candidates *c = ctx;
	struct choice *k = choice_new(c);

	k->done = done;
	k->pool_ctx = pool_ctx;
	k->versions = versions;
	if (c->n)
		choice_begin(k);
	return (struct dial *)k;
}

static void on_cancel(struct dial *d)
{
	choice_drop((struct choice *)d);
}

static bool on_reached(const struct dial *d)
{
	const struct choice *k = (const struct choice *)d;
	bool any = k->stream;

	for (unsigned i = 0; i < CANDIDATES_MAX; i++)
		any |= k->attempt[i].dial && k->attempt[i].dialler->reached(k->attempt[i].dial);
	return any;
}

/* ---- back to a better one ---- */

static void drop_back(struct candidates *c)
{
	for (struct choice *k = c->choices, *next; k; k = next) {
		next = k->next;
		if (k->back)
			choice_drop(k);
	}
}

static void on_back(void *ctx)
{
	struct candidates *c = ctx;
	struct choice *k;

	drop_back(c);
	if (c->current == 0)
		return;
	c->back_us = c->back_us < CANDIDATES_BACK_MAX_US / 2 ? 2 * c->back_us : CANDIDATES_BACK_MAX_US;
	timer_in(&c->back, c->back_us);
	k = choice_new(c);
	k->back = k->begun = true;
	choice_next(k);
}

bool candidates_bad(struct candidates *c)
{
	int64_t now = loop_now(c->loop), *bad = &c->bad_us[c->current];

	if (c->n < 2)
		return false;
	for (unsigned i = 1; i < c->n; i++) {
		unsigned at = (c->current + i) % c->n;

		/* A fallback only behind the one that it stands for; not the one that it stands for. */
		if (now < c->bad_until[at] || (c->way[at].fallback && at != c->current + 1) || (c->denied[0] && at == c->denied_at))
			continue;
		*bad = !*bad ? CANDIDATES_BAD_US : *bad < CANDIDATES_BAD_MAX_US / 2 ? 2 * *bad : CANDIDATES_BAD_MAX_US;
		c->bad_until[c->current] = now + *bad;
		drop_spare(c);
		move_to(c, at);
		return true;
	}
	memset(c->bad_until, 0, sizeof c->bad_until);	/* none is better: all may be tried again */
	return false;
}

void candidates_forget(struct candidates *c)
{
	drop_back(c);
	drop_spare(c);
	timer_stop(&c->back);
	memset(c->bad_until, 0, sizeof c->bad_until);
	memset(c->bad_us, 0, sizeof c->bad_us);
	c->denied[0] = 0;
	c->current = 0;
	c->back_us = CANDIDATES_BACK_US;
}

/* ---- life ---- */

struct candidates *candidates_new(struct loop *loop, const struct candidates_events *events, void *ctx)
{
	struct candidates *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->loop = loop;
	c->events = events;
	c->ctx = ctx;
	c->dialler = (struct pool_dialler){ on_start, on_cancel, c, on_reached };
	c->back_us = CANDIDATES_BACK_US;
	timer_init(&c->spare_until, loop, drop_spare, c);
	timer_init(&c->back, loop, on_back, c);
	return c;
}

void candidates_free(struct candidates *c)
{
	if (!c)
		return;
	while (c->choices)
		choice_drop(c->choices);
	drop_spare(c);
	timer_stop(&c->back);
	loop_free_later(c->loop, c);
}

void candidates_set(struct candidates *c, const struct candidate *way, unsigned n, unsigned current)
{
	candidates_forget(c);
	memcpy(c->way, way, n * sizeof *way);
	c->n = n;
	c->current = current;
	set_back_timer(c);
	/* Those under way know where they stand by number: what they find counts for nobody. */
	for (struct choice *k = c->choices, *next; k; k = next) {
		next = k->next;
		for (unsigned i = 0; k->begun && i < CANDIDATES_MAX; i++) {
			attempt_cancel(&k->attempt[i]);
			k->attempt[i].tried = false;
		}
		if (k->stream)
			close_stream(k->stream);
		k->stream = NULL;
		later_cancel(c->loop, &k->hand_over);
		k->why[0] = 0;
		choice_begin(k);
	}
}

const struct pool_dialler *candidates_dialler(struct candidates *c)
{
	return &c->dialler;
}

unsigned candidates_current(const struct candidates *c)
{
	return c->current;
}

const char *candidates_why(const struct candidates *c)
{
	return c->n && c->way[c->current].fallback && c->denied_at + 1 == c->current ? c->denied : "";
}
