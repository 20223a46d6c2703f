/*
 * UDP sender on Linux. Datagrams of one socket lie one behind the other; runs of
 * one size to one destination leave as one message that the kernel (or the card)
 * cuts, UDP_SEGMENT, and all messages by one sendmmsg. Called by the helper's
 * ingress and the server's egress.
 */
#include "tunnel/udp_sender.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tunnel/address.h"
#include "tunnel/counters.h"
#include "tunnel/loop.h"
#include "tunnel/udp.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103		/* linux/udp.h, which netinet/udp.h excludes */
#endif

#define PIECES 64		/* the kernel cuts no message into more */
#define WHOLE 65000		/* bytes of a message that is to be cut: headers come on top */

struct piece {
	size_t at, n;
	unsigned to;		/* index of its destination */
};

struct message {
	struct iovec iov;
	unsigned first;		/* of its pieces */
	uint8_t control[CMSG_SPACE(sizeof(uint16_t))] __attribute__((aligned(8)));
};

struct udp_sender {
	struct loop *loop;
	struct later later;
	int fd;			/* of all that waits */
	unsigned count, destinations;
	size_t used;
	size_t uncut;		/* datagrams of this size or more go one by one: the kernel refused to cut them */
	struct piece piece[PIECES];
	struct address to[PIECES];
	struct message message[PIECES + 1];
	struct mmsghdr header[PIECES];
	uint8_t bytes[UDP_MAX + PACKET_SMALL];
};

static void on_later(void *ctx)
{
	udp_sender_flush(ctx);
}

struct udp_sender *udp_sender_new(struct loop *loop)
{
	struct udp_sender *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->loop = loop;
	s->uncut = SIZE_MAX;
	later_init(&s->later, on_later, s);
	return s;
}

void udp_sender_free(struct udp_sender *s)
{
	if (!s)
		return;
	udp_sender_flush(s);
	later_cancel(s->loop, &s->later);
	free(s);
}

/* Pieces from `first` on that make one message: equal in size, the last one perhaps shorter. */
static unsigned run_of(const struct udp_sender *s, unsigned first)
{
	const struct piece *p = &s->piece[first];
	size_t bytes = p->n;
	unsigned i = first + 1;

	if (p->n == 0 || p->n >= s->uncut)
		return 1;
	for (; i < s->count && s->piece[i].to == p->to && s->piece[i].n && s->piece[i].n <= p->n; i++) {
		bytes += s->piece[i].n;
		if (bytes > WHOLE)
			break;
		if (s->piece[i].n < p->n)
			return i + 1 - first;
	}
	return i - first;
}

static void ask_to_cut(struct msghdr *h, struct message *m, size_t n)
{
	uint16_t size = (uint16_t)n;
	struct cmsghdr *c;

	h->msg_control = m->control;
	h->msg_controllen = sizeof m->control;
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof size);
	memcpy(CMSG_DATA(c), &size, sizeof size);
}

/* Makes messages of the pieces from `first` on: how many. */
static unsigned pack(struct udp_sender *s, unsigned first)
{
	unsigned n = 0;

	for (unsigned i = first, run; i < s->count; i += run, n++) {
		const struct piece *p = &s->piece[i], *last;
		struct message *m = &s->message[n];
		struct address *to = &s->to[p->to];

		run = run_of(s, i);
		last = p + run - 1;
		m->first = i;
		m->iov = (struct iovec){ s->bytes + p->at, last->at + last->n - p->at };
		s->header[n].msg_hdr = (struct msghdr){ .msg_name = to->len ? &to->sa : NULL, .msg_namelen = to->len,
							.msg_iov = &m->iov, .msg_iovlen = 1 };
		if (run > 1)
			ask_to_cut(&s->header[n].msg_hdr, m, p->n);
	}
	s->message[n].first = s->count;
	return n;
}

/* After a failure of the message that begins with piece `at`: the piece to go on with. */
static unsigned after_failure(struct udp_sender *s, unsigned at)
{
	unsigned next = s->message[1].first;
	bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;

	if (!full && next - at > 1) {
		s->uncut = s->piece[at].n;
		return at;
	}
	if (full)
		next = s->count;
	count_add(dropped_local, next - at);
	return next;
}

/* Sends the messages made: how many, or -1. A lone datagram has the cheapest call. */
static int transmit(struct udp_sender *s, unsigned n)
{
	const struct msghdr *h = &s->header[0].msg_hdr;
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	if (n > 1 || h->msg_control)
		return sendmmsg(s->fd, s->header, n, flags);
	return sendto(s->fd, h->msg_iov->iov_base, h->msg_iov->iov_len, flags, h->msg_name, h->msg_namelen) < 0 ? -1 : 1;
}

void udp_sender_flush(struct udp_sender *s)
{
	unsigned at = 0, tries = 0;

	while (at < s->count) {
		unsigned n = pack(s, at);
		int sent = transmit(s, n);

		if (sent > 0) {
			at = s->message[sent].first;
			tries = 0;
		} else if (!udp_is_icmp(errno) || ++tries == UDP_RETRIES) {
			at = after_failure(s, at);
			tries = 0;
		}
	}
	s->count = s->destinations = 0;
	s->used = 0;
}

/* The index of a destination; most often that of the piece before. */
static unsigned destination(struct udp_sender *s, const struct address *to)
{
	struct address *last = s->destinations ? &s->to[s->destinations - 1] : NULL;

	if (last && (to ? last->len && address_equal(last, to) : !last->len))
		return s->destinations - 1;
	if (to)
		s->to[s->destinations] = *to;
	else
		s->to[s->destinations].len = 0;
	return s->destinations++;
}

void udp_sender_put(struct udp_sender *s, int fd, const uint8_t *p, size_t n, const struct address *to)
{
	assert(n <= UDP_MAX);
	if (s->count == PIECES || (s->count && fd != s->fd) || s->used + n > sizeof s->bytes)
		udp_sender_flush(s);
	s->fd = fd;
	s->piece[s->count++] = (struct piece){ s->used, n, destination(s, to) };
	memcpy(s->bytes + s->used, p, n);
	s->used += n;
	loop_later(s->loop, &s->later);
}
