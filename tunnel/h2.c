/*
 * The HTTP/2 engine: what both roles have in common. A stream's events and work
 * queued by exchange_* calls come in here; nghttp2 is fed, the owners are told their news,
 * nghttp2 gets what they want of it (h2_pump.c), until nobody wants anything more. On the way out the
 * interest in the stream is recomputed, or the connection is torn down.
 */
#include <assert.h>
#include <stdlib.h>

#include "framing/error.h"
#include "tunnel/h2_internal.h"
#include "tunnel/log.h"

#define QUEUE_MAX 512		/* frames of nghttp2's own (acknowledgements, resets) that wait: nothing is read meanwhile */

void h2_fail(struct h2 *h, int error)
{
	if (h->state >= H2_CLOSING)
		return;
	h->state = H2_CLOSING;
	h->error = error;
	loop_later(h->loop, &h->later);
}

/* Exchanges */

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->x.ops = &h2_output_ops;
	s->x.http = &h->http;
	s->h2 = h;
	s->id = id;
	s->in_last = s->out_last = loop_now(h->loop);
	list_append(&h->streams, &s->link);
	h->count++;
	course_begin(&h->course, &s->course, loop_now(h->loop));
	return s;
}

static void stream_free(struct h2_stream *s)
{
	struct h2 *h = s->h2;

	course_end(&h->course, &s->course, loop_now(h->loop));
	link_remove(&s->touched);
	link_remove(&s->news);
	link_remove(&s->narrow);
	link_remove(&s->link);
	if (--h->count == 0)
		h->since = loop_now(h->loop);
	if (h->count == 0 && !h->head_since) {
		free(h->incoming);	/* an idle connection needs little */
		h->incoming = NULL;
	}
	h->idle_due = !h->role->server;
	exchange_sparse(&s->x, false);
	h2_input_free(s);
	h2_output_free(s);
	loop_free_later(h->loop, s);
}

/* The owner hears the last of it, and its visitor goes. */
static void tell_over(struct h2_stream *s, int error)
{
	const struct exchange_events *events = s->x.events;
	struct h2 *h = s->h2;

	s->over = true;
	s->x.events = NULL;
	if (events)
		events->closed(s->x.ctx, error);
	if (s->x.visitor && h->events->over)
		h->events->over(h->http.ctx, &s->x);
	stream_free(s);
}

void h2_stream_over(struct h2_stream *s, int error)
{
	if (s->over)
		return;
	s->over = true;
	s->error = error;
	h2_touch(s);
	h2_news(s);
}

void h2_touch(struct h2_stream *s)
{
	if (!link_in_list(&s->touched))
		list_append(&s->h2->touched, &s->touched);
	if (s->h2->depth == 0)
		loop_later(s->h2->loop, &s->h2->later);
}

void h2_news(struct h2_stream *s)
{
	if (!link_in_list(&s->news))
		list_append(&s->h2->news, &s->news);
	if (s->h2->depth == 0)
		loop_later(s->h2->loop, &s->h2->later);
}

/* Input */

static bool wants_read(const struct h2 *h)
{
	return h->state == H2_OPEN && !h->asleep && nghttp2_session_get_outbound_queue_size(h->session) < QUEUE_MAX;
}

static void receive(struct h2 *h)
{
	ssize_t rc;

	assert(!h->inside);
	h->asleep = false;
	h->inside = true;
	rc = nghttp2_session_mem_recv(h->session, h->input + h->in_pos, h->in_len - h->in_pos);
	h->inside = false;
	if (h->asleep && rc >= 0) {
		h->in_pos += (size_t)rc;
		h2_limits_received(h, (size_t)rc);
		timer_sooner(&h->timer, loop_now(h->loop));
		return;
	}
	h2_limits_received(h, h->in_len - h->in_pos);
	h->in_pos = h->in_len = 0;
	if (rc == NGHTTP2_ERR_FLOODED)
		h2_fail(h, ERROR_LIMIT);
	else if (rc < 0)
		h2_fail(h, rc == NGHTTP2_ERR_NOMEM ? ERROR_SYSTEM : ERROR_MALFORMED);
}

/* One read; false when nothing came. */
static bool read_some(struct h2 *h)
{
	ssize_t n = stream_read(h->http.stream, h->input, H2_INPUT);

	if (n > 0) {
		course_heard(&h->course, (size_t)n, loop_now(h->loop));
		h->in_len = (size_t)n;
		if (h->requests_at != loop_now(h->loop))
			h->requests = 0;
		h->requests_at = loop_now(h->loop);
		receive(h);
		return true;
	}
	if (n == 0)
		h2_fail(h, h->count ? ERROR_RESET : 0);
	else if (n != ERROR_AGAIN)
		h2_fail(h, (int)n);
	return false;
}

/* News */

static void tell(struct h2_stream *s)
{
	if (!s->over && !s->paused)
		h2_input_release(s);
	if (s->over) {
		h2_pump(s->h2);	/* nghttp2 knows it no more then */
		if (s->gone || s->id == 0)
			tell_over(s, s->error);
	} else if (s->waits && h2_output_is_writable(s)) {
		s->waits = false;
		s->x.events->writable(s->x.ctx);
	}
}

static bool has_news(const struct h2 *h)
{
	return h->state == H2_OPEN && !list_empty(&h->news);
}

static void proceed(struct h2 *h)
{
	do {
		h2_pump(h);
		while (has_news(h)) {
			struct h2_stream *s = list_entry(h->news.next, struct h2_stream, news);

			link_remove(&s->news);
			tell(s);
		}
		if (h->idle_due && (h->http.few || h->role->ops->room(&h->http) > 0))
			h->events->idle(h->http.ctx);
		h->idle_due = false;
	} while (has_news(h) || (h->state == H2_OPEN && !h->write_error && !list_empty(&h->touched)));
}

