/*
 * What a request's head says: who asks, from which page, how. Called by rest.c before anything of the body is read; what is wrong is
 * answered here.
 */
#include "server/rest_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/rest.h"
#include "server/rest_auth.h"
#include "server/rest_cors.h"
#include "server/rest_internal.h"
#include "server/rest_problem.h"
#include "server/rest_stream.h"
#include "server/rest_ticket.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

#define ORIGIN_MAX 300	/* bytes of one made of a Host header */
#define FOR_ALL "Allow: PUT, POST, GET, DELETE, OPTIONS\r\n"
#define FOR_TURN "Allow: GET, OPTIONS\r\n"
#define FOR_TICKET "Allow: POST, OPTIONS\r\n"
#define SHOWN_MAX 100	/* characters of an origin */
#define SHOWN(o) (int)((o).n < SHOWN_MAX ? (o).n : SHOWN_MAX), (const char *)(o).p

const char *const rest_method_names[REST_NO_METHOD] = { "PUT", "POST", "GET", "DELETE", "OPTIONS" };

static enum rest_method method_of(struct span m)
{
	const char *const *names = rest_method_names;
	size_t i = 0;

	while (i < REST_NO_METHOD && (strlen(names[i]) != m.n || memcmp(names[i], m.p, m.n) != 0))
		i++;
	return (enum rest_method)i;
}

/* The media type without its parameters. */
static bool is_type(struct span value, const char *type)
{
	const uint8_t *end = value.n ? memchr(value.p, ';', value.n) : NULL;

	if (end)
		value.n = (size_t)(end - value.p);
	while (value.n && value.p[value.n - 1] == ' ')
		value.n--;
	return http1_is(value, type);
}

/* What says who asks may be there once: of two, boxes on the way and we might not believe the same. */
static bool check_once(struct rest_call *c, const struct http1_head *head)
{
	unsigned origins = 0, authorizations = 0;

	for (size_t i = 0; i < head->count; i++) {
		origins += http1_is(head->header[i].name, "origin");
		authorizations += http1_is(head->header[i].name, "authorization");
	}
	if (origins <= 1 && authorizations <= 1)
		return true;
	rest_problem(c, 400, "malformed", "Origin and Authorization may be there once", "");
	return false;
}

/* True: the page may ask, if it is one. */
static bool check_origin(struct rest_call *c, const struct http1_head *head)
{
	struct span origin = http1_find(head, "origin");

	if (!origin.p)
		return true;
	if (!rest_cors_allows(c->rest->cors, origin)) {
		if (http1_is(origin, "null"))
			log_limited(LOG_LEVEL_WARN, "rest", c->visitor->peer, "refused a page without an origin of its own, such as a file or a sandboxed frame");
		else
			log_limited(LOG_LEVEL_WARN, "rest", c->visitor->peer, "refused a page of %.*s: that is none of the configured origins; if it may use "
				    "this server, add --origins %.*s", SHOWN(origin), SHOWN(origin));
		rest_problem(c, 403, "origin", "pages of this origin may not use this server: its administrator names those that may (origins)", "");
		return false;
	}
	c->origin = strndup((const char *)origin.p, origin.n);
	if (!c->origin)
		abort();
	c->private_network = http1_is(http1_find(head, "access-control-request-private-network"), "true");
	return true;
}

static void refuse(struct rest_call *c, const char *why)
{
	count(auth_failed);
	log_limited(LOG_LEVEL_WARN, "auth", c->visitor->peer, "refused a REST request: %s", why);
	rest_problem(c, 401, "credential", why, "WWW-Authenticate: Bearer\r\n");
}

/* Said as often as somebody may be expected to try. */
static void refuse_guess(struct rest_call *c, const char *why)
{
	unsigned wait_s = rest_rate_count(c->rest->failures, c->visitor->origin, loop_now(c->visitor->front->loop));
	char lines[32];

	if (!wait_s) {
		refuse(c, why);
		return;
	}
	count(auth_failed);
	snprintf(lines, sizeof lines, "Retry-After: %u\r\n", wait_s);
	rest_problem(c, 429, "rate", "too many wrong credentials came from this address: try less often, and with a right one", lines);
}

/* Pages send no Origin when they GET from where they are themselves, but say that (Fetch Metadata); what they could say is in origins. */
static bool read_ticket(struct rest_call *c, const struct http1_head *head, struct rest_ticket_holder *holder)
{
	static const char *const schemes[] = { "https://", "http://" };
	struct rest_ticket t = { c->request.sid, c->request.service, http1_find(head, "origin") };
	struct span host = http1_find(head, "host"), site = http1_find(head, "sec-fetch-site");
	int64_t now = loop_now(c->visitor->front->loop);
	char own[ORIGIN_MAX];

	if (t.origin.p || !http1_is(site, "same-origin"))
		return rest_ticket_read(holder, c->rest->ticket_key, &t, c->request.ticket, now);
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		int n = snprintf(own, sizeof own, "%s%.*s", schemes[i], (int)host.n, (const char *)host.p);

		t.origin = (struct span){ (const uint8_t *)own, (size_t)n };
		if (n > 0 && (size_t)n < sizeof own && rest_ticket_read(holder, c->rest->ticket_key, &t, c->request.ticket, now))
			return true;
	}
	return false;
}

