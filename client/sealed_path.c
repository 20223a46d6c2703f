/*
 * A sealed path. Used by the doctor's session and by its calls; calls the sealer.
 */
#include "client/sealed_path.h"

#include <stdio.h>

#include "tunnel/sealer.h"

static size_t on_sign(void *ctx, char *out, size_t cap, const char *method, const char *target)
{
	struct sealed_path *s = ctx;
	struct span binding = { NULL, 0 };

	if (s->path.seal)
		binding = (struct span){ seal_binding(s->path.seal), SEAL_BINDING };
	return signer_sign(s->setup->signer, out, cap, method, target, binding);
}

static bool on_clock(void *ctx, int64_t date)
{
	struct sealed_path *s = ctx;

	return signer_correct(s->setup->signer, date);
}

static void on_sealed(void *ctx, struct seal *seal, uint32_t number)
{
	struct sealed_path *s = ctx;

	sealer_free(s->sealer);
	s->sealer = NULL;
	s->path.seal = seal;
	s->path.seal_number = number;
	loop_later(s->setup->loop, &s->later);
}

static void on_later(void *ctx)
{
	struct sealed_path *s = ctx;

	s->ready(s->ctx);
}

static void on_failed(void *ctx, int error, const char *why)
{
	struct sealed_path *s = ctx;

	if (s->failed)
		s->failed(s->ctx, error, why);
}

static struct tls_context *on_trust(void *ctx)
{
	const struct sealed_path *s = ctx;

	return s->setup->tls;
}

static const struct sealer_events events = { on_sealed, on_failed };

void sealed_path_begin(struct sealed_path *s, const struct sealed_setup *setup, const char *sid, void (*ready)(void *ctx),
		       void (*failed)(void *ctx, int error, const char *why), void *ctx)
{
	struct sealer_config config = { .pool = setup->pool, .path = &s->path, .trust = on_trust, .trust_ctx = s, .host = setup->host };

	*s = (struct sealed_path){ .setup = setup, .path = *setup->path, .ready = ready, .failed = failed, .ctx = ctx };
	s->path.sign = on_sign;
	s->path.clock = on_clock;
	s->path.ctx = s;
	s->path.sealing = true;
	snprintf(config.sid, sizeof config.sid, "%s", sid);
	later_init(&s->later, on_later, s);
	s->sealer = sealer_new(setup->loop, &config, &events, s);
}

void sealed_path_end(struct sealed_path *s)
{
	if (!s->setup)
		return;
	later_cancel(s->setup->loop, &s->later);
	sealer_free(s->sealer);
	s->sealer = NULL;
	seal_release(s->path.seal);
	s->path.seal = NULL;
}
