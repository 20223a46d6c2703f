/*
 * rtpload: RTP load with one-way delays. One process holds both ends of all
 * calls: the near side sends into the entrance of a tunnel, the far side
 * listens where the tunnel delivers and answers each call to where it came
 * from. Both read one CLOCK_MONOTONIC, so arrival minus send time is the
 * one-way delay. Each packet is valid RTP; its payload begins with a tag, and
 * everything is counted from the tag, whatever socket it arrives on.
 */
#ifndef TESTS_TOOLS_RTPLOAD_H
#define TESTS_TOOLS_RTPLOAD_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RTPLOAD_MAX_CALLS 4096
#define RTPLOAD_MAX_STREAMS 3
#define RTPLOAD_MAX_DEADLINES 4
#define RTPLOAD_MAX_PIDS 16
#define RTPLOAD_MAX_SIZE 65507
#define RTPLOAD_MAX_BURST 64

enum rtpload_direction { RTPLOAD_UP, RTPLOAD_DOWN }; /* near to far, far to near */

/* One kind of packets that every call sends. */
struct rtpload_stream {
	int payload_type;
	int clock_rate;     /* of the RTP time stamp, Hz */
	double interval_ns; /* between bursts of one call */
	int burst;          /* packets at once */
	int size, last_size; /* bytes of each packet, and of a burst's last */
	bool framed;        /* a burst is a video frame */
};

struct rtpload_options {
	const char *dest, *sink;   /* ADDR:PORT; dest "-": from standard input */
	const char *ns, *sink_ns;  /* network namespaces of the two sides, or NULL */
	const char *label;
	int calls;
	bool one_way, real_time, quiet;
	bool each_port; /* call i: port + i at both sides */
	bool flood, histogram;
	double seconds, warmup, drain;
	struct rtpload_stream stream[RTPLOAD_MAX_STREAMS];
	int streams;
	double deadline_ms[RTPLOAD_MAX_DEADLINES];
	int deadlines;
	int pid[RTPLOAD_MAX_PIDS]; /* processes whose CPU time is accounted */
	int pids;
};

/* Behind the 12 octets of RTP header. Only read by the process that wrote it. */
struct rtpload_tag {
	uint32_t magic;
	uint16_t call;
	uint8_t stream, direction;
	uint8_t run, warmup;
	uint16_t unused;
	uint32_t sequence;
	int64_t sent_ns;
} __attribute__((packed));

#define RTPLOAD_HEADER 12
#define RTPLOAD_MIN_SIZE ((int)(RTPLOAD_HEADER + sizeof(struct rtpload_tag)))
#define RTPLOAD_MAGIC 0x52544c44u /* "RTLD" */

/* ---- rtpload_options.c ---- */
struct rtpload_options rtpload_options_parse(int argc, char **argv);
/* A line "ADDR:PORT [LABEL [calls=N] [for=S] [pid=P,P]]", which is cut up; false for an empty one. */
bool rtpload_options_line(struct rtpload_options *, char *line, char **dest, char **label);

/* ---- rtpload_tally.c: what is known of one direction ---- */
struct rtpload_tally;
#define RTPLOAD_ALL (-1)

/* Of one kind of packets (its index), or of all of them; frames are counted of one kind only. NULL is nothing to free. */
struct rtpload_tally *rtpload_tally_new(const struct rtpload_options *, int stream);
void rtpload_tally_free(struct rtpload_tally *);
/* One packet of size octets that arrived; duplicates are told by its sequence. */
void rtpload_tally_add(struct rtpload_tally *, const struct rtpload_tag *, int64_t arrived_ns, int size);
void rtpload_tally_foreign(struct rtpload_tally *);
void rtpload_tally_set_sent(struct rtpload_tally *, uint64_t packets);
uint64_t rtpload_tally_received(const struct rtpload_tally *);
/* Lost or later than the last deadline, percent of what was sent. */
double rtpload_tally_missing(const struct rtpload_tally *);
double rtpload_tally_percentile_ms(const struct rtpload_tally *, double q);
/* A JSON object, and two lines for people. */
void rtpload_tally_json(const struct rtpload_tally *, FILE *);
void rtpload_tally_text(const struct rtpload_tally *, const char *name, FILE *);

/* ---- rtpload_socket.c ---- */
/* Bound to address (port 0: the kernel's choice); *address becomes the bound one. */
int rtpload_socket_sink(const char *ns, struct sockaddr_in *address);
int rtpload_socket_connected(const char *ns, const struct sockaddr_in *to);
/* Packets that the kernel dropped because we were too slow to read. */
uint64_t rtpload_socket_drops(int fd);

/* ---- rtpload_send.c, rtpload_receive.c: one thread each for one run ---- */
/* Where the far side answers each call to; the receiver learns, the sender uses. */
struct rtpload_return {
	pthread_mutex_t lock;
	struct { bool known; struct sockaddr_in to; } call[RTPLOAD_MAX_CALLS];
};

struct rtpload_run {
	const struct rtpload_options *options;
	uint8_t number;
	int *near;       /* a socket for each call */
	const int *far;  /* one, or with each_port one for each call */
	struct rtpload_return *back;
	int64_t begin_ns, measure_ns, end_ns; /* send from begin, count from measure */
	/* results */
	uint64_t sent[2][RTPLOAD_MAX_STREAMS], send_errors, slips;
	struct rtpload_tally *tally[2];
	struct rtpload_tally *part[2][RTPLOAD_MAX_STREAMS]; /* the same by kind, where there are several; else NULL */
	int stop; /* eventfd for the receiver */
};

void *rtpload_send_main(void *run);
void *rtpload_receive_main(void *run);
void rtpload_real_time(const struct rtpload_options *);

/* ---- rtpload_cpu.c ---- */
struct rtpload_cpu {
	double own, process[RTPLOAD_MAX_PIDS], waited[RTPLOAD_MAX_PIDS]; /* seconds; waited: for a processor */
	long rss_kb[RTPLOAD_MAX_PIDS];         /* peak */
};

struct rtpload_cpu rtpload_cpu_now(const struct rtpload_options *);

/* ---- rtpload.c ---- */
/* Makes one run with r->options: fills the tallies, gives the counted seconds and what was used meanwhile. */
double rtpload_measure(struct rtpload_run *r, struct rtpload_cpu *used);

/* ---- rtpload_report.c ---- */
/* A JSON line on standard output, and unless quiet some for people. max_pps: what a flood found, else 0. */
void rtpload_report(const struct rtpload_run *, const char *label, double seconds, const struct rtpload_cpu *, double max_pps);

/* ---- rtpload_flood.c ---- */
/* Searches the highest rate and reports the last run at it. */
void rtpload_flood(struct rtpload_run *, const char *label);

#endif
