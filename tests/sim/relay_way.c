/* A connection of the helper at the relay: exchange by exchange, with a connection to the server for each. */
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tests/sim/relay_internal.h"

#define OWN(status) "HTTP/1.0 " status "\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
#define PAGE OWN("200 OK") "<html>please accept our terms</html>"

static int64_t now_of(const struct way *w)
{
	return loop_now(w->relay->loop);
}

static bool each(const struct way *w, unsigned n)
{
	return n && w->relay->counts.exchanges % n == 0;
}

/* ---- ends ---- */

static void server_close(struct way *w)
{
	if (w->server)
		stream_close(w->server);
	w->server = NULL;
	bytes_clear(&w->to_server);
}

void way_free(struct way *w)
{
	if (!w->client)
		return;
	timer_stop(&w->timer);
	link_remove(&w->link);
	server_close(w);
	stream_close(w->client);
	w->client = NULL;
	http1_free(w->requests);
	http1_free(w->answers);
	flow_reset(&w->up, true);
	flow_reset(&w->down, false);
	bytes_clear(&w->to_client);
	bytes_clear(&w->early);
	bytes_clear(&w->request);
	bytes_clear(&w->answer);
	loop_later(w->relay->loop, &w->relay->places);
	loop_free_later(w->relay->loop, w);
}

void way_cut(struct way *w)
{
	w->relay->counts.cut += w->busy;
	if (w->busy) {
		stream_mem_cut(w->client);
		if (w->server)
			stream_mem_cut(w->server);
	}
	way_free(w);
}

/* ---- the server's side ---- */

static int on_answer_head(void *ctx, const struct http1_head *h)
{
	struct way *w = ctx;

	flow_head(&w->down, h, &w->relay->b);
	if (h->status == 101) {
		w->raw = w->down.raw = w->down.free = w->up.free = true;
		w->up.ended = w->up.done = false;
	}
	return 0;
}

static int on_answer_body(void *ctx, const uint8_t *p, size_t n)
{
	struct way *w = ctx;

	flow_body(&w->down, p, n);
	return 0;
}

static int on_answer_end(void *ctx)
{
	struct way *w = ctx;

	w->down.ended = !w->raw;
	return 0;
}

static const struct http1_events answer_events = { on_answer_head, on_answer_body, on_answer_end };

/* The server's connection is over. */
static void server_over(struct way *w, bool in_order)
{
	if (in_order && !w->down.ended && http1_eof(w->answers) != 0)
		in_order = false;
	server_close(w);
	w->down.ended |= in_order && w->raw;
	if (in_order && w->down.ended)
		return;
	if (!w->down.begun)
		w->own = OWN("502 Bad Gateway") "<html>the server went away</html>";
	else
		w->lost = true;
}

static void take_raw(struct way *w, struct flow *f, const uint8_t *p, size_t n)
{
	if (w->relay->b.upgrade == RELAY_PASS)
		flow_body(f, p, n);
}

static void server_readable(void *ctx)
{
	struct way *w = ctx;
	uint8_t buf[4096];
	ssize_t n, used;

	while ((n = stream_read(w->server, buf, sizeof buf)) > 0) {
		w->server_at = now_of(w);
		used = http1_feed(w->answers, buf, (size_t)n);
		if (used < n && !w->raw) {
			n = ERROR_MALFORMED;
			break;
		}
		if (used < n)
			take_raw(w, &w->down, buf + used, (size_t)(n - used));
	}
	if (n != ERROR_AGAIN)
		server_over(w, n == 0);
	way_pump(w);
}

static void server_writable(void *ctx)
{
	way_pump(ctx);
}

