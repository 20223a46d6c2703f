/*
 * What the measuring tools share. These are programs for one run on a test
 * machine: an error of set-up ends them at once, with a message.
 */
#include "tests/tools/tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *tool_name = "tool";

void tool_die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "%s: ", tool_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void *tool_calloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		tool_die("out of memory");
	return p;
}

int64_t tool_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * TOOL_NSEC + t.tv_nsec;
}

void tool_sleep_until(int64_t at_ns)
{
	struct timespec t = { at_ns / TOOL_NSEC, at_ns % TOOL_NSEC };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

double tool_number(const char *option, const char *value, char **rest)
{
	char *end;
	double x = strtod(value, &end);
	if (end == value || x < 0 || !isfinite(x) || (!rest && *end))
		tool_die("bad value for %s: %s", option, value);
	if (rest)
		*rest = end;
	return x;
}

int tool_count(const char *option, const char *value)
{
	double x = tool_number(option, value, NULL);
	if (x > 1e9)
		tool_die("too large for %s: %s", option, value);
	return (int)x;
}

struct sockaddr_in tool_address(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	char host[64];
	const char *colon = strrchr(text, ':');
	if (!colon || (size_t)(colon - text) >= sizeof host)
		tool_die("not ADDR:PORT: %s", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = 0;
	int port = tool_count("a port", colon + 1);
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || port > 65535)
		tool_die("not an IPv4 address and port: %s", text);
	a.sin_port = htons((uint16_t)port);
	return a;
}

void tool_enter_ns(const char *name)
{
	static int own = -1;
	if (own < 0)
		own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		tool_die("/proc/self/ns/net: %s", strerror(errno));
	if (!name || !strcmp(name, "-")) {
		if (setns(own, CLONE_NEWNET) && errno != EPERM) /* unprivileged: never left it */
			tool_die("setns: %s", strerror(errno));
		return;
	}
	char path[256];
	snprintf(path, sizeof path, "/run/netns/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		tool_die("network namespace %s: %s", name, strerror(errno));
	if (setns(fd, CLONE_NEWNET))
		tool_die("entering network namespace %s: %s", name, strerror(errno));
	close(fd);
}
