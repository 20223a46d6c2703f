/*
 * Network: which network this machine is on, and when that changes: other addresses,
 * another way out, or back from sleep. Told by the kernel; costs nothing in between.
 */
#ifndef CLIENT_NETWORK_H
#define CLIENT_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "client/fingerprint.h"
#include "tunnel/loop.h"

#define NETWORK_ID FINGERPRINT
#define NETWORK_PAUSE_US (500 * LOOP_MS) /* at least, between two looks and between two calls of changed */

struct network;

/* changed is called when the id or the set of global addresses is another one than at the last call (at first: than now), and when the
 * machine was asleep (resumed); never from within network_*. Where the system does not tell, that is logged once
 * and changed is called for what can still be seen, perhaps never. Real loops only. */
struct network *network_new(struct loop *, void (*changed)(void *ctx, bool resumed), void *ctx);
/* NULL is fine. */
void network_free(struct network *);
/* The same text for the same network, whenever this machine is on it: a fingerprint of the ways out (IPv4, IPv6): gateway, its
 * hardware address where known, interface, prefix of our address. "none": no way out; "unknown": the system does not say. It may
 * become another one without a new network when the gateway's hardware address gets known; changed is called then. */
void network_id(const struct network *, char out[NETWORK_ID]);

/* Was the last change only that the hardware address of a gateway got known? */
bool network_refined(const struct network *);

/* How long the machine has been asleep since it was started, us; only differences mean something. */
int64_t network_asleep_us(void);
/* Was it asleep between two values of it? Clocks that are set move neither. */
bool network_slept(int64_t before_us, int64_t now_us);

#endif
