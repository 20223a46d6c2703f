/* links: client/pac_result.c client/proxy.c client/authority.c tunnel/address.c framing/error.c */
/* What a PAC script answers: candidates are few, different, whole, and mean the same when they are written again. */
#include <stdio.h>

#include "tests/fuzz/fuzz.h"

#include "client/pac_result.h"
#include "framing/error.h"

static void check_hop(const struct proxy *p)
{
	CHECK(p->kind == PROXY_HTTP || p->kind == PROXY_HTTPS || p->kind == PROXY_SOCKS5);
	CHECK(p->port > 0 && memchr(p->host, 0, sizeof p->host) && memchr(p->shown, 0, sizeof p->shown));
	CHECK(p->host[0] && strlen(p->host) == strcspn(p->host, " \t\r\n;/@\"\\"));
	CHECK(!p->user[0] && !p->password[0]);
}

static size_t write_again(const struct proxy_list *l, char *out, size_t size)
{
	static const char *const words[] = { [PROXY_HTTP] = "PROXY", [PROXY_HTTPS] = "HTTPS", [PROXY_SOCKS5] = "SOCKS5" };
	size_t n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		const struct proxy *p = &l->chain[i].hop[0];
		const char *host = strstr(p->shown, "://");

		host = host ? host + 3 : p->shown;
		if (l->chain[i].n)
			n += (size_t)snprintf(out + n, size - n, "%s %s;", words[p->kind], host);
		else
			n += (size_t)snprintf(out + n, size - n, "DIRECT;");
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct proxy_list one, other;
	char *in = (char *)fuzz_copy(p, n), text[4096];
	unsigned skipped;
	int rc = pac_result_parse(in, n, &one, &skipped);

	CHECK(rc == 0 || (rc == ERROR_MALFORMED && skipped > 0 && one.n == 0));
	if (rc == 0) {
		CHECK(one.n >= 1 && one.n <= PROXY_CANDIDATES_MAX);
		for (unsigned i = 0; i < one.n; i++) {
			CHECK(one.chain[i].n <= 1);
			if (one.chain[i].n)
				check_hop(&one.chain[i].hop[0]);
			for (unsigned k = 0; k < i; k++)
				CHECK(!proxy_chain_equal(&one.chain[i], &one.chain[k]));
		}
		one.from[0] = other.from[0] = 0;
		CHECK(pac_result_parse(text, write_again(&one, text, sizeof text), &other, &skipped) == 0);
		CHECK(skipped == 0 && proxy_list_equal(&one, &other));
	}
	free(in);
	return 0;
}
