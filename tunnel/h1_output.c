/*
 * The output of an HTTP/1.1 connection, and the four functions through which
 * carriers and the router use an exchange. The body is filled in behind
 * headroom, so that the head and the chunk header go right in front of it and
 * everything leaves in one write. What the stream does not take at once stays
 * where it is until the stream is writable; there is no room meanwhile.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h1_internal.h"
#include "tunnel/list.h"

#define BIG_CHUNK_HEAD 7	/* "14040\r\n" */
#define DRESSED_HEAD_MAX (EXCHANGE_HEAD_MAX + 16384) /* with what a proxy wants: tickets are long */
#define LONG_HEAD_MAX (HTTP1_HEAD_MAX + 4096) /* one that is passed on, with what is added */
#define AROUND_LINES 320	/* bytes of a head besides the texts that are given */
#define UPGRADE_MAX 160	/* bytes of the lines that an engine adds */
#define LAST_CHUNK "\r\n0\r\n\r\n" /* the end of a chunk, and the last one */
#define TRAILER (sizeof LAST_CHUNK - 1)

static_assert(EXCHANGE_ROOM_INNER <= 0xfffff, "five hexadecimal digits");
static_assert(BIG_CHUNK_HEAD == HTTP1_CHUNK_HEAD + 1, "one digit more");

static void reserve(struct h1 *h, size_t room)
{
	h->output = realloc(h->output, h->headroom + room + TRAILER);
	if (!h->output)
		abort();
	h->room = room;
}

void h1_output_init(struct h1 *h)
{
	h->head_max = h->dress ? DRESSED_HEAD_MAX : EXCHANGE_HEAD_MAX;
	h->headroom = h->head_max + BIG_CHUNK_HEAD;
	reserve(h, EXCHANGE_ROOM);
}

/* Makes place for a head that is longer than ours are; the n bytes of body move along. */
static void widen(struct h1 *h, const struct exchange_head *head, size_t n)
{
	size_t need = AROUND_LINES + strlen(head->lines), by;

	if (head->method)
		need += strlen(head->method) + strlen(head->target) + strlen(head->host);
	if (need <= h->head_max || h->head_max >= LONG_HEAD_MAX)
		return;
	by = LONG_HEAD_MAX - h->head_max;
	h->head_max += by;
	h->headroom += by;
	reserve(h, h->room);
	memmove(h->output + h->headroom, h->output + h->headroom - by, n);
}

