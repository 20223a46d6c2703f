/*
 * The router. Called by the HTTP engine of each connection; calls the sessions
 * through sessions_accept and the questions beside it, and nothing else of them. Until an exchange is
 * authenticated nothing is allocated for it (but for seals, within caps), and whatever is wrong with it the
 * answer is the same; the true cause goes to the log.
 */
#include "server/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/rest_request.h"
#include "framing/request.h"
#include "framing/target.h"
#include "server/rest.h"
#include "tunnel/counters.h"
#include "tunnel/leg.h"
#include "tunnel/log.h"
#include "tunnel/sealed.h"
#include "tunnel/websocket_exchange.h"
#include "tunnel/websocket_handshake.h"

#define DISCARD_MAX (256 * 1024) /* bytes of unwanted bodies taken from one connection */
#define SHOWN 100		 /* bytes of a target in the log */

/* ---- exchanges that end here ---- */

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct front_visitor *v = ctx;

	(void)p;
	v->discarded += n;
	return v->discarded > DISCARD_MAX ? ERROR_LIMIT : 0;
}

static void on_end(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, int error)
{
	(void)ctx;
	(void)error;
}

static const struct exchange_events ending = {
	.body = on_body,
	.end = on_end,
	.writable = on_end,
	.closed = on_closed,
};

static bool with_body(const struct http1_head *head)
{
	return !(head->method.n == 4 && !memcmp(head->method.p, "HEAD", 4));
}

/* Its client has as many exchanges as it may have: the same to all, for it is not the cover's to say. */
static void turn_away(struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	count(clients_refused);
	log_limited(LOG_LEVEL_WARN, "front", v->peer,
		    "a request was answered 503: this client behind a proxy has as many at a time as it may have "
		    "(max-connections-per-address%s)", v->crowd == FRONT_CROWD_ALL ? ", twice for helpers" : "");
	cover_send_text(x, loop_wall(v->front->loop), 503, "Too many requests at a time.\n", with_body(head));
}

static bool is_on_this_machine(const struct front_visitor *v)
{
	static const uint8_t none[SEALS_ORIGIN - 1];

	if (v->origin[0] == AF_INET)
		return v->origin[1] == 127;
	return v->origin[0] == AF_UNIX || (v->origin[0] == AF_INET6 && !memcmp(v->origin + 1, none, sizeof none));
}

/* bodiless: of the request's body nothing is left. */
static void pass_on(struct front_visitor *v, struct exchange *x, const struct http1_head *head, bool bodiless)
{
	const struct fallback_visitor from = { .peer = v->peer, .origin = is_on_this_machine(v) ? NULL : v->origin, .tls = v->tls,
					       .trusted = v->proxied };

	fallback_request(v->front->fallback, x, head, &from, bodiless);
}

static void cover(struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	if (v->crowd != FRONT_CROWD_NONE) {
		turn_away(v, x, head);
		return;
	}
	if (v->front->fallback && head->method.n) {
		pass_on(v, x, head, false);
		return;
	}
	if (v->front->fallback) {
		cover_send_text(x, loop_wall(v->front->loop), 400, "Bad Request\n", true);
		return;
	}
	count(cover_replies);
	cover_send(v->front->cover, x, loop_wall(v->front->loop), with_body(head));
}

/* The same for one whose body was read, and is not kept. */
static void cover_read(struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	x->events = &ending;
	x->ctx = v;
	if (v->front->fallback && v->crowd == FRONT_CROWD_NONE)
		pass_on(v, x, head, true);
	else
		cover(v, x, head);
}

/* ---- authentication ---- */

/* The identity that a header claims, for the log. */
static const char *claimed(struct span value, char *out, size_t cap)
{
	const uint8_t *p = value.n ? memmem(value.p, value.n, "id=", 3) : NULL;
	size_t n = 0, left = p ? (size_t)(value.p + value.n - p - 3) : 0;

	while (n < left && n + 1 < cap && p[3 + n] != ',' && p[3 + n] != ' ') {
		out[n] = (char)p[3 + n];
		n++;
	}
	out[n] = 0;
	return n ? out : "(none)";
}

