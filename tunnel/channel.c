/*
 * Channel: opening, closing and bookkeeping, the same for all kinds; what is
 * particular to a kind is in channel_datagram.c and channel_stream.c. Endpoints
 * call the public functions, the inbox the channel_on_* ones, the outbox
 * channel_put_due.
 */
#include "tunnel/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/session_internal.h"

#define REFUSALS_MAX 64	/* channels beyond the limit that wait for their REFUSED to be receipted */
#define IDLE_GRACE 30000	/* ms that the server waits longer than the helper */

/* ---- table ---- */

static struct channel **bucket_of(struct session *s, uint64_t id)
{
	return &s->bucket[id / 2 % CHANNEL_BUCKETS];
}

struct channel *channel_find(const struct session *s, uint64_t id)
{
	struct channel *ch = s->bucket[id / 2 % CHANNEL_BUCKETS];

	while (ch && ch->id != id)
		ch = ch->hash_next;
	return ch;
}

static bool is_ours(const struct session *s, uint64_t id)
{
	return (id & 1) == (s->role == SESSION_SERVER);
}

bool channel_was_open(const struct session *s, uint64_t id)
{
	return is_ours(s, id) ? id < s->next_id : window_seen(&s->peer_ids, id / 2);
}

/* A copy of a text that is not empty, or NULL. */
static char *text_new(const void *p, size_t n)
{
	char *text = n ? strndup(p, n) : NULL;

	if (n && !text)
		abort();
	return text;
}

static struct channel *channel_new(struct session *s, uint64_t id, const struct channel_params *params)
{
	struct channel *ch = calloc(1, sizeof *ch);
	struct channel **bucket = bucket_of(s, id);

	if (!ch)
		abort();
	ch->session = s;
	ch->id = id;
	ch->params = *params;
	snprintf(ch->service, sizeof ch->service, "%s", params->service);
	ch->params.service = ch->service;
	ch->params.protocols = params->protocols ? text_new(params->protocols, strlen(params->protocols)) : NULL;
	ch->params.protocol = NULL;
	ch->params.rules.class = (uint8_t)params->class;
	ch->active_us = loop_now(s->loop);
	ch->hash_next = *bucket;
	*bucket = ch;
	list_append(&s->channels, &ch->all);
	s->channel_count++;
	return ch;
}

void channel_remove(struct channel *ch)
{
	struct session *s = ch->session;
	struct channel **at = bucket_of(s, ch->id);

	while (*at != ch)
		at = &(*at)->hash_next;
	*at = ch->hash_next;
	link_remove(&ch->all);
	link_remove(&ch->control);
	link_remove(&ch->ready);
	s->channel_count--;
	if (!is_ours(s, ch->id)) {
		s->peer_closed++;
		if (s->peer_closed + s->config.max_channels >= s->peer_open_limit + s->config.max_channels / 4 + 1) {
			s->peer_open_limit = s->peer_closed + s->config.max_channels;
			s->window_due = true;
			session_kick(s);
		}
	}
	if (ch->params.kind == KIND_DATAGRAM)
		channel_datagram_fini(ch);
	else
		channel_stream_fini(ch);
	loop_free_later(s->loop, (void *)ch->params.protocols);
	loop_free_later(s->loop, (void *)ch->params.protocol);
	loop_free_later(s->loop, ch);
	session_attached(s);
}

void channel_due(struct channel *ch, unsigned due)
{
	ch->due |= due;
	if (!link_in_list(&ch->control))
		list_append(&ch->session->control, &ch->control);
	session_kick(ch->session);
}

/* ---- the helper opens ---- */

/* No service's name has a colon. */
static enum message_form form_of(const char *service)
{
	return strchr(service, ':') ? FORM_ADDRESS : FORM_SERVICE;
}

struct channel *channel_open(struct session *s, const struct channel_params *params, const struct endpoint_ops *ops,
			     void *ctx)
{
	struct channel *ch;

	if (!session_is_open(s) || s->opened >= s->open_limit || strlen(params->service) > MESSAGE_TARGET_MAX ||
	    (form_of(params->service) == FORM_ADDRESS && !(s->features & FEATURE_TARGETS)) ||
	    (params->protocols && strlen(params->protocols) > MESSAGE_PROTOCOLS_MAX))
		return NULL;
	ch = channel_new(s, s->next_id, params);
	s->next_id += 2;
	s->opened++;
	ch->ops = ops;
	ch->ctx = ctx;
	if (params->kind == KIND_DATAGRAM)
		channel_datagram_init(ch);
	else
		channel_stream_init(ch, s->peer_channel_window);
	channel_due(ch, DUE_OPEN);
	count(channels_opened);
	log_debug("channel", s->tag, "%llu opens %s[%u]", (unsigned long long)ch->id, ch->service, params->port_index);
	return ch;
}