static void server_failed(void *ctx, int error)
{
	(void)error;
	server_over(ctx, false);
	way_pump(ctx);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static const struct stream_events server_events = { nothing, server_readable, server_writable, server_failed };

static void ask(struct way *w)
{
	w->asked = true;
	w->server_at = now_of(w);
	w->server = relay_server(w->relay);
	stream_attach(w->server, &server_events, w);
}

/* ---- requests ---- */

static int on_request_head(void *ctx, const struct http1_head *h)
{
	struct way *w = ctx;
	const struct relay_behaviour *b = &w->relay->b;

	w->relay->counts.exchanges++;
	w->busy = true;
	w->asked = w->own_keeps = false;
	w->keep = h->keep_alive && !b->one_exchange && !b->http10;
	flow_reset(&w->up, true);
	flow_reset(&w->down, false);
	flow_head(&w->up, h, b);
	w->up.raw = h->protocol.n > 0 && b->upgrade != RELAY_FORGET;
	w->raw = false;
	w->up.to_damage = each(w, b->damage_up_each);
	w->down.to_damage = each(w, b->damage_down_each);
	w->page = each(w, b->page_each);
	w->replay = each(w, b->replay_each) && w->relay->stored.n;
	w->repeat = each(w, b->repeat_each);
	if (!relay_authorized(w->relay, h, w->refusal, sizeof w->refusal)) {
		w->own = w->refusal;
		w->own_keeps = w->keep && !h->chunked;
	}
	if (w->crowded) {
		w->relay->counts.refused++;
		w->own = OWN("503 Too many connections");
		w->own_keeps = false;
	}
	if (h->chunked && (b->refuse_chunked || (b->http10 && !b->hold_up)))
		w->own = OWN("411 Length Required");
	return 0;
}

static int on_request_body(void *ctx, const uint8_t *p, size_t n)
{
	struct way *w = ctx;

	flow_body(&w->up, p, n);
	if (w->relay->b.body_limit && w->up.came > w->relay->b.body_limit)
		w->own = OWN("413 Content Too Large");
	return 0;
}

static int on_request_end(void *ctx)
{
	struct way *w = ctx;

	w->up.ended = true;
	return 0;
}

static const struct http1_events request_events = { on_request_head, on_request_body, on_request_end };

static void take(struct way *w, const uint8_t *p, size_t n)
{
	if (w->raw)
		take_raw(w, &w->up, p, n);
	else if (n > 0 && !w->closing && http1_feed(w->requests, p, n) != (ssize_t)n)
		w->lost = true;	/* nonsense, or pipelining */
}

static void client_readable(void *ctx)
{
	struct way *w = ctx;
	uint8_t buf[4096];
	ssize_t n;

	while ((n = stream_read(w->client, buf, sizeof buf)) > 0) {
		w->bytes_up += (size_t)n;
		w->heard_up = now_of(w);
		if (w->muted)
			bytes_add(&w->early, buf, (size_t)n);
		else
			take(w, buf, (size_t)n);
	}
	if (n != ERROR_AGAIN)
		way_free(w);
	else
		way_pump(w);
}

static void client_writable(void *ctx)
{
	way_pump(ctx);
}

static void client_failed(void *ctx, int error)
{
	(void)error;
	way_free(ctx);
}

static const struct stream_events client_events = { nothing, client_readable, client_writable, client_failed };

/* ---- moving ---- */

/* Answers without the server: a text, behind which the connection ends, or what is in store. */
static void answer_own(struct way *w, const char *text)
{
	server_close(w);
	w->asked = true;
	w->up.done = w->down.done = true;
	if (text)
		bytes_add(&w->to_client, text, strlen(text));
	else
		bytes_add(&w->to_client, w->relay->stored.p, w->relay->stored.n);
	w->closing |= text != NULL && !w->own_keeps;
	w->own = NULL;
}

static void answer_by_itself(struct way *w)
{
	if (!w->busy || w->down.done)
		return;
	if (w->own && w->own_keeps && !w->up.ended)
		return;
	if (w->own && !w->down.begun)
		answer_own(w, w->own);
	else if (w->own)
		w->lost = true;
	else if (w->page && (w->up.ended || w->up.came_chunked))
		answer_own(w, PAGE);
	else if (w->replay && w->up.ended)
		answer_own(w, NULL);
}

static void move_up(struct way *w)
{
	size_t before = w->to_server.n;
	bool was_done = w->up.done;
	int rc;

	flow_move(&w->up, &w->relay->b, now_of(w), w->keep, &w->to_server);
	if (w->repeat && w->to_server.n > before && w->request.n < RELAY_KEPT)
		bytes_add(&w->request, w->to_server.p + before, w->to_server.n - before);
	if (w->repeat && w->up.done && !was_done)
		relay_echo(w->relay, &w->request);
	if (w->to_server.n > before && !w->asked)
		ask(w);
	if (!w->server || !w->to_server.n)
		return;
	w->server_at = now_of(w);
	rc = bytes_flush(&w->to_server, w->server);
	if (rc < 0 && rc != ERROR_AGAIN)
		bytes_clear(&w->to_server);	/* reading tells why */
}

static void move_down(struct way *w)
{
	const struct relay_behaviour *b = &w->relay->b;
	size_t before = w->to_client.n;

	if (!b->half_duplex || w->up.done || w->raw)
		flow_move(&w->down, b, now_of(w), w->keep, &w->to_client);
	if (w->to_client.n > before) {
		w->bytes_down += w->to_client.n - before;
		w->heard_down = now_of(w);
	}
	if (b->replay_each && w->to_client.n > before && w->answer.n < RELAY_KEPT)
		bytes_add(&w->answer, w->to_client.p + before, w->to_client.n - before);
}

/* The answer has left in full. */
static void exchange_over(struct way *w)
{
	struct relay *r = w->relay;

	if (r->b.replay_each && w->down.headed && w->down.ended && !w->down.chunked && !w->down.until_close && w->answer.n < RELAY_KEPT) {
		bytes_clear(&r->stored);
		bytes_add(&r->stored, w->answer.p, w->answer.n);
	}
	server_close(w);
	if (w->closing || !w->keep || w->down.until_close || !w->up.ended) {
		way_free(w);
		return;
	}
	bytes_clear(&w->request);
	bytes_clear(&w->answer);
	http1_next(w->requests, false, false);
	http1_next(w->answers, false, false);
	w->busy = false;
}

static void watch(struct way *w);

void way_pump(struct way *w)
{
	const struct relay_behaviour *b = &w->relay->b;
	int rc;

	if (!w->client || w->muted)
		return;
	answer_by_itself(w);
	if (w->busy && !w->lost && !b->dead) {
		move_up(w);
		move_down(w);
	}
	if (w->lost || (b->cut_bytes && (w->bytes_up >= b->cut_bytes || w->bytes_down >= b->cut_bytes))) {
		way_cut(w);
		return;
	}
	rc = b->dead ? ERROR_AGAIN : bytes_flush(&w->to_client, w->client);
	if (rc < 0 && rc != ERROR_AGAIN) {
		way_free(w);
		return;
	}
	if (rc == 0 && w->busy && w->down.done)
		exchange_over(w);
	if (w->client)
		watch(w);
}

/* ---- time ---- */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When the connection is to be cut. */
static int64_t cut_at(const struct way *w)
{
	const struct relay_behaviour *b = &w->relay->b;
	int64_t at = INT64_MAX;

	if (b->cut_age_us)
		at = w->born + b->cut_age_us;
	if (b->cut_idle_us)
		at = least(at, most(w->heard_up, w->heard_down) + b->cut_idle_us);
	if (b->cut_upgraded_us && w->raw)
		at = least(at, most(w->heard_up, w->heard_down) + b->cut_upgraded_us);
	if (b->cut_idle_up_us)
		at = least(at, w->heard_up + b->cut_idle_up_us);
	if (b->cut_idle_down_us)
		at = least(at, w->heard_down + b->cut_idle_down_us);
	return at;
}

static int64_t silent_at(const struct way *w)
{
	int64_t longest = w->relay->b.max_hold_us;

	return longest && w->busy && w->server && !w->down.ended ? w->server_at + longest : INT64_MAX;
}

static int64_t trickle_at(const struct flow *f, bool on)
{
	return on && f->begun && f->body.n && !f->ended ? f->next_us : INT64_MAX;
}

static void watch(struct way *w)
{
	const struct relay_behaviour *b = &w->relay->b;
	int64_t at = least(cut_at(w), silent_at(w));

	if (w->busy) {
		at = least(at, trickle_at(&w->up, b->trickle_up));
		at = least(at, trickle_at(&w->down, b->trickle_down));
	}
	if (at == INT64_MAX || b->dead)
		timer_stop(&w->timer);
	else
		timer_set(&w->timer, at);
	stream_want(w->client, true, w->to_client.n > 0 && !b->dead);
	if (w->server)
		stream_want(w->server, true, w->to_server.n > 0);
}

static void on_timer(void *ctx)
{
	struct way *w = ctx;

	if (cut_at(w) <= now_of(w)) {
		way_cut(w);
		return;
	}
	if (silent_at(w) <= now_of(w))
		w->own = OWN("504 Gateway Time-out") "<html>the server said nothing</html>";
	way_pump(w);
}

/* ---- birth ---- */

struct stream *way_new(struct relay *r, bool muted)
{
	struct stream_mem_options o = stream_mem_plain;
	struct way *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	o.delay_us = r->o.delay_us;
	w->relay = r;
	w->crowded = muted && r->b.over == RELAY_CROWD;
	w->muted = muted && !w->crowded;
	w->born = w->heard_up = w->heard_down = loop_now(r->loop);
	stream_mem_pair(r->loop, &w->near, &w->client, &o);
	w->requests = http1_new(HTTP1_REQUESTS, &request_events, w);
	w->answers = http1_new(HTTP1_RESPONSES, &answer_events, w);
	timer_init(&w->timer, r->loop, on_timer, w);
	list_append(&r->ways, &w->link);
	stream_attach(w->client, &client_events, w);
	watch(w);
	return w->near;
}

void way_unmute(struct way *w)
{
	w->muted = false;
	take(w, w->early.p, w->early.n);
	bytes_clear(&w->early);
	way_pump(w);
}
