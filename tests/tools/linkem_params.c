/* What a link does to packets, read from options. Called by linkem.c; dies on a value that makes no sense. */
#include <stdlib.h>
#include <string.h>

#include "tests/tools/linkem.h"
#include "tests/tools/tool.h"

void linkem_params_init(struct linkem_params *p)
{
	*p = (struct linkem_params){ .queue_bytes = -1, .queue_ns = 100000000, .reorder_by = 10000000 };
}

static double share(const char *key, const char *value)
{
	double x = tool_number(key, value, NULL);
	if (x > 100)
		tool_die("%s is a percentage: %s", key, value);
	return x / 100;
}

static int64_t ms(const char *key, const char *value)
{
	return (int64_t)(tool_number(key, value, NULL) * 1e6);
}

/* "1,2" or "1:2" into numbers; how many there were. */
static int numbers(const char *key, const char *value, double *out, int max)
{
	char *rest;
	for (int n = 0;; value = rest + 1) {
		if (n == max)
			tool_die("at most %d numbers for %s", max, key);
		out[n++] = tool_number(key, value, &rest);
		if (!*rest)
			return n;
		if (*rest != ',' && *rest != ':')
			tool_die("bad value for %s: %s", key, value);
	}
}

static void set_jitter_shape(struct linkem_params *p, const char *key, const char *value)
{
	if (strcmp(value, "normal") && strcmp(value, "uniform"))
		tool_die("%s is uniform or normal: %s", key, value);
	p->jitter_normal = value[0] == 'n';
}

static void set_bursts(struct linkem_params *p, const char *key, const char *value)
{
	double x[4] = { 0, 0, 100, 0 };
	if (numbers(key, value, x, 4) < 2)
		tool_die("%s needs at least P,R", key);
	p->bursts = true;
	p->good_to_bad = x[0] / 100;
	p->bad_to_good = x[1] / 100;
	p->loss_bad = x[2] / 100;
	p->loss_good = x[3] / 100;
}

static void set_queue(struct linkem_params *p, const char *key, const char *value)
{
	char *unit;
	double x = tool_number(key, value, &unit);
	p->queue_bytes = p->queue_ns = -1;
	if (!strcmp(unit, "ms"))
		p->queue_ns = (int64_t)(x * 1e6);
	else if (!*unit)
		p->queue_bytes = (int64_t)x;
	else
		tool_die("%s is BYTES or MSms: %s", key, value);
}

static void add_blackout(struct linkem_params *p, const char *key, const char *value)
{
	double x[2];
	if (numbers(key, value, x, 2) != 2)
		tool_die("%s needs AT,FOR in seconds", key);
	if (p->blackouts == LINKEM_MAX_BLACKOUTS)
		tool_die("at most %d times %s", LINKEM_MAX_BLACKOUTS, key);
	p->blackout[p->blackouts].at = (int64_t)(x[0] * 1e9);
	p->blackout[p->blackouts++].length = (int64_t)(x[1] * 1e9);
}

bool linkem_params_set(struct linkem_params *p, const char *key, const char *value)
{
	if (!strcmp(key, "delay"))
		p->delay = ms(key, value);
	else if (!strcmp(key, "jitter"))
		p->jitter = ms(key, value);
	else if (!strcmp(key, "jitter-shape"))
		set_jitter_shape(p, key, value);
	else if (!strcmp(key, "jitter-reorder"))
		p->jitter_reorder = tool_number(key, value, NULL) != 0;
	else if (!strcmp(key, "loss"))
		p->loss = share(key, value);
	else if (!strcmp(key, "bursts"))
		set_bursts(p, key, value);
	else if (!strcmp(key, "rate"))
		p->rate = tool_number(key, value, NULL) * 1000;
	else if (!strcmp(key, "queue"))
		set_queue(p, key, value);
	else if (!strcmp(key, "duplicate"))
		p->duplicate = share(key, value);
	else if (!strcmp(key, "reorder"))
		p->reorder = share(key, value);
	else if (!strcmp(key, "reorder-by"))
		p->reorder_by = ms(key, value);
	else if (!strcmp(key, "blackout"))
		add_blackout(p, key, value);
	else
		return false;
	return true;
}

void linkem_params_override(struct linkem_params *p, const char *text)
{
	char *copy = strdup(text), *save = NULL;
	for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(s, '=');
		if (!equals)
			tool_die("not key=value: %s", s);
		*equals = 0;
		if (!linkem_params_set(p, s, equals + 1))
			tool_die("a link has no %s", s);
	}
	free(copy);
}
