/*
 * Exchanges of the mode `seal`. Given by the front; each is read whole, its flight goes to
 * the handshake that it belongs to (seals.c), and what that says is the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/seals_internal.h"
#include "tunnel/leg.h"
#include "tunnel/log.h"

#define BODY_MAX 8192		/* bytes of a request: a helper has no certificate to send */

/* One exchange of the mode `seal`. */
struct visit {
	struct seals *all;
	struct exchange *x;
	struct link link;
	struct seals_asker asker;
	void (*refused)(void *ctx, struct exchange *);
	void *ctx;
	struct timer timer;
	size_t n;
	uint8_t body[BODY_MAX];
};

static bool answer(struct visit *v, const uint8_t *p, size_t n)
{
	size_t cap;
	uint8_t *at = exchange_room(v->x, n + CAPSULE_HEAD_MAX, &cap);
	struct writer w;

	if (!at)
		return false;
	writer_init(&w, at, cap);
	capsule_head_put(&w, CAPSULE_FLIGHT, n);
	writer_bytes(&w, p, n);
	exchange_send(v->x, leg_answer_head(v->all->loop, false, false), writer_len(&w), true);
	return true;
}

static void visit_end(struct visit *v)
{
	timer_stop(&v->timer);
	link_remove(&v->link);
	v->all->visit_count--;
	loop_free_later(v->all->loop, v);
}

static void visit_refuse(struct visit *v, const char *why)
{
	if (why)
		log_limited(LOG_LEVEL_INFO, "seal", v->asker.peer, "%s", why);
	visit_end(v);
	v->refused(v->ctx, v->x);
}

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct visit *v = ctx;

	if (n > sizeof v->body - v->n)
		return ERROR_LIMIT;
	memcpy(v->body + v->n, p, n);
	v->n += n;
	return 0;
}

static void on_end(void *ctx)
{
	struct visit *v = ctx;
	const uint8_t *out;
	uint64_t type = 0;
	size_t len = 0, n;
	ssize_t head = capsule_head_get(v->body, v->n, BODY_MAX, &type, &len);

	timer_stop(&v->timer);
	if (head <= 0 || type != CAPSULE_FLIGHT || (size_t)head + len != v->n)
		visit_refuse(v, "a request for a seal without a flight of a handshake");
	else if (!seals_take(v->all, &v->asker, (struct span){ v->body + head, len }, &out, &n) || !answer(v, out, n))
		visit_refuse(v, NULL);
}

static void on_writable(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, int error)
{
	(void)error;
	visit_end(ctx);
}

static const struct exchange_events visit_events = { on_head, on_body, on_end, on_writable, on_closed };

static void on_late(void *ctx)
{
	visit_refuse(ctx, "a request for a seal did not come in time");
}

static size_t visits_from(const struct seals *all, const uint8_t origin[SEALS_ORIGIN])
{
	size_t n = 0;

	for (const struct link *l = all->visits.next; l != &all->visits; l = l->next)
		n += !memcmp(list_entry(l, const struct visit, link)->asker.origin, origin, SEALS_ORIGIN);
	return n;
}

/* Why one more request is refused before it is read; NULL: it is not. */
static const char *crowded(const struct seals *all, const uint8_t origin[SEALS_ORIGIN])
{
	if (!all->tls)
		return "there is no certificate to seal with (cert, key)";
	if (all->visit_count >= all->limits.handshakes)
		return "as many of their requests are under way as there may be";
	if (visits_from(all, origin) >= all->limits.handshakes_per_origin)
		return "as many of their requests from its address are under way as there may be";
	return NULL;
}

bool seals_accept(struct seals *all, const struct request *r, struct exchange *x, const struct seals_visitor *from)
{
	const char *why = crowded(all, from->origin);
	struct visit *v;

	if (why) {
		seals_refuse(from->peer, why);
		return false;
	}
	v = malloc(sizeof *v);
	if (!v)
		abort();
	memset(v, 0, offsetof(struct visit, body));
	v->all = all;
	v->x = x;
	v->refused = from->refused;
	v->ctx = from->ctx;
	v->asker.number = r->seal;
	memcpy(v->asker.sid, r->sid, sizeof v->asker.sid);
	memcpy(v->asker.origin, from->origin, sizeof v->asker.origin);
	strncpy(v->asker.peer, from->peer, sizeof v->asker.peer - 1);
	x->events = &visit_events;
	x->ctx = v;
	timer_init(&v->timer, all->loop, on_late, v);
	timer_in(&v->timer, all->limits.handshake_us);
	list_append(&all->visits, &v->link);
	all->visit_count++;
	return true;
}

void seals_visits_end(struct seals *all)
{
	while (!list_empty(&all->visits)) {
		struct visit *v = list_entry(all->visits.next, struct visit, link);

		exchange_abort(v->x);
		visit_end(v);
	}
}
