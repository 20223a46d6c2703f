/*
 * REST: the server for clients that have no helper (REST.md): pages whose WebSocket does not get through, programs that speak HTTP.
 */
#ifndef SERVER_REST_H
#define SERVER_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/rest_session.h"
#include "tunnel/exchange.h"

#define REST_BODY_MAX (2 << 20)		/* bytes of a request's body */
#define REST_BODIES_MAX (64 << 20)	/* of all that are there at a time */
#define REST_HOLD 20			/* seconds: the longest wait */
#define REST_OPEN_WAIT (11 * LOOP_SECOND) /* for the target: a second more than it has */

#define REST_ROOM_WAIT (5 * LOOP_SECOND) /* for the target to take what was sent */

struct rest;
struct rest_call;
struct rest_cors;
struct front_visitor;
struct turn_credentials;

struct rest_config {
	uint32_t expire_s;	/* without a request */
	struct rest_limits limits;
};
static const struct rest_config rest_config_default = {
	.expire_s = 330, .limits = { .window = 1 << 20, .messages_max = 4096, .message_max = 1 << 20 },
};

struct rest *rest_new(struct loop *, const struct rest_config *);
void rest_free(struct rest *);	/* NULL is fine */
/* The origins from now on; taken over. */
void rest_set_cors(struct rest *, struct rest_cors *);
/* Credentials for TURN that it gives from now on, NULL: none; taken over. */
void rest_set_turn(struct rest *, struct turn_credentials *);

/* Takes the exchange over if the request is for a signalling resource, or for TURN credentials; false: it is not. */
bool rest_request(struct rest *, struct front_visitor *, struct exchange *, const struct http1_head *);

/* For rest_call.c: the request is there in full; room for bodies is taken and given back. */
void rest_ready(struct rest_call *);
bool rest_take_room(struct rest *, size_t n);
void rest_give_room(struct rest *, size_t n);

#endif
