/*
 * The options of culvertd. Read by main at start, and again for a reload.
 */
#include "server/options_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "framing/request.h"
#include "tunnel/tcp_tuning.h"

static const struct config_option service_table[] = {
	{ .name = "target", .type = CONFIG_STRING },
	{ .name = "kind", .type = CONFIG_STRING, .value = "" },
	{ .name = "class", .type = CONFIG_STRING, .value = "auto" },
	{ .name = "idle", .type = CONFIG_INT, .min = 0, .max = 604800, .initial = -1 },
	{ .name = "deadline-ms", .type = CONFIG_INT, .min = 10, .max = 60000, .initial = 0 },
	{ .name = "redundancy", .type = CONFIG_STRING },
	{ .name = "audio-payload-types", .type = CONFIG_LIST },
	{ .name = "video-payload-types", .type = CONFIG_LIST },
	{ .name = "subprotocol", .type = CONFIG_STRING },
	{ .name = "origin", .type = CONFIG_STRING },
	{ .name = "headers", .type = CONFIG_LIST },
	{ .name = "cafile", .type = CONFIG_STRING },
	{ .name = "framing", .type = CONFIG_STRING },
	{ .name = "message-max", .type = CONFIG_INT, .min = 1024, .max = 67108864, .initial = 0 },
	{ .name = NULL },
};

static const struct config_option identity_table[] = {
	{ .name = "targets", .type = CONFIG_LIST },
	{ .name = NULL },
};

