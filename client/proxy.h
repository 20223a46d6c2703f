/*
 * Proxies as people and systems name them: one proxy, a chain of them (first hop
 * first), and candidates in the order in which they are to be tried.
 */
#ifndef CLIENT_PROXY_H
#define CLIENT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_HOPS_MAX 4
#define PROXY_CANDIDATES_MAX 8
#define PROXY_USER_MAX 256	/* with NUL */
#define PROXY_PASSWORD_MAX 512

enum proxy_kind {
	PROXY_HTTP,	/* CONNECT, or requests in absolute form */
	PROXY_HTTPS,	/* the same within TLS to the proxy */
	PROXY_SOCKS5,	/* RFC 1928; names are resolved by the proxy */
};

struct proxy {
	enum proxy_kind kind;
	char host[256];		/* name or address, without brackets */
	uint16_t port;
	char user[PROXY_USER_MAX]; /* "": none. May be DOMAIN\user for NTLM */
	char password[PROXY_PASSWORD_MAX]; /* only where the environment had it in a URL; "": none */
	char shown[288];	/* "host:port", with https:// or socks5:// in front where it is one; for messages */
};

/* n = 0: direct. */
struct proxy_chain {
	unsigned n;
	struct proxy hop[PROXY_HOPS_MAX];
};

struct proxy_list {
	unsigned n;		/* at least 1 */
	struct proxy_chain chain[PROXY_CANDIDATES_MAX];
	bool named;		/* by the person or her environment, not found by PAC, WPAD or the desktop: these may have Basic credentials */
	char from[300];		/* where it comes from, for people: "--proxy", "HTTPS_PROXY", "PAC http://..."; "" when nothing says anything */
};

/* http://, https://, socks5:// or socks5h://[USER[:PASSWORD]@]HOST[:PORT][/]; without a scheme it is http. Without a port it is
 * curl's: 443 for https, else 1080; but for http that is an error where strict, as is a path. password: whether one may be in
 * it. NULL, or why not (a sentence for people, without the password). */
const char *proxy_parse(const char *url, bool strict, bool password, struct proxy *);
/* "direct", or what is shown of each hop, joined by " > ". */
const char *proxy_chain_text(const struct proxy_chain *, char *out, size_t size);
void proxy_show(struct proxy *);	/* makes shown from kind, host and port */
bool proxy_equal(const struct proxy *, const struct proxy *);	/* kind, host, port, user */
bool proxy_chain_equal(const struct proxy_chain *, const struct proxy_chain *);
bool proxy_list_equal(const struct proxy_list *, const struct proxy_list *);	/* with from */

#endif
