/*
 * The options of culvertd about where connections come in: listen, listen-http and listen-clear,
 * and the proxies that are trusted. Called by options.c.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "server/activation.h"
#include "server/options_internal.h"

#define PORT_DEFAULT "443"
#define MODE_DEFAULT 0660

static const struct {
	const char *name, *port;	/* port: for the example */
} kinds[] = {
	[CONNECTIONS_HTTPS] = { "listen", PORT_DEFAULT },
	[CONNECTIONS_HTTP] = { "listen-http", "80" },
	[CONNECTIONS_CLEAR] = { "listen-clear", "8080" },
};

/* ---- what stands behind the address ---- */

static bool mode_get(const char *s, mode_t *mode)
{
	char *end;
	unsigned long v = strtoul(s, &end, 8);

	*mode = (mode_t)v;
	return *s >= '0' && *s <= '7' && !*end && v <= 0777;
}

/* ",proxy-protocol,mode=0600": cuts them off the text. */
static int read_words(struct listener_place *at, const char *name, char *text, const char *where, char *error, size_t size)
{
	char *word = strchr(text, ','), *rest = NULL;
	bool is_unix = !strncmp(text, "unix:", 5), has_mode = false;

	at->mode = MODE_DEFAULT;
	if (!word)
		return 0;
	*word++ = '\0';
	for (word = strtok_r(word, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (!strcmp(word, "proxy-protocol"))
			at->manner.proxy_protocol = true;
		else if (!strncmp(word, "mode=", 5) && mode_get(word + 5, &at->mode))
			has_mode = true;
		else
			return options_wrong(error, size, where,
					     "%s: behind the address there may be ,proxy-protocol and, for Unix sockets, ,mode=0660, not "
					     "',%s'", name, word);
	}
	if (has_mode && !is_unix)
		return options_wrong(error, size, where, "%s: mode= is for Unix sockets only", name);
	return 0;
}

/* ---- addresses ---- */

static bool add(struct options *o, const struct listener_place *at)
{
	if (o->listen_count == OPTIONS_LISTEN_MAX)
		return false;
	o->listen[o->listen_count++] = *at;
	return true;
}

static int too_many(const char *name, const char *where, char *error, size_t size)
{
	return options_wrong(error, size, where, "%s is given more than %d times", name, OPTIONS_LISTEN_MAX);
}

static int read_unix(struct options *o, struct listener_place *at, const char *name, const char *path, const char *where, char *error,
		     size_t size)
{
	if (!address_unix(path, &at->address))
		return options_wrong(error, size, where, "%s: a Unix socket is unix:/PATH, absolute and shorter than 108 bytes, not 'unix:%s'",
				     name, path);
	return add(o, at) ? 0 : too_many(name, where, error, size);
}

static bool add_host(struct options *o, struct listener_place *at, const char *host, uint16_t port, bool optional)
{
	at->optional = optional;
	return address_literal(host, port, &at->address) && add(o, at);
}

static int read_internet(struct options *o, struct listener_place *at, const char *text, const char *where, char *error, size_t size)
{
	const char *name = kinds[at->manner.kind].name, *port = kinds[at->manner.kind].port;
	struct address_hostport to;
	bool added;

	if (address_split(text, false, &to) < 0 || !to.has_port) {
		if (at->manner.kind == CONNECTIONS_CLEAR)
			return options_wrong(error, size, where, "%s must be like 127.0.0.1:%s, [::1]:%s or unix:/run/culvertd/http.sock, "
					     "not '%s'", name, port, port, text);
		return options_wrong(error, size, where, "%s must be like 0.0.0.0:%s, [::]:%s or *:%s, not '%s'", name, port, port, port,
				     text);
	}
	if (!strcmp(to.host, "*"))
		added = add_host(o, at, "0.0.0.0", to.first, false) && add_host(o, at, "::", to.first, true);
	else
		added = add_host(o, at, to.host, to.first, false);
	if (added)
		return 0;
	if (o->listen_count == OPTIONS_LISTEN_MAX)
		return too_many(name, where, error, size);
	return options_wrong(error, size, where, "%s needs an address of this machine (or *), not the name '%s'", name, to.host);
}

/* What goes over it can be read and changed by everybody in between. */
static int check_clear(const struct options *o, size_t from, const char *text, const char *where, char *error, size_t size)
{
	for (size_t i = from; i < o->listen_count; i++)
		if (o->listen[i].manner.kind == CONNECTIONS_CLEAR && !address_is_local(&o->listen[i].address) &&
		    trusted_is_empty(o->trusted))
			return options_wrong(error, size, where,
					     "listen-clear is without TLS and meant for a reverse proxy on this machine: give a loopback address or "
					     "unix:/PATH, not '%s'; or, if the network to the reverse proxy may be trusted, name its address in "
					     "trusted-proxies", text);
	return 0;
}

static int read_listen(struct options *o, enum connections_kind kind, const char *value, const char *where, char *error, size_t size)
{
	struct listener_place at = { .manner = { .kind = kind } };
	char *text = strdup(value);
	size_t from = o->listen_count;
	int rc;

	if (!text)
		abort();
	rc = read_words(&at, kinds[kind].name, text, where, error, size);
	if (rc == 0)
		rc = !strncmp(text, "unix:", 5) ? read_unix(o, &at, kinds[kind].name, text + 5, where, error, size) :
						  read_internet(o, &at, text, where, error, size);
	if (rc == 0)
		rc = check_clear(o, from, text, where, error, size);
	free(text);
	return rc;
}

int options_read_listens(struct options *o, char *error, size_t size)
{
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		const char *name = kinds[k].name;

		for (size_t i = 0; i < config_list_size(o->config, name); i++)
			if (read_listen(o, (enum connections_kind)k, config_list(o->config, name, i), config_where(o->config, name, i), error,
					size) < 0)
				return ERROR_CONFIG;
	}
	if (o->listen_count || activation_is())
		return 0;
	return read_listen(o, CONNECTIONS_HTTPS, "*:" PORT_DEFAULT, "", error, size);
}

/* ---- proxies ---- */

static int read_header(const struct options *o, enum trusted_header *header, char *error, size_t size)
{
	static const char *const names[] = { "auto", "x-forwarded-for", "forwarded", "none" };
	const char *text = config_string(o->config, "forwarded-header");

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i], text)) {
			*header = (enum trusted_header)i;
			return 0;
		}
	return options_wrong(error, size, config_where(o->config, "forwarded-header", 0),
			     "forwarded-header must be auto, x-forwarded-for, forwarded or none, not '%s'", text);
}

int options_read_trusted(struct options *o, char *error, size_t size)
{
	enum trusted_header header = TRUSTED_AUTO;

	if (read_header(o, &header, error, size) < 0)
		return ERROR_CONFIG;
	o->trusted = trusted_new(header);
	for (size_t i = 0; i < config_list_size(o->config, "trusted-proxies"); i++) {
		const char *text = config_list(o->config, "trusted-proxies", i);

		if (!trusted_add(o->trusted, text))
			return options_wrong(error, size, config_where(o->config, "trusted-proxies", i),
					     "trusted-proxies are addresses, networks such as 10.0.0.0/8 or 2001:db8::/32, or unix, not '%s'", text);
	}
	return 0;
}
