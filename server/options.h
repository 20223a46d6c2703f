/* Options of culvertd: the table, and their values checked and typed. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/listener.h"
#include "server/policies.h"
#include "server/rest_cors.h"
#include "server/service.h"
#include "server/trusted.h"
#include "server/rest_turn.h"
#include "tunnel/address.h"
#include "tunnel/config.h"
#include "tunnel/log.h"

#define OPTIONS_LISTEN_MAX 64
#define OPTIONS_ADMIN_DEFAULT "/run/culvertd/admin.sock"

struct options {
	struct config *config;	/* owns the strings */
	struct listener_place listen[OPTIONS_LISTEN_MAX];
	size_t listen_count;
	struct trusted *trusted;
	const char *cert, *key; /* NULL: only clear listeners, and no seals */
	const char *token_file, *base, *cover;
	const char *fallback;	/* NULL: none */
	bool rest;
	struct rest_cors *cors;
	struct turn_credentials *turn;	/* NULL: none */
	const char *admin;	/* NULL: none */
	bool admin_given;
	struct services *services;
	struct policies *policies;
	const char *congestion;	/* "auto" or what the kernel takes */
	bool sparse_tuning;
	enum log_level log_level;
	bool log_json;
};

extern const struct config_option options_table[];

/* Reads the command line and the file it names. 0, or ERROR_CONFIG and a sentence that begins with where. With
 * --help or --version nothing is checked. */
int options_read(struct options *, int argc, char **argv, char *error, size_t size);
void options_fini(struct options *);

#endif
