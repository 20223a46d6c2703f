/*
 * What `culvertd status` shows, as text for people and as JSON for programs.
 * Called by the admin socket.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/server.h"
#include "tunnel/counters.h"

struct status {
	FILE *out;
	bool json, first;
	int64_t now;
};

static const char *comma(struct status *s)
{
	const char *text = s->first ? "" : ",";

	s->first = false;
	return text;
}

static void begin(struct status *s, const char *title)
{
	if (s->json)
		fprintf(s->out, ",\"%s\":", title);
	else
		fprintf(s->out, "\n%s\n", title);
	s->first = true;
}

/* Names and addresses come from checked configuration, but a target is free text. */
static void quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
	fputc('"', out);
}

static void listeners(struct status *s, const struct server *server)
{
	char text[ADDRESS_TEXT];

	begin(s, "listeners");
	if (s->json)
		fputc('[', s->out);
	for (size_t i = 0; i < server->listeners; i++) {
		address_text(listener_address(server->listener[i]), text);
		if (s->json)
			fprintf(s->out, "%s\"%s\"", comma(s), text);
		else
			fprintf(s->out, "  %s%s\n", text, listener_is_plain(server->listener[i]) ? " without TLS, for sealed sessions" : "");
	}
	if (s->json)
		fputc(']', s->out);
}

static void one_service(struct status *s, const struct service *service)
{
	const struct address *at;
	size_t n = service_addresses(service, &at);
	char text[ADDRESS_TEXT];

	if (!s->json) {
		fprintf(s->out, "  %-20s %s%s", service_name(service), service_target(service),
			n || service_is_own(service) ? "" : " (not found)");
		for (size_t i = 0; i < n; i++)
			fprintf(s->out, "%s%s", i ? ", " : " at ", address_text(&at[i], text));
		fputc('\n', s->out);
		return;
	}
	fprintf(s->out, "%s{\"name\":\"%s\",\"target\":", comma(s), service_name(service));
	quoted(s->out, service_target(service));
	fputs(",\"addresses\":[", s->out);
	for (size_t i = 0; i < n; i++)
		fprintf(s->out, "%s\"%s\"", i ? "," : "", address_text(&at[i], text));
	fputs("]}", s->out);
}

static void all_services(struct status *s, const struct server *server)
{
	begin(s, "services");
	if (s->json)
		fputc('[', s->out);
	for (size_t i = 0; i < services_count(server->services); i++)
		one_service(s, services_at(server->services, i));
	if (s->json)
		fputc(']', s->out);
}

static void one_session(void *arg, const char *identity, const struct session *session, bool sealed)
{
	struct status *s = arg;
	struct session_stats stats;

	session_stats(session, &stats);
	if (s->json)
		fprintf(s->out,
			"%s{\"sid\":\"%s\",\"identity\":\"%s\",\"age_s\":%" PRId64 ",\"carriers\":%u,\"exchanges\":%u,"
			"\"channels\":%u,\"sealed\":%s,\"rtt_us\":%" PRIu32 ",\"queued_packets\":%" PRIu64 ",\"queued_bytes\":%" PRIu64
			"}",
			comma(s), session_sid(session), identity, stats.age_us / LOOP_SECOND, stats.carriers, stats.legs,
			stats.channels, sealed ? "true" : "false", stats.rtt_us, stats.queued_packets, stats.queued_bytes);
	else
		fprintf(s->out,
			"  %s of %s: %s%" PRId64 " s old, %u channels, %u carriers, %u exchanges open, round trip %.1f ms, "
			"%" PRIu64 " packets waiting\n",
			session_tag(session), identity, sealed ? "sealed, " : "", stats.age_us / LOOP_SECOND, stats.channels,
			stats.carriers, stats.legs, stats.rtt_us / 1000.0, stats.queued_packets);
}

static void all_sessions(struct status *s, const struct server *server)
{
	begin(s, "sessions");
	if (s->json)
		fputc('[', s->out);
	sessions_each(server->sessions, one_session, s);
	if (s->json)
		fputc(']', s->out);
	else if (!sessions_count(server->sessions))
		fputs("  none\n", s->out);
}

static void all_seals(struct status *s, const struct server *server)
{
	size_t pending = seals_pending(server->seals), in_use = seals_count(server->seals);

	if (s->json) {
		begin(s, "seals");
		fprintf(s->out, "{\"pending\":%zu,\"in_use\":%zu,\"sessions\":%zu}", pending, in_use,
			sessions_sealed(server->sessions));
	} else if (pending || in_use) {
		begin(s, "seals");
		fprintf(s->out, "  %zu in use, %zu being made or not used yet\n", in_use, pending);
	}
}

static void all_counters(struct status *s)
{
	begin(s, "counters");
	if (s->json)
		fputc('{', s->out);
	for (int i = 0; i < COUNTER_COUNT; i++) {
		if (s->json)
			fprintf(s->out, "%s\"%s\":%" PRIu64, comma(s), counter_name((enum counter)i), counters[i]);
		else if (counters[i])
			fprintf(s->out, "  %12" PRIu64 "  %s\n", counters[i], counter_text((enum counter)i));
	}
	if (s->json)
		fputc('}', s->out);
}

static void write_all(const struct server *server, FILE *out, bool json)
{
	static const char *const states[] = { "starting", "ready", "stopping" };
	struct status s = { .out = out, .json = json, .now = loop_now(server->loop) };
	int64_t uptime = (s.now - server->began_us) / LOOP_SECOND;
	size_t connections = connections_count(server->connections), ended = sessions_tombstones(server->sessions);

	if (json)
		fprintf(out, "{\"version\":\"%s\",\"state\":\"%s\",\"uptime_s\":%" PRId64 ",\"epoch\":\"%016" PRIx64
			     "\",\"connections\":%zu,\"ended_sessions\":%zu",
			CULVERT_VERSION, states[server->state], uptime, server->epoch, connections, ended);
	else
		fprintf(out, "culvertd %s, %s, up %" PRId64 " s, %zu connections, %zu sessions (%zu ended in the last 10 min)\n",
			CULVERT_VERSION, states[server->state], uptime, connections, sessions_count(server->sessions), ended);
	listeners(&s, server);
	all_services(&s, server);
	all_sessions(&s, server);
	all_seals(&s, server);
	all_counters(&s);
	if (json)
		fputs("}\n", out);
}

void status_write(void *ctx, FILE *out, size_t n, char *const *words)
{
	bool json = n == 2 && !strcmp(words[1], "json");

	if (n > 0 && !strcmp(words[0], "status") && (n == 1 || json))
		write_all(ctx, out, json);
	else
		fputs("error: say 'status' or 'status json'\n", out);
}
