/* Proxies named by the environment, as curl reads it: https_proxy or HTTPS_PROXY, for plain servers http_proxy (in lower
 * case only: the other one can be a request's header in CGI), else all_proxy or ALL_PROXY; but no_proxy or NO_PROXY. Empty
 * variables are none. */
#ifndef CLIENT_PROXY_ENV_H
#define CLIENT_PROXY_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "client/proxy.h"

/* get: environment_get. plain: the server is reached by http://. 1: it is in the list; 0: nothing is said; ERROR_CONFIG: a variable is
 * malformed, and error says which. */
int proxy_env_find(char *(*get)(const char *name), bool plain, const char *host, uint16_t port, struct proxy_list *, char *error,
		   size_t size);

#endif
