/* Local UDP ports of turnclient and tlspipe. */
#include "tests/tools/udpport.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/tools/tool.h"

static int open_udp(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), size = 4 << 20;
	if (fd < 0)
		tool_die("socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	return fd;
}

int udpport_bound(const struct sockaddr_in *at)
{
	int fd = open_udp();
	if (bind(fd, (const struct sockaddr *)at, sizeof *at))
		tool_die("binding UDP port %d: %s", ntohs(at->sin_port), strerror(errno));
	return fd;
}

int udpport_connected(const struct sockaddr_in *to)
{
	int fd = open_udp();
	if (connect(fd, (const struct sockaddr *)to, sizeof *to))
		tool_die("connecting to UDP port %d: %s", ntohs(to->sin_port), strerror(errno));
	return fd;
}

int udpport_read(int fd, struct udpport_batch *b)
{
	struct mmsghdr message[UDPPORT_BATCH];
	struct iovec vector[UDPPORT_BATCH];
	for (int i = 0; i < UDPPORT_BATCH; i++) {
		vector[i] = (struct iovec){ b->data[i], UDPPORT_SIZE };
		message[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &b->from[i], .msg_namelen = sizeof b->from[i],
							    .msg_iov = &vector[i], .msg_iovlen = 1 } };
	}
	b->n = recvmmsg(fd, message, UDPPORT_BATCH, MSG_DONTWAIT, NULL);
	if (b->n < 0)
		b->n = 0;
	for (int i = 0; i < b->n; i++)
		b->size[i] = message[i].msg_len;
	return b->n;
}
