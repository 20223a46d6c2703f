/* REST authentication: who asks (REST.md 6). */
#ifndef SERVER_REST_AUTH_H
#define SERVER_REST_AUTH_H

#include "framing/cursor.h"
#include "tunnel/credential.h"

/* The identity of the bearer that the Authorization header names, which lives as long as the credentials; or NULL. */
const char *rest_auth(const struct credentials *, struct span authorization);

#endif
