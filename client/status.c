/*
 * Gathers the status of a helper. Asked through the control socket; reads
 * sessions, carriers, the ladder and the local ports.
 */
#include "client/status.h"

#include <stdlib.h>
#include <string.h>

#include "client/ingress.h"
#include "client/ladder.h"
#include "client/options.h"
#include "client/route.h"
#include "client/witness.h"
#include "tunnel/carrier.h"
#include "tunnel/channel.h"
#include "tunnel/pool.h"
#include "tunnel/session.h"

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

#define COPY(field, text) copy(field, sizeof(field), text)

static void *several(size_t n, size_t size)
{
	void *p = n ? calloc(n, size) : NULL;

	if (n && !p)
		abort();
	return p;
}

static void session(struct status_session *out, const struct session *session, const struct session_stats *stats)
{
	out->there = true;
	COPY(out->tag, session_tag(session));
	out->age_ms = stats->age_us / LOOP_MS;
	out->channels = stats->channels;
	out->queued_packets = (int64_t)stats->queued_packets;
	out->queued_bytes = (int64_t)stats->queued_bytes;
	out->rtt_ms = stats->rtt_us / 1000.0;
}

static void redundancy(struct status_redundancy *out, const struct session_stats *stats, int64_t now)
{
	const struct redundancy_stats *r = &stats->redundancy;
	const struct recent_figures *recent = &stats->recent;

	out->on = r->on;
	COPY(out->why, r->why);
	out->since_ms = r->since_us ? (now - r->since_us) / LOOP_MS : 0;
	out->left_ms = r->until_us > now ? (r->until_us - now) / LOOP_MS : -1;
	out->packets = (int64_t)r->packets;
	out->bytes = (int64_t)r->bytes;
	out->copies = (int64_t)r->copies;
	out->copy_bytes = (int64_t)r->copy_bytes;
	out->hedges = (int64_t)r->hedges;
	out->hedges_held = (int64_t)r->hedges_held;
	out->evidence = (int64_t)r->evidence;
	out->recent = (struct status_redundancy_recent){ (int64_t)recent->packets, (int64_t)recent->bytes, (int64_t)recent->again,
							 (int64_t)recent->again_bytes };
}

static void media(struct status_media *out, const struct session_stats *stats, int64_t now)
{
	out->there = true;
	out->queue_ms = stats->path_queue_us / 1000.0;
	out->rate = (int64_t)stats->rate;
	out->in_flight = (int64_t)stats->in_flight;
	out->in_flight_bound = (int64_t)stats->in_flight_bound;
	out->recent_ms = stats->recent_us / LOOP_MS;
	for (unsigned i = 0; i < TRAFFIC_CLASSES; i++) {
		struct status_class *c = &out->class[i];

		c->waiting_packets = (int64_t)stats->class[i].packets;
		c->waiting_bytes = (int64_t)stats->class[i].bytes;
		c->delay_ms = stats->class[i].delay_us / 1000.0;
		c->deadline_ms = traffic_deadline_ms((enum traffic)i);
		c->sent = (int64_t)stats->class[i].sent;
		c->dropped.full = (int64_t)stats->class[i].full;
		c->dropped.deadline = (int64_t)stats->class[i].deadline;
		c->dropped.frame = (int64_t)stats->class[i].frame;
		c->recent.sent = (int64_t)stats->recent.sent[i];
		c->recent.dropped = (int64_t)stats->recent.dropped[i];
	}
	redundancy(&out->redundancy, stats, now);
}

/* From one time to another, -1 when the other has not come. */
static int64_t after(int64_t from_us, int64_t to_us)
{
	return to_us ? (to_us - from_us) / LOOP_MS : -1;
}

