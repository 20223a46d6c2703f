/*
 * The handshake of a seal: an SSL object for DTLS 1.2 between two buffers. A flight
 * is what OpenSSL writes in one step; it is kept and given again until a newer one
 * replaces it, so repeats cost nothing and timers are not needed. Called by sealer.c
 * at the helper and by server/seals.c.
 */
#include "tunnel/seal_handshake.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/stream_tls.h"
#include "tunnel/tls_context.h"

#define RECORD_HEAD 13		/* bytes of a DTLS record's header; the last two are the length behind it */
#define PROTECTED_MAX 4		/* records under the new keys: there is one, and OpenSSL keeps those that come early, 17 KB each */
#define DATAGRAM 16000		/* bytes of the largest that we make: less fragments */
#define NEVER_US 4000000000U	/* DTLS's own repetition: longer than any handshake may take */

struct seal_handshake {
	enum seal_role role;
	struct tls_context *context;
	SSL *ssl;			/* NULL when it is over */
	struct seal *seal;
	struct tls_peer peer;
	char sid[32];
	int error;			/* sticky */
	struct span in;			/* not read yet */
	unsigned protected;		/* records read that are */
	bool fresh, overflow;		/* out is of this step; it has no room for it */
	size_t out_n;
	uint8_t out[SEAL_FLIGHT_MAX];
};

/* ---- what OpenSSL reads and writes ---- */

/* The next record that is worth reading; n = 0: none. */
static struct span next_record(struct seal_handshake *h)
{
	while (h->in.n > 0) {
		struct span r = h->in;

		if (r.n >= RECORD_HEAD && RECORD_HEAD + ((size_t)r.p[11] << 8 | r.p[12]) < r.n)
			r.n = RECORD_HEAD + ((size_t)r.p[11] << 8 | r.p[12]);
		h->in.p += r.n;
		h->in.n -= r.n;
		if (r.n < RECORD_HEAD || !(r.p[3] || r.p[4]) || h->protected++ < PROTECTED_MAX)
			return r;
	}
	return (struct span){ NULL, 0 };
}

/* One record at a time, as datagrams would bring them. */
static int bio_read(BIO *bio, char *p, int cap)
{
	struct seal_handshake *h = BIO_get_data(bio);
	struct span r = next_record(h);
	size_t take = r.n < (size_t)cap ? r.n : (size_t)cap;

	BIO_clear_retry_flags(bio);
	if (r.n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(p, r.p, take);
	return (int)take;
}

static int bio_write(BIO *bio, const char *p, int n)
{
	struct seal_handshake *h = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!h->fresh)
		h->out_n = 0;
	h->fresh = true;
	if ((size_t)n > sizeof h->out - h->out_n) {
		h->overflow = true;
		return -1;
	}
	memcpy(h->out + h->out_n, p, (size_t)n);
	h->out_n += (size_t)n;
	return n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
	(void)bio, (void)number, (void)p;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "flights");

	if (!m)
		abort();
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

static unsigned never(SSL *ssl, unsigned us)
{
	(void)ssl, (void)us;
	return NEVER_US;
}

/* ---- life ---- */

struct seal_handshake *seal_handshake_new(enum seal_role role, struct tls_context *c, const char *host, const char *sid)
{
	struct seal_handshake *h = calloc(1, sizeof *h);
	BIO *bio;

	if (!c->bio)
		c->bio = bio_method();
	bio = BIO_new(c->bio);
	if (!h || !bio || !(h->ssl = SSL_new(c->ctx)))
		abort();
	h->role = role;
	h->context = c;
	c->references++;
	snprintf(h->sid, sizeof h->sid, "%s", sid);
	BIO_set_data(bio, h);
	BIO_set_init(bio, 1);
	SSL_set_bio(h->ssl, bio, bio);
	SSL_set_app_data(h->ssl, &h->peer);
	SSL_set_mtu(h->ssl, DATAGRAM);
	DTLS_set_timer_cb(h->ssl, never);
	if (role == SEAL_SERVER)
		SSL_set_accept_state(h->ssl);
	else
		SSL_set_connect_state(h->ssl);
	if (role == SEAL_HELPER && !tls_context_expect(h->ssl, &h->peer, host))
		h->error = ERROR_CERTIFICATE;
	return h;
}

