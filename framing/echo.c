/*
 * The stamp of echoed datagrams. Called by the server's echo and by the helper's
 * simulated call.
 */
#include "framing/echo.h"

#include "framing/cursor.h"

#define MAGIC UINT32_C(0x43456368)	/* "CEch" */
#define SERVED_AT 12

void echo_put(uint8_t *p, const struct echo_stamp *stamp)
{
	struct writer w;

	writer_init(&w, p, ECHO_STAMP);
	writer_u32(&w, MAGIC);
	writer_u32(&w, stamp->sequence);
	writer_u32(&w, stamp->sent_us);
	writer_u32(&w, stamp->served_us);
}

bool echo_get(const uint8_t *p, size_t n, struct echo_stamp *stamp)
{
	struct cursor c;
	uint32_t magic;

	cursor_init(&c, p, n);
	magic = cursor_u32(&c);
	stamp->sequence = cursor_u32(&c);
	stamp->sent_us = cursor_u32(&c);
	stamp->served_us = cursor_u32(&c);
	return !c.bad && magic == MAGIC;
}

void echo_serve(uint8_t *p, size_t n, uint32_t now_us)
{
	struct echo_stamp stamp;
	struct writer w;

	if (!echo_get(p, n, &stamp))
		return;
	writer_init(&w, p + SERVED_AT, ECHO_STAMP - SERVED_AT);
	writer_u32(&w, now_us);
}
