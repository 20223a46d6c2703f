/*
 * What REST clients ask for, in numbers. Counted by rest_call.c; written for status.c.
 */
#include "server/rest_tally.h"

#include <inttypes.h>
#include <string.h>

#include "server/rest_internal.h"
#include "server/sessions.h"
#include "tunnel/counters.h"

static const char *const outcomes[REST_OUTCOMES] = { "served", "refused", "failed", "left" };
static const char *const transports[] = { "stream", "sse", "poll" };

#define TRANSPORTS (sizeof transports / sizeof *transports)

/* Sessions by how they get their messages. */
struct seen {
	size_t sessions, waiting, by[TRANSPORTS];
};

void rest_tally_count(struct rest_tally *t, enum rest_method method, int status)
{
	t->n[method][status == 0 ? REST_LEFT : status >= 500 ? REST_FAILED_HERE : status >= 400 ? REST_REFUSED : REST_SERVED]++;
	if (status == 409)
		count(rest_conflicts);
}

static void see(void *arg, const struct sessions_one *one)
{
	struct rest_session_stats s;
	struct seen *seen = arg;

	if (!one->tenant)
		return;
	rest_session_stats(one->tenant, &s);
	seen->sessions++;
	seen->waiting += s.waits;
	for (size_t i = 0; i < TRANSPORTS; i++)
		seen->by[i] += strcmp(s.by, transports[i]) == 0;
}

static const char *name_of(int method)
{
	return method == REST_NO_METHOD ? "other" : rest_method_names[method];
}

static void write_json(const struct rest_tally *t, const struct seen *seen, FILE *out)
{
	fprintf(out, "{\"sessions\":%zu,\"waiting\":%zu,\"transports\":{", seen->sessions, seen->waiting);
	for (size_t i = 0; i < TRANSPORTS; i++)
		fprintf(out, "%s\"%s\":%zu", i ? "," : "", transports[i], seen->by[i]);
	fputs("},\"requests\":{", out);
	for (int m = 0; m <= REST_NO_METHOD; m++) {
		fprintf(out, "%s\"%s\":{", m ? "," : "", name_of(m));
		for (int o = 0; o < REST_OUTCOMES; o++)
			fprintf(out, "%s\"%s\":%" PRIu64, o ? "," : "", outcomes[o], t->n[m][o]);
		fputc('}', out);
	}
	fputs("}}", out);
}

static void write_text(const struct rest_tally *t, const struct seen *seen, FILE *out)
{
	fprintf(out, "  %zu sessions, %zu wait for messages now:", seen->sessions, seen->waiting);
	for (size_t i = 0; i < TRANSPORTS; i++)
		fprintf(out, "%s %zu by %s", i ? "," : "", seen->by[i], transports[i]);
	fputc('\n', out);
	for (int m = 0; m <= REST_NO_METHOD; m++) {
		const uint64_t *n = t->n[m];

		if (n[REST_SERVED] + n[REST_REFUSED] + n[REST_FAILED_HERE] + n[REST_LEFT])
			fprintf(out, "  %-7s %" PRIu64 " served, %" PRIu64 " refused, %" PRIu64 " failed, %" PRIu64 " left\n", name_of(m),
				n[REST_SERVED], n[REST_REFUSED], n[REST_FAILED_HERE], n[REST_LEFT]);
	}
}

void rest_tally_write(const struct rest *r, const struct sessions *sessions, FILE *out, bool json)
{
	struct seen seen = { 0 };

	sessions_each(sessions, see, &seen);
	(json ? write_json : write_text)(&r->tally, &seen, out);
}

void rest_tally_write_session(const struct rest_session *session, FILE *out, bool json)
{
	struct rest_session_stats s;

	rest_session_stats(session, &s);
	if (!json) {
		fprintf(out, "service %s by REST, %s, %s%s, %" PRIu64 " messages from it (%zu not received yet), %" PRIu64 " to it (%zu wait)",
			s.service, s.state, *s.by ? s.by : "nothing asked for yet", s.waits ? " waits" : "", s.out, s.out_kept, s.in,
			s.in_kept);
		return;
	}
	fprintf(out,
		",\"rest\":{\"service\":\"%s\",\"state\":\"%s\",\"transport\":\"%s\",\"waits\":%s,"
		"\"out\":{\"messages\":%" PRIu64 ",\"kept\":%zu,\"kept_bytes\":%zu},\"in\":{\"messages\":%" PRIu64 ",\"kept\":%zu,\"kept_bytes\":%zu}}",
		s.service, s.state, s.by, s.waits ? "true" : "false", s.out, s.out_kept, s.out_bytes, s.in, s.in_kept, s.in_bytes);
}
