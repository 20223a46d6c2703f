/* REST check: what the head of a request says (REST.md 6). */
#ifndef SERVER_REST_CHECK_H
#define SERVER_REST_CHECK_H

#include "framing/http1.h"
#include "server/rest_call.h"

/* True: the call has its method, its type and its identity, and waits for the body; false: it is answered. readable: what
 * rest_request_parse said. */
bool rest_check(struct rest_call *, const struct http1_head *, int readable);

#endif
