/*
 * Options of the helper: the table, and the checks behind it. Called by main.c;
 * calls the config reader.
 */
#include "client/options_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/auth_list.h"
#include "client/authority.h"
#include "client/fleet.h"
#include "client/place.h"
#include "client/secret.h"
#include "framing/error.h"
#include "tunnel/config.h"
#include "tunnel/pin.h"
#include "tunnel/tcp_tuning.h"

#define BASE_DEFAULT "/culvert"
#define HOLD_DEFAULT 20000

const struct config_option options_table[] = {
	{ .name = "config", .letter = 'c', .type = CONFIG_STRING, .metavar = "FILE", .only_command_line = true,
	  .help = "read options from FILE; the command line wins" },
	{ .name = "server", .letter = 's', .type = CONFIG_STRING, .metavar = "URL",
	  .help = "the server: https://HOST[:PORT][/BASE], or http://... to its --listen-http" },
	{ .name = "server-http", .type = CONFIG_STRING, .metavar = "URL",
	  .help = "its --listen-http for proxies that deny CONNECT: http://HOST[:PORT] (default: port 80)" },
	{ .name = "seal", .type = CONFIG_STRING, .value = "auto", .metavar = "WHEN",
	  .help = "seal what is sent: auto, where there is no TLS to the server, or always" },
	{ .name = "token-file", .letter = 't', .type = CONFIG_STRING, .metavar = "FILE",
	  .help = "file with a name:token line" },
	{ .name = "local", .letter = 'L', .type = CONFIG_LIST, .metavar = "FORWARD",
	  .help = "udp://ADDRESS:PORTS=SERVICE, tcp://... or ws://..., socks5://ADDRESS:PORT, http://...; may be repeated" },
	{ .name = "origins", .type = CONFIG_LIST, .metavar = "ORIGIN",
	  .help = "pages from there may use ws:// forwards, besides those of this machine; may be repeated" },
	{ .name = "login-file", .type = CONFIG_STRING, .metavar = "FILE",
	  .help = "file with name:token lines, one of which programs must give to socks5:// and http:// ports (none: nobody asks)" },
	{ .name = "pac-hosts", .type = CONFIG_LIST, .metavar = "HOST",
	  .help = "what the proxy.pac of http:// ports sends through them: *.example.org; may be repeated (all)" },
	{ .name = "pac-otherwise", .type = CONFIG_STRING, .value = "DIRECT", .metavar = "WAY",
	  .help = "how it sends the others: DIRECT, or PROXY HOST:PORT (DIRECT)" },
	{ .name = "proxy", .letter = 'x', .type = CONFIG_LIST, .metavar = "URL",
	  .help = "auto (default), none, or http://, https:// or socks5://[USER@]HOST:PORT; repeated: one behind the other" },
	{ .name = "proxy-pac", .type = CONFIG_STRING, .metavar = "URL",
	  .help = "ask this PAC file (URL or name) which proxy to use; wpad: look for one by DNS" },
	{ .name = "proxy-user", .type = CONFIG_STRING, .metavar = "NAME", .help = "who we are to proxies whose URL does not say; DOMAIN\\NAME for NTLM" },
	{ .name = "proxy-password-file", .type = CONFIG_STRING, .metavar = "FILE",
	  .help = "file with the password for the proxy" },
	{ .name = "proxy-auth", .type = CONFIG_STRING, .metavar = "LIST",
	  .help = "which of negotiate,ntlm,digest,basic may be used with proxies" },
	{ .name = "cafile", .type = CONFIG_STRING, .metavar = "FILE",
	  .help = "trust these CA certificates (PEM), too" },
	{ .name = "ca-dir", .type = CONFIG_STRING, .metavar = "DIR",
	  .help = "trust the CA certificates in this directory, too" },
	{ .name = "pin", .type = CONFIG_LIST, .metavar = "PIN",
	  .help = "accept no server without this public key: sha256/BASE64; may be repeated" },
	{ .name = "http", .type = CONFIG_STRING, .value = "auto", .metavar = "VERSION",
	  .help = "HTTP with the server: auto (1.1, or 2 where that is preferred there), 1.1 or 2" },
	{ .name = "rung", .type = CONFIG_STRING, .value = "auto", .metavar = "NAME",
	  .help = "auto, or only one of duplex, websocket, split, split+fill, push, push+sse, push+pad, poll" },
	{ .name = "connections", .type = CONFIG_INT, .min = 2, .max = POOL_LIMIT_MAX, .initial = POOL_LIMIT_DEFAULT,
	  .metavar = "N", .help = "connections at a time, 2 to 16 (default 10)" },
	{ .name = "carriers", .type = CONFIG_INT, .min = 1, .max = FLEET_MOST, .initial = FLEET_MOST,
	  .metavar = "N", .help = "carriers of a session at a time, 1 to 8: the most for media (default 8)" },
	{ .name = "redundancy", .type = CONFIG_STRING, .value = "auto", .metavar = "WHEN",
	  .help = "send audio twice: auto (as the server says, or while packets are lost), always or never" },
	{ .name = "hold-ms", .type = CONFIG_INT, .min = 1000, .max = REQUEST_HOLD_MAX, .initial = HOLD_DEFAULT,
	  .metavar = "MS", .help = "longest wait for the answer to a poll (default 20000)" },
	{ .name = "max-flows", .type = CONFIG_INT, .min = 1, .max = 65535, .initial = 256, .metavar = "N",
	  .help = "UDP sources or TCP connections per local port (default 256)" },
	{ .name = "congestion", .type = CONFIG_STRING, .value = "auto", .metavar = "NAME",
	  .help = "congestion control towards the server: auto (bbr where there is one), bbr, cubic ..." },
	{ .name = "sparse-tuning", .type = CONFIG_BOOL, .initial = true,
	  .help = "tune connections with little traffic for losses (on; --sparse-tuning=off: not)" },
	{ .name = "control", .type = CONFIG_STRING, .metavar = "PATH",
	  .help = "Unix socket for `culvert status`, or none" },
	{ .name = "state", .type = CONFIG_STRING, .metavar = "FILE", .help = "remember in FILE what was learned of paths, or none" },
	{ .name = "log-level", .type = CONFIG_STRING, .value = "info", .metavar = "LEVEL",
	  .help = "error, warn, info or debug (default info)" },
	{ .name = "log-json", .type = CONFIG_BOOL, .help = "log one JSON object per line" },
	{ .name = "check", .type = CONFIG_FLAG, .help = "check the options and files, then exit" },
	{ .name = "help", .letter = 'h', .type = CONFIG_FLAG, .help = "print this text" },
	{ .name = "version", .letter = 'V', .type = CONFIG_FLAG, .help = "print the version" },
	{ .name = NULL },
};

