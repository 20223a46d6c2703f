/*
 * Memory for OpenSSL: libssl allocates a few small blocks for every record it
 * writes; this keeps freed ones for the next, so that the packet path reaches malloc
 * never in steady state.
 */
#ifndef TUNNEL_TLS_MEMORY_H
#define TUNNEL_TLS_MEMORY_H

/* To be called once, before anything else of OpenSSL is. */
void tls_memory_setup(void);

#endif
