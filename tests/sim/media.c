/* Media over a world: making packets, noting arrivals, and figures. */
#include "tests/sim/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "tests/sim/world_flow.h"

#define HEADER 12		/* RTP */
#define AUDIO_EACH (20 * LOOP_MS)
#define AUDIO_SIZE 172
#define NOISE_EACH (160 * LOOP_MS)
#define NOISE_SIZE 16
#define FRAME_EACH (33333)
#define VIDEO_SIZE 1172
#define KBPS_DEFAULT 1500
#define TYPE_AUDIO 111
#define TYPE_VIDEO 96

static struct media *flows[MEDIA_FLOWS];	/* by the number in the service's name */

/* ---- sending ---- */

static struct media_packet *note(struct media_way *m)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 1024;
		m->packet = realloc(m->packet, m->cap * sizeof *m->packet);
		if (!m->packet)
			abort();
	}
	return &m->packet[m->n++];
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void send_packet(struct media_way *m, uint8_t type, bool marker, size_t size)
{
	int64_t now = loop_now(m->media->w->loop);
	uint32_t number = m->n;
	struct packet *p;

	*note(m) = (struct media_packet){ now, MEDIA_LOST, m->frame };
	m->bytes += size;
	p = m->channel ? packet_get(m->media->w->pool, size) : NULL;
	if (!p)
		return;
	memset(p->data, 0, size);
	p->data[0] = 0x80;
	p->data[1] = (uint8_t)(type | (marker ? 0x80 : 0));
	p->data[2] = (uint8_t)(number >> 8);
	p->data[3] = (uint8_t)number;
	put32(p->data + 4, m->timestamp);
	put32(p->data + 8, m->ssrc);
	put32(p->data + HEADER, number);
	for (size_t i = HEADER + 4; i < size; i++)
		p->data[i] = (uint8_t)(number + i);
	p->len = size;
	p->born_us = now;
	channel_send(m->channel, p);
}

static bool is_talking(const struct media_way *m)
{
	const struct media_options *o = &m->media->o;

	return !o->talk_us || (loop_now(m->media->w->loop) + m->up * o->talk_us / 2) % (o->talk_us + o->pause_us) < o->talk_us;
}

static int64_t send_audio(struct media_way *m)
{
	bool talks = is_talking(m);
	int64_t every = talks ? AUDIO_EACH : NOISE_EACH;

	send_packet(m, TYPE_AUDIO, false, talks ? AUDIO_SIZE : NOISE_SIZE);
	m->timestamp += (uint32_t)(every * 48 / 1000);
	return every;
}

static int64_t send_video(struct media_way *m)
{
	unsigned kbps = m->media->o.kbps ? m->media->o.kbps : KBPS_DEFAULT;
	size_t left = (size_t)(kbps * FRAME_EACH / 8000);

	while (left > 0) {
		size_t n = left < VIDEO_SIZE ? left : VIDEO_SIZE;

		if (n < NOISE_SIZE)
			n = NOISE_SIZE;
		left -= n < left ? n : left;
		send_packet(m, TYPE_VIDEO, left == 0, n);
	}
	m->frame++;
	m->timestamp += 3000;
	return FRAME_EACH;
}

static void on_timer(void *ctx)
{
	struct media_way *m = ctx;

	timer_in(&m->timer, m->media->o.kind == MEDIA_AUDIO ? send_audio(m) : send_video(m));
}

/* ---- arriving ---- */

static void arrived(struct media_way *m, const uint8_t *p, size_t n)
{
	uint32_t number = n >= HEADER + 4 ? get32(p + HEADER) : UINT32_MAX;

	if (number >= m->n || get32(p + 8) != m->ssrc) {
		m->wrong++;
		return;
	}
	for (size_t i = HEADER + 4; i < n; i++)
		m->wrong += p[i] != (uint8_t)(number + i);
	if (m->packet[number].took_us != MEDIA_LOST)
		m->repeated++;
	else
		m->packet[number].took_us = loop_now(m->media->w->loop) - m->packet[number].born_us;
}

static void near_datagram(void *ctx, const uint8_t *p, size_t n)
{
	arrived(&((struct media *)ctx)->down, p, n);
}

static void far_datagram(void *ctx, const uint8_t *p, size_t n)
{
	arrived(&((struct media *)ctx)->up, p, n);
}

static void opened(void *ctx)
{
	(void)ctx;
}

static void near_closed(void *ctx, uint64_t code, const char *reason)
{
	(void)code, (void)reason;
	((struct media *)ctx)->up.channel = NULL;
}

static void far_closed(void *ctx, uint64_t code, const char *reason)
{
	(void)code, (void)reason;
	((struct media *)ctx)->down.channel = NULL;
}

