/*
 * Server: everything of a running culvertd. Start order: options, files, bind,
 * names, READY, serve.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/activation.h"
#include "server/destination.h"
#include "server/egress.h"
#include "server/front.h"
#include "server/listener.h"
#include "server/options.h"
#include "server/rest.h"
#include "server/sessions.h"
#include "tunnel/control.h"

enum server_state {
	SERVER_STARTING,	/* bound, looks up names -> READY, STOPPING */
	SERVER_READY,		/* -> STOPPING */
	SERVER_STOPPING,
};

struct server {
	int argc;
	char **argv;
	enum server_state state;
	struct options options;	/* of the start; cert, key, token_file, cover, fallback and services are those of the last reload */
	struct loop *loop;
	struct packet_pool *pool;
	struct resolver *resolver;
	struct egress_env egress;
	struct services *services;
	struct policies *policies;
	struct destinations destinations;
	struct credentials *credentials;
	struct cover *cover;
	struct trusted *trusted;
	struct fallback *fallback;	/* NULL: none */
	struct sessions *sessions;
	struct seals *seals;
	struct rest *rest;	/* NULL: none */
	struct front front;
	struct connections *connections;
	struct listener *listener[OPTIONS_LISTEN_MAX + ACTIVATION_MAX];
	size_t listeners;
	struct control *admin;
	struct timer stop;
	int64_t stop_at;	/* then at the latest */
	int64_t began_us;
	uint64_t epoch;
};

/* Exit codes of the program. */
enum server_exit { SERVER_OK = 0, SERVER_FAILED = 1, SERVER_USAGE = 2 };

/* Serves until told to stop: an exit code; messages went to the log. Takes the options over. */
int server_run(const struct options *, int argc, char **argv);
/* Loads the files that the options name and drops them again: true, or a sentence in error. */
bool server_check(const struct options *, char *error, size_t size);

/* status.c: what `culvertd status` shows, for "status" and "status json". */
void status_write(void *server, FILE *out, size_t n, char *const *words);

#endif
