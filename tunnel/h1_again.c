/*
 * A request that a proxy refused with 407: when its dress knows better now, and the
 * connection stays, it is sent again, with the body that still lies in the output
 * buffer. Whoever began the exchange sees nothing of it. Streamed requests cannot be
 * repeated: they fail, and are begun anew by their owner. So is what was refused because the proxy
 * has too many connections of ours, which it cannot say before there is a request.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h1_internal.h"
#include "tunnel/log.h"

#define REPEATS_MAX 4		/* others use a word up meanwhile; what is wrong is the dress's to know */

/* The texts that a head points to live only for the call that sends it. */
void h1_keep_request(struct h1 *h, const struct exchange_head *head, size_t body)
{
	const char *const text[] = { head->method, head->target, head->host, head->lines };
	size_t need = 0, at = 0;

	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		need += strlen(text[i]) + 1;
	if (need > h->kept_cap) {
		h->kept = realloc(h->kept, need);
		if (!h->kept)
			abort();
		h->kept_cap = need;
	}
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		size_t n = strlen(text[i]) + 1;

		memcpy(h->kept + at, text[i], n);
		at += n;
	}
	h->kept_body = body;
	h->repeatable = !head->streamed;
	h->repeats = 0;
}

int h1_look_at_answer(struct h1 *h, const struct http1_head *head)
{
	int rc;

	if (head->status == 503 && h->events->crowded && h->events->crowded(h->http.ctx))
		return ERROR_AGAIN;
	if (head->status != 407) {
		h->dress->ops->accepted(h->dress, head);
		return 0;
	}
	rc = h->dress->ops->refused(h->dress, head);
	if (rc < 0)
		return rc;
	if (h->repeats >= REPEATS_MAX)
		return ERROR_PROXY_AUTH;
	if (!h->repeatable || !h->keep)
		return ERROR_AGAIN;	/* on a new connection it may go */
	h->repeats++;
	h->again = true;
	return 0;
}

int h1_repeat(struct h1 *h)
{
	struct exchange_head head = { .method = h->kept };

	head.target = head.method + strlen(head.method) + 1;
	head.host = head.target + strlen(head.target) + 1;
	head.lines = head.host + strlen(head.host) + 1;
	log_debug("http", "", "the proxy wants credentials: the request goes again with them");
	h->again = h->refused = false;
	h1_in(h, COURSE_NONE);
	return h1_output_again(h, &head, h->kept_body);
}