static const struct endpoint_ops near_ops = { near_datagram, NULL, NULL, NULL, opened, near_closed };
static const struct endpoint_ops far_ops = { far_datagram, NULL, NULL, NULL, opened, far_closed };

uint64_t media_accept(struct world *w, struct channel *ch, struct channel_params *params, const struct endpoint_ops **ops,
		      void **endpoint, const char **sentence)
{
	struct media *m;

	(void)sentence;
	if (strncmp(params->service, "media-", 6) != 0)
		return flow_accept(w, ch, params, ops, endpoint);
	m = flows[atoi(params->service + 6)];
	m->down.channel = ch;
	if (!m->o.silent_down)
		timer_in(&m->down.timer, m->offset_us);
	params->redundancy = m->o.redundancy;
	*ops = &far_ops;
	*endpoint = m;
	return CODE_NONE;
}

/* ---- flows ---- */

static void way_init(struct media_way *way, struct media *m, bool up)
{
	way->media = m;
	way->up = up;
	way->ssrc = 0x1000 + 2 * m->index + up;
	timer_init(&way->timer, m->w->loop, on_timer, way);
}

struct media *media_new(struct world *w, struct session *s, const struct media_options *o)
{
	struct media *m = calloc(1, sizeof *m);
	struct channel_params params = { .kind = KIND_DATAGRAM, .redundancy = o->redundancy };
	char name[20];

	if (!m)
		abort();
	while (flows[m->index])
		m->index++;
	if (m->index >= MEDIA_FLOWS)
		abort();
	flows[m->index] = m;
	m->w = w;
	m->session = s;
	m->o = *o;
	w->open = media_accept;
	snprintf(name, sizeof name, "media-%u", m->index);
	params.service = name;
	m->up.channel = channel_open(s, &params, &near_ops, m);
	if (!m->up.channel)
		abort();
	/* flows do not keep step with each other */
	m->offset_us = 1 + (int64_t)(loop_random_u64(w->loop) % (uint64_t)AUDIO_EACH);
	way_init(&m->up, m, true);
	way_init(&m->down, m, false);
	if (!o->silent_up)
		timer_in(&m->up.timer, m->offset_us / 2);
	return m;
}

void media_stop(struct media *m)
{
	timer_stop(&m->up.timer);
	timer_stop(&m->down.timer);
}

void media_free(struct media *m)
{
	media_stop(m);
	flows[m->index] = NULL;
	if (m->up.channel)
		channel_close(m->up.channel, CODE_NONE, "");
	if (m->down.channel)
		channel_close(m->down.channel, CODE_NONE, "");
	free(m->up.packet);
	free(m->down.packet);
	free(m);
}

/* ---- figures ---- */

void tally_add(struct tally *t, const struct media_way *m, int64_t from_us, int64_t until_us)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (m->packet[i].born_us < from_us || m->packet[i].born_us >= until_us)
			continue;
		if (t->n == t->cap) {
			t->cap = t->cap ? 2 * t->cap : 4096;
			t->took = realloc(t->took, t->cap * sizeof *t->took);
			if (!t->took)
				abort();
		}
		t->took[t->n++] = m->packet[i].took_us;
	}
	t->sorted = false;
}

void tally_fini(struct tally *t)
{
	free(t->took);
	*t = (struct tally){ 0 };
}

double tally_late(const struct tally *t, int64_t us)
{
	unsigned late = 0;

	for (unsigned i = 0; i < t->n; i++)
		late += t->took[i] > us;
	return t->n ? 100.0 * late / t->n : 0;
}

double tally_lost(const struct tally *t)
{
	return tally_late(t, MEDIA_LOST - 1);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

double tally_percentile(struct tally *t, double p)
{
	unsigned came = t->n;

	if (!t->sorted && t->n)
		qsort(t->took, t->n, sizeof *t->took, by_size);
	t->sorted = true;
	while (came && t->took[came - 1] == MEDIA_LOST)
		came--;
	return came ? (double)t->took[(unsigned)(p / 100 * (came - 1))] / 1e3 : 0;
}

void media_frames(const struct media_way *m, int64_t from_us, int64_t until_us, double *whole, double *torn)
{
	unsigned frames = 0, complete = 0, parts = 0;

	for (unsigned i = 0; i < m->n;) {
		unsigned first = i, came = 0;

		for (; i < m->n && m->packet[i].frame == m->packet[first].frame; i++)
			came += m->packet[i].took_us != MEDIA_LOST;
		if (m->packet[first].born_us < from_us || m->packet[first].born_us >= until_us)
			continue;
		frames++;
		complete += came == i - first;
		parts += came && came < i - first;
	}
	*whole = frames ? 100.0 * complete / frames : 0;
	*torn = frames ? 100.0 * parts / frames : 0;
}
