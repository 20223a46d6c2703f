/* The verdict of culvert doctor for programs: one JSON object. Called by doctor_report.c. */
#include <math.h>

#include "client/doctor.h"
#include "client/emodel.h"

/* Bytes of the character that s begins with; 0: it is not UTF-8 (names of certificates may be cut within one). */
static size_t character(const unsigned char *s)
{
	size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 : *s >= 0xf0 && *s < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void put_text(FILE *f, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (!text) {
		fputs("null", f);
		return;
	}
	fputc('"', f);
	for (; *s; s += n ? n : 1) {
		n = character(s);
		if (*s < ' ' || *s == 0x7f)
			fprintf(f, "\\u%04x", *s);
		else if (n == 2 && *s == 0xc2 && s[1] < 0xa0)
			fprintf(f, "\\u%04x", s[1]);
		else if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (n)
			fwrite(s, 1, n, f);
		else
			fputc('?', f);
	}
	fputc('"', f);
}

/* The first one of an object has no comma in front. */
static void put_name(FILE *f, const char *name, bool first)
{
	fprintf(f, "%s\"%s\":", first ? "" : ",", name);
}

static void put_pair(FILE *f, const char *name, const char *value, bool first)
{
	put_name(f, name, first);
	put_text(f, value);
}

static void put_number(FILE *f, const char *name, double value, bool first)
{
	put_name(f, name, first);
	fprintf(f, "%.10g", isfinite(value) ? value : 0.0);
}

static void put_check(FILE *f, const struct check_run *r)
{
	fputc('{', f);
	put_pair(f, "name", r->check->name, true);
	put_pair(f, "title", r->check->title, false);
	put_pair(f, "outcome", outcome_name(r->outcome), false);
	put_pair(f, "sentence", r->sentence, false);
	put_pair(f, "box", r->box[0] ? r->box : NULL, false);
	put_pair(f, "advice", r->advice[0] ? r->advice : NULL, false);
	put_number(f, "began_ms", (double)(r->began_us / 1000), false);
	put_number(f, "ended_ms", (double)(r->ended_us / 1000), false);
	put_name(f, "figures", false);
	fputc('{', f);
	for (unsigned i = 0; i < r->figures; i++)
		put_number(f, r->figure[i].name, r->figure[i].value, i == 0);
	fputs("}}", f);
}

static void put_call(FILE *f, const struct called *c)
{
	const struct call_result *r = c ? &c->result : NULL;

	if (!c) {
		fputs("null", f);
		return;
	}
	fputc('{', f);
	put_pair(f, "rung", c->rung->name, true);
	put_name(f, "ran", false);
	fputs(r->ran ? "true" : "false", f);
	put_pair(f, "why", r->why[0] ? r->why : NULL, false);
	put_number(f, "sent", r->sent, false);
	put_number(f, "received", r->received, false);
	put_number(f, "p50_ms", r->p50_ms, false);
	put_number(f, "p99_ms", r->p99_ms, false);
	put_number(f, "loss_percent", r->loss_percent, false);
	put_number(f, "late_percent", r->late_percent, false);
	put_number(f, "mos", r->mos, false);
	put_pair(f, "words", r->ran ? emodel_words(r->mos) : NULL, false);
	fputc('}', f);
}

static void put_findings(FILE *f, const struct survey_findings *s, unsigned limit)
{
	fputc('{', f);
	put_pair(f, "duplex", finding_name(s->duplex), true);
	put_pair(f, "up", finding_name(s->up), false);
	put_pair(f, "up_fill", finding_name(s->up_fill), false);
	put_pair(f, "down", finding_name(s->down), false);
	put_pair(f, "down_sse", finding_name(s->down_sse), false);
	put_pair(f, "down_pad", finding_name(s->down_pad), false);
	put_number(f, "limit", limit, false);
	fputc('}', f);
}

/* What the pool has learned while all this went on. */
static void put_cuts(FILE *f, const struct cuts *c)
{
	put_name(f, "cuts", false);
	fputc('{', f);
	put_number(f, "age_ms", (double)(c->seen.age_us / 1000), true);
	put_number(f, "idle_ms", (double)(c->seen.idle_us / 1000), false);
	put_number(f, "bytes", (double)c->seen.bytes, false);
	put_number(f, "count", c->count, false);
	fputc('}', f);
}

/* The ways that were found, in the order in which they are tried. */
static void put_candidates(FILE *f, const struct doctor *d)
{
	char text[sizeof d->way];

	put_name(f, "candidates", false);
	fputc('[', f);
	for (unsigned i = 0; i < d->list.n; i++) {
		fputs(i ? "," : "", f);
		put_text(f, proxy_chain_text(&d->list.chain[i], text, sizeof text));
	}
	fputc(']', f);
}

static void put_certificate(FILE *f, const struct doctor *d)
{
	put_name(f, "certificate", false);
	if (!d->pin[0]) {
		fputs("null", f);
		return;
	}
	fputc('{', f);
	put_pair(f, "issuer", d->issuer, true);
	put_pair(f, "expected", issuer_expected(d->issued), false);
	put_pair(f, "pin", d->pin, false);
	fputc('}', f);
}

void report_json(const struct doctor *d, FILE *f)
{
	fputc('{', f);
	put_pair(f, "version", CULVERT_VERSION, true);
	put_pair(f, "server", d->options->server.url, false);
	put_pair(f, "proxy", doctor_chain(d)->n ? d->way : NULL, false);
	put_pair(f, "proxy_from", d->list.from[0] ? d->list.from : NULL, false);
	put_candidates(f, d);
	put_pair(f, "login", d->login[0] ? d->login : NULL, false);
	put_pair(f, "mode", doctor_mode(d), false);
	put_certificate(f, d);
	put_pair(f, "rung", d->rung ? d->rung->name : NULL, false);
	put_pair(f, "why", d->why[0] ? d->why : NULL, false);
	put_pair(f, "usable", usable_name(doctor_usable(d)), false);
	put_name(f, "findings", false);
	put_findings(f, &d->findings, d->limit);
	put_cuts(f, pool_cuts(d->pool));
	put_name(f, "call", false);
	put_call(f, doctor_best_call(d));
	put_name(f, "calls", false);
	fputc('[', f);
	for (unsigned i = 0; i < d->calls; i++) {
		fputs(i ? "," : "", f);
		put_call(f, &d->call[i]);
	}
	fputs("]", f);
	put_name(f, "checks", false);
	fputc('[', f);
	for (unsigned i = 0; i < d->n; i++) {
		fputs(i ? "," : "", f);
		put_check(f, &d->runs[i]);
	}
	fputs("]}\n", f);
}
