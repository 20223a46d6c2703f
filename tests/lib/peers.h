/*
 * Peers: HTTP servers over memory that keep what they are asked until a test lets them answer. One exchange of each
 * at a time.
 */
#ifndef TESTS_LIB_PEERS_H
#define TESTS_LIB_PEERS_H

#include "tunnel/h1.h"

#define PEERS_MAX 256

struct peer {
	struct http *h;		/* NULL: closed */
	struct exchange *x;	/* NULL: nothing is asked */
	bool old;		/* answers as if it would not keep the connection */
};

extern struct peer peers[PEERS_MAX];
extern unsigned peers_made, peers_open;

/* A new one; its other end. */
struct stream *peers_connect(struct loop *);
void peers_answer(struct peer *);
/* Closes those that are open. */
void peers_close(void);
/* Forgets all; before the next test. */
void peers_forget(void);

#endif
