/* links: client/hop.c client/hop_connect.c client/hop_absolute.c client/hop_socks5.c client/legs.c client/absolute.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/socks5.c framing/cursor.c framing/varint.c framing/error.c tunnel/loop.c tunnel/log.c tests/lib/prover.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/*
 * A hop at a proxy that says anything: CONNECT, SOCKS5, or what requests without CONNECT need. First octet: bits 0
 * and 1 the kind, 2 credentials, 3 bound to the connection, 4 known from the beginning, 5 lines that take time, 6 the
 * proxy closes in the end, 7 the hop is dropped in the middle; second: size of portions. The hop ends once, and holds
 * nothing then.
 */
#include "tests/fuzz/fuzz.h"

#include "client/hop.h"
#include "framing/error.h"
#include "tests/lib/prover.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/dress.h"
#include "tunnel/log.h"

static struct loop *loop;
static struct outcome {
	unsigned called;
	struct stream *stream;
} outcome;

static void on_done(void *ctx, struct stream *s, int error, const char *why)
{
	(void)ctx;
	CHECK(outcome.called++ == 0);
	CHECK((s == NULL) == (error < 0));
	CHECK(!error || why[0]);
	CHECK(!error || error == ERROR_AGAIN || error == ERROR_PROXY || error == ERROR_PROXY_AUTH || error == ERROR_DENIED ||
	      error == ERROR_RESET);
	outcome.stream = s;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void ignore_failed(void *ctx, int error)
{
	(void)ctx;
	(void)error;
}

static const struct stream_events proxy_events = { ignore, ignore, ignore, ignore_failed };

/* What it got goes nowhere, so that there is always room for more. */
static void swallow(struct stream *s)
{
	uint8_t buf[16384];

	while (stream_read(s, buf, sizeof buf) > 0)
		;
}

/* A request as the engine would make it on the stream that came of it. */
static void use_dress(struct dress *d)
{
	const struct exchange_head in = { .method = "POST", .target = "/x", .host = "h", .lines = "" };
	static const struct http1_head refusal = { .status = 407 };
	struct exchange_head out;
	int rc = d->ops->request(d, &in, &out);

	CHECK(rc == 0 || rc == ERROR_AGAIN || rc == ERROR_PROXY_AUTH);
	CHECK(rc || strncmp(out.target, "http://a.test/x", 15) == 0);
	rc = d->ops->refused(d, &refusal);
	CHECK(rc == 0 || rc == ERROR_AGAIN || rc == ERROR_PROXY_AUTH);
}

static void converse(const struct hop_kind *kind, const struct hop_config *config, const uint8_t *p, size_t n, uint8_t flags, size_t step)
{
	struct stream *near, *far;
	struct hop *hop;
	int64_t now = 0;

	stream_mem_pair(loop, &near, &far, NULL);
	stream_attach(far, &proxy_events, NULL);
	hop = kind->start(config, near, on_done, NULL);
	CHECK(!outcome.called);
	for (size_t at = 0; at < n && !outcome.called; at += step) {
		size_t len = n - at < step ? n - at : step;

		loop_advance(loop, now += LOOP_MS);
		swallow(far);
		if ((flags & 128) && at > n / 2)
			break;
		stream_write(far, p + at, len);
		loop_advance(loop, now += 3 * LOOP_MS);
	}
	if (!(flags & 128) && (flags & 64)) {
		stream_mem_finish(far);
		loop_advance(loop, now += 20 * LOOP_MS);
		CHECK(outcome.called == 1);
	}
	if (!outcome.called) {
		char why[HOP_WHY];

		kind->late(hop, 1, why, sizeof why);
		CHECK(why[0]);
		hop_drop(hop);
		outcome.called++;
	}
	if (outcome.stream && outcome.stream->dress)
		use_dress(outcome.stream->dress);
	if (outcome.stream)
		hop_close(outcome.stream);
	stream_close(far);
	loop_advance(loop, now + LOOP_SECOND);
	CHECK(prover.open == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct hop_kind *const kinds[] = { &hop_connect, &hop_socks5, &hop_absolute, &hop_connect };
	static struct proxy proxy = { .host = "p.test", .port = 3128, .user = "jane", .shown = "p.test:3128" };
	bool asked = false;
	struct hop_config config = {
		.proxy = &proxy, .host = "a.test", .port = 80, .to = "a.test", .whom = "a.test:80", .through = "", .asked = &asked,
	};

	if (n < 2)
		return 0;
	log_setup(LOG_LEVEL_ERROR, false);
	config.loop = loop = loop_new_virtual(0, 0);
	config.last = p[0] % 4 != 3;
	memset(&outcome, 0, sizeof outcome);
	prover_reset(loop);
	prover.scheme = AUTH_NTLM;
	prover.bound = p[0] & 8;
	prover.eager = p[0] & 16;
	prover.delay_us = p[0] & 32 ? LOOP_MS : 0;
	prover.patience = 5;
	prover.user = "jane";
	prover.password = "secret";
	config.auth = p[0] & 4 ? prover_auth() : NULL;
	converse(kinds[p[0] % 4], &config, p + 2, n - 2, p[0], (size_t)p[1] + 1);
	loop_free(loop);
	return 0;
}
