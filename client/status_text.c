/*
 * Status for people. Called by `culvert status`; prints what client/status.h says,
 * with rates when there is an earlier status to compare with.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/status.h"

#define FORWARDS_SHOWN 16
#define CHANNELS_SHOWN 12
#define CELL STATUS_CELL

/* ---- words and numbers ---- */

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

/* "42 ms", "3.1 s", "2 min 5 s", "3 h 2 min", "4 d 1 h". */
static const char *duration(char out[CELL], int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" } };

	for (size_t i = 0; i < 3; i++) {
		if (ms < units[i].ms)
			continue;
		snprintf(out, CELL, "%" PRId64 " %s %" PRId64 " %s", ms / units[i].ms, units[i].unit,
			 ms % units[i].ms / units[i + 1].ms, units[i + 1].unit);
		return out;
	}
	if (ms < 1000)
		snprintf(out, CELL, "%" PRId64 " ms", ms);
	else
		snprintf(out, CELL, "%.1f s", (double)ms / 1000);
	return out;
}

const char *status_number(char out[CELL], double n)
{
	if (n < 100000)
		snprintf(out, CELL, "%.0f", n);
	else if (n < 1e6)
		snprintf(out, CELL, "%.0f k", n / 1e3);
	else if (n < 1e9)
		snprintf(out, CELL, "%.2f M", n / 1e6);
	else
		snprintf(out, CELL, "%.2f G", n / 1e9);
	return out;
}

/* ---- rates ---- */

/* Seconds between two statuses of one helper; 0: they cannot be compared. */
static double seconds_between(const struct status *now, const struct status *before)
{
	return before && now->uptime_ms > before->uptime_ms ? (double)(now->uptime_ms - before->uptime_ms) / 1000 : 0;
}

static bool same_session(const struct status *now, const struct status *before)
{
	return strcmp(now->session.tag, before->session.tag) == 0;
}

/* What is shown of traffic: packets and bytes, or packets and kbit per second. */
struct flow {
	double packets_in, bits_in, packets_out, bits_out, weight;
	bool packets;	/* it has any: streams have none */
};

static void compare(struct flow *t, const int64_t now[4], const int64_t before[4], double seconds)
{
	double d[4];

	for (size_t i = 0; i < 4; i++)
		d[i] = (double)(now[i] - (seconds > 0 ? before[i] : 0)) / (seconds > 0 ? seconds : 1);
	for (size_t i = 0; i < 4; i++)
		d[i] = d[i] < 0 ? 0 : d[i];
	*t = (struct flow){ d[0], d[1], d[2], d[3], d[1] + d[3], now[0] + now[2] > 0 };
}

#define FOUR(x) (int64_t[4]){ (x)->packets_in, (x)->bytes_in, (x)->packets_out, (x)->bytes_out }

/* Four columns of 8 characters. */
static void put_traffic(FILE *out, const struct flow *t, bool rates)
{
	double unit = rates ? 8.0 / 1000 : 1;
	char a[CELL], b[CELL];

	fprintf(out, " %8s %8s", t->packets ? status_number(a, t->packets_in) : "-", status_number(b, t->bits_in * unit));
	fprintf(out, " %8s %8s", t->packets ? status_number(a, t->packets_out) : "-", status_number(b, t->bits_out * unit));
}

static void put_traffic_title(FILE *out, bool rates)
{
	fprintf(out, " %8s %8s %8s %8s", rates ? "in/s" : "in", rates ? "kbit/s" : "bytes", rates ? "out/s" : "out",
		rates ? "kbit/s" : "bytes");
}

/* ---- parts ---- */

