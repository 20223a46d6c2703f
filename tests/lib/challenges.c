/* Answers of proxies for tests of auth, made by hand. */
#include "tests/lib/challenges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct span span_of(const char *s, size_t n)
{
	return (struct span){ (const uint8_t *)s, n };
}

void challenges_head(struct http1_head *head, int status, const char *const *values)
{
	memset(head, 0, sizeof *head);
	head->status = status;
	head->minor = 1;
	head->keep_alive = true;
	for (; *values; values++) {
		const char *colon = strstr(*values, ": ");
		struct http1_header *h = &head->header[head->count++];

		if (colon && strncmp(*values, "Proxy-Auth", 10) == 0)
			*h = (struct http1_header){ span_of(*values, (size_t)(colon - *values)), span_of(colon + 2, strlen(colon + 2)) };
		else
			*h = (struct http1_header){ span_of("Proxy-Authenticate", 18), span_of(*values, strlen(*values)) };
	}
}

static void on_ready(void *ctx)
{
	struct talker *t = ctx;

	t->ready++;
}

void talker_begin(struct talker *t, struct auth *a)
{
	memset(t, 0, sizeof *t);
	t->dialogue = auth_begin(a, on_ready, t);
}

void talker_end(struct talker *t)
{
	auth_end(t->dialogue);
	t->dialogue = NULL;
}

ssize_t talker_line_for(struct talker *t, const char *method, const char *uri)
{
	t->n = auth_line(t->dialogue, method, uri, t->line, sizeof t->line);
	if (t->n >= 0)
		assert_int_equal(t->n, strlen(t->line));
	if (t->n > 0) {
		assert_memory_equal(t->line, "Proxy-Authorization: ", 21);
		assert_string_equal(t->line + t->n - 2, "\r\n");
		assert_ptr_equal(strpbrk(t->line, "\r\n"), t->line + t->n - 2);
	}
	return t->n;
}

ssize_t talker_line(struct talker *t)
{
	return talker_line_for(t, "CONNECT", "calls.example:443");
}

int talker_challenged(struct talker *t, bool *on_new, const char *const *values)
{
	struct http1_head head;
	bool ignored;

	challenges_head(&head, 407, values);
	return auth_challenged(t->dialogue, &head, on_new ? on_new : &ignored);
}

void talker_accepted(struct talker *t)
{
	struct http1_head head;

	challenges_head(&head, 200, (const char *const[]){ NULL });
	auth_accepted(t->dialogue, &head);
}

void talker_has(const struct talker *t, const char *text)
{
	if (!strstr(t->line, text))
		fail_msg("no %s in: %s", text, t->line);
}

const char *talker_value(const struct talker *t, const char *name)
{
	static char out[1024];
	char key[64];
	const char *at;

	snprintf(key, sizeof key, "%s=", name);
	at = strstr(t->line, key);
	if (!at)
		fail_msg("no %s in: %s", name, t->line);
	at += strlen(key);
	if (*at == '"')
		snprintf(out, sizeof out, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
	else
		snprintf(out, sizeof out, "%.*s", (int)strcspn(at, ",\r"), at);
	return out;
}
