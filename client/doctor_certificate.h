/* Who signed the certificate that was shown: the server's own authority, or somebody in between. */
#ifndef CLIENT_DOCTOR_CERTIFICATE_H
#define CLIENT_DOCTOR_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include "tunnel/certificate.h"

enum signer_kind {
	SIGNER_PUBLIC,		/* an authority that the world trusts */
	SIGNER_OWN,		/* the very certificate that the user named */
	SIGNER_SAME,		/* the server shows the same without the proxy */
	SIGNER_PRIVATE,		/* an authority that the user named; nothing speaks for interception */
	SIGNER_LOCAL,		/* an authority that this machine trusts, but not a public certificate */
	SIGNER_INTERCEPTS,
};

/* direct: what the server shows without the proxy, or NULL; issuer: name and organisation. */
enum signer_kind certificate_judge(const struct certificate_seen *seen, const struct certificate_seen *direct, bool proxied,
				   const char *issuer);
void certificate_words(enum signer_kind, const struct certificate_seen *, const char *issuer, char *out, size_t size);

#endif
