/* The world: helper, lanes and server. Traffic is in world_flow.c. */
#include "tests/sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "tests/sim/world_flow.h"
#include "tunnel/websocket_exchange.h"
#include "tunnel/websocket_handshake.h"

bool world_http2;

/* ---- server ---- */

static void session_over(void *ctx, uint64_t code, const char *reason)
{
	struct server_session *ss = ctx;

	(void)code, (void)reason;
	session_free(ss->session);
	ss->session = NULL;
	ss->ended = true;
}

static struct carrier *random_pick(void *ctx, struct carrier **carriers, unsigned n)
{
	struct world *w = ctx;

	return n ? carriers[loop_random_u64(w->loop) % n] : NULL;
}

static uint64_t server_open(void *ctx, struct channel *ch, const struct message_open *m, struct channel_params *params,
			    const struct endpoint_ops **ops, void **endpoint, const char **sentence)
{
	struct server_session *ss = ctx;

	(void)m;
	if (ss->w->refuse) {
		*sentence = "refused by the test";
		return ss->w->refuse;
	}
	if (ss->w->open)
		return ss->w->open(ss->w, ch, params, ops, endpoint, sentence);
	return flow_accept(ss->w, ch, params, ops, endpoint);
}

static const struct session_events server_events = { .open = server_open, .ended = session_over };

static struct server_session *find(struct world *w, const char *sid)
{
	for (unsigned i = 0; i < WORLD_SESSIONS; i++)
		if (strcmp(w->server[i].sid, sid) == 0)
			return &w->server[i];
	return NULL;
}

static struct server_session *create(struct world *w, const char *sid)
{
	for (unsigned i = 0; i < WORLD_SESSIONS; i++) {
		struct server_session *ss = &w->server[i];

		if (ss->sid[0])
			continue;
		ss->w = w;
		snprintf(ss->sid, sizeof ss->sid, "%s", sid);
		ss->session = session_new(w->loop, SESSION_SERVER, &w->config, w->pool, sid, &server_events, ss);
		session_identify(ss->session, 1, w->epoch);
		if (w->spray)
			session_set_pick(ss->session, random_pick, w);
		return ss;
	}
	abort();
}

static int drop_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void drop_closed(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct exchange_events dropped = { NULL, drop_body, nothing, nothing, drop_closed };

static void not_found(struct exchange *x)
{
	static const struct exchange_head head = { .status = 404, .lines = "" };
	size_t cap;

	x->events = &dropped;
	if (exchange_room(x, 1, &cap))
		exchange_send(x, &head, 0, true);
}

void world_serve(struct world *w, struct exchange *x, const struct request *r, const struct http1_head *head)
{
	struct server_session *ss = find(w, r->sid);

	if (r->mode == MODE_WEBSOCKET && !head->protocol.n) {	/* that was lost on the way */
		not_found(x);
		return;
	}
	if (r->mode == MODE_WEBSOCKET) {
		assert(websocket_handshake_refusal(head) == 0);	/* the helper never asks for another */
		x = websocket_server(w->loop, x, head);
	}
	if (r->has_epoch && r->epoch != w->epoch)
		carrier_answer(w->loop, x, CAPSULE_GONE, CODE_EPOCH, "restarted");
	else if (ss && ss->ended)
		carrier_answer(w->loop, x, CAPSULE_GONE, CODE_ENDED, "tombstone");
	else if (!ss && r->mode != MODE_HELLO)
		carrier_answer(w->loop, x, CAPSULE_GONE, CODE_UNKNOWN_SESSION, "unknown");
	else
		carrier_accept((ss ? ss : create(w, r->sid))->session, r, x, head);
}

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct connection *c = ctx;
	struct world *w = c->w;
	struct request r;
	struct span path;

	w->requests++;
	if (request_parse(&r, "/culvert", head->target, &path) < 0)
		abort();	/* the helper never sends such a thing */
	w->modes[r.mode]++;
	if (w->front)
		w->front(w->front_ctx, x, head);
	else
		world_serve(w, x, &r, head);
}

static void on_closed(void *ctx, int error)
{
	struct connection *c = ctx;

	(void)error;
	link_remove(&c->link);
	free(c);
}

static void unused_idle(void *ctx)
{
	(void)ctx;
}

static const struct http_events http_events = { .request = on_request, .idle = unused_idle, .closed = on_closed };

void world_accept(void *ctx, struct stream *s)
{
	struct world *w = ctx;
	struct connection *c = calloc(1, sizeof *c);

	c->w = w;
	list_append(&w->connections, &c->link);
	c->http = http_server(w->loop, s, &http_limits_default, &http_events, c);
}

void world_cut(struct world *w)
{
	struct link *next;

	for (struct link *l = w->connections.next; l != &w->connections; l = next) {
		next = l->next;
		stream_mem_cut(http_stream(list_entry(l, struct connection, link)->http));
	}
}

void world_stall(struct world *w, bool on)
{
	for (struct link *l = w->connections.next; l != &w->connections; l = l->next) {
		struct stream *s = http_stream(list_entry(l, struct connection, link)->http);

		stream_mem_stall(s, on);
		stream_mem_stall(stream_mem_peer(s), on);
	}
}

void world_restart(struct world *w)
{
	for (unsigned i = 0; i < WORLD_SESSIONS; i++) {
		session_free(w->server[i].session);
		memset(&w->server[i], 0, sizeof w->server[i]);
	}
	w->epoch++;
	world_cut(w);
}

/* ---- helper ---- */