/* The canonical identity, or NULL when the request is not a helper's. value: its credential; seal: that it came in, or NULL. */
static const char *authenticate(struct front_visitor *v, enum request_mode mode, struct span path_query, struct span value,
				const struct seal *seal)
{
	const char *signed_as = request_mode_method(mode);
	struct span method = { (const uint8_t *)signed_as, strlen(signed_as) };
	struct span binding = { seal ? seal_binding(seal) : NULL, seal ? SEAL_BINDING : 0 };
	int64_t skew = 0;
	const char *identity = credentials_verify(v->front->credentials, value, method, path_query, binding,
						  loop_wall(v->front->loop), &skew);
	char name[CREDENTIAL_NAME_MAX + 1];

	if (identity)
		return identity;
	count(auth_failed);
	claimed(value, name, sizeof name);
	if (!value.n)
		log_limited(LOG_LEVEL_WARN, "auth", v->peer,
			    "a request for the tunnel without Authorization: not a helper, or a box in between removed it");
	else if (skew > CREDENTIAL_WINDOW || skew < -CREDENTIAL_WINDOW)
		log_limited(LOG_LEVEL_WARN, "auth", v->peer,
			    "the clock of '%s' differs by %lld s from ours (at most %d are allowed): set one of them", name,
			    (long long)skew, CREDENTIAL_WINDOW);
	else
		log_limited(LOG_LEVEL_WARN, "auth", v->peer,
			    "wrong token for '%s', or no such name in the token file, or a box in between changed the URL",
			    name);
	return NULL;
}

/* ---- sealed requests ---- */

static void forget_sealed(struct front_visitor *v)
{
	seals_leave(v->front->seals, v->sealed.request.sid, v->sealed.request.seal);
	seal_release(v->sealed.seal);
	v->sealed.seal = NULL;
}

static bool on_opened(void *ctx, struct exchange *plain, struct span authorization)
{
	struct front_visitor *v = ctx;
	const struct request *r = &v->sealed.request;
	const struct http1_head *head = v->sealed.head;
	const char *identity = authenticate(v, r->mode, v->sealed.path_query, authorization, v->sealed.seal);

	if (!identity)
		return false;	/* the cover is the same for every cause: it goes in the clear */
	forget_sealed(v);
	seals_prove(v->front->seals, r->sid, r->seal, identity);
	sessions_accept(v->front->sessions, identity, v->peer, r, plain, head);
	return true;
}

static void on_unopened(void *ctx, struct exchange *inner, const char *why)
{
	struct front_visitor *v = ctx;

	if (why)
		log_limited(LOG_LEVEL_WARN, "seal", v->peer, "a sealed request could not be opened: %s", why);
	forget_sealed(v);
	cover_read(v, inner, v->sealed.head);
}

static void on_sealed_closed(void *ctx)
{
	forget_sealed(ctx);
}

static const struct sealed_events sealed_events = { on_opened, on_unopened, on_sealed_closed };

/* In the clear: its helper is to make another seal. */
static void answer_unsealed(struct front_visitor *v, struct exchange *x)
{
	size_t cap;
	uint8_t *p = exchange_room(x, CAPSULE_HEAD_MAX, &cap);
	struct writer w;

	count(seals_unknown);
	log_limited(LOG_LEVEL_INFO, "seal", v->peer, "a sealed request for a seal that is not known (any more): its helper makes another");
	if (!p)
		return;
	writer_init(&w, p, cap);
	capsule_head_put(&w, CAPSULE_UNSEALED, 0);
	exchange_send(x, leg_answer_head(v->front->loop, false, false), writer_len(&w), true);
}

static void open_sealed(struct front_visitor *v, struct exchange *x, const struct request *r, const struct http1_head *head,
			struct span path_query)
{
	struct seal *seal = seals_find(v->front->seals, r->sid, r->seal);

	if (!seal) {
		answer_unsealed(v, x);
		return;
	}
	if (!seals_enter(v->front->seals, r->sid, r->seal)) {
		count(seals_refused);
		log_limited(LOG_LEVEL_WARN, "seal", v->peer, "too many requests at a time for a seal that nobody was authenticated in yet");
		cover(v, x, head);
		return;
	}
	/* The head stays with the parser for as long as the exchange lasts. */
	v->sealed.request = *r;
	v->sealed.head = head;
	v->sealed.path_query = path_query;
	v->sealed.seal = seal_keep(seal);
	sealed_server(v->front->loop, seal, x, path_query, &sealed_events, v);
}

static void on_seal_refused(void *ctx, struct exchange *x)
{
	struct front_visitor *v = ctx;

	cover_read(v, x, v->sealed.head);
}

static bool make_seal(struct front_visitor *v, struct exchange *x, const struct request *r, const struct http1_head *head)
{
	const struct seals_visitor from = { v->origin, v->peer, on_seal_refused, v };

	v->sealed.head = head;
	return seals_accept(v->front->seals, r, x, &from);
}

/* ---- requests in the clear ---- */

