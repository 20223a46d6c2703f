/*
 * A witness. Owned by helper.c; judges by issuer.c.
 */
#include "client/witness.h"

#include <stdio.h>
#include <string.h>

#include "tunnel/log.h"
#include "tunnel/pin.h"

static void say(struct witness *w, const char *server)
{
	char text[ISSUER_WORDS + 600], pin[PIN_TEXT];
	bool foreign = issuer_is_foreign(w->kind);

	pin_text(w->seen.chain[0].pin, pin);
	snprintf(text, sizeof text, "TLS to %s%s: its certificate is %s (%s)%s", server, foreign ? " is re-signed" : "", w->words, pin,
		 foreign ? "; what must not be read there goes by --seal always" : "");
	if (advice_is_new(&w->said, text))
		log_write(foreign || w->kind == SIGNER_LOCAL ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, NULL, "trust", "", "%s", text);
}

bool witness_look(struct witness *w, const struct certificate_seen *seen, const struct verdict_issuer *known, bool proxied,
		  const char *server)
{
	bool same = w->seen.n && memcmp(w->seen.fingerprint, seen->fingerprint, sizeof seen->fingerprint) == 0 &&
		    w->seen.verified == seen->verified;

	if (!seen->n || !seen->verified)
		return false;	/* what failed has its own sentence */
	if (same)
		return false;	/* what was known at the first look counts */
	w->seen = *seen;
	w->kind = issuer_judge(seen, NULL, known, proxied);
	issuer_words(w->kind, seen, known, w->words);
	say(w, server);
	return true;
}

void witness_forget(struct witness *w)
{
	w->seen.n = 0;
	advice_forget(&w->said);
}
