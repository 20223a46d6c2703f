/* Servers that answer when told. */
#include "tests/lib/peers.h"

#include <assert.h>
#include <string.h>

#include "tests/lib/stream_mem.h"

struct peer peers[PEERS_MAX];
unsigned peers_made, peers_open;

static int ignore_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void on_over(void *ctx, int error)
{
	struct peer *p = ctx;

	(void)error;
	p->x = NULL;
}

static const struct exchange_events exchange_events = { NULL, ignore_body, ignore, ignore, on_over };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct peer *p = ctx;

	(void)head;
	x->events = &exchange_events;
	x->ctx = p;
	p->x = x;
}

static void on_closed(void *ctx, int error)
{
	struct peer *p = ctx;

	(void)error;
	p->h = NULL;
	peers_open--;
}

static const struct http_events events = { .request = on_request, .closed = on_closed };

struct stream *peers_connect(struct loop *loop)
{
	struct stream *near, *far;
	struct peer *p = &peers[peers_made++];

	assert(peers_made <= PEERS_MAX);
	stream_mem_pair(loop, &near, &far, NULL);
	peers_open++;
	p->h = h1_server(loop, far, &http_limits_default, &events, p);
	return near;
}

void peers_answer(struct peer *p)
{
	static const struct exchange_head head = { .status = 200, .lines = "" };
	static const struct exchange_head last = { .status = 200, .lines = "Connection: close\r\n" };

	if (p->x)
		exchange_send(p->x, p->old ? &last : &head, 0, true);
}

void peers_close(void)
{
	for (unsigned i = 0; i < peers_made; i++)
		if (peers[i].h)
			http_close(peers[i].h);
}

void peers_forget(void)
{
	memset(peers, 0, sizeof peers);
	peers_made = peers_open = 0;
}
