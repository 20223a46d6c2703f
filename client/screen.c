/*
 * Drawing in place by ANSI sequences. Called by `culvert status --watch`.
 */
#include "client/screen.h"

#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define HIDE "\033[?25l"
#define SHOW "\033[?25h"

static bool hidden;

/* Bytes of a line of n that fit; the later bytes of a UTF-8 character take no column. */
static int fit(const char *line, size_t n, unsigned columns)
{
	size_t i = 0;

	for (unsigned used = 0; i < n; i++) {
		if (((unsigned char)line[i] & 0xc0) == 0x80)
			continue;
		if (columns && used++ == columns)
			break;
	}
	return (int)i;
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

void screen_cut(FILE *out, const char *text, unsigned columns, unsigned lines, const char *end_of_line)
{
	unsigned all = count_lines(text), shown = lines && all > lines ? lines - 1 : all;

	for (unsigned i = 0; i < shown; i++) {
		size_t n = strcspn(text, "\n");

		fprintf(out, "%.*s%s", fit(text, n, columns), text, end_of_line);
		text += n + 1;
	}
	if (shown < all)
		fprintf(out, "%.*s%s", columns ? (int)columns : 80, "... more than fits here", end_of_line);
}

void screen_draw(FILE *terminal, const char *text)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	if (ioctl(fileno(terminal), TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	fputs(hidden ? HOME : HIDE HOME, terminal);
	hidden = true;
	/* The cursor stands on the line below, which must be there. */
	screen_cut(terminal, text, size.ws_col, size.ws_row > 1 ? size.ws_row - 1U : 1, CLEAR_LINE "\r\n");
	fputs(CLEAR_BELOW, terminal);
	fflush(terminal);
}

void screen_leave(FILE *terminal)
{
	if (hidden)
		fputs(SHOW, terminal);
	hidden = false;
	fflush(terminal);
}
