/* Used by ingress_socks and ingress_http. */
#include "client/local_target.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "framing/capsule.h"

bool local_target(const char *host, uint16_t port, char out[MESSAGE_TARGET_MAX + 1])
{
	size_t n = strlen(host), tail = strlen(LOCAL_TARGET_SUFFIX);
	int len;

	if (n > tail && n - tail <= MESSAGE_NAME_MAX && !strcasecmp(host + n - tail, LOCAL_TARGET_SUFFIX))
		len = snprintf(out, MESSAGE_TARGET_MAX + 1, "%.*s", (int)(n - tail), host);
	else
		len = snprintf(out, MESSAGE_TARGET_MAX + 1, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	return len > 0 && len <= MESSAGE_TARGET_MAX;
}

enum socks5_reply local_target_reply(uint64_t code)
{
	switch (code) {
	case CODE_FORBIDDEN:
	case CODE_UNKNOWN_SERVICE:
	case CODE_WRONG_KIND:
		return SOCKS5_NOT_ALLOWED;
	case CODE_UNREACHABLE:
		return SOCKS5_NETWORK_UNREACHABLE;
	case CODE_RESOLVE:
		return SOCKS5_HOST_UNREACHABLE;
	case CODE_CONNECT_REFUSED:
		return SOCKS5_REFUSED;
	case CODE_TIMEOUT:
		return SOCKS5_TTL_EXPIRED;
	default:
		return SOCKS5_GENERAL_FAILURE;
	}
}

int local_target_status(uint64_t code)
{
	switch (code) {
	case CODE_FORBIDDEN:
	case CODE_WRONG_KIND:
		return 403;
	case CODE_UNKNOWN_SERVICE:
		return 404;
	case CODE_TIMEOUT:
		return 504;
	case CODE_LIMIT:
	case CODE_SHUTDOWN:
	case CODE_SESSION_LOST:
		return 503;
	default:
		return 502;
	}
}
