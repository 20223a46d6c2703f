/*
 * Answers that go on as events (the HTML standard's event stream, which browsers' EventSource reads). Called by rest_stream.c.
 */
#include <inttypes.h>
#include <string.h>

#include "server/rest_stream.h"

#define RETRY_MS 1000	/* browsers ask again after that */

static void begin(struct rest_text *t, const struct rest_answer *a)
{
	(void)a;
	rest_text_put(t, ":", 1);
	memset(rest_text_room(t, REST_STREAM_PRELUDE), ' ', REST_STREAM_PRELUDE);
	rest_text_print(t, "\nretry: %d\n\n", RETRY_MS);
}

static void mark(struct rest_text *t, unsigned n, int64_t ms)
{
	rest_text_print(t, "event: mark\ndata: {\"n\":%u,\"ms\":%" PRId64 "}\n\n", n, ms);
}

/* A line feed begins a new line of data, which the reader puts together again. */
static void put_lines(struct rest_text *t, const uint8_t *p, size_t n)
{
	for (;;) {
		const uint8_t *feed = n ? memchr(p, '\n', n) : NULL;
		size_t line = feed ? (size_t)(feed - p) : n;

		rest_text_put(t, "data: ", 6);
		rest_text_put(t, p, line);
		rest_text_put(t, "\n", 1);
		if (!feed)
			return;
		p += line + 1;
		n -= line + 1;
	}
}

/* A carriage return would be read as a line feed: such a text goes as a string of JSON. */
static void put_text(struct rest_text *t, const struct rest_message *m)
{
	bool plain = !m->n || !memchr(m->p, '\r', m->n);

	rest_text_print(t, "event: %s\n", plain ? "text" : "json");
	if (plain) {
		put_lines(t, m->p, m->n);
		return;
	}
	rest_text_put(t, "data: ", 6);
	rest_text_string(t, m->p, m->n);
	rest_text_put(t, "\n", 1);
}

static void message(struct rest_text *t, const struct rest_message *m)
{
	rest_text_print(t, "id: %" PRIu64 "\n", m->number);
	switch (m->type) {
	case REST_TEXT:
		put_text(t, m);
		break;
	case REST_BINARY:
		rest_text_print(t, "event: binary\ndata: ");
		rest_text_base64(t, m->p, m->n);
		rest_text_put(t, "\n", 1);
		break;
	default:
		rest_text_print(t, "event: close\ndata: [%u,", m->code);
		rest_text_string(t, m->p, m->n);
		rest_text_print(t, "]\n");
		break;
	}
	rest_text_put(t, "\n", 1);
}

static void keepalive(struct rest_text *t)
{
	rest_text_print(t, ":\n\n");
}

/* Without an id: the browser's Last-Event-ID stays that of the last message. */
static void end(struct rest_text *t, const char *why)
{
	rest_text_print(t, "event: end\ndata: %s\n\n", why);
}

const struct rest_stream_form rest_sse_form = { "sse", "text/event-stream", begin, NULL, mark, message, keepalive, end };
