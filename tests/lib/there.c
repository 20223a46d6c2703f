/* The scripted proxy and server. Called by caller.c and by the tests of the dialler. */
#include "tests/lib/there.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/stream_tcp.h"
#include "tunnel/stream_tls.h"

struct there there;

static void peer_close(struct peer *p)
{
	timer_stop(&p->timer);
	if (p->stream)
		stream_close(p->stream);
	p->stream = NULL;
}

static void tls_ready(void *ctx)
{
	((struct peer *)ctx)->tls = true;
}

static void tls_readable(void *ctx)
{
	struct peer *p = ctx;
	uint8_t buf[256];
	ssize_t n = stream_read(p->stream, buf, sizeof buf);

	if (n > 0)
		stream_write(p->stream, buf, (size_t)n); /* echo */
	else if (n != ERROR_AGAIN)
		peer_close(p);
}

static void peer_failed(void *ctx, int error)
{
	(void)error;
	peer_close(ctx);
}

static const struct stream_events tls_events = { tls_ready, tls_readable, NULL, peer_failed };

static void peer_tls(struct peer *p)
{
	if (there.no_tls)
		return;
	p->stream = stream_tls_server(there.loop, there.tls_context, p->stream, &tls_events, p);
	stream_want(p->stream, true, false);
}

/* Whether the reply is one behind which the tunnel stands. */
static bool opens(const char *reply)
{
	return strstr(reply, " 200") && !strncmp(reply, "HTTP/1.", 7);
}

static void peer_reply(void *ctx)
{
	struct peer *p = ctx;
	size_t left = strlen(there.reply) - p->sent, n = there.drip && left ? 1 : left;

	if (!p->stream)
		return;
	if (n)
		assert_int_equal(stream_write(p->stream, (const uint8_t *)there.reply + p->sent, n), (ssize_t)n);
	p->sent += n;
	if (n < left) {
		timer_in(&p->timer, LOOP_MS);
	} else if (there.hang_up_then) {
		peer_close(p);
	} else if (opens(there.reply)) {
		stream_want(p->stream, false, false);
		peer_tls(p);
	}
}

static void peer_readable(void *ctx)
{
	struct peer *p = ctx;
	ssize_t n = stream_read(p->stream, (uint8_t *)p->head + p->got, sizeof p->head - 1 - p->got);

	if (n <= 0) {
		if (n != ERROR_AGAIN)
			peer_close(p);
		return;
	}
	p->got += (size_t)n;
	if (strstr(p->head, "\r\n\r\n"))
		peer_reply(p);
}

static const struct stream_events peer_events = { NULL, peer_readable, NULL, peer_failed };

static void on_accept(void *ctx, bool readable, bool writable)
{
	int fd = accept(there.fd, NULL, NULL);
	struct peer *p = &there.peers[there.accepted++ % THERE_PEERS];

	(void)ctx;
	(void)readable;
	(void)writable;
	assert_true(fd >= 0);
	memset(p, 0, sizeof *p);
	timer_init(&p->timer, there.loop, peer_reply, p);
	p->stream = stream_tcp_adopt(there.loop, fd, &peer_events, p);
	if (there.hang_up)
		peer_close(p);
	else if (there.reply)
		stream_want(p->stream, true, false);
	else
		peer_tls(p);
}

void there_listen(struct loop *loop, struct tls_context *tls, const char *host)
{
	memset(&there, 0, sizeof there);
	there.loop = loop;
	there.tls_context = tls;
	assert_true(address_literal(host, 0, &there.address));
	there.fd = socket(there.address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(there.fd, (struct sockaddr *)&there.address.sa, there.address.len), 0);
	assert_int_equal(listen(there.fd, 16), 0);
	assert_int_equal(address_of_socket(there.fd, &there.address), 0);
	io_init(&there.io, there.loop, there.fd, on_accept, NULL);
	io_want(&there.io, true, false);
}

void there_stop(void)
{
	io_stop(&there.io);
	close(there.fd);
}

void there_close_peers(void)
{
	for (int i = 0; i < THERE_PEERS; i++)
		peer_close(&there.peers[i]);
}