const struct config_option options_table[] = {
	{ .name = "listen", .letter = 'l', .type = CONFIG_LIST, .metavar = "ADDRESS:PORT",
	  .help = "listen there; may be repeated (*:443: all addresses)" },
	{ .name = "listen-http", .type = CONFIG_LIST, .metavar = "ADDRESS:PORT",
	  .help = "listen there without TLS, for sealed sessions only; may be repeated" },
	{ .name = "listen-clear", .type = CONFIG_LIST, .metavar = "ADDRESS:PORT",
	  .help = "listen there for a reverse proxy that ends TLS (or unix:/PATH); may be repeated" },
	{ .name = "trusted-proxies", .type = CONFIG_LIST, .metavar = "NETWORK",
	  .help = "reverse proxies that are believed whom they ask for; may be repeated" },
	{ .name = "forwarded-header", .type = CONFIG_STRING, .value = "auto", .metavar = "WHICH",
	  .help = "where they say it: auto, x-forwarded-for, forwarded or none (auto)" },
	{ .name = "cert", .type = CONFIG_STRING, .metavar = "FILE", .help = "certificate chain, PEM" },
	{ .name = "key", .type = CONFIG_STRING, .metavar = "FILE", .help = "its private key, PEM" },
	{ .name = "token-file", .type = CONFIG_STRING, .metavar = "FILE", .help = "name:token lines of those who may connect" },
	{ .name = "service", .letter = 's', .type = CONFIG_LIST, .only_command_line = true, .metavar = "NAME=URL",
	  .help = "offer udp://HOST:PORT[-LAST], tcp://HOST:PORT[-LAST] or ws://HOST:PORT/PATH; may be repeated" },
	{ .name = "targets", .type = CONFIG_LIST, .metavar = "RULE",
	  .help = "addresses that helpers may name themselves: +*.example.org:443, -10.0.0.0/8 ...; may be repeated (none)" },
	{ .name = "base", .type = CONFIG_STRING, .value = "/culvert", .metavar = "PATH",
	  .help = "path below which helpers are served (/culvert)" },
	{ .name = "cover", .type = CONFIG_STRING, .value = "404", .metavar = "WHAT",
	  .help = "what others get: 404, redirect:URL or file:PATH (404)" },
	{ .name = "fallback", .type = CONFIG_STRING, .metavar = "URL",
	  .help = "the website that others get, instead of a cover: http://127.0.0.1:8081 or unix:PATH" },
	{ .name = "rest", .type = CONFIG_BOOL,
	  .help = "serve signalling by REST to clients without a helper (when there are origins)" },
	{ .name = "rest-expire", .type = CONFIG_INT, .min = 5, .max = 86400, .initial = 330, .metavar = "S",
	  .help = "end a REST session after S seconds without a request (330)" },
	{ .name = "origins", .type = CONFIG_LIST, .metavar = "ORIGIN",
	  .help = "pages that may use REST: https://app.example; may be repeated" },
	{ .name = "turn-secret-file", .type = CONFIG_STRING, .metavar = "FILE",
	  .help = "the static-auth-secret of a TURN server, for which REST gives credentials to those who may use it" },
	{ .name = "turn-uris", .type = CONFIG_LIST, .metavar = "URI",
	  .help = "where it is for pages: turn:127.0.0.1:3478?transport=udp; may be repeated" },
	{ .name = "turn-ttl", .type = CONFIG_INT, .min = 60, .max = 604800, .initial = 86400, .metavar = "S",
	  .help = "seconds that such credentials are good for (86400)" },
	{ .name = "admin", .type = CONFIG_STRING, .value = OPTIONS_ADMIN_DEFAULT, .metavar = "SOCKET",
	  .help = "Unix socket for `culvertd status`, or none" },
	{ .name = "echo", .type = CONFIG_BOOL, .initial = true,
	  .help = "the echo that `culvert doctor` measures with (on; --echo=off: none)" },
	{ .name = "redundancy", .type = CONFIG_STRING, .value = "auto", .metavar = "WHEN",
	  .help = "send audio twice: auto, while packets are lost or held up, always or never (auto)" },
	{ .name = "log-level", .type = CONFIG_STRING, .value = "info", .metavar = "LEVEL",
	  .help = "error, warn, info or debug (info)" },
	{ .name = "log-json", .type = CONFIG_BOOL, .help = "log a JSON object per line" },
	{ .name = "max-sessions", .type = CONFIG_INT, .min = 1, .max = 1000000, .initial = 1024, .metavar = "N",
	  .help = "sessions at a time (1024)" },
	{ .name = "max-sessions-per-identity", .type = CONFIG_INT, .min = 1, .max = 1000000, .initial = 256, .metavar = "N",
	  .help = "of one name in the token file (256)" },
	{ .name = "max-channels", .type = CONFIG_INT, .min = 1, .max = 65535, .initial = 1024, .metavar = "N",
	  .help = "channels of a session (1024)" },
	{ .name = "max-connections", .type = CONFIG_INT, .min = 1, .max = 1000000, .initial = 4096, .metavar = "N",
	  .help = "TCP connections at a time (4096)" },
	{ .name = "max-connections-per-address", .type = CONFIG_INT, .min = 1, .max = 1000000, .initial = 1024, .metavar = "N",
	  .help = "of one IPv4 address or IPv6 /64 (1024)" },
	{ .name = "max-fallback-connections", .type = CONFIG_INT, .min = 1, .max = 65535, .initial = 256, .metavar = "N",
	  .help = "connections to the website at a time (256)" },
	{ .name = "session-window", .type = CONFIG_INT, .min = 64, .max = 1048576, .initial = 4096, .metavar = "KIB",
	  .help = "stream data taken from a helper ahead of its targets (4096)" },
	{ .name = "expire", .type = CONFIG_INT, .min = 5, .max = 86400, .initial = 330, .metavar = "S",
	  .help = "end a session with channels after S seconds without contact (330)" },
	{ .name = "expire-empty", .type = CONFIG_INT, .min = 5, .max = 86400, .initial = 45, .metavar = "S",
	  .help = "the same without channels (45)" },
	{ .name = "congestion", .type = CONFIG_STRING, .value = "auto", .metavar = "NAME",
	  .help = "congestion control towards helpers: auto (bbr where there is one), bbr, cubic ... (auto)" },
	{ .name = "sparse-tuning", .type = CONFIG_BOOL, .initial = true,
	  .help = "tune connections with little traffic for losses (on; --sparse-tuning=off: not)" },
	{ .name = "listen-backlog", .type = CONFIG_INT, .min = 1, .max = 65535, .initial = 1024, .metavar = "N",
	  .help = "connections that may wait to be accepted (1024)" },
	{ .name = "check", .type = CONFIG_FLAG, .help = "check options and files, then exit" },
	{ .name = "help", .letter = 'h', .type = CONFIG_FLAG, .help = "show this" },
	{ .name = "version", .letter = 'V', .type = CONFIG_FLAG, .help = "show the version" },
	{ .name = "service", .type = CONFIG_SECTIONS, .options = service_table },
	{ .name = "identity", .type = CONFIG_SECTIONS, .options = identity_table },
	{ .name = NULL },
};

int options_wrong(char *error, size_t size, const char *where, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(error, size, "%s%s", where, *where ? ": " : "");

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < size)
		vsnprintf(error + n, size - (size_t)n, fmt, ap);
	va_end(ap);
	return ERROR_CONFIG;
}

/* ---- services ---- */

/* --service NAME=URL */
static int read_service(struct options *o, size_t i, char *error, size_t size)
{
	const char *text = config_list(o->config, "service", i), *equal = strchr(text, '=');
	const char *where = config_where(o->config, "service", i);
	struct service_spec spec = { .kind = "", .class = "auto", .idle_s = -1, .redundancy = config_string(o->config, "redundancy") };
	char name[MESSAGE_NAME_MAX + 2], why[512];

	if (!equal || (size_t)(equal - text) >= sizeof name)
		return options_wrong(error, size, where, "a service is NAME=URL, such as rtp=udp://127.0.0.1:5004, not '%s'", text);
	snprintf(name, sizeof name, "%.*s", (int)(equal - text), text);
	spec.name = name;
	spec.target = equal + 1;
	return services_add(o->services, &spec, why, sizeof why) < 0 ? options_wrong(error, size, where, "%s", why) : 0;
}