/* What is wrong with the handshake is said: they are ours. */
static void accept_websocket(struct front_visitor *v, const char *identity, struct exchange *x, const struct request *r,
			     const struct http1_head *head)
{
	const struct front *f = v->front;
	int refusal = websocket_handshake_refusal(head);

	if (refusal == 0) {
		sessions_accept(f->sessions, identity, v->peer, r, websocket_server(f->loop, x, head), head);
		return;
	}
	log_limited(LOG_LEVEL_WARN, "front", v->peer,
		    "a WebSocket of '%s' was asked for in a way that is not spoken here, or a box in between changed the request", identity);
	cover_send_text(x, loop_wall(f->loop), refusal, refusal == 426 ? "WebSocket version 13\n" : "not a WebSocket handshake\n", true);
}

static bool accept_plain(struct front_visitor *v, struct exchange *x, const struct request *r, const struct http1_head *head,
			 struct span path_query)
{
	const struct front *f = v->front;
	const char *identity = authenticate(v, r->mode, path_query, http1_find(head, "authorization"), NULL);

	if (!identity)
		return false;
	if (sessions_is_sealed(f->sessions, identity, r->sid)) {
		count(unsealed_refused);
		log_limited(LOG_LEVEL_WARN, "seal", v->peer, "refused an unsealed request of '%s' for a session that is sealed",
			    identity);
		return false;
	}
	if (r->mode == MODE_WEBSOCKET)
		accept_websocket(v, identity, x, r, head);
	else
		sessions_accept(f->sessions, identity, v->peer, r, x, head);
	return true;
}

/* ---- routing ---- */

/* Where a website answers /healthz itself, ours is below the base, for this machine: nobody else is to learn of it. */
static bool is_health(const struct front_visitor *v, const struct http1_head *head)
{
	static const char path[] = "/healthz";
	const char *base = v->front->fallback ? v->front->base : "";
	size_t before = strlen(base), n = before + sizeof path - 1;

	return head->target.n >= n && !memcmp(head->target.p, base, before) &&
	       !memcmp(head->target.p + before, path, sizeof path - 1) && (head->target.n == n || head->target.p[n] == '?') &&
	       (http1_is(head->method, "GET") || http1_is(head->method, "HEAD")) && (!v->front->fallback || is_on_this_machine(v));
}

static void log_other(const struct front_visitor *v, const struct http1_head *head, const char *what)
{
	int method = head->method.n < 16 ? (int)head->method.n : 16;
	char target[SHOWN + 1];

	target_shown(head->target, target, sizeof target);
	log_limited(LOG_LEVEL_INFO, "front", v->peer, "%.*s %s: %s", method, (const char *)head->method.p, target, what);
}

static bool is_rest(const struct front *f, const struct http1_head *head)
{
	struct rest_request r;

	return rest_request_parse(&r, f->base, head->target) != ERROR_UNSUPPORTED;
}

static bool is_text(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* A WebSocket is never sealed. */
static bool is_method_of(const struct request *r, const struct http1_head *head)
{
	if (r->mode != MODE_WEBSOCKET)
		return is_text(head->method, "POST");
	return !r->seal && http1_is(head->protocol, "websocket") && is_text(head->method, head->h2 ? "CONNECT" : "GET");
}

void front_request(struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	const struct front *f = v->front;
	struct request request;
	struct span path_query;
	int error;

	x->events = &ending;
	x->ctx = v;
	if (is_health(v, head)) {
		cover_send_text(x, loop_wall(f->loop), 200, "ok\n", with_body(head));
		return;
	}
	if (f->rest && !v->plain && rest_request(f->rest, v, x, head))
		return;
	if (v->crowd == FRONT_CROWD_ALL) {
		turn_away(v, x, head);
		return;
	}
	error = request_parse(&request, f->base, head->target, &path_query);
	if (head->method.n == 0) {
		log_limited(LOG_LEVEL_INFO, "front", v->peer, "sent something that is not an HTTP/1.1 request");
	} else if (error == ERROR_UNSUPPORTED) {
		if (!f->fallback)
			log_other(v, head, "not below the base path");
	} else if (error < 0) {
		log_other(v, head, !f->rest && is_rest(f, head) ? "signalling by REST is off here: set rest = true, or name the pages that may (origins)" :
			  "below the base path, but not a request of a helper (version 1)");
	} else if (!is_method_of(&request, head)) {
		log_other(v, head, request.mode == MODE_WEBSOCKET ? "a helper would ask for a WebSocket" : "a helper would use POST");
	} else if (request.mode == MODE_SEAL) {
		if (v->crowd == FRONT_CROWD_NONE && make_seal(v, x, &request, head))
			return;
	} else if (request.seal) {
		open_sealed(v, x, &request, head, path_query);
		return;
	} else if (v->plain) {
		count(unsealed_refused);
		log_other(v, head, "not sealed, and came without TLS");
	} else if (accept_plain(v, x, &request, head, path_query)) {
		return;
	}
	cover(v, x, head);
}
