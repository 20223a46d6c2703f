/* Sealing in a world: server and helper as the programs have them, sessions as the world has them. */
#include "server/rest.h"
#include "tests/sim/sealing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/certs.h"
#include "tunnel/counters.h"
#include "tunnel/stream_tls.h"

#define DAY 86400L

static struct cert cert;
static struct sealing *current;	/* whose requests are being answered: sessions_accept has no other way to know */

struct visitor {
	struct front_visitor v;
	struct visitor *next;
};

/* ---- the sessions that the front sees ---- */

bool rest_request(struct rest *r, struct front_visitor *v, struct exchange *x, const struct http1_head *head)
{
	(void)r, (void)v, (void)x, (void)head;
	return false;
}

void sessions_accept(struct sessions *t, const char *identity, const char *peer, const struct request *r, struct exchange *x,
		     const struct http1_head *head)
{
	(void)t, (void)identity, (void)peer;
	world_serve(current->w, x, r, head);
}

bool sessions_is_sealed(const struct sessions *t, const char *identity, const char *sid)
{
	(void)t, (void)identity, (void)sid;
	return true;
}

static bool always_lives(void *ctx, const char *identity, const char *sid)
{
	(void)ctx, (void)identity, (void)sid;
	return true;
}

/* ---- server ---- */

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct sealing *s = ctx;
	struct visitor *v = calloc(1, sizeof *v);

	if (!v)
		abort();
	current = s;
	v->v.front = &s->front;
	v->v.plain = true;
	v->next = s->visitors;
	s->visitors = v;
	front_request(&v->v, x, head);
}

static void on_over(void *ctx)
{
	struct sealing *s = ctx;

	seals_free(s->seals);
}

static void make_seals(struct sealing *s)
{
	char error[512];
	struct tls_context *tls = tls_context_server_seal(cert.file, cert.keyfile, error, sizeof error);

	if (!tls)
		abort();
	s->seals = seals_new(s->w->loop, &seals_limits_default, always_lives, NULL);
	seals_set_tls(s->seals, tls);
	s->front.seals = s->seals;
}

void sealing_forget(struct sealing *s)
{
	seals_free(s->seals);
	make_seals(s);
}

/* ---- helper ---- */

static const struct sealer_events sealer_events;

static struct tls_context *on_trust(void *ctx)
{
	const struct sealing *s = ctx;

	return s->client;
}

static void make_seal(struct sealing *s)
{
	struct sealer_config config = { .pool = s->w->lane[0].pool, .path = &s->w->path, .trust = on_trust, .trust_ctx = s, .host = "a.test" };

	strcpy(config.sid, session_sid(s->w->helper));
	s->sealer = sealer_new(s->w->loop, &config, &sealer_events, s);
}

static void drop_seal(struct sealing *s)
{
	if (!s->w->path.seal)
		return;
	seal_on_lost(s->w->path.seal, s->w->loop, NULL, NULL);
	seal_release(s->w->path.seal);
	s->w->path.seal = NULL;
}

static void on_lost(void *ctx)
{
	struct sealing *s = ctx;

	s->lost++;
	drop_seal(s);
	make_seal(s);
}

static void on_sealed(void *ctx, struct seal *seal, uint32_t number)
{
	struct sealing *s = ctx;

	sealer_free(s->sealer);
	s->sealer = NULL;
	s->made++;
	s->w->path.seal = seal;
	s->w->path.seal_number = number;
	seal_on_lost(seal, s->w->loop, on_lost, s);
	for (unsigned i = 0; i < s->w->lanes; i++)
		pool_wake(s->w->lane[i].pool);
}

static void on_failed(void *ctx, int error, const char *why)
{
	struct sealing *s = ctx;

	s->failed++;
	s->error = error;
	snprintf(s->why, sizeof s->why, "%s", why);
}

static const struct sealer_events sealer_events = { on_sealed, on_failed };

static size_t sign(void *ctx, char *out, size_t cap, const char *method, const char *target)
{
	struct sealing *s = ctx;
	struct span binding = { seal_binding(s->w->path.seal), SEAL_BINDING };

	return credentials_sign(s->credentials, out, cap, method, target, binding, loop_wall(s->w->loop));
}

static bool no_clock(void *ctx, int64_t date)
{
	(void)ctx, (void)date;
	return false;
}

/* ---- both ---- */

static struct credentials *load(void)
{
	static const char text[] = "alice:0123456789abcdef0123456789abcdef\n";
	char file[160], error[256];
	struct credentials *c;
	FILE *f;

	snprintf(file, sizeof file, "%s.tokens", cert.file);
	umask(077);
	f = fopen(file, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
	c = credentials_load(file, error, sizeof error);
	unlink(file);
	return c;
}

void sealing_begin(struct sealing *s, struct world *w)
{
	const struct tls_trust trust = { .cafile = cert.file };
	char error[512];

	memset(s, 0, sizeof *s);
	s->w = w;
	s->client = tls_context_client_seal(&trust, error, sizeof error);
	s->credentials = load();
	s->front = (struct front){ .loop = w->loop, .base = "/culvert", .cover = cover_new("404", error, sizeof error),
				   .credentials = s->credentials };
	make_seals(s);
	w->front = on_request;
	w->front_over = on_over;
	w->front_ctx = s;
	w->path.sealing = true;
	w->path.sign = sign;
	w->path.clock = no_clock;
	w->path.ctx = s;
}

void sealing_distrust(struct sealing *s)
{
	char error[512];

	tls_context_release(s->client);
	s->client = tls_context_client_seal(NULL, error, sizeof error);
}

void sealing_start(struct sealing *s)
{
	make_seal(s);
}

void sealing_free(struct sealing *s)
{
	struct visitor *v;

	sealer_free(s->sealer);
	drop_seal(s);
	world_free(s->w);
	while ((v = s->visitors)) {
		s->visitors = v->next;
		free(v);
	}
	cover_free((struct cover *)(uintptr_t)s->front.cover);
	credentials_free(s->credentials);
	tls_context_release(s->client);
}

int sealing_set_up(void **state)
{
	(void)state;
	certs_dir();
	cert_make(&cert, "a", "a.test", "DNS:a.test", -DAY, DAY, NULL, true);
	return 0;
}

int sealing_tear_down(void **state)
{
	(void)state;
	cert_free(&cert);
	certs_remove();
	return 0;
}
