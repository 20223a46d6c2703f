/*
 * Advice. Asked by helper.c before it logs a failure. What the dialler says about
 * names, connections, proxies and certificates is complete; what comes from
 * behind them needs the options to be understood.
 */
#include "client/advice.h"

#include <stdio.h>
#include <string.h>

#include "framing/error.h"
#include "framing/message.h"

#define SEALING "sealing: "	/* what the sealer says begins so, where the server may be to blame */

/* The server, or a box in its place, made no seal. */
static void unsealed(char out[ADVICE_MAX], const struct options *o, const char *why)
{
	const struct options_server *s = &o->server;

	if (s->plain_only)
		snprintf(out, ADVICE_MAX, "%s makes no sealed session: a wrong base path or port, no --listen-http there, an older culvertd, "
			 "or a box in between (%s)", s->url, why);
	else if (o->seal_always)
		snprintf(out, ADVICE_MAX, "%s makes no sealed session (--seal always): a wrong base path, an older culvertd, or a box in between "
			 "(%s)", s->url, why);
	else
		snprintf(out, ADVICE_MAX, "http://%s%s makes no sealed session, which is needed because the proxy denies CONNECT: culvertd must "
			 "listen there without TLS (--listen-http; --server-http says where that is), or a box in between answers (%s)",
			 s->plain_authority, s->base, why);
}

void advice_text(char out[ADVICE_MAX], const struct options *o, int error, const char *why)
{
	const char *url = o->server.url;

	if (strncmp(why, SEALING, strlen(SEALING)) == 0) {
		unsealed(out, o, why + strlen(SEALING));
		return;
	}
	switch (error) {
	case ERROR_HTTP:
	case ERROR_AUTH:
		snprintf(out, ADVICE_MAX,
			 "%s did not answer as a culvertd: wrong token (%s), wrong base path, wrong host, or a box in between (%s)",
			 url, o->token_file, why);
		break;
	case ERROR_MALFORMED:
		snprintf(out, ADVICE_MAX, "an answer of %s was damaged on its way, or is not from a culvertd (%s)", url, why);
		break;
	case ERROR_VERSION:
		snprintf(out, ADVICE_MAX, "%s and this culvert have no protocol version in common: update the older one (%s)",
			 url, why);
		break;
	case ERROR_DENIED:
		snprintf(out, ADVICE_MAX, "%s; nor is there a way without CONNECT", why);
		break;
	case ERROR_PROXY_AUTH:
		if (o->proxy_password_file)
			snprintf(out, ADVICE_MAX, "%s (the password is from %s)", why, o->proxy_password_file);
		else
			snprintf(out, ADVICE_MAX, "%s", why);
		break;
	default:
		snprintf(out, ADVICE_MAX, "%s", why);
	}
}

bool advice_is_new(struct advice_said *s, const char *sentence)
{
	uint32_t hash = message_check((struct span){ (const uint8_t *)sentence, strlen(sentence) });
	unsigned known = s->n < ADVICE_SAID ? s->n : ADVICE_SAID;

	for (unsigned i = 0; i < known; i++)
		if (s->hash[i] == hash)
			return false;
	s->hash[s->n++ % ADVICE_SAID] = hash;
	return true;
}

void advice_forget(struct advice_said *s)
{
	s->n = 0;
}
