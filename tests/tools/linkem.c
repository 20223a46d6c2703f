/*
 * linkem: options, the loop, the counters. The only timer is the earliest due
 * time of both directions, given to ppoll. Runs until a signal, --for, or the
 * end of the command that it was given, whose exit status it takes over.
 */
#include "tests/tools/linkem.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tools/tool.h"

#define MAX_OVERRIDES 32

static const char usage_text[] =
	"usage: linkem --ns-a NAME --ns-b NAME [options] [-- COMMAND ARG...]\n"
	"Joins two network namespaces by an emulated IP link; '-' is the one linkem runs in.\n"
	"\n"
	"  --create               make missing namespaces, remove them at the end\n"
	"  --addr-a, --addr-b IP/BITS  addresses of the ends (10.77.0.1/24, 10.77.0.2/24)\n"
	"  --dev-a, --dev-b NAME  names of the TUN devices (lk-a, lk-b)\n"
	"  --mtu N                (1500)\n"
	"\n"
	"  --delay MS             one-way delay\n"
	"  --jitter MS            +-MS around it, order kept; --jitter-shape uniform|normal;\n"
	"                         --jitter-reorder 1: packets may overtake\n"
	"  --loss PCT             random loss\n"
	"  --bursts P,R[,BAD[,GOOD]]  Gilbert-Elliott: per packet, P % from good to bad, R % back; loss\n"
	"                         BAD % (100) and GOOD % (0)\n"
	"  --rate KBIT            limit; --queue BYTES|MSms before it (100ms)\n"
	"  --duplicate PCT        --reorder PCT, held back by --reorder-by MS (10)\n"
	"  --blackout AT,FOR      nothing passes, seconds since start; repeatable\n"
	"  --ab K=V,... --ba K=V,...  these for one direction only; lists within use ':'\n"
	"\n"
	"  --seed N               of the random numbers (1)\n"
	"  --for SECONDS          end after this long\n"
	"  --stats FILE           counters as JSON at the end, and on SIGUSR1\n"
	"Prints 'ready link NS-A NS-B' once the link is up.\n";

struct options {
	struct linkem_end end[2];
	struct linkem_params both;
	const char *override[2][MAX_OVERRIDES];
	int overrides[2];
	bool create;
	int mtu;
	uint64_t seed;
	double seconds;
	const char *stats;
};

enum { O_NS = 256, O_NS_B, O_ADDR, O_ADDR_B, O_DEV, O_DEV_B, O_AB, O_BA, O_CREATE, O_MTU, O_SEED, O_FOR, O_STATS, O_PARAM, O_HELP };

static const struct option options[] = {
	{ "ns-a", 1, NULL, O_NS }, { "ns-b", 1, NULL, O_NS_B }, { "addr-a", 1, NULL, O_ADDR }, { "addr-b", 1, NULL, O_ADDR_B },
	{ "dev-a", 1, NULL, O_DEV }, { "dev-b", 1, NULL, O_DEV_B }, { "ab", 1, NULL, O_AB }, { "ba", 1, NULL, O_BA },
	{ "create", 0, NULL, O_CREATE }, { "mtu", 1, NULL, O_MTU }, { "seed", 1, NULL, O_SEED }, { "for", 1, NULL, O_FOR },
	{ "stats", 1, NULL, O_STATS }, { "help", 0, NULL, O_HELP },
	{ "delay", 1, NULL, O_PARAM }, { "jitter", 1, NULL, O_PARAM }, { "jitter-shape", 1, NULL, O_PARAM },
	{ "jitter-reorder", 1, NULL, O_PARAM }, { "loss", 1, NULL, O_PARAM }, { "bursts", 1, NULL, O_PARAM },
	{ "rate", 1, NULL, O_PARAM }, { "queue", 1, NULL, O_PARAM }, { "duplicate", 1, NULL, O_PARAM },
	{ "reorder", 1, NULL, O_PARAM }, { "reorder-by", 1, NULL, O_PARAM }, { "blackout", 1, NULL, O_PARAM },
	{ NULL, 0, NULL, 0 },
};

