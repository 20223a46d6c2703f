/*
 * rtpload: options, runs, reports. Prints "ready udp ADDR:PORT sink" when the
 * far side listens, then makes one run (or, with --dest -, one for each line of
 * standard input) and prints one JSON line for each.
 */
#include "tests/tools/rtpload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/tools/tool.h"

static const char usage_text[] =
	"usage: rtpload --dest ADDR:PORT --sink ADDR:PORT [options]\n"
	"\n"
	"  --dest ADDR:PORT    entrance of the tunnel; '-': one run for each line of standard input,\n"
	"                      \"ADDR:PORT [LABEL [calls=N] [for=S] [pid=P,P]]\"\n"
	"  --sink ADDR:PORT    where the tunnel delivers; port 0: the kernel's choice, see the ready line\n"
	"  --ns NAME           network namespace of the near (sending) side\n"
	"  --sink-ns NAME      network namespace of the far side\n"
	"  --calls N           concurrent calls (1), each from a local port of its own\n"
	"  --audio             50 packets/s of 172 bytes for each call (the default)\n"
	"  --video KBPS        30 frames/s, in bursts of packets of up to 1200 bytes\n"
	"  --pps N --size B    N packets/s of B bytes\n"
	"  --one-way           the far side does not answer\n"
	"  --for SECONDS       counted time (10)\n"
	"  --warmup SECONDS    sent before, not counted (1)\n"
	"  --drain SECONDS     waited for stragglers (1)\n"
	"  --deadline MS[,MS]  count what is later than this, or lost (150)\n"
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
	o->stream[o->streams++] = s;
}

static void add_audio(struct rtpload_options *o)
{
	add_stream(o, (struct rtpload_stream){ 111, 48000, 20e6, 1, 172, 172 });
}

