/* Messages on their way through the relay: how heads are written anew, and how much of a body may pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tests/sim/relay_internal.h"

/* ---- bytes ---- */

void bytes_add(struct bytes *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2;
		b->p = realloc(b->p, b->cap);
		if (!b->p)
			abort();
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void bytes_drop(struct bytes *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void bytes_clear(struct bytes *b)
{
	free(b->p);
	memset(b, 0, sizeof *b);
}

int bytes_flush(struct bytes *b, struct stream *s)
{
	while (b->sent < b->n) {
		ssize_t n = stream_write(s, b->p + b->sent, b->n - b->sent);

		if (n < 0)
			return (int)n;
		b->sent += (size_t)n;
	}
	b->n = b->sent = 0;
	return 0;
}

static void add_text(struct bytes *b, const char *text)
{
	bytes_add(b, text, strlen(text));
}

/* ---- heads ---- */

void flow_reset(struct flow *f, bool up)
{
	bytes_clear(&f->head);
	bytes_clear(&f->body);
	memset(f, 0, sizeof *f);
	f->up = up;
	f->length = -1;
}

static bool is_for_one_hop(struct span name)
{
	return http1_is(name, "Connection") || http1_is(name, "Keep-Alive") || http1_is(name, "Transfer-Encoding") ||
	       http1_is(name, "Content-Length");
}

static void add_span(struct bytes *b, struct span s)
{
	bytes_add(b, s.p, s.n);
}

void flow_head(struct flow *f, const struct http1_head *h, const struct relay_behaviour *b)
{
	struct span type = http1_find(h, "Content-Type");
	char line[100];

	f->headed = true;
	f->came_chunked = h->chunked;
	f->length = h->length;
	f->free = !f->up && b->free_type && type.p && http1_is(type, b->free_type);
	if (f->up) {
		add_span(&f->head, h->method);
		add_text(&f->head, " ");
		add_span(&f->head, h->target);
		add_text(&f->head, b->http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
	} else {
		snprintf(line, sizeof line, "HTTP/1.%d %d %s\r\n", b->http10 ? 0 : 1, h->status, http1_reason(h->status));
		add_text(&f->head, line);
	}
	for (size_t i = 0; i < h->count; i++) {
		if (is_for_one_hop(h->header[i].name))
			continue;
		add_span(&f->head, h->header[i].name);
		add_text(&f->head, ": ");
		add_span(&f->head, h->header[i].value);
		add_text(&f->head, "\r\n");
	}
	snprintf(line, sizeof line, "Via: 1.%d relay\r\n", h->minor);
	add_text(&f->head, line);
}

void flow_body(struct flow *f, const uint8_t *p, size_t n)
{
	bytes_add(&f->body, p, n);
	f->came += n;
	if (f->to_damage && !f->damaged && n > 0) {
		f->body.p[f->body.n - 1] ^= 0x20;
		f->damaged = true;
	}
}

/* A body that is here in full has a length, whatever it came with. */
static void pass_head(struct flow *f, const struct relay_behaviour *b, bool keep, struct bytes *out)
{
	char line[100];
	int64_t length = f->ended ? (int64_t)f->body.n : f->length;

	bytes_add(out, f->head.p, f->head.n);
	if (f->raw) {
		add_text(out, "Connection: Upgrade\r\n\r\n");
		f->begun = true;
		return;
	}
	if (length >= 0) {
		snprintf(line, sizeof line, "Content-Length: %lld\r\n", (long long)length);
		add_text(out, line);
	} else if (!b->http10) {
		add_text(out, "Transfer-Encoding: chunked\r\n");
		f->chunked = true;
	} else {
		f->until_close = true;
	}
	if (!f->up && (!keep || f->until_close))
		add_text(out, "Connection: close\r\n");
	add_text(out, "\r\n");
	f->begun = true;
}

/* ---- bodies ---- */

static void pass_body(struct flow *f, size_t n, struct bytes *out)
{
	char line[20];

	if (n == 0)
		return;
	if (f->chunked) {
		snprintf(line, sizeof line, "%zx\r\n", n);
		add_text(out, line);
	}
	bytes_add(out, f->body.p, n);
	if (f->chunked)
		add_text(out, "\r\n");
	bytes_drop(&f->body, n);
	f->passed += n;
}

/* How much of what waits may go on; false: not even the head. */
static bool allowance(struct flow *f, const struct relay_behaviour *b, int64_t now, size_t *n)
{
	size_t first = f->up ? b->first_up : b->first_down, step = f->up ? b->step_up : b->step_down, rest;

	*n = f->body.n;
	if (f->ended || f->free)
		return true;
	*n = 0;
	if (f->up && b->http10 && !f->begun && f->length < 0)
		return false;	/* it has no way to say this */
	if ((f->up ? b->hold_up : b->hold_down) || f->came < first)
		return false;
	if (f->up ? b->trickle_up : b->trickle_down) {
		if (f->body.n == 0 || now < f->next_us)
			return true;
		f->next_us = now + RELAY_TRICKLE;
		*n = 1;
		return true;
	}
	rest = step ? (size_t)(f->came % step) : 0;
	*n = f->body.n > rest ? f->body.n - rest : 0;
	return true;
}

void flow_move(struct flow *f, const struct relay_behaviour *b, int64_t now, bool keep, struct bytes *out)
{
	size_t n;

	if (!f->headed || f->done || b->dead || !allowance(f, b, now, &n))
		return;
	if (!f->begun)
		pass_head(f, b, keep, out);
	pass_body(f, n, out);
	if (!f->ended)
		return;
	if (f->chunked)
		add_text(out, "0\r\n\r\n");
	f->done = true;
}
