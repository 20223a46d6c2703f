/* Sockets that refuse and swallow connections. Called by the tests of dial and happy. */
#include "tests/lib/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

int sockets_bound(const char *host, struct address *a)
{
	int fd;

	assert_true(address_literal(host, 0, a));
	fd = socket(a->sa.ss_family, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a->sa, a->len), 0);
	assert_int_equal(address_of_socket(fd, a), 0);
	return fd;
}

void sockets_hole(struct address *a, int fds[SOCKETS_HOLE])
{
	fds[0] = sockets_bound("127.0.0.1", a);
	assert_int_equal(listen(fds[0], 0), 0);
	for (int i = 1; i < SOCKETS_HOLE; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], (struct sockaddr *)&a->sa, a->len);
	}
}

void sockets_close(int fds[SOCKETS_HOLE])
{
	for (int i = 0; i < SOCKETS_HOLE; i++)
		close(fds[i]);
}
