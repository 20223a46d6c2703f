/*
 * tlspipe: datagrams over one TLS connection, each behind its length and the
 * number of its flow; nothing else. What a tunnel of one connection costs at
 * least. The near end gives each source a flow, the far end each flow a port.
 * A datagram beyond 256 KiB that wait for the socket is dropped.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/tlslink.h"
#include "tests/tools/tool.h"
#include "tests/tools/udpport.h"

#define MAX_FLOWS 4096
#define HEADER 4 /* two octets of length, two of the flow */

static const char usage_text[] =
	"usage: tlspipe near --udp ADDR:PORT --tls ADDR:PORT                         datagrams in, TLS out\n"
	"       tlspipe far --tls ADDR:PORT --cert FILE --key FILE --udp ADDR:PORT   TLS in, datagrams out\n"
	"Prints 'ready udp ADDR:PORT near' or 'ready tls ADDR:PORT far'.\n";

/* What a descriptor is stands above its number; of the far end's flows, FLOW + flow. */
enum { CONNECTION, LISTENER, LOCAL, FLOW };

struct pipe {
	bool near, writable_wanted;
	const char *cert, *key;
	struct sockaddr_in udp;
	int poll, local, listener; /* local: the near end's port */
	struct tlslink *link;
	int flows;
	int fd[MAX_FLOWS];                   /* far */
	struct sockaddr_in source[MAX_FLOWS]; /* near */
};

static void watch(struct pipe *p, int op, int what, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)what << 32 | (uint32_t)fd };
	if (epoll_ctl(p->poll, op, fd, &e))
		tool_die("epoll: %s", strerror(errno));
}

static void lose(struct pipe *p)
{
	if (p->near)
		tool_die("the connection ended");
	tlslink_free(p->link);
	p->link = NULL;
}

