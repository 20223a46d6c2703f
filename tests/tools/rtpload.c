/*
 * rtpload: runs. Prints "ready udp ADDR:PORT sink" when the far side listens,
 * then makes one run (or, with --dest -, one for each line of standard input;
 * with --flood as many as the search takes) and prints one JSON line for each.
 */
#include "tests/tools/rtpload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/tools/tool.h"

static void tallies_free(struct rtpload_run *r)
{
	for (int d = 0; d < 2; d++) {
		rtpload_tally_free(r->tally[d]);
		for (int s = 0; s < RTPLOAD_MAX_STREAMS; s++)
			rtpload_tally_free(r->part[d][s]);
	}
}

static void tallies_new(struct rtpload_run *r)
{
	const struct rtpload_options *o = r->options;
	tallies_free(r);
	memset(r->sent, 0, sizeof r->sent);
	r->send_errors = r->slips = 0;
	for (int d = 0; d < 2; d++) {
		r->tally[d] = rtpload_tally_new(o, RTPLOAD_ALL);
		for (int s = 0; s < o->streams && o->streams > 1; s++)
			r->part[d][s] = rtpload_tally_new(o, s);
	}
}

static void tallies_close(struct rtpload_run *r)
{
	for (int d = 0; d < 2; d++) {
		uint64_t all = 0;
		for (int s = 0; s < RTPLOAD_MAX_STREAMS; s++) {
			all += r->sent[d][s];
			if (r->part[d][s])
				rtpload_tally_set_sent(r->part[d][s], r->sent[d][s]);
		}
		rtpload_tally_set_sent(r->tally[d], all);
	}
}

double rtpload_measure(struct rtpload_run *r, struct rtpload_cpu *used)
{
	const struct rtpload_options *o = r->options;
	pthread_t sender, receiver;
	uint64_t one = 1;
	tallies_new(r);
	r->number++;
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
	*used = rtpload_cpu_now(o);
	if (write(r->stop, &one, sizeof one) != sizeof one)
		tool_die("eventfd: %s", strerror(errno));
	pthread_join(receiver, NULL);
	close(r->stop);
	tallies_close(r);
	used->own -= before.own;
	for (int i = 0; i < o->pids; i++) {
		used->process[i] -= before.process[i];
		used->waited[i] -= before.waited[i];
	}
	return seconds;
}

static void one_run(const struct rtpload_options *o, const int *far, const char *dest, const char *label)
{
	static uint8_t number;
	static struct rtpload_return back;
	struct sockaddr_in to = tool_address(dest);
	struct rtpload_run r = { .options = o, .number = number, .far = far, .back = &back };
	uint16_t port = ntohs(to.sin_port);
	memset(&back, 0, sizeof back);
	pthread_mutex_init(&back.lock, NULL);
	r.near = tool_calloc((size_t)o->calls, sizeof *r.near);
	for (int i = 0; i < o->calls; i++) {
		to.sin_port = htons((uint16_t)(port + (o->each_port ? i : 0)));
		r.near[i] = rtpload_socket_connected(o->ns, &to);
	}
	if (o->flood) {
		rtpload_flood(&r, label);
	} else {
		struct rtpload_cpu used;
		double seconds = rtpload_measure(&r, &used);
		rtpload_report(&r, label, seconds, &used, 0);
	}
	number = r.number;
	tallies_free(&r);
	for (int i = 0; i < o->calls; i++)
		close(r.near[i]);
	free(r.near);
}

/* The far side: one socket, or with --port-each one for each call. */
static int *open_sinks(const struct rtpload_options *o)
{
	struct sockaddr_in sink = tool_address(o->sink);
	int n = o->each_port ? o->calls : 1, *far = tool_calloc((size_t)n, sizeof *far);
	uint16_t port = ntohs(sink.sin_port);
	char text[INET_ADDRSTRLEN];
	if (n > 1 && !port)
		tool_die("--port-each needs a port for --sink");
	for (int i = 0; i < n; i++) {
		sink.sin_port = htons((uint16_t)(port ? port + i : 0));
		far[i] = rtpload_socket_sink(o->sink_ns, &sink);
		inet_ntop(AF_INET, &sink.sin_addr, text, sizeof text);
		if (!i)
			printf("ready udp %s:%d sink\n", text, ntohs(sink.sin_port));
	}
	fflush(stdout);
	return far;
}

int main(int argc, char **argv)
{
	tool_name = "rtpload";
	struct rtpload_options o = rtpload_options_parse(argc, argv);
	int *far = open_sinks(&o);
	char line[512], *dest, *label;
	if (strcmp(o.dest, "-")) {
		one_run(&o, far, o.dest, o.label);
	} else {
		while (fgets(line, sizeof line, stdin)) {
			struct rtpload_options of_line = o;
			if (rtpload_options_line(&of_line, line, &dest, &label))
				one_run(&of_line, far, dest, label);
		}
	}
	free(far);
	return 0;
}
