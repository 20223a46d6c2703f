/*
 * TLS contexts: trust, keys, ciphers, ALPN, and the sessions that a client keeps
 * for resumption. Behind tunnel/stream_tls.h; used by stream_tls and, for the contexts
 * of seals, by seal_handshake.
 */
#include "tunnel/tls_context.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "framing/error.h"
#include "tunnel/certificate.h"
#include "tunnel/stream_tls.h"
#include "tunnel/tls_trust.h"

/* For each certificate of a chain, from the authority down: the leaf comes last, when all is proven but the pins. */
static int tls_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer *peer = SSL_get_app_data(ssl);
	struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	bool last = ok && X509_STORE_CTX_get_error_depth(store) == 0;

	if (!ok && !peer->reason[0])
		certificate_explain(store, peer->host, peer->reason, sizeof peer->reason);
	if (!ok || last)
		certificate_look(store, &c->anchors, ok, &c->seen);
	if (!last || !c->n_pins || certificate_fits(store, c->pins, c->n_pins)) {
		c->seen.pinned = last && c->n_pins;
		return ok;
	}
	c->seen.verified = false;
	certificate_unpinned(&c->seen, peer->host, c->seals, peer->reason, sizeof peer->reason);
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* Sessions kept by a client. */

static void tls_ticket_remove(struct tls_context *c, size_t i)
{
	memmove(&c->tickets[i], &c->tickets[i + 1], (--c->ticket_count - i) * sizeof *c->tickets);
}

/* A new session: a copy is kept, because OpenSSL spoils its own when a connection is cut. */
static int tls_ticket_new(SSL *ssl, SSL_SESSION *session)
{
	struct tls_peer *peer = SSL_get_app_data(ssl);
	struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tls_ticket *k;

	if (!SSL_SESSION_is_resumable(session) || !(session = SSL_SESSION_dup(session)))
		return 0;
	if (c->ticket_count == TLS_TICKETS) {
		SSL_SESSION_free(c->tickets[0].session);
		tls_ticket_remove(c, 0);
	}
	k = &c->tickets[c->ticket_count++];
	k->session = session;
	memcpy(k->host, peer->host, sizeof k->host);
	return 0;
}

/* A TLS 1.3 ticket is used once (RFC 8446 appendix C.4). */
void tls_context_offer(struct tls_context *c, SSL *ssl, const char *host)
{
	for (size_t i = c->ticket_count; i-- > 0;) {
		SSL_SESSION *session = c->tickets[i].session;

		if (strcmp(c->tickets[i].host, host) != 0)
			continue;
		SSL_set_session(ssl, session);
		if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
			SSL_SESSION_free(session);
			tls_ticket_remove(c, i);
		}
		return;
	}
}

/* Contexts. */

size_t tls_context_alpn(const char *list, uint8_t out[TLS_ALPN_MAX])
{
	size_t len = 0;

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == 0 || len + n + 1 > TLS_ALPN_MAX)
			return 0;
		out[len] = (uint8_t)n;
		memcpy(out + len + 1, list, n);
		len += n + 1;
		list += n + (list[n] == ',');
	}
	return len;
}

