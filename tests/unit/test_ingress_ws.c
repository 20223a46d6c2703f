/* links: client/ingress_ws.c client/ingress_ws_head.c client/ingress_listener.c client/ingress.c tunnel/message_end.c tunnel/channel_queue.c tunnel/websocket_key.c tunnel/http.c tunnel/h2*.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/address.c tunnel/stream_tcp.c tunnel/tcp_tuning.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/websocket.c framing/mask.c framing/utf8.c framing/base64.c framing/capsule.c framing/cursor.c framing/varint.c framing/error.c tests/lib/rig.c tests/lib/turns.c */
/* libs: -lev -lhttp_parser -lnghttp2 -lwslay -lcrypto */
/* WebSocket ingress over real sockets and fake channels: answers, subprotocols, refusals, waiting for a session, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "tests/lib/rig.h"
#include "tunnel/channel.h"

#define CHANNELS 4
#define ROOM 4096
#define ASK(more) "GET /any HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"

/* ---- fakes ---- */

const struct ingress_kind ingress_udp = { .scheme = "udp" }, ingress_tcp = { .scheme = "tcp" };
const struct ingress_kind ingress_socks = { .scheme = "socks5", .any = true }, ingress_http = { .scheme = "http", .any = true };

struct channel {
	const struct endpoint_ops *ops;
	void *ctx;
	struct channel_params params;
	char protocols[100];
	uint8_t buf[ROOM];
	unsigned in, finished, resumed, closed;
	uint64_t code;
};

static struct channel channels[CHANNELS];
static unsigned opened, limit;

struct channel *channel_open(struct session *s, const struct channel_params *params, const struct endpoint_ops *ops, void *ctx)
{
	struct channel *ch = &channels[opened];

	assert_ptr_equal(s, rig_session());
	assert_int_equal(params->kind, KIND_MESSAGE);
	assert_string_equal(params->service, "sig");
	if (opened == limit)
		return NULL;
	opened++;
	*ch = (struct channel){ .ops = ops, .ctx = ctx };
	snprintf(ch->protocols, sizeof ch->protocols, "%s", params->protocols ? params->protocols : "");
	return ch;
}

const struct channel_params *channel_params(const struct channel *ch)
{
	return &ch->params;
}

uint8_t *channel_reserve(struct channel *ch, size_t *n)
{
	*n = ROOM - ch->in;
	return ch->buf + ch->in;
}

void channel_commit(struct channel *ch, size_t n)
{
	ch->in += (unsigned)n;
}

void channel_finish(struct channel *ch)
{
	ch->finished++;
}

void channel_resume(struct channel *ch)
{
	ch->resumed++;
}

void channel_close(struct channel *ch, uint64_t code, const char *reason)
{
	(void)reason;
	assert_non_null(ch->ops);
	ch->ops = NULL;
	ch->closed++;
	ch->code = code;
}

uint64_t channel_id(const struct channel *ch)
{
	return (uint64_t)(ch - channels);
}

static void end_channel(unsigned i, uint64_t code, const char *reason)
{
	const struct endpoint_ops *ops = channels[i].ops;

	channels[i].ops = NULL;
	ops->closed(channels[i].ctx, code, reason);
}

static int setup(void **state)
{
	(void)state;
	memset(channels, 0, sizeof channels);
	opened = 0;
	limit = CHANNELS;
	rig_set_up(NULL, 3);
	rig_open(&ingress_ws, rig_bind(&ingress_ws, "127.0.0.1"), "sig", 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < opened; i++)
		if (channels[i].ops)
			end_channel(i, CODE_SESSION_LOST, "");
	rig_tear_down();
	return 0;
}

static int dial(const char *request)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&rig.local.sa, rig.local.len), 0);
	assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	return fd;
}

static char said[4096];

/* What is there within some turns; the count, 0 at the end, < 0 when it was reset. */
static ssize_t hear(int fd)
{
	ssize_t n = -EAGAIN;

	for (unsigned i = 0; i < 400 && n == -EAGAIN; i++) {
		rig_run_turns(1);
		n = recv(fd, said, sizeof said - 1, MSG_DONTWAIT);
		n = n < 0 ? -errno : n;
	}
	said[n > 0 ? n : 0] = 0;
	return n;
}

static int dial_open(void)
{
	int fd = dial(ASK(""));

	rig_run_until(&opened, 1);
	channels[0].ops->opened(channels[0].ctx);
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, "HTTP/1.1 101 ", 13);
	return fd;
}

static void answered_when_opened(void **state)
{
	int fd = dial(ASK("Sec-WebSocket-Protocol: a, b\r\n"));

	(void)state;
	rig_run_until(&opened, 1);
	assert_string_equal(channels[0].protocols, "a,b");
	rig_run_turns(20);
	assert_int_equal(recv(fd, said, sizeof said, MSG_DONTWAIT), -1);	/* not before */
	channels[0].params.protocol = "b";
	channels[0].ops->opened(channels[0].ctx);
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, "HTTP/1.1 101 ", 13);
	assert_non_null(strstr(said, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_non_null(strstr(said, "\r\nSec-WebSocket-Protocol: b\r\n"));
	assert_non_null(strstr(said, "\r\nUpgrade: websocket\r\n"));
	close(fd);
}

/* The operator's own choice is nothing to a client that did not ask. */
static void a_subprotocol_that_nobody_asked_for(void **state)
{
	int fd = dial(ASK(""));

	(void)state;
	rig_run_until(&opened, 1);
	channels[0].params.protocol = "ours";
	channels[0].ops->opened(channels[0].ctx);
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, "HTTP/1.1 101 ", 13);
	assert_null(strstr(said, "Sec-WebSocket-Protocol"));
	close(fd);
}

