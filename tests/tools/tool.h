/* What the measuring tools share: fatal errors, time, numbers, network namespaces. */
#ifndef TESTS_TOOLS_TOOL_H
#define TESTS_TOOLS_TOOL_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define TOOL_NSEC INT64_C(1000000000)

/* Prefix of messages; set it first. */
extern const char *tool_name;

/* Prints a message and exits with status 1. */
_Noreturn void tool_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed memory; never NULL. */
void *tool_calloc(size_t n, size_t size);
/* CLOCK_MONOTONIC in ns; comparable between namespaces. */
int64_t tool_now_ns(void);
/* Sleeps until that time, signals or not. */
void tool_sleep_until(int64_t at_ns);
/* A number >= 0; dies naming the option. rest: where it ended (NULL: must be the end). */
double tool_number(const char *option, const char *value, char **rest);
int tool_count(const char *option, const char *value);
/* "ADDR:PORT" of IPv4. */
struct sockaddr_in tool_address(const char *text);
/* Moves the calling thread into a named network namespace; NULL and "-" are the one it began in. */
void tool_enter_ns(const char *name);

#endif
