/*
 * Sandbox: what a child process that runs foreign code may still do. Entered once,
 * by the child itself, before the foreign code; there is no way back.
 */
#ifndef CLIENT_SANDBOX_H
#define CLIENT_SANDBOX_H

enum sandbox {
	SANDBOX_SETTINGS,	/* reads settings: files, D-Bus and programs of the desktop; no network, within limits of time and memory */
	SANDBOX_FETCH,		/* network, and files below some paths for reading; no programs */
	SANDBOX_SCRIPT,		/* computes, reads and writes what is open, allocates 256 MiB and uses 4 s of CPU time; nothing else */
};

/* readable: paths that SANDBOX_FETCH may read besides the system's own; ends with NULL. 0, or ERROR_SYSTEM: then the foreign
 * code must not run. */
int sandbox_enter(enum sandbox, const char *const *readable);

#endif
