/*
 * Log: lines on standard error with level, area and fields; text (with a time
 * stamp unless under systemd's journal, then with <N> priority) or one JSON
 * object per line. Never payload, never secrets. Rate-limited per call site
 * where the peer can cause it.
 */
#ifndef TUNNEL_LOG_H
#define TUNNEL_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* State of one rate-limited call site: at most 10 lines per 10 s, then a count. */
struct log_limit {
	int64_t since_us;
	unsigned count, hidden;
};

void log_setup(enum log_level, bool json);
/* "error", "warn", "info", "debug": 0 or ERROR_CONFIG. */
int log_parse_level(const char *, enum log_level *);
bool log_enabled(enum log_level);
/* area: a short word ("session", "dial"); who: which one ("", or a short id). */
void log_write(enum log_level, struct log_limit *, const char *area, const char *who, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

#define log_error(area, who, ...) log_write(LOG_LEVEL_ERROR, NULL, area, who, __VA_ARGS__)
#define log_warn(area, who, ...) log_write(LOG_LEVEL_WARN, NULL, area, who, __VA_ARGS__)
#define log_info(area, who, ...) log_write(LOG_LEVEL_INFO, NULL, area, who, __VA_ARGS__)
#define log_debug(area, who, ...) \
	do { if (log_enabled(LOG_LEVEL_DEBUG)) log_write(LOG_LEVEL_DEBUG, NULL, area, who, __VA_ARGS__); } while (0)
/* For what a peer can cause as often as it likes. */
#define log_limited(level, area, who, ...) \
	do { static struct log_limit limit_; log_write(level, &limit_, area, who, __VA_ARGS__); } while (0)

#endif
