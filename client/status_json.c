/*
 * Status as JSON. One table says what is where, and both writing and reading
 * follow it. Called by the helper (write) and by `culvert status` (read); one of the
 * files that see jansson.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "client/status.h"

#define DIGITS 8		/* of reals: ms with their fractions */

enum kind {
	END,
	TEXT,
	TEXT_OR_NULL,		/* "" is null */
	INT,
	INT_OR_NULL,		/* -1 is null */
	REAL,
	BOOL,
	OBJECT,
	OBJECT_OR_NULL,		/* begins with a bool: there */
	LIST,			/* a pointer to elements, and their number elsewhere */
	COUNTED,		/* one number for each counter */
};

struct field {
	const char *name;
	enum kind kind;
	size_t at;
	size_t size;		/* of a text or an element */
	size_t count_at;
	const struct field *sub;
};

#define SIZE(type, member) sizeof(((type *)0)->member)
#define FIELD(type, kind, member) { #member, kind, offsetof(type, member), SIZE(type, member), 0, NULL }
#define SUB(type, kind, member, sub) { #member, kind, offsetof(type, member), 0, 0, sub }
#define ELEMENTS(type, member, name, sub) \
	{ name, LIST, offsetof(type, member), sizeof *((type *)0)->member, offsetof(type, member##s), sub }
#define LAST { NULL, END, 0, 0, 0, NULL }

static const struct field session[] = {
	FIELD(struct status_session, TEXT, tag), FIELD(struct status_session, INT, age_ms),
	FIELD(struct status_session, INT, channels), FIELD(struct status_session, INT, queued_packets),
	FIELD(struct status_session, INT, queued_bytes), FIELD(struct status_session, REAL, rtt_ms), LAST,
};

static const struct field connections[] = {
	FIELD(struct status_connections, INT, open), FIELD(struct status_connections, INT, limit),
	FIELD(struct status_connections, INT, peak), LAST,
};

static const struct field cuts[] = {
	FIELD(struct status_cuts, INT, age_ms), FIELD(struct status_cuts, INT, idle_ms),
	FIELD(struct status_cuts, INT, bytes), FIELD(struct status_cuts, INT, count), LAST,
};

static const struct field findings[] = {
	FIELD(struct status_findings, TEXT, duplex), FIELD(struct status_findings, TEXT, up),
	FIELD(struct status_findings, TEXT, down), LAST,
};

static const struct field fleet[] = {
	FIELD(struct status_fleet, INT, wanted), FIELD(struct status_fleet, INT, most),
	FIELD(struct status_fleet, INT, replaced), FIELD(struct status_fleet, INT, failed),
	FIELD(struct status_fleet, TEXT_OR_NULL, why), LAST,
};

static const struct field path[] = {
	FIELD(struct status_path, TEXT_OR_NULL, rung), FIELD(struct status_path, TEXT, why),
	FIELD(struct status_path, TEXT_OR_NULL, http),
	FIELD(struct status_path, INT, since_ms), FIELD(struct status_path, INT_OR_NULL, connected_after_ms),
	FIELD(struct status_path, INT_OR_NULL, rung_after_ms), FIELD(struct status_path, INT, changes),
	FIELD(struct status_path, INT, stalls), SUB(struct status_path, OBJECT, connections, connections),
	SUB(struct status_path, OBJECT, cuts, cuts), SUB(struct status_path, OBJECT, findings, findings),
	SUB(struct status_path, OBJECT, fleet, fleet),
	FIELD(struct status_path, INT_OR_NULL, next_probe_ms), LAST,
};

static const struct field carrier[] = {
	FIELD(struct status_carrier, INT, id), FIELD(struct status_carrier, TEXT, rung),
	FIELD(struct status_carrier, BOOL, proven), FIELD(struct status_carrier, BOOL, stalled),
	FIELD(struct status_carrier, INT, legs), FIELD(struct status_carrier, REAL, rtt_ms),
	FIELD(struct status_carrier, INT, lateness_ms), FIELD(struct status_carrier, INT, records_out),
	FIELD(struct status_carrier, INT, records_in), FIELD(struct status_carrier, INT, records_lost),
	FIELD(struct status_carrier, INT, exchanges), FIELD(struct status_carrier, BOOL, media),
	FIELD(struct status_carrier, BOOL, streams), FIELD(struct status_carrier, INT, in_flight),
	FIELD(struct status_carrier, INT, rate), FIELD(struct status_carrier, INT, overdue_ms), LAST,
};

static const struct field class_dropped[] = {
	FIELD(struct status_class_dropped, INT, full), FIELD(struct status_class_dropped, INT, deadline),
	FIELD(struct status_class_dropped, INT, frame), LAST,
};

static const struct field class_recent[] = {
	FIELD(struct status_class_recent, INT, sent), FIELD(struct status_class_recent, INT, dropped), LAST,
};

static const struct field class[] = {
	FIELD(struct status_class, INT, waiting_packets), FIELD(struct status_class, INT, waiting_bytes),
	FIELD(struct status_class, REAL, delay_ms), FIELD(struct status_class, INT, deadline_ms),
	FIELD(struct status_class, INT, sent), SUB(struct status_class, OBJECT, dropped, class_dropped),
	SUB(struct status_class, OBJECT, recent, class_recent), LAST,
};

#define CLASS(name, n) { name, OBJECT, n * sizeof(struct status_class), 0, 0, class }
static const struct field classes[] = {
	CLASS("control", TRAFFIC_CONTROL), CLASS("audio", TRAFFIC_AUDIO), CLASS("video", TRAFFIC_VIDEO),
	CLASS("bulk", TRAFFIC_BULK), LAST,
};

static const struct field redundancy_recent[] = {
	FIELD(struct status_redundancy_recent, INT, packets), FIELD(struct status_redundancy_recent, INT, bytes),
	FIELD(struct status_redundancy_recent, INT, again), FIELD(struct status_redundancy_recent, INT, again_bytes), LAST,
};

static const struct field redundancy[] = {
	FIELD(struct status_redundancy, BOOL, on), FIELD(struct status_redundancy, TEXT, why),
	FIELD(struct status_redundancy, INT, since_ms), FIELD(struct status_redundancy, INT_OR_NULL, left_ms),
	FIELD(struct status_redundancy, INT, packets), FIELD(struct status_redundancy, INT, bytes),
	FIELD(struct status_redundancy, INT, copies), FIELD(struct status_redundancy, INT, copy_bytes),
	FIELD(struct status_redundancy, INT, hedges), FIELD(struct status_redundancy, INT, hedges_held),
	FIELD(struct status_redundancy, INT, evidence),
	SUB(struct status_redundancy, OBJECT, recent, redundancy_recent), LAST,
};

static const struct field media[] = {
	FIELD(struct status_media, REAL, queue_ms), FIELD(struct status_media, INT, rate),
	FIELD(struct status_media, INT, in_flight), FIELD(struct status_media, INT, in_flight_bound),
	FIELD(struct status_media, INT, recent_ms), { "classes", OBJECT, offsetof(struct status_media, class), 0, 0, classes },
	SUB(struct status_media, OBJECT, redundancy, redundancy), LAST,
};

static const struct field forward[] = {
	FIELD(struct status_forward, TEXT, scheme), FIELD(struct status_forward, TEXT, local),
	FIELD(struct status_forward, TEXT, service), FIELD(struct status_forward, INT, flows),
	FIELD(struct status_forward, INT, packets_in), FIELD(struct status_forward, INT, packets_out),
	FIELD(struct status_forward, INT, bytes_in), FIELD(struct status_forward, INT, bytes_out),
	FIELD(struct status_forward, INT, dropped), FIELD(struct status_forward, INT, last_ms), LAST,
};

static const struct field dropped[] = {
	FIELD(struct status_dropped, INT, full), FIELD(struct status_dropped, INT, deadline),
	FIELD(struct status_dropped, INT, frame), FIELD(struct status_dropped, INT, late),
	FIELD(struct status_dropped, INT, repeat), LAST,
};

static const struct field channel[] = {
	FIELD(struct status_channel, INT, id), FIELD(struct status_channel, TEXT, kind),
	FIELD(struct status_channel, TEXT, service), FIELD(struct status_channel, INT, packets_in),
	FIELD(struct status_channel, INT, packets_out), FIELD(struct status_channel, INT, bytes_in),
	FIELD(struct status_channel, INT, bytes_out), FIELD(struct status_channel, INT, deadline_ms),
	FIELD(struct status_channel, INT, late),
	SUB(struct status_channel, OBJECT, dropped, dropped), FIELD(struct status_channel, INT, queue), LAST,
};

static const struct field candidate[] = {
	FIELD(struct status_candidate, TEXT, proxy), FIELD(struct status_candidate, BOOL, used), LAST,
};

static const struct field login[] = {
	FIELD(struct status_login, TEXT, proxy), FIELD(struct status_login, TEXT, scheme),
	FIELD(struct status_login, TEXT_OR_NULL, user), LAST,
};

static const struct field certificate[] = {
	FIELD(struct status_certificate, TEXT, issuer), FIELD(struct status_certificate, TEXT, words),
	FIELD(struct status_certificate, TEXT, expected), FIELD(struct status_certificate, TEXT, pin), LAST,
};

static const struct field whole[] = {
	FIELD(struct status, TEXT, version), FIELD(struct status, INT, uptime_ms), FIELD(struct status, TEXT, server),
	FIELD(struct status, TEXT_OR_NULL, proxy), FIELD(struct status, TEXT_OR_NULL, proxy_from),
	ELEMENTS(struct status, candidate, "candidates", candidate), ELEMENTS(struct status, login, "logins", login),
	FIELD(struct status, BOOL, sealed), SUB(struct status, OBJECT_OR_NULL, certificate, certificate),
	FIELD(struct status, TEXT, identity), FIELD(struct status, TEXT, state),
	FIELD(struct status, TEXT_OR_NULL, trouble), SUB(struct status, OBJECT_OR_NULL, session, session),
	SUB(struct status, OBJECT, path, path), SUB(struct status, OBJECT_OR_NULL, media, media),
	ELEMENTS(struct status, carrier, "carriers", carrier),
	ELEMENTS(struct status, forward, "forwards", forward), ELEMENTS(struct status, channel, "channels", channel),
	{ "counters", COUNTED, offsetof(struct status, counter), 0, 0, NULL }, LAST,
};

void status_fini(struct status *s)
{
	free(s->candidate);
	free(s->login);
	free(s->carrier);
	free(s->forward);
	free(s->channel);
	memset(s, 0, sizeof *s);
}

bool status_is_connected(const struct status *s)
{
	return strcmp(s->state, "connected") == 0;
}

/* ---- writing ---- */

static json_t *value(const struct field *, const char *base);

static json_t *object(const struct field *f, const char *base)
{
	json_t *o = json_object();

	for (; f->kind != END; f++)
		json_object_set_new(o, f->name, value(f, base));
	return o;
}

static json_t *list(const struct field *f, const char *base)
{
	const char *element = *(char *const *)(const void *)(base + f->at);
	size_t n = *(const size_t *)(const void *)(base + f->count_at);
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, object(f->sub, element + i * f->size));
	return a;
}

static json_t *counted_object(const char *at)
{
	const int64_t *n = (const void *)at;
	json_t *o = json_object();

	for (int i = 0; i < COUNTER_COUNT; i++)
		json_object_set_new(o, counter_name((enum counter)i), json_integer(n[i]));
	return o;
}

/* Names and reasons may come from others: what is not UTF-8 is shown by question marks. */
static json_t *text(const char *s)
{
	json_t *t = json_string(s);
	char *safe;

	if (t)
		return t;
	safe = strdup(s);
	if (!safe)
		abort();
	for (char *c = safe; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	t = json_string(safe);
	free(safe);
	return t;
}

static json_t *value(const struct field *f, const char *base)
{
	const char *at = base + f->at;

	switch (f->kind) {
	case TEXT:
		return text(at);
	case TEXT_OR_NULL:
		return *at ? text(at) : json_null();
	case INT:
		return json_integer(*(const int64_t *)(const void *)at);
	case INT_OR_NULL:
		return *(const int64_t *)(const void *)at < 0 ? json_null() : json_integer(*(const int64_t *)(const void *)at);
	case REAL:
		return json_real(*(const double *)(const void *)at);
	case BOOL:
		return json_boolean(*(const bool *)(const void *)at);
	case OBJECT_OR_NULL:
		return *(const bool *)(const void *)at ? object(f->sub, at) : json_null();
	case OBJECT:
		return object(f->sub, at);
	case LIST:
		return list(f, base);
	default:
		return counted_object(at);
	}
}

void status_json_write(FILE *out, const struct status *s)
{
	json_t *root = object(whole, (const char *)s);

	json_dumpf(root, out, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(DIGITS));
	fputc('\n', out);
	json_decref(root);
}

/* ---- reading ---- */

static bool take(const struct field *, char *base, const json_t *);

static bool take_object(const struct field *f, char *base, const json_t *o)
{
	if (!json_is_object(o))
		return false;
	for (; f->kind != END; f++) {
		const json_t *v = json_object_get(o, f->name);

		if (v && !take(f, base, v))
			return false;
	}
	return true;
}

static bool take_list(const struct field *f, char *base, const json_t *a)
{
	size_t n = json_array_size(a);
	char *element = n ? calloc(n, f->size) : NULL;

	if (!json_is_array(a))
		return false;
	if (n && !element)
		abort();
	*(char **)(void *)(base + f->at) = element;
	*(size_t *)(void *)(base + f->count_at) = n;
	for (size_t i = 0; i < n; i++)
		if (!take_object(f->sub, element + i * f->size, json_array_get(a, i)))
			return false;
	return true;
}

static bool take_counted(char *at, const json_t *o)
{
	int64_t *n = (void *)at;

	if (!json_is_object(o))
		return false;
	for (int i = 0; i < COUNTER_COUNT; i++)
		n[i] = json_integer_value(json_object_get(o, counter_name((enum counter)i)));
	return true;
}

static bool take_text(const struct field *f, char *at, const json_t *v)
{
	if (!json_is_string(v))
		return false;
	snprintf(at, f->size, "%s", json_string_value(v));
	return true;
}

static bool take_int(char *at, const json_t *v)
{
	if (!json_is_integer(v))
		return false;
	*(int64_t *)(void *)at = json_integer_value(v);
	return true;
}

static bool take(const struct field *f, char *base, const json_t *v)
{
	char *at = base + f->at;

	switch (f->kind) {
	case TEXT:
		return take_text(f, at, v);
	case TEXT_OR_NULL:
		return json_is_null(v) || take_text(f, at, v);
	case INT:
		return take_int(at, v);
	case INT_OR_NULL:
		*(int64_t *)(void *)at = -1;
		return json_is_null(v) || take_int(at, v);
	case REAL:
		*(double *)(void *)at = json_number_value(v);
		return json_is_number(v);
	case BOOL:
		*(bool *)(void *)at = json_is_true(v);
		return json_is_boolean(v);
	case OBJECT_OR_NULL:
		*(bool *)(void *)at = json_is_object(v);
		return json_is_null(v) || take_object(f->sub, at, v);
	case OBJECT:
		return take_object(f->sub, at, v);
	case LIST:
		return take_list(f, base, v);
	default:
		return take_counted(at, v);
	}
}

bool status_json_read(struct status *s, const char *said, char *error, size_t size)
{
	json_error_t why;
	json_t *root = json_loads(said, 0, &why);
	bool good;

	memset(s, 0, sizeof *s);
	if (!root) {
		snprintf(error, size, "what answers there is no helper of this kind: %.60s", said);
		return false;
	}
	good = take_object(whole, (char *)s, root) && s->state[0];
	json_decref(root);
	if (!good) {
		status_fini(s);
		snprintf(error, size, "the helper is of a version that this command does not understand");
	}
	return good;
}