/* The command line wins over a section of the same name. */
static bool is_on_line(const struct options *o, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < config_list_size(o->config, "service"); i++) {
		const char *text = config_list(o->config, "service", i);

		if (!strncmp(text, name, len) && text[len] == '=')
			return true;
	}
	return false;
}

/* The elements of a section's list, for a service_spec. */
static const char *const *types_of(const struct config_section *s, const char *name, const char *list[CONFIG_ITEMS_MAX + 1])
{
	size_t n = config_section_list_size(s, name);

	for (size_t i = 0; i < n; i++)
		list[i] = config_section_list(s, name, i);
	list[n] = NULL;
	return list;
}

static int read_section(struct options *o, const struct config_section *s, char *error, size_t size)
{
	const char *audio[CONFIG_ITEMS_MAX + 1], *video[CONFIG_ITEMS_MAX + 1], *headers[CONFIG_ITEMS_MAX + 1];
	const char *redundancy = config_section_string(s, "redundancy");
	struct service_spec spec = {
		.name = config_section_title(s),
		.target = config_section_string(s, "target"),
		.kind = config_section_string(s, "kind"),
		.class = config_section_string(s, "class"),
		.idle_s = config_section_int(s, "idle"),
		.deadline_ms = config_section_int(s, "deadline-ms"),
		.redundancy = redundancy ? redundancy : config_string(o->config, "redundancy"),
		.audio_types = types_of(s, "audio-payload-types", audio),
		.video_types = types_of(s, "video-payload-types", video),
		.wishes = {
			.subprotocol = config_section_string(s, "subprotocol"),
			.origin = config_section_string(s, "origin"),
			.cafile = config_section_string(s, "cafile"),
			.framing = config_section_string(s, "framing"),
			.headers = types_of(s, "headers", headers),
			.message_max = config_section_int(s, "message-max"),
		},
	};
	char why[512];

	if (is_on_line(o, spec.name))
		return 0;
	if (!spec.target)
		return options_wrong(error, size, config_section_where(s), "service '%s' needs a target = \"udp://HOST:PORT\"", spec.name);
	return services_add(o->services, &spec, why, sizeof why) < 0 ?
		       options_wrong(error, size, config_section_where(s), "%s", why) : 0;
}

static int read_services(struct options *o, char *error, size_t size)
{
	const char *redundancy = config_string(o->config, "redundancy");

	if (message_redundancy_find(redundancy) < 0)
		return options_wrong(error, size, config_where(o->config, "redundancy", 0), "redundancy must be auto, always or never, not '%s'",
			     redundancy);
	for (size_t i = 0; i < config_list_size(o->config, "service"); i++)
		if (read_service(o, i, error, size) < 0)
			return ERROR_CONFIG;
	for (size_t i = 0; i < config_sections(o->config, "service"); i++)
		if (read_section(o, config_section(o->config, "service", i), error, size) < 0)
			return ERROR_CONFIG;
	if (!services_count(o->services) && !config_list_size(o->config, "targets") && !config_sections(o->config, "identity"))
		return options_wrong(error, size, "--service",
			     "no service is offered: give NAME=URL, such as rtp=udp://127.0.0.1:5004-5013");
	if (config_bool(o->config, "echo"))
		services_add_own(o->services, &egress_echo);
	return 0;
}

/* ---- the rest ---- */

