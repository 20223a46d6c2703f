/* What a run of rtpload found: a JSON line on standard output, a few lines for people. Called by main and by the flood. */
#include <inttypes.h>

#include "tests/tools/rtpload.h"

static void directions_json(struct rtpload_tally *const tally[2], bool one_way)
{
	printf("\"up\":");
	rtpload_tally_json(tally[RTPLOAD_UP], stdout);
	if (!one_way) {
		printf(",\"down\":");
		rtpload_tally_json(tally[RTPLOAD_DOWN], stdout);
	}
}

static void kinds_json(const struct rtpload_run *r)
{
	const struct rtpload_options *o = r->options;
	printf(",\"kinds\":[");
	for (int s = 0; s < o->streams; s++) {
		struct rtpload_tally *const tally[2] = { r->part[RTPLOAD_UP][s], r->part[RTPLOAD_DOWN][s] };
		printf("%s{\"payload_type\":%d,", s ? "," : "", o->stream[s].payload_type);
		directions_json(tally, o->one_way);
		printf("}");
	}
	printf("]");
}

static void processes_json(const struct rtpload_run *r, const struct rtpload_cpu *used)
{
	uint64_t packets = rtpload_tally_received(r->tally[RTPLOAD_UP]) + rtpload_tally_received(r->tally[RTPLOAD_DOWN]);
	printf(",\"processes\":[");
	for (int i = 0; i < r->options->pids; i++)
		printf("%s{\"cpu_s\":%.4f,\"cpu_us_per_packet\":%.3f,\"waited_s\":%.4f,\"rss_kb\":%ld}", i ? "," : "", used->process[i],
		       packets ? used->process[i] * 1e6 / (double)packets : 0.0, used->waited[i], used->rss_kb[i]);
	printf("]");
}

static uint64_t own_drops(const struct rtpload_run *r)
{
	uint64_t drops = 0;
	for (int i = 0; i < r->options->calls; i++) {
		drops += rtpload_socket_drops(r->near[i]);
		if (!i || r->options->each_port)
			drops += rtpload_socket_drops(r->far[i]);
	}
	return drops;
}

void rtpload_report(const struct rtpload_run *r, const char *label, double seconds, const struct rtpload_cpu *used, double max_pps)
{
	const struct rtpload_options *o = r->options;
	printf("{\"label\":\"%s\",\"calls\":%d,\"seconds\":%.3f,", label, o->calls, seconds);
	if (o->flood)
		printf("\"max_pps\":%.0f,", max_pps);
	directions_json(r->tally, o->one_way);
	if (r->part[RTPLOAD_UP][0])
		kinds_json(r);
	processes_json(r, used);
	printf(",\"own_cpu_s\":%.3f,\"slips\":%" PRIu64 ",\"send_errors\":%" PRIu64 ",\"own_drops\":%" PRIu64 "}\n", used->own,
	       r->slips, r->send_errors, own_drops(r));
	fflush(stdout);
	if (o->quiet)
		return;
	fprintf(stderr, "%s: %d call(s), %.1f s\n", label, o->calls, seconds);
	if (o->flood)
		fprintf(stderr, "at most %.0f packets/s\n", max_pps);
	rtpload_tally_text(r->tally[RTPLOAD_UP], "up", stderr);
	if (!o->one_way)
		rtpload_tally_text(r->tally[RTPLOAD_DOWN], "down", stderr);
}
