/*
 * Issuer: who signed the certificate that was shown: the server's own authority, or somebody in
 * between who is trusted here. Pure; the doctor, the log and `culvert status` say the same by it.
 */
#ifndef CLIENT_ISSUER_H
#define CLIENT_ISSUER_H

#include <stdbool.h>
#include <stddef.h>

#include "client/verdict.h"
#include "tunnel/certificate.h"

#define ISSUER_TEXT 160
#define ISSUER_WORDS 480

enum signer_kind {
	SIGNER_UNKNOWN,		/* nothing was seen yet */
	SIGNER_PINNED,		/* a pin fits */
	SIGNER_PUBLIC,		/* an authority that the world trusts */
	SIGNER_OWN,		/* the very certificate that the user named */
	SIGNER_SAME,		/* the server shows the same without the proxy */
	SIGNER_PRIVATE,		/* an authority that the user named; nothing speaks for interception */
	SIGNER_LOCAL,		/* an authority that this machine trusts, but not a public certificate */
	SIGNER_DIFFERS,		/* another one signed on other visits, and this one is not public */
	SIGNER_INTERCEPTS,
};

/* Whether that is to be expected of the server itself: "yes", "no", "unknown". */
const char *issuer_expected(enum signer_kind);
/* TLS is, by all that is known, not with the server. */
bool issuer_is_foreign(enum signer_kind);

/* direct: what the server shows without the proxy, or NULL; known: who signed on other visits, or NULL. */
enum signer_kind issuer_judge(const struct certificate_seen *seen, const struct certificate_seen *direct,
			      const struct verdict_issuer *known, bool proxied);
/* In words that can stand behind "the certificate is". */
void issuer_words(enum signer_kind, const struct certificate_seen *, const struct verdict_issuer *known, char out[ISSUER_WORDS]);
/* "R11, Let's Encrypt": the name and the organisation of who signed; "" when nothing was seen. */
void issuer_name(const struct certificate_seen *, char out[ISSUER_TEXT]);

/* What is kept of it for other visits; wall: Unix time. A name is kept of public authorities only: others may tell where
 * somebody was. */
void issuer_note(const struct certificate_seen *, int64_t wall, struct verdict_issuer *);

#endif
