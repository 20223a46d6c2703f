/*
 * Redundancy. Called by the outbox for each packet and each record, by the ledger's
 * events for receipts and overdue records, by steer.c for what is seen of the path.
 */
#include "tunnel/redundancy.h"

#include <stdlib.h>
#include <string.h>

#include "tunnel/counters.h"
#include "tunnel/loop.h"

#define PAUSE (10 * LOOP_SECOND)	/* without media: the next call begins anew */
#define BEGINNING (3 * LOOP_SECOND)
#define WAITED LOOP_SECOND		/* since video waited here last, its frames go once */
#define LATCH (30 * LOOP_SECOND)
#define ONE_EVENT (100 * LOOP_MS)	/* what is seen within is one loss */
#define PAIR (10 * LOOP_SECOND)		/* two events within count */
#define RIDE (8 * LOOP_MS)		/* a copy goes no sooner: bursts of loss last for some packets */
#define ALONE (28 * LOOP_MS)		/* and in a record of its own when none was sent until then */
#define RIDE_AGAIN (28 * LOOP_MS)	/* the same of a third one, behind the first */
#define ALONE_AGAIN (48 * LOOP_MS)
#define CROWD_TIME (20 * LOOP_MS)
#define CROWD 600			/* urgent packets in that time: hundreds of calls, or somebody who floods */
#define LOOK_AT 16			/* packets at most for one that had another fate: where there is one fate none has */
#define CONTROL_TIME LOOP_SECOND
#define CONTROL 6			/* packets in that time: a call is being set up; fewer keep something alive */
#define HEDGE 10			/* tokens of one */
#define TOKENS_MAX (8 * HEDGE)

void redundancy_init(struct redundancy *r)
{
	memset(r, 0, sizeof *r);
	r->media_us = -PAUSE - 1;
	r->tokens = TOKENS_MAX;
}

/* ---- kept packets ---- */

static struct kept *kept_at(struct redundancy *r, uint64_t number)
{
	return &r->ring[number % REDUNDANCY_KEPT];
}

static bool waits_for_hedge(const struct kept *k)
{
	return k->packet && k->overdue >= k->copies;
}

static void drop(struct redundancy *r, struct kept *k)
{
	if (!k->packet)
		return;
	r->overdue -= waits_for_hedge(k);
	packet_put(k->packet);
	k->packet = NULL;
}

static void forget_first(struct redundancy *r)
{
	drop(r, kept_at(r, r->first++));
	if (r->unsent < r->first)
		r->unsent = r->first;
}

/* Forgets the oldest that arrived or that nobody wants any more. */
static void trim(struct redundancy *r, int64_t now_us)
{
	while (r->first < r->next) {
		const struct packet *p = kept_at(r, r->first)->packet;

		if (p && now_us < p->deadline_us)
			break;
		forget_first(r);
	}
}

void redundancy_fini(struct redundancy *r)
{
	while (r->first < r->next)
		forget_first(r);
	free(r->ring);
	r->ring = NULL;
}

/* ---- what is seen ---- */

static void note_crowd(struct redundancy *r, int64_t now_us)
{
	if (now_us - r->crowd_us >= CROWD_TIME) {
		r->crowded = r->crowd > CROWD && now_us - r->crowd_us < 2 * CROWD_TIME;
		r->crowd = 0;
		r->crowd_us = now_us;
	}
	r->crowd++;
}

static bool is_keepalive(struct redundancy *r, enum traffic class, int64_t now_us)
{
	if (class != TRAFFIC_CONTROL)
		return false;
	if (now_us - r->control_us >= CONTROL_TIME) {
		r->control = 0;
		r->control_us = now_us;
	}
	return ++r->control < CONTROL;
}

void redundancy_media(struct redundancy *r, enum traffic class, int64_t now_us)
{
	note_crowd(r, now_us);
	if (is_keepalive(r, class, now_us))
		return;
	if (now_us - r->media_us > PAUSE) {
		r->began_us = now_us;
		if (r->state == REDUNDANCY_CLEAN) {
			r->state = REDUNDANCY_BEGINNING;
			r->since_us = now_us;
		}
	}
	r->media_us = now_us;
}

static void count_evidence(struct redundancy *r, int64_t now_us)
{
	r->evidence_us = now_us;
	if (r->state == REDUNDANCY_LOSSY)
		return;
	r->state = REDUNDANCY_LOSSY;
	r->since_us = now_us;
}

void redundancy_evidence(struct redundancy *r, int64_t now_us)
{
	bool pair = r->suspect_us && now_us - r->suspect_us < PAIR;

	if (r->suspect_us && now_us - r->suspect_us < ONE_EVENT)
		return;
	r->evidence++;
	count(evidence);
	r->suspect_us = now_us;
	if (pair || r->state == REDUNDANCY_LOSSY)
		count_evidence(r, now_us);
}

