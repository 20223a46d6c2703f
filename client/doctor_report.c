/*
 * What culvert doctor prints: a line for each check while it runs, which at a terminal
 * is updated in place; the summary; and the file for support. Called by doctor.c.
 * Nothing secret gets here: sentences name files and users, never what is in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "client/doctor.h"
#include "client/emodel.h"

#define TITLE 14		/* columns */

static const char *word(enum outcome o)
{
	static const char *const words[] = { "ok", "limited", "BROKEN", "-" };

	return words[o];
}

/* ---- live ---- */

static int columns(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > TITLE + 20 ? w.ws_col : 80;
}

static bool in_place(const struct doctor *d)
{
	return !d->how->json && isatty(STDOUT_FILENO);
}

void report_progress(const struct doctor *d, const struct check_run *run, const char *text)
{
	if (!in_place(d))
		return;
	printf("\r\033[K  %-8s %-*s %.*s", "...", TITLE, run->check->title, columns() - TITLE - 14, text);
	fflush(stdout);
}

void report_check(const struct doctor *d, const struct check_run *run)
{
	if (d->how->json || run->left_out)
		return;
	printf("%s  %-8s %-*s %s\n", in_place(d) ? "\r\033[K" : "", word(run->outcome), TITLE, run->check->title, run->sentence);
	fflush(stdout);
}

void report_head(const struct doctor *d)
{
	const struct options *o = d->options;

	if (!d->how->json)
		printf("culvert doctor %s: %s %s%s\n\n", CULVERT_VERSION, o->server.url, doctor_chain(d)->n ? "through the proxy " : "without a proxy",
		       doctor_chain(d)->n ? d->way : "");
}

/* ---- the summary ---- */

static const char *rung_words(const struct rung *r)
{
	static const struct { const char *name, *words; } known[] = {
		{ "duplex", "one request whose body and answer both stay open" },
		{ "websocket", "a WebSocket, which still passes after a silence" },
		{ "split", "one request open upwards, one answer open downwards" },
		{ "push", "short requests upwards, one answer open downwards" },
		{ "poll", "short requests and answers" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strncmp(r->name, known[i].name, strlen(known[i].name)) == 0)
			return known[i].words;
	return "";
}

static void print_call(FILE *f, const struct called *c)
{
	const struct call_result *r = &c->result;

	if (r->ran)
		fprintf(f, "%s, MOS %.1f: delay %.0f ms (median), %.0f ms (99 of 100), %.1f %% lost, %.1f %% late", emodel_words(r->mos), r->mos,
			r->p50_ms, r->p99_ms, r->loss_percent, r->late_percent);
	else
		fprintf(f, "did not come about: %s", r->why);
}

/* The first thing that broke. */
static const char *cause(const struct doctor *d)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->runs[i].outcome == OUTCOME_BROKEN)
			return d->runs[i].sentence;
	return d->missing ? d->missing : "";
}

static void print_verdict(const struct doctor *d, FILE *f)
{
	static const char *const usable[] = { "no", "with limits", "yes", "not known" };
	const struct called *best = doctor_best_call(d);

	if (d->rung)
		fprintf(f, "Culvert will use %s here%s: %s.%s%s\n", d->rung->name, doctor_must_seal(d) ? ", sealed" : "", rung_words(d->rung),
			d->why[0] ? " " : "", d->why);
	else
		fprintf(f, "Culvert finds no way here: %s\n", cause(d));
	if (best) {
		fprintf(f, "Expected call: ");
		print_call(f, best);
		fprintf(f, ".\n");
	}
	fprintf(f, "Usable for calls: %s.\n", usable[doctor_usable(d)]);
}

/* Reasons are few, and checks with the same one stand together. */
static void print_left_out(const struct doctor *d, FILE *f)
{
	const char *why = NULL;

	for (unsigned i = 0; i < d->n; i++) {
		const struct check_run *r = &d->runs[i];

		if (!r->left_out)
			continue;
		if (why && strcmp(why, r->sentence) == 0)
			fprintf(f, ", %s", r->check->title);
		else
			fprintf(f, "%sNot measured (%s): %s", why ? ".\n" : "", r->sentence, r->check->title);
		why = r->sentence;
	}
	if (why)
		fprintf(f, ".\n");
}

static bool is_obstacle(const struct check_run *r)
{
	return r->outcome == OUTCOME_LIMITED || r->outcome == OUTCOME_BROKEN;
}

/* An obstacle may show in several checks: those with the same advice and box are one line. */
static bool is_same(const struct check_run *a, const struct check_run *b)
{
	return is_obstacle(a) && is_obstacle(b) && a->advice[0] && strcmp(a->advice, b->advice) == 0 && strcmp(a->box, b->box) == 0;
}

