/* The relay: dialling, places for connections, repeats. The connections themselves are in relay_way.c. */
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tests/sim/relay_internal.h"

#define ECHO_LIFE (5 * LOOP_SECOND)
#define DIAL_TIMEOUT (10 * LOOP_SECOND)	/* as of the real dialler, when nobody answers */

static struct way *way_at(struct link *l)
{
	return list_entry(l, struct way, link);
}

static struct waiting *dial_at(struct link *l)
{
	return list_entry(l, struct waiting, link);
}

/* ---- counting ---- */

/* What the helper has: it knows of a close earlier than the relay does. */
static void count(struct relay *r)
{
	unsigned n = 0;

	for (struct link *l = r->ways.next; l != &r->ways; l = l->next)
		n += !stream_mem_closed(way_at(l)->near);
	for (struct link *l = r->dials.next; l != &r->dials; l = l->next)
		n++;
	r->counts.open = n;
	if (n > r->counts.peak)
		r->counts.peak = n;
}

static unsigned places_taken(const struct relay *r)
{
	unsigned n = 0;

	for (struct link *l = r->ways.next; l != &r->ways; l = l->next)
		n += !way_at(l)->muted && !way_at(l)->crowded;
	return n;
}

static bool is_full(const struct relay *r)
{
	return r->b.dead || (r->b.max_connections && places_taken(r) >= r->b.max_connections);
}

/* ---- the server's side ---- */

struct stream *relay_server(struct relay *r)
{
	struct stream *near, *far;

	stream_mem_pair(r->loop, &near, &far, NULL);
	r->accept(r->ctx, far);
	return near;
}

static void echo_free(void *ctx)
{
	struct echo *e = ctx;

	timer_stop(&e->timer);
	link_remove(&e->link);
	stream_close(e->stream);
	bytes_clear(&e->out);
	loop_free_later(e->relay->loop, e);
}

static void echo_readable(void *ctx)
{
	struct echo *e = ctx;
	uint8_t buf[4096];
	ssize_t n;

	while ((n = stream_read(e->stream, buf, sizeof buf)) > 0)
		;
	if (n != ERROR_AGAIN)
		echo_free(e);
}

static void echo_writable(void *ctx)
{
	struct echo *e = ctx;
	int rc = bytes_flush(&e->out, e->stream);

	if (rc == 0)
		stream_want(e->stream, true, false);
	else if (rc != ERROR_AGAIN)
		echo_free(e);
}

static void echo_failed(void *ctx, int error)
{
	(void)error;
	echo_free(ctx);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static const struct stream_events echo_events = { nothing, echo_readable, echo_writable, echo_failed };

void relay_echo(struct relay *r, const struct bytes *request)
{
	struct echo *e = calloc(1, sizeof *e);

	if (!e)
		abort();
	e->relay = r;
	bytes_add(&e->out, request->p, request->n);
	list_append(&r->echoes, &e->link);
	e->stream = relay_server(r);
	stream_attach(e->stream, &echo_events, e);
	stream_want(e->stream, true, true);
	timer_init(&e->timer, r->loop, echo_free, e);
	timer_in(&e->timer, ECHO_LIFE);
}

/* ---- dialling ---- */

static void dial_free(struct waiting *d)
{
	timer_stop(&d->timer);
	link_remove(&d->link);
	loop_free_later(d->relay->loop, d);
}

static void dial_cancel(struct dial *d)
{
	dial_free((struct waiting *)(void *)d);
}

static void dial_end(struct waiting *d, int error, bool muted)
{
	struct relay *r = d->relay;
	void (*done)(void *, struct stream *, int, const char *) = d->done;
	void *ctx = d->ctx;
	struct stream *s;

	dial_free(d);
	if (error) {
		r->counts.refused++;
		done(ctx, NULL, error, error == ERROR_PROXY ? "the proxy allows no more connections" : "nobody answers");
		return;
	}
	r->counts.made++;
	s = way_new(r, muted);
	s->dress = relay_dress_new(r);
	count(r);
	done(ctx, s, 0, "");
}

static void on_dial(void *ctx)
{
	struct waiting *d = ctx;
	struct relay *r = d->relay;
	bool full = is_full(r);

	if (full && r->b.dead && d->late) {
		dial_end(d, ERROR_TIMEOUT, false);
		return;
	}
	if (full && (r->b.dead || r->b.over == RELAY_QUEUE)) {
		if (r->b.dead)
			timer_in(&d->timer, DIAL_TIMEOUT);
		r->counts.waited += !d->late;
		d->late = true;
		return;
	}
	r->counts.waited += full && r->b.over == RELAY_MUTE;
	dial_end(d, full && r->b.over == RELAY_REFUSE ? ERROR_PROXY : 0, full);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions,
			       void (*done)(void *, struct stream *, int, const char *), void *done_ctx)
{
	struct relay *r = ctx;
	struct waiting *d = calloc(1, sizeof *d);

	(void)versions;
	if (!d)
		abort();
	d->relay = r;
	d->done = done;
	d->ctx = done_ctx;
	list_append(&r->dials, &d->link);
	timer_init(&d->timer, r->loop, on_dial, d);
	timer_in(&d->timer, r->o.dial_us);
	count(r);
	return (struct dial *)(void *)d;
}

/* Those that wait get the free places, in the order in which they came. */
static void on_places(void *ctx)
{
	struct relay *r = ctx;
	struct link *next;

	for (struct link *l = r->ways.next; l != &r->ways && !is_full(r); l = next) {
		next = l->next;
		if (way_at(l)->muted)
			way_unmute(way_at(l));
	}
	for (struct link *l = r->dials.next; l != &r->dials && !is_full(r); l = next) {
		next = l->next;
		if (dial_at(l)->late)
			timer_in(&dial_at(l)->timer, 0);
	}
}

/* ---- the relay ---- */

struct relay *relay_new(struct loop *loop, const struct relay_options *o, void (*accept)(void *, struct stream *), void *ctx)
{
	struct relay *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->loop = loop;
	r->o = *o;
	r->accept = accept;
	r->ctx = ctx;
	r->dialler = (struct pool_dialler){ .start = dial_start, .cancel = dial_cancel, .ctx = r };
	later_init(&r->places, on_places, r);
	list_init(&r->ways);
	list_init(&r->echoes);
	list_init(&r->dials);
	return r;
}

void relay_free(struct relay *r)
{
	while (!list_empty(&r->dials))
		dial_free(dial_at(r->dials.next));
	while (!list_empty(&r->echoes))
		echo_free(list_entry(r->echoes.next, struct echo, link));
	while (!list_empty(&r->ways))
		way_free(way_at(r->ways.next));
	later_cancel(r->loop, &r->places);
	bytes_clear(&r->stored);
	loop_free_later(r->loop, r);
}

const struct pool_dialler *relay_dialler(struct relay *r)
{
	return &r->dialler;
}

void relay_set(struct relay *r, const struct relay_behaviour *b)
{
	struct link *next;

	r->b = *b;
	for (struct link *l = r->ways.next; l != &r->ways; l = next) {
		next = l->next;
		way_pump(way_at(l));
	}
	loop_later(r->loop, &r->places);
}

void relay_counts(struct relay *r, struct relay_counts *out)
{
	count(r);
	*out = r->counts;
}

void relay_reset_peak(struct relay *r)
{
	r->counts.peak = 0;
	count(r);
}

void relay_cut(struct relay *r)
{
	while (!list_empty(&r->ways))
		way_cut(way_at(r->ways.next));
}
