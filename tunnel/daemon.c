/*
 * Daemon chores that both programs need around their loop.
 */
#include "tunnel/daemon.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char text[512];
	struct timespec ts;
	size_t n = path ? strlen(path) : 0;
	int fd, len;

	if (n < 2 || n >= sizeof sa.sun_path || (*path != '/' && *path != '@'))
		return;
	memcpy(sa.sun_path, path, n);
	if (*path == '@')	/* an abstract name */
		sa.sun_path[0] = '\0';
	len = snprintf(text, sizeof text, "%s", state);
	if (strncmp(state, "RELOADING=1", 11) == 0) {	/* systemd wants to know when */
		clock_gettime(CLOCK_MONOTONIC, &ts);
		len = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%lld", state,
			       (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	}
	if (len >= (int)sizeof text)
		len = sizeof text - 1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, text, (size_t)len, MSG_NOSIGNAL, (struct sockaddr *)&sa,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

void daemon_ready_line(const char *kind, const char *address, const char *name)
{
	printf("ready %s %s%s%s\n", kind, address, name && *name ? " " : "", name ? name : "");
	fflush(stdout);
}

void daemon_protect(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);	/* also for cores that a handler would be piped whatever the limit */
}

void daemon_setup(void)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

void daemon_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}
