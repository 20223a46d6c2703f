/*
 * Connections to the website. Asked by the fallback for each request; stacks TCP and the HTTP engine. Whoever waits is served at
 * the end of the turn: by an idle connection, the one used last first, or by one more.
 */
#include "server/website.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "server/origins.h"
#include "tunnel/address.h"
#include "tunnel/stream_tcp.h"

#define CONNECT_TIMEOUT (5 * LOOP_SECOND)
#define IDLE_MAX (4 * LOOP_SECOND)	/* usual servers close after 5 s and more */
#define WAIT_MAX (10 * LOOP_SECOND)
#define URL_MAX 256

enum place_state {
	PLACE_CONNECTING,	/* -> IDLE, CLOSED */
	PLACE_IDLE,		/* -> USED, CLOSED */
	PLACE_USED,		/* -> IDLE, CLOSED */
	PLACE_CLOSED,
};

/* A connection. */
struct place {
	struct website *website;
	struct link link;	/* idle ones: used last, first in the list */
	struct origin *user;	/* of USED; NULL: not counted */
	enum place_state state;
	bool fresh;
	struct stream *stream;	/* while connecting */
	struct http *http;
	struct timer timer;	/* connecting, idle */
};

struct website {
	struct loop *loop;
	struct address address;
	char url[URL_MAX], host[ADDRESS_TEXT];
	size_t max, count, connecting, waiting;
	struct link idle, busy;	/* places */
	struct link line;	/* who waits */
	struct origins users;
	struct later later;
	struct timer patience;	/* of the first in line */
	bool dead;
};

static void soon(struct website *w)
{
	if (!w->dead)
		loop_later(w->loop, &w->later);
}

/* ---- connections ---- */

static void place_move(struct place *p, enum place_state state)
{
	struct website *w = p->website;

	if (p->state == PLACE_CONNECTING)
		w->connecting--;
	origins_give(&w->users, p->user);
	p->user = NULL;
	p->state = state;
	link_remove(&p->link);
	timer_stop(&p->timer);
	if (state == PLACE_IDLE) {
		list_append(w->idle.next, &p->link);
		timer_in(&p->timer, IDLE_MAX);
	} else if (state == PLACE_USED) {
		list_append(&w->busy, &p->link);
	}
}

/* Its stream is closed, or the engine's. */
static void place_end(struct place *p)
{
	struct website *w = p->website;

	place_move(p, PLACE_CLOSED);
	w->count--;
	loop_free_later(w->loop, p);
	if (w->dead && w->count == 0)
		loop_free_later(w->loop, w);
	else
		soon(w);
}

static void place_close(struct place *p)
{
	if (p->http) {
		http_close(p->http);	/* closed follows */
		return;
	}
	stream_close(p->stream);
	place_end(p);
}

static void on_idle(void *ctx)
{
	struct place *p = ctx;

	if (p->state != PLACE_USED)
		return;
	p->fresh = false;
	place_move(p, PLACE_IDLE);
	soon(p->website);
}

static void on_closed(void *ctx, int error)
{
	(void)error;
	place_end(ctx);
}

static const struct http_events http_events = { .idle = on_idle, .closed = on_closed };

/* Nobody has this connection but whoever is first in line: it fails for it. */
static void connect_failed(struct place *p, int error)
{
	struct website *w = p->website;
	struct website_wait *first = list_empty(&w->line) ? NULL : list_entry(w->line.next, struct website_wait, link);

	place_close(p);
	if (!first)
		return;
	website_withdraw(first);
	first->events->failed(first->ctx, error);
}

static void on_ready(void *ctx)
{
	struct place *p = ctx;

	place_move(p, PLACE_IDLE);
	p->http = http_client(p->website->loop, p->stream, &http_events, p);
	soon(p->website);
}

