/*
 * Destinations. Asked by the server for each OPEN with an address; asks the policy and the resolver, and hands over to the egress kinds.
 * A name is judged by the addresses that it has now, and one of those that passed is connected to: it is not looked up again.
 */
#include "server/destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/session.h"

#define KEPT_MAX 16	/* datagrams that wait for the lookup */
#define DATAGRAM_IDLE_MS 120000	/* as a NAT that is to be trusted keeps a mapping (RFC 4787 section 4.3) */

/* The endpoint of a channel while its name is looked up. */
struct destination {
	const struct destinations *with;
	struct channel *channel;
	struct resolve *lookup;
	char host[256];
	struct packet_queue kept;
	bool finished;		/* the helper's half ended */
};

/* Before any lookup: helpers that may go nowhere learn nothing of names. */
static uint64_t none_allowed(const char **sentence)
{
	*sentence = "the server's target policy allows services only (targets)";
	return CODE_FORBIDDEN;
}

/* How many of n addresses are allowed; they move to the front. */
static size_t allowed(const struct destinations *d, const struct channel *channel, const char *name, struct address *to, size_t n,
		      const char **sentence)
{
	const struct policy *policy = policies_of(d->policies, d->identity(channel_session(channel)));
	size_t kept = 0;

	*sentence = "the server's target policy does not allow that address (targets)";
	for (size_t i = 0; i < n; i++) {
		switch (policy_judge(policy, name, &to[i])) {
		case POLICY_ALLOWED:
			to[kept++] = to[i];
			break;
		case POLICY_SPECIAL:
			*sentence = "that is an address of special use (loopback, private, link-local ...), which the server's target policy does not name (targets)";
			break;
		default:
			break;
		}
	}
	return kept;
}

static const struct egress_kind *kind_of(const struct channel *channel)
{
	return channel_params(channel)->kind == KIND_DATAGRAM ? &egress_udp : &egress_tcp;
}

static void say_refused(const struct channel *channel, const char *target, const char *sentence)
{
	log_limited(LOG_LEVEL_WARN, "channel", session_tag(channel_session(channel)), "refused one to %s: %s", target, sentence);
}

/* ---- while it is looked up ---- */

static void destination_free(struct destination *d)
{
	if (d->lookup)
		resolve_cancel(d->lookup);
	packet_queue_clear(&d->kept);
	loop_free_later(d->with->env->loop, d);
}

static void fail(struct destination *d, uint64_t code, const char *sentence)
{
	struct channel *channel = d->channel;

	say_refused(channel, channel_params(channel)->service, sentence);
	destination_free(d);
	channel_close(channel, code, sentence);
}

/* What came in between goes to the one that takes over. */
static void hand_over(struct destination *d, const struct egress_kind *kind, void *endpoint)
{
	struct channel *channel = d->channel;
	bool finished = d->finished;
	struct packet *p;

	while ((p = packet_queue_take(&d->kept))) {
		kind->ops->datagram(endpoint, p->data, p->len);
		packet_put(p);
	}
	destination_free(d);
	if (channel_params(channel)->kind == KIND_DATAGRAM)
		channel_accept(channel, NULL);
	channel_hand_over(channel, kind->ops, endpoint);
	if (finished)
		kind->ops->finish(endpoint);
}

static void resolved(void *ctx, const struct address *found, size_t n, int error)
{
	struct destination *d = ctx;
	const struct egress_kind *kind = kind_of(d->channel);
	uint64_t code = CODE_NONE;
	struct address to[RESOLVE_MAX];
	const char *sentence = "the server cannot look up that name";
	void *endpoint;

	d->lookup = NULL;
	(void)error;
	if (n == 0) {
		fail(d, CODE_RESOLVE, sentence);
		return;
	}
	n = n < RESOLVE_MAX ? n : RESOLVE_MAX;
	memcpy(to, found, n * sizeof *found);
	n = allowed(d->with, d->channel, d->host, to, n, &sentence);
	if (n == 0) {
		fail(d, CODE_FORBIDDEN, sentence);
		return;
	}
	endpoint = kind->open(d->with->env, d->channel, to, n, &code, &sentence);
	if (!endpoint)
		fail(d, code, sentence);
	else
		hand_over(d, kind, endpoint);
}

static void datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct destination *d = ctx;
	struct packet *packet = d->kept.count < KEPT_MAX ? packet_get(d->with->env->pool, n) : NULL;

	if (!packet)
		return;
	memcpy(packet->data, p, n);
	packet->len = n;
	packet_queue_append(&d->kept, packet);
}

static size_t bytes(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	(void)p;
	(void)n;
	return 0;
}

static void finish(void *ctx)
{
	struct destination *d = ctx;

	d->finished = true;
}

static void writable(void *ctx)
{
	(void)ctx;
}

static void closed(void *ctx, uint64_t code, const char *reason)
{
	(void)code;
	(void)reason;
	destination_free(ctx);
}

static const struct endpoint_ops ops = { .datagram = datagram, .bytes = bytes, .finish = finish, .writable = writable, .closed = closed };

static struct destination *destination_new(const struct destinations *with, struct channel *channel, const struct address_hostport *at)
{
	struct destination *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->with = with;
	d->channel = channel;
	snprintf(d->host, sizeof d->host, "%s", at->host);
	packet_queue_init(&d->kept);
	d->lookup = resolve_start(with->resolver, at->host, at->first, resolved, d);
	return d;
}

/* ---- OPEN ---- */

static bool target_get(const struct message_open *open, struct address_hostport *at)
{
	char text[MESSAGE_TARGET_MAX + 1];

	snprintf(text, sizeof text, "%.*s", (int)open->target.n, (const char *)open->target.p);
	return address_split(text, false, at) == 0 && at->has_port && at->first > 0 && *at->host;
}

uint64_t destination_open(const struct destinations *with, struct channel *channel, const struct message_open *open,
			  struct channel_params *params, const struct endpoint_ops **endpoint_ops, void **endpoint, const char **sentence)
{
	const struct egress_kind *kind = open->kind == KIND_DATAGRAM ? &egress_udp : &egress_tcp;
	struct address_hostport at;
	uint64_t code = CODE_NONE;
	struct address to;

	if (!target_get(open, &at)) {
		*sentence = "an address is HOST:PORT, with a port from 1 to 65535";
		return CODE_UNKNOWN_SERVICE;
	}
	if (policy_is_empty(policies_of(with->policies, with->identity(channel_session(channel)))))
		return none_allowed(sentence);
	params->idle_ms = open->kind == KIND_DATAGRAM ? DATAGRAM_IDLE_MS : 0;
	params->pending = true;
	*endpoint_ops = &ops;
	if (!address_literal(at.host, at.first, &to)) {
		*endpoint = destination_new(with, channel, &at);
		return CODE_NONE;
	}
	if (!allowed(with, channel, NULL, &to, 1, sentence))
		return CODE_FORBIDDEN;
	params->pending = open->kind == KIND_STREAM; /* TCP says when it is connected */
	*endpoint_ops = kind->ops;
	*endpoint = kind->open(with->env, channel, &to, 1, &code, sentence);
	return code;
}
