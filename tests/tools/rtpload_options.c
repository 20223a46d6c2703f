/*
 * Options of rtpload, and the kinds of packets that they describe. Called by
 * main at the start and for each line of standard input.
 */
#include "tests/tools/rtpload.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/tool.h"

#define GRACE_MS 250 /* of a flood: a deep queue must not hide that the tunnel does not keep up */

static const char usage_text[] =
	"usage: rtpload --dest ADDR:PORT --sink ADDR:PORT [options]\n"
	"\n"
	"  --dest ADDR:PORT    entrance of the tunnel; '-': one run for each line of standard input,\n"
	"                      \"ADDR:PORT [LABEL [calls=N] [for=S] [pid=P,P]]\"\n"
	"  --sink ADDR:PORT    where the tunnel delivers; port 0: the kernel's choice, see the ready line\n"
	"  --ns NAME           network namespace of the near (sending) side\n"
	"  --sink-ns NAME      network namespace of the far side\n"
	"  --calls N           concurrent calls (1), each from a local port of its own\n"
	"  --port-each         call i goes to port PORT + i and arrives at port PORT + i of the sink\n"
	"  --audio             50 packets/s of 172 bytes for each call (the default)\n"
	"  --video KBPS        30 frames/s, in bursts of packets of up to 1200 bytes\n"
	"  --pps N --size B    N packets/s of B bytes\n"
	"  --one-way           the far side does not answer\n"
	"  --flood             searches the highest rate of packets of --size that gets through one way:\n"
	"                      steps of --for seconds (2) until less than 0.1 % is missing or 250 ms late\n"
	"  --for SECONDS       counted time (10)\n"
	"  --warmup SECONDS    sent before, not counted (1)\n"
	"  --drain SECONDS     waited for stragglers (1)\n"
	"  --deadline MS[,MS]  count what is later than this, or lost (150)\n"
	"  --histogram         delays of each direction in the report: pairs of ms (at most) and packets\n"
	"  --pid P[,P]         account the CPU time of these processes\n"
	"  --rt                real-time priority for rtpload\n"
	"  --label TEXT        copied into the report\n"
	"  --quiet             nothing for people on standard error\n";

static void add_stream(struct rtpload_options *o, struct rtpload_stream s)
{
	if (o->streams == RTPLOAD_MAX_STREAMS)
		tool_die("at most %d kinds of packets", RTPLOAD_MAX_STREAMS);
	if (s.size < RTPLOAD_MIN_SIZE || s.size > RTPLOAD_MAX_SIZE)
		tool_die("packets have %d to %d bytes", RTPLOAD_MIN_SIZE, RTPLOAD_MAX_SIZE);
	if (s.burst > RTPLOAD_MAX_BURST)
		tool_die("at most %d packets at once", RTPLOAD_MAX_BURST);
	o->stream[o->streams++] = s;
}

static void add_audio(struct rtpload_options *o)
{
	add_stream(o, (struct rtpload_stream){ 111, 48000, 20e6, 1, 172, 172, false });
}

static void add_video(struct rtpload_options *o, double kbps)
{
	int frame = (int)(kbps * 1000 / 8 / 30), full = 1200;
	int packets = frame / full + 1, last = frame - (packets - 1) * full;
	if (last < RTPLOAD_MIN_SIZE)
		last = RTPLOAD_MIN_SIZE;
	add_stream(o, (struct rtpload_stream){ 96, 90000, 1e9 / 30, packets, full, last, true });
}

/* "1,2,3" into numbers; how many there were. */
static int parse_list(const char *option, const char *text, double *out, int max)
{
	int n = 0;
	for (char *rest;; text = rest + 1) {
		if (n == max)
			tool_die("at most %d values for %s", max, option);
		out[n++] = tool_number(option, text, &rest);
		if (!*rest)
			return n;
		if (*rest != ',')
			tool_die("bad list for %s: %s", option, text);
	}
}

enum { O_DEST = 256, O_SINK, O_NS, O_SINK_NS, O_CALLS, O_AUDIO, O_VIDEO, O_PPS, O_SIZE, O_ONE_WAY, O_PORT_EACH, O_FLOOD, O_HISTOGRAM, O_FOR, O_WARMUP,
       O_DRAIN, O_DEADLINE, O_PID, O_RT, O_LABEL, O_QUIET, O_HELP };

