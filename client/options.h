/*
 * Options of the helper: what a person said, checked. Strings belong to the
 * options.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/forward.h"
#include "client/proxy.h"
#include "client/served_pac.h"
#include "tunnel/carrier.h"
#include "tunnel/config.h"
#include "tunnel/log.h"
#include "tunnel/stream_tls.h"

#define OPTIONS_ORIGINS_MAX 64
#define OPTIONS_FORWARDS_MAX 256
#define OPTIONS_PINS_MAX 16

/* Where the server is. */
struct options_server {
	char url[600];		/* "https://host:port/base", or "http://...", normalised, for messages */
	char host[256];		/* name or address, without brackets */
	char authority[264];	/* for the Host header: host, or host:port */
	uint16_t port;
	char base[REQUEST_BASE_MAX + 1];
	bool plain_only;	/* http://: never by TLS, always sealed */
	/* Where its --listen-http is, for paths without TLS to the server; the same host and port if plain_only. */
	char plain_host[256];
	uint16_t plain_port;
	char plain_authority[264];
};

/* Ends with name NULL. */
extern const struct config_option options_table[];

/* Versions of HTTP to be spoken with the server. */
enum options_http {
	HTTP_AUTO,		/* 1.1, or 2 where the other side prefers that */
	HTTP_11,
	HTTP_2,
};

struct options {
	bool help, version, check;
	struct options_server server;
	struct proxy_chain proxy; /* as given; n = 0: none, or proxy_auto */
	bool proxy_auto;	/* to be found out */
	const char *proxy_pac;	/* URL or file of a PAC script, "wpad", or NULL */
	const char *token_file, *cafile, *proxy_password_file; /* NULL: not given */
	const char *proxy_user;	/* for proxies that are named without one, or NULL */
	unsigned proxy_auth;	/* bits 1 << enum auth_scheme; 0: as usual */
	bool seal_always;	/* within TLS to the server, too */
	enum options_http http;
	const char *ca_dir;	/* NULL: not given */
	uint8_t pin[OPTIONS_PINS_MAX][32]; /* SHA-256 of public keys of which the server shows one */
	size_t n_pins;
	const struct rung *rung; /* NULL: automatic */
	unsigned connections, carriers, max_flows;
	uint32_t hold_ms;
	const char *state;	/* file of the memory, "none", or NULL: the usual place */
	const char *control;	/* path of the control socket, "none", or NULL: the usual place */
	const char *congestion;	/* "auto" or what the kernel takes */
	bool sparse_tuning;
	enum log_level log_level;
	bool log_json;
	const char *origins[OPTIONS_ORIGINS_MAX]; /* of pages that may use WebSocket forwards */
	size_t n_origins;
	const char *login_file;	/* of socks5:// and http:// ports; NULL: not given */
	const char *pac_host[SERVED_PAC_HOSTS_MAX];
	struct served_pac pac;
	size_t n_forwards;
	struct forward forward[OPTIONS_FORWARDS_MAX];
	struct config *config;
};

/* NULL and a sentence in error, which begins with the option or FILE:LINE. With --help or
 * --version nothing else is checked. */
struct options *options_read(int argc, char **argv, char *error, size_t size);
/* For other commands: reads their own table, which has all rows of options_table and more (config has their values).
 * Only what leads to the server is checked; a token may be missing. url: in place of --server, or NULL. */
struct options *options_read_as(const struct config_option *, const char *url, int argc, char **argv, char *error,
				size_t size);
/* What is offered to the server in its TLS: a list for ALPN; NULL: HTTP/1.1 alone. */
const char *options_alpn(const struct options *);
/* The user of the first proxy given that has one, that of --proxy-user, or NULL. */
const char *options_proxy_user(const struct options *);
/* The schemes that may be used with a proxy (bits 1 << enum auth_scheme): Basic, which shows the password, only with those that
 * were named by the person or her environment, unless --proxy-auth says otherwise. */
unsigned options_proxy_auth(const struct options *, bool named);
/* Whom the server's certificate must come from: that of TLS, and that of seals. Where everything is sealed the pins are the seal's:
 * a box that intercepts TLS is no harm then. Good as long as the options. */
struct tls_trust options_trust(const struct options *);
struct tls_trust options_trust_seal(const struct options *);
void options_free(struct options *);
void options_help(void);

#endif
