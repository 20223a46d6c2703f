/* The raw end: reads whatever comes into one buffer. Called by talk.c and by tests. */
#include "tests/lib/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"

struct raw raw;

static void raw_readable(void *ctx)
{
	ssize_t n;

	(void)ctx;
	assert_true(raw.n < sizeof raw.in - 1);
	n = stream_read(raw.stream, (uint8_t *)raw.in + raw.n, sizeof raw.in - 1 - raw.n);
	assert_true(n != ERROR_AGAIN);
	if (n > 0) {
		raw.n += (size_t)n;
		raw.in[raw.n] = '\0';
		return;
	}
	raw.eof = n == 0;
	raw.error = (int)n;
	stream_want(raw.stream, false, false);
}

static void raw_failed(void *ctx, int error)
{
	(void)ctx;
	raw.error = error;
}

static const struct stream_events raw_events = { NULL, raw_readable, NULL, raw_failed };

void raw_reset(void)
{
	raw.stream = NULL;
	raw.in[0] = '\0';
	raw.n = 0;
	raw.eof = false;
	raw.error = 0;
}

void raw_attach(struct stream *s)
{
	raw.stream = s;
	stream_attach(s, &raw_events, NULL);
	stream_want(s, true, false);
}

void raw_close(void)
{
	if (raw.stream)
		stream_close(raw.stream);
	raw.stream = NULL;
}

void raw_write(const char *s, size_t n)
{
	if (n > 0)
		assert_int_equal(stream_write(raw.stream, (const uint8_t *)s, n), n);
}

void raw_put(const char *s)
{
	raw_write(s, strlen(s));
}
