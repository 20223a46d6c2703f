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
#include "tunnel/log.h"

#define SHOWN_MAX 100	/* characters of an origin */
#define SHOWN(o) (int)((o).n < SHOWN_MAX ? (o).n : SHOWN_MAX), (const char *)(o).p

static enum rest_method method_of(struct span m)
{
	static const char *const names[] = { "PUT", "POST", "GET", "DELETE", "OPTIONS" };
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

/* True: the page may ask, if it is one. */
static bool check_origin(struct rest_call *c, const struct http1_head *head)
{
	struct span origin = http1_find(head, "origin");
	char lines[REST_CALL_LINES / 2];

	if (!origin.p)
		return true;
	if (!rest_cors_allows(c->rest->cors, origin)) {
		log_limited(LOG_LEVEL_WARN, "rest", c->visitor->peer, "refused a page of %.*s: that is none of the configured origins; if it may use "
			    "this server, add --origins %.*s", SHOWN(origin), SHOWN(origin));
		rest_problem(c, 403, "origin", "pages of this origin may not use this server: its administrator names those that may (origins)", "");
		return false;
	}
	rest_cors_lines(origin, c->method == REST_OPTIONS, lines, sizeof lines);
	c->cors = strdup(lines);
	if (!c->cors)
		abort();
	return true;
}

static bool check_identity(struct rest_call *c, const struct http1_head *head)
{
	const char *identity = rest_auth(c->visitor->front->credentials, http1_find(head, "authorization"));

	if (identity) {
		snprintf(c->identity, sizeof c->identity, "%s", identity);
		return true;
	}
	log_limited(LOG_LEVEL_WARN, "auth", c->visitor->peer, "a REST request without a credential, or with a wrong one");
	rest_problem(c, 401, "credential", "send Authorization: Bearer with the base64url of name:token", "WWW-Authenticate: Bearer\r\n");
	return false;
}

static bool check_type(struct rest_call *c, const struct http1_head *head)
{
	struct span type = http1_find(head, "content-type");

	c->octets = c->method == REST_POST && is_type(type, REST_RECORDS);
	c->typed = c->octets || is_type(type, REST_JSON);
	if (c->typed || (c->method != REST_POST && !type.p) || c->method == REST_GET || c->method == REST_DELETE)
		return true;
	rest_problem(c, 415, "type", c->method == REST_PUT ? "the body of PUT must be application/json" :
		     "the body of POST must be application/json or application/octet-stream", "");
	return false;
}

bool rest_check(struct rest_call *c, const struct http1_head *head, int readable)
{
	c->method = method_of(head->method);
	if (!check_origin(c, head))
		return false;
	if (c->method == REST_NO_METHOD) {
		rest_problem(c, 405, "method", "use PUT, POST, GET, DELETE or OPTIONS", "Allow: PUT, POST, GET, DELETE, OPTIONS\r\n");
		return false;
	}
	if (c->method == REST_OPTIONS) {
		rest_call_answer(c, 204, "", "Allow: PUT, POST, GET, DELETE, OPTIONS\r\n");
		return false;
	}
	if (!check_identity(c, head))
		return false;
	if (readable < 0 || c->request.ticket_wanted) {
		rest_problem(c, 400, "malformed", "the URL is BASE/v1/SID/signal/SERVICE, with a SID of 22 characters of base64url", "");
		return false;
	}
	if (c->method == REST_GET && !rest_stream_ask(c, head)) {
		rest_problem(c, 400, "malformed", "Last-Event-ID must be the number of the last message received", "");
		return false;
	}
	if (!check_type(c, head))
		return false;
	if (head->length <= REST_BODY_MAX)
		return true;
	rest_problem(c, 413, "too-big", "the body is too long: send fewer messages at a time", "");
	return false;
}