/* The client's order decides, since it knows what is cheaper for it; without a common name it goes on without ALPN. */
static int tls_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
			   unsigned in_len, void *ctx)
{
	struct tls_context *c = ctx;

	(void)ssl;
	if (SSL_select_next_proto((unsigned char **)out, out_len, in, in_len, c->alpn, c->alpn_len) ==
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_NOACK;
}

static bool tls_hardware_aes(void)
{
#if defined __x86_64__ || defined __i386__
	return __builtin_cpu_supports("aes");
#elif defined __aarch64__
	return getauxval(AT_HWCAP) & HWCAP_AES;
#else
	return false;
#endif
}

/* Authenticated encryption only, the faster of the two 128-bit choices first. A client also offers what old
 * intercepting proxies need; they choose it only when they have nothing better. */
static void tls_ciphers(SSL_CTX *ctx, bool server)
{
	bool aes = tls_hardware_aes();
	char list[160];

	snprintf(list, sizeof list, "%s:ECDHE+AESGCM%s:!aNULL:!PSK:!SRP",
		 aes ? "ECDHE+AESGCM+AES128:ECDHE+CHACHA20" : "ECDHE+CHACHA20:ECDHE+AESGCM+AES128",
		 server ? "" : ":DHE+AESGCM:ECDHE+AES:RSA+AESGCM:RSA+AES");
	if (!SSL_CTX_set_cipher_list(ctx, list) ||
	    !SSL_CTX_set_ciphersuites(ctx, aes ?
		    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384" :
		    "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"))
		abort();
}

static struct tls_context *tls_context_new(const SSL_METHOD *method, const char *alpn, char *error, size_t size)
{
	struct tls_context *c = calloc(1, sizeof *c);

	if (!c || !(c->ctx = SSL_CTX_new(method)))
		abort();
	c->references = 1;
	SSL_CTX_set_app_data(c->ctx, c);
	SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(c->ctx, 1); /* a record in one read, not its header and its body */
	if (alpn)
		c->alpn_len = (unsigned)tls_context_alpn(alpn, c->alpn);
	if (!alpn || c->alpn_len || !*alpn)
		return c;
	snprintf(error, size, "ALPN list \"%s\" is malformed", alpn);
	tls_context_release(c);
	return NULL;
}

/* Opens a file for its error: OpenSSL does not tell all of them. */
static FILE *tls_open(const char *what, const char *file, char *error, size_t size)
{
	FILE *f = fopen(file, "re");

	if (!f)
		snprintf(error, size, "cannot read %s %s: %s", what, file, strerror(errno));
	return f;
}

/* Nobody is asked for a passphrase. */
static int tls_no_passphrase(char *p, int size, int writing, void *asked)
{
	(void)p;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

/* What every context of a client does with what it trusts: TLS's and that of seals. */
static int tls_context_trust(struct tls_context *c, const struct tls_trust *trust, char *error, size_t size)
{
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, tls_verify);
	/* What --cafile names is trusted as it is, also when it is not a root. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c->ctx), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_default_verify_paths(c->ctx);
	if (trust && trust->n_pins) {
		c->n_pins = trust->n_pins;
		c->pins = calloc(c->n_pins, sizeof *c->pins);
		if (!c->pins)
			abort();
		memcpy(c->pins, trust->pins, c->n_pins * sizeof *c->pins);
	}
	return tls_trust_load(SSL_CTX_get_cert_store(c->ctx), trust, &c->anchors, error, size);
}

struct tls_context *tls_context_client(const struct tls_trust *trust, const char *alpn, char *error, size_t size)
{
	struct tls_context *c = tls_context_new(TLS_client_method(), alpn, error, size);

	if (!c)
		return NULL;
	ERR_clear_error();
	if (tls_context_trust(c, trust, error, size) < 0) {
		tls_context_release(c);
		return NULL;
	}
	tls_ciphers(c->ctx, false);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, tls_ticket_new);
	if (c->alpn_len)
		SSL_CTX_set_alpn_protos(c->ctx, c->alpn, c->alpn_len);
	return c;
}

/* Seals: one version, one kind of key exchange and cipher, every handshake from the beginning. */
static struct tls_context *tls_context_seal(const SSL_METHOD *method)
{
	struct tls_context *c = tls_context_new(method, NULL, NULL, 0);

	if (!SSL_CTX_set_min_proto_version(c->ctx, DTLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(c->ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"))
		abort();
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	ERR_clear_error();
	return c;
}

struct tls_context *tls_context_client_seal(const struct tls_trust *trust, char *error, size_t size)
{
	struct tls_context *c = tls_context_seal(DTLS_client_method());

	c->seals = true;
	if (tls_context_trust(c, trust, error, size) == 0)
		return c;
	tls_context_release(c);
	return NULL;
}

/* What must be in the certificate; false when that cannot be said. */
static bool tls_expect(SSL *ssl, struct tls_peer *peer)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	size_t n = strlen(peer->host);

	if (n && peer->host[n - 1] == '.')
		peer->host[--n] = '\0'; /* a rooted name; certificates have none */
	if (n == 0)
		return false;
	if (X509_VERIFY_PARAM_set1_ip_asc(param, peer->host))
		return true;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, peer->host, n) && SSL_set_tlsext_host_name(ssl, peer->host);
}

bool tls_context_expect(SSL *ssl, struct tls_peer *peer, const char *host)
{
	if (strlen(host) < sizeof peer->host)
		memcpy(peer->host, host, strlen(host));
	ERR_clear_error();
	if (tls_expect(ssl, peer))
		return true;
	snprintf(peer->reason, sizeof peer->reason, "'%s' is no name or address that a certificate could be for", host);
	return false;
}

static int tls_load_key(SSL_CTX *ctx, const char *certfile, const char *keyfile, char *error, size_t size)
{
	bool encrypted = false;
	FILE *f = tls_open("key", keyfile, error, size);
	EVP_PKEY *key;
	int ok;

	if (!f)
		return ERROR_CONFIG;
	ERR_clear_error();
	key = PEM_read_PrivateKey(f, NULL, tls_no_passphrase, &encrypted);
	fclose(f);
	if (!key) {
		snprintf(error, size, "cannot read key %s: %s", keyfile,
			 encrypted ? "it is protected by a passphrase; give one without" : tls_trust_cause());
		return ERROR_CONFIG;
	}
	ok = SSL_CTX_use_PrivateKey(ctx, key) && SSL_CTX_check_private_key(ctx);
	EVP_PKEY_free(key);
	if (ok)
		return 0;
	snprintf(error, size, "key %s does not belong to certificate %s", keyfile, certfile);
	return ERROR_CONFIG;
}

static int tls_load_certificate(SSL_CTX *ctx, const char *certfile, char *error, size_t size)
{
	FILE *f = tls_open("certificate", certfile, error, size);

	if (!f)
		return ERROR_CONFIG;
	fclose(f);
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, certfile))
		return 0;
	snprintf(error, size, "cannot read certificate %s: %s", certfile, tls_trust_cause());
	return ERROR_CONFIG;
}

struct tls_context *tls_context_server(const char *certfile, const char *keyfile, const char *alpn,
				       char *error, size_t size)
{
	static const unsigned char id[] = "culvert";
	struct tls_context *c = tls_context_new(TLS_server_method(), alpn, error, size);

	if (!c)
		return NULL;
	if (tls_load_certificate(c->ctx, certfile, error, size) < 0 ||
	    tls_load_key(c->ctx, certfile, keyfile, error, size) < 0) {
		tls_context_release(c);
		return NULL;
	}
	tls_ciphers(c->ctx, true);
	SSL_CTX_set_options(c->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	/* Tickets hold the sessions: clients cannot make a cache grow here. */
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(c->ctx, id, sizeof id - 1);
	SSL_CTX_set_num_tickets(c->ctx, 2);
	if (c->alpn_len)
		SSL_CTX_set_alpn_select_cb(c->ctx, tls_alpn_select, c);
	return c;
}

struct tls_context *tls_context_server_seal(const char *certfile, const char *keyfile, char *error, size_t size)
{
	struct tls_context *c = tls_context_seal(DTLS_server_method());

	SSL_CTX_set_max_cert_list(c->ctx, 4096);	/* bounds every message, also those that come early and are kept */
	if (tls_load_certificate(c->ctx, certfile, error, size) == 0 &&
	    tls_load_key(c->ctx, certfile, keyfile, error, size) == 0)
		return c;
	tls_context_release(c);
	return NULL;
}

const struct certificate_seen *tls_context_seen(const struct tls_context *c)
{
	return &c->seen;
}

struct tls_context *tls_context_keep(struct tls_context *c)
{
	c->references++;
	return c;
}

void tls_context_release(struct tls_context *c)
{
	if (!c || --c->references > 0)
		return;
	for (size_t i = 0; i < c->ticket_count; i++)
		SSL_SESSION_free(c->tickets[i].session);
	SSL_CTX_free(c->ctx);
	tls_trust_forget(&c->anchors);
	free(c->pins);
	BIO_meth_free(c->bio);
	free(c);
}

