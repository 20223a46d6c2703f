/*
 * wsecho: a WebSocket server and a client over the project's HTTP engines and codec, HTTP/1.1 and HTTP/2 (by prior
 * knowledge where there is no TLS). For interoperability with what others wrote.
 *
 *     wsecho serve [PAGE [CERT KEY]]    prints "ready tcp ADDR:PORT wsecho" and, with TLS, "ready tls ADDR:PORT wsecho"; serves the file at /
 *     wsecho ask ADDR:PORT PATH         talks to an echo server: prints what it saw; exit status 0: all as it should
 *     wsecho ask-h2 ADDR:PORT PATH      the same over HTTP/2
 *
 * Where the server is asked at: /echo says everything again; /fragments says it in pieces of 1,000 octets with pings between;
 * /ping sends a ping and says what the pong had; /close closes with the code and reason in the first text ("4001 bye"); /report
 * prints texts; /protocol/NAME agrees to the subprotocol NAME whether it was offered or not. It agrees to no extension. Prints
 * "opened PATH" with 1.1 or 2 for HTTP's version, and "closed PATH CODE REASON" when a WebSocket is over.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/tool.h"
#include "tests/tools/wspeer.h"
#include "tunnel/h2.h"
#include "tunnel/http.h"
#include "tunnel/stream_tcp.h"
#include "tunnel/stream_tls.h"

#define PIECE 1000
#define PAYLOAD "are you there?"

static struct loop *loop;
static struct tls_context *tls;	/* the server's; NULL: without */

/* ---- the server ---- */

static char page[100000];

struct visit {
	struct http *http;
	struct wspeer *peer;
	char path[100];
};

static bool is_at(const struct visit *v, const char *path)
{
	return strncmp(v->path, path, strlen(path)) == 0;
}

/* The last piece is empty. */
static void say_in_pieces(struct visit *v, enum websocket_opcode type, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += PIECE) {
		wspeer_send(v->peer, i ? WEBSOCKET_CONTINUATION : type, false, p + i, n - i < PIECE ? n - i : PIECE);
		wspeer_send(v->peer, WEBSOCKET_PING, true, "between", 7);
	}
	wspeer_send(v->peer, n ? WEBSOCKET_CONTINUATION : type, true, p, 0);
}

static void on_message(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n)
{
	struct visit *v = ctx;
	char text[200];

	if (is_at(v, "/report")) {
		printf("%.*s\n", (int)n, (const char *)p);
	} else if (is_at(v, "/fragments")) {
		say_in_pieces(v, type, p, n);
	} else if (is_at(v, "/close")) {
		snprintf(text, sizeof text, "%.*s", (int)n, (const char *)p);
		wspeer_close(v->peer, (unsigned)atoi(text), strlen(text) > 5 ? text + 5 : "");
	} else {
		wspeer_send(v->peer, type, true, p, n);
	}
}

static void on_pong(void *ctx, struct span payload)
{
	struct visit *v = ctx;

	if (is_at(v, "/ping"))
		wspeer_send(v->peer, WEBSOCKET_TEXT, true, payload.p, payload.n);
}

static void on_open(void *ctx, struct wspeer *peer)
{
	struct visit *v = ctx;

	v->peer = peer;
	if (is_at(v, "/ping"))
		wspeer_send(peer, WEBSOCKET_PING, true, PAYLOAD, strlen(PAYLOAD));
}

static void on_over(void *ctx, unsigned code, struct span reason, unsigned ours, int error)
{
	struct visit *v = ctx;

	printf("closed %s %u %.*s ours %u error %d\n", v->path, code, (int)reason.n, (const char *)reason.p, ours, error);
	free(v);
}

static const struct wspeer_events server_events = { on_open, on_message, on_pong, on_over };

static int page_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int page_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void page_event(void *ctx)
{
	(void)ctx;
}

