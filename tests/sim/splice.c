/* A proxy between two lossy networks. Two halves per connection, each reads from one stream and writes to the other. */
#include "tests/sim/splice.h"

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/list.h"

struct half {			/* what came from `from` and is to go to the other half's */
	struct joint *joint;
	struct stream *from;
	uint8_t *bytes;
	size_t n;
	bool ended;
};

struct joint {
	struct link link;
	struct splice *splice;
	struct half half[2];
};

struct splice {
	struct loop *loop;
	size_t buffer;
	struct lossy *behind;
	struct link joints;
	void (*accept)(void *, struct stream *);
	void *ctx;
};

static void joint_free(struct joint *j)
{
	link_remove(&j->link);
	for (int i = 0; i < 2; i++) {
		stream_close(j->half[i].from);
		free(j->half[i].bytes);
	}
	loop_free_later(j->splice->loop, j);
}

static struct half *other(struct half *h)
{
	return &h->joint->half[h == &h->joint->half[0]];
}

/* Moves what can be moved; false: the connection is over. */
static bool move(struct half *h)
{
	struct stream *to = other(h)->from;
	ssize_t n = 0;

	while (!h->ended && h->n < h->joint->splice->buffer &&
	       (n = stream_read(h->from, h->bytes + h->n, h->joint->splice->buffer - h->n)) > 0)
		h->n += (size_t)n;
	if (n < 0 && n != ERROR_AGAIN)
		return false;
	h->ended |= n == 0 && h->n < h->joint->splice->buffer;
	while (h->n && (n = stream_write(to, h->bytes, h->n)) > 0) {
		h->n -= (size_t)n;
		memmove(h->bytes, h->bytes + n, h->n);
	}
	return n >= 0 || n == ERROR_AGAIN;
}

static void pump(void *ctx)
{
	struct joint *j = ((struct half *)ctx)->joint;
	struct half *h = j->half;

	if (!move(&h[0]) || !move(&h[1]) || (h[0].ended && !h[0].n) || (h[1].ended && !h[1].n)) {
		joint_free(j);
		return;
	}
	for (int i = 0; i < 2; i++)
		stream_want(h[i].from, !h[i].ended && h[i].n < j->splice->buffer, h[!i].n > 0);
}

static void failed(void *ctx, int error)
{
	(void)error;
	joint_free(((struct half *)ctx)->joint);
}

static const struct stream_events events = { pump, pump, pump, failed };

void splice_accept(void *ctx, struct stream *s)
{
	struct splice *splice = ctx;
	struct joint *j = calloc(1, sizeof *j);
	struct stream *far;

	if (!j)
		abort();
	j->splice = splice;
	list_append(&splice->joints, &j->link);
	j->half[0].from = s;
	lossy_pair(splice->behind, &j->half[1].from, &far);
	for (int i = 0; i < 2; i++) {
		struct half *h = &j->half[i];

		h->joint = j;
		h->bytes = malloc(splice->buffer);
		if (!h->bytes)
			abort();
		stream_attach(h->from, &events, h);
		stream_want(h->from, true, false);
	}
	splice->accept(splice->ctx, far);
}

struct splice *splice_new(struct loop *loop, size_t buffer, void (*accept)(void *, struct stream *), void *ctx)
{
	struct splice *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	*s = (struct splice){ .loop = loop, .buffer = buffer, .accept = accept, .ctx = ctx };
	list_init(&s->joints);
	return s;
}

void splice_behind(struct splice *s, struct lossy *behind)
{
	s->behind = behind;
}

void splice_free(struct splice *s)
{
	while (!list_empty(&s->joints))
		joint_free(list_entry(s->joints.next, struct joint, link));
	loop_free_later(s->loop, s);
}