/* What our own side has said about sending stays; the other's word fills the rest. */
static void adopt(struct channel_params *own, const struct message_params *p)
{
	if (!own->class)
		own->class = (enum message_class)p->class;
	if (!own->deadline_ms)
		own->deadline_ms = (uint32_t)p->deadline_ms;
	if (!own->redundancy)
		own->redundancy = (enum message_redundancy)p->redundancy;
	own->rules.class = (uint8_t)own->class;
	if (p->has & 1U << PARAM_AUDIO_TYPES)
		memcpy(own->rules.audio_types, p->audio_types, sizeof p->audio_types);
	if (p->has & 1U << PARAM_VIDEO_TYPES)
		memcpy(own->rules.video_types, p->video_types, sizeof p->video_types);
}

void channel_on_opened(struct session *s, const struct message_opened *m)
{
	struct channel *ch = channel_find(s, m->channel);

	if (!ch || ch->opened || !is_ours(s, ch->id))
		return;
	ch->opened = true;
	ch->due &= ~(unsigned)DUE_OPEN;
	if (m->params.has & 1U << PARAM_IDLE)
		ch->params.idle_ms = (uint32_t)m->params.idle_ms;
	adopt(&ch->params, &m->params);
	if (m->params.has & 1U << PARAM_PROTOCOL)
		ch->params.protocol = text_new(m->params.protocols.p, m->params.protocols.n);
	if (m->params.has & 1U << PARAM_WINDOW && m->params.channel_window > ch->send.limit) {
		ch->send.limit = m->params.channel_window;
		channel_stream_schedule(ch);
	}
	if (ch->params.kind == KIND_DATAGRAM && ch->params.idle_ms)
		timer_sooner(&s->idle, ch->active_us + ch->params.idle_ms * LOOP_MS);
	if (ch->ops && ch->ops->opened)
		ch->ops->opened(ch->ctx);
}

void channel_on_refused(struct session *s, const struct message_refused *m)
{
	struct channel *ch = channel_find(s, m->channel);
	char sentence[MESSAGE_TEXT_MAX + 1];

	if (!ch || !is_ours(s, ch->id))
		return;
	message_text_get(sentence, m->sentence);
	count(channels_refused);
	if (channel_is_stream(&ch->params))
		channel_stream_refused(ch);
	channel_end(ch, m->code, sentence[0] ? sentence : capsule_code_text(m->code));
}

/* ---- the server accepts ---- */

static void refuse(struct channel *ch, uint64_t code, const char *sentence)
{
	ch->code = code;
	snprintf(ch->reason, sizeof ch->reason, "%s", sentence ? sentence : capsule_code_text(code));
	ch->closing = true;
	ch->ops = NULL;
	channel_due(ch, DUE_REFUSED);
	count(channels_refused);
	early_replay(ch->session, ch->id);	/* what waited for it goes */
}

void channel_accept(struct channel *ch, const char *protocol)
{
	ch->params.pending = false;
	if (protocol && !ch->params.protocol)
		ch->params.protocol = text_new(protocol, strlen(protocol));
	ch->opened = true;
	channel_due(ch, DUE_OPENED);
}

int channel_on_open(struct session *s, const struct message_open *m)
{
	struct channel_params params = { .kind = m->kind, .port_index = (uint32_t)m->params.port_index };
	struct channel *ch = channel_find(s, m->channel);
	char name[MESSAGE_TARGET_MAX + 1], protocols[MESSAGE_PROTOCOLS_MAX + 1];
	const char *sentence = NULL;
	uint64_t code, window;

	if (m->channel == 0 || is_ours(s, m->channel) || s->role != SESSION_SERVER)
		return ERROR_MALFORMED;
	if (!ch && s->peer_opened - s->peer_closed >= s->config.max_channels + REFUSALS_MAX)
		return ERROR_LIMIT;	/* it hears no refusals */
	if (ch && ch->opened)
		channel_due(ch, DUE_OPENED);
	else if (ch && ch->closing)
		channel_due(ch, DUE_REFUSED);
	if (ch || !window_mark(&s->peer_ids, m->channel / 2))
		return 0;
	memcpy(name, m->target.p, m->target.n);
	name[m->target.n] = 0;
	params.service = name;
	if (m->params.has & 1U << PARAM_PROTOCOLS) {
		snprintf(protocols, sizeof protocols, "%.*s", (int)m->params.protocols.n, (const char *)m->params.protocols.p);
		params.protocols = protocols;
	}
	adopt(&params, &m->params);
	s->peer_opened++;
	ch = channel_new(s, m->channel, &params);
	window = m->params.has & 1U << PARAM_WINDOW ? m->params.channel_window : s->peer_channel_window;
	if (params.kind == KIND_DATAGRAM)
		channel_datagram_init(ch);
	else
		channel_stream_init(ch, window);
	if (s->peer_opened > s->peer_open_limit) {
		refuse(ch, CODE_LIMIT, "too many channels in this session");
		return 0;
	}
	code = s->events->open(s->ctx, ch, m, &ch->params, &ch->ops, &ch->ctx, &sentence);
	ch->params.service = ch->service;
	ch->params.rules.class = (uint8_t)ch->params.class;
	if (code != CODE_NONE) {
		refuse(ch, code, sentence);
		return 0;
	}
	ch->params.settings = NULL;
	count(channels_opened);
	if (!ch->params.pending)
		channel_accept(ch, NULL);
	if (ch->params.kind == KIND_DATAGRAM && ch->params.idle_ms)
		timer_sooner(&s->idle, loop_now(s->loop) + (ch->params.idle_ms + IDLE_GRACE) * LOOP_MS);
	early_replay(s, m->channel);
	return 0;
}