/* The proxies, as whom, and whether what goes through them is sealed. */
static void put_way(FILE *out, const struct status *s)
{
	if (s->proxy[0] || s->proxy_from[0])
		fprintf(out, "proxy     %s%s%s%s\n", s->proxy[0] ? s->proxy : "none", s->proxy_from[0] ? " (" : "", s->proxy_from,
			s->proxy_from[0] ? ")" : "");
	for (size_t i = 0; i < s->candidates && s->candidates > 1; i++)
		fprintf(out, "          %zu. %s%s\n", i + 1, s->candidate[i].proxy, s->candidate[i].used ? ", in use" : "");
	for (size_t i = 0; i < s->logins; i++)
		fprintf(out, "login     %s%s%s at %s\n", s->login[i].scheme, s->login[i].user[0] ? " as " : "", s->login[i].user, s->login[i].proxy);
	if (s->sealed)
		fprintf(out, "sealed    yes: nobody between here and who shows the certificate reads or alters anything\n");
}

static void put_head(FILE *out, const struct status *s)
{
	char text[CELL];

	fprintf(out, "culvert %s: %s%s%s%s%s, up %s\n", s->version, s->state, s->path.rung[0] ? " by " : "", s->path.rung,
		s->proxy[0] ? " through " : "", s->proxy, duration(text, s->uptime_ms));
	fprintf(out, "server    %s as %s\n", s->server, s->identity);
	if (s->certificate.there)
		fprintf(out, "          certificate %s; pin %s\n", s->certificate.words, s->certificate.pin);
	put_way(out, s);
	if (s->trouble[0])
		fprintf(out, "trouble   %s\n", s->trouble);
}

static void put_limits(FILE *out, const struct status_path *p)
{
	const struct status_connections *c = &p->connections;
	const struct status_cuts *cuts = &p->cuts;
	char text[CELL];

	if (c->limit)
		fprintf(out, "          connections: %" PRId64 " open%s%s%s, at most %" PRId64 ", %" PRId64 " stood at once\n", c->open,
			p->http[0] ? " (" : "", p->http, p->http[0] ? ")" : "", c->limit, c->peak);
	if (!cuts->count)
		return;
	fprintf(out, "          %" PRId64 " cut%s seen", cuts->count, plural(cuts->count));
	if (cuts->age_ms)
		fprintf(out, "; connections live %s", duration(text, cuts->age_ms));
	if (cuts->idle_ms)
		fprintf(out, "; silence is cut after %s", duration(text, cuts->idle_ms));
	if (cuts->bytes)
		fprintf(out, "; cut after %s bytes", status_number(text, (double)cuts->bytes));
	fputc('\n', out);
}

static void put_fleet(FILE *out, const struct status_fleet *f)
{
	if (f->wanted <= 1 && !f->replaced && !f->failed)
		return;
	fprintf(out, "          carriers: %" PRId64 " wanted", f->wanted);
	if (f->why[0])
		fprintf(out, ", %" PRId64 " can be had (%s)", f->most, f->why);
	fprintf(out, "; %" PRId64 " replaced, %" PRId64 " failed\n", f->replaced, f->failed);
}

static void put_path(FILE *out, const struct status_path *p)
{
	char a[CELL], b[CELL];

	if (p->rung[0])
		fprintf(out, "path      %s since %s%s%s\n", p->rung, duration(a, p->since_ms), p->why[0] ? ": " : "", p->why);
	else
		fprintf(out, "path      none yet%s%s\n", p->why[0] ? ": " : "", p->why);
	if (p->connected_after_ms >= 0)
		fprintf(out, "          connected after %s, this rung after %s; %" PRId64 " change%s, %" PRId64 " stall%s\n",
			duration(a, p->connected_after_ms), duration(b, p->rung_after_ms < 0 ? 0 : p->rung_after_ms), p->changes,
			plural(p->changes), p->stalls, plural(p->stalls));
	put_limits(out, p);
	put_fleet(out, &p->fleet);
	fprintf(out, "          up %s, down %s, both at once %s", p->findings.up, p->findings.down, p->findings.duplex);
	if (p->next_probe_ms >= 0)
		fprintf(out, "; next probe in %s", duration(a, p->next_probe_ms));
	fputc('\n', out);
}