static int read_base(struct options *o, char *error, size_t size)
{
	const char *base = o->base;
	size_t n = strlen(base);

	if (n < 2 || n > REQUEST_BASE_MAX || *base != '/' || base[n - 1] == '/' ||
	    strspn(base, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~-") != n || strstr(base, "//"))
		return options_wrong(error, size, config_where(o->config, "base", 0),
			     "base must be like /culvert: it begins with /, does not end with it, and has only letters, digits "
			     "and . _ ~ -, not '%s'", base);
	return 0;
}

/* Only a reverse proxy that ends TLS reaches it; of sockets that are handed over the server looks itself. */
static bool is_clear_only(const struct options *o)
{
	for (size_t i = 0; i < o->listen_count; i++)
		if (o->listen[i].manner.kind != CONNECTIONS_CLEAR)
			return false;
	return true;
}

static int read_files(struct options *o, char *error, size_t size)
{
	o->cert = config_string(o->config, "cert");
	o->key = config_string(o->config, "key");
	o->token_file = config_string(o->config, "token-file");
	if (!o->cert && (o->key || !is_clear_only(o)))
		return options_wrong(error, size, "--cert", "no certificate: give its file (`culvertd gen-cert` makes one for tests)");
	if (!o->key && o->cert)
		return options_wrong(error, size, "--key", "no private key: give its file");
	if (!o->token_file)
		return options_wrong(error, size, "--token-file", "no token file: give one (`culvertd gen-token NAME` prints a line for it)");
	return 0;
}

static int read_log(struct options *o, char *error, size_t size)
{
	const char *level = config_string(o->config, "log-level");

	o->log_json = config_bool(o->config, "log-json");
	if (log_parse_level(level, &o->log_level) == 0)
		return 0;
	return options_wrong(error, size, config_where(o->config, "log-level", 0),
		     "log-level must be error, warn, info or debug, not '%s'", level);
}

/* Whether the URL is one shows when the website's connections are made ready. */
static int read_fallback(struct options *o, char *error, size_t size)
{
	o->cover = config_string(o->config, "cover");
	o->fallback = config_string(o->config, "fallback");
	if (!o->fallback || !config_given(o->config, "cover"))
		return 0;
	return options_wrong(error, size, config_where(o->config, "fallback", 0),
		     "fallback and cover exclude each other: others get the website, or the cover");
}

static int read_rest(struct options *o, char *error, size_t size)
{
	const char *origins[CONFIG_ITEMS_MAX + 1];
	size_t n = config_list_size(o->config, "origins");
	char why[256];

	o->rest = config_given(o->config, "rest") ? config_bool(o->config, "rest") : n > 0;
	for (size_t i = 0; i < n; i++)
		origins[i] = config_list(o->config, "origins", i);
	origins[n] = NULL;
	o->cors = rest_cors_new(origins, why, sizeof why);
	return o->cors ? 0 : options_wrong(error, size, config_where(o->config, "origins", 0), "%s", why);
}

static int read_turn(struct options *o, char *error, size_t size)
{
	const char *uris[CONFIG_ITEMS_MAX], *secret = config_string(o->config, "turn-secret-file");
	size_t n = config_list_size(o->config, "turn-uris");
	char why[512];

	if (!secret && n == 0)
		return 0;
	if (!secret)
		return options_wrong(error, size, config_where(o->config, "turn-uris", 0), "give turn-secret-file, too: the secret of the TURN server");
	for (size_t i = 0; i < n; i++)
		uris[i] = config_list(o->config, "turn-uris", i);
	o->turn = turn_credentials_new(secret, uris, n, (uint32_t)config_int(o->config, "turn-ttl"), why, sizeof why);
	if (!o->turn)
		return options_wrong(error, size, config_where(o->config, n ? "turn-uris" : "turn-secret-file", 0), "%s", why);
	return o->rest ? 0 : options_wrong(error, size, config_where(o->config, "turn-secret-file", 0),
					   "credentials for TURN are given by REST: name the pages that may have them (origins), or set rest = true");
}

static int read_tuning(struct options *o, char *error, size_t size)
{
	char why[256];

	o->congestion = config_string(o->config, "congestion");
	o->sparse_tuning = config_bool(o->config, "sparse-tuning");
	if (tcp_tuning_complaint(o->congestion, why, sizeof why))
		return 0;
	return options_wrong(error, size, config_where(o->config, "congestion", 0), "%s", why);
}

int options_read(struct options *o, int argc, char **argv, char *error, size_t size)
{
	memset(o, 0, sizeof *o);
	o->config = config_read(options_table, argc, argv, error, size);
	if (!o->config)
		return ERROR_CONFIG;
	if (config_bool(o->config, "help") || config_bool(o->config, "version"))
		return 0;
	if (config_rest(o->config) < argc) {
		options_wrong(error, size, argv[config_rest(o->config)], "not an option, and commands come first; see --help");
		goto failed;
	}
	o->services = services_new();
	o->base = config_string(o->config, "base");
	o->admin = config_string(o->config, "admin");
	o->admin_given = config_given(o->config, "admin");
	if (!strcmp(o->admin, "none"))
		o->admin = NULL;
	if (read_log(o, error, size) < 0 || options_read_trusted(o, error, size) < 0 || options_read_listens(o, error, size) < 0 ||
	    read_files(o, error, size) < 0 || read_services(o, error, size) < 0 || options_read_policies(o, error, size) < 0 || read_tuning(o, error, size) < 0 ||
	    read_fallback(o, error, size) < 0 || read_rest(o, error, size) < 0 || read_turn(o, error, size) < 0 || read_base(o, error, size) < 0)
		goto failed;
	return 0;
failed:
	options_fini(o);
	return ERROR_CONFIG;
}

void options_fini(struct options *o)
{
	services_free(o->services);
	policies_free(o->policies);
	trusted_free(o->trusted);
	rest_cors_free(o->cors);
	turn_credentials_free(o->turn);
	config_free(o->config);
	memset(o, 0, sizeof *o);
}
