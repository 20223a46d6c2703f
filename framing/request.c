/*
 * Request targets. The server's router parses them, the helper's carriers
 * format them. Parameters are strict: each at most once, plain digits, in range.
 */
#include "framing/request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "framing/base64.h"
#include "framing/error.h"
#include "framing/target.h"

static const char *const mode_names[] = { "hello", "poll", "up", "down", "duplex", "probe", "seal", "websocket" };

const char *request_mode_name(enum request_mode mode)
{
	return mode_names[mode];
}

bool request_mode_down(enum request_mode mode)
{
	return mode == MODE_DOWN || mode == MODE_DUPLEX || mode == MODE_WEBSOCKET;
}

bool request_mode_up(enum request_mode mode)
{
	return mode == MODE_UP || mode == MODE_DUPLEX || mode == MODE_WEBSOCKET;
}

const char *request_mode_method(enum request_mode mode)
{
	return mode == MODE_WEBSOCKET ? "GET" : "POST";
}

void request_sid(char out[REQUEST_SID_LEN + 1], const uint8_t random[16])
{
	base64_encode(out, random, 16, true);
}

static int hex16(struct span s, uint64_t *v)
{
	*v = 0;
	if (s.n != 16)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < 16; i++) {
		uint8_t c = s.p[i];
		unsigned d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10U;
		else
			return ERROR_MALFORMED;
		*v = *v << 4 | d;
	}
	return 0;
}

static int mode(struct span s, enum request_mode *m)
{
	for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++)
		if (target_is(s, mode_names[i])) {
			*m = (enum request_mode)i;
			return 0;
		}
	return ERROR_MALFORMED;
}

enum parameter {
	PARAMETER_CARRIER, PARAMETER_X, PARAMETER_MODE, PARAMETER_HOLD, PARAMETER_KEEP, PARAMETER_EPOCH,
	PARAMETER_KEEPALIVE, PARAMETER_PAD, PARAMETER_EVENT_STREAM, PARAMETER_MARKS, PARAMETER_GAP, PARAMETER_SIZE,
	PARAMETER_ANSWER, PARAMETER_SEAL, PARAMETER_END, PARAMETER_REST, PARAMETERS
};

static const struct {
	const char *name;
	uint64_t min, max;	/* of numbers */
} parameters[PARAMETERS] = {
	[PARAMETER_CARRIER] = { "c", 0, REQUEST_CARRIER_MAX },
	[PARAMETER_X] = { "x", 0, REQUEST_X_MAX },
	[PARAMETER_MODE] = { "m", 0, 0 },
	[PARAMETER_HOLD] = { "hold", 0, REQUEST_HOLD_MAX },
	[PARAMETER_KEEP] = { "k", 1, REQUEST_KEEP_MAX },
	[PARAMETER_EPOCH] = { "e", 0, 0 },
	[PARAMETER_KEEPALIVE] = { "ka", REQUEST_KEEPALIVE_MIN, REQUEST_KEEPALIVE_MAX },
	[PARAMETER_PAD] = { "pad", 0, REQUEST_PAD_MAX },
	[PARAMETER_EVENT_STREAM] = { "sse", 0, 1 },
	[PARAMETER_MARKS] = { "n", 0, REQUEST_MARKS_MAX },
	[PARAMETER_GAP] = { "gap", 0, REQUEST_GAP_MAX },
	[PARAMETER_SIZE] = { "size", 0, REQUEST_SIZE_MAX },
	[PARAMETER_ANSWER] = { "a", ANSWER_COMPLETE, ANSWER_EARLY },
	[PARAMETER_SEAL] = { "s", 1, UINT32_MAX },
	[PARAMETER_END] = { "end", 0, 1 },
	[PARAMETER_REST] = { "rest", 0, 1 },
};

static void set(struct request *r, enum parameter name, uint64_t v)
{
	switch (name) {
	case PARAMETER_CARRIER:
		r->carrier = (uint32_t)v;
		break;
	case PARAMETER_X:
		r->x = v;
		break;
	case PARAMETER_HOLD:
		r->hold_ms = (uint32_t)v;
		break;
	case PARAMETER_KEEP:
		r->keep = (uint32_t)v;
		break;
	case PARAMETER_KEEPALIVE:
		r->keepalive_ms = (uint32_t)v;
		break;
	case PARAMETER_PAD:
		r->pad = (uint32_t)v;
		break;
	case PARAMETER_EVENT_STREAM:
		r->event_stream = v;
		break;
	case PARAMETER_MARKS:
		r->marks = (uint32_t)v;
		break;
	case PARAMETER_GAP:
		r->gap_ms = (uint32_t)v;
		break;
	case PARAMETER_SIZE:
		r->size = (uint32_t)v;
		break;
	case PARAMETER_ANSWER:
		r->answer = (enum request_answer)v;
		break;
	case PARAMETER_SEAL:
		r->seal = (uint32_t)v;
		break;
	case PARAMETER_END:
		r->end = v;
		break;
	case PARAMETER_REST:
		r->rest = v;
		break;
	default:
		break;
	}
}

