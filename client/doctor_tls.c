/*
 * The checks of TLS: version, who signed what was shown, ALPN. Rows of doctor.c's
 * table. Somebody who intercepts is found by comparing with what the server shows when it
 * is reached directly, if it can be, else by marks that public certificates have and
 * his do not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/advice.h"
#include "client/dial.h"
#include "client/doctor.h"
#include "client/doctor_checks.h"
#include "client/doctor_reach.h"
#include "client/issuer.h"
#include "client/hop.h"
#include "framing/base64.h"
#include "framing/error.h"
#include "tunnel/certificate.h"
#include "tunnel/http.h"
#include "tunnel/pin.h"
#include "tunnel/stream_tls.h"

#define DIRECT_US (1500 * LOOP_MS)

struct handshake {
	struct reach reach;
	struct dialler *dialler;	/* another one */
	struct stream *stream;
	struct tls_context *tls;
	struct sealed_path sealed;
	int64_t began_us;
};

static struct handshake *handshake_new(struct check_run *run)
{
	struct handshake *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	run->state = s;
	return s;
}

static void handshake_stop(struct check_run *run)
{
	struct handshake *s = run->state;

	sealed_path_end(&s->sealed);
	reach_stop(&s->reach);
	dialler_free(s->dialler);
	if (s->stream)
		hop_close(s->stream);
	tls_context_release(s->tls);
}

/* By the server, or by a box in its place. */
static const struct certificate_seen *shown(const struct doctor *d)
{
	return tls_context_seen(doctor_is_plain(d) ? route_seal_tls(d->route) : route_tls(d->route));
}

/* ---- the handshake ---- */

static void note_issuer(struct doctor *d)
{
	const struct certificate_seen *seen = shown(d);

	if (seen->n)
		issuer_name(seen, d->issuer);
}

static bool is_self_signed(const struct doctor *d)
{
	const struct certificate_seen *seen = shown(d);

	return seen->n && strcmp(seen->chain[0].subject, seen->chain[0].issuer) == 0;
}

static enum obstacle obstacle_of(const struct doctor *d, int error)
{
	/* Trusted, were there no pins: */
	if (error == ERROR_CERTIFICATE && shown(d)->anchor != ANCHOR_NONE)
		return OBSTACLE_INTERCEPTED;
	if (error == ERROR_CERTIFICATE)
		return OBSTACLE_TRUST;
	return error == ERROR_PROXY || error == ERROR_DENIED ? OBSTACLE_CONNECT : OBSTACLE_REACH;
}

static void tls_done(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct doctor *d = run->doctor;
	struct handshake *s = run->state;
	struct stream_info info;
	double ms = (double)(loop_now(d->loop) - s->reach.began_us) / 1e3;

	s->stream = stream;
	note_issuer(d);
	check_figure(run, "ms", ms);
	if (error) {
		if (error == ERROR_CERTIFICATE && !is_self_signed(d))
			snprintf(d->inner.issuer, sizeof d->inner.issuer, "%s", d->issuer);
		check_blame(run, obstacle_of(d, error), error != ERROR_CERTIFICATE);
		check_end(run, OUTCOME_BROKEN, "%s", why);
		return;
	}
	stream_info(stream, &info);
	d->have |= HAVE_TLS;
	check_figure(run, "version", strcmp(info.tls, "TLSv1.3") == 0 ? 1.3 : 1.2);
	check_end(run, OUTCOME_OK, "%s, ready %.1f ms after the first packet", info.tls, ms);
}

/* In place of TLS: a seal, for a session that there never is. */
static void seal_done(void *ctx)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct handshake *s = run->state;
	double ms = (double)(loop_now(d->loop) - s->began_us) / 1e3;

	note_issuer(d);
	d->have |= HAVE_TLS;
	check_figure(run, "ms", ms);
	check_end(run, OUTCOME_OK, "none; http://%s seals what is sent (DTLS 1.2 within requests, %.1f ms)", d->options->server.plain_authority, ms);
}

