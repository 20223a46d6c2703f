/*
 * One TLS connection over TCP with batching: what is put waits until a flush,
 * what was read is taken off the front by its reader. For the measuring tools
 * that carry datagrams over one connection. OpenSSL.
 */
#ifndef TESTS_TOOLS_TLSLINK_H
#define TESTS_TOOLS_TLSLINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLSLINK_OUT (256 << 10) /* octets that wait for the socket; what is beyond is dropped */
#define TLSLINK_IN (128 << 10)

struct tlslink;

/* Connects and shakes hands, waiting for it; certificates are not checked. Dies when that fails. */
struct tlslink *tlslink_connect(const struct sockaddr_in *to);
/* Takes a connection over; cert, key: files (PEM). NULL when the handshake fails. */
struct tlslink *tlslink_accept(int fd, const char *cert, const char *key);
void tlslink_free(struct tlslink *);
int tlslink_fd(const struct tlslink *);

/* Room for n octets at the end of what waits, or NULL when there is none. Written to with the next flush. */
uint8_t *tlslink_room(struct tlslink *, size_t n);
/* Gives the socket what waits. False when the connection is lost. */
bool tlslink_flush(struct tlslink *);
/* Something waits for the socket. */
bool tlslink_waits(const struct tlslink *);
/* Reads once; false when nothing is there now. *lost: the connection is. */
bool tlslink_read(struct tlslink *, bool *lost);
/* What was read and not consumed. */
const uint8_t *tlslink_in(const struct tlslink *, size_t *n);
void tlslink_consume(struct tlslink *, size_t n);

#endif
