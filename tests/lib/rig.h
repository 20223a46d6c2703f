/*
 * An ingress port on a test rig: a real loop and socket, a session that stands when the test says so, and a log that
 * counts warnings. The channels of that session are fakes of the test.
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include "client/ingress.h"

extern struct rig {
	struct loop *loop;
	struct ingress_host host;
	struct ingress *ingress;
	struct address local;	/* of the port */
	unsigned warnings;
	bool session_open;
} rig;

/* The one session there is, whether open or not. */
struct session *rig_session(void);

/* Set-up: the loop and a host with an open session; a socket, < 0 when there is none at that host; the port on it. */
void rig_set_up(struct packet_pool *, unsigned max_flows);
int rig_bind(const struct ingress_kind *, const char *host);
void rig_open(const struct ingress_kind *, int fd, const char *service, unsigned port_index);
/* Closes the port; also frees the loop. */
void rig_close(void);
void rig_tear_down(void);

/* Some turns, for what should not happen. */
void rig_run_turns(unsigned n);
/* Runs until *value is at least n; fails after 5 s. */
void rig_run_until(const unsigned *value, unsigned n);

#endif