/* ---- URLs ---- */

static const char *base_parse(const char *s, char *base, size_t size)
{
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == '/')
		n--;
	if (n == 0) {
		snprintf(base, size, "%s", BASE_DEFAULT);
		return NULL;
	}
	if (n >= size)
		return "the base path is too long";
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("/-._~%!$&'()*+,;=:@", s[i]))
			return "the base path may hold letters, digits and /-._~% only, no ? or #";
	snprintf(base, size, "%.*s", (int)n, s);
	return NULL;
}

static const char *server_parse(const char *url, struct options_server *s)
{
	const char *rest = strstr(url, "://");
	uint16_t usual;
	size_t n;
	const char *why;

	s->plain_only = strncmp(url, "http://", strlen("http://")) == 0;
	usual = s->plain_only ? 80 : 443;
	if (!s->plain_only && strncmp(url, "https://", strlen("https://")) != 0)
		return "must begin with https://, or with http:// for a server's --listen-http";
	rest += strlen("://");
	n = strcspn(rest, "/");
	if (memchr(rest, '@', n))
		return "holds a user name; who you are is said by --token-file";
	why = authority_parse(rest, n, s->host, &s->port, usual);
	if (!why)
		why = base_parse(rest + n, s->base, sizeof s->base);
	if (why)
		return why;
	authority_text(s->host, s->port, usual, s->authority, sizeof s->authority);
	snprintf(s->url, sizeof s->url, "%s://%s%s", s->plain_only ? "http" : "https", s->authority, s->base);
	return NULL;
}

