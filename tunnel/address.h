/* Addresses: "127.0.0.1:5004", "[::1]:5004", "host:443", port ranges "h:5004-5013"; of Unix sockets "unix:/run/x.sock". */
#ifndef TUNNEL_ADDRESS_H
#define TUNNEL_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* host and ports of a text. host has no brackets. */
struct address_hostport {
	char host[256];
	uint16_t first, last;	/* last == first for a single port */
	bool has_port;
};

/* 0 or ERROR_CONFIG. A range only if ranges; port 0 is legal. */
int address_split(const char *text, bool ranges, struct address_hostport *);
/* Literal IPv4 or IPv6 address: true and filled, else false. */
bool address_literal(const char *host, uint16_t port, struct address *);
/* A Unix socket at that path; false when it is not absolute or too long. */
bool address_unix(const char *path, struct address *);
/* 4 or 16 octets; what is IPv4 within IPv6 (::ffff:0:0/96) becomes IPv4. */
void address_of_ip(const uint8_t *ip, size_t n, uint16_t port, struct address *);
/* An address that the kernel gave: IPv4 within IPv6 becomes IPv4. */
void address_unmap(struct address *);
/* Of this machine only: loopback, or a Unix socket. */
bool address_is_local(const struct address *);
void address_set_port(struct address *, uint16_t port);
uint16_t address_port(const struct address *);
bool address_equal(const struct address *, const struct address *);
/* "127.0.0.1:5004", "[::1]:5004", "unix:/run/x.sock", or "unix" without a name; out has ADDRESS_TEXT bytes. */
#define ADDRESS_TEXT 120
const char *address_text(const struct address *, char *out);
/* The same without port and brackets. */
const char *address_host_text(const struct address *, char *out);
/* Which of our addresses packets to that one leave from now, port 0. Nothing is sent. 0 or ERROR_UNREACHABLE. */
int address_source(const struct address *to, struct address *out);
/* The address of a bound socket. */
int address_of_socket(int fd, struct address *);

#endif
