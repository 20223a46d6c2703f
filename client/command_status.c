/*
 * culvert status: asks the running helper at its control socket, once or each
 * second, and shows the answer.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/options.h"
#include "client/place.h"
#include "client/screen.h"
#include "client/status.h"
#include "tunnel/config.h"
#include "tunnel/control.h"

static const struct config_option own[] = {
	{ .name = "control", .type = CONFIG_STRING, .metavar = "PATH", .help = "ask the helper with that control socket" },
	{ .name = "watch", .letter = 'w', .type = CONFIG_FLAG, .help = "again each second, with rates, until interrupted" },
	{ .name = "json", .type = CONFIG_FLAG, .help = "for programs: an object on a line" },
	{ .name = "help", .letter = 'h', .type = CONFIG_FLAG, .help = "print this text" },
	{ .name = NULL },
};
static const char *const shown[] = { "config", NULL };

struct view {
	struct control_place at;
	char path[PLACE_MAX];
	bool json, watch, screen; /* screen: drawn in place */
	char *drawn;		/* on the screen; NULL: nothing yet */
	struct status before;
	bool has_before;
	int code;
	char error[1024];
};

/* ---- one answer ---- */

/* What the helper says, or NULL and the error. The caller frees it. */
static char *ask(struct view *v)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool good;

	if (!out)
		abort();
	good = control_ask(&v->at, "status", out, v->error, sizeof v->error);
	fclose(out);
	if (good)
		return text;
	free(text);
	return NULL;
}

/* Takes the text over. */
static void draw(struct view *v, char *text)
{
	free(v->drawn);
	v->drawn = text;
	screen_draw(stdout, text);
}

static void show(struct view *v, const char *said, struct status *s)
{
	char *text = NULL;
	size_t len;
	FILE *out;

	if (v->json) {
		fputs(said, stdout);
		fflush(stdout);
		return;
	}
	out = open_memstream(&text, &len);
	if (!out)
		abort();
	status_text(out, s, v->has_before ? &v->before : NULL);
	fclose(out);
	if (v->screen) {
		draw(v, text);
		return;
	}
	printf("%s%s", text, v->watch ? "\n" : "");
	fflush(stdout);
	free(text);
}

/* Asks and shows; false when nobody answers, or what answers is not understood. */
static bool look(struct view *v)
{
	struct status s;
	char *said = ask(v);
	bool good = said && status_json_read(&s, said, v->error, sizeof v->error);

	v->code = CLIENT_FAILED;
	if (good) {
		v->code = status_is_connected(&s) ? CLIENT_OK : CLIENT_UNCONNECTED;
		show(v, said, &s);
		status_fini(&v->before);
		v->before = s;
		v->has_before = true;
	}
	free(said);
	return good;
}

/* ---- again and again ---- */

static volatile sig_atomic_t over, stopped, resized;

static void on_signal(int number)
{
	if (number == SIGTSTP)
		stopped = 1;
	else if (number == SIGWINCH || number == SIGCONT)
		resized = 1;
	else
		over = 1;
}

/* Signals come during ppoll only, so that none is missed. Returns the mask with which to wait. */
static sigset_t catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked, open;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		sigaction(numbers[i], &action, NULL);
		sigaddset(&blocked, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &open);
	return open;
}

/* The terminal gets its cursor back while we are stopped. */
static void stop_here(struct view *v)
{
	stopped = 0;
	if (v->screen)
		screen_leave(stdout);
	raise(SIGSTOP);
}

/* Until the next full second since the start, or a signal. */
static void wait_second(struct view *v, const struct timespec *due, const sigset_t *open)
{
	struct timespec now, left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left.tv_sec = due->tv_sec - now.tv_sec;
	left.tv_nsec = due->tv_nsec - now.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_sec--;
		left.tv_nsec += 1000000000;
	}
	if (left.tv_sec < 0)
		left = (struct timespec){ 0, 0 };
	ppoll(NULL, 0, &left, open);
	if (stopped)
		stop_here(v);
	if (resized && v->drawn)
		screen_draw(stdout, v->drawn);
	resized = 0;
}

static bool is_past(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* A helper that has gone may come back: a person waits for it, a program is told. */
static bool look_again(struct view *v)
{
	char *text;

	if (look(v))
		return true;
	if (!v->screen)
		return false;
	if (asprintf(&text, "%s\n", v->error) < 0)
		abort();
	draw(v, text);
	return true;
}

static bool watch(struct view *v)
{
	sigset_t open = catch_signals();
	struct timespec due;
	bool good = look(v);

	clock_gettime(CLOCK_MONOTONIC, &due);
	while (good && !over) {
		due.tv_sec++;
		while (!over && !is_past(&due))
			wait_second(v, &due, &open);
		if (!over)
			good = look_again(v);
	}
	if (v->screen)
		screen_leave(stdout);
	return good;
}

/* ---- the command ---- */

static int usage(const char *error)
{
	fprintf(stderr, "culvert: status: %s\n", error);
	return CLIENT_USAGE;
}

static void help(const struct config_option *table)
{
	puts("usage: culvert status [-c FILE] [--control PATH] [--watch] [--json]\n\nShows what the running helper does.\n");
	config_help(table);
	puts("\nExit status: 0 connected, 3 running but not connected, 1 no helper answers, 2 usage. See culvert(1).");
}

static int run(struct view *v)
{
	bool good = v->watch ? watch(v) : look(v);

	status_fini(&v->before);
	free(v->drawn);
	if (good)
		return v->code;
	fprintf(stderr, "culvert: status: %s\n", v->error);
	return CLIENT_FAILED;
}

int command_status(int argc, char **argv)
{
	struct view v = { .at = { .program = "culvert", .option = "control" } };
	struct config_option *table = config_table(own, options_table, shown, false);
	char error[1024];
	struct config *c = config_read(table, argc, argv, error, sizeof error);
	const char *path;
	int code;

	if (!c) {
		free(table);
		return usage(error);
	}
	path = config_string(c, "control");
	v.json = config_bool(c, "json");
	v.watch = config_bool(c, "watch");
	v.screen = v.watch && !v.json && isatty(STDOUT_FILENO);
	v.at.path = path ? path : v.path;
	if (config_bool(c, "help")) {
		help(table);
		code = CLIENT_OK;
	} else if (config_rest(c) < argc) {
		snprintf(error, sizeof error, "%s: not an option; see --help", argv[config_rest(c)]);
		code = usage(error);
	} else if (path && place_complaint(path)) {
		snprintf(error, sizeof error, strcmp(path, "none") == 0 ? "%s: the helper has no socket to be asked at (none)"
			 : "%s: %.200s %s", config_where(c, "control", 0), path, place_complaint(path));
		code = usage(error);
	} else if (!path && !place_control(v.path, false, error, sizeof error)) {
		code = usage(error);
	} else {
		code = run(&v);
	}
	config_free(c);
	free(table);
	return code;
}