static void messages_both_ways(void **state)
{
	int fd = dial_open();

	(void)state;
	assert_int_equal(send(fd, "\x81\x82\1\2\3\4ik", 8, 0), 8);	/* "hi", masked */
	rig_run_until(&channels[0].in, 4);
	assert_memory_equal(channels[0].buf, "\x81\2hi", 4);
	assert_int_equal(channels[0].ops->bytes(channels[0].ctx, (const uint8_t *)"\x82\2yo", 4), 4);
	assert_int_equal(hear(fd), 4);
	assert_memory_equal(said, "\x82\2yo", 4);
	assert_int_equal(send(fd, "\x89\x80\1\2\3\4", 6, 0), 6);	/* ping */
	assert_int_equal(hear(fd), 2);
	assert_memory_equal(said, "\x8a\0", 2);
	assert_int_equal(channels[0].in, 4);
	close(fd);
	rig_run_until(&channels[0].closed, 1);
	assert_int_equal(channels[0].code, CODE_LOCAL_RESET);
}

static void closes(void **state)
{
	int fd = dial_open();

	(void)state;
	assert_int_equal(send(fd, "\x88\x82\0\0\0\0\x0f\xa1", 8, 0), 8);	/* 4001 */
	rig_run_until(&channels[0].finished, 1);
	assert_memory_equal(channels[0].buf, "\x88\2\x0f\xa1", 4);
	assert_int_equal(channels[0].ops->bytes(channels[0].ctx, (const uint8_t *)"\x88\2\x0f\xa1", 4), 4);
	channels[0].ops->finish(channels[0].ctx);
	assert_int_equal(hear(fd), 4);
	assert_memory_equal(said, "\x88\2\x0f\xa1", 4);
	assert_int_equal(hear(fd), 0);
	assert_int_equal(channels[0].closed, 0);
	assert_int_equal(rig.ingress->flows, 1);	/* until all is acknowledged */
	end_channel(0, CODE_NONE, "");
	rig_run_turns(2);
	assert_int_equal(rig.ingress->flows, 0);
	close(fd);
}

static void cut_without_close(void **state)
{
	int fd = dial_open();

	(void)state;
	end_channel(0, CODE_LOCAL_RESET, "the target is gone");
	assert_true(hear(fd) <= 0);
	rig_run_turns(2);
	assert_int_equal(rig.ingress->flows, 0);
	close(fd);
}

static void refused_by(uint64_t code, const char *reason, const char *status)
{
	unsigned i = opened;
	int fd = dial(ASK(""));

	rig_run_until(&opened, i + 1);
	end_channel(i, code, reason);
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, status, strlen(status));
	assert_non_null(strstr(said, *reason ? reason : "\r\n\r\n"));
	close(fd);
	rig_run_turns(5);
}

static void refused(void **state)
{
	(void)state;
	refused_by(CODE_CONNECT_REFUSED, "nobody there", "HTTP/1.1 502 ");
	refused_by(CODE_TIMEOUT, "no answer", "HTTP/1.1 504 ");
	refused_by(CODE_LIMIT, "too many", "HTTP/1.1 503 ");
	refused_by(CODE_SESSION_LOST, "", "HTTP/1.1 503 ");
	assert_int_equal(rig.warnings, 4);
	assert_int_equal(rig.ingress->flows, 0);
}

static void no_channel_left(void **state)
{
	int fd;

	(void)state;
	limit = 0;
	fd = dial(ASK(""));
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, "HTTP/1.1 503 ", 13);
	close(fd);
}

static void wrong_requests(void **state)
{
	int fd = dial("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");

	(void)state;
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, "HTTP/1.1 426 ", 13);
	close(fd);
	fd = dial(ASK("Origin: https://evil.example\r\n"));
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, "HTTP/1.1 403 ", 13);
	close(fd);
	fd = dial("nonsense\r\n\r\n");
	assert_true(hear(fd) > 0);
	assert_memory_equal(said, "HTTP/1.1 400 ", 13);
	close(fd);
	assert_int_equal(opened, 0);
}

static void waits_for_a_session(void **state)
{
	int fd;

	(void)state;
	rig.session_open = false;
	fd = dial(ASK(""));
	rig_run_turns(20);
	assert_int_equal(opened, 0);
	rig.session_open = true;
	ingress_ws.welcome(rig.ingress);
	assert_int_equal(opened, 1);
	close(fd);	/* it does not wait for the answer, which is when that shows */
	channels[0].ops->opened(channels[0].ctx);
	rig_run_until(&channels[0].closed, 1);
	assert_int_equal(channels[0].code, CODE_LOCAL_RESET);
}

static void closed_port(void **state)
{
	int fd = dial_open(), waits;

	(void)state;
	rig.session_open = false;
	waits = dial(ASK(""));
	rig_run_turns(20);
	end_channel(0, CODE_SESSION_LOST, "");
	rig_close();
	assert_true(hear(fd) <= 0);
	assert_true(hear(waits) <= 0);
	close(fd);
	close(waits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answered_when_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(a_subprotocol_that_nobody_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(closes, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_without_close, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(no_channel_left, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_a_session, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_port, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