/* Where requests go without TLS. url: as said, or NULL. */
static const char *plain_parse(const char *url, struct options_server *s)
{
	const char *rest, *why;
	size_t n;

	strcpy(s->plain_host, s->host);
	s->plain_port = s->plain_only ? s->port : 80;
	if (url && s->plain_only)
		return "--server has http:// itself, so this is said already";
	if (url && strncmp(url, "http://", strlen("http://")) != 0)
		return "must be http://HOST[:PORT]: where the server's --listen-http is";
	if (url) {
		rest = url + strlen("http://");
		n = strcspn(rest, "/");
		if (rest[n] && rest[n + 1])
			return "has a path; the base path is that of --server";
		why = memchr(rest, '@', n) ? "holds a user name; who you are is said by --token-file"
					   : authority_parse(rest, n, s->plain_host, &s->plain_port, 80);
		if (why)
			return why;
	}
	authority_text(s->plain_host, s->plain_port, 80, s->plain_authority, sizeof s->plain_authority);
	return NULL;
}

/* ---- checks ---- */

/* What is said about option `name`, in front of why. */
bool options_bad(const struct config *c, const char *name, size_t i, char *error, size_t size, const char *why)
{
	const char *where = config_where(c, name, i);

	if (strncmp(where, "--", 2) == 0)
		snprintf(error, size, "%s: %s", where, why);
	else
		snprintf(error, size, "%s: %s: %s", where, name, why);
	return false;
}

/* An unset option that must be given. */
static bool need(const struct config *c, const char *name, const char *what, char *error, size_t size)
{
	if (config_given(c, name))
		return true;
	snprintf(error, size, "--%s is missing: %s", name, what);
	return false;
}

static bool is_word(const char *proxy)
{
	return strcmp(proxy, "auto") == 0 || strcmp(proxy, "none") == 0 || strcmp(proxy, "direct") == 0;
}

static const char *pac_complaint(const char *pac)
{
	static const char *const schemes[] = { "http://", "https://", "file:///" };

	if (!*pac)
		return "is empty: must be a URL, the name of a file, or wpad";
	if (!strstr(pac, "://"))
		return NULL;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strncmp(pac, schemes[i], strlen(schemes[i])) == 0 && pac[strlen(schemes[i])])
			return NULL;
	return "must begin with http://, https:// or file:///";
}

static bool read_chain(struct options *o, size_t n, char *error, size_t size)
{
	const struct config *c = o->config;

	if (n > PROXY_HOPS_MAX)
		return options_bad(c, "proxy", PROXY_HOPS_MAX, error, size, "more than 4 proxies, one behind the other");
	for (size_t i = 0; i < n; i++) {
		const char *url = config_list(c, "proxy", i), *why;

		if (is_word(url))
			why = "is one of several: auto, none and direct stand alone";
		else
			why = proxy_parse(url, true, false, &o->proxy.hop[i]);
		if (why)
			return options_bad(c, "proxy", i, error, size, why);
	}
	o->proxy.n = (unsigned)n;
	return true;
}

/* Does a password come from somewhere? See secret.h. */
static bool has_password(const struct options *o)
{
	return o->proxy_password_file || getenv(SECRET_FD) || getenv("CREDENTIALS_DIRECTORY");
}

static bool read_proxy_credentials(struct options *o, char *error, size_t size)
{
	const struct config *c = o->config;
	const char *list = config_string(c, "proxy-auth");

	o->proxy_password_file = config_string(c, "proxy-password-file");
	o->proxy_user = config_string(c, "proxy-user");
	if (o->proxy_user && (!o->proxy_user[0] || strlen(o->proxy_user) >= PROXY_USER_MAX))
		return options_bad(c, "proxy-user", 0, error, size, "is empty or too long");
	for (const char *p = o->proxy_user ? o->proxy_user : ""; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == ':')
			return options_bad(c, "proxy-user", 0, error, size, "has a colon or a control character in it");
	if (list && !(o->proxy_auth = auth_list_parse(list)))
		return options_bad(c, "proxy-auth", 0, error, size, "must be a list of negotiate, ntlm, digest and basic, with commas in between");
	if (o->proxy_password_file && !o->proxy_auto && !options_proxy_user(o))
		return options_bad(c, "proxy-password-file", 0, error, size, "needs a user: --proxy-user NAME, or --proxy http://USER@HOST:PORT");
	if (options_proxy_user(o) && !has_password(o))
		return options_bad(c, o->proxy_user ? "proxy-user" : "proxy", 0, error, size,
			   "names a user: give the password with --proxy-password-file");
	return true;
}