int h1_output_flush(struct h1 *h)
{
	while (h->out_len > 0) {
		ssize_t n = stream_write(h->http.stream, h->output + h->out_pos, h->out_len);

		if (n == ERROR_AGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		h->out_pos += (size_t)n;
		h->out_len -= (size_t)n;
		course_said(&h->course, (size_t)n, loop_now(h->loop));
	}
	return 0;
}

/* Heads, written at the start of the buffer: bytes, or ERROR_LIMIT. */

/* Behind a head that lies at the start of the buffer: the lines that ask for another protocol or agree to it. The length of both. */
static ssize_t put_upgrade(struct h1 *h, const struct exchange_head *head, ssize_t head_n)
{
	int n;

	if (head_n < 0)
		return head_n;
	n = snprintf((char *)h->output + head_n - 2, UPGRADE_MAX, "Connection: Upgrade\r\nUpgrade: %s\r\n\r\n", head->protocol);
	return n < UPGRADE_MAX ? head_n - 2 + n : ERROR_LIMIT;
}

static ssize_t put_request(struct h1 *h, const struct exchange_head *plain, size_t n)
{
	enum http1_framing framing = HTTP1_LENGTH;
	struct exchange_head dressed;
	const struct exchange_head *head = plain;
	int rc = h->dress ? h->dress->ops->request(h->dress, plain, &dressed) : 0;
	bool connect, is_head;
	ssize_t head_n;

	if (rc < 0)
		return rc;
	if (h->dress)
		head = &dressed;
	connect = strcmp(head->method, "CONNECT") == 0;
	is_head = strcmp(head->method, "HEAD") == 0;
	if (head->streamed)
		framing = head->length ? HTTP1_LENGTH : HTTP1_CHUNKED;
	else if (n == 0 && (connect || is_head || strcmp(head->method, "GET") == 0))
		framing = HTTP1_NO_BODY;
	assert(!head->protocol || (head->streamed && n == 0));	/* it begins with the answer */
	if (head->protocol)
		framing = HTTP1_NO_BODY;
	h->chunked = framing == HTTP1_CHUNKED;
	h->asked = head->protocol;
	http1_next(h->parser, is_head, connect);
	head_n = http1_request_put(h->output, h->head_max - UPGRADE_MAX, head->method, head->target, head->host, head->lines,
				   framing, head->streamed ? head->length : n);
	return head->protocol ? put_upgrade(h, head, head_n) : head_n;
}

/* How the body of an answer ends, if it has one. */
static enum http1_framing answer_framing(const struct h1 *h, const struct exchange_head *head)
{
	if (head->protocol || head->status == 204 || (head->status == 304 && !head->length))
		return HTTP1_NO_BODY;
	if (!head->streamed || head->length)
		return HTTP1_LENGTH;
	return h->old ? HTTP1_UNTIL_CLOSE : HTTP1_CHUNKED;
}

static ssize_t put_response(struct h1 *h, const struct exchange_head *head, size_t n)
{
	static const char stays[] = "Connection: keep-alive\r\n\r\n";
	enum http1_framing framing = answer_framing(h, head);
	ssize_t head_n;

	if (head->protocol && !h->asked)
		return ERROR_UNSUPPORTED;
	if (head->status == 204 || head->status == 304)
		h->bodyless = true;
	h->chunked = framing == HTTP1_CHUNKED && !h->bodyless;
	if (framing == HTTP1_UNTIL_CLOSE || h->draining)
		h->keep = false;
	head_n = http1_response_put(h->output, h->head_max - UPGRADE_MAX, head->status, head->lines, framing,
				    head->streamed ? head->length : n, h->keep || head->protocol);
	if (head->protocol) {
		h1_switch(h);	/* bytes follow as they are */
		return put_upgrade(h, head, head_n);
	}
	if (head_n > 0 && h->resumed && h->keep) {
		memcpy(h->output + head_n - 2, stays, sizeof stays - 1);
		head_n += (ssize_t)sizeof stays - 3;
	}
	return head_n;
}

/* Writes a chunk header that ends at p: its length. */
static size_t put_chunk_head(uint8_t *p, size_t n)
{
	char big[BIG_CHUNK_HEAD + 1];

	if (n <= HTTP1_CHUNK_MAX) {
		http1_chunk_head(p - HTTP1_CHUNK_HEAD, n);
		return HTTP1_CHUNK_HEAD;
	}
	snprintf(big, sizeof big, "%05x\r\n", (unsigned)n);
	memcpy(p - BIG_CHUNK_HEAD, big, BIG_CHUNK_HEAD);
	return BIG_CHUNK_HEAD;
}

/* Puts the pieces around n body bytes together; head_n bytes of head lie at the start of the buffer. */
static void assemble(struct h1 *h, size_t head_n, size_t n, bool end)
{
	const char *tail = LAST_CHUNK;
	size_t tail_n = h->chunked ? (n ? 2 : 0) + (end ? 5 : 0) : 0;

	if (h->out_len == 0) {
		h->out_pos = h->headroom;
		h->out_len = n;
		if (h->chunked && n > 0) {
			size_t chunk = put_chunk_head(h->output + h->headroom, n);

			h->out_pos -= chunk;
			h->out_len += chunk;
		}
		memmove(h->output + h->out_pos - head_n, h->output, head_n);
		h->out_pos -= head_n;
		h->out_len += head_n;
	}
	if (n == 0)
		tail += 2;
	memcpy(h->output + h->out_pos + h->out_len, tail, tail_n);
	h->out_len += tail_n;
}

/* The functions of an exchange */

static struct h1 *h1_of(struct exchange *x)
{
	return list_entry(x, struct h1, x);
}

static uint8_t *output_room(struct exchange *x, size_t want, size_t *cap)
{
	struct h1 *h = h1_of(x);

	assert(want <= EXCHANGE_ROOM_INNER);
	if (h->state != H1_BUSY || h->messages.out == COURSE_COMPLETE || h->out_len > 0 || h->write_error)
		return NULL;
	if (want > h->room || !h->output)
		reserve(h, want > EXCHANGE_ROOM ? want : EXCHANGE_ROOM);
	*cap = h->room;
	return h->output + h->headroom;
}

/* Interest changed outside our events: they would have recomputed it on their way out. */
static void touched(struct h1 *h)
{
	if (h->depth == 0)
		h1_interest(h);
}

/* "100 Continue"; those who speak HTTP/1.0 know none. */
static int send_interim(struct h1 *h, int status)
{
	char text[64];
	int n = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\n\r\n", status, http1_reason(status)), rc;

	assert(h->messages.out == COURSE_NONE && h->out_len == 0);
	if (h->old)
		return 0;
	memcpy(h->output + h->headroom, text, (size_t)n);
	h->out_pos = h->headroom;
	h->out_len = (size_t)n;
	rc = h1_output_flush(h);
	if (rc != 0)
		h->role->write_failed(h, rc);
	touched(h);
	return rc;
}

static int output_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	struct h1 *h = h1_of(x);
	bool server = h->role->parses == HTTP1_REQUESTS;
	ssize_t head_n = 0;
	int rc;

	if (h->state != H1_BUSY)
		return h->state == H1_CLOSING && h->error ? h->error : ERROR_CLOSED;
	if (h->write_error)
		return h->write_error;
	if (!h->output)
		reserve(h, EXCHANGE_ROOM);
	if (head && head->status == 100)
		return send_interim(h, head->status);
	assert(h->messages.out == (head ? COURSE_NONE : COURSE_OPEN) && n <= h->room && ((n == 0 && !head) || h->out_len == 0));
	assert(!head || head->streamed || end);
	if (head) {
		widen(h, head, n);
		head_n = server ? put_response(h, head, n) : put_request(h, head, n);
	}
	if (head_n < 0) {
		h1_fail(h, (int)head_n);
		return (int)head_n;
	}
	if (head && h->dress)
		h1_keep_request(h, head, n);
	assemble(h, (size_t)head_n, h->bodyless ? 0 : n, end);
	/* Of a request for another protocol nothing can follow until that is agreed to. */
	course_out(&h->course, &h->messages, end || (h->asked && !server) ? COURSE_COMPLETE : COURSE_OPEN);
	if (server && h->asked) {	/* an ordinary answer: so was the request, which has ended */
		h->asked = false;
		loop_later(h->loop, &h->later);
	}
	rc = h1_output_flush(h);
	if (rc != 0)
		h->role->write_failed(h, rc);
	else if (end)
		loop_later(h->loop, &h->later);
	touched(h);
	return rc;
}

