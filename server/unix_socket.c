/*
 * Unix sockets of listeners. Called by the listener; calls nothing.
 */
#include "server/unix_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path_of(const struct address *a)
{
	return ((const struct sockaddr_un *)&a->sa)->sun_path;
}

/* Does anybody listen there? A full queue is somebody's, too. */
static bool is_used(const struct address *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool used;

	if (fd < 0)
		return true;
	used = !(connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0 && errno == ECONNREFUSED);
	close(fd);
	return used;
}

/* The path is free, or was made so: 0 or errno. Only what is a socket and nobody's is removed. */
static int clear_path(const struct address *a)
{
	struct stat st;

	if (lstat(path_of(a), &st) < 0)
		return 0; /* bind says what is wrong */
	if (!S_ISSOCK(st.st_mode))
		return EEXIST;
	if (is_used(a))
		return EADDRINUSE;
	return unlink(path_of(a)) < 0 && errno != ENOENT ? errno : 0;
}

int unix_socket_bind(struct unix_socket *u, const struct address *a, mode_t mode)
{
	int fd = -1, why = clear_path(a), rc;
	struct stat st;
	mode_t mask;

	if (!why) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		mask = umask(~mode & 0777); /* so from the first moment on */
		rc = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&a->sa, a->len);
		why = rc < 0 ? errno : 0;
		umask(mask);
	}
	if (!why && lstat(path_of(a), &st) < 0)
		why = errno;
	if (why) {
		if (fd >= 0)
			close(fd);
		errno = why;
		return -1;
	}
	*u = (struct unix_socket){ st.st_dev, st.st_ino };
	return fd;
}

void unix_socket_remove(const struct unix_socket *u, const struct address *a)
{
	struct stat st;

	if (!lstat(path_of(a), &st) && S_ISSOCK(st.st_mode) && st.st_dev == u->dev && st.st_ino == u->ino)
		unlink(path_of(a));
}
