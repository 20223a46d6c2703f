/*
 * TLS over any stream. OpenSSL reads and writes the lower stream through a BIO
 * of our own, so nothing here knows of sockets, and no record costs a copy or
 * an allocation beyond OpenSSL's own two buffers. Called by the dialler and the
 * server's front. Only this file and tls_context.c see OpenSSL's TLS.
 *
 * Two rules keep it simple. OpenSSL is only entered from calls and events,
 * never from its own callbacks. And after a write that said ERROR_AGAIN the
 * next write begins with the same bytes: they may be in a record half sent.
 */
#include "tunnel/stream_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/tls_context.h"

enum tls_state {
	TLS_HANDSHAKE,	/* -> OPEN, FAILED, ENDED */
	TLS_OPEN,	/* -> FAILED, ENDED */
	TLS_FAILED,	/* the owner knows -> ENDED */
	TLS_ENDED,
};

struct stream_tls {
	struct stream base;
	struct loop *loop;
	struct stream *lower;
	struct tls_context *context;
	SSL *ssl;
	struct later later;	/* the first step, and what OpenSSL holds decoded */
	enum tls_state state;
	int error;		/* sticky; set in FAILED */
	int lower_error;	/* what the BIO met below, 0: nothing */
	bool want_read, want_write;
	bool handshake_writes;	/* what the handshake waits for */
	bool read_needs_write;	/* crossed needs of the last read and write */
	bool write_needs_read;
	bool drained;		/* the last read found no whole record */
	bool holding;		/* only what OpenSSL holds is read: nothing from below */
	struct tls_peer peer;
	char alpn[TLS_ALPN_MAX];
};

static const struct stream_ops tls_ops;

static struct stream_tls *tls_of(struct stream *s)
{
	return (struct stream_tls *)s;
}

static void __attribute__((format(printf, 2, 3))) tls_say(struct stream_tls *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->peer.reason, sizeof t->peer.reason, fmt, ap);
	va_end(ap);
}

/* Why TLS failed for another reason, from OpenSSL's queue; the code for it. */
static int tls_explain(struct stream_tls *t)
{
	const char *phase = t->state == TLS_HANDSHAKE ? "during the TLS handshake" : "without ending TLS";
	unsigned long e = ERR_peek_error();
	const char *text = ERR_reason_error_string(e);
	int reason = ERR_GET_REASON(e);

	if (t->peer.reason[0])
		return ERROR_CERTIFICATE;
	if (t->lower_error == ERROR_EOF || t->lower_error == ERROR_RESET) {
		tls_say(t, "the connection was closed %s", phase);
		return ERROR_RESET;
	}
	if (t->lower_error) {
		tls_say(t, "the connection failed %s: %s", phase, error_text(t->lower_error));
		return t->lower_error;
	}
	if (ERR_GET_LIB(e) != ERR_LIB_SSL) {
		tls_say(t, "TLS failed: %s", text ? text : "unknown error");
		return ERROR_TLS;
	}
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_LENGTH_MISMATCH:
	case SSL_R_UNEXPECTED_MESSAGE:	/* an echo: our own hello came back */
		tls_say(t, "the other side does not speak TLS on this port");
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
		tls_say(t, "the other side speaks no TLS version from 1.2 on");
		break;
	case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
		tls_say(t, "the other side speaks no version of HTTP that was offered (--http auto offers all)");
		break;
	default:
		if (reason > SSL_AD_REASON_OFFSET)
			tls_say(t, "the other side ended TLS with the alert '%s'",
				SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
		else
			tls_say(t, "TLS failed: %s", text ? text : "unknown error");
	}
	return ERROR_TLS;
}

/* The BIO: OpenSSL's reads and writes go to the lower stream. */

static int tls_bio_read(BIO *bio, char *p, int cap)
{
	struct stream_tls *t = BIO_get_data(bio);
	ssize_t n = t->holding ? ERROR_AGAIN : stream_read(t->lower, (uint8_t *)p, (size_t)cap);

	BIO_clear_retry_flags(bio);
	if (n > 0)
		return (int)n;
	if (n == ERROR_AGAIN)
		BIO_set_retry_read(bio);
	else
		t->lower_error = n == 0 ? ERROR_EOF : (int)n;
	return -1;
}

static int tls_bio_write(BIO *bio, const char *p, int n)
{
	struct stream_tls *t = BIO_get_data(bio);
	ssize_t taken = stream_write(t->lower, (const uint8_t *)p, (size_t)n);

	BIO_clear_retry_flags(bio);
	if (taken >= 0)
		return (int)taken;
	if (taken == ERROR_AGAIN)
		BIO_set_retry_write(bio);
	else
		t->lower_error = (int)taken;
	return -1;
}

static long tls_bio_ctrl(BIO *bio, int command, long number, void *p)
{
	(void)bio;
	(void)number;
	(void)p;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	if (!m)
		abort();
	BIO_meth_set_read(m, tls_bio_read);
	BIO_meth_set_write(m, tls_bio_write);
	BIO_meth_set_ctrl(m, tls_bio_ctrl);
	return m;
}