int h1_output_again(struct h1 *h, const struct exchange_head *head, size_t n)
{
	ssize_t head_n = put_request(h, head, n);

	if (head_n < 0)
		return (int)head_n;
	assemble(h, (size_t)head_n, n, true);
	return h1_output_flush(h);
}

static void output_pause(struct exchange *x, bool on)
{
	struct h1 *h = h1_of(x);

	if (h->state != H1_BUSY || h->paused == on)
		return;
	h->paused = on;
	course_excuse(&h->course, loop_now(h->loop));
	if (!on)
		loop_later(h->loop, &h->later);
	touched(h);
}

static void output_abort(struct exchange *x)
{
	struct h1 *h = h1_of(x);

	x->events = NULL;
	if (h->state != H1_BUSY)
		return;
	if (h->messages.in == COURSE_COMPLETE && h->messages.out == COURSE_COMPLETE)
		loop_later(h->loop, &h->later);
	else
		h1_fail(h, ERROR_CLOSED);
}

static void output_sparse(struct exchange *x, bool on)
{
	struct h1 *h = h1_of(x);

	if (h->state == H1_BUSY && h->sparse != on)
		h1_sparse(h, on);
}

static void output_rest(struct exchange *x)
{
	struct h1 *h = h1_of(x);

	if (h->dress)
		return;		/* what may be sent again stays */
	h->resting = true;
	if (h->depth == 0)
		h1_rest(h);
}

const struct exchange_ops h1_output_ops = { output_room, output_send, output_pause, output_abort, output_sparse, output_rest };
