/*
 * The check of WebSockets (RFC 6455): a handshake is asked for, and compared with the answer to the same request without
 * it. With our token it is one that culvertd agrees to, so a 101 shows that the upgrade passes; whether what follows it
 * does is shown by a call (doctor_calls.c). Without, or when it does not get there, what counts is whether somebody in between
 * minds, at once and after an idle interval. Row of doctor.c's table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/doctor.h"
#include "client/doctor_ask.h"
#include "client/doctor_checks.h"
#include "client/doctor_reach.h"
#include "client/hop.h"
#include "framing/error.h"
#include "framing/request.h"
#include "tunnel/websocket_handshake.h"
#include "tunnel/websocket_key.h"

#define WEBSOCKET_IDLE_US (4 * LOOP_SECOND)
#define WEBSOCKET_LINES "User-Agent: culvert/" CULVERT_VERSION "\r\nAccept: */*\r\n"

struct upgrading {
	struct reach reach;
	struct stream *stream;
	struct ask *ask;
	struct timer idle;
	unsigned step;		/* 0: plain, 1: upgrade, 2: upgrade after an idle interval */
	char target[REQUEST_TARGET_MAX], lines[CREDENTIAL_HEADER_MAX + 400];
	int status[3], error[3];
	bool again;		/* the upgrade was asked for once more */
	int64_t took_us[3];
	struct box_evidence evidence;	/* of the refusal */
};

static void upgrade_stop(struct check_run *run)
{
	struct upgrading *s = run->state;

	timer_stop(&s->idle);
	reach_stop(&s->reach);
	ask_cancel(s->ask);
	if (s->stream)
		hop_close(s->stream);
}

static void upgrade_end(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct upgrading *s = run->state;
	double ms = (double)s->took_us[1] / 1e3;
	char box[BOX_TEXT];

	check_figure(run, "status", s->status[1]);
	check_figure(run, "ms", ms);
	check_figure(run, "idle_ok", s->step > 2 && !s->error[2]);
	if (s->error[0]) {
		check_blame(run, OBSTACLE_ANSWER, false);
		check_end(run, OUTCOME_LIMITED, "not even a plain GET is answered (%s)", error_text(s->error[0]));
	} else if (!s->error[1] && s->status[1] == 101) {
		check_end(run, OUTCOME_OK, "the upgrade passes (%.1f ms)%s", ms, d->intercepted || d->reverse ? ", though HTTP is read inside TLS" : "");
	} else if (s->error[1] || s->status[1] != s->status[0]) {
		check_blame_by(run, OBSTACLE_UPGRADE, &s->evidence, false);
		if (s->error[1])
			check_end(run, OUTCOME_BROKEN, "the upgrade is not answered (%s); Culvert can do without", error_text(s->error[1]));
		else
			check_end(run, OUTCOME_BROKEN, "the upgrade is answered %d %s instead of %d; Culvert can do without", s->status[1],
				  http1_reason(s->status[1]), s->status[0]);
	} else if (d->intercepted || d->reverse) {
		box_name(&d->inner, box);
		check_blame(run, OBSTACLE_UPGRADE, false);
		check_end(run, OUTCOME_LIMITED, "%s reads HTTP inside TLS, and the upgrade comes back as if it were none; Culvert can do without",
			  box[0] ? box : "a box in between");
	} else if (s->step > 2 && s->error[2]) {
		check_end(run, OUTCOME_LIMITED, "nobody minds the upgrade (%.1f ms), but a connection that is silent for %lld s is ended", ms,
			  (long long)(WEBSOCKET_IDLE_US / LOOP_SECOND));
	} else {
		check_end(run, OUTCOME_OK, "nobody in between minds the upgrade (%.1f ms, and %.1f ms after %lld s of silence)", ms,
			  (double)s->took_us[2] / 1e3, (long long)(WEBSOCKET_IDLE_US / LOOP_SECOND));
	}
}

static void upgrade_ask(struct check_run *run);
static void upgrade_dial(struct check_run *run);

