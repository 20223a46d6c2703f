/*
 * The network by rtnetlink, sleep by a timer on the wall clock that is never due but is
 * cancelled when that clock is set, which waking up does. Events come in bursts: the
 * first of them starts a timer and stops the listening, then there is one look
 * at everything. Called by helper.c.
 */
#include "client/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "client/netlink.h"
#include "tunnel/log.h"

#define SETTLE_US (100 * LOOP_MS)	/* from the first event of a burst to the look */
#define AGAIN_US (5 * LOOP_SECOND)	/* after a look that failed */
#define FAILURES_MAX 5			/* then until the next event */
#define SLEPT_MIN_US LOOP_SECOND

struct network {
	struct loop *loop;
	void (*changed)(void *ctx, bool resumed);
	void *ctx;
	int events_fd, ask_fd, clock_fd; /* -1: the system has none */
	struct io events, clock;
	struct timer look;
	int64_t looked_us;
	unsigned failures;
	bool heard, neighbours;		/* listening is suspended; we hear of neighbours */
	struct netlink_view view;
	char id[NETWORK_ID];
	int64_t asleep_us;
	bool left, resumed;		/* since the last look */
	bool refined;			/* by the last look */
};

/* ---- sleep ---- */

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * LOOP_SECOND + ts.tv_nsec / 1000;
}

int64_t network_asleep_us(void)
{
	int64_t awake = clock_us(CLOCK_MONOTONIC);

	return clock_us(CLOCK_BOOTTIME) - awake;
}

bool network_slept(int64_t before_us, int64_t now_us)
{
	return now_us - before_us > SLEPT_MIN_US;
}

static bool clock_arm(int fd)
{
	struct itimerspec far = { .it_value = { .tv_sec = sizeof(time_t) == 8 ? INT64_C(0x1fffffffff) : 0x7fffffff } };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) == 0;
}

/* ---- id ---- */

static size_t put(uint8_t *out, const void *p, size_t n)
{
	out[0] = (uint8_t)n;
	memcpy(out + 1, p, n);
	return n + 1;
}

static void id_make(char id[NETWORK_ID], const struct netlink_view *v)
{
	uint8_t text[256];
	size_t n = 0;

	if (!v->way[0].found && !v->way[1].found) {
		strcpy(id, "none");
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct netlink_way *w = &v->way[i];

		text[n++] = w->found;
		n += put(text + n, w->interface, strlen(w->interface));
		n += put(text + n, w->gateway, w->gateway_n);
		n += put(text + n, w->hardware, w->hardware_n);
		n += put(text + n, w->prefix, sizeof w->prefix);
		text[n++] = w->prefix_bits;
	}
	fingerprint(id, text, n);
}

void network_id(const struct network *n, char out[NETWORK_ID])
{
	strcpy(out, n->id);
}

bool network_refined(const struct network *n)
{
	return n->refined;
}

/* ---- looks ---- */

/* Neighbours are forgotten by the kernel while their network is still there. */
static void keep_hardware(struct netlink_way *now, const struct netlink_way *before)
{
	if (!now->found || now->hardware_n || now->index != before->index || now->gateway_n != before->gateway_n ||
	    memcmp(now->gateway, before->gateway, now->gateway_n) != 0)
		return;
	now->hardware_n = before->hardware_n;
	memcpy(now->hardware, before->hardware, sizeof now->hardware);
}

static bool hardware_missing(const struct netlink_way *w)
{
	return w->found && w->gateway_n && !w->hardware_n;
}

/* The same network, of which more is known now. */
static bool is_refined(const struct netlink_view *now, const struct netlink_view *before)
{
	for (unsigned i = 0; i < 2; i++) {
		struct netlink_way a, b;

		memcpy(&a, &now->way[i], sizeof a);
		memcpy(&b, &before->way[i], sizeof b);
		if (hardware_missing(&b)) {
			a.hardware_n = 0;
			memset(a.hardware, 0, sizeof a.hardware);
		}
		if (memcmp(&a, &b, sizeof a) != 0)
			return false;
	}
	return true;
}

/* Listens for the hardware address of a gateway while it is missing. */
static void watch_neighbours(struct network *n)
{
	bool wanted = hardware_missing(&n->view.way[0]) || hardware_missing(&n->view.way[1]);

	if (wanted == n->neighbours)
		return;
	n->neighbours = wanted;
	netlink_neighbours(n->events_fd, wanted);
}

