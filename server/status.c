/*
 * What `culvertd status` shows, as text for people and as JSON for programs.
 * Called by the admin socket.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/rest_tally.h"
#include "server/server.h"
#include "tunnel/carrier.h"
#include "tunnel/counters.h"
#include "tunnel/summary.h"

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
	static const char *const uses[] = { "", " without TLS, for sealed sessions", " without TLS, for reverse proxies" };
	char text[ADDRESS_TEXT];

	begin(s, "listeners");
	if (s->json)
		fputc('[', s->out);
	for (size_t i = 0; i < server->listeners; i++) {
		const struct connections_manner *m = listener_manner(server->listener[i]);

		address_text(listener_address(server->listener[i]), text);
		if (s->json)
			fprintf(s->out, "%s\"%s\"", comma(s), text);
		else
			fprintf(s->out, "  %s%s%s\n", text, uses[m->kind], m->proxy_protocol ? ", with the PROXY protocol" : "");
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

/* ---- media ---- */

static unsigned media_carriers(const struct session *session)
{
	struct carrier *carrier[SESSION_CARRIERS_MAX];
	unsigned n = session_carriers(session, carrier, SESSION_CARRIERS_MAX), taking = 0;

	for (unsigned i = 0; i < n; i++) {
		struct carrier_stats stats;

		carrier_stats(carrier[i], &stats);
		taking += stats.media;
	}
	return taking;
}

static bool is_media(const struct session_stats *stats)
{
	uint64_t any = 0;

	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		any += stats->class[c].sent + stats->class[c].packets + stats->class[c].full + stats->class[c].deadline +
		       stats->class[c].frame;
	return any > 0;
}

static void media_text(struct status *s, const struct session *session, const struct session_stats *stats)
{
	const struct redundancy_stats *r = &stats->redundancy;
	struct summary summary = { .carriers = media_carriers(session), .on = r->on, .why = r->why,
				   .left_ms = r->until_us > s->now ? (r->until_us - s->now) / LOOP_MS : -1,
				   .queue_ms = stats->path_queue_us / 1000.0, .rate = stats->rate, .recent = stats->recent };
	char text[SUMMARY_TEXT];

	if (!is_media(stats))
		return;
	fprintf(s->out, "    media: %s\n", summary_line(&summary, text));
	if (summary_warning(&summary, text))
		fprintf(s->out, "    warning: %s\n", text);
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		uint64_t dropped = stats->class[c].full + stats->class[c].deadline + stats->class[c].frame;

		if (stats->class[c].sent || dropped)
			fprintf(s->out, "    %-7s %" PRIu64 " sent, %" PRIu64 " dropped, wait %.1f ms, %" PRIu64 " waiting\n",
				traffic_name((enum traffic)c), stats->class[c].sent, dropped, stats->class[c].delay_us / 1000.0,
				stats->class[c].packets);
	}
}

static void redundancy_json(struct status *s, const struct redundancy_stats *r, const struct recent_figures *recent)
{
	fprintf(s->out, ",\"redundancy\":{\"on\":%s,\"why\":", r->on ? "true" : "false");
	quoted(s->out, r->why);
	if (r->until_us > s->now)
		fprintf(s->out, ",\"left_ms\":%" PRId64, (r->until_us - s->now) / LOOP_MS);
	else
		fputs(",\"left_ms\":null", s->out);
	fprintf(s->out,
		",\"since_ms\":%" PRId64 ",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"copies\":%" PRIu64 ",\"copy_bytes\":%" PRIu64
		",\"hedges\":%" PRIu64 ",\"hedges_held\":%" PRIu64 ",\"evidence\":%" PRIu64
		",\"recent\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"again\":%" PRIu64 ",\"again_bytes\":%" PRIu64 "}}",
		r->since_us ? (s->now - r->since_us) / LOOP_MS : 0, r->packets, r->bytes, r->copies, r->copy_bytes, r->hedges,
		r->hedges_held, r->evidence, recent->packets, recent->bytes, recent->again, recent->again_bytes);
}

/* The same figures as the helper's `culvert status --json` has, of this end. */
static void media_json(struct status *s, const struct session *session, const struct session_stats *stats)
{
	fprintf(s->out,
		",\"media\":{\"carriers\":%u,\"queue_ms\":%.3f,\"rate\":%" PRIu64 ",\"in_flight\":%" PRIu64 ",\"in_flight_bound\":%" PRIu64
		",\"recent_ms\":%" PRId64 ",\"classes\":{",
		media_carriers(session), stats->path_queue_us / 1000.0, stats->rate, stats->in_flight, stats->in_flight_bound,
		stats->recent_us / LOOP_MS);
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		fprintf(s->out,
			"%s\"%s\":{\"waiting_packets\":%" PRIu64 ",\"waiting_bytes\":%" PRIu64 ",\"delay_ms\":%.3f,\"deadline_ms\":%" PRIu32
			",\"sent\":%" PRIu64 ",\"dropped\":{\"full\":%" PRIu64 ",\"deadline\":%" PRIu64 ",\"frame\":%" PRIu64
			"},\"recent\":{\"sent\":%" PRIu64 ",\"dropped\":%" PRIu64 "}}",
			c ? "," : "", traffic_name((enum traffic)c), stats->class[c].packets, stats->class[c].bytes,
			stats->class[c].delay_us / 1000.0, traffic_deadline_ms((enum traffic)c), stats->class[c].sent,
			stats->class[c].full, stats->class[c].deadline, stats->class[c].frame, stats->recent.sent[c],
			stats->recent.dropped[c]);
	fputc('}', s->out);
	redundancy_json(s, &stats->redundancy, &stats->recent);
	fputc('}', s->out);
}