/* The stream. */

/* The one place where interest in the lower stream is decided, and whether decoded bytes wait here. */
static void tls_interest(struct stream_tls *t)
{
	bool read = false, write = false;

	if (t->state == TLS_HANDSHAKE) {
		read = !t->handshake_writes;
		write = t->handshake_writes;
	} else if (t->state == TLS_OPEN) {
		read = (t->want_read && !t->read_needs_write) || (t->want_write && t->write_needs_read);
		write = (t->want_write && !t->write_needs_read) || (t->want_read && t->read_needs_write);
		if (t->want_read && !t->drained && SSL_has_pending(t->ssl))
			loop_later(t->loop, &t->later);
	}
	if (t->state != TLS_ENDED)
		stream_want(t->lower, read, write);
}

/* Ends all work, without telling. */
static int tls_break(struct stream_tls *t, int error)
{
	t->error = error;
	t->state = TLS_FAILED;
	later_cancel(t->loop, &t->later);
	tls_interest(t);
	return error;
}

static void tls_fail(struct stream_tls *t, int error)
{
	tls_break(t, error);
	t->base.events->failed(t->base.ctx, error);
}

static void tls_opened(struct stream_tls *t)
{
	const unsigned char *alpn;
	unsigned n;

	SSL_get0_alpn_selected(t->ssl, &alpn, &n);
	snprintf(t->alpn, sizeof t->alpn, "%.*s", (int)n, n ? (const char *)alpn : "");
	t->state = TLS_OPEN;
	tls_interest(t);
	t->base.events->ready(t->base.ctx);
}

static void tls_step(struct stream_tls *t)
{
	int n;

	ERR_clear_error();
	n = SSL_do_handshake(t->ssl);
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_NONE:
		tls_opened(t);
		break;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		t->handshake_writes = SSL_want_write(t->ssl);
		tls_interest(t);
		break;
	default:
		tls_fail(t, tls_explain(t));
	}
}

/* The first step of the handshake; later: bytes that were decoded or read ahead while reading was paused. */
static void tls_later(void *ctx)
{
	struct stream_tls *t = ctx;

	if (t->state == TLS_HANDSHAKE) {
		tls_step(t);
	} else if (t->state == TLS_OPEN && t->want_read) {
		t->holding = true; /* a fast peer must not keep us here: its next bytes come by readable */
		t->base.events->readable(t->base.ctx);
		t->holding = false;
	}
}

static void tls_lower_readable(void *ctx)
{
	struct stream_tls *t = ctx;

	if (t->state == TLS_HANDSHAKE) {
		tls_step(t);
		return;
	}
	t->drained = false;
	if (t->state == TLS_OPEN && t->want_read)
		t->base.events->readable(t->base.ctx);
	if (t->state == TLS_OPEN && t->want_write && t->write_needs_read)
		t->base.events->writable(t->base.ctx);
}

static void tls_lower_writable(void *ctx)
{
	struct stream_tls *t = ctx;

	if (t->state == TLS_HANDSHAKE) {
		tls_step(t);
		return;
	}
	if (t->state == TLS_OPEN && t->want_read && t->read_needs_write)
		t->base.events->readable(t->base.ctx);
	if (t->state == TLS_OPEN && t->want_write && !t->write_needs_read)
		t->base.events->writable(t->base.ctx);
}

static void tls_lower_failed(void *ctx, int error)
{
	struct stream_tls *t = ctx;

	t->lower_error = error;
	if (t->state < TLS_FAILED)
		tls_fail(t, tls_explain(t));
}

static const struct stream_events tls_lower_events = {
	.readable = tls_lower_readable,
	.writable = tls_lower_writable,
	.failed = tls_lower_failed,
};

static struct stream_tls *tls_new(struct loop *loop, struct tls_context *c, struct stream *lower,
				  const struct stream_events *events, void *ctx)
{
	struct stream_tls *t = calloc(1, sizeof *t);
	BIO *bio;

	if (!c->bio)
		c->bio = tls_bio_method();
	bio = BIO_new(c->bio);
	if (!t || !bio || !(t->ssl = SSL_new(c->ctx)))
		abort();
	t->base = (struct stream){ .ops = &tls_ops, .events = events, .ctx = ctx };
	t->loop = loop;
	t->lower = lower;
	t->context = c;
	c->references++;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, &t->peer);
	stream_attach(lower, &tls_lower_events, t);
	stream_want(lower, false, false);
	later_init(&t->later, tls_later, t);
	loop_later(loop, &t->later);
	return t;
}

static void tls_refuse(void *ctx)
{
	tls_fail(ctx, ERROR_CERTIFICATE);
}

