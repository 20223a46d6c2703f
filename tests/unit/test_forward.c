/* links: client/forward.c client/ingress.c tunnel/address.c framing/message_words.c */
/* libs: */
/* Forwards: what is accepted, what is said about the rest, the ports and services that come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/forward.h"
#include "framing/capsule.h"
#include "framing/error.h"

static int fake_bind(const struct address *a)
{
	(void)a;
	errno = EADDRINUSE;
	return -1;
}

const struct ingress_kind ingress_udp = { .scheme = "udp", .bind = fake_bind };
const struct ingress_kind ingress_tcp = { .scheme = "tcp", .bind = fake_bind };
const struct ingress_kind ingress_ws = { .scheme = "ws", .bind = fake_bind }, ingress_socks = { .scheme = "socks5", .any = true },
			  ingress_http = { .scheme = "http", .any = true };

static void good(const char *text, const struct ingress_kind *kind, const char *first, unsigned count,
		 const char *last, const char *service)
{
	char error[512] = "", shown[ADDRESS_TEXT];
	struct forward f;
	struct address a;

	if (forward_parse(text, &f, error, sizeof error) != 0)
		fail_msg("%s: %s", text, error);
	assert_ptr_equal(f.kind, kind);
	assert_int_equal(f.count, count);
	assert_string_equal(f.service, service);
	a = forward_port(&f, 0);
	assert_string_equal(address_text(&a, shown), first);
	a = forward_port(&f, count - 1);
	assert_string_equal(address_text(&a, shown), last);
}

static void test_good(void **state)
{
	(void)state;
	good("udp://127.0.0.1:5004-5013=rtp", &ingress_udp, "127.0.0.1:5004", 10, "127.0.0.1:5013", "rtp");
	good("tcp://[::1]:8188=sig", &ingress_tcp, "[::1]:8188", 1, "[::1]:8188", "sig");
	good("tcp://127.0.0.1:0=sig.v-2_x", &ingress_tcp, "127.0.0.1:0", 1, "127.0.0.1:0", "sig.v-2_x");
	/* Ten ports from the kernel. */
	good("udp://127.0.0.1:0-9=rtp", &ingress_udp, "127.0.0.1:0", 10, "127.0.0.1:0", "rtp");
	good("udp://[::]:65535=a", &ingress_udp, "[::]:65535", 1, "[::]:65535", "a");
	good("udp://0.0.0.0:5000-6023=rtp", &ingress_udp, "0.0.0.0:5000", 1024, "0.0.0.0:6023", "rtp");
	/* Who uses those says what for. */
	good("socks5://1080", &ingress_socks, "127.0.0.1:1080", 1, "127.0.0.1:1080", "");
	good("http://[::1]:3128", &ingress_http, "[::1]:3128", 1, "[::1]:3128", "");
	/* Loopback is the default. */
	good("udp://5004-5005=rtp", &ingress_udp, "127.0.0.1:5004", 2, "127.0.0.1:5005", "rtp");
	good("udp://:5004=rtp", &ingress_udp, "127.0.0.1:5004", 1, "127.0.0.1:5004", "rtp");
	good("udp://localhost:5004=rtp", &ingress_udp, "127.0.0.1:5004", 1, "127.0.0.1:5004", "rtp");
}

static void bad(const char *text, const char *says)
{
	char error[512] = "";
	struct forward f;

	assert_int_equal(forward_parse(text, &f, error, sizeof error), ERROR_CONFIG);
	if (!strstr(error, says))
		fail_msg("'%s' says: %s", text, error);
	/* Every message shows the text and what would be right. */
	assert_non_null(strstr(error, "for example udp://"));
}

static void test_bad(void **state)
{
	char text[400];

	(void)state;
	bad("", "begins with udp://");
	bad("socks5://1080=sig", "leave '=SERVICE' out");
	bad("http://x", "ADDRESS:PORT");
	bad("5004=rtp", "begins with udp://");
	bad("sctp://127.0.0.1:1=a", "begins with udp://");
	bad("UDP://127.0.0.1:1=a", "begins with udp://");
	bad("udp://127.0.0.1:5004", "'=SERVICE' is missing");
	bad("a=b://", "begins with udp://");
	bad("udp://127.0.0.1:5004=", "service name");
	bad("udp://127.0.0.1:5004=RTP", "service name");
	bad("udp://127.0.0.1:5004=a b", "service name");
	bad("udp://=rtp", "missing or too long");
	bad("udp://127.0.0.1=rtp", "ADDRESS:PORT");
	bad("udp://127.0.0.1:=rtp", "ADDRESS:PORT");
	bad("udp://127.0.0.1:5013-5004=rtp", "ADDRESS:PORT");
	bad("udp://127.0.0.1:65536=rtp", "ADDRESS:PORT");
	bad("udp://127.0.0.1:1-=rtp", "ADDRESS:PORT");
	bad("udp://::1:5004=rtp", "ADDRESS:PORT");
	bad("udp://example.org:5004=rtp", "not a name");
	bad("udp://127.0.0.1:1-1025=rtp", "more than 1024");
	snprintf(text, sizeof text, "udp://%0300d:1=rtp", 0);
	bad(text, "too long");
	snprintf(text, sizeof text, "udp://127.0.0.1:1=%065d", 0);
	bad(text, "service name");
	/* Every truncation says something. */
	for (size_t n = 0; n < strlen("udp://127.0.0.1:5004-5013=r"); n++) {
		snprintf(text, sizeof text, "%.*s", (int)n, "udp://127.0.0.1:5004-5013=r");
		bad(text, "'");
	}
}