/* ---- sessions ---- */

struct sessions_seen {
	struct status *status;
	unsigned copying, full;	/* sessions whose second copies are on, whose path does not carry what comes in */
	uint64_t packets, again, bytes, again_bytes, in_flight; /* in the last seconds, of all sessions */
	uint32_t queue_us;	/* the longest on a path */
};

static void add_session(struct sessions_seen *all, const struct session_stats *stats)
{
	struct summary summary = { .why = "", .recent = stats->recent };
	char text[SUMMARY_TEXT];

	all->copying += stats->redundancy.on;
	all->full += summary_warning(&summary, text);
	all->packets += stats->recent.packets;
	all->bytes += stats->recent.bytes;
	all->again += stats->recent.again;
	all->again_bytes += stats->recent.again_bytes;
	all->in_flight += stats->in_flight;
	if (stats->path_queue_us > all->queue_us)
		all->queue_us = stats->path_queue_us;
}

static void one_session(void *arg, const struct sessions_one *one)
{
	const struct session *session = one->session;
	struct sessions_seen *all = arg;
	struct status *s = all->status;
	struct session_stats stats;

	session_stats(session, &stats);
	add_session(all, &stats);
	if (!s->json && one->tenant) {
		fprintf(s->out, "  %s of %s from %s: ", session_tag(session), one->identity, one->peer);
		rest_tally_write_session(one->tenant, s->out, false);
		fprintf(s->out, ", %" PRId64 " s old\n", stats.age_us / LOOP_SECOND);
		return;
	}
	if (!s->json) {
		fprintf(s->out,
			"  %s of %s from %s: %s%" PRId64 " s old, %u channels, %u carriers, %u exchanges open, round trip %.1f ms, "
			"%" PRIu64 " packets waiting\n",
			session_tag(session), one->identity, one->peer, one->sealed ? "sealed, " : "", stats.age_us / LOOP_SECOND, stats.channels,
			stats.carriers, stats.legs, stats.rtt_us / 1000.0, stats.queued_packets);
		media_text(s, session, &stats);
		return;
	}
	fprintf(s->out,
		"%s{\"sid\":\"%s\",\"identity\":\"%s\",\"client\":\"%s\",\"age_s\":%" PRId64 ",\"carriers\":%u,\"exchanges\":%u,"
		"\"channels\":%u,\"sealed\":%s,\"rtt_us\":%" PRIu32 ",\"queued_packets\":%" PRIu64 ",\"queued_bytes\":%" PRIu64,
		comma(s), session_sid(session), one->identity, one->peer, stats.age_us / LOOP_SECOND, stats.carriers, stats.legs, stats.channels,
		one->sealed ? "true" : "false", stats.rtt_us, stats.queued_packets, stats.queued_bytes);
	media_json(s, session, &stats);
	if (one->tenant)
		rest_tally_write_session(one->tenant, s->out, true);
	fputc('}', s->out);
}

/* What the sessions have in common. */
static void all_media(struct status *s, const struct sessions_seen *all)
{
	if (s->json) {
		begin(s, "media");
		fprintf(s->out,
			"{\"second_copies\":%u,\"overloaded\":%u,\"longest_queue_ms\":%.3f,\"in_flight\":%" PRIu64
			",\"recent\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"again\":%" PRIu64 ",\"again_bytes\":%" PRIu64 "}}",
			all->copying, all->full, all->queue_us / 1000.0, all->in_flight, all->packets, all->bytes, all->again,
			all->again_bytes);
	} else if (all->packets || all->copying || all->full) {
		begin(s, "media");
		fprintf(s->out,
			"  second copies for %u sessions, +%.0f %% bytes; longest queue on a path %.0f ms; %u sessions send more than their "
			"path carries\n",
			all->copying, summary_percent(all->again_bytes, all->bytes), all->queue_us / 1000.0, all->full);
	}
}

static void all_sessions(struct status *s, const struct server *server)
{
	struct sessions_seen all = { .status = s };

	begin(s, "sessions");
	if (s->json)
		fputc('[', s->out);
	sessions_each(server->sessions, one_session, &all);
	if (s->json)
		fputc(']', s->out);
	else if (!sessions_count(server->sessions))
		fputs("  none\n", s->out);
	all_media(s, &all);
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

static void signalling(struct status *s, const struct server *server)
{
	if (!server->rest)
		return;
	begin(s, "rest");
	rest_tally_write(server->rest, server->sessions, s->out, s->json);
}

static void website(struct status *s, const struct server *server)
{
	struct fallback_stats f;

	if (!server->fallback)
		return;
	fallback_stats(server->fallback, &f);
	begin(s, "website");
	if (!s->json) {
		fprintf(s->out,
			"  %s: %" PRIu64 " requests, %" PRIu64 " failed, %zu in flight (%zu wait for a connection); %zu connections, %zu idle\n",
			fallback_url(server->fallback), f.requests, f.failures, f.in_flight, f.website.waiting, f.website.connections, f.website.idle);
		return;
	}
	fputs("{\"url\":", s->out);
	quoted(s->out, fallback_url(server->fallback));
	fprintf(s->out,
		",\"requests\":%" PRIu64 ",\"failures\":%" PRIu64 ",\"in_flight\":%zu,\"waiting\":%zu,\"connections\":%zu,\"idle\":%zu}",
		f.requests, f.failures, f.in_flight, f.website.waiting, f.website.connections, f.website.idle);
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
	signalling(&s, server);
	website(&s, server);
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