static void put_session(FILE *out, const struct status_session *s)
{
	char age[CELL], bytes[CELL];

	if (!s->there)
		fprintf(out, "session   none\n");
	else
		fprintf(out, "session   %s, %s old: %" PRId64 " channel%s, round trip %.1f ms, %" PRId64 " packet%s (%s bytes) waiting\n",
			s->tag, duration(age, s->age_ms), s->channels, plural(s->channels), s->rtt_ms, s->queued_packets,
			plural(s->queued_packets), status_number(bytes, (double)s->queued_bytes));
}

static const char *takes(const struct status_carrier *c)
{
	return c->media && c->streams ? "all" : c->media ? "media" : c->streams ? "streams" : "-";
}

static void put_carriers(FILE *out, const struct status *s)
{
	if (!s->carriers)
		return;
	fprintf(out, "\ncarriers    state    legs  rtt ms late ms      out       in   lost exchanges   flight   kbit/s overdue takes\n");
	for (size_t i = 0; i < s->carriers; i++) {
		const struct status_carrier *c = &s->carrier[i];
		char a[CELL], b[CELL], d[CELL], e[CELL], f[CELL], g[CELL];

		fprintf(out, "  %-9s %-8s %4" PRId64 " %7.1f %7" PRId64 " %8s %8s %6s %9s %8s %8s %7" PRId64 " %s\n", c->rung,
			c->stalled ? "stalled" : c->proven ? "proven" : "new", c->legs, c->rtt_ms, c->lateness_ms,
			status_number(a, (double)c->records_out), status_number(b, (double)c->records_in), status_number(d, (double)c->records_lost),
			status_number(e, (double)c->exchanges), status_number(f, (double)c->in_flight),
			status_number(g, (double)c->rate * 8 / 1000), c->overdue_ms, takes(c));
	}
}

static bool unused(const struct status *s)
{
	for (size_t i = 0; i < s->forwards; i++)
		if (s->forward[i].last_ms < 0)
			return true;
	return false;
}

static void put_forwards(FILE *out, const struct status *s, const struct status *before, double seconds)
{
	size_t shown = s->forwards > FORWARDS_SHOWN ? FORWARDS_SHOWN : s->forwards, left = s->forwards, used = 0;

	fprintf(out, "\n%-30s %5s", "forwards", "flows");
	put_traffic_title(out, seconds > 0);
	fprintf(out, " %8s  %s\n", "dropped", "last used");
	for (size_t i = 0; i < s->forwards && used < shown; i++) {
		const struct status_forward *f = &s->forward[i];
		bool quiet = !f->flows && !f->bytes_in && !f->bytes_out && !f->dropped;
		char name[3 * STATUS_NAME], text[CELL];
		struct flow t;

		/* When there are too many, those without traffic go first. */
		if (quiet && left > shown - used) {
			left--;
			continue;
		}
		compare(&t, FOUR(f), seconds > 0 && before->forwards == s->forwards ? FOUR(&before->forward[i]) : FOUR(f), seconds);
		snprintf(name, sizeof name, "%s %s %s", f->scheme, f->local, f->service);
		fprintf(out, "  %-28s %5" PRId64, name, f->flows);
		put_traffic(out, &t, seconds > 0);
		fprintf(out, " %8s", status_number(text, (double)f->dropped));
		fprintf(out, f->last_ms < 0 ? "  never\n" : "  %s ago\n", duration(text, f->last_ms));
		used++;
		left--;
	}
	if (used < s->forwards)
		fprintf(out, "  ... and %zu more\n", s->forwards - used);
	if (unused(s))
		fprintf(out, "  never: nothing has come to that port since the helper began. Is the application pointed there? A browser says nothing when it\n"
			"  may not: a page from the internet needs its permission for the local network; where policy forbids UDP it takes TURN by TCP.\n");
}

