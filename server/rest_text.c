/*
 * The bodies of answers. Used by what formats them: rest_json.c, rest_records.c and rest_problem.c.
 */
#include "server/rest_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/base64.h"

#define PRINT_MAX 1024

uint8_t *rest_text_room(struct rest_text *t, size_t n)
{
	if (t->n + n > t->cap) {
		t->cap = (t->n + n) * 2;
		t->p = realloc(t->p, t->cap);
		if (!t->p)
			abort();
	}
	t->n += n;
	return t->p + t->n - n;
}

void rest_text_put(struct rest_text *t, const void *p, size_t n)
{
	if (n)
		memcpy(rest_text_room(t, n), p, n);
}

void rest_text_print(struct rest_text *t, const char *fmt, ...)
{
	char text[PRINT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0)
		rest_text_put(t, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void rest_text_string(struct rest_text *t, const uint8_t *p, size_t n)
{
	size_t from = 0;

	rest_text_put(t, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		if (p[i] >= ' ' && p[i] != '"' && p[i] != '\\' && p[i] != 0x7f)
			continue;
		rest_text_put(t, p + from, i - from);
		if (p[i] == '"' || p[i] == '\\')
			rest_text_print(t, "\\%c", p[i]);
		else
			rest_text_print(t, "\\u%04x", p[i]);
		from = i + 1;
	}
	rest_text_put(t, p + from, n - from);
	rest_text_put(t, "\"", 1);
}

void rest_text_base64(struct rest_text *t, const uint8_t *p, size_t n)
{
	uint8_t *out = rest_text_room(t, base64_len(n, false) + 1);

	base64_encode((char *)out, p, n, false);
	t->n--;		/* the NUL */
}

void rest_text_fini(struct rest_text *t)
{
	free(t->p);
	*t = (struct rest_text){ 0 };
}
