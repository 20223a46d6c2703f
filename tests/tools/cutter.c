/*
 * cutter: a TCP forwarder that knows nothing of what it carries, can delay it
 * one way, and cuts all its connections every so often. Tests put it before a
 * server or a proxy to see that nothing is lost. One thread, poll(2).
 * Prints "ready tcp ADDR:PORT cutter"; at SIGTERM or SIGINT the counts, as JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/tool.h"

#define MAX_PAIRS 256
#define CHUNK 65536
#define QUEUE_LIMIT (4 << 20) /* octets on their way in one direction */

struct chunk {
	struct chunk *next;
	int64_t due;
	size_t size, done;
	uint8_t data[];
};

/* One direction: from a socket to the other one of the pair. */
struct pipe {
	struct chunk *first, **last;
	size_t queued;
	bool ended;  /* the source has sent its end */
	bool closed; /* ... and it was passed on */
};

struct pair {
	int fd[2]; /* 0: the accepted one, 1: the one to the target */
	struct pipe pipe[2]; /* [i]: what came from fd[i] */
	bool connecting;
};

static const char usage_text[] =
	"usage: cutter --to ADDR:PORT [--listen ADDR:PORT] [--cut MS] [--fin] [--delay MS]\n"
	"  --listen ADDR:PORT  (127.0.0.1:0, the kernel's choice)\n"
	"  --cut MS            cut all connections every MS milliseconds; counted from the first one\n"
	"  --fin               by an orderly close instead of a reset\n"
	"  --delay MS          of every byte, each way\n";

