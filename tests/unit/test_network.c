/* links: client/network_linux.c client/netlink_linux.c client/fingerprint.c tunnel/loop.c tunnel/log.c framing/error.c */
/* libs: -lev -lcrypto -Wl,--wrap=socket -Wl,--wrap=fingerprint */
/* The network in a network namespace of its own: what changes its id and what does not, how often that is told, and what
 * happens where the kernel says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/network.h"
#include "tunnel/log.h"

/* ---- fakes ---- */

static bool no_netlink;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
	if (no_netlink && family == AF_NETLINK) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return __real_socket(family, type, protocol);
}

/* What goes into ids, as it was the last time. */
static uint8_t hashed[512];
static size_t hashed_n;

void __real_fingerprint(char out[FINGERPRINT], const void *p, size_t n);
void __wrap_fingerprint(char out[FINGERPRINT], const void *p, size_t n);
void __wrap_fingerprint(char out[FINGERPRINT], const void *p, size_t n)
{
	assert_true(n <= sizeof hashed);
	memcpy(hashed, p, n);
	hashed_n = n;
	__real_fingerprint(out, p, n);
}

static bool is_hashed(const void *p, size_t n)
{
	return memmem(hashed, hashed_n, p, n) != NULL;
}

/* ---- a machine ---- */

static void run(const char *command)
{
	char line[1024];

	snprintf(line, sizeof line, "PATH=$PATH:/usr/sbin:/sbin; set -e; %s", command);
	if (system(line) != 0)
		fail_msg("failed: %s", command);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail_msg("%s: %s", name, strerror(errno));
	close(fd);
}

static int enter_namespace(void **state)
{
	char map[32];
	unsigned uid = getuid();

	(void)state;
	if (unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0)
		fail_msg("this test needs network namespaces: run it as root, or allow user namespaces");
	if (uid != 0) {
		snprintf(map, sizeof map, "0 %u 1", uid);
		write_file("/proc/self/uid_map", map);
	}
	/* No link-local addresses: they come seconds after a link, and are news. */
	run("echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode; ip link set lo up");
	return 0;
}

#define HOME "ip link add n0 type veth peer name n1; ip link set n1 up; ip addr add 10.9.0.2/24 dev n0; ip link set n0 up; " \
	"ip route add default via 10.9.0.1; "
#define HOME_GATEWAY "ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:01 dev n0 nud permanent; "
#define GONE "ip link del n0; "

/* ---- somebody who wants to know ---- */

struct watch {
	struct loop *loop;
	struct network *network;
	struct timer stop;
	unsigned calls, resumed;
	bool hasty;		/* a call ends the wait */
	int64_t last_us, least_gap_us;
	char id[NETWORK_ID];
};

static void on_stop(void *ctx)
{
	loop_break(((struct watch *)ctx)->loop);
}

static void on_changed(void *ctx, bool resumed)
{
	struct watch *w = ctx;
	int64_t now = loop_now(w->loop);

	if (w->calls && now - w->last_us < w->least_gap_us)
		w->least_gap_us = now - w->last_us;
	w->last_us = now;
	w->calls++;
	w->resumed += resumed;
	network_id(w->network, w->id);
	if (w->hasty)
		loop_break(w->loop);
}

static void watch_begin(struct watch *w)
{
	*w = (struct watch){ .loop = loop_new(), .least_gap_us = INT64_MAX };
	assert_non_null(w->loop);
	timer_init(&w->stop, w->loop, on_stop, w);
	w->network = network_new(w->loop, on_changed, w);
	network_id(w->network, w->id);
}

static void watch_end(struct watch *w)
{
	network_free(w->network);
	timer_stop(&w->stop);
	loop_free(w->loop);
}

static void watch_for(struct watch *w, int64_t us)
{
	loop_touch(w->loop);
	timer_in(&w->stop, us);
	loop_run(w->loop);
}

/* Runs a command, and waits until changed was called and is silent, or was not called in time. */
static unsigned after(struct watch *w, const char *command)
{
	unsigned before = w->calls, last;

	run(command);
	w->hasty = true;
	do {
		last = w->calls;
		watch_for(w, NETWORK_PAUSE_US + 110 * LOOP_MS);
	} while (w->calls != last);
	w->hasty = false;
	return w->calls - before;
}

/* ---- tests ---- */