static void page_closed(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct exchange_events page_events = { page_head, page_body, page_event, page_event, page_closed };

static void answer_page(struct exchange *x, const struct http1_head *head)
{
	size_t cap, n = http1_is(head->target, "/") ? strlen(page) : 0;
	uint8_t *p = exchange_room(x, n, &cap);

	x->events = &page_events;
	if (p)
		memcpy(p, page, n);
	exchange_send(x, &(struct exchange_head){ .status = p && n ? 200 : 404, .lines = "Content-Type: text/html; charset=utf-8\r\n" }, p ? n : 0, true);
}

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct visit *v;

	(void)ctx;
	if (!http1_is(head->protocol, "websocket")) {
		answer_page(x, head);
		return;
	}
	v = tool_calloc(1, sizeof *v);
	snprintf(v->path, sizeof v->path, "%.*s", (int)head->target.n, (const char *)head->target.p);
	printf("opened %s %s\n", v->path, head->h2 ? "2" : "1.1");
	wspeer_agree(loop, x, head, is_at(v, "/protocol/") ? v->path + strlen("/protocol/") : NULL, &server_events, v);
}

static void on_closed(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct http_events http_events = { .request = on_request, .closed = on_closed };

struct handshake {
	struct stream *stream;
};

static void on_shaken(void *ctx)
{
	struct handshake *h = ctx;

	http_server(loop, h->stream, &http_limits_default, &http_events, NULL);
	free(h);
}

static void on_shaken_not(void *ctx, int error)
{
	struct handshake *h = ctx;

	printf("TLS failed: %d %s\n", error, stream_tls_reason(h->stream));
	stream_close(h->stream);
	free(h);
}

static const struct stream_events shaking = { on_shaken, page_event, page_event, on_shaken_not };

struct door {
	struct io io;
	int fd;
	bool tls;
};

static void accept_one(void *ctx, bool readable, bool writable)
{
	struct door *d = ctx;
	int fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct handshake *h;
	struct stream *s;

	(void)readable, (void)writable;
	if (fd < 0)
		return;
	s = stream_tcp_adopt(loop, fd, NULL, NULL);
	if (!d->tls) {
		http_server(loop, s, &http_limits_default, &http_events, NULL);
		return;
	}
	h = tool_calloc(1, sizeof *h);
	h->stream = stream_tls_server(loop, tls, s, &shaking, h);
}

static void open_door(struct door *d, bool with_tls)
{
	struct sockaddr_in at = tool_address("127.0.0.1:0");
	socklen_t len = sizeof at;

	d->tls = with_tls;
	d->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(d->fd, (struct sockaddr *)&at, sizeof at) || listen(d->fd, 64) || getsockname(d->fd, (struct sockaddr *)&at, &len))
		tool_die("cannot listen: %s", strerror(errno));
	io_init(&d->io, loop, d->fd, accept_one, d);
	io_want(&d->io, true, false);
	printf("ready %s 127.0.0.1:%u wsecho\n", with_tls ? "tls" : "tcp", ntohs(at.sin_port));
}

static void read_page(const char *name)
{
	FILE *f = fopen(name, "r");

	if (!f || fread(page, 1, sizeof page - 1, f) == 0)
		tool_die("cannot read %s", name);
	fclose(f);
}

static int serve(const char *file, const char *cert, const char *key)
{
	static struct door clear, covered;
	char error[300];

	if (file)
		read_page(file);
	if (cert) {
		tls = tls_context_server(cert, key, HTTP_ALPN_2 "," HTTP_ALPN_11, error, sizeof error);
		if (!tls)
			tool_die("%s", error);
		open_door(&covered, true);
	}
	open_door(&clear, false);
	loop_run(loop);
	return 0;
}

/* ---- the client: one message after the other, each of which must come back ---- */

static uint8_t large[300000];

static const struct {
	const char *name;
	enum websocket_opcode type;
	const void *p;
	size_t n, piece;	/* sent in such pieces; 0: whole */
} says[] = {
	{ "empty", WEBSOCKET_TEXT, "", 0, 0 },
	{ "text", WEBSOCKET_TEXT, "Gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x98\x80", 12, 0 },
	{ "binary", WEBSOCKET_BINARY, "\0\xff\x80 octets", 10, 0 },
	{ "125", WEBSOCKET_BINARY, large, 125, 0 },
	{ "126", WEBSOCKET_BINARY, large, 126, 0 },
	{ "65535", WEBSOCKET_BINARY, large, 65535, 0 },
	{ "65536", WEBSOCKET_BINARY, large, 65536, 0 },
	{ "300000", WEBSOCKET_BINARY, large, 300000, 0 },
	{ "fragments", WEBSOCKET_BINARY, large, 5000, 499 },
	{ "text in fragments of one octet", WEBSOCKET_TEXT, "\xf0\x9f\x98\x80 split", 10, 1 },
};

