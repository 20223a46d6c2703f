/* Limits of the stage that fetches PAC files. */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#define FETCH_MAX (1024 * 1024)	/* bytes of a PAC file */
#define FETCH_URLS_MAX 4
#define FETCH_URL_MAX 2048	/* characters */

#endif
