/*
 * What a peer may do how often, beyond what nghttp2 caps by itself. Each limit is far above what
 * programs do that mean well; at one the connection ends with ENHANCE_YOUR_CALM.
 *
 *   frames that carry nothing (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA): a rate, and some for each
 *   frame that we sent and each request, which peers answer with them;
 *   streams reset, by the peer or by us because of what it did: a rate;
 *   bytes that are for nobody (frames of unknown types, padding, what still comes for a stream that was reset): a rate, and as
 *   many at once as may be under way when streams are reset.
 *
 * A trusted proxy has the first two for each of many clients: visitors who leave are no attack of its.
 */
#include "tunnel/h2_internal.h"
#include "tunnel/log.h"

#define CONTROL_MAX 2000
#define CONTROL_RATE 200	/* each second */
#define CONTROL_PER_FRAME 2
#define CONTROL_PER_REQUEST 4
#define RESETS_MAX 200
#define RESETS_RATE 20
#define RESETS_HUGE 20	/* what a head that is far too long counts for: a few bytes stand for much work */
#define WASTE_MAX H2_WINDOW_CONNECTION
#define WASTE_RATE (1 << 20)
#define ACKS_MAX 200		/* acknowledgements of ours that wait */
#define MEMORY (100 * LOOP_SECOND)
#define TOKEN 1000		/* budgets are counted in thousandths */

void h2_limits_options(nghttp2_option *o)
{
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_stream_reset_rate_limit(o, http_limits_proxy.peers * RESETS_MAX, http_limits_proxy.peers * RESETS_RATE);
	nghttp2_option_set_peer_max_concurrent_streams(o, H2_STREAMS_MAX);
	nghttp2_option_set_builtin_recv_extension_type(o, NGHTTP2_PRIORITY_UPDATE);
}

static int64_t peers(const struct h2 *h)
{
	return h->limits && h->limits->peers ? h->limits->peers : 1;
}

void h2_limits_init(struct h2 *h)
{
	h->control = (struct h2_budget){ peers(h) * CONTROL_MAX * TOKEN, loop_now(h->loop) };
	h->resets = (struct h2_budget){ peers(h) * RESETS_MAX * TOKEN, loop_now(h->loop) };
	h->waste = (struct h2_budget){ (int64_t)WASTE_MAX * TOKEN, loop_now(h->loop) };
}

static void earn(struct h2_budget *b, int64_t tokens, int64_t max)
{
	b->left += tokens * TOKEN;
	if (b->left > max * TOKEN)
		b->left = max * TOKEN;
}

/* So many are taken; what the time since the last one has earned is added first. */
static void take(struct h2 *h, struct h2_budget *b, int64_t tokens, int64_t rate, int64_t max, const char *what)
{
	int64_t now = loop_now(h->loop), passed = now - b->at < MEMORY ? now - b->at : MEMORY;
	int64_t earned = passed * rate * TOKEN / LOOP_SECOND;

	if (earned >= TOKEN) {
		b->left = b->left + earned < max * TOKEN ? b->left + earned : max * TOKEN;
		b->at = now;
	}
	b->left -= tokens * TOKEN;
	if (b->left >= 0 || h->calm)
		return;
	h->calm = true;
	log_limited(LOG_LEVEL_INFO, "http", "", "an HTTP/2 connection is closed: too many %s", what);
}

static void take_control(struct h2 *h)
{
	take(h, &h->control, 1, peers(h) * CONTROL_RATE, peers(h) * CONTROL_MAX, "frames that carry nothing");
}

void h2_limits_frame(struct h2 *h, const nghttp2_frame_hd *hd, bool live)
{
	bool new = h->role->server && hd->stream_id > h->newest;

	if (hd->type == NGHTTP2_HEADERS && (new || live)) {
		earn(&h->control, CONTROL_PER_REQUEST, peers(h) * CONTROL_MAX);
		h->newest = new ? hd->stream_id : h->newest;
	} else {
		take_control(h);
	}
	h2_limits_useful(h, H2_FRAME_HEAD + hd->length);
}

void h2_limits_data(struct h2 *h, const nghttp2_data *d, bool live)
{
	if (d->hd.length > d->padlen && live)
		h2_limits_useful(h, H2_FRAME_HEAD + d->padlen);
	else if (d->hd.length == d->padlen && !(d->hd.flags & NGHTTP2_FLAG_END_STREAM))
		take_control(h);
}

void h2_limits_received(struct h2 *h, size_t n)
{
	take(h, &h->waste, (int64_t)n, WASTE_RATE, WASTE_MAX, "bytes for nobody");
}

void h2_limits_useful(struct h2 *h, size_t n)
{
	earn(&h->waste, (int64_t)n, WASTE_MAX);
}

void h2_limits_sent(struct h2 *h)
{
	earn(&h->control, CONTROL_PER_FRAME, peers(h) * CONTROL_MAX);
}

void h2_limits_reset(struct h2 *h)
{
	take(h, &h->resets, 1, peers(h) * RESETS_RATE, peers(h) * RESETS_MAX, "streams reset");
}

void h2_limits_huge(struct h2 *h)
{
	take(h, &h->resets, RESETS_HUGE, peers(h) * RESETS_RATE, peers(h) * RESETS_MAX, "heads without an end");
}
