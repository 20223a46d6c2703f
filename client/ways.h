/*
 * Ways: the diallers of all proxies that were found, made from options, files and
 * the list of one moment, with what they share: trust, and what each proxy knows of
 * us (auth). A reload makes new ones; the old ones stay until their dials are over.
 */
#ifndef CLIENT_WAYS_H
#define CLIENT_WAYS_H

#include "client/auth.h"
#include "client/candidates.h"
#include "client/dial.h"
#include "client/options.h"
#include "client/proxy.h"

#define WAYS_AUTHS_MAX (PROXY_HOPS_MAX * PROXY_CANDIDATES_MAX)

struct way {
	const struct proxy_chain *chain;
	bool plain;		/* the server is reached without TLS, by sealed requests */
	struct dialler *dialler;
	struct auth *auth[PROXY_HOPS_MAX];
	char text[600];		/* "direct", "proxy.example:3128", "a:1 > b:2 without CONNECT" */
};

struct ways {
	struct ways *next;	/* for whoever keeps several */
	int64_t until_us;	/* the same: not freed before */
	const struct ways *before; /* while they are made: those in use, and older ones behind them */
	const struct options *options;
	struct loop *loop;
	struct tls_context *tls, *seal_tls, *proxy_tls;
	char password[PROXY_PASSWORD_MAX];
	struct proxy_list list;	/* n = 0: not known yet, no ways */
	unsigned n, n_auths;
	struct way way[CANDIDATES_MAX];
	struct auth *auths[WAYS_AUTHS_MAX];
	struct proxy proxies[WAYS_AUTHS_MAX];	/* that they are of */
};

/* read: the files that the options name; else what was in them is taken from before. list: NULL while nobody knows. before: those
 * in use; what proxies know of us goes on, or NULL. NULL and a sentence in error. */
struct ways *ways_new(struct loop *, struct resolver *, const struct options *, const struct proxy_list *, const struct ways *before,
		      bool read, char *error, size_t size);
void ways_free(struct ways *);	/* dials under way are cancelled. NULL is fine */

#endif
