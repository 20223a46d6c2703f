/*
 * turnclient: local UDP ports through a TURN server over TLS over TCP. One
 * allocation; channel i leads from local port LOCAL + i to port PEER + i of the
 * peer. It answers each local port's newest sender. Batches are written at
 * once, so that the server's cost and not ours is what is measured.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/tools/tlslink.h"
#include "tests/tools/tool.h"
#include "tests/tools/turn.h"
#include "tests/tools/udpport.h"

#define MAX_PORTS 1024
#define REFRESH_NS (240 * TOOL_NSEC) /* permissions last 300 s */
#define SERVER (-1) /* among the descriptors' numbers */

static const char usage_text[] =
	"usage: turnclient --server ADDR:PORT --peer ADDR:PORT --local ADDR:PORT [options]\n"
	"\n"
	"  --server ADDR:PORT  TURN over TLS; its certificate is not checked\n"
	"  --ports N           local and peer ports, from those given on (1)\n"
	"  --user U --password P  (bench, bench)\n"
	"Prints 'ready udp ADDR:PORT turn' when all channels are bound.\n";

struct client {
	struct tlslink *link;
	struct turn_login login;
	struct sockaddr_in peer;
	int poll, ports;
	bool writable_wanted;
	struct { int fd; struct sockaddr_in from; } port[MAX_PORTS];
};

static void watch(struct client *c, int op, int what, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = what };
	if (epoll_ctl(c->poll, op, fd, &e))
		tool_die("epoll: %s", strerror(errno));
}