static void helper_ended(void *ctx, uint64_t code, const char *reason)
{
	struct world *w = ctx;

	(void)reason;
	w->helper_ended = true;
	w->helper_code = code;
}

static void helper_welcome(void *ctx)
{
	struct world *w = ctx;

	if (w->welcome)
		w->welcome(w->welcome_ctx);
}

static void helper_carriers(void *ctx, unsigned wanted)
{
	struct world *w = ctx;

	if (w->carriers)
		w->carriers(w->carriers_ctx, wanted);
}

static const struct session_events helper_events = { .welcome = helper_welcome, .carriers = helper_carriers, .ended = helper_ended };

static size_t sign(void *ctx, char *out, size_t cap, const char *method, const char *target)
{
	(void)ctx, (void)method, (void)target;
	return (size_t)snprintf(out, cap, "Culvert test");
}

static bool no_clock(void *ctx, int64_t date)
{
	(void)ctx, (void)date;
	return false;
}

static void lane_proven(void *ctx, struct carrier *c)
{
	struct lane *lane = ctx;

	(void)c;
	lane->proven++;
}

static void lane_failed(void *ctx, struct carrier *c, int error, const char *why)
{
	struct lane *lane = ctx;

	(void)error;
	lane->failed++;
	snprintf(lane->why, sizeof lane->why, "%s", why);
	carrier_free(c);
	lane->carrier = NULL;
	timer_in(&lane->again, 50 * LOOP_MS);
}

static void lane_stalled(void *ctx, struct carrier *c, bool stalled)
{
	struct lane *lane = ctx;

	(void)c;
	lane->stalled = stalled;
	lane->stalls += stalled;
}

const struct carrier_events world_lane_events = { lane_proven, lane_failed, lane_stalled };

static void lane_open(void *ctx)
{
	struct lane *lane = ctx;

	if (lane->w->helper_ended)
		return;
	lane->carrier = carrier_open(lane->w->helper, lane->rung, &lane->w->path, lane->pool, &world_lane_events, lane);
	if (!lane->carrier)
		abort();
	carrier_trust_soon(lane->carrier);
}

static struct lane *lane_new(struct world *w, const char *rung)
{
	struct lane *lane = &w->lane[w->lanes++];

	lane->w = w;
	lane->rung = rung_find(rung);
	timer_init(&lane->again, w->loop, lane_open, lane);
	return lane;
}

struct lane *world_lane(struct world *w, const char *rung, const struct proxy_options *o, unsigned limit)
{
	struct lane *lane = lane_new(w, rung);
	struct proxy_options with = *o;

	with.http2 |= world_http2 && o->kind == PROXY_PIPE;
	lane->proxy = proxy_new(w->loop, &with, world_accept, w);
	lane->pool = pool_new(w->loop, proxy_dialler(lane->proxy), limit, &lane->cuts);
	if (with.http2)
		pool_insist(lane->pool);
	lane_open(lane);
	return lane;
}

struct lane *world_relay_lane(struct world *w, const char *rung, const struct relay_options *o, unsigned limit)
{
	struct lane *lane = lane_new(w, rung);

	lane->relay = relay_new(w->loop, o, world_accept, w);
	lane->pool = pool_new(w->loop, relay_dialler(lane->relay), limit, &lane->cuts);
	lane_open(lane);
	return lane;
}

/* ---- world ---- */

struct world *world_new(uint64_t seed, bool spray)
{
	struct world *w = calloc(1, sizeof *w);

	w->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	loop_seed(w->loop, seed);
	w->pool = packet_pool_new(8192, 64);
	w->epoch = 0x1234567890abcdef;
	w->spray = spray;
	w->config = session_config_default;
	w->path = (struct carrier_path){ .host = "test", .base = "/culvert", .user_agent = "culvert/test",
					 .sign = sign, .clock = no_clock, .ctx = w };
	list_init(&w->connections);
	w->helper = session_new(w->loop, SESSION_HELPER, &w->config, w->pool, NULL, &helper_events, w);
	if (spray)
		session_set_pick(w->helper, random_pick, w);
	return w;
}

void world_free(struct world *w)
{
	for (unsigned i = 0; i < w->lanes; i++) {
		timer_stop(&w->lane[i].again);
		if (w->lane[i].carrier)
			carrier_free(w->lane[i].carrier);
	}
	session_free(w->helper);
	for (unsigned i = 0; i < w->lanes; i++) {
		pool_free(w->lane[i].pool);
		if (w->lane[i].proxy)
			proxy_free(w->lane[i].proxy);
		if (w->lane[i].relay)
			relay_free(w->lane[i].relay);
	}
	for (unsigned i = 0; i < WORLD_SESSIONS; i++)
		session_free(w->server[i].session);
	while (!list_empty(&w->connections))
		http_close(list_entry(w->connections.next, struct connection, link)->http);
	if (w->front_over)
		w->front_over(w->front_ctx);
	loop_advance(w->loop, loop_now(w->loop) + LOOP_SECOND);
	packet_pool_free(w->pool);
	loop_free(w->loop);
	free(w);
}

void world_run(struct world *w, int64_t us)
{
	loop_advance(w->loop, loop_now(w->loop) + us);
}

static bool connected(const struct world *w)
{
	for (unsigned i = 0; i < w->lanes; i++)
		if (!w->lane[i].carrier || !carrier_is_proven(w->lane[i].carrier))
			return false;
	return session_is_open(w->helper);
}

bool world_connect(struct world *w, int64_t us)
{
	for (int64_t t = 0; t < us && !connected(w); t += 5 * LOOP_MS)
		world_run(w, 5 * LOOP_MS);
	return connected(w);
}
