/* What a PAC script answers: "PROXY a:1; SOCKS5 b; DIRECT". */
#ifndef CLIENT_PAC_RESULT_H
#define CLIENT_PAC_RESULT_H

#include <stddef.h>

#include "client/proxy.h"

#define PAC_RESULT_MAX 4096	/* characters */

/* The first n characters of text as candidates, in order, each once; what is not understood (SOCKS4, junk, more than
 * PROXY_CANDIDATES_MAX) is left out and counted in *skipped. PROXY and HTTP: port 80 unless said, HTTPS: 443, SOCKS and SOCKS5:
 * 1080. Nothing said is direct, as in browsers. 0, or ERROR_MALFORMED when nothing of it is understood. from is left alone. */
int pac_result_parse(const char *text, size_t n, struct proxy_list *, unsigned *skipped);

#endif
