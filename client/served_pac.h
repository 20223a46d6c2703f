/*
 * The proxy.pac that the helper's HTTP proxy serves: which hosts go through it (a script after Netscape's "Proxy Auto-Config" format).
 */
#ifndef CLIENT_SERVED_PAC_H
#define CLIENT_SERVED_PAC_H

#include <stdbool.h>
#include <stddef.h>

#define SERVED_PAC_HOSTS_MAX 256
#define SERVED_PAC_TYPE "application/x-ns-proxy-autoconfig"

struct served_pac {
	const char *const *host; /* "*.example.org" (and example.org itself), "example.org", "192.0.2.7" */
	size_t n;		/* 0: all hosts */
	const char *otherwise;	/* what the others get: "DIRECT", "PROXY proxy.example:3128" */
};

/* Can it be written? error: why not. */
bool served_pac_check(const struct served_pac *, char *error, size_t size);
/* The script for a proxy at that address ("127.0.0.1:3128"); for free. */
char *served_pac_text(const struct served_pac *, const char *proxy);

#endif
