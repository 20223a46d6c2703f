// links: tunnel/sealed.c tunnel/hold.c tunnel/seal.c tunnel/seal_handshake.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c
// links: tunnel/counters.c tunnel/loop.c tunnel/log.c framing/capsule.c framing/cursor.c framing/varint.c framing/error.c
// links: framing/base64.c tests/lib/certs.c
/* libs: -lev -lssl -lcrypto */
/*
 * What a box in between can do to sealed bodies and to handshakes. First octet: bit 0 towards the helper, else the server;
 * bits 1 and 2: 0 the rest is a body, 1 the rest edits a genuine one, 2 the rest is a flight, 3 it edits the flights of a
 * handshake; bit 3: each capsule has a key of its own. Second octet: size of portions. An edit is an operation, a
 * place (2 octets) and a value. Nothing is ever handed on but what was sent, from its beginning, in whole capsules.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "framing/error.h"
#include "tests/lib/certs.h"
#include "tunnel/log.h"
#include "tunnel/seal_handshake.h"
#include "tunnel/sealed.h"
#include "tunnel/stream_tls.h"

#define TARGET "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=1&m=up&s=7&e=0000000000000001"
#define SID "AAAAAAAAAAAAAAAAAAAAAA"
#define PORTIONS 4
#define PORTION 30
#define BODY_MAX 70000

enum operation { FLIP, REMOVE, INSERT, DOUBLE, CUT, REPLACE, OPERATIONS };

struct body {
	uint8_t p[BODY_MAX];
	size_t n;
};

struct edits {
	const uint8_t *p;
	size_t n;
};

static struct loop *loop;
static struct tls_context *client_ctx, *server_ctx;
static struct seal *helper, *server;

static struct {
	struct exchange x;
	uint8_t room[EXCHANGE_ROOM_INNER];
	struct body *out;
} below;
static struct {
	bool mine, over;	/* the exchange is ours again; it has ended */
	uint8_t in[BODY_MAX];
	size_t n;
} user;

/* ---- the exchange below, and who uses the one around it ---- */

static uint8_t *below_room(struct exchange *x, size_t want, size_t *cap)
{
	(void)x;
	CHECK(want <= sizeof below.room);
	*cap = sizeof below.room;
	return below.room;
}

static int below_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	(void)x, (void)head, (void)end;
	CHECK(below.out->n + n <= BODY_MAX);
	memcpy(below.out->p + below.out->n, below.room, n);
	below.out->n += n;
	return 0;
}

static void below_pause(struct exchange *x, bool on)
{
	(void)x, (void)on;
}

static void below_abort(struct exchange *x)
{
	x->events = NULL;
}

static const struct exchange_ops below_ops = { below_room, below_send, below_pause, below_abort, NULL, NULL };

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	CHECK(!user.over && n > 0 && user.n + n <= BODY_MAX);
	memcpy(user.in + user.n, p, n);
	user.n += n;
	return 0;
}

static void on_nothing(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, int error)
{
	(void)ctx, (void)error;
	CHECK(!user.over);
	user.over = true;
}

static const struct exchange_events user_events = { on_head, on_body, on_nothing, on_nothing, on_closed };

static bool on_opened(void *ctx, struct exchange *plain, struct span authorization)
{
	(void)ctx;
	CHECK(authorization.n == 6 && !memcmp(authorization.p, "secret", 6));
	plain->events = &user_events;
	plain->ctx = NULL;
	return true;
}

static void on_failed(void *ctx, struct exchange *inner, const char *why)
{
	(void)ctx;
	CHECK(inner == &below.x && *why && user.n == 0);
	inner->events = NULL;
	user.mine = true;
}

static const struct sealed_events sealed_events = { on_opened, on_failed, on_nothing };

/* ---- bodies ---- */

static void begin(bool to_helper, struct body *out)
{
	struct span target = { (const uint8_t *)TARGET, strlen(TARGET) };

	memset(&user, 0, offsetof(__typeof__(user), in));
	user.n = 0;
	below.x = (struct exchange){ .ops = &below_ops, .events = &user_events };
	below.out = out;
	if (!to_helper)
		sealed_server(loop, server, &below.x, target, &sealed_events, NULL);
}