void stream_tls_offer(struct stream *s, const char *alpn)
{
	struct stream_tls *t = (struct stream_tls *)s;
	uint8_t list[TLS_ALPN_MAX];

	SSL_set_alpn_protos(t->ssl, list, (unsigned)tls_context_alpn(alpn, list));
}

struct stream *stream_tls_client(struct loop *loop, struct tls_context *c, struct stream *lower, const char *host,
				 const struct stream_events *events, void *ctx)
{
	struct stream_tls *t = tls_new(loop, c, lower, events, ctx);

	SSL_set_connect_state(t->ssl);
	if (tls_context_expect(t->ssl, &t->peer, host))
		tls_context_offer(c, t->ssl, t->peer.host);
	else
		t->later.run = tls_refuse;
	return &t->base;
}

struct stream *stream_tls_server(struct loop *loop, struct tls_context *c, struct stream *lower,
				 const struct stream_events *events, void *ctx)
{
	struct stream_tls *t = tls_new(loop, c, lower, events, ctx);

	SSL_set_accept_state(t->ssl);
	return &t->base;
}

/* What a read or a write comes to that moved nothing. crossing: what only the other of them should wait for. */
static ssize_t tls_outcome(struct stream_tls *t, int n, bool *crossed, int crossing)
{
	int e = SSL_get_error(t->ssl, n);

	switch (e) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		*crossed = e == crossing;
		tls_interest(t);
		return ERROR_AGAIN;
	case SSL_ERROR_ZERO_RETURN: /* also said of a write that failed behind the peer's close_notify */
		if (crossing == SSL_ERROR_WANT_WRITE)
			return 0;
		/* fall through */
	default:
		return tls_break(t, tls_explain(t));
	}
}

static ssize_t tls_not_open(const struct stream_tls *t)
{
	if (t->error)
		return t->error;
	return t->state == TLS_HANDSHAKE ? ERROR_AGAIN : ERROR_CLOSED;
}

static int tls_int(size_t n)
{
	return n < INT32_MAX ? (int)n : INT32_MAX;
}

static ssize_t tls_read(struct stream *s, uint8_t *p, size_t cap)
{
	struct stream_tls *t = tls_of(s);
	int n;

	if (t->state != TLS_OPEN)
		return tls_not_open(t);
	ERR_clear_error();
	n = SSL_read(t->ssl, p, tls_int(cap));
	t->drained = n <= 0;
	if (n <= 0)
		return tls_outcome(t, n, &t->read_needs_write, SSL_ERROR_WANT_WRITE);
	if (t->read_needs_write || SSL_has_pending(t->ssl)) {
		t->read_needs_write = false;
		tls_interest(t);
	}
	return n;
}

static ssize_t tls_write(struct stream *s, const uint8_t *p, size_t size)
{
	struct stream_tls *t = tls_of(s);
	int n;

	if (t->state != TLS_OPEN)
		return tls_not_open(t);
	if (size == 0)
		return 0;
	ERR_clear_error();
	n = SSL_write(t->ssl, p, tls_int(size));
	if (n <= 0)
		return tls_outcome(t, n, &t->write_needs_read, SSL_ERROR_WANT_READ);
	if (t->write_needs_read) {
		t->write_needs_read = false;
		tls_interest(t);
	}
	return n;
}

static void tls_want(struct stream *s, bool read, bool write)
{
	struct stream_tls *t = tls_of(s);

	t->want_read = read;
	t->want_write = write;
	tls_interest(t);
}

static void tls_info(struct stream *s, struct stream_info *i)
{
	struct stream_tls *t = tls_of(s);

	stream_info(t->lower, i);
	i->alpn = t->alpn;
	i->tls = t->state == TLS_OPEN ? SSL_get_version(t->ssl) : "";
	i->resumed = SSL_session_reused(t->ssl);
}

static void tls_close(struct stream *s)
{
	struct stream_tls *t = tls_of(s);

	if (t->state == TLS_ENDED)
		return;
	ERR_clear_error();
	if (t->state == TLS_OPEN)
		SSL_shutdown(t->ssl); /* one attempt to say close_notify */
	t->state = TLS_ENDED;
	later_cancel(t->loop, &t->later);
	SSL_free(t->ssl);
	ERR_clear_error();
	stream_close(t->lower);
	tls_context_release(t->context);
	loop_free_later(t->loop, t);
}

static void tls_tune(struct stream *s, unsigned use)
{
	if (tls_of(s)->state != TLS_ENDED)
		stream_tune(tls_of(s)->lower, use);
}

/* Buffers of records that are empty: OpenSSL makes them again. */
static void tls_rest(struct stream *s)
{
	if (tls_of(s)->state == TLS_OPEN)
		(void)SSL_free_buffers(tls_of(s)->ssl);
}

static const struct stream_ops tls_ops = { tls_read, tls_write, tls_want, tls_info, tls_close, tls_tune, tls_rest };

const char *stream_tls_reason(struct stream *s)
{
	return s->ops == &tls_ops ? tls_of(s)->peer.reason : "";
}
