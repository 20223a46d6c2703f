/*
 * Socket activation: listening sockets that systemd opened and hands over (sd_listen_fds(3):
 * LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES). Names say what they are for: "https", "http" or
 * "clear", with "-proxy-protocol" behind that when connections begin with its header.
 */
#ifndef SERVER_ACTIVATION_H
#define SERVER_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "server/connections.h"
#include "tunnel/address.h"

#define ACTIVATION_MAX 64

struct activation_socket {
	int fd;			/* non-blocking, closed on exec */
	struct address address;
	struct connections_manner manner;
};

struct activation {
	struct activation_socket socket[ACTIVATION_MAX];
	size_t n;
};

/* Were any handed to this process, now or before? */
bool activation_is(void);
/* Takes them; the environment says nothing of them any more. 0, or ERROR_CONFIG and a sentence. */
int activation_take(struct activation *, char *error, size_t size);

#endif