static void test_id(void **state)
{
	char home[NETWORK_ID], other[NETWORK_ID];
	struct watch w;

	(void)state;
	watch_begin(&w);
	assert_string_equal(w.id, "none");
	assert_int_equal(after(&w, HOME HOME_GATEWAY), 1);
	strcpy(home, w.id);
	assert_int_equal(strlen(home), NETWORK_ID - 1);
	assert_int_equal(strspn(home, "0123456789abcdef"), NETWORK_ID - 1);
	assert_true(is_hashed("\x2n0", 3));
	assert_true(is_hashed("\x4\x0a\x09\x00\x01", 5));
	assert_true(is_hashed("\x6\x02\x00\x00\x00\x00\x01", 7));
	assert_true(is_hashed("\x10\x0a\x09\x00\x00\x00", 6)); /* the prefix without our own number */

	/* Away, and back: by hand, by the link, by the whole interface; another number of ours is the same network. */
	assert_int_equal(after(&w, "ip route del default"), 1);
	assert_string_equal(w.id, "none");
	assert_int_equal(after(&w, "ip route add default via 10.9.0.1"), 1);
	assert_string_equal(w.id, home);
	assert_int_equal(after(&w, GONE), 1);
	assert_string_equal(w.id, "none");
	assert_int_equal(after(&w, HOME HOME_GATEWAY "ip addr add 10.9.0.7/24 dev n0; ip addr del 10.9.0.2/24 dev n0; "
				   "ip addr show dev n0 | grep -q 10.9.0.7 || ip addr add 10.9.0.7/24 dev n0; "
				   "ip route replace default via 10.9.0.1; " HOME_GATEWAY), 1);
	assert_string_equal(w.id, home);

	/* Each part matters: the gateway's hardware (another network of the same numbers), the gateway, the prefix. */
	assert_int_equal(after(&w, "ip route del default; ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:02 dev n0 nud permanent; "
				   "ip route add default via 10.9.0.1"), 1);
	assert_string_not_equal(w.id, home);
	strcpy(other, w.id);
	assert_int_equal(after(&w, "ip route replace default via 10.9.0.3"), 1);
	assert_string_not_equal(w.id, home);
	assert_string_not_equal(w.id, other);
	assert_int_equal(after(&w, GONE HOME HOME_GATEWAY), 1);
	assert_string_equal(w.id, home);
	run(GONE);
	watch_end(&w);
}

static void test_restart(void **state)
{
	struct watch w;
	char first[NETWORK_ID];

	(void)state;
	run(HOME HOME_GATEWAY);
	watch_begin(&w);
	strcpy(first, w.id);
	watch_end(&w);
	watch_begin(&w);
	assert_string_equal(w.id, first);
	assert_string_not_equal(w.id, "none");
	watch_for(&w, LOOP_SECOND);
	assert_int_equal(w.calls, 0);
	run(GONE);
	watch_end(&w);
}