static void print_obstacle(const struct doctor *d, unsigned at, FILE *f)
{
	const struct check_run *r = &d->runs[at];

	for (unsigned i = 0; i < at; i++)
		if (is_same(&d->runs[i], r))
			return;
	fprintf(f, "  %s", r->check->title);
	for (unsigned i = at + 1; i < d->n; i++)
		if (is_same(r, &d->runs[i]))
			fprintf(f, ", %s", d->runs[i].check->title);
	fprintf(f, ": %s%s Box: %s.", r->sentence, strchr("?.", r->sentence[strlen(r->sentence) - 1]) ? "" : ".",
		r->box[0] ? r->box : "does not say");
	if (r->advice[0])
		fprintf(f, " An administrator would: %s.", r->advice);
	fprintf(f, "\n");
}

static void print_obstacles(const struct doctor *d, FILE *f)
{
	bool first = true;

	for (unsigned i = 0; i < d->n; i++) {
		if (!is_obstacle(&d->runs[i]))
			continue;
		if (first)
			fprintf(f, "\nIn the way:\n");
		first = false;
		print_obstacle(d, i, f);
	}
	if (!first)
		fprintf(f, "\n%s in the documentation of culvert.\n", d->reverse ?
			"For who runs the web server in front: REVERSE-PROXIES.md" : "For administrators of proxies: PROXY-ADMINS.md");
}

static void print_check_in_full(const struct check_run *r, FILE *f)
{
	fprintf(f, "%-8s %-12s %6lld..%lld ms  %s\n", outcome_name(r->outcome), r->check->name, (long long)(r->began_us / 1000),
		(long long)(r->ended_us / 1000), r->sentence);
	if (r->box[0])
		fprintf(f, "         box: %s\n", r->box);
	if (r->advice[0])
		fprintf(f, "         advice: %s\n", r->advice);
	if (r->figures)
		fprintf(f, "        ");
	for (unsigned i = 0; i < r->figures; i++)
		fprintf(f, " %s=%g", r->figure[i].name, r->figure[i].value);
	if (r->figures)
		fprintf(f, "\n");
}

static void print_evidence(const char *where, const struct box_evidence *e, FILE *f)
{
	const char *const fields[][2] = { { "Via", e->via }, { "Server", e->server }, { "Proxy-Agent", e->agent },
					  { "Proxy-Status", e->status }, { "X-Cache", e->cache }, { "X-Squid-Error", e->error },
					  { "issuer", e->issuer }, { "page", e->page } };

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i][1][0])
			fprintf(f, "%s, %s: %s\n", where, fields[i][0], fields[i][1]);
}

void report_text(const struct doctor *d, FILE *f, bool all)
{
	for (unsigned i = 0; all && i < d->n; i++)
		print_check_in_full(&d->runs[i], f);
	for (unsigned i = 0; all && i < d->calls; i++) {
		fprintf(f, "call on %s: ", d->call[i].rung->name);
		print_call(f, &d->call[i]);
		fprintf(f, " (%u sent, %u back)\n", d->call[i].result.sent, d->call[i].result.received);
	}
	if (all) {
		print_evidence("outside TLS", &d->outer, f);
		print_evidence("inside TLS", &d->inner, f);
	}
	fprintf(f, "\n");
	print_verdict(d, f);
	print_left_out(d, f);
	print_obstacles(d, f);
}

void report_end(const struct doctor *d)
{
	if (d->how->json)
		report_json(d, stdout);
	else
		report_text(d, stdout, false);
	fflush(stdout);
}

/* ---- the file ---- */

static void print_report(const struct doctor *d, FILE *f)
{
	time_t now = (time_t)loop_wall(d->loop);
	char date[40] = "", way[sizeof d->way];
	struct utsname u;
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(f, "culvert doctor %s, %s\nserver: %s\nproxy: %s\nmode: %s\n", CULVERT_VERSION, date, d->options->server.url,
		doctor_chain(d)->n ? d->way : "none", doctor_mode(d));
	if (d->list.from[0])
		fprintf(f, "proxies from: %s\n", d->list.from);
	for (unsigned i = 0; i < d->list.n && d->list.n > 1; i++)
		fprintf(f, "candidate %u: %s%s\n", i + 1, proxy_chain_text(&d->list.chain[i], way, sizeof way), i == d->candidate ? ", examined" : "");
	if (d->login[0])
		fprintf(f, "login: %s\n", d->login);
	if (uname(&u) == 0)
		fprintf(f, "system: %s %s %s\n", u.sysname, u.release, u.machine);
	fprintf(f, "No token, password, Authorization header or session identifier is in this file.\n\n");
	report_text(d, f, true);
	fprintf(f, "\nFor programs:\n");
	report_json(d, f);
}

bool report_file(const struct doctor *d, const char *file, char *error, size_t size)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool ok = f && fchmod(fd, 0600) == 0;

	if (ok) {
		print_report(d, f);
		ok = !ferror(f);
	}
	if (f)
		ok = fclose(f) == 0 && ok;
	else if (fd >= 0)
		close(fd);
	if (!ok)
		snprintf(error, size, "--report: cannot write %s: %s", file, strerror(errno));
	else if (!d->how->json)
		printf("\nThe report is in %s; send it to support.\n", file);
	return ok;
}