static void upgrade_answered(void *ctx, const struct ask_answer *a)
{
	struct check_run *run = ctx;
	struct upgrading *s = run->state;

	s->ask = NULL;
	if (s->step == 1 && !s->again && (a->error == ERROR_EOF || a->error == ERROR_RESET)) {
		/* The connection of the request before may have ended just then, which says nothing of the upgrade. */
		s->again = true;
		hop_close(s->stream);
		s->stream = NULL;
		upgrade_dial(run);
		return;
	}
	s->status[s->step] = a->status;
	s->error[s->step] = a->error;
	s->took_us[s->step] = a->took_us;
	if (s->step == 1)
		s->evidence = a->evidence;
	if (++s->step > 2 || a->error || (s->step == 2 && (s->status[1] != s->status[0] || a->close))) {
		upgrade_end(run);
	} else if (a->close) {
		hop_close(s->stream);
		s->stream = NULL;
		upgrade_dial(run);
	} else if (s->step == 2) {
		check_say(run, "waiting %lld s, then asking again", (long long)(WEBSOCKET_IDLE_US / LOOP_SECOND));
		timer_in(&s->idle, WEBSOCKET_IDLE_US);
	} else {
		upgrade_ask(run);
	}
}

static void upgrade_ask(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct upgrading *s = run->state;

	s->ask = ask_start(d->loop, s->stream, "GET", s->target, d->options->server.authority, s->step ? s->lines : WEBSOCKET_LINES,
			   8 * LOOP_SECOND, upgrade_answered, run);
}

static void upgrade_idle(void *ctx)
{
	upgrade_ask(ctx);
}

static void upgrade_dialled(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct upgrading *s = run->state;

	s->stream = stream;
	if (error) {
		check_blame(run, OBSTACLE_REACH, false);
		check_end(run, OUTCOME_LIMITED, "one more connection: %s", why);
		return;
	}
	upgrade_ask(run);
}

static void upgrade_dial(struct check_run *run)
{
	struct upgrading *s = run->state;

	reach_start(&s->reach, run, route_dialler(run->doctor->route), upgrade_dialled);
}

/* A session that does not exist: the answer is in the WebSocket, and nobody waits for it. */
static void name_session(struct doctor *d, char *target, size_t size)
{
	struct request r = { .mode = MODE_WEBSOCKET, .has_epoch = true };
	uint8_t random[16];

	loop_random(d->loop, random, sizeof random);
	request_sid(r.sid, random);
	if (request_put(&r, d->options->server.base, target, size) < 0)
		*target = 0;
}

static void sign(struct doctor *d, const char *target, char *line, size_t size)
{
	char value[CREDENTIAL_HEADER_MAX];

	signer_sign(&d->signer, value, sizeof value, request_mode_method(MODE_WEBSOCKET), target, (struct span){ NULL, 0 });
	snprintf(line, size, "Authorization: %s\r\n", value);
}

static void upgrade_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct upgrading *s;
	uint8_t key[WEBSOCKET_KEY_BYTES];
	char text[WEBSOCKET_KEY_TEXT], line[CREDENTIAL_HEADER_MAX + 20] = "", lines[CREDENTIAL_HEADER_MAX + 200];

	if (doctor_is_plain(d)) {
		check_end(run, OUTCOME_SKIPPED, "not without TLS");
		return;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	run->state = s;
	timer_init(&s->idle, d->loop, upgrade_idle, run);
	loop_random(d->loop, key, sizeof key);
	websocket_key(text, key);
	name_session(d, s->target, sizeof s->target);
	if (d->has_token)
		sign(d, s->target, line, sizeof line);
	snprintf(lines, sizeof lines, "%s" WEBSOCKET_LINES "Connection: Upgrade\r\nUpgrade: websocket\r\n", line);
	if (websocket_handshake_ask(s->lines, sizeof s->lines, lines, text) < 0)
		s->lines[0] = 0;
	check_say(run, "asking for an upgrade");
	upgrade_dial(run);
}

const struct check check_websocket = { "websocket", "WebSocket", HAVE_TLS, 30 * LOOP_SECOND, upgrade_start, upgrade_stop, NULL };
