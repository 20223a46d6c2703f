/*
 * The sending thread: both sides, all calls. An emitter is one stream of one
 * side; its event i belongs to call i mod calls and is due at t0 + i * step, so
 * that calls are spread evenly over the interval.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "tests/tools/rtpload.h"
#include "tests/tools/tool.h"

#define TOO_LATE_NS INT64_C(200000000) /* behind by more: skip, and count a slip */

struct emitter {
	enum rtpload_direction direction;
	int stream;
	double step; /* ns between events */
	int64_t t0;
	uint64_t i;
	uint32_t *sequence; /* next one, for each call */
};

void rtpload_real_time(const struct rtpload_options *o)
{
	struct sched_param p = { .sched_priority = 1 };
	if (o->real_time && pthread_setschedparam(pthread_self(), SCHED_RR, &p))
		fprintf(stderr, "rtpload: no real-time priority here\n");
}

static void fill(uint8_t *p, const struct rtpload_run *r, struct emitter *e, int call, bool mark, bool warmup, int64_t now)
{
	const struct rtpload_stream *s = &r->options->stream[e->stream];
	uint32_t sequence = e->sequence[call]++;
	uint32_t stamp = htonl((uint32_t)((double)(e->i / (uint64_t)r->options->calls) * s->interval_ns * s->clock_rate / 1e9));
	uint32_t source = htonl(0x10000000u + (uint32_t)e->direction * 0x8000000u + (uint32_t)e->stream * 0x1000000u + (uint32_t)call);
	p[0] = 0x80;
	p[1] = (uint8_t)(s->payload_type | (mark ? 0x80 : 0));
	p[2] = (uint8_t)(sequence >> 8);
	p[3] = (uint8_t)sequence;
	memcpy(p + 4, &stamp, 4);
	memcpy(p + 8, &source, 4);
	struct rtpload_tag tag = {
		.magic = RTPLOAD_MAGIC, .call = (uint16_t)call, .stream = (uint8_t)e->stream,
		.direction = (uint8_t)e->direction, .run = r->number, .warmup = warmup,
		.sequence = sequence, .sent_ns = now,
	};
	memcpy(p + RTPLOAD_HEADER, &tag, sizeof tag);
}

/* Which socket, and for the far side which address. False while the call did not arrive yet. */
static bool route(struct rtpload_run *r, enum rtpload_direction d, int call, int *fd, struct sockaddr_in *to)
{
	if (d == RTPLOAD_UP) {
		*fd = r->near[call];
		return true;
	}
	pthread_mutex_lock(&r->back->lock);
	bool known = r->back->call[call].known;
	*to = r->back->call[call].to;
	pthread_mutex_unlock(&r->back->lock);
	*fd = r->far[r->options->each_port ? call : 0];
	return known;
}

/* An ICMP error of an earlier packet is reported here once, before ours is sent. */
static void send_all(struct rtpload_run *r, int fd, struct mmsghdr *message, unsigned n)
{
	unsigned done = 0;
	for (int tries = 0; done < n && tries < 3;) {
		int sent = sendmmsg(fd, message + done, n - done, 0);
		if (sent > 0)
			done += (unsigned)sent;
		else if (errno == EINTR || errno == ECONNREFUSED)
			tries++;
		else
			break;
	}
	r->send_errors += n - done; /* counted as sent: they are lost */
}

static void send_burst(struct rtpload_run *r, struct emitter *e, int64_t due)
{
	const struct rtpload_stream *s = &r->options->stream[e->stream];
	static uint8_t packet[RTPLOAD_MAX_BURST][RTPLOAD_MAX_SIZE];
	struct mmsghdr message[RTPLOAD_MAX_BURST];
	struct iovec vector[RTPLOAD_MAX_BURST];
	int call = (int)(e->i % (uint64_t)r->options->calls), fd;
	struct sockaddr_in to;
	bool warmup = due < r->measure_ns, down = e->direction == RTPLOAD_DOWN;
	if (!route(r, e->direction, call, &fd, &to))
		return;
	for (int k = 0; k < s->burst; k++) {
		bool last = k == s->burst - 1;
		fill(packet[k], r, e, call, last && s->framed, warmup, tool_now_ns());
		vector[k] = (struct iovec){ packet[k], (size_t)(last ? s->last_size : s->size) };
		message[k] = (struct mmsghdr){ .msg_hdr = { .msg_name = down ? &to : NULL, .msg_namelen = down ? sizeof to : 0,
							    .msg_iov = &vector[k], .msg_iovlen = 1 } };
	}
	send_all(r, fd, message, (unsigned)s->burst);
	if (!warmup)
		r->sent[e->direction][e->stream] += (uint64_t)s->burst;
}

static int64_t due_at(const struct emitter *e)
{
	return e->t0 + (int64_t)((double)e->i * e->step);
}

static int make_emitters(const struct rtpload_run *r, struct emitter *out)
{
	const struct rtpload_options *o = r->options;
	int n = 0;
	for (int d = RTPLOAD_UP; d <= (o->one_way ? RTPLOAD_UP : RTPLOAD_DOWN); d++)
		for (int s = 0; s < o->streams; s++) {
			double step = o->stream[s].interval_ns / o->calls;
			out[n++] = (struct emitter){
				.direction = (enum rtpload_direction)d, .stream = s, .step = step,
				.t0 = r->begin_ns + (d == RTPLOAD_DOWN ? (int64_t)(step / 2) : 0),
				.sequence = tool_calloc((size_t)o->calls, sizeof(uint32_t)),
			};
		}
	return n;
}

void *rtpload_send_main(void *run)
{
	struct rtpload_run *r = run;
	struct emitter emitter[2 * RTPLOAD_MAX_STREAMS];
	int n = make_emitters(r, emitter);
	rtpload_real_time(r->options);
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
	for (;;) {
		struct emitter *next = &emitter[0];
		for (int i = 1; i < n; i++)
			if (due_at(&emitter[i]) < due_at(next))
				next = &emitter[i];
		int64_t due = due_at(next), now = tool_now_ns();
		if (due >= r->end_ns)
			break;
		if (now < due) {
			tool_sleep_until(due);
		} else if (now - due > TOO_LATE_NS) {
			next->t0 += now - due;
			r->slips++;
			continue;
		}
		send_burst(r, next, due);
		next->i++;
	}
	for (int i = 0; i < n; i++)
		free(emitter[i].sequence);
	return NULL;
}