static void add_override(struct options *o, int direction, const char *text)
{
	if (o->overrides[direction] == MAX_OVERRIDES)
		tool_die("at most %d overrides", MAX_OVERRIDES);
	o->override[direction][o->overrides[direction]++] = text;
}

static void set_option(struct options *o, int c, const char *name)
{
	switch (c) {
	case O_NS: case O_NS_B: o->end[c - O_NS].ns = optarg; break;
	case O_ADDR: case O_ADDR_B: o->end[c - O_ADDR].address = optarg; break;
	case O_DEV: case O_DEV_B: o->end[c - O_DEV].device = optarg; break;
	case O_AB: case O_BA: add_override(o, c - O_AB, optarg); break;
	case O_CREATE: o->create = true; break;
	case O_MTU: o->mtu = tool_count(name, optarg); break;
	case O_SEED: o->seed = (uint64_t)tool_count(name, optarg); break;
	case O_FOR: o->seconds = tool_number(name, optarg, NULL); break;
	case O_STATS: o->stats = optarg; break;
	case O_PARAM: linkem_params_set(&o->both, name, optarg); break;
	case O_HELP: fputs(usage_text, stdout); exit(0);
	default: fputs(usage_text, stderr); exit(2);
	}
}

static struct options parse_options(int argc, char **argv)
{
	struct options o = {
		.end = { { .device = "lk-a", .address = "10.77.0.1/24", .fd = -1 },
			 { .device = "lk-b", .address = "10.77.0.2/24", .fd = -1 } },
		.mtu = 1500, .seed = 1,
	};
	int c, i = 0;
	linkem_params_init(&o.both);
	while ((c = getopt_long(argc, argv, "+", options, &i)) != -1)
		set_option(&o, c, c >= O_NS ? options[i].name : "");
	if (!o.end[0].ns || !o.end[1].ns) {
		fputs(usage_text, stderr);
		exit(2);
	}
	if (!strcmp(o.end[0].ns, o.end[1].ns))
		tool_die("both ends in one namespace: the kernel would take the short way");
	if (o.mtu < 68 || o.mtu > 65535)
		tool_die("--mtu is 68 to 65535");
	return o;
}

static struct linkem_end *open_ends;

/* However the end came about: the devices go with their descriptors. */
static void close_ends(void)
{
	for (int i = 0; open_ends && i < 2; i++)
		linkem_end_close(&open_ends[i]);
}

/* Blocks the signals that end us and gives a descriptor for them. */
static int watch_signals(sigset_t *old)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, old);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		tool_die("signalfd: %s", strerror(errno));
	return fd;
}