static void end(struct seal_handshake *h)
{
	SSL_free(h->ssl);
	h->ssl = NULL;
	ERR_clear_error();
}

void seal_handshake_free(struct seal_handshake *h)
{
	if (!h)
		return;
	end(h);
	seal_release(h->seal);
	tls_context_release(h->context);
	free(h);
}

/* ---- steps ---- */

static int __attribute__((format(printf, 3, 4))) fail(struct seal_handshake *h, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!h->peer.reason[0])
		vsnprintf(h->peer.reason, sizeof h->peer.reason, fmt, ap);
	va_end(ap);
	h->error = error;
	end(h);
	return error;
}

/* Why OpenSSL gave up. */
static int explain(struct seal_handshake *h)
{
	unsigned long e = ERR_peek_error();
	const char *text = ERR_reason_error_string(e);
	int reason = ERR_GET_REASON(e);

	if (h->peer.reason[0])
		return fail(h, ERROR_CERTIFICATE, "%s", "");
	if (h->overflow)
		return fail(h, ERROR_LIMIT, "a flight of the handshake is longer than %d bytes: too many certificates",
			    SEAL_FLIGHT_MAX);
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
		return fail(h, ERROR_TLS, "the other side ended the handshake with the alert '%s'",
			    SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	return fail(h, ERROR_TLS, "the handshake failed: %s", text ? text : "unknown error");
}

static bool export(struct seal_handshake *h, const char *label, uint8_t *out, size_t n)
{
	return SSL_export_keying_material(h->ssl, out, n, label, strlen(label), (const uint8_t *)h->sid, strlen(h->sid),
					  1) == 1;
}

/* Both Finished are verified (a server's own is in the flight that goes now). */
static int finish(struct seal_handshake *h)
{
	struct seal_secrets s;

	if (SSL_get_extms_support(h->ssl) != 1) {
		h->fresh = false;	/* it must not hear that we are done */
		return fail(h, ERROR_TLS, "the other side does not know the extended master secret");
	}
	if (!export(h, "EXPORTER-culvert-up", s.up, sizeof s.up) ||
	    !export(h, "EXPORTER-culvert-down", s.down, sizeof s.down) ||
	    !export(h, "EXPORTER-culvert-binding", s.binding, sizeof s.binding))
		abort();
	h->seal = seal_new(h->role, &s);
	OPENSSL_cleanse(&s, sizeof s);
	end(h);
	return 0;
}

static int step(struct seal_handshake *h)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(h->ssl);
	if (h->overflow)
		return explain(h);
	switch (SSL_get_error(h->ssl, rc)) {
	case SSL_ERROR_NONE:
		return finish(h);
	case SSL_ERROR_WANT_READ:
		return 0;
	default:
		return explain(h);
	}
}

int seal_handshake_take(struct seal_handshake *h, const uint8_t *p, size_t n, const uint8_t **out, size_t *out_n)
{
	*out = h->out;
	*out_n = 0;
	if (h->error)
		return h->error;
	h->in = (struct span){ p, n };
	h->fresh = false;
	if (h->ssl)
		step(h);
	if (h->fresh || (!h->error && !(h->seal && h->role == SEAL_HELPER)))
		*out_n = h->out_n;
	return h->error;
}

struct seal *seal_handshake_seal(struct seal_handshake *h)
{
	return h->seal ? seal_keep(h->seal) : NULL;
}

const char *seal_handshake_reason(const struct seal_handshake *h)
{
	return h->peer.reason;
}
