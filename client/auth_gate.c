/*
 * The gate: what has not been accepted yet is tried by one dialogue, the prover; the others
 * wait. Called by auth.c and the schemes.
 */
#include "client/auth_internal.h"

#define PATIENCE_US LOOP_SECOND	/* for an answer to credentials that were accepted before */

static void on_wake(void *ctx)
{
	struct auth *a = ctx;
	struct auth_dialogue *d = a->dialogues;

	while (d) {
		if (!d->woken) {
			d = d->next;
			continue;
		}
		d->woken = d->waiting = false;
		d->ready(d->ctx);
		d = a->dialogues; /* any of them may be gone */
	}
}

void auth_ready(struct auth_dialogue *d)
{
	if (!d->waiting)
		return;
	d->woken = true;
	if (!d->auth->wake.queued)
		loop_later(d->auth->loop, &d->auth->wake);
}

void auth_gate_wake(struct auth *a)
{
	for (struct auth_dialogue *d = a->dialogues; d; d = d->next)
		auth_ready(d);
}

bool auth_gate_enter(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (!a->proven && a->prover && a->prover != d)
		return false;
	if (!a->proven)
		a->prover = d;
	return true;
}

void auth_gate_sent(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (a->prover == d && a->was_proven)
		timer_in(&a->patience, PATIENCE_US);
}

void auth_gate_leave(struct auth_dialogue *d)
{
	struct auth *a = d->auth;

	if (a->prover != d)
		return;
	a->prover = NULL;
	timer_stop(&a->patience);
	auth_gate_wake(a);
}

/* What was accepted before is rejected at once or not at all; an answer may be held for long. */
static void on_patience(void *ctx)
{
	struct auth *a = ctx;

	if (a->prover)
		auth_gate_leave(a->prover);
}

void auth_gate_init(struct auth *a)
{
	later_init(&a->wake, on_wake, a);
	timer_init(&a->patience, a->loop, on_patience, a);
}

void auth_gate_fini(struct auth *a)
{
	timer_stop(&a->patience);
	later_cancel(a->loop, &a->wake);
}
