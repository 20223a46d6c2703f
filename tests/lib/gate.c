/* The scripted chain. Called by the tests of the dialler's hops. */
#include "tests/lib/gate.h"

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

struct gate gate;

static void close_it(struct gate_connection *c)
{
	if (c->stream)
		stream_close(c->stream);
	c->stream = NULL;
}

static const struct stream_events events;

/* Takes the first n bytes as heard, and answers. */
static void hear(struct gate_connection *c, size_t n)
{
	const struct gate_step *s = c->step++;
	char *heard = gate.heard[gate.n_heard % GATE_HEARD];

	gate.n_heard++;
	memcpy(heard, c->in, n);
	heard[n] = 0;
	c->got -= n;
	memmove(c->in, c->in + n, c->got);
	c->out = s->reply;
	c->left = s->reply ? s->n ? s->n : strlen(s->reply) : 0;
}

/* False: there is more to be said. */
static bool say(struct gate_connection *c)
{
	ssize_t n = c->left ? stream_write(c->stream, (const uint8_t *)c->out, c->left) : 0;

	if (n > 0) {
		c->out += n;
		c->left -= (size_t)n;
	}
	return c->left == 0;
}

/* One step, if it can be done. */
static bool go_on(struct gate_connection *c)
{
	char *end;

	switch (c->step->kind) {
	case GATE_HEAD:
		c->in[c->got] = 0;
		end = strstr(c->in, "\r\n\r\n");
		if (end)
			hear(c, (size_t)(end + 4 - c->in));
		return end != NULL;
	case GATE_BYTES:
		if (c->got < c->step->want)
			return false;
		hear(c, c->step->want);
		return true;
	case GATE_TLS:
		assert_int_equal(c->got, 0);
		c->step++;
		c->shaking = true;
		c->stream = stream_tls_server(gate.loop, gate.tls, c->stream, &events, c);
		return false;
	case GATE_ECHO:
		if (c->got)
			stream_write(c->stream, (const uint8_t *)c->in, c->got);
		c->got = 0;
		return false;
	case GATE_CLOSE:
		close_it(c);
		return false;
	default:
		return false;
	}
}

static void go(struct gate_connection *c)
{
	bool said = true;

	while (c->stream && !c->shaking && (said = say(c)) && go_on(c))
		;
	if (c->stream && !c->shaking)
		stream_want(c->stream, true, !said);
}

static void on_ready(void *ctx)
{
	struct gate_connection *c = ctx;

	c->shaking = false;
	go(c);
}

static void on_readable(void *ctx)
{
	struct gate_connection *c = ctx;
	ssize_t n = stream_read(c->stream, (uint8_t *)c->in + c->got, sizeof c->in - 1 - c->got);

	if (n == ERROR_AGAIN)
		return;
	if (n <= 0) {
		close_it(c);
		return;
	}
	c->got += (size_t)n;
	go(c);
}

static void on_writable(void *ctx)
{
	go(ctx);
}

static void on_failed(void *ctx, int error)
{
	(void)error;
	close_it(ctx);
}

static const struct stream_events events = { on_ready, on_readable, on_writable, on_failed };

static void on_accept(void *ctx, bool readable, bool writable)
{
	int fd = accept(gate.fd, NULL, NULL);
	unsigned i = gate.accepted++ % GATE_CONNECTIONS;
	struct gate_connection *c = &gate.connection[i];

	(void)ctx;
	(void)readable;
	(void)writable;
	assert_true(fd >= 0);
	close_it(c);
	while (i > 0 && !gate.script[i])
		i--;
	c->step = gate.script[i];
	c->got = c->left = 0;
	c->shaking = false;
	c->stream = stream_tcp_adopt(gate.loop, fd, &events, c);
	go(c);
}

void gate_open(struct loop *loop, struct tls_context *tls)
{
	memset(&gate, 0, sizeof gate);
	gate.loop = loop;
	gate.tls = tls;
	assert_true(address_literal("127.0.0.1", 0, &gate.address));
	gate.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(gate.fd, (struct sockaddr *)&gate.address.sa, gate.address.len), 0);
	assert_int_equal(listen(gate.fd, 16), 0);
	assert_int_equal(address_of_socket(gate.fd, &gate.address), 0);
	io_init(&gate.io, loop, gate.fd, on_accept, NULL);
	io_want(&gate.io, true, false);
}

void gate_again(const struct gate_step *script)
{
	for (int i = 0; i < GATE_CONNECTIONS; i++)
		close_it(&gate.connection[i]);
	gate.accepted = gate.n_heard = 0;
	memset(gate.heard, 0, sizeof gate.heard);
	if (script) {
		memset(gate.script, 0, sizeof gate.script);
		gate.script[0] = script;
	}
}

void gate_shut(void)
{
	gate_again(NULL);
	io_stop(&gate.io);
	close(gate.fd);
}
