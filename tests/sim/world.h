/*
 * A world for simulations: a helper session and a server with its sessions in one
 * process, virtual time, real carriers and HTTP engines, scripted proxies between
 * them. Traffic is made and checked here: streams byte by byte, datagrams one by one.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "framing/packet.h"
#include "tests/sim/proxy.h"
#include "tests/sim/relay.h"
#include "tunnel/carrier.h"
#include "tunnel/http.h"
#include "tunnel/list.h"
#include "tunnel/session.h"

#define WORLD_CARRIERS 3
#define WORLD_SESSIONS 8
#define WORLD_FLOWS 16
#define FLOW_SEQUENCES 40000

struct world;

/* One end of a stream flow: sends `total` bytes of a known pattern, checks the peer's. */
struct end {
	struct world *w;
	struct channel *channel;
	bool helper;
	uint64_t total, sent, received;
	uint64_t take;		/* bytes that may be taken now; UINT64_MAX: all */
	uint64_t close_after;	/* leaves when that many bytes came in; 0: never */
	bool finish_sent, finish_seen, closed, wrong, out_of_room;
	uint64_t code;
};

struct stream_flow {
	struct end near, far;
	struct timer start;	/* the server's end begins to send */
	bool used;
};

/* One end of a datagram flow. */
struct port {
	struct world *w;
	struct channel *channel;
	bool helper, closed;
	uint64_t code;
	uint32_t next;		/* sequence of the next packet to send */
	uint8_t got[FLOW_SEQUENCES];
	unsigned received, repeated, wrong;
	int64_t slowest_us, sum_us;
	int64_t last_us, gap_us; /* the newest arrival; the longest time between two since the test set it to 0 */
};

struct datagram_flow {
	struct port near, far;
	bool used;
};

struct lane {			/* one carrier of the helper */
	struct world *w;
	const struct rung *rung;
	struct proxy *proxy;	/* NULL when it is a relay */
	struct relay *relay;
	struct pool *pool;
	struct cuts cuts;
	struct carrier *carrier;
	struct timer again;
	unsigned proven, failed, stalls;
	bool stalled;
	char why[200];
};

struct server_session {
	struct world *w;
	struct session *session;
	char sid[REQUEST_SID_LEN + 1];
	bool ended;
};

struct connection {
	struct link link;
	struct world *w;
	struct http *http;
};

struct world {
	struct loop *loop;
	struct packet_pool *pool;
	struct session *helper;
	bool helper_ended;
	uint64_t helper_code, epoch;
	struct lane lane[WORLD_CARRIERS];
	unsigned lanes;
	struct server_session server[WORLD_SESSIONS];
	struct session_config config;
	struct link connections;
	struct carrier_path path;
	struct stream_flow stream[WORLD_FLOWS];
	struct datagram_flow datagram[WORLD_FLOWS];
	bool spray;
	unsigned requests;	/* that reached the server */
	unsigned modes[16];	/* ... by mode */
	uint64_t refuse;	/* code that opens are refused with */
	enum message_class class; /* of datagrams */
	/* Takes what is opened instead of the flows; as session_events.open. NULL: the flows. */
	uint64_t (*open)(struct world *, struct channel *, struct channel_params *, const struct endpoint_ops **,
			 void **endpoint, const char **sentence);
	/* Takes requests, and gives those that are for sessions to world_serve. NULL: they go there. */
	void (*front)(void *ctx, struct exchange *, const struct http1_head *);
	void (*front_over)(void *ctx);	/* all connections are gone, the loop not yet */
	void *front_ctx;
	bool no_auto_finish;
	void (*welcome)(void *ctx); /* the helper may open channels; NULL: nothing to do */
	void *welcome_ctx;
	void (*carriers)(void *ctx, unsigned wanted); /* the helper's session wants so many; NULL: nobody cares */
	void *carriers_ctx;
};

extern bool world_http2;	/* lanes through PIPE proxies speak HTTP/2 */

struct world *world_new(uint64_t seed, bool spray);
void world_free(struct world *);
/* Adds a carrier on this rung through a proxy of these options. */
struct lane *world_lane(struct world *, const char *rung, const struct proxy_options *, unsigned limit);
/* The same through a relay. */
struct lane *world_relay_lane(struct world *, const char *rung, const struct relay_options *, unsigned limit);
/* What a lane takes note of; ctx: the lane. */
extern const struct carrier_events world_lane_events;
/* Takes the server's end of a connection; ctx: the world. */
void world_accept(void *ctx, struct stream *);
void world_run(struct world *, int64_t us);
/* A request for a session of the server. */
void world_serve(struct world *, struct exchange *, const struct request *, const struct http1_head *);
/* Runs until the session is open and every lane proven, or time is over: true if so. */
bool world_connect(struct world *, int64_t us);
/* Cuts all PIPE connections at once. */
void world_cut(struct world *);
/* What this end of every PIPE connection sends waits. */
void world_stall(struct world *, bool on);
/* The server forgets everything and has a new epoch. */
void world_restart(struct world *);

/* Opens a stream flow: total bytes each way. */
struct stream_flow *world_stream(struct world *, uint64_t up, uint64_t down);
/* Both directions complete and closed in order. */
bool world_stream_done(const struct stream_flow *);
/* True as long as nothing wrong was seen. */
bool world_stream_right(const struct stream_flow *);
void world_stream_resume(struct end *, uint64_t take);
/* So many bytes more to send (world.no_auto_finish is set as long as there may be more). */
void world_stream_feed(struct end *, uint64_t more);

struct datagram_flow *world_datagram(struct world *);
/* Sends one packet of n bytes (at least 12). */
void world_send(struct port *, size_t n);
/* Sends `count` packets each way, one each `every` us, in this world's time. */
void world_call(struct world *, struct datagram_flow *, unsigned count, int64_t every_us, size_t n);
/* The last byte each way, up to 30 s for it; asserts that all of the stream arrived and no datagram came wrong or twice. Frees the world. */
void world_end(struct world *, struct stream_flow *, struct datagram_flow *);

#endif
