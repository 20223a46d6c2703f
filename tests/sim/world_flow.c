/* Traffic: flows with a known content at both ends, checked as it arrives. */
#include "tests/sim/world_flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"

/* ---- streams ---- */

static uint8_t pattern(bool from_helper, uint64_t offset)
{
	return (uint8_t)((offset * 131 + (offset >> 8) * 17 + (offset >> 16)) ^ (from_helper ? 0x5a : 0));
}

static void pump(struct end *e)
{
	while (e->channel && e->sent < e->total) {
		size_t n;
		uint8_t *p = channel_reserve(e->channel, &n);

		if (n == 0)
			return;
		if (n > e->total - e->sent)
			n = (size_t)(e->total - e->sent);
		for (size_t i = 0; i < n; i++)
			p[i] = pattern(e->helper, e->sent + i);
		channel_commit(e->channel, n);
		e->sent += n;
	}
	if (e->channel && e->sent == e->total && !e->finish_sent && !e->w->no_auto_finish) {
		e->finish_sent = true;
		channel_finish(e->channel);
	}
}

static size_t end_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct end *e = ctx;

	if (n > e->take)
		n = (size_t)e->take;
	if (e->take != UINT64_MAX)
		e->take -= n;
	for (size_t i = 0; i < n; i++)
		e->wrong |= p[i] != pattern(!e->helper, e->received + i);
	e->wrong |= e->finish_seen || e->closed;
	e->received += n;
	if (e->close_after && e->received >= e->close_after && e->channel) {
		struct channel *ch = e->channel;

		e->channel = NULL;
		channel_close(ch, CODE_LOCAL_RESET, "the test closed it");
	}
	return n;
}

static void end_finish(void *ctx)
{
	struct end *e = ctx;

	e->wrong |= e->finish_seen;
	e->finish_seen = true;
}

static void end_writable(void *ctx)
{
	pump(ctx);
}

static void end_opened(void *ctx)
{
	(void)ctx;
}

static void end_closed(void *ctx, uint64_t code, const char *reason)
{
	struct end *e = ctx;

	(void)reason;
	e->wrong |= e->closed;
	e->closed = true;
	e->code = code;
	e->channel = NULL;
}

static const struct endpoint_ops end_ops = { NULL, end_bytes, end_finish, end_writable, end_opened, end_closed };

struct stream_flow *world_stream(struct world *w, uint64_t up, uint64_t down)
{
	for (unsigned i = 0; i < WORLD_FLOWS; i++) {
		struct stream_flow *f = &w->stream[i];
		struct channel_params params = { .kind = KIND_STREAM };
		char name[20];

		if (f->used)
			continue;
		*f = (struct stream_flow){ .used = true };
		f->near = (struct end){ .w = w, .helper = true, .total = up, .take = UINT64_MAX };
		f->far = (struct end){ .w = w, .total = down, .take = UINT64_MAX };
		snprintf(name, sizeof name, "stream-%u", i);
		params.service = name;
		f->near.channel = channel_open(w->helper, &params, &end_ops, &f->near);
		if (!f->near.channel)
			abort();
		pump(&f->near);
		return f;
	}
	abort();
}

bool world_stream_done(const struct stream_flow *f)
{
	return f->near.closed && f->far.closed && f->near.received == f->far.total && f->far.received == f->near.total &&
	       f->near.finish_seen && f->far.finish_seen && f->near.code == CODE_NONE && f->far.code == CODE_NONE;
}

bool world_stream_right(const struct stream_flow *f)
{
	return !f->near.wrong && !f->far.wrong && f->near.received <= f->far.total && f->far.received <= f->near.total;
}

void world_stream_resume(struct end *e, uint64_t take)
{
	e->take = take;
	if (e->channel)
		channel_resume(e->channel);
}

void world_stream_feed(struct end *e, uint64_t more)
{
	e->total += more;
	pump(e);
}

/* ---- datagrams ---- */

struct tag {
	int64_t at_us;
	uint32_t sequence;
};

