/*
 * TLS 1.2 and 1.3 over any stream (OpenSSL 3; only stream_tls.c and tls_context.c see its TLS).
 * The lower stream belongs to the TLS stream from the call on. Non-blocking;
 * never re-entered from a callback. The peer is always verified by a client:
 * chain, host name or IP address (there is no switch to turn it off).
 * After a write that gave ERROR_AGAIN the next write begins with the same bytes.
 */
#ifndef TUNNEL_STREAM_TLS_H
#define TUNNEL_STREAM_TLS_H

#include "tunnel/loop.h"
#include "tunnel/stream.h"

struct tls_context;
struct certificate_seen;

/* Whom a client trusts, beside the system's store. Read when a context is made, and not kept. */
struct tls_trust {
	const char *cafile, *cadir;	/* certificates in PEM; a directory with files of them; NULL: none */
	const uint8_t (*pins)[32];	/* SHA-256 of the public keys (SubjectPublicKeyInfo) of which one must be in the verified chain */
	size_t n_pins;			/* 0: none is asked for */
	bool quiet;			/* what is wrong in cadir was told already */
};

/* Client: the system's store and what trust says (NULL: nothing). One per server, it keeps the
 * sessions for resumption (all tickets of a TLS 1.3 server, used once each).
 * alpn: "http/1.1" or a comma-separated list, NULL for none. On failure NULL and a
 * sentence in error (size bytes). */
struct tls_context *tls_context_client(const struct tls_trust *trust, const char *alpn, char *error, size_t size);
/* Server: certificate chain and key in PEM. Refuses a key that does not match. Of alpn the client's first choice is agreed to. */
struct tls_context *tls_context_server(const char *certfile, const char *keyfile, const char *alpn,
				       char *error, size_t size);
/* The same for the handshakes of seals (seal_handshake.h): DTLS 1.2 alone, without resumption. */
struct tls_context *tls_context_client_seal(const struct tls_trust *, char *error, size_t size);
struct tls_context *tls_context_server_seal(const char *certfile, const char *keyfile, char *error, size_t size);
/* Reference counted: streams keep theirs alive over a reload. */
struct tls_context *tls_context_keep(struct tls_context *);
void tls_context_release(struct tls_context *);
/* Client: what was shown at the last full handshake, also at one that failed for it. */
const struct certificate_seen *tls_context_seen(const struct tls_context *);

/* Begins the handshake over a ready lower stream; ready or failed follows. host: name
 * or literal address that is verified and, for a name, sent as SNI. */
struct stream *stream_tls_client(struct loop *, struct tls_context *, struct stream *lower, const char *host,
				 const struct stream_events *, void *ctx);
/* Client, right behind its creation: that list in place of the context's. */
void stream_tls_offer(struct stream *, const char *alpn);
struct stream *stream_tls_server(struct loop *, struct tls_context *, struct stream *lower,
				 const struct stream_events *, void *ctx);
/* Why the stream failed, in words for a person, with who issued the certificate
 * where trust was the cause ("certificate for h.example is signed by 'Corp Proxy CA',
 * which is not trusted: give its certificate with --cafile"); "" if it did not. */
const char *stream_tls_reason(struct stream *);

#endif
