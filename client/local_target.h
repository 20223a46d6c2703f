/*
 * Local targets: what local programs ask SOCKS5 and HTTP for, as channels name it; and refusals in their words.
 */
#ifndef CLIENT_LOCAL_TARGET_H
#define CLIENT_LOCAL_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/message.h"
#include "framing/socks5_server.h"

#define LOCAL_TARGET_SUFFIX ".culvert"	/* NAME.culvert is the service NAME, whatever the port */

/* host without brackets. False: it is too long. */
bool local_target(const char *host, uint16_t port, char out[MESSAGE_TARGET_MAX + 1]);
/* What a code of a channel that did not open means to a client. */
enum socks5_reply local_target_reply(uint64_t code);
int local_target_status(uint64_t code);	/* of HTTP */

#endif