void redundancy_update(struct redundancy *r, enum redundancy_full full, bool waiting, int64_t now_us)
{
	r->guarded = full != REDUNDANCY_ROOM;
	r->jammed = full == REDUNDANCY_JAMMED;
	r->pressed = r->pressed && now_us - r->pressed_us <= PAUSE;
	if (waiting)
		r->waited_us = now_us;
	r->waited = r->waited_us && now_us - r->waited_us < WAITED;
	if (r->state == REDUNDANCY_BEGINNING && now_us - r->began_us >= BEGINNING)
		r->state = REDUNDANCY_CLEAN;
	if (r->state == REDUNDANCY_LOSSY && now_us - r->evidence_us >= LATCH)
		r->state = REDUNDANCY_CLEAN;
}

void redundancy_far(struct redundancy *r, bool far)
{
	r->far = far;
}

bool redundancy_is_far(const struct redundancy *r)
{
	return r->far;
}

void redundancy_begun(struct redundancy *r)
{
	if (r->state == REDUNDANCY_BEGINNING)
		r->state = REDUNDANCY_CLEAN;
}

bool redundancy_is_on(const struct redundancy *r)
{
	return !r->crowded && (r->state != REDUNDANCY_CLEAN || r->pressed);
}

bool redundancy_has_use(const struct redundancy *r, int64_t now_us)
{
	return r->use_us && now_us - r->use_us <= PAUSE;
}

void redundancy_useful(struct redundancy *r, int64_t now_us)
{
	r->use_us = now_us;
}

bool redundancy_has_media(const struct redundancy *r, int64_t now_us)
{
	return now_us - r->media_us <= PAUSE;
}

bool redundancy_holds(const struct redundancy *r)
{
	return r->first < r->next;
}

int64_t redundancy_pause_us(const struct redundancy *r)
{
	return r->media_us + PAUSE + 1;
}

int64_t redundancy_until_us(const struct redundancy *r)
{
	if (r->state == REDUNDANCY_BEGINNING)
		return r->began_us + BEGINNING;
	return r->state == REDUNDANCY_LOSSY ? r->evidence_us + LATCH : INT64_MAX;
}

const char *redundancy_why(const struct redundancy *r)
{
	if (redundancy_is_on(r) && r->guarded)
		return "the path is full";
	if (r->crowded)
		return "too many calls at once";
	if (r->state == REDUNDANCY_LOSSY)
		return "losses or stalls are seen";
	if (r->pressed)
		return "always, by configuration";
	return r->state == REDUNDANCY_BEGINNING ? "a call begins" : "the path is clean";
}

/* ---- what is sent ---- */

static bool is_urgent(const struct redundancy *r, const struct packet *p)
{
	return p->mark.class <= TRAFFIC_AUDIO || (p->mark.framed && p->mark.last && !r->waited);
}

bool redundancy_wants(const struct redundancy *r, const struct packet *p, enum message_redundancy policy)
{
	return policy != REDUNDANCY_NEVER && is_urgent(r, p) && !r->crowded && p->len <= PACKET_SMALL;
}

uint64_t redundancy_next_number(const struct redundancy *r)
{
	return r->next;
}

void redundancy_keep(struct redundancy *r, struct packet *p, uint64_t channel, enum message_redundancy policy, uint64_t fate,
		     int64_t now_us)
{
	struct kept *k;

	if (!r->ring && !(r->ring = calloc(REDUNDANCY_KEPT, sizeof *r->ring)))
		abort();
	k = kept_at(r, r->next);
	if (r->next - r->first == REDUNDANCY_KEPT)
		forget_first(r);	/* newer ones have more of their time left */
	*k = (struct kept){ .packet = p, .channel = channel, .fate = { fate }, .sent_us = now_us, .copies = 1,
			    .always = policy == REDUNDANCY_ALWAYS };
	r->use_us = now_us;
	r->next++;
	if (k->always) {
		r->pressed = true;
		r->pressed_us = now_us;
	}
	r->packets++;
	r->bytes += p->len;
	if (r->tokens < TOKENS_MAX)
		r->tokens++;
	trim(r, now_us);
}

static bool had_fate(const struct kept *k, uint64_t fate)
{
	for (unsigned i = 0; i < k->copies; i++)
		if (k->fate[i] == fate)
			return true;
	return false;
}

static struct kept *find_hedge(struct redundancy *r, uint64_t fate, int64_t now_us)
{
	unsigned left = r->tokens < HEDGE ? 0 : r->overdue;

