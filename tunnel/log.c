/*
 * Log lines on standard error, each in one write. What comes from outside may
 * be part of a message, so whatever could break a line or a terminal is
 * escaped. The only clock read here is for stamps and for the rate limit.
 */
#include "tunnel/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "framing/error.h"

#define LINE_MAX_BYTES 8192	/* a message of which every character is escaped fits */
#define MESSAGE_MAX_BYTES 1024
#define LIMIT_LINES 10
#define LIMIT_US INT64_C(10000000)

static const struct {
	const char *name;
	int priority;		/* of syslog, for the journal */
} levels[] = { { "error", 3 }, { "warn", 4 }, { "info", 6 }, { "debug", 7 } };

static enum log_level threshold = LOG_LEVEL_INFO;
static bool as_json, in_journal;

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
};

/* True when standard error is the journal's own socket. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

void log_setup(enum log_level level, bool json)
{
	threshold = level;
	as_json = json;
	in_journal = stderr_is_journal();
}

int log_parse_level(const char *s, enum log_level *level)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (strcmp(s, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return ERROR_CONFIG;
}

bool log_enabled(enum log_level level)
{
	return level <= threshold;
}

/* False: this line is over the limit of its call site. */
static bool allowed(struct log_limit *limit, unsigned *hidden)
{
	struct timespec ts;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
	if (limit->since_us == 0 || now - limit->since_us >= LIMIT_US) {
		*hidden = limit->hidden;
		*limit = (struct log_limit){ .since_us = now };
	}
	if (limit->count < LIMIT_LINES) {
		limit->count++;
		return true;
	}
	limit->hidden++;
	return false;
}

static void put(struct line *l, const char *s)
{
	size_t n = strlen(s), room = sizeof l->text - 1 - l->n;	/* one for the newline */

	if (n > room)
		n = room;
	memcpy(l->text + l->n, s, n);
	l->n += n;
}

/* Bytes of the UTF-8 character at s, 0 when it is none or a control character. */
static size_t printable(const unsigned char *s)
{
	size_t n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;

	if (*s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void put_text(struct line *l, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char out[8];

	while (*s) {
		size_t n = printable(s);

		if (n == 0) {
			snprintf(out, sizeof out, as_json ? "\\u%04x" : "\\x%02x", *s);
			n = 1;
		} else if (as_json && (*s == '"' || *s == '\\')) {
			snprintf(out, sizeof out, "\\%c", *s);
		} else {
			memcpy(out, s, n);
			out[n] = '\0';
		}
		put(l, out);
		s += n;
	}
}

static void put_time(struct line *l)
{
	char s[64];
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(s, sizeof s, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(s + n, sizeof s - n, ".%03ldZ", ts.tv_nsec / 1000000);
	put(l, s);
}

static void put_field(struct line *l, const char *name, const char *value)
{
	put(l, ",\"");
	put(l, name);
	put(l, "\":\"");
	put_text(l, value);
	put(l, "\"");
}

static void format_json(struct line *l, enum log_level level, const char *area, const char *who, const char *message,
			unsigned hidden)
{
	char s[32];

	put(l, "{\"time\":\"");
	put_time(l);
	put(l, "\"");
	put_field(l, "level", levels[level].name);
	put_field(l, "area", area);
	if (*who)
		put_field(l, "who", who);
	put_field(l, "message", message);
	snprintf(s, sizeof s, hidden ? ",\"hidden\":%u}" : "}", hidden);
	put(l, s);
}

static void format_text(struct line *l, enum log_level level, const char *area, const char *who, const char *message,
			unsigned hidden)
{
	char s[64];

	if (in_journal) {
		snprintf(s, sizeof s, "<%d>", levels[level].priority);
		put(l, s);
	} else {
		put_time(l);
		put(l, " ");
		put(l, levels[level].name);
		put(l, " ");
	}
	put(l, area);
	if (*who) {
		put(l, " ");
		put_text(l, who);
	}
	put(l, ": ");
	put_text(l, message);
	if (hidden) {
		snprintf(s, sizeof s, " (%u more like this were not shown)", hidden);
		put(l, s);
	}
}

void log_write(enum log_level level, struct log_limit *limit, const char *area, const char *who, const char *fmt, ...)
{
	char message[MESSAGE_MAX_BYTES];
	struct line l = { .n = 0 };
	unsigned hidden = 0;
	int saved = errno;
	va_list ap;

	if (!log_enabled(level) || (limit && !allowed(limit, &hidden)))
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	if (as_json)
		format_json(&l, level, area, who ? who : "", message, hidden);
	else
		format_text(&l, level, area, who ? who : "", message, hidden);
	l.text[l.n++] = '\n';
	if (write(STDERR_FILENO, l.text, l.n) < 0)
		errno = saved;	/* nobody to tell */
	errno = saved;
}
