/*
 * Request targets of REST clients. The server's router asks whether one is for the REST server.
 */
#include "framing/rest_request.h"

#include <string.h>

#include "framing/error.h"
#include "framing/target.h"

enum parameter { PARAMETER_AFTER, PARAMETER_WAIT, PARAMETER_STREAM, PARAMETER_KEEPALIVE, PARAMETER_FOR, PARAMETER_TICKET, PARAMETERS };

static const struct {
	const char *name;
	uint64_t min, max;
} parameters[PARAMETERS] = {
	[PARAMETER_AFTER] = { "after", 0, REST_NUMBER_MAX },
	[PARAMETER_WAIT] = { "wait", 0, 3600 },
	[PARAMETER_STREAM] = { "stream", 0, 1 },
	[PARAMETER_KEEPALIVE] = { "keepalive", 1, 60 },
	[PARAMETER_FOR] = { "for", 1, 86400 },
	[PARAMETER_TICKET] = { "ticket", 0, 0 },
};

static void set(struct rest_request *r, enum parameter name, uint64_t v)
{
	switch (name) {
	case PARAMETER_AFTER:
		r->has_after = true;
		r->after = v;
		break;
	case PARAMETER_WAIT:
		r->wait_s = (uint32_t)v;
		break;
	case PARAMETER_STREAM:
		r->stream = v;
		break;
	case PARAMETER_KEEPALIVE:
		r->keepalive_s = (uint32_t)v;
		break;
	case PARAMETER_FOR:
		r->for_s = (uint32_t)v;
		break;
	default:
		break;
	}
}

static int parameter(struct rest_request *r, struct span name, struct span value, unsigned *seen)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < PARAMETERS && !target_is(name, parameters[i].name))
		i++;
	if (i == PARAMETERS)
		return 0;
	if (*seen & 1U << i)
		return ERROR_MALFORMED;
	*seen |= 1U << i;
	if (i == PARAMETER_TICKET) {
		r->ticket = value;
		return value.n > 0 && value.n <= REST_TICKET_MAX ? 0 : ERROR_MALFORMED;
	}
	if (target_number(value, parameters[i].min, parameters[i].max, &v) < 0)
		return ERROR_MALFORMED;
	set(r, (enum parameter)i, v);
	return 0;
}

static bool service_ok(struct span s)
{
	if (s.n < 1 || s.n > MESSAGE_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-')
			return false;
	return true;
}

static int path(struct rest_request *r, struct span sid, struct span service, struct span rest, bool more)
{
	if (target_sid(sid, r->sid) < 0 || !service_ok(service))
		return ERROR_MALFORMED;
	memcpy(r->service, service.p, service.n);
	r->ticket_wanted = more && target_is(rest, "ticket");
	return more && !r->ticket_wanted ? ERROR_MALFORMED : 0;
}

int rest_request_parse(struct rest_request *r, const char *base, struct span target)
{
	struct span query = target_path(target), p, sid, service;
	unsigned seen = 0;
	bool more;

	memset(r, 0, sizeof *r);
	p = target_take(&query, '?');
	if (!target_below(&p, base))
		return ERROR_UNSUPPORTED;
	if (target_is(p, "turn-credentials")) {
		r->turn = true;
		memcpy(r->service, "turn", sizeof "turn");
		return 0;
	}
	sid = target_take(&p, '/');
	if (!target_is(target_take(&p, '/'), "signal"))
		return ERROR_UNSUPPORTED;
	service = target_take(&p, '/');
	more = p.p > service.p + service.n;
	if (path(r, sid, service, p, more) < 0)
		return ERROR_MALFORMED;
	while (query.n) {
		struct span value = target_take(&query, '&'), name = target_take(&value, '=');

		if (parameter(r, name, value, &seen) < 0)
			return ERROR_MALFORMED;
	}
	return 0;
}
