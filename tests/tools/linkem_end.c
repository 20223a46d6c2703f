/* The two ends of the link: network namespaces and TUN devices with an IPv4 address. Called by linkem.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tools/linkem.h"
#include "tests/tools/tool.h"

#define DEVICE_QUEUE 4000 /* packets the kernel holds for us */

static int run(const char *const *argv)
{
	int status = -1;
	pid_t pid = fork();
	if (pid < 0)
		tool_die("fork: %s", strerror(errno));
	if (pid == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void linkem_end_make_ns(struct linkem_end *e)
{
	char path[256];
	const char *argv[] = { "ip", "netns", "add", e->ns, NULL };
	snprintf(path, sizeof path, "/run/netns/%s", e->ns);
	if (!strcmp(e->ns, "-") || !access(path, F_OK))
		return;
	if (run(argv))
		tool_die("network namespace %s cannot be made: this needs root, or a user namespace with a /run of its own (unshare -rnm)", e->ns);
	e->made = true;
}

static void configure(int s, const char *device, unsigned long request, struct ifreq *r, const char *what)
{
	snprintf(r->ifr_name, IFNAMSIZ, "%s", device);
	if (ioctl(s, request, r))
		tool_die("%s: %s: %s", device, what, strerror(errno));
}

static void set_up(int s, const char *device)
{
	struct ifreq r = { 0 };
	configure(s, device, SIOCGIFFLAGS, &r, "flags");
	r.ifr_flags |= IFF_UP;
	configure(s, device, SIOCSIFFLAGS, &r, "up");
}

static void set_address(int s, const struct linkem_end *e)
{
	char ip[64];
	int bits = 24;
	struct ifreq r = { 0 };
	struct sockaddr_in a = { .sin_family = AF_INET };
	snprintf(ip, sizeof ip, "%s", e->address);
	char *slash = strchr(ip, '/');
	if (slash) {
		*slash = 0;
		bits = atoi(slash + 1);
	}
	if (bits < 1 || bits > 32 || inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		tool_die("not an IPv4 address and prefix: %s", e->address);
	memcpy(&r.ifr_addr, &a, sizeof a);
	configure(s, e->device, SIOCSIFADDR, &r, "address");
	a.sin_addr.s_addr = htonl(~0U << (32 - bits));
	memcpy(&r.ifr_addr, &a, sizeof a);
	configure(s, e->device, SIOCSIFNETMASK, &r, "mask");
}

/* Router solicitations would only disturb the counters. Best effort. */
static void no_ipv6(const char *device)
{
	char path[256];
	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", device);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		fprintf(stderr, "linkem: %s: IPv6 left on\n", device);
	close(fd);
}

void linkem_end_open(struct linkem_end *e, int mtu)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	tool_enter_ns(e->ns);
	e->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (e->fd < 0)
		tool_die("/dev/net/tun: %s (emulating a link needs it)", strerror(errno));
	configure(e->fd, e->device, TUNSETIFF, &r, "making the TUN device");
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		tool_die("socket: %s", strerror(errno));
	no_ipv6(e->device);
	r.ifr_mtu = mtu;
	configure(s, e->device, SIOCSIFMTU, &r, "mtu");
	r.ifr_qlen = DEVICE_QUEUE;
	ioctl(s, SIOCSIFTXQLEN, &r); /* best effort: refused in a user namespace */
	set_address(s, e);
	set_up(s, "lo");
	set_up(s, e->device);
	close(s);
	tool_enter_ns(NULL);
}

void linkem_end_close(struct linkem_end *e)
{
	const char *argv[] = { "ip", "netns", "del", e->ns, NULL };
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
	if (e->made && run(argv))
		fprintf(stderr, "linkem: network namespace %s left behind\n", e->ns);
	e->made = false;
}

/* From the device's line of /proc/net/dev: 8 fields of receiving, then bytes, packets, errors, drops of sending. */
uint64_t linkem_end_drops(const struct linkem_end *e)
{
	char line[512];
	uint64_t drops = 0;
	tool_enter_ns(e->ns);
	FILE *f = fopen("/proc/thread-self/net/dev", "re");
	while (f && fgets(line, sizeof line, f)) {
		char *name = line + strspn(line, " "), *s = strchr(line, ':');
		if (!s)
			continue;
		*s++ = 0;
		if (strcmp(name, e->device))
			continue;
		for (int i = 0; i < 12; i++)
			drops = strtoull(s, &s, 10);
	}
	if (f)
		fclose(f);
	tool_enter_ns(NULL);
	return drops;
}