/* nghttp2 wants no more: why. */
static int end_of_it(const struct h2 *h)
{
	if (h->calm)
		return ERROR_LIMIT;
	if (h->goaway)
		return h->goaway_code == NGHTTP2_NO_ERROR ? 0 : ERROR_RESET;
	return h->draining ? 0 : ERROR_MALFORMED;
}

static void settle(struct h2 *h)
{
	proceed(h);
	while (h->write_error && h->state == H2_OPEN) {
		if (h->role->server || !read_some(h))
			h2_fail(h, h->write_error);
		proceed(h);
	}
	if (h->state == H2_OPEN && !h2_is_blocked(h) && !nghttp2_session_want_read(h->session) &&
	    !nghttp2_session_want_write(h->session))
		h2_fail(h, end_of_it(h));
	if (h->state == H2_OPEN)
		h->role->settled(h);
}

/* Teardown */

static void teardown(struct h2 *h)
{
	int error = h->error ? h->error : ERROR_CLOSED;

	h2_goodbye(h);
	h->state = H2_DEAD;
	timer_stop(&h->timer);
	if (h->count)
		log_debug("http", "", "%u exchanges cut: %s", h->count, error_text(error));
	while (!list_empty(&h->streams)) {
		struct h2_stream *s = list_entry(h->streams.next, struct h2_stream, link);

		tell_over(s, s->over ? s->error : error);
	}
	later_cancel(h->loop, &h->later);
	nghttp2_session_del(h->session);
	stream_close(h->http.stream);
	for (size_t i = 0; i < H2_SPARE; i++)
		free(h->spare[i]);
	free(h->incoming);
	loop_free_later(h->loop, h->input);
	loop_free_later(h->loop, h->output);
	loop_free_later(h->loop, h);
	h->events->closed(h->http.ctx, h->error);
}

static void interest(struct h2 *h)
{
	bool read = wants_read(h), write = h2_is_blocked(h);

	if (read == h->wants_read && write == h->wants_write)
		return;
	h->wants_read = read;
	h->wants_write = write;
	stream_want(h->http.stream, read, write);
}

/* Around everything that may call up. */
static void enter(struct h2 *h)
{
	h->depth++;
}

static void leave(struct h2 *h)
{
	if (h->depth == 1)
		settle(h);
	if (--h->depth > 0 || h->state == H2_DEAD)
		return;
	if (h->state == H2_CLOSING)
		teardown(h);
	else
		interest(h);
}

void h2_close(struct http *http)
{
	struct h2 *h = h2_of(http);

	enter(h);
	h2_fail(h, ERROR_CLOSED);
	leave(h);
}

/* Events of the stream and the loop */

static void on_readable(void *ctx)
{
	struct h2 *h = ctx;

	enter(h);
	if (wants_read(h))
		read_some(h);
	leave(h);
}

static void on_writable(void *ctx)
{
	struct h2 *h = ctx;

	enter(h);
	leave(h);
}

static void on_failed(void *ctx, int error)
{
	struct h2 *h = ctx;

	enter(h);
	h2_fail(h, error);
	leave(h);
}

static void on_ready(void *ctx)
{
	(void)ctx;	/* it was, when it came here */
}

static const struct stream_events stream_events = { on_ready, on_readable, on_writable, on_failed };

static void on_later(void *ctx)
{
	struct h2 *h = ctx;

	enter(h);
	if (h->in_pos < h->in_len && !h->asleep)
		receive(h);
	leave(h);
}

static void on_timer(void *ctx)
{
	struct h2 *h = ctx;

	enter(h);
	h->role->overdue(h);
	h2_windows_overdue(h);
	if (h->asleep && h->state == H2_OPEN) {
		h->requests = 0;
		receive(h);
	}
	leave(h);
}

/* Birth */

static void begin_session(struct h2 *h)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	int rc;

	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort();
	h2_input_callbacks(callbacks);
	h2_output_callbacks(callbacks);
	h2_limits_options(option);
	rc = h->role->server ? nghttp2_session_server_new2(&h->session, callbacks, h, option)
			     : nghttp2_session_client_new2(&h->session, callbacks, h, option);
	if (rc != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	if (nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, H2_WINDOW_CONNECTION) != 0)
		abort();
}

struct h2 *h2_new(struct loop *l, struct stream *s, const struct h2_role *role, const struct http_events *events, void *ctx)
{
	struct h2 *h = calloc(1, sizeof *h);
	struct stream_info info;

	if (!h)
		abort();
	h->http = (struct http){ .stream = s, .ctx = ctx, .multiplexed = true, .ops = role->ops };
	h->loop = l;
	h->events = events;
	h->role = role;
	stream_info(s, &info);
	h->tls = *info.tls;
	list_init(&h->streams);
	list_init(&h->touched);
	list_init(&h->news);
	list_init(&h->narrow);
	course_init(&h->course, loop_now(l));
	h->input = malloc(H2_INPUT);
	h->output = malloc(H2_OUTPUT);
	if (!h->input || !h->output)
		abort();
	later_init(&h->later, on_later, h);
	timer_init(&h->timer, l, on_timer, h);
	h->since = h->out_last = loop_now(l);
	h->fresh = true;
	h2_limits_init(h);
	begin_session(h);
	stream_attach(s, &stream_events, h);
	loop_later(l, &h->later);	/* the settings go */
	return h;
}

struct course *h2_course(struct http *http)
{
	return &h2_of(http)->course;
}

bool h2_was_answered(const struct http *http)
{
	return ((const struct h2 *)(const void *)http)->answered;
}
