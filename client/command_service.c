/*
 * culvert up, culvert down: the helper as a service of the user, which systemd starts at login. The configuration is looked at
 * first, so that a mistake is said here and not in the journal.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/options.h"

#define UNIT "culvert.service"
#define PATH_MAX_TEXT 4096

extern char **environ;

/* Where the unit looks for it (%E). */
static bool configuration(char out[PATH_MAX_TEXT])
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	if (config && *config == '/')
		n = snprintf(out, PATH_MAX_TEXT, "%s/culvert/culvert.conf", config);
	else
		n = snprintf(out, PATH_MAX_TEXT, "%s/.config/culvert/culvert.conf", home ? home : "");
	return n > 0 && n < PATH_MAX_TEXT && *out == '/';
}

static bool check(const char *file)
{
	char *argv[] = { "culvert", "-c", (char *)(uintptr_t)file, NULL }, error[1024];
	struct options *o;

	if (access(file, R_OK) < 0) {
		fprintf(stderr, "culvert: %s: %s; write it first (there is an example in the documentation, culvert.conf.example)\n", file, strerror(errno));
		return false;
	}
	o = options_read(3, argv, error, sizeof error);
	if (!o)
		fprintf(stderr, "culvert: %s\n", error);
	options_free(o);
	return o;
}

/* Its exit status, or -1: there is none to run. */
static int systemctl(const char *verb)
{
	char *argv[] = { "systemctl", "--user", (char *)(uintptr_t)verb, "--now", UNIT, NULL };
	int status, error;
	pid_t pid;

	error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (error) {
		errno = error;
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int run(const char *verb, const char *file, const char *done)
{
	int status = systemctl(verb);

	if (status == 0) {
		printf("%s\n", done);
		return CLIENT_OK;
	}
	if (status < 0 && errno == ENOENT)
		fprintf(stderr, "culvert: there is no systemctl here: let what starts programs at login run `culvert -c %s`\n", file);
	else if (status < 0)
		fprintf(stderr, "culvert: cannot run systemctl: %s\n", strerror(errno));
	else
		fprintf(stderr, "culvert: systemctl did not do it (status %d); the journal may say why: journalctl --user -u culvert\n", status);
	return CLIENT_FAILED;
}

/* Without options, but for help. True: go on. */
static bool take(int argc, char **argv, const char *what, int *rc)
{
	if (argc == 1)
		return true;
	*rc = argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) ? CLIENT_OK : CLIENT_USAGE;
	fprintf(*rc ? stderr : stdout, "usage: culvert %s\n%s\n", argv[0], what);
	return false;
}

int command_up(int argc, char **argv)
{
	char file[PATH_MAX_TEXT];
	int rc;

	if (!take(argc, argv, "Starts the helper now and at each login, with ~/.config/culvert/culvert.conf, by systemd.", &rc))
		return rc;
	if (!configuration(file)) {
		fprintf(stderr, "culvert: HOME is not set: there is no place for a configuration\n");
		return CLIENT_USAGE;
	}
	if (!check(file))
		return CLIENT_USAGE;
	return run("enable", file, "culvert runs now, and from each login on; `culvert status` tells how it is");
}

int command_down(int argc, char **argv)
{
	int rc;

	if (!take(argc, argv, "Stops the helper, and starts it no more at login.", &rc))
		return rc;
	return run("disable", "FILE", "culvert is stopped, and starts no more at login");
}