static struct exchange *begin_helper(struct body *out)
{
	begin(true, out);
	return sealed_helper(loop, helper, &below.x);
}

static void end(void)
{
	if (below.x.events)
		below.x.events->closed(below.x.ctx, ERROR_RESET);
	below.x.events = NULL;
	loop_advance(loop, loop_now(loop) + 1000);
}

static void ask(struct exchange *x)
{
	static const struct exchange_head head = { .method = "POST", .target = TARGET, .streamed = true, .authorization = "secret" };

	for (unsigned i = 0; i < PORTIONS; i++) {
		size_t cap;

		memset(exchange_room(x, PORTION, &cap), 'a' + (int)i, PORTION);
		CHECK(exchange_send(x, i ? NULL : &head, PORTION, i + 1 == PORTIONS) == 0);
	}
}

/* What a genuine peer of the receiver sends. */
static void make(bool to_helper, struct body *b)
{
	struct seal_bond bond;

	b->n = 0;
	if (!to_helper) {
		ask(begin_helper(b));
		end();
		return;
	}
	seal_bind(&bond, (struct span){ (const uint8_t *)TARGET, strlen(TARGET) });
	for (unsigned i = 0; i < PORTIONS; i++) {
		memset(b->p + b->n + SEAL_HEAD, 'a' + (int)i, PORTION);
		b->n += seal_close(server, &bond, 0, b->p + b->n, PORTION);
	}
}

/* The connection brings it, its end behind it. */
static void bring(bool to_helper, const struct body *b, size_t portion)
{
	static struct body request;
	struct http1_head head = { .status = 200 };

	request.n = 0;
	if (to_helper) {
		ask(begin_helper(&request));
		CHECK(below.x.events->head(below.x.ctx, &head) == 0);
	} else {
		begin(false, &request);
	}
	for (size_t at = 0; at < b->n && below.x.events; at += portion) {
		size_t n = b->n - at < portion ? b->n - at : portion;
		uint8_t *copy = fuzz_copy(b->p + at, n);
		int rc = below.x.events->body(below.x.ctx, copy, n);

		free(copy);
		if (rc < 0) {
			below.x.events->closed(below.x.ctx, rc);
			below.x.events = NULL;
		}
	}
	if (below.x.events)
		below.x.events->end(below.x.ctx);
	end();
	CHECK(user.n % PORTION == 0 && user.n <= PORTIONS * PORTION);
	for (size_t i = 0; i < user.n; i++)
		CHECK(user.in[i] == 'a' + i / PORTION);
}

/* ---- edits ---- */

static void insert(struct body *b, size_t at, const uint8_t *p, size_t n)
{
	if (n > BODY_MAX - b->n)
		return;
	memmove(b->p + at + n, b->p + at, b->n - at);
	memmove(b->p + at, p, n);
	b->n += n;
}

static void edit(struct body *b, unsigned operation, size_t at, uint8_t value)
{
	uint8_t copy[64];
	size_t n = b->n - at < value % 64u ? b->n - at : value % 64u;

	switch ((enum operation)(operation % OPERATIONS)) {
	case FLIP:
		b->p[at] ^= value;
		break;
	case REMOVE:
		memmove(b->p + at, b->p + at + n, b->n - at - n);
		b->n -= n;
		break;
	case INSERT:
		insert(b, at, &value, 1);
		break;
	case DOUBLE:
		memcpy(copy, b->p + at, n);
		insert(b, at, copy, n);
		break;
	case CUT:
		b->n = at;
		break;
	case REPLACE:
		b->p[at] = value;
		break;
	default:
		break;
	}
}

/* The next edits, up to one whose operation has its high bit set. */
static void edit_all(struct body *b, struct edits *e)
{
	while (e->n >= 4) {
		const uint8_t *p = e->p;

		e->p += 4;
		e->n -= 4;
		if (p[0] & 0x80)
			return;
		if (b->n > 0)
			edit(b, p[0], (size_t)(p[1] << 8 | p[2]) % b->n, p[3]);
	}
}