void channel_hand_over(struct channel *ch, const struct endpoint_ops *ops, void *ctx)
{
	ch->ops = ops;
	ch->ctx = ctx;
	channel_resume(ch);
}

/* ---- ends ---- */

void channel_leave(struct channel *ch, uint64_t code, const char *reason)
{
	const struct endpoint_ops *ops = ch->ops;

	ch->ops = NULL;
	if (ops)
		ops->closed(ch->ctx, code, reason ? reason : "");
}

void channel_end(struct channel *ch, uint64_t code, const char *reason)
{
	channel_leave(ch, code, reason);
	channel_remove(ch);
}

void channel_close(struct channel *ch, uint64_t code, const char *reason)
{
	ch->ops = NULL;
	if (ch->session->state == SESSION_ENDED)
		return;		/* session_end is telling everybody */
	ch->code = code;
	snprintf(ch->reason, sizeof ch->reason, "%s", reason ? reason : "");
	if (channel_is_stream(&ch->params)) {
		channel_stream_close(ch, code);
		return;
	}
	ch->closing = true;
	channel_datagram_fini(ch);
	link_remove(&ch->ready);
	channel_due(ch, DUE_CLOSE);
}

void channel_on_close(struct channel *ch, const struct message_close *m)
{
	char reason[MESSAGE_TEXT_MAX + 1];

	message_text_get(reason, m->reason);
	if (ch->params.kind == KIND_DATAGRAM) {
		channel_end(ch, m->code, reason);
		return;
	}
	channel_stream_on_close(ch, m->code, reason);
}

/* Server: an idle channel of the helper's that the helper did not close. Helper: one to close. */
static int64_t idle_deadline(const struct channel *ch)
{
	int64_t ms = ch->params.idle_ms;

	if (ch->params.kind != KIND_DATAGRAM || !ms || ch->closing)
		return 0;
	return ch->active_us + (ms + (ch->session->role == SESSION_SERVER ? IDLE_GRACE : 0)) * LOOP_MS;
}

void channel_sweep_idle(void *ctx)
{
	struct session *s = ctx;
	int64_t now = loop_now(s->loop);
	struct link *next;

	scheduler_expire(&s->scheduler, now);
	if (scheduler_has(&s->scheduler, SCHEDULER_ALL))
		timer_sooner(&s->idle, now + CHANNEL_SWEEP);
	for (struct link *l = s->channels.next; l != &s->channels; l = next) {
		struct channel *ch = list_entry(l, struct channel, all);
		int64_t at = idle_deadline(ch);

		next = l->next;
		if (at && at <= now) {
			channel_leave(ch, CODE_IDLE, "idle");
			channel_close(ch, CODE_IDLE, "idle");
		} else if (at) {
			timer_sooner(&s->idle, at);
		}
	}
}

/* ---- capsules to send ---- */

/* What OPEN and OPENED say alike. */
static struct message_params params_to_send(const struct channel *ch)
{
	static const uint8_t none[16];
	const struct channel_params *own = &ch->params;
	struct message_params p = { .class = own->class, .deadline_ms = own->deadline_ms, .redundancy = own->redundancy };

	p.has = (own->class ? 1U << PARAM_CLASS : 0) | (own->deadline_ms ? 1U << PARAM_DEADLINE : 0) |
		(own->redundancy ? 1U << PARAM_REDUNDANCY : 0);
	memcpy(p.audio_types, own->rules.audio_types, sizeof p.audio_types);
	memcpy(p.video_types, own->rules.video_types, sizeof p.video_types);
	if (memcmp(p.audio_types, none, sizeof none))
		p.has |= 1U << PARAM_AUDIO_TYPES;
	if (memcmp(p.video_types, none, sizeof none))
		p.has |= 1U << PARAM_VIDEO_TYPES;
	return p;
}

static struct span span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static bool put_one(struct channel *ch, unsigned due, struct writer *w)
{
	struct message_params p = params_to_send(ch);
	struct span reason = { (const uint8_t *)ch->reason, strlen(ch->reason) };