static pid_t start_command(char **argv, const sigset_t *mask)
{
	if (!*argv)
		return 0;
	pid_t pid = fork();
	if (pid < 0)
		tool_die("fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "linkem: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void report(FILE *f, const char *name, const struct linkem_link *l)
{
	const struct linkem_counters *c = &l->count;
	fprintf(f, "\"%s\":{\"in_packets\":%" PRIu64 ",\"in_bytes\":%" PRIu64 ",\"out_packets\":%" PRIu64 ",\"out_bytes\":%" PRIu64
		",\"lost\":%" PRIu64 ",\"queue_drops\":%" PRIu64 ",\"blackout_drops\":%" PRIu64 ",\"device_drops\":%" PRIu64
		",\"write_errors\":%" PRIu64 ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"left\":%zu,\"late_mean_us\":%.1f"
		",\"late_max_us\":%.1f}", name, c->in_packets, c->in_bytes, c->out_packets, c->out_bytes, c->lost, c->queue_drops,
		c->blackout_drops, c->device_drops, c->write_errors, c->duplicated, c->reordered, l->queue.count,
		c->timed ? (double)c->late_sum / 1e3 / (double)c->timed : 0.0, (double)c->late_max / 1e3);
}

static void write_stats(const char *path, const struct linkem_link link[2])
{
	char partial[512];
	snprintf(partial, sizeof partial, "%s.new", path);
	FILE *f = fopen(partial, "we");
	if (!f)
		tool_die("%s: %s", partial, strerror(errno));
	fprintf(f, "{\"seconds\":%.3f,", (double)(tool_now_ns() - link[0].start) / 1e9);
	report(f, "ab", &link[0]);
	fputc(',', f);
	report(f, "ba", &link[1]);
	fputs("}\n", f);
	if (fclose(f) || rename(partial, path)) /* whoever sees it sees all of it */
		tool_die("%s: %s", path, strerror(errno));
}

/* True when it is time to end. */
static bool take_signals(int fd, const char *stats, const struct linkem_link link[2], pid_t *command, int *status)
{
	struct signalfd_siginfo info;
	bool stop = false;
	while (read(fd, &info, sizeof info) == sizeof info) {
		int s;
		if (info.ssi_signo == SIGUSR1) {
			if (stats)
				write_stats(stats, link);
		} else if (info.ssi_signo != SIGCHLD) {
			stop = true;
		} else if (*command && waitpid(*command, &s, WNOHANG) == *command) {
			*status = WIFEXITED(s) ? WEXITSTATUS(s) : 128 + WTERMSIG(s);
			*command = 0;
			stop = true;
		}
	}
	return stop;
}

static void forward(struct linkem_link link[2], int signals, const char *stats, int64_t end, pid_t *command, int *status)
{
	struct pollfd watch[3] = { { link[0].in, POLLIN, 0 }, { link[1].in, POLLIN, 0 }, { signals, POLLIN, 0 } };
	for (;;) {
		bool more = false;
		int64_t next = end;
		for (int i = 0; i < 2; i++)
			if (watch[i].revents)
				more |= linkem_link_read(&link[i]);
		for (int i = 0; i < 2; i++) {
			int64_t due = linkem_link_write(&link[i]);
			next = due < next ? due : next;
		}
		int64_t now = tool_now_ns(), wait = more || next < now ? 0 : next - now;
		if (now >= end)
			return;
		struct timespec t = { wait / TOOL_NSEC, wait % TOOL_NSEC };
		if (ppoll(watch, 3, next == INT64_MAX && !more ? NULL : &t, NULL) < 0 && errno != EINTR)
			tool_die("ppoll: %s", strerror(errno));
		if (watch[2].revents && take_signals(signals, stats, link, command, status))
			return;
	}
}

int main(int argc, char **argv)
{
	tool_name = "linkem";
	struct options o = parse_options(argc, argv);
	struct linkem_link link[2];
	sigset_t mask;
	int status = 0;
	linkem_packet_setup((size_t)o.mtu + 64);
	tool_enter_ns(NULL);
	open_ends = o.end;
	atexit(close_ends);
	for (int i = 0; i < 2; i++) {
		if (o.create)
			linkem_end_make_ns(&o.end[i]);
		linkem_end_open(&o.end[i], o.mtu);
	}
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
	int signals = watch_signals(&mask);
	int64_t start = tool_now_ns();
	for (int i = 0; i < 2; i++) {
		struct linkem_params p = o.both;
		for (int k = 0; k < o.overrides[i]; k++)
			linkem_params_override(&p, o.override[i][k]);
		linkem_link_init(&link[i], &p, o.end[i].fd, o.end[1 - i].fd, o.seed * 0x2545f4914f6cdd1du + (uint64_t)i + 1, start);
	}
	printf("ready link %s %s\n", o.end[0].ns, o.end[1].ns);
	fflush(stdout);
	pid_t command = start_command(argv + optind, &mask);
	forward(link, signals, o.stats, o.seconds > 0 ? start + (int64_t)(o.seconds * 1e9) : INT64_MAX, &command, &status);
	if (command) {
		kill(command, SIGTERM);
		waitpid(command, NULL, 0);
	}
	for (int i = 0; i < 2; i++)
		link[i].count.device_drops = linkem_end_drops(&o.end[i]);
	if (o.stats)
		write_stats(o.stats, link);
	for (int i = 0; i < 2; i++)
		linkem_link_fini(&link[i]);
	linkem_packet_teardown();
	return status;
}