static void flush(struct client *c)
{
	if (!tlslink_flush(c->link))
		tool_die("the server closed the connection");
	bool waits = tlslink_waits(c->link);
	if (waits != c->writable_wanted)
		watch(c, EPOLL_CTL_MOD, SERVER, tlslink_fd(c->link), waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
	c->writable_wanted = waits;
}

static void put(struct client *c, const struct turn_request *r)
{
	uint8_t *out = tlslink_room(c->link, r->size);
	if (out)
		memcpy(out, r->octet, r->size);
	flush(c);
}

/* Takes one answer off what was read. */
static bool take_answer(struct client *c, const struct turn_request *r, int *code)
{
	size_t n;
	const uint8_t *in = tlslink_in(c->link, &n);
	size_t size = turn_frame(in, n);
	if (!size)
		return false;
	bool ours = turn_answers(in, r, code);
	if (ours)
		turn_login_learn(&c->login, in);
	tlslink_consume(c->link, size);
	return ours;
}

/* At the start, while nothing else goes on: sends and waits. The error code, or 0. */
static int ask(struct client *c, const struct turn_request *r)
{
	int64_t until = tool_now_ns() + 10 * TOOL_NSEC;
	bool lost;
	int code;
	put(c, r);
	while (tool_now_ns() < until) {
		while (tlslink_read(c->link, &lost))
			;
		if (lost)
			tool_die("the server closed the connection");
		size_t before, after;
		do {
			tlslink_in(c->link, &before);
			if (take_answer(c, r, &code))
				return code;
			tlslink_in(c->link, &after);
		} while (after < before);
		poll(&(struct pollfd){ tlslink_fd(c->link), POLLIN, 0 }, 1, 100);
	}
	tool_die("no answer from the server");
}

static struct sockaddr_in peer_of(const struct client *c, int i)
{
	struct sockaddr_in a = c->peer;
	a.sin_port = htons((uint16_t)(ntohs(a.sin_port) + i));
	return a;
}

/* The first request is refused and says of what realm we are (RFC 5389 section 10.2). */
static void allocate(struct client *c)
{
	struct turn_request r;
	turn_allocate(&r, &c->login);
	int code = ask(c, &r);
	if (code != 401)
		tool_die("the server asked for no credentials: %d", code);
	turn_allocate(&r, &c->login);
	code = ask(c, &r);
	if (code)
		tool_die("allocation refused: %d", code);
}

static void open_port(struct client *c, const struct sockaddr_in *local, int i)
{
	struct turn_request r;
	struct sockaddr_in at = *local, to = peer_of(c, i);
	at.sin_port = htons((uint16_t)(ntohs(at.sin_port) + i));
	c->port[i].fd = udpport_bound(&at);
	turn_bind(&r, &c->login, i, &to);
	int code = ask(c, &r);
	if (code)
		tool_die("channel %d refused: %d", i, code);
	watch(c, EPOLL_CTL_ADD, i, c->port[i].fd, EPOLLIN);
}

/* Answers are not waited for; one with a new nonce lets the next round pass. */
static void refresh(struct client *c)
{
	struct turn_request r;
	turn_refresh(&r, &c->login);
	put(c, &r);
	for (int i = 0; i < c->ports; i++) {
		struct sockaddr_in to = peer_of(c, i);
		turn_bind(&r, &c->login, i, &to);
		put(c, &r);
	}
}

static void from_local(struct client *c, int i)
{
	static struct udpport_batch batch;
	udpport_read(c->port[i].fd, &batch);
	for (int k = 0; k < batch.n; k++) {
		size_t size = batch.size[k], padding = -size & 3;
		uint8_t *out = tlslink_room(c->link, 4 + size + padding);
		c->port[i].from = batch.from[k];
		if (!out)
			continue;
		out[0] = (uint8_t)((TURN_CHANNEL + i) >> 8);
		out[1] = (uint8_t)(TURN_CHANNEL + i);
		out[2] = (uint8_t)(size >> 8);
		out[3] = (uint8_t)size;
		memcpy(out + 4, batch.data[k], size);
		memset(out + 4 + size, 0, padding);
	}
	if (!c->writable_wanted)
		flush(c);
}

static void take_frame(struct client *c, const uint8_t *p)
{
	if (!turn_is_channel(p)) {
		turn_login_learn(&c->login, p);
		return;
	}
	int i = (int)turn_get16(p) - TURN_CHANNEL;
	if (i < c->ports && c->port[i].from.sin_port)
		sendto(c->port[i].fd, p + 4, turn_get16(p + 2), 0, (struct sockaddr *)&c->port[i].from, sizeof c->port[i].from);
}

static void from_server(struct client *c)
{
	bool lost = false;
	for (int round = 0; round < 64 && tlslink_read(c->link, &lost); round++) {
		size_t n, at = 0;
		const uint8_t *in = tlslink_in(c->link, &n);
		for (size_t size; (size = turn_frame(in + at, n - at)); at += size)
			take_frame(c, in + at);
		tlslink_consume(c->link, at);
	}
	if (lost)
		tool_die("the server closed the connection");
}

static void relay(struct client *c)
{
	int64_t next = tool_now_ns() + REFRESH_NS;
	for (;;) {
		struct epoll_event event[64];
		int n = epoll_wait(c->poll, event, 64, 5000);
		for (int i = 0; i < n; i++) {
			if (event[i].data.fd != SERVER) {
				from_local(c, event[i].data.fd);
				continue;
			}
			if (event[i].events & EPOLLOUT)
				flush(c);
			from_server(c);
		}
		if (tool_now_ns() >= next) {
			refresh(c);
			next += REFRESH_NS;
		}
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "server", 1, NULL, 's' }, { "peer", 1, NULL, 'p' }, { "local", 1, NULL, 'l' },
						 { "ports", 1, NULL, 'n' }, { "user", 1, NULL, 'u' }, { "password", 1, NULL, 'w' },
						 { NULL, 0, NULL, 0 } };
	static struct client c = { .ports = 1, .login = { .user = "bench", .password = "bench" } };
	const char *server = NULL, *peer = NULL, *local = NULL;
	int o;
	tool_name = "turnclient";
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 's': server = optarg; break;
		case 'p': peer = optarg; break;
		case 'l': local = optarg; break;
		case 'n': c.ports = tool_count("ports", optarg); break;
		case 'u': c.login.user = optarg; break;
		case 'w': c.login.password = optarg; break;
		default: fputs(usage_text, stderr); return 2;
		}
	if (optind < argc || !server || !peer || !local || c.ports < 1 || c.ports > MAX_PORTS) {
		fputs(usage_text, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	struct sockaddr_in to = tool_address(server), at = tool_address(local);
	c.peer = tool_address(peer);
	c.poll = epoll_create1(EPOLL_CLOEXEC);
	c.link = tlslink_connect(&to);
	watch(&c, EPOLL_CTL_ADD, SERVER, tlslink_fd(c.link), EPOLLIN);
	allocate(&c);
	for (int i = 0; i < c.ports; i++)
		open_port(&c, &at, i);
	printf("ready udp %s turn\n", local);
	fflush(stdout);
	relay(&c);
}
