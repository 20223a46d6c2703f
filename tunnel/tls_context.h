/*
 * The inside of a TLS context: only for stream_tls.c, tls_context.c and
 * seal_handshake.c. Everybody
 * else uses tunnel/stream_tls.h.
 */
#ifndef TUNNEL_TLS_CONTEXT_H
#define TUNNEL_TLS_CONTEXT_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/certificate.h"

#define TLS_TICKETS 8		/* sessions kept per context for resumption */
#define TLS_HOST_MAX 256
#define TLS_ALPN_MAX 64

struct tls_ticket {
	struct ssl_session_st *session; /* SSL_SESSION */
	char host[TLS_HOST_MAX]; /* a resumed session is not verified again: it serves only its own host */
};

struct tls_context {
	unsigned references;
	SSL_CTX *ctx;
	struct bio_method_st *bio;	/* made with the first stream */
	uint8_t alpn[TLS_ALPN_MAX];	/* as on the wire: each name behind its length */
	unsigned alpn_len;
	struct tls_ticket tickets[TLS_TICKETS]; /* oldest first */
	size_t ticket_count;
	struct certificate_anchors anchors; /* client: what is trusted, by where it comes from */
	uint8_t (*pins)[32];		/* client: one of them must be in the chain; NULL: any chain will do */
	size_t n_pins;
	bool seals;			/* for the handshakes of seals */
	struct certificate_seen seen;	/* client: the last one that was looked at */
};

/* What the callbacks of a context must know of a connection: the application data of its SSL. */
struct tls_peer {
	char host[TLS_HOST_MAX]; /* client: whom we want to reach; "" at a server */
	char reason[800];	/* why it failed, "" so far */
};

/* "h2,http/1.1" as on the wire; the length, 0: it is malformed or too long. */
size_t tls_context_alpn(const char *list, uint8_t out[TLS_ALPN_MAX]);
/* Client: whose certificate it must be (also the name that is asked for), for the callbacks, too. False, with the reason in
 * peer: nobody's could be. */
bool tls_context_expect(SSL *, struct tls_peer *, const char *host);
/* Offers the newest session kept for the host, if there is one. */
void tls_context_offer(struct tls_context *, SSL *, const char *host);

#endif