static void port_datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct port *d = ctx;
	struct tag tag;
	int64_t took;

	if (n < sizeof tag) {
		d->wrong++;
		return;
	}
	memcpy(&tag, p, sizeof tag);
	for (size_t i = sizeof tag; i < n; i++)
		d->wrong += p[i] != (uint8_t)(tag.sequence + i);
	if (tag.sequence >= FLOW_SEQUENCES || n < 12) {
		d->wrong++;
		return;
	}
	if (d->got[tag.sequence]++)
		d->repeated++;
	took = loop_now(d->w->loop) - tag.at_us;
	if (d->received && loop_now(d->w->loop) - d->last_us > d->gap_us)
		d->gap_us = loop_now(d->w->loop) - d->last_us;
	d->last_us = loop_now(d->w->loop);
	d->received++;
	d->sum_us += took;
	if (took > d->slowest_us)
		d->slowest_us = took;
}

static void port_closed(void *ctx, uint64_t code, const char *reason)
{
	struct port *d = ctx;

	(void)reason;
	d->closed = true;
	d->code = code;
	d->channel = NULL;
}

static const struct endpoint_ops port_ops = { port_datagram, NULL, NULL, NULL, end_opened, port_closed };

struct datagram_flow *world_datagram(struct world *w)
{
	for (unsigned i = 0; i < WORLD_FLOWS; i++) {
		struct datagram_flow *f = &w->datagram[i];
		struct channel_params params = { .kind = KIND_DATAGRAM, .class = w->class };
		char name[20];

		if (f->used)
			continue;
		memset(f, 0, sizeof *f);
		f->used = f->near.helper = true;
		f->near.w = f->far.w = w;
		snprintf(name, sizeof name, "datagram-%u", i);
		params.service = name;
		f->near.channel = channel_open(w->helper, &params, &port_ops, &f->near);
		if (!f->near.channel)
			abort();
		return f;
	}
	abort();
}

void world_send(struct port *d, size_t n)
{
	struct tag tag = { .at_us = loop_now(d->w->loop), .sequence = d->next++ };
	struct packet *p = d->channel ? packet_get(d->w->pool, n) : NULL;

	if (!p)
		return;
	memcpy(p->data, &tag, sizeof tag);
	for (size_t i = sizeof tag; i < n; i++)
		p->data[i] = (uint8_t)(tag.sequence + i);
	p->len = n;
	p->born_us = tag.at_us;
	channel_send(d->channel, p);
}

void world_call(struct world *w, struct datagram_flow *f, unsigned count, int64_t every_us, size_t n)
{
	for (unsigned i = 0; i < count; i++) {
		world_send(&f->near, n);
		world_send(&f->far, n);
		world_run(w, every_us);
	}
}

void world_end(struct world *w, struct stream_flow *f, struct datagram_flow *d)
{
	w->no_auto_finish = false;
	world_stream_feed(&f->near, 1);
	world_stream_feed(&f->far, 1);
	for (unsigned i = 0; i < 600 && !world_stream_done(f); i++)
		world_run(w, 50 * LOOP_MS);
	assert_true(world_stream_right(f));
	assert_true(world_stream_done(f));
	assert_int_equal(d->near.wrong + d->far.wrong + d->near.repeated + d->far.repeated, 0);
	world_free(w);
}

/* ---- the server's side ---- */

uint64_t flow_accept(struct world *w, struct channel *ch, struct channel_params *params,
		     const struct endpoint_ops **ops, void **endpoint)
{
	unsigned i = (unsigned)atoi(strrchr(params->service, '-') + 1);

	if (params->kind == KIND_STREAM) {
		w->stream[i].far.channel = ch;
		timer_init(&w->stream[i].start, w->loop, end_writable, &w->stream[i].far);
		timer_in(&w->stream[i].start, LOOP_MS);	/* as an egress that connects first */
		*ops = &end_ops;
		*endpoint = &w->stream[i].far;
	} else {
		w->datagram[i].far.channel = ch;
		*ops = &port_ops;
		*endpoint = &w->datagram[i].far;
	}
	return CODE_NONE;
}
