/* REST authentication: who asks, by the Authorization header (REST.md 6). */
#ifndef SERVER_REST_AUTH_H
#define SERVER_REST_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/cursor.h"
#include "tunnel/credential.h"

struct rest_asker {
	const char *identity;	/* canonical; lives as long as the credentials. NULL: nobody who is known */
	bool allowed;		/* the credential is good for the service */
	int64_t until_s;	/* Unix seconds when it ends; 0: never */
	const char *why;	/* nobody: what is wrong, for the answer */
	bool guessed;		/* nobody: and nothing shows that he ever had a credential that was right */
};

/* authorization: p = NULL: none. service: "" for one that could not be read, for which nobody is allowed who is not for all. */
struct rest_asker rest_auth(const struct credentials *, struct span authorization, const char *service, int64_t unix_seconds);

#endif
