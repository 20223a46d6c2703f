/*
 * Sockets of systemd. Called once, by the server as it starts.
 */
#include "server/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/error.h"

#define FIRST 3			/* SD_LISTEN_FDS_START */

static bool taken;		/* some were, for the life of the process */

/* A decimal number without anything around it; -1: there is none. */
static long number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long v;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	v = strtol(text, &end, 10);
	return *end || errno ? -1 : v;
}

bool activation_is(void)
{
	return taken || (number("LISTEN_PID") == (long)getpid() && number("LISTEN_FDS") > 0);
}

static bool manner_get(const char *name, size_t n, struct connections_manner *m)
{
	static const char suffix[] = "-proxy-protocol";
	size_t len = sizeof suffix - 1;

	m->proxy_protocol = n > len && !memcmp(name + n - len, suffix, len);
	if (m->proxy_protocol)
		n -= len;
	for (m->kind = CONNECTIONS_HTTPS; m->kind <= CONNECTIONS_CLEAR; m->kind++) {
		const char *kind = connections_kind_name(m->kind);

		if (strlen(kind) == n && !memcmp(kind, name, n))
			return true;
	}
	return false;
}

static int option_of(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

/* Why it cannot be used; NULL: it can. */
static const char *complaint(const struct activation_socket *s)
{
	int family = s->address.sa.ss_family;

	if (s->address.len == 0)
		return "it is no socket";
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return "it is neither of IP nor a Unix socket";
	if (option_of(s->fd, SO_TYPE) != SOCK_STREAM)
		return "it is not a stream: ListenStream= makes one";
	if (option_of(s->fd, SO_ACCEPTCONN) != 1)
		return "it does not listen: Accept= must be no";
	return NULL;
}

static int take_one(struct activation_socket *s, int fd, const char *name, size_t n, char *error, size_t size)
{
	const char *why;

	s->fd = fd;
	(void)address_of_socket(fd, &s->address);
	why = complaint(s);
	if (why) {
		snprintf(error, size, "the socket '%.*s' (descriptor %d) that systemd hands over cannot be used: %s", (int)n, name, fd,
			 why);
		return ERROR_CONFIG;
	}
	if (!manner_get(name, n, &s->manner)) {
		snprintf(error, size,
			 "what the socket '%.*s' that systemd hands over is for must be told by its unit: FileDescriptorName=https, http "
			 "or clear, each also with -proxy-protocol behind it", (int)n, name);
		return ERROR_CONFIG;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return 0;
}

int activation_take(struct activation *a, char *error, size_t size)
{
	long count = activation_is() ? number("LISTEN_FDS") : 0; /* -1: they were taken before */
	const char *given = getenv("LISTEN_FDNAMES");
	char *names = strdup(given ? given : ""), *name = names;
	int rc = 0;

	if (!names)
		abort();
	memset(a, 0, sizeof *a);
	if (count > ACTIVATION_MAX) {
		snprintf(error, size, "systemd hands over %ld sockets; at most %d can be used", count, ACTIVATION_MAX);
		rc = ERROR_CONFIG;
	}
	for (long i = 0; i < count && rc == 0; i++) {
		size_t n = strcspn(name, ":");

		rc = take_one(&a->socket[i], FIRST + (int)i, name, n, error, size);
		name += n + (name[n] == ':');
		a->n++;
	}
	taken = a->n > 0;
	free(names);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return rc;
}
