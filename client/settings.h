/*
 * Settings: which proxies the system and the desktop name for a URL, asked of
 * libproxy in a child process.
 */
#ifndef CLIENT_SETTINGS_H
#define CLIENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "client/fetch.h"
#include "client/proxy.h"
#include "tunnel/loop.h"

enum settings_kind {
	SETTINGS_NONE,		/* direct, or nothing is set */
	SETTINGS_LIST,
	SETTINGS_PAC,		/* a PAC file */
	SETTINGS_DETECT,	/* a PAC file, to be looked for by WPAD */
	SETTINGS_UNKNOWN,	/* why */
};

struct settings_result {
	enum settings_kind kind;
	struct proxy_list list;	/* from is empty */
	char pac[FETCH_URL_MAX];
	char why[200];
};

struct settings;

/* done: once, never from within settings_*. At most 2 s. */
struct settings *settings_start(struct loop *, const char *url, void (*done)(void *ctx, const struct settings_result *), void *ctx);
void settings_free(struct settings *);	/* NULL is fine */

/* What the stage has said so far, see system_proxy.c. False: not enough yet. */
bool settings_parse(const char *said, size_t n, struct settings_result *);
/* The environment that libproxy gets of ours: up to `max` pointers with the NULL at the end; they are literals, ours, or in text. */
#define SETTINGS_ENV_MAX 40
#define SETTINGS_ENV_TEXT 8192
void settings_environment(char *const *ours, char *out[SETTINGS_ENV_MAX], char text[SETTINGS_ENV_TEXT]);

#endif
