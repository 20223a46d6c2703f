/* links: client/unreached.c tunnel/loop.c tunnel/log.c */
/* libs: -lev */
/* Local ports that nothing has used: by services, as a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/ingress.h"
#include "client/unreached.h"

static const struct ingress_kind udp = { .scheme = "udp" }, tcp = { .scheme = "tcp" }, socks = { .scheme = "socks5" };

#define PORT(k, at, name) { .kind = &(k), .local = at, .service = name }

static void test_list(void **state)
{
	struct ingress port[] = { PORT(udp, "127.0.0.1:1", "rtp"), PORT(udp, "127.0.0.1:2", "rtp"), PORT(tcp, "127.0.0.1:3", "rtp"),
				  PORT(socks, "127.0.0.1:4", ""), PORT(udp, "127.0.0.1:5", "a"), PORT(udp, "127.0.0.1:6", "b") };
	struct ingress *all[6];
	char list[200], small[12];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		all[i] = &port[i];
	assert_int_equal(unreached_list(all, 6, list, sizeof list), 5);
	assert_string_equal(list, "udp 127.0.0.1:1 rtp, tcp 127.0.0.1:3 rtp, socks5 127.0.0.1:4, udp 127.0.0.1:5 a and 1 more");
	assert_int_equal(unreached_list(all, 6, small, sizeof small), 5);
	assert_string_equal(small, "udp 127.0.0");
	port[1].reached_us = 1; /* one of the service's ports is enough */
	port[3].reached_us = 1;
	assert_int_equal(unreached_list(all, 6, list, sizeof list), 3);
	assert_string_equal(list, "tcp 127.0.0.1:3 rtp, udp 127.0.0.1:5 a, udp 127.0.0.1:6 b");
	for (size_t i = 0; i < 6; i++)
		port[i].reached_us = 1;
	assert_int_equal(unreached_list(all, 6, list, sizeof list), 0);
	assert_string_equal(list, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_list) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