/* ---- handshakes ---- */

static void take(struct seal_handshake *h, const struct body *in, struct body *out)
{
	uint8_t *copy = fuzz_copy(in->p, in->n);
	const uint8_t *p;
	size_t n;

	seal_handshake_take(h, copy, in->n, &p, &n);
	free(copy);
	CHECK(n <= SEAL_FLIGHT_MAX);
	memcpy(out->p, p, n);
	out->n = n;
}

static void handshake(struct edits e)
{
	static struct body flight[2];
	struct seal_handshake *h[2] = { seal_handshake_new(SEAL_HELPER, client_ctx, "a.test", SID),
					seal_handshake_new(SEAL_SERVER, server_ctx, NULL, SID) };
	struct seal *s[2];

	flight[0].n = 0;
	for (unsigned i = 0; i < 8; i++) {
		take(h[i % 2], &flight[i % 2], &flight[(i + 1) % 2]);
		edit_all(&flight[(i + 1) % 2], &e);
	}
	for (unsigned i = 0; i < 2; i++) {
		s[i] = seal_handshake_seal(h[i]);
		seal_handshake_free(h[i]);
	}
	CHECK(!s[0] || !s[1] || !memcmp(seal_binding(s[0]), seal_binding(s[1]), SEAL_BINDING));
	seal_release(s[0]);
	seal_release(s[1]);
}

static void one_flight(bool to_helper, const uint8_t *p, size_t n)
{
	static struct body in, out;
	struct seal_handshake *h = seal_handshake_new(to_helper ? SEAL_HELPER : SEAL_SERVER, to_helper ? client_ctx : server_ctx,
						      "a.test", SID);

	in.n = 0;
	if (to_helper)
		take(h, &in, &out);
	memcpy(in.p, p, in.n = n < BODY_MAX ? n : BODY_MAX);
	take(h, &in, &out);
	take(h, &in, &out);
	CHECK(!seal_handshake_seal(h));
	seal_handshake_free(h);
}

/* ---- set-up ---- */

static void forget(void)
{
	tls_context_release(client_ctx);
	tls_context_release(server_ctx);
	loop_free(loop);
}

static void set_up(void)
{
	struct cert cert;
	char error[300];

	log_setup(LOG_LEVEL_ERROR, false);
	loop = loop_new_virtual(0, 0);
	cert_make(&cert, "server", "a.test", "DNS:a.test", -86400, 86400, NULL, true);
	client_ctx = tls_context_client_seal(&(struct tls_trust){ .cafile = cert.file }, error, sizeof error);
	server_ctx = tls_context_server_seal(cert.file, cert.keyfile, error, sizeof error);
	CHECK(client_ctx && server_ctx);
	cert_free(&cert);
	certs_remove();
	atexit(forget);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct seal_limits one_each = { .capsules = 1, .age_us = 1, .refused = 1000 };
	static struct body body;
	struct seal_secrets secrets = { { 1 }, { 2 }, { 3 } };
	bool to_helper;

	if (!loop)
		set_up();
	if (n < 2)
		return 0;
	to_helper = p[0] & 1;
	helper = seal_new(SEAL_HELPER, &secrets);
	server = seal_new(SEAL_SERVER, &secrets);
	if (p[0] & 8) {
		seal_limit(helper, &one_each);
		seal_limit(server, &one_each);
	}
	switch (p[0] >> 1 & 3) {
	case 0:
		memcpy(body.p, p + 2, body.n = n - 2 < BODY_MAX ? n - 2 : BODY_MAX);
		bring(to_helper, &body, p[1] + 1u);
		break;
	case 1:
		make(to_helper, &body);
		edit_all(&body, &(struct edits){ p + 2, n - 2 });
		bring(to_helper, &body, p[1] + 1u);
		break;
	case 2:
		one_flight(to_helper, p + 2, n - 2);
		break;
	default:
		handshake((struct edits){ p + 2, n - 2 });
	}
	seal_release(helper);
	seal_release(server);
	return 0;
}
