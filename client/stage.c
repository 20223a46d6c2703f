/*
 * Input and output of the stages: unbuffered calls only, for in the sandbox there is
 * nothing else.
 */
#include "client/stage.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char input[4096];
static size_t at, end;

static bool fill(void)
{
	ssize_t n;

	if (at < end)
		return true;
	do
		n = read(STDIN_FILENO, input, sizeof input);
	while (n < 0 && errno == EINTR);
	at = 0;
	end = n > 0 ? (size_t)n : 0;
	return n > 0;
}

bool stage_line(char *out, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && fill()) {
		char c = input[at++];

		if (c == '\n') {
			out[n] = 0;
			return true;
		}
		out[n++] = c;
	}
	return false;
}

bool stage_bytes(void *out, size_t n)
{
	char *p = out;

	while (n > 0 && fill()) {
		size_t some = end - at < n ? end - at : n;

		memcpy(p, input + at, some);
		at += some;
		p += some;
		n -= some;
	}
	return n == 0;
}

const char *stage_value(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

void stage_write(const void *p, size_t n)
{
	const char *s = p;

	while (n > 0) {
		ssize_t some = write(STDOUT_FILENO, s, n);

		if (some < 0 && errno == EINTR)
			continue;
		if (some <= 0)
			_exit(1);
		s += some;
		n -= (size_t)some;
	}
}

void stage_say(const char *fmt, ...)
{
	char line[8192];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	line[n++] = '\n';
	stage_write(line, n);
}

void *stage_library(const char *name)
{
	void *library = dlopen(name, RTLD_NOW);

	if (!library)
		stage_say("no %s is not installed", name);
	return library;
}

void *stage_symbol(void *library, const char *name)
{
	void *symbol = dlsym(library, name);

	if (!symbol) {
		stage_say("no the library has no %s", name);
		_exit(1);
	}
	return symbol;
}
