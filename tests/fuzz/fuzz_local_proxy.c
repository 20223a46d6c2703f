/* links: framing/socks5_server.c client/proxy_request.c client/authority.c tunnel/address.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/base64.c framing/cursor.c framing/varint.c framing/error.c */
/* libs: -lhttp_parser */
/* What local programs send to the helper's proxies: SOCKS5 messages and datagrams, HTTP heads. The first octet chooses. */
#include "client/proxy_request.h"
#include "framing/socks5_server.h"
#include "tests/fuzz/fuzz.h"

/* A head that was read is written again as it was, but for names, which keep their case. */
static void udp(const uint8_t *p, size_t n)
{
	struct socks5_request r;
	uint8_t head[SOCKS5_UDP_HEAD_MAX];
	ssize_t used = socks5_udp_get(p, n, &r);

	if (used <= 0)
		return;
	CHECK((size_t)used <= n && strlen(r.host) > 0 && r.port);
	CHECK(socks5_udp_put(head, &r) == (size_t)used && !memcmp(head, p, (size_t)used));
}

static void http(const uint8_t *p, size_t n)
{
	static struct proxy_request r;
	size_t end = proxy_request_end(p, n);
	const char *sentence;

	if (!end || end > HTTP1_HEAD_MAX || proxy_request_get(p, end, &r, &sentence))
		return;
	CHECK(r.kind == PROXY_REQUEST_OURS || (*r.host && r.port));
	CHECK(r.kind != PROXY_REQUEST_FORWARD || proxy_request_end(r.head, r.head_len) == r.head_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char user[256], password[256];
	struct socks5_request r;
	uint8_t *copy;
	bool open, login;

	if (n == 0)
		return 0;
	copy = fuzz_copy(p + 1, --n);
	switch (*p % 5) {
	case 0:
		CHECK(socks5_methods_get(copy, n, &open, &login) <= (ssize_t)n);
		break;
	case 1:
		CHECK(socks5_credentials_get(copy, n, user, password) <= (ssize_t)n);
		break;
	case 2:
		CHECK(socks5_request_get(copy, n, &r) <= 0 || strlen(r.host) > 0);
		break;
	case 3:
		udp(copy, n);
		break;
	default:
		http(copy, n);
	}
	free(copy);
	return 0;
}
