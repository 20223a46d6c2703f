/* links: client/auth.c client/auth_basic.c client/auth_digest.c client/auth_gate.c client/auth_ring.c client/auth_gss.c client/auth_text.c client/auth_token.c client/auth_worker.c client/digest.c framing/ntlm_challenge.c framing/challenge.c framing/cursor.c framing/varint.c framing/http1_head.c framing/base64.c framing/error.c tunnel/loop.c tunnel/log.c */
/* libs: -lev -lcrypto -lgssapi_krb5 */
/*
 * Answers of a proxy, one after the other, to two connections that prove who they are by Basic and Digest. Each line is a challenge, or,
 * behind !, Proxy-Authentication-Info; an empty line ends an answer. Its first octet says: bit 0 a 407, bit 1 which connection, bit 2
 * the connection ends behind it.
 */
#include "tests/fuzz/fuzz.h"

#include "client/auth.h"
#include "framing/error.h"
#include "tunnel/log.h"

#define ANSWERS_MAX 64

static struct loop *loop;

static void on_ready(void *ctx)
{
	(void)ctx;
}

/* One answer's headers; returns the octets used. */
static size_t read_head(const uint8_t *p, size_t n, struct http1_head *head)
{
	static const char asks[] = "Proxy-Authenticate", informs[] = "Proxy-Authentication-Info";
	size_t i = 0;

	memset(head, 0, sizeof *head);
	while (i < n && head->count < HTTP1_HEADERS_MAX) {
		const uint8_t *end = memchr(p + i, '\n', n - i);
		size_t len = end ? (size_t)(end - p) - i : n - i;
		bool info = len && p[i] == '!';

		if (len == 0)
			return i + 1;
		for (size_t k = i; k < i + len; k++)
			if (p[k] == '\r' || p[k] == 0) /* the parser of heads refuses them */
				len = k - i;
		head->header[head->count++] = (struct http1_header){
			{ (const uint8_t *)(info ? informs : asks), (info ? sizeof informs : sizeof asks) - 1 }, { p + i + info, len - info }
		};
		i = end ? (size_t)(end - p) + 1 : n;
	}
	return i;
}

/* True: a line with credentials. */
static bool ask(struct auth_dialogue *d)
{
	char line[AUTH_LINE_MAX];
	ssize_t n = auth_line(d, "CONNECT", "calls.example:443", line, sizeof line);

	CHECK(n >= 0 || n == ERROR_AGAIN || n == ERROR_PROXY_AUTH);
	if (n < 0)
		CHECK(auth_why(d)[0] && !strstr(auth_why(d), "pass\\word"));
	if (n <= 0)
		return false;
	CHECK((size_t)n == strlen(line) && strncmp(line, "Proxy-Authorization: ", 21) == 0);
	CHECK(strcspn(line, "\r\n") == (size_t)n - 2 && strcmp(line + n - 2, "\r\n") == 0);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct proxy proxy = { .host = "p", .port = 1, .user = "al\"ice", .shown = "p:1" };
	struct auth_config config = { .proxy = &proxy, .password = "pass\\word", .allowed = 1u << AUTH_BASIC | 1u << AUTH_DIGEST };
	struct auth_dialogue *d[2];
	uint8_t *copy = fuzz_copy(p, n);
	struct auth *auth;

	if (!loop) {
		log_setup(LOG_LEVEL_ERROR, false);
		loop = loop_new_virtual(0, 1700000000);
	}
	config.loop = loop;
	auth = auth_new(&config);
	for (int i = 0; i < 2; i++)
		d[i] = auth_begin(auth, on_ready, NULL);
	for (size_t i = 0, k = 0; i < n && k < ANSWERS_MAX; k++) {
		uint8_t how = copy[i++];
		struct auth_dialogue **at = &d[how >> 1 & 1];
		struct http1_head head;
		bool on_new;

		ask(*at);
		i += read_head(copy + i, n - i, &head);
		if (how & 1)
			auth_challenged(*at, &head, &on_new);
		else
			auth_accepted(*at, &head);
		if (how & 4) {
			auth_end(*at);
			*at = auth_begin(auth, on_ready, NULL);
		}
		loop_advance(loop, loop_now(loop) + 1000);
	}
	auth_end(d[0]);
	auth_end(d[1]);
	auth_free(auth);
	loop_advance(loop, loop_now(loop));
	free(copy);
	return 0;
}