static struct asking {
	struct wspeer *peer;
	const char *host, *path;
	size_t at;		/* the message that is to come back */
	unsigned pongs;
	bool h2;
	int status;
} asking = { .status = 1 };

static void say_next(void)
{
	const uint8_t *p;
	size_t n, piece, i = 0;

	if (asking.at == sizeof says / sizeof *says) {
		wspeer_close(asking.peer, 4000, "that is all");
		return;
	}
	p = says[asking.at].p;
	n = says[asking.at].n;
	piece = says[asking.at].piece ? says[asking.at].piece : n;
	do {
		wspeer_send(asking.peer, i ? WEBSOCKET_CONTINUATION : says[asking.at].type, i + piece >= n, p + i, n - i < piece ? n - i : piece);
		if (piece < n)
			wspeer_send(asking.peer, WEBSOCKET_PING, true, PAYLOAD, strlen(PAYLOAD));
		i += piece;
	} while (i < n);
}

static void on_answer_open(void *ctx, struct wspeer *peer)
{
	(void)ctx;
	asking.peer = peer;
	say_next();
}

static void on_echo(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n)
{
	bool same = type == says[asking.at].type && n == says[asking.at].n && memcmp(p, says[asking.at].p, n) == 0;

	(void)ctx;
	printf("%s %s\n", same ? "ok" : "FAIL", says[asking.at].name);
	if (same) {
		asking.at++;
		say_next();
	} else {
		wspeer_close(asking.peer, 4002, "that is another one");
	}
}

static void on_answer_pong(void *ctx, struct span payload)
{
	(void)ctx;
	asking.pongs += payload.n == strlen(PAYLOAD) && memcmp(payload.p, PAYLOAD, payload.n) == 0;
}

static void on_answer_over(void *ctx, unsigned code, struct span reason, unsigned ours, int error)
{
	(void)ctx;
	printf("closed %u %.*s ours %u error %d pongs %u\n", code, (int)reason.n, (const char *)reason.p, ours, error, asking.pongs);
	if (asking.at == sizeof says / sizeof *says && code == 4000 && error == 0 && asking.pongs == 11 + 10)
		asking.status = 0;
	loop_break(loop);
}

static const struct wspeer_events client_events = { on_answer_open, on_echo, on_answer_pong, on_answer_over };

static const struct http_events client_http = { .idle = page_event, .closed = on_closed };

static void on_connected(void *ctx)
{
	struct stream **s = ctx;
	struct http *http = asking.h2 ? h2_client(loop, *s, &client_http, NULL) : http_client(loop, *s, &client_http, NULL);
	struct exchange *x = http_exchange(http, &page_events, NULL);

	wspeer_ask(loop, x, asking.host, asking.path, NULL, &client_events, NULL);
}

static void on_refused(void *ctx, int error)
{
	(void)ctx;
	tool_die("cannot connect: %d", error);
}

static const struct stream_events connecting = { on_connected, page_event, page_event, on_refused };

static void too_long(void *ctx)
{
	(void)ctx;
	tool_die("nothing came back");
}

static int ask(const char *where, const char *path, bool h2)
{
	struct sockaddr_in at = tool_address(where);
	struct stream *stream;
	struct timer timer;

	for (size_t i = 0; i < sizeof large; i++)
		large[i] = (uint8_t)(i * 31 + i / 256);
	asking.host = where;
	asking.path = path;
	asking.h2 = h2;
	timer_init(&timer, loop, too_long, NULL);
	timer_in(&timer, 20 * LOOP_SECOND);
	stream = stream_tcp_connect(loop, (struct sockaddr *)&at, sizeof at, &connecting, &stream);
	loop_run(loop);
	return asking.status;
}

int main(int argc, char **argv)
{
	tool_name = "wsecho";
	setvbuf(stdout, NULL, _IOLBF, 0);
	loop = loop_new();
	if (argc >= 2 && argc <= 5 && argc != 4 && strcmp(argv[1], "serve") == 0)
		return serve(argc > 2 ? argv[2] : NULL, argc == 5 ? argv[3] : NULL, argc == 5 ? argv[4] : NULL);
	if (argc == 4 && (strcmp(argv[1], "ask") == 0 || strcmp(argv[1], "ask-h2") == 0))
		return ask(argv[2], argv[3], argv[1][3]);
	tool_die("usage: wsecho serve [PAGE [CERT KEY]] | wsecho ask[-h2] ADDR:PORT PATH");
}
