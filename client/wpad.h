/* Where a PAC file may be, by the DNS part of WPAD (draft-ietf-wrec-wpad-01): http://wpad.DOMAIN/wpad.dat. */
#ifndef CLIENT_WPAD_H
#define CLIENT_WPAD_H

#include "client/fetch.h"

/* resolv_conf: the text of that file. One URL for each of its search domains that has two labels or more (anybody can own
 * wpad.com); parents of domains are not asked. How many. */
unsigned wpad_urls(const char *resolv_conf, char url[FETCH_URLS_MAX][FETCH_URL_MAX]);

#endif