static bool read_proxy(struct options *o, char *error, size_t size)
{
	const struct config *c = o->config;
	size_t n = config_list_size(c, "proxy");
	const char *word = n == 1 ? config_list(c, "proxy", 0) : "";

	o->proxy_auto = n == 0 || strcmp(word, "auto") == 0;
	if (n > 0 && !(n == 1 && is_word(word)) && !read_chain(o, n, error, size))
		return false;
	o->proxy_pac = config_string(c, "proxy-pac");
	if (o->proxy_pac && pac_complaint(o->proxy_pac))
		return options_bad(c, "proxy-pac", 0, error, size, pac_complaint(o->proxy_pac));
	if (o->proxy_pac && !o->proxy_auto)
		return options_bad(c, "proxy-pac", 0, error, size, "is not asked when proxies are given: leave --proxy out, or say --proxy auto");
	return read_proxy_credentials(o, error, size);
}

/* url: in place of --server, or NULL. */
static bool read_path(struct options *o, const char *url, char *error, size_t size)
{
	const struct config *c = o->config;
	const char *why;

	if (!url && !need(c, "server", "say where the server is, as https://HOST[:PORT][/BASE]", error, size))
		return false;
	why = server_parse(url ? url : config_string(c, "server"), &o->server);
	if (why && url)
		snprintf(error, size, "%s: %s", url, why);
	if (why)
		return url ? false : options_bad(c, "server", 0, error, size, why);
	why = plain_parse(config_string(c, "server-http"), &o->server);
	if (why)
		return options_bad(c, "server-http", 0, error, size, why);
	o->token_file = config_string(c, "token-file");
	return read_proxy(o, error, size);
}

static bool read_trust(struct options *o, char *error, size_t size)
{
	const struct config *c = o->config;
	size_t n = config_list_size(c, "pin");

	o->cafile = config_string(c, "cafile");
	o->ca_dir = config_string(c, "ca-dir");
	if (n > OPTIONS_PINS_MAX)
		return options_bad(c, "pin", OPTIONS_PINS_MAX, error, size, "more than 16 pins");
	for (size_t i = 0; i < n; i++)
		if (!pin_parse(config_list(c, "pin", i), o->pin[i]))
			return options_bad(c, "pin", i, error, size, "must be sha256/BASE64, the SHA-256 of a public key as culvert doctor shows it");
	o->n_pins = n;
	return true;
}

struct tls_trust options_trust_seal(const struct options *o)
{
	return (struct tls_trust){ .cafile = o->cafile, .cadir = o->ca_dir, .pins = o->pin, .n_pins = o->n_pins };
}

struct tls_trust options_trust(const struct options *o)
{
	struct tls_trust t = options_trust_seal(o);

	t.n_pins = o->seal_always ? 0 : t.n_pins;
	return t;
}

static bool read_rung(struct options *o, char *error, size_t size)
{
	const char *name = config_string(o->config, "rung");
	char why[128] = "must be auto";
	size_t n = strlen(why);

	if (strcmp(name, "auto") == 0)
		return true;
	o->rung = rung_find(name);
	if (o->rung && o->rung->rest && (o->seal_always || o->server.plain_only))
		return options_bad(o->config, "rung", 0, error, size, "is not for what is sealed (--seal always, a server without TLS)");
	if (o->rung)
		return true;
	for (const struct rung *r = rungs; r->name && n < sizeof why; r++)
		n += (size_t)snprintf(why + n, sizeof why - n, "%s%s", r[1].name ? ", " : " or ", r->name);
	return options_bad(o->config, "rung", 0, error, size, why);
}

static bool read_http(struct options *o, char *error, size_t size)
{
	static const char *const words[] = { [HTTP_AUTO] = "auto", [HTTP_11] = "1.1", [HTTP_2] = "2" };
	const char *word = config_string(o->config, "http");

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i]) == 0) {
			o->http = (enum options_http)i;
			return true;
		}
	return options_bad(o->config, "http", 0, error, size, "must be auto, 1.1 or 2");
}

const char *options_alpn(const struct options *o)
{
	static const char *const lists[] = { [HTTP_AUTO] = "http/1.1,h2", [HTTP_11] = NULL, [HTTP_2] = "h2" };

	return lists[o->http];
}

