/*
 * The table of egress kinds. Called by the services, whose target URLs name one.
 */
#include "server/egress.h"

#include <string.h>

static const struct egress_kind *const kinds[] = { &egress_udp, &egress_tcp, &egress_ws, &egress_wss };

const struct egress_kind *egress_find(const char *scheme, size_t n)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i]->scheme) == n && !memcmp(kinds[i]->scheme, scheme, n))
			return kinds[i];
	return NULL;
}
