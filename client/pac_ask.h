/*
 * Asking a PAC file which proxies lead to the server: found, fetched and evaluated in
 * child processes.
 */
#ifndef CLIENT_PAC_ASK_H
#define CLIENT_PAC_ASK_H

#include "client/proxy.h"
#include "tunnel/loop.h"
#include "tunnel/resolve.h"

struct pac_ask;

struct pac_ask_config {
	struct loop *loop;
	struct resolver *resolver;	/* for names that the script wants */
	const char *pac;		/* URL, name of a file, or "wpad" */
	const char *cafile, *cadir;	/* trusted besides the system's certificates; NULL: none */
	const char *url, *host;		/* of the server, as browsers would tell the script: "https://host/" */
	int64_t until_us;		/* then it is over */
};

/* done: once, never from within pac_ask_*. where: what was fetched, for people. list: NULL, and why not, as the end of a sentence
 * that begins with the file. A list has no from yet. */
struct pac_ask *pac_ask_start(const struct pac_ask_config *,
			      void (*done)(void *ctx, struct proxy_list *, const char *where, const char *why), void *ctx);
void pac_ask_free(struct pac_ask *);	/* NULL is fine */

#endif