static bool read_rest(struct options *o, char *error, size_t size)
{
	const struct config *c = o->config;
	char why[256];

	o->connections = (unsigned)config_int(c, "connections");
	o->carriers = (unsigned)config_int(c, "carriers");
	o->max_flows = (unsigned)config_int(c, "max-flows");
	o->hold_ms = (uint32_t)config_int(c, "hold-ms");
	o->log_json = config_bool(c, "log-json");
	o->seal_always = strcmp(config_string(c, "seal"), "always") == 0;
	if (!o->seal_always && strcmp(config_string(c, "seal"), "auto") != 0)
		return options_bad(c, "seal", 0, error, size, "must be auto or always");
	o->state = config_string(c, "state");
	if (o->state && !o->state[0])
		return options_bad(c, "state", 0, error, size, "is empty: must be the name of a file, or none");
	o->control = config_string(c, "control");
	if (o->control && strcmp(o->control, "none") != 0 && place_complaint(o->control))
		return options_bad(c, "control", 0, error, size, place_complaint(o->control));
	o->congestion = config_string(c, "congestion");
	if (!tcp_tuning_complaint(o->congestion, why, sizeof why))
		return options_bad(c, "congestion", 0, error, size, why);
	o->sparse_tuning = config_bool(c, "sparse-tuning");
	o->check = config_bool(c, "check");
	if (!read_http(o, error, size))
		return false;
	if (log_parse_level(config_string(c, "log-level"), &o->log_level) < 0)
		return options_bad(c, "log-level", 0, error, size, "must be error, warn, info or debug");
	return true;
}

static bool no_arguments(const struct options *o, int argc, char **argv, char *error, size_t size)
{
	int rest = config_rest(o->config);

	if (rest >= argc)
		return true;
	snprintf(error, size, "%s: unexpected argument; see --help", argv[rest]);
	return false;
}

struct options *options_read(int argc, char **argv, char *error, size_t size)
{
	struct options *o = calloc(1, sizeof *o);

	if (!o)
		abort();
	o->config = config_read(options_table, argc, argv, error, size);
	if (!o->config)
		goto failed;
	o->help = config_bool(o->config, "help");
	o->version = config_bool(o->config, "version");
	if (o->help || o->version)
		return o;
	if (no_arguments(o, argc, argv, error, size) && read_rest(o, error, size) &&
	    need(o->config, "token-file", "name the file with your name:token line (culvertd gen-token makes one)", error, size) &&
	    read_path(o, NULL, error, size) && read_trust(o, error, size) && read_rung(o, error, size) && options_read_local(o, error, size))
		return o;
failed:
	options_free(o);
	return NULL;
}

struct options *options_read_as(const struct config_option *own, const char *url, int argc, char **argv, char *error,
				size_t size)
{
	struct options *o = calloc(1, sizeof *o);

	if (!o)
		abort();
	o->config = config_read(own, argc, argv, error, size);
	if (!o->config)
		goto failed;
	o->help = config_bool(o->config, "help");
	if (o->help ||
	    (no_arguments(o, argc, argv, error, size) && read_rest(o, error, size) && read_path(o, url, error, size) &&
	     read_trust(o, error, size)))
		return o;
failed:
	options_free(o);
	return NULL;
}

const char *options_proxy_user(const struct options *o)
{
	for (unsigned i = 0; i < o->proxy.n; i++)
		if (o->proxy.hop[i].user[0])
			return o->proxy.hop[i].user;
	return o->proxy_user;
}

unsigned options_proxy_auth(const struct options *o, bool named)
{
	unsigned usual = AUTH_LIST_ALL & ~(1u << AUTH_BASIC);

	return o->proxy_auth ? o->proxy_auth : usual | (named ? 1u << AUTH_BASIC : 0);
}

void options_free(struct options *o)
{
	if (!o)
		return;
	config_free(o->config);
	free(o);
}

void options_help(void)
{
	printf("usage: culvert --server URL --token-file FILE -L FORWARD ... [options]\n"
	       "       culvert -c FILE [options]\n"
	       "       culvert doctor URL [options]\n"
	       "       culvert status [--watch] [--json]\n"
	       "       culvert up | down\n\n"
	       "Carries local UDP and TCP ports to services of a culvertd, through HTTP proxies.\n\n");
	config_help(options_table);
	printf("\nManual: culvert(1), culvert-doctor(1), culvert.conf(5).\n");
}
