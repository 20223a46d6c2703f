/*
 * Request targets of REST clients. The server's router asks whether one is for the REST server.
 */
#include "framing/rest_request.h"

#include <string.h>

#include "framing/base64.h"
#include "framing/error.h"

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* Takes everything up to the separator off the front of s. */
static struct span take(struct span *s, uint8_t separator)
{
	const uint8_t *at = s->n ? memchr(s->p, separator, s->n) : NULL;
	struct span head = { s->p, at ? (size_t)(at - s->p) : s->n };
	size_t used = head.n + (at ? 1 : 0);

	s->p += used;
	s->n -= used;
	return head;
}

static int number(struct span s, uint64_t min, uint64_t max, uint64_t *v)
{
	*v = 0;
	if (s.n < 1 || s.n > 16)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERROR_MALFORMED;
		*v = *v * 10 + (uint64_t)(s.p[i] - '0');
	}
	return *v >= min && *v <= max ? 0 : ERROR_MALFORMED;
}

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

	while (i < PARAMETERS && !span_is(name, parameters[i].name))
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
	if (number(value, parameters[i].min, parameters[i].max, &v) < 0)
		return ERROR_MALFORMED;
	set(r, (enum parameter)i, v);
	return 0;
}

/* "https://host/path" to "/path"; origin form stays. */
static struct span path_of(struct span target)
{
	const uint8_t *end = target.n ? memmem(target.p, target.n, "://", 3) : NULL, *slash;

	if (target.n == 0 || target.p[0] == '/' || !end)
		return target;
	end += 3;
	slash = memchr(end, '/', (size_t)(target.p + target.n - end));
	return slash ? (struct span){ slash, (size_t)(target.p + target.n - slash) } : (struct span){ target.p, 0 };
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
	uint8_t octets[16];

	if (sid.n != REQUEST_SID_LEN || base64_decode(octets, sizeof octets, (const char *)sid.p, sid.n, true) != 16)
		return ERROR_MALFORMED;
	memcpy(r->sid, sid.p, sid.n);
	if (!service_ok(service))
		return ERROR_MALFORMED;
	memcpy(r->service, service.p, service.n);
	r->ticket_wanted = more && span_is(rest, "ticket");
	return more && !r->ticket_wanted ? ERROR_MALFORMED : 0;
}

int rest_request_parse(struct rest_request *r, const char *base, struct span target)
{
	struct span query = path_of(target), p, sid, service;
	size_t base_len = strlen(base);
	unsigned seen = 0;
	bool more;

	memset(r, 0, sizeof *r);
	p = take(&query, '?');
	if (p.n < base_len + 4 || memcmp(p.p, base, base_len) != 0 || memcmp(p.p + base_len, "/v1/", 4) != 0)
		return ERROR_UNSUPPORTED;
	p = (struct span){ p.p + base_len + 4, p.n - base_len - 4 };
	sid = take(&p, '/');
	if (!span_is(take(&p, '/'), "signal"))
		return ERROR_UNSUPPORTED;
	service = take(&p, '/');
	more = p.p > service.p + service.n;
	if (path(r, sid, service, p, more) < 0)
		return ERROR_MALFORMED;
	while (query.n) {
		struct span value = take(&query, '&'), name = take(&value, '=');

		if (parameter(r, name, value, &seen) < 0)
			return ERROR_MALFORMED;
	}
	return 0;
}
