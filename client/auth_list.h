/* The value of --proxy-auth: which schemes may be used. */
#ifndef CLIENT_AUTH_LIST_H
#define CLIENT_AUTH_LIST_H

#include "client/auth.h"

#define AUTH_LIST_ALL (1u << AUTH_BASIC | 1u << AUTH_DIGEST | 1u << AUTH_NTLM | 1u << AUTH_NEGOTIATE)

/* "negotiate, basic" (any case) as bits 1 << enum auth_scheme. 0: there is something else in it, or nothing. */
unsigned auth_list_parse(const char *);

#endif