	for (uint64_t n = r->first; left && n < r->next; n++) {
		struct kept *k = kept_at(r, n);

		if (!waits_for_hedge(k))
			continue;
		if (!had_fate(k, fate) && now_us < k->packet->deadline_us)
			return k;
		left--;
	}
	return NULL;
}

/* On a long path every second packet has another: one for all would cost more than they are worth. */
static bool wants_copy(const struct redundancy *r, uint64_t number)
{
	const struct kept *k = &r->ring[number % REDUNDANCY_KEPT];
	unsigned most = r->far && number % 2 ? 3 : 2;

	return k->packet && k->copies < most && (k->always || r->state != REDUNDANCY_CLEAN);
}

/* It has been long enough since the copy before. */
static bool may_ride(const struct kept *k, int64_t now_us)
{
	return now_us - k->sent_us >= (k->copies == 1 ? RIDE : RIDE_AGAIN);
}

/* The first that waits for a copy, in the order in which they were sent. */
static struct kept *first_unsent(struct redundancy *r)
{
	for (; r->unsent < r->next; r->unsent++)
		if (wants_copy(r, r->unsent))
			return kept_at(r, r->unsent);
	return NULL;
}

static struct kept *find_second(struct redundancy *r, uint64_t fate, int64_t now_us)
{
	unsigned left = LOOK_AT;

	if (!redundancy_is_on(r) || !first_unsent(r))
		return NULL;
	for (uint64_t n = r->unsent; left && n < r->next; n++) {
		struct kept *k = kept_at(r, n);

		if (k->packet && now_us - k->sent_us < RIDE)
			return NULL;
		if (!wants_copy(r, n))
			continue;
		if (may_ride(k, now_us) && !had_fate(k, fate))
			return k;
		left--;
	}
	return NULL;
}

struct kept *redundancy_find(struct redundancy *r, uint64_t fate, int64_t now_us)
{
	struct kept *k;

	if (r->jammed)
		return NULL;
	trim(r, now_us);
	k = find_hedge(r, fate, now_us);
	return k || r->guarded ? k : find_second(r, fate, now_us);
}

uint64_t redundancy_number(const struct redundancy *r, const struct kept *k)
{
	uint64_t slot = (uint64_t)(k - r->ring), n = r->first + (slot - r->first % REDUNDANCY_KEPT + REDUNDANCY_KEPT) % REDUNDANCY_KEPT;

	return n;
}

void redundancy_sent(struct redundancy *r, struct kept *k, uint64_t fate)
{
	bool waited = waits_for_hedge(k), hedge = waited && r->tokens >= HEDGE;

	r->overdue -= waited;
	r->hedges += hedge;
	r->copies += !hedge;
	count_add(hedges_out, hedge);
	count_add(copies_out, !hedge);
	r->tokens -= hedge ? HEDGE : 0;
	r->copy_bytes += k->packet->len;
	k->fate[k->copies++] = fate;
	if (k->copies == REDUNDANCY_COPIES)
		drop(r, k);	/* that was the last one */
}

int64_t redundancy_due_us(struct redundancy *r, int64_t now_us)
{
	const struct kept *k;

	if (r->jammed)
		return INT64_MAX;
	trim(r, now_us);
	if (r->overdue && r->tokens >= HEDGE)
		return now_us;
	k = redundancy_is_on(r) && !r->guarded ? first_unsent(r) : NULL;
	return k ? k->sent_us + (k->copies == 1 ? ALONE : ALONE_AGAIN) : INT64_MAX;
}

bool redundancy_is_due(struct redundancy *r, int64_t now_us)
{
	return redundancy_due_us(r, now_us) <= now_us;
}

/* ---- what becomes of it ---- */

static struct kept *find(struct redundancy *r, uint64_t number)
{
	return number >= r->first && number < r->next ? kept_at(r, number) : NULL;
}

void redundancy_arrived(struct redundancy *r, uint64_t number)
{
	struct kept *k = find(r, number);

	if (k)
		drop(r, k);
}

void redundancy_overdue(struct redundancy *r, uint64_t number)
{
	struct kept *k = find(r, number);

	if (!k || !k->packet || waits_for_hedge(k))
		return;
	k->overdue++;
	if (!waits_for_hedge(k))
		return;
	r->overdue++;
	if (r->jammed || r->tokens < HEDGE) {
		r->hedges_held++;
		count(hedges_held);
	}
}

void redundancy_forget(struct redundancy *r, uint64_t channel)
{
	for (uint64_t n = r->first; n < r->next; n++)
		if (kept_at(r, n)->packet && kept_at(r, n)->channel == channel)
			drop(r, kept_at(r, n));
}