static struct ingress_wish wish_of(const char *text)
{
	char error[512] = "";
	struct forward f;

	if (forward_parse(text, &f, error, sizeof error) != 0)
		fail_msg("%s: %s", text, error);
	assert_string_equal(f.service, "rtp");
	assert_int_equal(f.has_redundancy, strstr(text, "redundancy") != NULL);
	return f.wish;
}

static void test_wishes(void **state)
{
	struct ingress_wish w = wish_of("udp://5004=rtp");

	(void)state;
	assert_int_equal(w.class, CLASS_AUTO);
	assert_int_equal(w.redundancy, REDUNDANCY_AUTO);
	assert_int_equal(w.deadline_ms, 0);
	w = wish_of("udp://127.0.0.1:5004-5013=rtp,class=video,redundancy=never,deadline-ms=150");
	assert_int_equal(w.class, CLASS_VIDEO);
	assert_int_equal(w.redundancy, REDUNDANCY_NEVER);
	assert_int_equal(w.deadline_ms, 150);
	assert_int_equal(wish_of("udp://5004=rtp,deadline-ms=10").deadline_ms, 10);
	assert_int_equal(wish_of("udp://5004=rtp,deadline-ms=60000").deadline_ms, 60000);
	assert_int_equal(wish_of("udp://5004=rtp,redundancy=auto").redundancy, REDUNDANCY_AUTO);
	bad("udp://5004=rtp,", "behind the service stand class=, redundancy= or deadline-ms=");
	bad("udp://5004=rtp,loud", "behind the service stand class=, redundancy= or deadline-ms=");
	bad("udp://5004=rtp,loud=1", "behind the service stand class=, redundancy= or deadline-ms= only");
	bad("udp://5004=rtp,class=audio,", "behind the service stand");
	bad("udp://5004=rtp,class=loud", "class must be auto, audio, video, control or bulk");
	bad("udp://5004=rtp,redundancy=", "redundancy must be auto, always or never");
	bad("udp://5004=rtp,deadline-ms=9", "deadline-ms must be a number from 10 to 60000");
	bad("udp://5004=rtp,deadline-ms=60001", "deadline-ms must be a number from 10 to 60000");
	bad("udp://5004=rtp,deadline-ms=-100", "deadline-ms must be a number from 10 to 60000");
	bad("udp://5004=rtp,deadline-ms=1e2", "deadline-ms must be a number from 10 to 60000");
	bad("udp://5004=rtp,deadline-ms=18446744073709551716", "deadline-ms must be a number from 10 to 60000");
	bad("tcp://5004=rtp,class=audio", "class, redundancy and deadline-ms are for udp:// alone");
	bad("udp://5004=,class=audio", "service name");
}

static void test_loopback(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} cases[] = {
		{ "udp://127.0.0.1:1=a", true },  { "udp://127.255.0.9:1=a", true }, { "udp://[::1]:1=a", true },
		{ "udp://0.0.0.0:1=a", false },	  { "udp://[::]:1=a", false },	     { "udp://10.0.0.1:1=a", false },
		{ "udp://[fd00::1]:1=a", false },
	};
	char error[512];
	struct forward f;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(forward_parse(cases[i].text, &f, error, sizeof error), 0);
		assert_int_equal(forward_is_loopback(&f), cases[i].loopback);
	}
}

static void test_port_in_use(void **state)
{
	char error[512] = "";
	struct forward f;
	struct address a;

	(void)state;
	assert_int_equal(forward_parse("udp://127.0.0.1:5004=rtp", &f, error, sizeof error), 0);
	a = forward_port(&f, 0);
	assert_int_equal(ingress_bind(f.kind, &a, error, sizeof error), ERROR_SYSTEM);
	assert_non_null(strstr(error, "udp 127.0.0.1:5004"));
	assert_non_null(strstr(error, "choose another port"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_port_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