static void flush(struct pipe *p)
{
	if (!tlslink_flush(p->link)) {
		lose(p);
		return;
	}
	bool waits = tlslink_waits(p->link);
	if (waits != p->writable_wanted)
		watch(p, EPOLL_CTL_MOD, CONNECTION, tlslink_fd(p->link), waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
	p->writable_wanted = waits;
}

/* The flow of a source, a new one where there is room; calls come mostly in turn. */
static int flow_of(struct pipe *p, const struct sockaddr_in *from)
{
	static int next;
	for (int k = 0; k < p->flows; k++) {
		int i = (next + k) % p->flows;
		if (p->source[i].sin_port == from->sin_port && p->source[i].sin_addr.s_addr == from->sin_addr.s_addr) {
			next = i;
			return i;
		}
	}
	if (p->flows == MAX_FLOWS)
		return -1;
	p->source[p->flows] = *from;
	return p->flows++;
}

static void from_udp(struct pipe *p, int fd, int flow)
{
	static struct udpport_batch batch;
	udpport_read(fd, &batch);
	for (int i = 0; i < batch.n && p->link; i++) {
		int to = p->near ? flow_of(p, &batch.from[i]) : flow;
		uint8_t *out = to < 0 ? NULL : tlslink_room(p->link, HEADER + batch.size[i]);
		if (!out)
			continue;
		out[0] = (uint8_t)(batch.size[i] >> 8);
		out[1] = (uint8_t)batch.size[i];
		out[2] = (uint8_t)(to >> 8);
		out[3] = (uint8_t)to;
		memcpy(out + HEADER, batch.data[i], batch.size[i]);
	}
	if (p->link && !p->writable_wanted)
		flush(p);
}

static void to_udp(struct pipe *p, int flow, const uint8_t *data, size_t n)
{
	if (flow >= MAX_FLOWS || (p->near && flow >= p->flows))
		return;
	if (p->near) {
		sendto(p->local, data, n, 0, (struct sockaddr *)&p->source[flow], sizeof p->source[flow]);
		return;
	}
	if (p->fd[flow] < 0) {
		p->fd[flow] = udpport_connected(&p->udp);
		watch(p, EPOLL_CTL_ADD, FLOW + flow, p->fd[flow], EPOLLIN);
	}
	send(p->fd[flow], data, n, 0);
}

static void from_tls(struct pipe *p)
{
	bool lost = false;
	for (int round = 0; round < 64 && tlslink_read(p->link, &lost); round++) {
		size_t n, at = 0;
		const uint8_t *in = tlslink_in(p->link, &n);
		while (n - at >= HEADER) {
			size_t size = (size_t)in[at] << 8 | in[at + 1];
			if (n - at < HEADER + size)
				break;
			to_udp(p, in[at + 2] << 8 | in[at + 3], in + at + HEADER, size);
			at += HEADER + size;
		}
		tlslink_consume(p->link, at);
	}
	if (lost)
		lose(p);
}

/* The newest connection counts. */
static void take_connection(struct pipe *p)
{
	int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	tlslink_free(p->link);
	p->link = tlslink_accept(fd, p->cert, p->key);
	p->writable_wanted = false;
	if (p->link)
		watch(p, EPOLL_CTL_ADD, CONNECTION, tlslink_fd(p->link), EPOLLIN);
}

static void take_event(struct pipe *p, const struct epoll_event *e)
{
	int what = (int)(e->data.u64 >> 32), fd = (int)(uint32_t)e->data.u64;
	switch (what) {
	case LISTENER: take_connection(p); break;
	case LOCAL: from_udp(p, fd, 0); break;
	case CONNECTION:
		if (p->link && (e->events & EPOLLOUT))
			flush(p);
		if (p->link && (e->events & ~(uint32_t)EPOLLOUT))
			from_tls(p);
		break;
	default: from_udp(p, fd, what - FLOW);
	}
}

static void begin_near(struct pipe *p, const char *tls, const char *udp)
{
	struct sockaddr_in to = tool_address(tls);
	p->link = tlslink_connect(&to);
	watch(p, EPOLL_CTL_ADD, CONNECTION, tlslink_fd(p->link), EPOLLIN);
	p->local = udpport_bound(&p->udp);
	watch(p, EPOLL_CTL_ADD, LOCAL, p->local, EPOLLIN);
	printf("ready udp %s near\n", udp);
}

static void begin_far(struct pipe *p, const char *tls)
{
	struct sockaddr_in at = tool_address(tls);
	int one = 1;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->listener < 0 || setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
	    bind(p->listener, (struct sockaddr *)&at, sizeof at) || listen(p->listener, 16))
		tool_die("listening on %s: %s", tls, strerror(errno));
	watch(p, EPOLL_CTL_ADD, LISTENER, p->listener, EPOLLIN);
	printf("ready tls %s far\n", tls);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "udp", 1, NULL, 'u' }, { "tls", 1, NULL, 't' }, { "cert", 1, NULL, 'c' },
						 { "key", 1, NULL, 'k' }, { NULL, 0, NULL, 0 } };
	static struct pipe pipe;
	const char *udp = NULL, *tls = NULL;
	int c;
	tool_name = "tlspipe";
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'u': udp = optarg; break;
		case 't': tls = optarg; break;
		case 'c': pipe.cert = optarg; break;
		case 'k': pipe.key = optarg; break;
		default: fputs(usage_text, stderr); return 2;
		}
	pipe.near = optind < argc && !strcmp(argv[optind], "near");
	if (optind + 1 != argc || !udp || !tls || (!pipe.near && (strcmp(argv[optind], "far") || !pipe.cert || !pipe.key))) {
		fputs(usage_text, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	pipe.udp = tool_address(udp);
	pipe.poll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < MAX_FLOWS; i++)
		pipe.fd[i] = -1;
	if (pipe.near)
		begin_near(&pipe, tls, udp);
	else
		begin_far(&pipe, tls);
	fflush(stdout);
	for (;;) {
		struct epoll_event event[64];
		int n = epoll_wait(pipe.poll, event, 64, -1);
		for (int i = 0; i < n; i++)
			take_event(&pipe, &event[i]);
	}
}
