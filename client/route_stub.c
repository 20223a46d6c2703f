/* Until route.c has them. To be removed then. */
#include "client/route.h"

#define STUB __attribute__((weak))

STUB const struct proxy_chain *route_chain(const struct route *r)
{
	(void)r;
	return NULL;
}

STUB const struct proxy_list *route_list(const struct route *r)
{
	(void)r;
	return NULL;
}

STUB bool route_is_plain(const struct route *r)
{
	(void)r;
	return false;
}

STUB const char *route_text(const struct route *r)
{
	(void)r;
	return "";
}

STUB const struct auth *route_auth(const struct route *r, unsigned hop)
{
	(void)r;
	(void)hop;
	return NULL;
}
