/* The local ports: forwards, and who may use them how. */
#include <stdio.h>
#include <string.h>

#include "client/options_internal.h"

static bool read_forwards(struct options *o, char *error, size_t size)
{
	size_t n = config_list_size(o->config, "local");
	int redundancy = message_redundancy_find(config_string(o->config, "redundancy"));
	char why[512];

	if (redundancy < 0)
		return options_bad(o->config, "redundancy", 0, error, size, "must be auto, always or never");
	if (n == 0) {
		snprintf(error, size, "--local (-L) is missing: say which local ports lead where, "
				      "for example -L udp://127.0.0.1:5004-5013=rtp");
		return false;
	}
	if (n > OPTIONS_FORWARDS_MAX)
		return options_bad(o->config, "local", OPTIONS_FORWARDS_MAX, error, size, "more than 256 forwards");
	for (size_t i = 0; i < n; i++)
		if (forward_parse(config_list(o->config, "local", i), &o->forward[i], why, sizeof why) < 0)
			return options_bad(o->config, "local", i, error, size, why);
	for (size_t i = 0; i < n; i++)
		if (!o->forward[i].has_redundancy)
			o->forward[i].wish.redundancy = (enum message_redundancy)redundancy;
	o->n_forwards = n;
	return true;
}

static bool read_origins(struct options *o, char *error, size_t size)
{
	o->n_origins = config_list_size(o->config, "origins");
	if (o->n_origins > OPTIONS_ORIGINS_MAX)
		return options_bad(o->config, "origins", OPTIONS_ORIGINS_MAX, error, size, "more than 64 origins");
	for (size_t i = 0; i < o->n_origins; i++) {
		const char *text = config_list(o->config, "origins", i), *host = strstr(text, "://");

		o->origins[i] = text;
		if (strcmp(text, "*") && strcmp(text, "null") && (!host || host == text || !host[3] || strpbrk(host + 3, "/ ")))
			return options_bad(o->config, "origins", i, error, size, "must be like https://app.example.org, null or *");
	}
	return true;
}

static bool read_pac(struct options *o, char *error, size_t size)
{
	char why[512];

	o->pac = (struct served_pac){ .host = o->pac_host, .n = config_list_size(o->config, "pac-hosts"),
				      .otherwise = config_string(o->config, "pac-otherwise") };
	if (o->pac.n > SERVED_PAC_HOSTS_MAX)
		return options_bad(o->config, "pac-hosts", SERVED_PAC_HOSTS_MAX, error, size, "more than 256 hosts");
	for (size_t i = 0; i < o->pac.n; i++)
		o->pac_host[i] = config_list(o->config, "pac-hosts", i);
	return served_pac_check(&o->pac, why, sizeof why) || options_bad(o->config, o->pac.n ? "pac-hosts" : "pac-otherwise", 0, error, size, why);
}

bool options_read_local(struct options *o, char *error, size_t size)
{
	o->login_file = config_string(o->config, "login-file");
	return read_forwards(o, error, size) && read_origins(o, error, size) && read_pac(o, error, size);
}
