/*
 * What the peer's windows leave. One window is shared by all exchanges of a connection: what can wait (the bytes of streams) must
 * not use it up, or media waits a round trip for WINDOW_UPDATE. So while media goes on the connection a reserve is left to it: as much
 * as it needs in a round trip and a half. The same holds for the window of an exchange that has both.
 *
 * A peer may give nothing back before (nearly) all is used. When nothing was given back for a while, though the peer is heard,
 * the reserve is halved, and tried in full again later.
 *
 * Who is refused is in a line. When there is room again each of them has an equal part of it for a moment.
 */
#include "tunnel/h2_internal.h"

#define RESERVE 16384		/* the most: bytes, and a part of the window */
#define RESERVE_PART 4
#define RESERVE_LEAST 4096	/* a call, both copies of it, and what is around */
#define MARGIN (50 * LOOP_MS)	/* that the peer may take its time for */
#define PIECE 2048		/* less room is none */
#define PIECE_PART 16
#define PIECE_LEAST 512	/* while less is reserved than should be */
#define MEDIA_ENDED LOOP_SECOND
#define MIXED_FOR (30 * LOOP_SECOND)
#define PATIENCE (250 * LOOP_MS) /* with a peer that gives nothing back, or two round trips */
#define QUIET (100 * LOOP_MS)	/* nothing was heard from it: it is the path that waits */
#define QUIET_MOST LOOP_SECOND
#define AGAIN (10 * LOOP_SECOND)
#define TURN (20 * LOOP_MS)
#define TRIP_MOST LOOP_SECOND

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- what media needs ---- */

static int64_t bytes_per_second(const struct h2_media *m, int64_t now)
{
	int64_t since = now - m->at_us;

	return since < LOOP_SECOND ? m->bytes - m->bytes * since / LOOP_SECOND : 0;
}

static void note(struct h2_media *m, size_t n, int64_t now)
{
	m->bytes = bytes_per_second(m, now) + (int64_t)n;
	m->at_us = now;
}

void h2_windows_media(struct exchange *x, size_t n, int64_t trip_us)
{
	struct h2_stream *s = (struct h2_stream *)x;
	int64_t now = loop_now(s->h2->loop);

	note(&s->media, n, now);
	note(&s->h2->media, n, now);
	s->h2->trip_us = smaller(trip_us, TRIP_MOST);
}

static bool is_recent(const struct h2_media *m, int64_t now, int64_t us)
{
	return m->at_us && now - m->at_us < us;
}

static bool has_media(const struct h2 *h)
{
	return is_recent(&h->media, loop_now(h->loop), MEDIA_ENDED);
}

/* Media and streams of several carriers are on one connection, as behind some reverse proxies. */
static void mind_mixture(struct h2_stream *s)
{
	struct h2 *h = s->h2;
	int64_t now = loop_now(h->loop);
	bool others = bytes_per_second(&h->media, now) > bytes_per_second(&s->media, now) * 5 / 4;
	bool mixed = is_recent(&h->media, now, MIXED_FOR) && (h->mixed || others);

	if (mixed == h->mixed)
		return;
	h->mixed = mixed;
	h2_tune(h);
}

static int64_t cap(const struct h2 *h)
{
	return h->vain_us && loop_now(h->loop) - h->vain_us < AGAIN ? h->reserve_cap : RESERVE;
}

/* Of a window that has `most` bytes in all. */
static int64_t reserve(const struct h2 *h, const struct h2_media *m, int64_t most)
{
	int64_t now = loop_now(h->loop), need = bytes_per_second(m, now) * (h->trip_us * 3 / 2 + MARGIN) / LOOP_SECOND;

	return need ? smaller(smaller(larger(need, RESERVE_LEAST), most / RESERVE_PART), cap(h)) : 0;
}

/* ---- what is left ---- */

static int64_t piece(const struct h2 *h)
{
	return cap(h) < RESERVE_LEAST ? PIECE_LEAST : smaller(PIECE, h->window_most / PIECE_PART);
}

