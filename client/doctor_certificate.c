/*
 * Who signed it. Asked by doctor_tls.c. Certificates of public authorities are in
 * public logs and say so (RFC 6962); those that a box makes while it is asked are not, and
 * its authority is trusted only because somebody put it there.
 */
#include "client/doctor_certificate.h"

#include <stdio.h>
#include <string.h>

#include "client/doctor_box.h"

static bool is_known_box(const char *issuer)
{
	struct box_evidence e = { .via = "" };

	snprintf(e.issuer, sizeof e.issuer, "%s", issuer);
	return box_product(&e) != NULL;
}

/* The user named the authority. */
static bool is_given(const struct certificate_seen *seen)
{
	return seen->anchor == ANCHOR_FILE || seen->anchor == ANCHOR_FOLDER;
}

enum signer_kind certificate_judge(const struct certificate_seen *seen, const struct certificate_seen *direct, bool proxied,
				   const char *issuer)
{
	if (direct && memcmp(direct->fingerprint, seen->fingerprint, sizeof seen->fingerprint) == 0)
		return SIGNER_SAME;
	if (seen->itself)
		return SIGNER_OWN;
	if (seen->logged && !is_given(seen))
		return SIGNER_PUBLIC;
	/* Another authority than that of the server itself; several servers may have certificates of one. */
	if (direct && strcmp(direct->chain[0].issuer, seen->chain[0].issuer) != 0)
		return SIGNER_INTERCEPTS;
	if (is_known_box(issuer))
		return SIGNER_INTERCEPTS;
	if (!is_given(seen))
		return proxied ? SIGNER_INTERCEPTS : SIGNER_LOCAL;
	return SIGNER_PRIVATE;
}

void certificate_words(enum signer_kind kind, const struct certificate_seen *seen, const char *issuer, char *out, size_t size)
{
	switch (kind) {
	case SIGNER_PUBLIC:
		snprintf(out, size, "signed by the public authority '%s': nobody intercepts TLS", issuer);
		break;
	case SIGNER_OWN:
		snprintf(out, size, "the very certificate of --cafile ('%s'): nobody intercepts TLS", seen->chain[0].subject);
		break;
	case SIGNER_SAME:
		snprintf(out, size, "the same as without the proxy, signed by '%s': nobody intercepts TLS", issuer);
		break;
	case SIGNER_PRIVATE:
		snprintf(out, size, "signed by '%s', which --cafile trusts: the server's own authority, or that of a box which intercepts",
			 issuer);
		break;
	case SIGNER_LOCAL:
		snprintf(out, size, "signed by '%s', which this machine trusts, but which is no public authority", issuer);
		break;
	case SIGNER_INTERCEPTS:
		snprintf(out, size, "TLS is intercepted: the certificate shown is signed by '%s', not by the server's authority", issuer);
		break;
	}
}