/* True when something is different now. */
static bool look(struct network *n)
{
	struct netlink_view now;
	char id[NETWORK_ID];
	bool other;

	n->looked_us = loop_now(n->loop);
	if (netlink_look(n->ask_fd, &now) < 0) {
		log_debug("network", "", "the system did not say which network this is: %s", strerror(errno));
		if (++n->failures < FAILURES_MAX)
			timer_in(&n->look, AGAIN_US);
		return false;
	}
	n->failures = 0;
	for (unsigned i = 0; i < 2 && !n->left; i++)
		keep_hardware(&now.way[i], &n->view.way[i]);
	n->refined = !n->left && is_refined(&now, &n->view);
	n->left = false;
	id_make(id, &now);
	other = strcmp(id, n->id) != 0 || now.addresses != n->view.addresses;
	n->view = now;
	strcpy(n->id, id);
	watch_neighbours(n);
	return other;
}

static void look_soon(struct network *n)
{
	int64_t soon = loop_now(n->loop) + SETTLE_US, earliest = n->looked_us + NETWORK_PAUSE_US;

	if (!timer_armed(&n->look) || n->failures)
		timer_set(&n->look, soon > earliest ? soon : earliest);
	n->failures = 0;
}

static void on_look(void *ctx)
{
	struct network *n = ctx;
	bool other = false, resumed = n->resumed;

	n->resumed = false;
	if (n->events_fd >= 0) {
		if (netlink_drain(n->events_fd) & NETLINK_NEWS_LEFT)
			n->left = true;
		other = look(n);
		n->heard = false;
		io_want(&n->events, true, false);
	} else {
		n->looked_us = loop_now(n->loop);
	}
	if (!other && !resumed)
		return;
	log_debug("network", n->id, "%s", resumed ? "awake again" : "the network is another one, or its addresses are");
	n->changed(n->ctx, resumed);
}

static void on_events(void *ctx, bool readable, bool writable)
{
	struct network *n = ctx;

	(void)writable;
	if (!readable || n->heard)
		return;
	n->heard = true;
	io_want(&n->events, false, false);
	look_soon(n);
}

static void on_clock(void *ctx, bool readable, bool writable)
{
	struct network *n = ctx;
	uint64_t expirations;
	int64_t asleep;

	(void)writable;
	if (!readable || (read(n->clock_fd, &expirations, sizeof expirations) < 0 && errno == EAGAIN))
		return;
	if (!clock_arm(n->clock_fd))
		io_want(&n->clock, false, false);
	asleep = network_asleep_us();
	if (network_slept(n->asleep_us, asleep)) {
		n->resumed = n->left = true;
		look_soon(n);
	}
	n->asleep_us = asleep;
}

/* ---- life ---- */

static void open_netlink(struct network *n)
{
	n->ask_fd = netlink_open(false);
	n->events_fd = n->ask_fd < 0 ? -1 : netlink_open(true);
	if (n->events_fd < 0 || netlink_look(n->ask_fd, &n->view) < 0) {
		log_info("network", "", "the system does not say which network this is (%s): changes of it are found out by "
			 "connections that fail", strerror(errno));
		if (n->events_fd >= 0)
			close(n->events_fd);
		n->events_fd = -1;
		strcpy(n->id, "unknown");
		return;
	}
	id_make(n->id, &n->view);
	watch_neighbours(n);
	io_init(&n->events, n->loop, n->events_fd, on_events, n);
	io_want(&n->events, true, false);
}

static void open_clock(struct network *n)
{
	n->asleep_us = network_asleep_us();
	n->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (n->clock_fd < 0)
		return;
	io_init(&n->clock, n->loop, n->clock_fd, on_clock, n);
	io_want(&n->clock, clock_arm(n->clock_fd), false);
}

struct network *network_new(struct loop *loop, void (*changed)(void *ctx, bool resumed), void *ctx)
{
	struct network *n = calloc(1, sizeof *n);

	if (!n)
		abort();
	n->loop = loop;
	n->changed = changed;
	n->ctx = ctx;
	n->looked_us = loop_now(loop);
	timer_init(&n->look, loop, on_look, n);
	open_netlink(n);
	open_clock(n);
	return n;
}

void network_free(struct network *n)
{
	if (!n)
		return;
	timer_stop(&n->look);
	io_stop(&n->events);
	io_stop(&n->clock);
	if (n->events_fd >= 0)
		close(n->events_fd);
	if (n->ask_fd >= 0)
		close(n->ask_fd);
	if (n->clock_fd >= 0)
		close(n->clock_fd);
	loop_free_later(n->loop, n);
}