static void seal_failed(void *ctx, int error, const char *why)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	char text[ADVICE_MAX];

	note_issuer(d);
	if (error == ERROR_CERTIFICATE)
		check_blame(run, obstacle_of(d, error), false);
	else
		check_blame(run, d->plain ? OBSTACLE_CONNECT : OBSTACLE_ANSWER, true);
	advice_text(text, d->options, error, why);
	check_end(run, OUTCOME_BROKEN, "%s", text);
}

static void seal_start(struct check_run *run)
{
	struct handshake *s = run->state;
	struct doctor *d = run->doctor;
	uint8_t random[16];
	char sid[REQUEST_SID_LEN + 1];

	loop_random(d->loop, random, sizeof random);
	base64_encode(sid, random, sizeof random, true);
	s->began_us = loop_now(d->loop);
	check_say(run, "a seal from %s", d->options->server.plain_authority);
	sealed_path_begin(&s->sealed, doctor_sealing(d), sid, seal_done, seal_failed, run);
}

static void tls_start(struct check_run *run)
{
	struct handshake *s = handshake_new(run);

	if (doctor_is_plain(run->doctor)) {
		seal_start(run);
		return;
	}
	check_say(run, "TLS with %s", run->doctor->options->server.authority);
	reach_start(&s->reach, run, route_dialler(run->doctor->route), tls_done);
}

static void tls_late(struct check_run *run)
{
	if (doctor_is_plain(run->doctor))
		seal_failed(run, ERROR_TIMEOUT, "sealing: no answer came in time");
	else
		tls_done(run, NULL, ERROR_TIMEOUT, "no end of the handshake within 25 s");
}

const struct check check_tls = { "tls", "TLS", HAVE_TUNNEL, 25 * LOOP_SECOND, tls_start, handshake_stop, tls_late };

/* ---- who signed it ---- */

static void certificate_end(struct check_run *run, const struct certificate_seen *direct)
{
	struct doctor *d = run->doctor;
	const struct certificate_seen *seen = shown(d);
	struct verdict_issuer known;
	bool was = memory_issuer(d->memory, d->options->server.url, &known);
	enum signer_kind kind = issuer_judge(seen, direct, was ? &known : NULL, doctor_chain(d)->n);
	char text[ISSUER_WORDS], pin[PIN_TEXT];

	issuer_words(kind, seen, &known, text);
	pin_text(seen->chain[0].pin, pin);
	snprintf(d->pin, sizeof d->pin, "%s", pin);
	d->issued = kind;
	d->intercepted = issuer_is_foreign(kind);
	d->own_certificate = strcmp(issuer_expected(kind), "yes") == 0;
	if (d->intercepted)
		snprintf(d->inner.issuer, sizeof d->inner.issuer, "%s", d->issuer);
	check_figure(run, "intercepted", d->intercepted);
	check_figure(run, "compared", direct != NULL);
	if (d->intercepted)
		check_blame(run, OBSTACLE_INTERCEPTED, false);
	check_end(run, d->intercepted ? OUTCOME_LIMITED : OUTCOME_OK, "%s; its pin is %s%s", text, pin,
		  d->intercepted ? "; what goes through can be sealed (--seal always), then the box reads none of it" : "");
}

void certificate_amend(struct doctor *d)
{
	char box[BOX_TEXT];

	for (unsigned i = 0; i < d->n; i++) {
		struct check_run *run = &d->runs[i];

		if (run->check != &check_certificate || run->outcome != OUTCOME_OK || !d->intercepted)
			continue;
		run->outcome = OUTCOME_LIMITED;
		box_name(&d->inner, box);
		snprintf(run->sentence, sizeof run->sentence, "TLS is intercepted: what is shown is signed by '%s', and %s reads HTTP inside it",
			 d->issuer, box[0] ? box : "somebody");
		check_blame(run, OBSTACLE_INTERCEPTED, false);
	}
}

static void direct_done(void *pool_ctx, struct stream *stream, int error, const char *why)
{
	struct check_run *run = pool_ctx;
	struct handshake *s = run->state;
	const struct certificate_seen *direct = tls_context_seen(s->tls);

	(void)error;
	(void)why;
	s->stream = stream;
	certificate_end(run, direct->n ? direct : NULL);
}