static bool is_known(const struct rest_call *c, const char *name)
{
	return credentials_named(c->visitor->front->credentials, (struct span){ (const uint8_t *)name, strlen(name) });
}

static bool check_ticket(struct rest_call *c, const struct http1_head *head)
{
	struct rest_ticket_holder holder;

	if (c->method != REST_GET) {
		refuse_guess(c, "a ticket is good for GET only: send Authorization");
		return false;
	}
	if (read_ticket(c, head, &holder) && is_known(c, holder.identity)) {
		memcpy(c->identity, holder.identity, sizeof c->identity);
		c->until_s = holder.until_s;
		return true;
	}
	refuse_guess(c, "the ticket is not good (any more): one is for GET of one session from the origin that asked for it, for a minute: POST to .../ticket "
			"for another");
	return false;
}

static bool check_identity(struct rest_call *c, const struct http1_head *head)
{
	const struct front *f = c->visitor->front;
	struct span authorization = http1_find(head, "authorization");
	struct rest_asker a;

	if (!authorization.p && c->request.ticket.n)
		return check_ticket(c, head);
	a = rest_auth(f->credentials, authorization, c->request.service, loop_wall(f->loop));
	if (!a.identity) {
		a.guessed ? refuse_guess(c, a.why) : refuse(c, a.why);
		return false;
	}
	snprintf(c->identity, sizeof c->identity, "%s", a.identity);
	c->until_s = a.until_s;
	if (!a.allowed && *c->request.service)
		rest_problem(c, 403, "service", "the credential does not allow this service (svc of the JWT)", "");
	return a.allowed || !*c->request.service;
}

/* An answer goes on no longer than the credential that it was asked for with. */
static void limit_stream(struct rest_call *c)
{
	uint32_t for_s = c->request.for_s ? c->request.for_s : REST_STREAM_FOR;
	int64_t left_s = c->until_s - loop_wall(c->visitor->front->loop);

	if (c->until_s && left_s < for_s)
		c->request.for_s = left_s > 0 ? (uint32_t)left_s : 1;
}

static bool check_type(struct rest_call *c, const struct http1_head *head)
{
	struct span type = http1_find(head, "content-type");

	c->octets = c->method == REST_POST && is_type(type, REST_RECORDS);
	c->typed = c->octets || is_type(type, REST_JSON);
	if (c->typed || ((c->method != REST_POST || c->request.ticket_wanted) && !type.p) || c->method == REST_GET || c->method == REST_DELETE)
		return true;
	rest_problem(c, 415, "type", c->method == REST_PUT ? "the body of PUT must be application/json" :
		     "the body of POST must be application/json or application/octet-stream", "");
	return false;
}

/* 405, when it is none of this resource. */
static bool check_method(struct rest_call *c)
{
	if (c->method != REST_NO_METHOD && (!c->request.ticket_wanted || c->method == REST_POST) && (!c->request.turn || c->method == REST_GET))
		return true;
	if (c->request.turn)
		rest_problem(c, 405, "method", "use GET: its answer is a name and a password for the TURN server", FOR_TURN);
	else if (c->request.ticket_wanted)
		rest_problem(c, 405, "method", "use POST: its answer is a ticket for GET", FOR_TICKET);
	else
		rest_problem(c, 405, "method", "use PUT, POST, GET, DELETE or OPTIONS", FOR_ALL);
	return false;
}

static bool check_crowd(struct rest_call *c)
{
	if (c->visitor->crowd != FRONT_CROWD_ALL)
		return true;
	count(clients_refused);
	rest_problem(c, 503, "busy", "this client has as many requests at a time as it may have: wait for answers", "Retry-After: 2\r\n");
	return false;
}

bool rest_check(struct rest_call *c, const struct http1_head *head, int readable)
{
	c->method = method_of(head->method);
	if (!check_once(c, head) || !check_origin(c, head))
		return false;
	if (c->method == REST_OPTIONS) {
		rest_call_answer(c, 204, "", c->request.turn ? FOR_TURN : c->request.ticket_wanted ? FOR_TICKET : FOR_ALL);
		return false;
	}
	if (!check_method(c) || !check_crowd(c) || !check_identity(c, head))
		return false;
	if (readable < 0) {
		rest_problem(c, 400, "malformed", "the URL is BASE/v1/SID/signal/SERVICE, with a SID that is the base64url of 16 octets: 22 characters", "");
		return false;
	}
	if (c->method == REST_GET && !c->request.turn && !rest_stream_ask(c, head)) {
		rest_problem(c, 400, "malformed", "Last-Event-ID must be the number of the last message received", "");
		return false;
	}
	limit_stream(c);
	if (!check_type(c, head))
		return false;
	if (head->length <= REST_BODY_MAX)
		return true;
	rest_problem(c, 413, "too-big", "the body is too long: send fewer messages at a time", "");
	return false;
}
