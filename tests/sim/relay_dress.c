/* What a relay wants of each request: a word that changes, as a Digest nonce does. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/relay_internal.h"
#include "tunnel/dress.h"

struct relay_dress {
	struct dress dress;
	struct relay *relay;
	char lines[1200];
};

static unsigned word(const struct http1_head *head)
{
	struct span value = http1_find(head, "Word");
	unsigned n = 0;

	for (size_t i = 0; i < value.n && value.p[i] >= '0' && value.p[i] <= '9'; i++)
		n = 10 * n + value.p[i] - '0';
	return n;
}

static int on_request(struct dress *dress, const struct exchange_head *in, struct exchange_head *out)
{
	struct relay_dress *d = (struct relay_dress *)dress;

	*out = *in;
	snprintf(d->lines, sizeof d->lines, "%sWord: %u\r\n", in->lines, d->relay->nonce_known);
	out->lines = d->lines;
	return 0;
}

static int on_refused(struct dress *dress, const struct http1_head *head)
{
	struct relay_dress *d = (struct relay_dress *)dress;

	d->relay->nonce_known = word(head);
	return 0;
}

static void on_accepted(struct dress *dress, const struct http1_head *head)
{
	(void)dress;
	(void)head;
}

static void on_release(struct dress *dress)
{
	struct relay_dress *d = (struct relay_dress *)dress;

	loop_free_later(d->relay->loop, d);
}

static const struct dress_ops ops = { on_request, on_refused, on_accepted, on_release };

struct dress *relay_dress_new(struct relay *r)
{
	struct relay_dress *d;

	if (!r->b.nonce_uses)
		return NULL;
	d = calloc(1, sizeof *d);
	if (!d)
		abort();
	d->dress.ops = &ops;
	d->relay = r;
	return &d->dress;
}

bool relay_authorized(struct relay *r, const struct http1_head *head, char *refusal, size_t size)
{
	if (!r->b.nonce_uses)
		return true;
	if (!r->nonce || r->nonce_used == r->b.nonce_uses) {
		r->nonce++;
		r->nonce_used = 0;
	}
	if (word(head) == r->nonce) {
		r->nonce_used++;
		return true;
	}
	r->counts.unauthorized++;
	snprintf(refusal, size, "HTTP/1.1 407 Say the word\r\nWord: %u\r\nContent-Length: 5\r\n%s\r\n<no>\n", r->nonce,
		 head->chunked || !head->keep_alive || r->b.one_exchange || r->b.http10 ? "Connection: close\r\n" : "");
	return false;
}
