/*
 * TCP tuning. Called by stream_tcp.c for each socket, by the options of both
 * programs, and at their start.
 */
#include "tunnel/tcp_tuning.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNSENT 4096		/* bytes the kernel may hold unsent before it says "not writable" */
#define TIMEOUT_MS 30000	/* unacknowledged for so long: the connection is dead */
#define SPARSE_RTO_US 20000
#define USUAL_RTO_US 200000
#define BEST "bbr"
#define STEADY "cubic"	/* and where things are mixed */
#define NAME_MAX_SIZE 16	/* TCP_CA_NAME_MAX of the kernel */

/* include/uapi/linux/tcp.h since Linux 6.15 (commit f38805c5d26f); Debian 12 has older headers. */
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif

static char congestion_name[NAME_MAX_SIZE];
static bool sparse_on = true, any_congestion;

static void set_int(int fd, int option, int value)
{
	(void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
}

/* Tries it on a socket of its own. 0 or errno. */
static int try_congestion(const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

bool tcp_tuning_complaint(const char *name, char *why, size_t size)
{
	int error = 0;

	if (!*name || strlen(name) >= NAME_MAX_SIZE)
		snprintf(why, size, "the congestion control must be auto or the name of a congestion control, such as bbr or cubic");
	else if (strcmp(name, TCP_TUNING_AUTO) == 0 || (error = try_congestion(name)) == 0)
		return true;
	else if (error == ENOENT)
		snprintf(why, size, "this kernel has no congestion control '%s': see the sysctl "
				    "net.ipv4.tcp_available_congestion_control, and load the module tcp_%s", name, name);
	else if (error == EPERM)
		snprintf(why, size, "the kernel lets nobody but root use '%s': add it to the sysctl "
				    "net.ipv4.tcp_allowed_congestion_control", name);
	else
		snprintf(why, size, "'%s': %s", name, strerror(error));
	return false;
}

void tcp_tuning_setup(const char *name, bool sparse)
{
	any_congestion = strcmp(name, TCP_TUNING_AUTO) == 0;
	if (any_congestion)
		name = BEST;
	snprintf(congestion_name, sizeof congestion_name, "%s", any_congestion && try_congestion(name) ? "" : name);
	sparse_on = sparse;
}

const char *tcp_tuning_congestion(void)
{
	return congestion_name;
}

bool tcp_tuning_is_sparse(void)
{
	return sparse_on;
}

bool tcp_tuning_can_rto_min(void)
{
	static int known = -1;
	int us;
	socklen_t len = sizeof us;
	int fd = known < 0 ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	if (fd >= 0) {
		known = getsockopt(fd, IPPROTO_TCP, TCP_RTO_MIN_US, &us, &len) == 0;
		close(fd);
	}
	return known > 0;
}

void tcp_tuning_begin(int fd, int family)
{
	int on = 1;

	if (family != AF_INET && family != AF_INET6)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	set_int(fd, TCP_NODELAY, 1);
	set_int(fd, TCP_NOTSENT_LOWAT, UNSENT);
	set_int(fd, TCP_USER_TIMEOUT, TIMEOUT_MS);
}

static void set_congestion(int fd, const char *name)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

void tcp_tuning_far(int fd)
{
	if (congestion_name[0])
		set_congestion(fd, congestion_name);
}

void tcp_tuning_mixed(int fd, bool on)
{
	if (any_congestion && congestion_name[0])
		set_congestion(fd, on ? STEADY : congestion_name);
}

void tcp_tuning_sparse(int fd, bool on)
{
	on = on && sparse_on;
	if (tcp_tuning_can_rto_min())
		set_int(fd, TCP_RTO_MIN_US, on ? SPARSE_RTO_US : USUAL_RTO_US);
	set_int(fd, TCP_THIN_LINEAR_TIMEOUTS, on);
	if (on)
		tcp_tuning_quick_ack(fd);
}

void tcp_tuning_quick_ack(int fd)
{
	set_int(fd, TCP_QUICKACK, 1);
}
