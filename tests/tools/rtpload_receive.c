/*
 * The receiving thread: both sides, until the run's eventfd is written. It
 * learns from the far side's packets where each call is answered to.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/rtpload.h"
#include "tests/tools/tool.h"

#define BATCH 32

static void learn(struct rtpload_run *r, int call, const struct sockaddr_in *from)
{
	if (call >= r->options->calls)
		return;
	pthread_mutex_lock(&r->back->lock);
	r->back->call[call].known = true;
	r->back->call[call].to = *from;
	pthread_mutex_unlock(&r->back->lock);
}

static void take(struct rtpload_run *r, bool far, const uint8_t *data, int size, const struct sockaddr_in *from, int64_t now)
{
	enum rtpload_direction d = far ? RTPLOAD_UP : RTPLOAD_DOWN;
	struct rtpload_tag tag;
	memcpy(&tag, data + RTPLOAD_HEADER, sizeof tag);
	if (size < RTPLOAD_MIN_SIZE || tag.magic != RTPLOAD_MAGIC || tag.direction != d) {
		rtpload_tally_foreign(r->tally[d]);
		return;
	}
	if (tag.run != r->number)
		return; /* straggler of the run before */
	if (far)
		learn(r, tag.call, from);
	if (tag.warmup)
		return;
	rtpload_tally_add(r->tally[d], &tag, now, size);
	if (tag.stream < RTPLOAD_MAX_STREAMS && r->part[d][tag.stream])
		rtpload_tally_add(r->part[d][tag.stream], &tag, now, size);
}

/* Reads one socket until it is empty, or a few batches. */
static void drain(struct rtpload_run *r, bool far, int fd)
{
	static uint8_t data[BATCH][64]; /* the tag is all we need */
	static struct sockaddr_in from[BATCH];
	struct mmsghdr message[BATCH];
	struct iovec vector[BATCH];
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < BATCH; i++) {
			vector[i] = (struct iovec){ data[i], sizeof data[i] };
			message[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &from[i], .msg_namelen = sizeof from[i],
								    .msg_iov = &vector[i], .msg_iovlen = 1 } };
		}
		int n = recvmmsg(fd, message, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
		int64_t now = tool_now_ns();
		for (int i = 0; i < n; i++)
			take(r, far, data[i], (int)message[i].msg_len, &from[i], now);
		if (n < BATCH)
			return;
	}
}

/* What a descriptor is stands above its number. */
enum { NEAR, FAR, STOP };

static void watch(int poll, int what, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)what << 32 | (uint32_t)fd };
	if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e))
		tool_die("epoll: %s", strerror(errno));
}

void *rtpload_receive_main(void *run)
{
	struct rtpload_run *r = run;
	struct epoll_event event[64];
	int poll = epoll_create1(EPOLL_CLOEXEC);
	if (poll < 0)
		tool_die("epoll: %s", strerror(errno));
	watch(poll, STOP, r->stop);
	for (int i = 0; i < r->options->calls; i++) {
		watch(poll, NEAR, r->near[i]);
		if (!i || r->options->each_port)
			watch(poll, FAR, r->far[i]);
	}
	rtpload_real_time(r->options);
	for (bool stop = false; !stop;) {
		int n = epoll_wait(poll, event, 64, -1);
		for (int i = 0; i < n; i++) {
			int what = (int)(event[i].data.u64 >> 32);
			if (what == STOP)
				stop = true;
			else
				drain(r, what == FAR, (int)(uint32_t)event[i].data.u64);
		}
	}
	close(poll);
	return NULL;
}