static void on_failed(void *ctx, int error)
{
	connect_failed(ctx, error);
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static const struct stream_events stream_events = { on_ready, ignore, ignore, on_failed };

static void on_timer(void *ctx)
{
	struct place *p = ctx;

	if (p->state == PLACE_CONNECTING)
		connect_failed(p, ERROR_TIMEOUT);
	else
		place_close(p);
}

static void dial(struct website *w)
{
	struct place *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->website = w;
	p->fresh = true;
	w->count++;
	w->connecting++;
	list_append(&w->busy, &p->link);
	timer_init(&p->timer, w->loop, on_timer, p);
	timer_in(&p->timer, CONNECT_TIMEOUT);
	p->stream = stream_tcp_connect(w->loop, (const struct sockaddr *)&w->address.sa, w->address.len, &stream_events, p);
}

/* ---- the line ---- */

/* Unless others from there have their share. */
static bool has_a_turn(struct website *w, const struct website_wait *wait)
{
	struct origin *o = wait->origin ? origins_take(&w->users, wait->origin) : NULL;
	bool good = !o || origin_count(o) <= (w->max + 1) / 2;

	origins_give(&w->users, o);
	return good;
}

static struct place *idle_for(const struct website *w, const struct website_wait *wait)
{
	for (struct link *l = w->idle.next; l != &w->idle; l = l->next) {
		struct place *p = list_entry(l, struct place, link);

		if ((p->fresh || !wait->fresh) && http_room(p->http) > 0)
			return p;
	}
	return NULL;
}

static void give(struct website_wait *wait, struct place *p)
{
	website_withdraw(wait);
	place_move(p, PLACE_USED);
	if (wait->origin)
		p->user = origins_take(&p->website->users, wait->origin);
	wait->events->ready(wait->ctx, p->http);
}

/* As many connections more as are wanting; an idle one that nobody may use makes place for one. */
static void dial_missing(struct website *w)
{
	size_t wanted = 0;

	for (const struct link *l = w->line.next; l != &w->line && wanted < w->max; l = l->next)
		wanted += has_a_turn(w, list_entry(l, const struct website_wait, link));
	while (w->connecting < wanted) {
		if (w->count >= w->max) {
			if (!list_empty(&w->idle))
				place_close(list_entry(w->idle.prev, struct place, link));
			return;
		}
		dial(w);
	}
}

static void watch(struct website *w)
{
	if (list_empty(&w->line))
		timer_stop(&w->patience);
	else
		timer_set(&w->patience, list_entry(w->line.next, struct website_wait, link)->since + WAIT_MAX);
}

static void refuse(struct website_wait *wait)
{
	website_withdraw(wait);
	wait->events->failed(wait->ctx, ERROR_LIMIT);
}

static void serve(void *ctx)
{
	struct website *w = ctx;
	struct link *next;

	for (struct link *l = w->line.next; l != &w->line && !list_empty(&w->idle); l = next) {
		struct website_wait *wait = list_entry(l, struct website_wait, link);
		struct place *p = has_a_turn(w, wait) ? idle_for(w, wait) : NULL;

		next = l->next;
		if (p)
			give(wait, p);
	}
	while (w->waiting > w->max * WEBSITE_LINE)
		refuse(list_entry(w->line.prev, struct website_wait, link));
	dial_missing(w);
	watch(w);
}

static void on_patience(void *ctx)
{
	struct website *w = ctx;

	while (!list_empty(&w->line)) {
		struct website_wait *first = list_entry(w->line.next, struct website_wait, link);

		if (first->since + WAIT_MAX > loop_now(w->loop))
			break;
		refuse(first);
	}
	watch(w);
}

void website_ask(struct website *w, struct website_wait *wait, const uint8_t *origin, bool fresh, const struct website_events *events, void *ctx)
{
	*wait = (struct website_wait){ .website = w, .events = events, .ctx = ctx, .origin = origin, .fresh = fresh,
				       .since = loop_now(w->loop) };
	list_append(&w->line, &wait->link);
	w->waiting++;
	soon(w);
}

void website_withdraw(struct website_wait *wait)
{
	if (!link_in_list(&wait->link))
		return;
	link_remove(&wait->link);
	wait->website->waiting--;
}

/* ---- life ---- */

static bool read_url(struct website *w, const char *url, char *error, size_t size)
{
	struct address_hostport at;
	char text[URL_MAX] = "";

	snprintf(w->host, sizeof w->host, "localhost");
	if (strlen(url) < sizeof text && !strncmp(url, "unix:", 5) && address_unix(url + 5, &w->address))
		return true;
	if (strlen(url) < sizeof text && !strncmp(url, "http://", 7))
		snprintf(text, sizeof text, "%s", url + 7);
	if (*text && text[strlen(text) - 1] == '/')
		text[strlen(text) - 1] = 0;
	if (address_split(text, false, &at) == 0 &&
	    address_literal(strcmp(at.host, "localhost") ? at.host : "127.0.0.1", at.has_port ? at.first : 80, &w->address) &&
	    address_port(&w->address)) {
		address_text(&w->address, w->host);
		return true;
	}
	snprintf(error, size, "must be like http://127.0.0.1:8081 (an address, no name, no path, no TLS) or unix:/run/website.sock, not '%s'",
		 url);
	return false;
}

struct website *website_new(struct loop *loop, const char *url, size_t max, char *error, size_t size)
{
	struct website *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	if (!read_url(w, url, error, size)) {
		free(w);
		return NULL;
	}
	w->loop = loop;
	w->max = max;
	snprintf(w->url, sizeof w->url, "%s", url);
	list_init(&w->idle);
	list_init(&w->busy);
	list_init(&w->line);
	later_init(&w->later, serve, w);
	timer_init(&w->patience, loop, on_patience, w);
	return w;
}

void website_free(struct website *w)
{
	if (!w)
		return;
	w->dead = true;
	later_cancel(w->loop, &w->later);
	timer_stop(&w->patience);
	if (w->count == 0) {
		loop_free_later(w->loop, w);
		return;
	}
	for (struct link *all = &w->idle; all; all = all == &w->idle ? &w->busy : NULL)
		for (struct link *l = all->next, *next; l != all; l = next) {
			next = l->next;
			place_close(list_entry(l, struct place, link));
		}
}

const char *website_url(const struct website *w)
{
	return w->url;
}

const char *website_host(const struct website *w)
{
	return w->host;
}

void website_stats(const struct website *w, struct website_stats *stats)
{
	*stats = (struct website_stats){ .connections = w->count, .waiting = w->waiting };
	for (const struct link *l = w->idle.next; l != &w->idle; l = l->next)
		stats->idle++;
}