static void certificate_late(struct check_run *run)
{
	certificate_end(run, NULL);
}

static void certificate_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct handshake *s = handshake_new(run);
	struct dial_config c = {
		.loop = d->loop,
		.resolver = route_resolver(d->route),
		.server_host = d->options->server.host,
		.server_port = d->options->server.port,
		.connect_timeout_us = DIRECT_US, .tls_timeout_us = DIRECT_US,
	};
	struct tls_trust trust = options_trust(d->options);
	const struct pool_dialler *p;
	char error[DOCTOR_TEXT];

	trust.quiet = true;	/* and with the pins: what is shown to us is looked at in either case */
	s->tls = doctor_chain(d)->n ? tls_context_client(&trust, "http/1.1", error, sizeof error) : NULL;
	if (!s->tls) {
		certificate_end(run, NULL);
		return;
	}
	check_say(run, "comparing with what the server shows without the proxy");
	c.tls = s->tls;
	s->dialler = dialler_new(&c);
	p = dialler_pool(s->dialler);
	p->start(p->ctx, DIAL_11, direct_done, run);
}

const struct check check_certificate = { "certificate", "Certificate", HAVE_TLS, 3 * LOOP_SECOND, certificate_start, handshake_stop,
					 certificate_late };

/* ---- ALPN ---- */

/* As the helper does. */
static const char *offered(const struct doctor *d)
{
	return options_alpn(d->options) ? options_alpn(d->options) : HTTP_ALPN_11;
}

static void alpn_ready(void *ctx)
{
	struct check_run *run = ctx;
	struct handshake *s = run->state;
	const char *offer = offered(run->doctor);
	struct stream_info info;
	bool h2;

	stream_info(s->stream, &info);
	h2 = strcmp(info.alpn, HTTP_ALPN_2) == 0;
	check_figure(run, "h2", h2);
	if (info.alpn[0])
		check_end(run, OUTCOME_OK, "offered %s, %s was chosen: HTTP/%s is spoken", offer, info.alpn, h2 ? "2" : "1.1");
	else
		check_end(run, OUTCOME_OK, "offered %s, nothing was chosen%s: HTTP/1.1 is spoken", offer,
			  run->doctor->intercepted ? " (the intercepting box does not do ALPN)" : "");
}

static void alpn_failed(void *ctx, int error)
{
	struct check_run *run = ctx;
	struct handshake *s = run->state;

	check_blame(run, OBSTACLE_REACH, false);
	check_end(run, OUTCOME_LIMITED, "with %s offered TLS fails, else it does not: %s", offered(run->doctor),
		  stream_tls_reason(s->stream)[0] ? stream_tls_reason(s->stream) : error_text(error));
}

static const struct stream_events alpn_events = { .ready = alpn_ready, .failed = alpn_failed };

static void alpn_connected(struct check_run *run, struct stream *stream, int error, const char *why)
{
	struct doctor *d = run->doctor;
	struct handshake *s = run->state;

	if (error)
		check_end(run, OUTCOME_LIMITED, "one more connection: %s", why);
	else
		s->stream = stream_tls_client(d->loop, s->tls, stream, d->options->server.host, &alpn_events, run);
}

static void alpn_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct handshake *s = handshake_new(run);
	struct tls_trust trust = options_trust(d->options);
	char error[DOCTOR_TEXT];

	if (doctor_is_plain(d)) {
		check_end(run, OUTCOME_SKIPPED, "not without TLS");
		return;
	}
	check_say(run, "offering %s", offered(d));
	trust.quiet = true;
	s->tls = tls_context_client(&trust, offered(d), error, sizeof error);
	if (!s->tls) {
		check_end(run, OUTCOME_BROKEN, "%s", error);
		return;
	}
	s->dialler = route_plain(d->route, d->options->server.port);
	reach_start(&s->reach, run, dialler_pool(s->dialler), alpn_connected);
}

const struct check check_alpn = { "alpn", "ALPN", HAVE_TLS, 12 * LOOP_SECOND, alpn_start, handshake_stop, NULL };
