/* Limits of the stage that evaluates PAC scripts. */
#ifndef CLIENT_PAC_H
#define CLIENT_PAC_H

#define PAC_NAMES_MAX 20	/* that a script may look up; those beyond have no address */
#define PAC_NAME_MAX 254	/* with NUL */
#define PAC_ADDRESSES_MAX 400	/* characters of the addresses of a name, ';' in between */

#endif