static struct pair pairs[MAX_PAIRS];
static int count;
static uint64_t total, cuts, refused, carried;
static int64_t delay_ns, cut_ns, next_cut = INT64_MAX;
static bool by_fin;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void drop(int i, bool reset)
{
	struct linger hard = { 1, 0 };
	for (int k = 0; k < 2; k++) {
		if (reset)
			setsockopt(pairs[i].fd[k], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(pairs[i].fd[k]);
		for (struct chunk *c = pairs[i].pipe[k].first, *next; c; c = next) {
			next = c->next;
			free(c);
		}
	}
	pairs[i] = pairs[--count];
	for (int k = 0; k < 2; k++)
		if (i < count && !pairs[i].pipe[k].first)
			pairs[i].pipe[k].last = &pairs[i].pipe[k].first;
}

static void accept_pair(int listener, const struct sockaddr_in *to)
{
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	int out = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out < 0 || count == MAX_PAIRS || (connect(out, (const struct sockaddr *)to, sizeof *to) && errno != EINPROGRESS)) {
		refused++;
		close(fd);
		if (out >= 0)
			close(out);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	struct pair *p = &pairs[count++];
	*p = (struct pair){ .fd = { fd, out }, .connecting = true };
	for (int k = 0; k < 2; k++)
		p->pipe[k].last = &p->pipe[k].first;
	total++;
	if (cut_ns && next_cut == INT64_MAX)
		next_cut = tool_now_ns() + cut_ns;
}

/* Reads from fd[k]. False when the pair is to end. */
static bool read_side(struct pair *p, int k)
{
	struct pipe *pipe = &p->pipe[k];
	struct chunk *c = malloc(sizeof *c + CHUNK);
	if (!c)
		tool_die("out of memory");
	ssize_t n = read(p->fd[k], c->data, CHUNK);
	if (n <= 0) {
		free(c);
		pipe->ended |= n == 0;
		return n == 0 || errno == EAGAIN;
	}
	*c = (struct chunk){ .due = tool_now_ns() + delay_ns, .size = (size_t)n };
	*pipe->last = c;
	pipe->last = &c->next;
	pipe->queued += (size_t)n;
	return true;
}

/* Writes to the other side what is due. False when the pair is to end. */
static bool write_side(struct pair *p, int k, int64_t now)
{
	struct pipe *pipe = &p->pipe[k];
	int to = p->fd[1 - k];
	if (k == 0 && p->connecting)
		return true;
	for (struct chunk *c; (c = pipe->first) && c->due <= now;) {
		ssize_t n = send(to, c->data + c->done, c->size - c->done, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		carried += (uint64_t)n;
		pipe->queued -= (size_t)n;
		c->done += (size_t)n;
		if (c->done < c->size)
			return true;
		pipe->first = c->next;
		if (!pipe->first)
			pipe->last = &pipe->first;
		free(c);
	}
	if (pipe->ended && !pipe->first && !pipe->closed) {
		shutdown(to, SHUT_WR);
		pipe->closed = true;
	}
	return true;
}

/* The events wanted for fd[k]: recomputed before each poll. */
static short interest(const struct pair *p, int k, int64_t now)
{
	const struct pipe *in = &p->pipe[k], *out = &p->pipe[1 - k];
	short events = 0;
	if (k == 1 && p->connecting)
		return POLLOUT;
	if (!in->ended && in->queued < QUEUE_LIMIT)
		events |= POLLIN;
	if (out->first && out->first->due <= now)
		events |= POLLOUT;
	return events;
}

static int wait_ms(int64_t now)
{
	int64_t next = next_cut;
	for (int i = 0; i < count; i++)
		for (int k = 0; k < 2; k++) {
			const struct chunk *c = pairs[i].pipe[k].first;
			if (c && c->due > now && c->due < next)
				next = c->due;
		}
	if (next == INT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now) / 1000000) + 1;
}

enum verdict { GO_ON, ENDED, BROKEN };

static enum verdict serve(struct pair *p, const struct pollfd *events, int64_t now)
{
	if (p->connecting && events[1].revents) {
		int error = 0;
		socklen_t size = sizeof error;
		getsockopt(p->fd[1], SOL_SOCKET, SO_ERROR, &error, &size);
		if (error)
			return BROKEN;
		p->connecting = false;
	}
	for (int k = 0; k < 2; k++) {
		if ((events[k].revents & (POLLIN | POLLHUP | POLLERR)) && !p->pipe[k].ended && !read_side(p, k))
			return BROKEN;
		if (!write_side(p, k, now))
			return BROKEN;
	}
	return p->pipe[0].closed && p->pipe[1].closed ? ENDED : GO_ON;
}

static void turn(int listener, const struct sockaddr_in *to)
{
	struct pollfd events[1 + 2 * MAX_PAIRS];
	int64_t now = tool_now_ns();
	int pairs_polled = count;
	events[0] = (struct pollfd){ listener, POLLIN, 0 };
	for (int i = 0; i < count; i++)
		for (int k = 0; k < 2; k++) {
			short want = interest(&pairs[i], k, now);
			events[1 + 2 * i + k] = (struct pollfd){ want ? pairs[i].fd[k] : -1, want, 0 };
		}
	if (poll(events, 1 + 2 * (nfds_t)count, wait_ms(now)) < 0 && errno != EINTR)
		tool_die("poll: %s", strerror(errno));
	now = tool_now_ns();
	for (int i = pairs_polled - 1; i >= 0; i--) {
		enum verdict v = serve(&pairs[i], &events[1 + 2 * i], now);
		if (v != GO_ON)
			drop(i, v == BROKEN);
	}
	if (now >= next_cut) {
		cuts += (uint64_t)count;
		while (count)
			drop(count - 1, !by_fin);
		next_cut = now + cut_ns;
	}
	if (events[0].revents)
		accept_pair(listener, to);
}

static int open_listener(const char *text)
{
	struct sockaddr_in a = tool_address(text);
	socklen_t size = sizeof a;
	char ip[INET_ADDRSTRLEN];
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, (struct sockaddr *)&a, sizeof a) ||
	    listen(fd, 128) || getsockname(fd, (struct sockaddr *)&a, &size))
		tool_die("listening on %s: %s", text, strerror(errno));
	inet_ntop(AF_INET, &a.sin_addr, ip, sizeof ip);
	printf("ready tcp %s:%d cutter\n", ip, ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", 1, NULL, 't' }, { "listen", 1, NULL, 'l' }, { "cut", 1, NULL, 'c' }, { "fin", 0, NULL, 'f' },
		{ "delay", 1, NULL, 'd' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	const char *to = NULL, *listen_at = "127.0.0.1:0";
	tool_name = "cutter";
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (c) {
		case 't': to = optarg; break;
		case 'l': listen_at = optarg; break;
		case 'c': cut_ns = (int64_t)(tool_number("cut", optarg, NULL) * 1e6); break;
		case 'd': delay_ns = (int64_t)(tool_number("delay", optarg, NULL) * 1e6); break;
		case 'f': by_fin = true; break;
		case 'h': fputs(usage_text, stdout); return 0;
		default: fputs(usage_text, stderr); return 2;
		}
	if (!to || optind < argc) {
		fputs(usage_text, stderr);
		return 2;
	}
	struct sigaction action = { .sa_handler = on_signal };
	struct sockaddr_in target = tool_address(to);
	int listener = open_listener(listen_at);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	while (!stop)
		turn(listener, &target);
	printf("{\"connections\":%llu,\"cut\":%llu,\"refused\":%llu,\"bytes\":%llu}\n", (unsigned long long)total,
	       (unsigned long long)cuts, (unsigned long long)refused, (unsigned long long)carried);
	return 0;
}