static void add_video(struct rtpload_options *o, double kbps)
{
	int frame = (int)(kbps * 1000 / 8 / 30), full = 1200;
	int packets = frame / full + 1, last = frame - (packets - 1) * full;
	if (last < RTPLOAD_MIN_SIZE)
		last = RTPLOAD_MIN_SIZE;
	add_stream(o, (struct rtpload_stream){ 96, 90000, 1e9 / 30, packets, full, last });
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

enum { O_DEST = 256, O_SINK, O_NS, O_SINK_NS, O_CALLS, O_AUDIO, O_VIDEO, O_PPS, O_SIZE, O_ONE_WAY, O_FOR, O_WARMUP,
       O_DRAIN, O_DEADLINE, O_PID, O_RT, O_LABEL, O_QUIET, O_HELP };

static const struct option options[] = {
	{ "dest", 1, NULL, O_DEST }, { "sink", 1, NULL, O_SINK }, { "ns", 1, NULL, O_NS }, { "sink-ns", 1, NULL, O_SINK_NS },
	{ "calls", 1, NULL, O_CALLS }, { "audio", 0, NULL, O_AUDIO }, { "video", 1, NULL, O_VIDEO }, { "pps", 1, NULL, O_PPS },
	{ "size", 1, NULL, O_SIZE }, { "one-way", 0, NULL, O_ONE_WAY }, { "for", 1, NULL, O_FOR }, { "warmup", 1, NULL, O_WARMUP },
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

static struct rtpload_options parse_options(int argc, char **argv)
{
	struct rtpload_options o = { .calls = 1, .seconds = 10, .warmup = 1, .drain = 1, .deadline_ms = { 150 }, .deadlines = 1, .label = "" };
	double pps = 0;
	int c, i = 0, size = 172;
	while ((c = getopt_long(argc, argv, "", options, &i)) != -1)
		set_option(&o, c, c >= O_DEST ? options[i].name : "", &pps, &size);
	if (optind < argc || !o.dest || !o.sink) {
		fputs(usage_text, stderr);
		exit(2);
	}
	if (pps > 0)
		add_stream(&o, (struct rtpload_stream){ 96, 90000, 1e9 / pps, 1, size, size });
	if (!o.streams)
		add_audio(&o);
	return o;
}

static void report(const struct rtpload_run *r, const char *label, double seconds, struct rtpload_cpu used)
{
	const struct rtpload_options *o = r->options;
	uint64_t packets = rtpload_tally_received(r->tally[RTPLOAD_UP]) + rtpload_tally_received(r->tally[RTPLOAD_DOWN]);
	uint64_t drops = rtpload_socket_drops(r->far);
	for (int i = 0; i < o->calls; i++)
		drops += rtpload_socket_drops(r->near[i]);
	printf("{\"label\":\"%s\",\"calls\":%d,\"seconds\":%.3f,\"up\":", label, o->calls, seconds);
	rtpload_tally_json(r->tally[RTPLOAD_UP], stdout);
	if (!o->one_way) {
		printf(",\"down\":");
		rtpload_tally_json(r->tally[RTPLOAD_DOWN], stdout);
	}
	printf(",\"processes\":[");
	for (int i = 0; i < o->pids; i++)
		printf("%s{\"cpu_s\":%.4f,\"cpu_us_per_packet\":%.3f,\"rss_kb\":%ld}", i ? "," : "", used.process[i],
		       packets ? used.process[i] * 1e6 / (double)packets : 0.0, used.rss_kb[i]);
	printf("],\"own_cpu_s\":%.3f,\"slips\":%" PRIu64 ",\"send_errors\":%" PRIu64 ",\"own_drops\":%" PRIu64 "}\n", used.own, r->slips,
	       r->send_errors, drops);
	fflush(stdout);
	if (o->quiet)
		return;
	fprintf(stderr, "%s: %d call(s), %.1f s\n", label, o->calls, seconds);
	rtpload_tally_text(r->tally[RTPLOAD_UP], "up", stderr);
	if (!o->one_way)
		rtpload_tally_text(r->tally[RTPLOAD_DOWN], "down", stderr);
}

/* Starts both threads, waits for warm-up, run and drain. */
static void measure(struct rtpload_run *r, const char *label)
{
	const struct rtpload_options *o = r->options;
	pthread_t sender, receiver;
	uint64_t one = 1;
	r->stop = eventfd(0, EFD_CLOEXEC);
	r->begin_ns = tool_now_ns() + 5000000;
	r->measure_ns = r->begin_ns + (int64_t)(o->warmup * 1e9);
	r->end_ns = r->measure_ns + (int64_t)(o->seconds * 1e9);
	if (r->stop < 0 || pthread_create(&receiver, NULL, rtpload_receive_main, r) || pthread_create(&sender, NULL, rtpload_send_main, r))
		tool_die("cannot start threads: %s", strerror(errno));
	tool_sleep_until(r->measure_ns);
	struct rtpload_cpu before = rtpload_cpu_now(o);
	pthread_join(sender, NULL);
	double seconds = (double)(tool_now_ns() - r->measure_ns) / 1e9;
	tool_sleep_until(tool_now_ns() + (int64_t)(o->drain * 1e9));
	struct rtpload_cpu after = rtpload_cpu_now(o);
	if (write(r->stop, &one, sizeof one) != sizeof one)
		tool_die("eventfd: %s", strerror(errno));
	pthread_join(receiver, NULL);
	close(r->stop);
	for (int d = 0; d < 2; d++)
		rtpload_tally_set_sent(r->tally[d], r->sent[d]);
	after.own -= before.own;
	for (int i = 0; i < o->pids; i++)
		after.process[i] -= before.process[i];
	report(r, label, seconds, after);
}

static void one_run(const struct rtpload_options *o, int far, const char *dest, const char *label)
{
	static uint8_t number;
	static struct rtpload_return back;
	struct sockaddr_in to = tool_address(dest);
	struct rtpload_run r = { .options = o, .number = ++number, .far = far, .back = &back };
	memset(&back, 0, sizeof back);
	pthread_mutex_init(&back.lock, NULL);
	r.near = tool_calloc((size_t)o->calls, sizeof *r.near);
	for (int i = 0; i < o->calls; i++)
		r.near[i] = rtpload_socket_connected(o->ns, &to);
	for (int d = 0; d < 2; d++)
		r.tally[d] = rtpload_tally_new(o);
	measure(&r, label);
	for (int d = 0; d < 2; d++)
		rtpload_tally_free(r.tally[d]);
	for (int i = 0; i < o->calls; i++)
		close(r.near[i]);
	free(r.near);
}

/* A line of standard input: "ADDR:PORT [LABEL [calls=N] [for=S] [pid=P,P]]". */
static void run_line(struct rtpload_options o, int far, char *line)
{
	char *save = NULL, *dest = strtok_r(line, " \n", &save), *label = strtok_r(NULL, " \n", &save);
	for (char *word; (word = strtok_r(NULL, " \n", &save));) {
		if (!strncmp(word, "calls=", 6))
			set_calls(&o, word + 6);
		else if (!strncmp(word, "for=", 4))
			o.seconds = tool_number("for", word + 4, NULL);
		else if (!strncmp(word, "pid=", 4))
			set_pids(&o, word + 4);
		else
			tool_die("not calls=, for= or pid=: %s", word);
	}
	if (dest)
		one_run(&o, far, dest, label ? label : o.label);
}

int main(int argc, char **argv)
{
	tool_name = "rtpload";
	struct rtpload_options o = parse_options(argc, argv);
	struct sockaddr_in sink = tool_address(o.sink);
	int far = rtpload_socket_sink(o.sink_ns, &sink);
	char text[INET_ADDRSTRLEN], line[512];
	inet_ntop(AF_INET, &sink.sin_addr, text, sizeof text);
	printf("ready udp %s:%d sink\n", text, ntohs(sink.sin_port));
	fflush(stdout);
	if (strcmp(o.dest, "-")) {
		one_run(&o, far, o.dest, o.label);
		return 0;
	}
	while (fgets(line, sizeof line, stdin))
		run_line(o, far, line);
	return 0;
}