static const struct option options[] = {
	{ "dest", 1, NULL, O_DEST }, { "sink", 1, NULL, O_SINK }, { "ns", 1, NULL, O_NS }, { "sink-ns", 1, NULL, O_SINK_NS },
	{ "calls", 1, NULL, O_CALLS }, { "audio", 0, NULL, O_AUDIO }, { "video", 1, NULL, O_VIDEO }, { "pps", 1, NULL, O_PPS },
	{ "size", 1, NULL, O_SIZE }, { "one-way", 0, NULL, O_ONE_WAY }, { "port-each", 0, NULL, O_PORT_EACH },
	{ "flood", 0, NULL, O_FLOOD }, { "histogram", 0, NULL, O_HISTOGRAM }, { "for", 1, NULL, O_FOR }, { "warmup", 1, NULL, O_WARMUP },
	{ "drain", 1, NULL, O_DRAIN }, { "deadline", 1, NULL, O_DEADLINE }, { "pid", 1, NULL, O_PID }, { "rt", 0, NULL, O_RT },
	{ "label", 1, NULL, O_LABEL }, { "quiet", 0, NULL, O_QUIET }, { "help", 0, NULL, O_HELP }, { NULL, 0, NULL, 0 },
};

static void set_pids(struct rtpload_options *o, const char *text)
{
	double list[RTPLOAD_MAX_PIDS];
	o->pids = parse_list("pid", text, list, RTPLOAD_MAX_PIDS);
	for (int i = 0; i < o->pids; i++)
		o->pid[i] = (int)list[i];
}

static void set_calls(struct rtpload_options *o, const char *text)
{
	o->calls = tool_count("calls", text);
	if (o->calls < 1 || o->calls > RTPLOAD_MAX_CALLS)
		tool_die("calls are 1 to %d", RTPLOAD_MAX_CALLS);
}

static void set_option(struct rtpload_options *o, int c, const char *name, double *pps, int *size)
{
	switch (c) {
	case O_DEST: o->dest = optarg; break;
	case O_SINK: o->sink = optarg; break;
	case O_NS: o->ns = optarg; break;
	case O_SINK_NS: o->sink_ns = optarg; break;
	case O_CALLS: set_calls(o, optarg); break;
	case O_AUDIO: add_audio(o); break;
	case O_VIDEO: add_video(o, tool_number(name, optarg, NULL)); break;
	case O_PPS: *pps = tool_number(name, optarg, NULL); break;
	case O_SIZE: *size = tool_count(name, optarg); break;
	case O_ONE_WAY: o->one_way = true; break;
	case O_PORT_EACH: o->each_port = true; break;
	case O_FLOOD: o->flood = o->one_way = true; break;
	case O_HISTOGRAM: o->histogram = true; break;
	case O_FOR: o->seconds = tool_number(name, optarg, NULL); break;
	case O_WARMUP: o->warmup = tool_number(name, optarg, NULL); break;
	case O_DRAIN: o->drain = tool_number(name, optarg, NULL); break;
	case O_DEADLINE: o->deadlines = parse_list(name, optarg, o->deadline_ms, RTPLOAD_MAX_DEADLINES); break;
	case O_PID: set_pids(o, optarg); break;
	case O_RT: o->real_time = true; break;
	case O_LABEL: o->label = optarg; break;
	case O_QUIET: o->quiet = true; break;
	case O_HELP: fputs(usage_text, stdout); exit(0);
	default: fputs(usage_text, stderr); exit(2);
	}
}

/* One kind of packets; the search sets its rate. */
static void set_flood(struct rtpload_options *o, double *pps)
{
	if (o->streams || o->calls > 1 || *pps > 0)
		tool_die("a flood is one flow of packets of --size");
	*pps = 1;
	o->deadlines = 1;
	o->deadline_ms[0] = GRACE_MS;
}

struct rtpload_options rtpload_options_parse(int argc, char **argv)
{
	struct rtpload_options o = { .calls = 1, .seconds = 0, .warmup = 1, .drain = 1, .deadline_ms = { 150 }, .deadlines = 1, .label = "" };
	double pps = 0;
	int c, i = 0, size = 172;
	while ((c = getopt_long(argc, argv, "", options, &i)) != -1)
		set_option(&o, c, c >= O_DEST ? options[i].name : "", &pps, &size);
	if (optind < argc || !o.dest || !o.sink) {
		fputs(usage_text, stderr);
		exit(2);
	}
	if (o.seconds <= 0)
		o.seconds = o.flood ? 2 : 10;
	if (o.flood)
		set_flood(&o, &pps);
	if (pps > 0)
		add_stream(&o, (struct rtpload_stream){ 96, 90000, 1e9 / pps, 1, size, size, false });
	if (!o.streams)
		add_audio(&o);
	return o;
}


bool rtpload_options_line(struct rtpload_options *o, char *line, char **dest, char **label)
{
	char *save = NULL;
	*dest = strtok_r(line, " \n", &save);
	*label = strtok_r(NULL, " \n", &save);
	for (char *word; (word = strtok_r(NULL, " \n", &save));) {
		if (!strncmp(word, "calls=", 6))
			set_calls(o, word + 6);
		else if (!strncmp(word, "for=", 4))
			o->seconds = tool_number("for", word + 4, NULL);
		else if (!strncmp(word, "pid=", 4))
			set_pids(o, word + 4);
		else
			tool_die("not calls=, for= or pid=: %s", word);
	}
	if (!*label)
		*label = (char *)(uintptr_t)o->label;
	return *dest != NULL;
}