	switch (due) {
	case DUE_OPEN:
		p.has |= ch->params.port_index ? 1U << PARAM_PORT_INDEX : 0;
		p.port_index = ch->params.port_index;
		p.has |= ch->params.protocols ? 1U << PARAM_PROTOCOLS : 0;
		p.protocols = span_of(ch->params.protocols);
		return message_open_put(w, &(struct message_open){ .channel = ch->id, .kind = (uint8_t)ch->params.kind,
			.form = (uint8_t)form_of(ch->service), .target = { (const uint8_t *)ch->service, strlen(ch->service) }, .params = p });
	case DUE_OPENED:
		p.has |= 1U << PARAM_IDLE;
		p.idle_ms = ch->params.idle_ms;
		p.has |= ch->params.protocol ? 1U << PARAM_PROTOCOL : 0;
		p.protocols = span_of(ch->params.protocol);
		return message_opened_put(w, &(struct message_opened){ .channel = ch->id, .params = p });
	case DUE_REFUSED:
		return message_refused_put(w, &(struct message_refused){ .channel = ch->id, .code = ch->code,
									  .sentence = reason });
	case DUE_ACK:
		return message_ack_put(w, &(struct message_ack){ ch->id, channel_stream_ack_offset(ch), ch->receive.limit });
	case DUE_RESET:
		return message_reset_put(w, &(struct message_reset){ ch->id, ch->code, ch->send.next, reason });
	default:
		return message_close_put(w, &(struct message_close){ ch->id, ch->code, reason });
	}
}

static const struct {
	unsigned due;
	uint8_t type;
} due_types[] = {
	{ DUE_OPEN, CAPSULE_OPEN }, { DUE_OPENED, CAPSULE_OPENED }, { DUE_REFUSED, CAPSULE_REFUSED },
	{ DUE_ACK, CAPSULE_ACK }, { DUE_RESET, CAPSULE_RESET }, { DUE_CLOSE, CAPSULE_CLOSE },
};

bool channel_put_due(struct channel *ch, struct writer *w, struct ledger *ledger)
{
	for (size_t i = 0; i < sizeof due_types / sizeof *due_types; i++) {
		struct ledger_item item = { .channel = ch->id, .type = due_types[i].type };

		if (!(ch->due & due_types[i].due))
			continue;
		if (item.type == CAPSULE_ACK)
			item.offset = channel_stream_ack_offset(ch);
		if (writer_left(w) < MESSAGE_TEXT_MAX + 64 || !ledger_note(ledger, &item) ||
		    !put_one(ch, due_types[i].due, w))
			return false;
		ch->due &= ~due_types[i].due;
		if (item.type == CAPSULE_ACK)
			channel_stream_ack_sent(ch);
	}
	link_remove(&ch->control);
	return true;
}

void channel_lost(struct session *s, const struct ledger_item *item)
{
	struct channel *ch = channel_find(s, item->channel);

	if (!ch)
		return;
	if (item->type == CAPSULE_STREAM) {
		channel_stream_lost(ch, item);
		return;
	}
	for (size_t i = 0; i < sizeof due_types / sizeof *due_types; i++) {
		if (due_types[i].type != item->type)
			continue;
		if (item->type == CAPSULE_OPEN && ch->opened)
			return;
		if (item->type == CAPSULE_RESET && ch->send.state != HALF_RESET)
			return;
		channel_due(ch, due_types[i].due);
	}
}

void channel_receipted(struct session *s, const struct ledger_item *item)
{
	struct channel *ch = item->channel ? channel_find(s, item->channel) : NULL;

	if (!ch)
		return;
	if (ch->closing && (item->type == CAPSULE_CLOSE || item->type == CAPSULE_REFUSED)) {
		channel_remove(ch);
	} else if (item->type == CAPSULE_ACK && ch->receive.state == HALF_DONE && item->offset == ch->receive.final + 1) {
		ch->receive.end_acked = true;
		if (channel_stream_over(ch))
			channel_remove(ch);
	}
}

/* ---- questions ---- */

uint64_t channel_id(const struct channel *ch)
{
	return ch->id;
}

struct session *channel_session(const struct channel *ch)
{
	return ch->session;
}

const struct channel_params *channel_params(const struct channel *ch)
{
	return &ch->params;
}

void channel_stats(const struct channel *ch, struct channel_stats *out)
{
	*out = (struct channel_stats){
		.id = ch->id,
		.kind = ch->params.kind,
		.service = ch->service,
		.traffic = ch->traffic,
		.send_queue = ch->params.kind == KIND_DATAGRAM ? (uint32_t)scheduler_flow_bytes(&ch->flow)
							       : (uint32_t)(ch->send.ring.end - ch->send.next),
	};
}