static void path(struct status_path *out, const struct ladder *ladder, int64_t now)
{
	struct ladder_status l = { .duplex = "unknown", .up = "unknown", .down = "unknown" };

	if (ladder)
		ladder_status(ladder, &l);
	COPY(out->rung, l.rung ? l.rung->name : "");
	COPY(out->why, l.why);
	out->since_ms = l.rung ? after(l.since_us, now) : 0;
	out->connected_after_ms = after(l.begun_us, l.connected_us);
	out->rung_after_ms = after(l.begun_us, l.rung_us);
	out->changes = l.changes;
	out->stalls = l.stalls;
	out->fleet.wanted = l.carriers_wanted;
	out->fleet.most = l.carriers_most;
	out->fleet.replaced = l.carriers_replaced;
	out->fleet.failed = l.carriers_failed;
	COPY(out->fleet.why, l.carriers_why);
	COPY(out->findings.duplex, l.duplex);
	COPY(out->findings.up, l.up);
	COPY(out->findings.down, l.down);
	out->next_probe_ms = l.next_probe_us > now ? after(now, l.next_probe_us) : l.next_probe_us ? 0 : -1;
}

static void budget(struct status_path *out, const struct pool *pool)
{
	const struct cuts *cuts = pool_cuts(pool);

	if (pool_peak(pool) > 0)
		COPY(out->http, pool_is_http2(pool) ? "HTTP/2" : "HTTP/1.1");
	out->connections.open = pool_open_count(pool);
	out->connections.limit = pool_limit(pool);
	out->connections.peak = pool_peak(pool);
	out->cuts.age_ms = cuts->seen.age_us / LOOP_MS;
	out->cuts.idle_ms = cuts->seen.idle_us / LOOP_MS;
	out->cuts.bytes = (int64_t)cuts->seen.bytes;
	out->cuts.count = cuts->count;
}

static void carriers(struct status *out, const struct session *session)
{
	struct carrier *carrier[SESSION_CARRIERS_MAX];
	unsigned n = session_carriers(session, carrier, SESSION_CARRIERS_MAX);

	out->carrier = several(n, sizeof *out->carrier);
	out->carriers = n;
	for (unsigned i = 0; i < n; i++) {
		struct status_carrier *c = &out->carrier[i];
		struct carrier_stats stats;

		carrier_stats(carrier[i], &stats);
		c->id = stats.id;
		COPY(c->rung, stats.rung);
		c->proven = stats.proven;
		c->stalled = stats.stalled;
		c->legs = stats.legs;
		c->rtt_ms = stats.rtt_us / 1000.0;
		c->lateness_ms = stats.lateness_ms;
		c->records_out = (int64_t)stats.records_out;
		c->records_in = (int64_t)stats.records_in;
		c->records_lost = (int64_t)stats.records_lost;
		c->exchanges = (int64_t)stats.exchanges;
		c->media = stats.media;
		c->streams = stats.streams;
		c->in_flight = (int64_t)stats.in_flight;
		c->rate = (int64_t)stats.rate;
		c->overdue_ms = stats.overdue_ms;
	}
}

static void forward(struct status_forward *out, const struct ingress *i, int64_t now)
{
	const struct channel_traffic *t = &i->total;

	COPY(out->scheme, i->kind->scheme);
	COPY(out->local, i->local);
	COPY(out->service, i->service);
	out->flows = i->flows;
	out->packets_in = (int64_t)t->packets_in;
	out->packets_out = (int64_t)t->packets_out;
	out->bytes_in = (int64_t)t->bytes_in;
	out->bytes_out = (int64_t)t->bytes_out;
	/* Not repeats: those were delivered. */
	out->dropped = (int64_t)(i->dropped + t->dropped.full + t->dropped.deadline + t->dropped.frame + t->dropped.late);
	out->last_ms = i->reached_us ? (now - i->reached_us) / LOOP_MS : -1;
}