/* ---- channels ---- */

struct shown {
	const struct status_channel *channel;
	struct flow traffic;
};

static int busier(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	if (x->traffic.weight != y->traffic.weight)
		return x->traffic.weight < y->traffic.weight ? 1 : -1;
	return x->channel->id < y->channel->id ? -1 : x->channel->id > y->channel->id;
}

static const struct status_channel *earlier(const struct status *before, int64_t id)
{
	for (size_t i = 0; before && i < before->channels; i++)
		if (before->channel[i].id == id)
			return &before->channel[i];
	return NULL;
}

static void put_channel(FILE *out, const struct shown *x, bool rates)
{
	const struct status_channel *c = x->channel;
	const struct status_dropped *d = &c->dropped;
	int64_t dropped = d->full + d->deadline + d->frame + d->late;
	char name[STATUS_NAME + 40], text[CELL];

	snprintf(name, sizeof name, "%" PRId64 " %s %s", c->id, c->kind, c->service);
	fprintf(out, "  %-28s %5s", name, status_number(text, (double)c->queue));
	put_traffic(out, &x->traffic, rates);
	fprintf(out, " %8s\n", status_number(text, (double)dropped));
	if (dropped)
		fprintf(out, "      dropped: %" PRId64 " no room, %" PRId64 " waited too long, %" PRId64 " with their frame, %" PRId64
			     " arrived late\n", d->full, d->deadline, d->frame, d->late);
	if (d->repeat)
		fprintf(out, "      besides: %" PRId64 " arrived twice\n", d->repeat);
}

static void put_channels(FILE *out, const struct status *s, const struct status *before, double seconds)
{
	struct shown *x = s->channels ? calloc(s->channels, sizeof *x) : NULL;
	bool same = seconds > 0 && same_session(s, before);

	if (!x)
		return;
	fprintf(out, "\n%-30s %5s", "channels", "queue");
	put_traffic_title(out, seconds > 0);
	fprintf(out, " %8s\n", "dropped");
	for (size_t i = 0; i < s->channels; i++) {
		const struct status_channel *was = same ? earlier(before, s->channel[i].id) : NULL;

		x[i].channel = &s->channel[i];
		compare(&x[i].traffic, FOUR(&s->channel[i]), was ? FOUR(was) : (int64_t[4]){ 0 }, seconds);
	}
	qsort(x, s->channels, sizeof *x, busier);
	for (size_t i = 0; i < s->channels && i < CHANNELS_SHOWN; i++)
		put_channel(out, &x[i], seconds > 0);
	if (s->channels > CHANNELS_SHOWN)
		fprintf(out, "  ... and %zu less busy ones\n", s->channels - CHANNELS_SHOWN);
	free(x);
}

/* What was dropped in all, with its reasons. */
static void put_dropped(FILE *out, const struct status *s)
{
	bool any = false;

	for (int i = 0; i < COUNTER_COUNT; i++) {
		const char *name = counter_name((enum counter)i), *text = counter_text((enum counter)i);

		if (strncmp(name, "dropped_", 8) != 0 || !s->counter[i])
			continue;
		fprintf(out, "%s  %8" PRId64 "  %s\n", any ? "" : "\ndropped in all\n", s->counter[i],
			strncmp(text, "datagrams dropped: ", 19) == 0 ? text + 19 : text);
		any = true;
	}
}

void status_text(FILE *out, const struct status *s, const struct status *before)
{
	double seconds = seconds_between(s, before);

	put_head(out, s);
	put_path(out, &s->path);
	put_session(out, &s->session);
	status_media_line(out, s);
	status_media_classes(out, &s->media, seconds > 0 && same_session(s, before) ? &before->media : NULL, seconds);
	put_carriers(out, s);
	put_forwards(out, s, before, seconds);
	put_channels(out, s, before, seconds);
	put_dropped(out, s);
}
