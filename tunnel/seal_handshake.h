/*
 * The handshake that makes a seal: DTLS 1.2 (OpenSSL) whose datagrams travel in
 * bodies of exchanges, which may be lost, repeated and come in any order. No clock:
 * whoever misses an answer sends what it sent last again.
 */
#ifndef TUNNEL_SEAL_HANDSHAKE_H
#define TUNNEL_SEAL_HANDSHAKE_H

#include "tunnel/seal.h"

#define SEAL_FLIGHT_MAX 32768	/* bytes of one flight */

struct tls_context;
struct seal_handshake;

/* Helper: host is verified as stream_tls_client does; server: NULL. tls: of tls_context_client_seal, tls_context_server_seal.
 * sid: of the session that the seal is for. */
struct seal_handshake *seal_handshake_new(enum seal_role, struct tls_context *, const char *host, const char *sid);
void seal_handshake_free(struct seal_handshake *);	/* NULL is fine */
/* Takes the other end's flight (helper: n = 0 begins). 0: *out, *out_n are what to send now (perhaps what was sent before, perhaps
 * nothing: n = 0); valid until the next call. Negative: it failed, seal_handshake_reason says why; *out_n > 0: the other end can
 * be told by that. */
int seal_handshake_take(struct seal_handshake *, const uint8_t *p, size_t n, const uint8_t **out, size_t *out_n);
/* The seal, once both ends are done (helper: the server's Finished was verified); else NULL. The caller's reference. */
struct seal *seal_handshake_seal(struct seal_handshake *);
const char *seal_handshake_reason(const struct seal_handshake *);

#endif
