/* Daemon chores: readiness, limits, secrets in memory. */
#ifndef TUNNEL_DAEMON_H
#define TUNNEL_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

/* Tells systemd ("READY=1", "STOPPING=1", "RELOADING=1", "STATUS=..."), by the NOTIFY_SOCKET protocol;
 * nothing when not started by it. */
void daemon_notify(const char *state);
/* Prints "ready udp 127.0.0.1:40001 rtp" style lines on standard output, flushed. */
void daemon_ready_line(const char *kind, const char *address, const char *name);
/* First thing in main: no core dumps, and no other process of this user may read our memory, environment or
 * descriptors (they hold tokens and passwords), or trace us. Root may. */
void daemon_protect(void);
/* Raises the soft limit of open files to the hard one, ignores SIGPIPE. */
void daemon_setup(void);
/* Wipes memory so that the compiler cannot leave it out. */
void daemon_wipe(void *p, size_t n);

#endif