/* One name=value; seen has a bit for each name so far. */
static int parameter(struct request *r, struct span name, struct span value, unsigned *seen)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < PARAMETERS; i++)
		if (target_is(name, parameters[i].name))
			break;
	if (i == PARAMETERS)
		return 0;	/* unknown: ignored */
	if (*seen & 1U << i)
		return ERROR_MALFORMED;
	*seen |= 1U << i;
	if (i == PARAMETER_MODE)
		return mode(value, &r->mode);
	if (i == PARAMETER_EPOCH) {
		r->has_epoch = true;
		return hex16(value, &r->epoch);
	}
	if (target_number(value, parameters[i].min, parameters[i].max, &v) < 0)
		return ERROR_MALFORMED;
	set(r, (enum parameter)i, v);
	return 0;
}

static int query(struct request *r, struct span q)
{
	unsigned seen = 0;

	r->keep = 1;
	while (q.n) {
		struct span value = target_take(&q, '&'), name = target_take(&value, '=');

		if (parameter(r, name, value, &seen) < 0)
			return ERROR_MALFORMED;
	}
	if ((seen & 7) != 7 || (r->mode == MODE_SEAL && !r->seal))	/* c, x and m are needed */
		return ERROR_MALFORMED;
	return r->has_epoch || r->mode == MODE_HELLO || r->mode == MODE_SEAL ? 0 : ERROR_MALFORMED;
}

int request_parse(struct request *r, const char *base, struct span target, struct span *path_query)
{
	struct span rest = target_path(target), path;

	memset(r, 0, sizeof *r);
	*path_query = rest;
	if (rest.n == 0)
		return ERROR_UNSUPPORTED;	/* also a target that is not there at all */
	path = target_take(&rest, '?');
	if (!target_below(&path, base))
		return ERROR_UNSUPPORTED;
	if (target_sid(path, r->sid) < 0)
		return ERROR_MALFORMED;
	return query(r, rest);
}

/* Text at the end of a target that may already be too long for it. */
static void add(char *out, size_t cap, size_t *n, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void add(char *out, size_t cap, size_t *n, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (*n >= cap)
		return;
	va_start(ap, fmt);
	len = vsnprintf(out + *n, cap - *n, fmt, ap);
	va_end(ap);
	*n = len < 0 ? cap : *n + (size_t)len;
}

/* Numbers that are 0 when they are not given. */
static void add_number(char *out, size_t cap, size_t *n, enum parameter name, uint32_t v)
{
	if (v)
		add(out, cap, n, "&%s=%" PRIu32, parameters[name].name, v);
}

ssize_t request_put(const struct request *r, const char *base, char *out, size_t cap)
{
	bool probe = r->mode == MODE_PROBE, streamed = request_mode_down(r->mode);
	size_t n = 0;

	add(out, cap, &n, "%s/v1/%s?c=%" PRIu32 "&x=%" PRIu64 "&m=%s", base, r->sid, r->carrier, r->x,
	    mode_names[r->mode]);
	if (r->mode == MODE_POLL)
		add(out, cap, &n, "&hold=%" PRIu32 "&k=%" PRIu32 "%s", r->hold_ms, r->keep, r->end ? "&end=1" : "");
	if (streamed) {
		add_number(out, cap, &n, PARAMETER_KEEPALIVE, r->keepalive_ms);
		add_number(out, cap, &n, PARAMETER_REST, r->rest);
	}
	if (streamed || probe) {
		add_number(out, cap, &n, PARAMETER_PAD, r->pad);
		add_number(out, cap, &n, PARAMETER_EVENT_STREAM, r->event_stream);
	}
	if (probe) {
		add_number(out, cap, &n, PARAMETER_ANSWER, r->answer);
		add_number(out, cap, &n, PARAMETER_HOLD, r->hold_ms);
		add_number(out, cap, &n, PARAMETER_MARKS, r->marks);
		add_number(out, cap, &n, PARAMETER_GAP, r->gap_ms);
		add_number(out, cap, &n, PARAMETER_SIZE, r->size);
	}
	add_number(out, cap, &n, PARAMETER_SEAL, r->seal);
	if (r->has_epoch)
		add(out, cap, &n, "&e=%016" PRIx64, r->epoch);
	return n < cap ? (ssize_t)n : ERROR_LIMIT;
}