static void channel(void *arg, const struct channel *channel)
{
	struct status *out = arg;
	struct status_channel *c = &out->channel[out->channels++];
	struct channel_stats stats;

	channel_stats(channel, &stats);
	c->id = (int64_t)stats.id;
	COPY(c->kind, stats.kind == KIND_DATAGRAM ? "datagram" : stats.kind == KIND_MESSAGE ? "message" : "stream");
	COPY(c->service, stats.service);
	c->packets_in = (int64_t)stats.traffic.packets_in;
	c->packets_out = (int64_t)stats.traffic.packets_out;
	c->bytes_in = (int64_t)stats.traffic.bytes_in;
	c->bytes_out = (int64_t)stats.traffic.bytes_out;
	c->dropped.full = (int64_t)stats.traffic.dropped.full;
	c->dropped.deadline = (int64_t)stats.traffic.dropped.deadline;
	c->dropped.frame = (int64_t)stats.traffic.dropped.frame;
	c->dropped.late = (int64_t)stats.traffic.dropped.late;
	c->dropped.repeat = (int64_t)stats.traffic.dropped.repeat;
	c->deadline_ms = channel_params(channel)->deadline_ms;
	c->late = c->dropped.deadline + c->dropped.late;
	c->queue = stats.send_queue;
}

static void of_session(struct status *out, const struct session *s, int64_t now)
{
	struct session_stats stats;

	session_stats(s, &stats);
	session(&out->session, s, &stats);
	media(&out->media, &stats, now);
	carriers(out, s);
	out->channel = several((size_t)out->session.channels, sizeof *out->channel);
	session_each_channel(s, channel, out);
}

/* The way to the server: which proxies, as whom, and what is shown at its end. */
static void way(struct status *out, const struct status_source *from)
{
	const struct proxy_chain *chain = route_chain(from->route);
	const struct proxy_list *list = route_list(from->route);
	const char *text = route_text(from->route);

	if (!chain)
		chain = &from->options->proxy;
	COPY(out->proxy, chain->n && strcmp(text, "direct") != 0 ? text : "");
	if (chain->n && !out->proxy[0])
		proxy_chain_text(chain, out->proxy, sizeof out->proxy);
	COPY(out->proxy_from, list ? list->from : "");
	out->candidates = list ? list->n : 0;
	out->candidate = several(out->candidates, sizeof *out->candidate);
	for (size_t i = 0; i < out->candidates; i++) {
		proxy_chain_text(&list->chain[i], out->candidate[i].proxy, sizeof out->candidate[i].proxy);
		out->candidate[i].used = proxy_chain_equal(&list->chain[i], chain);
	}
	out->login = several(PROXY_HOPS_MAX, sizeof *out->login);
	for (unsigned i = 0; i < chain->n; i++) {
		const struct auth *auth = route_auth(from->route, i);
		struct status_login *l = &out->login[out->logins];

		if (!auth || auth_scheme(auth) == AUTH_NONE)
			continue;
		out->logins++;
		COPY(l->proxy, chain->hop[i].shown);
		COPY(l->scheme, auth_scheme_name(auth_scheme(auth)));
		COPY(l->user, auth_user(auth));
	}
	out->sealed = from->sealed;
}

static void certificate(struct status_certificate *out, const struct witness *w)
{
	if (!w->seen.n)
		return;
	out->there = true;
	issuer_name(&w->seen, out->issuer);
	COPY(out->words, w->words);
	COPY(out->expected, issuer_expected(w->kind));
	pin_text(w->seen.chain[0].pin, out->pin);
}

void status_gather(struct status *out, const struct status_source *from)
{
	const struct options *o = from->options;
	int64_t now = loop_now(from->loop);
	bool connected = from->session && from->ladder && ladder_carrier(from->ladder) && session_is_open(from->session);

	memset(out, 0, sizeof *out);
	COPY(out->version, CULVERT_VERSION);
	out->uptime_ms = (now - from->begun_us) / LOOP_MS;
	COPY(out->server, o->server.url);
	way(out, from);
	certificate(&out->certificate, from->witness);
	COPY(out->identity, from->identity);
	COPY(out->state, from->stopping ? "stopping" : connected ? "connected" : "connecting");
	COPY(out->trouble, from->trouble);
	if (from->session)
		of_session(out, from->session, now);
	path(&out->path, from->ladder, now);
	if (from->pool)
		budget(&out->path, from->pool);
	out->forward = several(from->n_ingress, sizeof *out->forward);
	out->forwards = from->n_ingress;
	for (size_t i = 0; i < from->n_ingress; i++)
		forward(&out->forward[i], from->ingress[i], now);
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		out->counter[i] = (int64_t)counters[i];
}