static void test_v6(void **state)
{
	struct watch w;
	char both[NETWORK_ID];

	(void)state;
	run(HOME HOME_GATEWAY);
	watch_begin(&w);
	assert_int_equal(after(&w, "ip addr add 2001:db8:5::2/64 dev n0 nodad; ip route add default via 2001:db8:5::1; "
				   "ip neigh replace 2001:db8:5::1 lladdr 02:00:00:00:00:06 dev n0 nud permanent"), 1);
	strcpy(both, w.id);
	assert_true(is_hashed("\x10\x20\x01\x0d\xb8\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 17));
	assert_true(is_hashed("\x6\x02\x00\x00\x00\x00\x06", 7));
	assert_true(is_hashed("\x10\x20\x01\x0d\xb8\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40", 18));
	/* A privacy address of the same prefix is told (connections may end with the old one), and is the same network. */
	assert_int_equal(after(&w, "ip addr add 2001:db8:5::abcd/64 dev n0 nodad"), 1);
	assert_string_equal(w.id, both);
	assert_int_equal(after(&w, "ip -6 route del default"), 1);
	assert_string_not_equal(w.id, both);
	run(GONE);
	watch_end(&w);
}

/* Things that are nobody's business here. */
static void test_irrelevant(void **state)
{
	struct watch w;

	(void)state;
	run(HOME HOME_GATEWAY);
	watch_begin(&w);
	assert_int_equal(after(&w, "ip link add n2 type veth peer name n3; ip link set n2 up; ip link set n3 up"), 0);
	assert_int_equal(after(&w, "ip addr add 169.254.3.4/16 dev n2 scope link; ip route add 10.55.0.0/16 via 10.9.0.9"), 0);
	assert_int_equal(after(&w, "ip neigh replace 10.9.0.77 lladdr 02:00:00:00:00:09 dev n0 nud permanent; ip link del n2"), 0);
	/* There and gone within a burst. */
	assert_int_equal(after(&w, "ip addr add 10.8.0.1/24 dev n0; ip addr del 10.8.0.1/24 dev n0"), 0);
	/* The kernel forgets neighbours of a network that is still the same. */
	assert_int_equal(after(&w, "ip neigh del 10.9.0.1 dev n0; ip addr add 10.8.0.1/24 dev n0"), 1);
	assert_true(is_hashed("\x6\x02\x00\x00\x00\x00\x01", 7));
	run(GONE);
	watch_end(&w);
}

/* The gateway's hardware address gets known when something is sent. */
static void test_gateway_late(void **state)
{
	struct watch w;
	char first[NETWORK_ID];

	(void)state;
	run(HOME);
	watch_begin(&w);
	strcpy(first, w.id);
	assert_false(is_hashed("\x6\x02\x00\x00\x00\x00\x01", 7));
	assert_int_equal(after(&w, HOME_GATEWAY), 1);
	assert_true(network_refined(w.network));
	assert_string_not_equal(w.id, first);
	assert_true(is_hashed("\x6\x02\x00\x00\x00\x00\x01", 7));
	/* From then on neighbours are not heard of. */
	assert_int_equal(after(&w, "ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:02 dev n0 nud permanent"), 0);
	/* Another gateway, or the same one by another link, is another network. */
	assert_int_equal(after(&w, "ip route replace default via 10.9.0.3"), 1);
	assert_false(network_refined(w.network));
	assert_int_equal(after(&w, "ip link set n0 down; ip link set n0 up; ip route replace default via 10.9.0.3; "
			       "ip neigh replace 10.9.0.3 lladdr 02:00:00:00:00:03 dev n0 nud permanent"), 1);
	assert_false(network_refined(w.network));
	run(GONE);
	watch_end(&w);
}

static void test_flood(void **state)
{
	struct watch w;
	char first[NETWORK_ID];
	int64_t begun;
	unsigned calls;

	(void)state;
	run(HOME HOME_GATEWAY);
	watch_begin(&w);
	strcpy(first, w.id);
	/* A few thousand changes without a pause, more than a socket can hold. */
	run("for i in $(seq 8); do for a in $(seq 250); do echo \"addr add 10.10.$i.$a/32 dev n0\"; done; done | ip -b -");
	begun = loop_touch(w.loop);
	watch_for(&w, 2 * LOOP_SECOND);
	assert_int_equal(w.calls, 1);
	/* Two seconds of changes while we listen. */
	run("(end=$(($(date +%s%N) + 2000000000)); i=0; while [ $(date +%s%N) -lt $end ]; do i=$((i + 1)); "
	    "ip addr add 10.11.$((i / 250)).$((i % 250 + 1))/32 dev n0; done; : >/dev/null) & ");
	begun = loop_touch(w.loop);
	watch_for(&w, 3500 * LOOP_MS);
	calls = w.calls - 1;
	assert_true(calls >= 2);
	assert_true(calls <= (unsigned)((loop_now(w.loop) - begun) / NETWORK_PAUSE_US) + 1);
	assert_true(w.least_gap_us >= NETWORK_PAUSE_US);
	assert_string_equal(w.id, first);
	run(GONE);
	watch_end(&w);
}

/* Two changes with a pause shorter than the least one between calls: two calls, and the last state is the one known. */
static void test_last_state(void **state)
{
	struct watch w;

	(void)state;
	watch_begin(&w);
	watch_for(&w, 600 * LOOP_MS);
	run(HOME HOME_GATEWAY);
	watch_for(&w, 250 * LOOP_MS);
	assert_int_equal(w.calls, 1);
	assert_string_not_equal(w.id, "none");
	run(GONE);
	watch_for(&w, LOOP_SECOND);
	assert_true(w.least_gap_us >= NETWORK_PAUSE_US);
	assert_int_equal(w.calls, 2);
	assert_string_equal(w.id, "none");
	watch_end(&w);
}

static void test_without(void **state)
{
	struct watch w;

	(void)state;
	no_netlink = true;
	watch_begin(&w);
	no_netlink = false;
	assert_string_equal(w.id, "unknown");
	assert_int_equal(after(&w, HOME GONE), 0);
	watch_end(&w);
}

/* Freed in the middle of a burst, and from within changed. */
static void on_changed_free(void *ctx, bool resumed)
{
	struct watch *w = ctx;

	(void)resumed;
	w->calls++;
	network_free(w->network);
	w->network = NULL;
}

static void test_teardown(void **state)
{
	struct watch w;

	(void)state;
	watch_begin(&w);
	run(HOME);
	watch_for(&w, 10 * LOOP_MS);
	watch_end(&w);
	run(GONE);

	w = (struct watch){ .loop = loop_new() };
	timer_init(&w.stop, w.loop, on_stop, &w);
	w.network = network_new(w.loop, on_changed_free, &w);
	assert_int_equal(after(&w, HOME), 1);
	run(GONE);
	watch_end(&w);
}

static void test_slept(void **state)
{
	int64_t now;

	(void)state;
	assert_false(network_slept(0, 0));
	assert_false(network_slept(5 * LOOP_SECOND, 5 * LOOP_SECOND));
	assert_false(network_slept(0, LOOP_SECOND));		/* the two clocks are not read at once */
	assert_true(network_slept(0, LOOP_SECOND + 1));
	assert_true(network_slept(3600 * LOOP_SECOND, 3600 * LOOP_SECOND + 8 * 3600 * LOOP_SECOND));
	assert_false(network_slept(10 * LOOP_SECOND, 0));	/* nonsense is no sleep */
	assert_false(network_slept(0, -LOOP_SECOND));
	now = network_asleep_us();
	assert_false(network_slept(now, network_asleep_us()));
	assert_true(now > -LOOP_SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slept),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_irrelevant),
		cmocka_unit_test(test_gateway_late),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_last_state),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_teardown),
	};

	log_setup(LOG_LEVEL_INFO, false);
	return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