static int64_t left(struct h2_stream *s)
{
	struct h2 *h = s->h2;
	int64_t first, own, whole = nghttp2_session_get_remote_window_size(h->session);

	h->window_most = larger(h->window_most, whole);
	whole -= reserve(h, &h->media, h->window_most);
	if (!is_recent(&s->media, loop_now(h->loop), MEDIA_ENDED))
		return whole;	/* what waits for its own window is in nobody's way */
	first = nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
	own = s->id ? nghttp2_session_get_stream_remote_window_size(h->session, s->id) : first;
	return smaller(whole, own - reserve(h, &s->media, first));
}

static int64_t turn_of(const struct h2_stream *s)
{
	return s->round == s->h2->round ? s->turn : 0;
}

static void take_turn(struct h2_stream *s, int64_t n)
{
	n = smaller(turn_of(s), n);
	s->turn -= n;
	s->h2->turns -= n;
}

static void wait_in_line(struct h2_stream *s)
{
	struct h2 *h = s->h2;
	int64_t now = loop_now(h->loop);

	take_turn(s, INT64_MAX);
	if (!link_in_list(&s->narrow))
		list_append(&h->narrow, &s->narrow);
	if (!h->narrow_us)
		h->narrow_us = now;
	timer_sooner(&h->timer, now + (h->turns ? TURN : QUIET / 2));
}

size_t h2_windows_room(struct exchange *x)
{
	struct h2_stream *s = (struct h2_stream *)x;
	struct h2 *h = s->h2;
	int64_t room;

	mind_mixture(s);
	if (h->state != H2_OPEN || !has_media(h))
		return SIZE_MAX;
	room = left(s) - (h->turns - turn_of(s));
	if (room >= piece(h))
		return (size_t)room;
	wait_in_line(s);
	return 0;
}

void h2_windows_sent(struct h2_stream *s, size_t n)
{
	take_turn(s, (int64_t)n);
}

/* ---- who waits ---- */

static bool may_go(struct h2_stream *s)
{
	return left(s) >= piece(s->h2) || !has_media(s->h2);
}

void h2_windows_opened(struct h2 *h)
{
	int64_t n = 0;
	struct link *next;

	h->turns = 0;
	h->round++;
	h->round_us = loop_now(h->loop);
	for (struct link *l = h->narrow.next; l != &h->narrow; l = l->next)
		n += may_go(list_entry(l, struct h2_stream, narrow));
	for (struct link *l = h->narrow.next; n > 0 && l != &h->narrow; l = next) {
		struct h2_stream *s = list_entry(l, struct h2_stream, narrow);

		next = l->next;
		if (!may_go(s))
			continue;
		link_remove(l);
		s->round = h->round;
		s->turn = larger(left(s) / n, 0);
		h->turns += s->turn;
		s->waits = true;
		h2_news(s);
	}
	if (n > 0)
		h->narrow_us = list_empty(&h->narrow) ? 0 : h->round_us;
}

/* As far as can be known: while the path stands still nothing is heard, either, and all that waits for it comes behind that. */
static bool waits_in_vain(struct h2 *h, int64_t now)
{
	int64_t patience = larger(PATIENCE, 2 * h->trip_us);

	if (now - h->course.heard >= QUIET)
		h->silent_us = now;
	return now - larger(h->narrow_us, h->silent_us) >= patience || now - h->narrow_us >= patience + QUIET_MOST;
}

static void give_way(struct h2 *h, int64_t now)
{
	int64_t kept = smaller(reserve(h, &h->media, h->window_most), nghttp2_session_get_remote_window_size(h->session));

	h->reserve_cap = kept / 2 < PIECE_LEAST ? 0 : kept / 2;
	h->vain_us = h->narrow_us = now;
}

void h2_windows_overdue(struct h2 *h)
{
	int64_t now = loop_now(h->loop);

	if (list_empty(&h->narrow))
		h->narrow_us = 0;
	if (!h->narrow_us)
		return;
	if (waits_in_vain(h, now))
		give_way(h, now);
	if (now - h->round_us >= TURN)
		h2_windows_opened(h);
	if (h->narrow_us)
		timer_sooner(&h->timer, now + (h->turns ? TURN : QUIET / 2));
}
