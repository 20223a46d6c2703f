/*
 * The UDP sockets of both sides, with buffers large enough that what is lost
 * was lost by the tunnel. Called by main.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/rtpload.h"
#include "tests/tools/tool.h"

static int open_udp(const char *ns)
{
	tool_enter_ns(ns);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tool_enter_ns(NULL);
	if (fd < 0)
		tool_die("socket: %s", strerror(errno));
	int receive = 8 << 20, send = 1 << 20;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
	return fd;
}

int rtpload_socket_sink(const char *ns, struct sockaddr_in *address)
{
	int fd = open_udp(ns);
	socklen_t length = sizeof *address;
	if (bind(fd, (struct sockaddr *)address, sizeof *address))
		tool_die("binding the sink: %s", strerror(errno));
	if (getsockname(fd, (struct sockaddr *)address, &length))
		tool_die("getsockname: %s", strerror(errno));
	return fd;
}

int rtpload_socket_connected(const char *ns, const struct sockaddr_in *to)
{
	int fd = open_udp(ns);
	if (connect(fd, (const struct sockaddr *)to, sizeof *to))
		tool_die("connecting to --dest: %s", strerror(errno));
	return fd;
}

uint64_t rtpload_socket_drops(int fd)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof mem;
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &length))
		return 0;
	return mem[SK_MEMINFO_DROPS];
}
