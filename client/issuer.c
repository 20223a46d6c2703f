/*
 * Who signed it. Asked by doctor_tls.c and witness.c. Certificates of public authorities
 * are in public logs and say so (RFC 6962); those that a box makes while it is asked are not, and
 * its authority is trusted only because somebody put it there. What was public on other visits and
 * is not here has been signed anew by somebody.
 */
#include "client/issuer.h"

#include <stdio.h>
#include <string.h>

#include "client/doctor_box.h"
#include "client/fingerprint.h"

static bool is_known_box(const struct certificate_seen *seen)
{
	struct box_evidence e = { .via = "" };

	issuer_name(seen, e.issuer);
	return box_product(&e) != NULL;
}

/* The user named the authority. */
static bool is_given(const struct certificate_seen *seen)
{
	return seen->anchor == ANCHOR_FILE || seen->anchor == ANCHOR_FOLDER;
}

/* Of an authority that comes with the system, and in public logs. */
static bool is_public(const struct certificate_seen *seen)
{
	return seen->verified && seen->logged && seen->anchor == ANCHOR_SYSTEM;
}

static void mark(char out[FINGERPRINT], const uint8_t pin[32])
{
	fingerprint(out, pin, 32);
}

/* Neither the key nor the authority is one that was seen before. */
static bool differs(const struct certificate_seen *seen, const struct verdict_issuer *known)
{
	char leaf[FINGERPRINT], anchor[FINGERPRINT];

	if (!known || !known->when)
		return false;
	mark(leaf, seen->chain[0].pin);
	mark(anchor, seen->anchor_pin);
	return strcmp(leaf, known->leaf) != 0 && strcmp(anchor, known->anchor) != 0;
}

enum signer_kind issuer_judge(const struct certificate_seen *seen, const struct certificate_seen *direct,
			      const struct verdict_issuer *known, bool proxied)
{
	if (!seen->n)
		return SIGNER_UNKNOWN;
	if (direct && memcmp(direct->fingerprint, seen->fingerprint, sizeof seen->fingerprint) == 0)
		return SIGNER_SAME;
	if (seen->pinned)
		return SIGNER_PINNED;
	if (seen->itself)
		return SIGNER_OWN;
	if (is_public(seen))
		return SIGNER_PUBLIC;
	/* Another authority than that of the server itself; several servers may have certificates of one. */
	if (direct && strcmp(direct->chain[0].issuer, seen->chain[0].issuer) != 0)
		return SIGNER_INTERCEPTS;
	if (is_known_box(seen))
		return SIGNER_INTERCEPTS;
	if (differs(seen, known))
		return SIGNER_DIFFERS;
	if (!is_given(seen))
		return proxied ? SIGNER_INTERCEPTS : SIGNER_LOCAL;
	return SIGNER_PRIVATE;
}

const char *issuer_expected(enum signer_kind kind)
{
	switch (kind) {
	case SIGNER_PINNED:
	case SIGNER_PUBLIC:
	case SIGNER_OWN:
	case SIGNER_SAME:
		return "yes";
	case SIGNER_DIFFERS:
	case SIGNER_INTERCEPTS:
		return "no";
	default:
		return "unknown";
	}
}

bool issuer_is_foreign(enum signer_kind kind)
{
	return kind == SIGNER_DIFFERS || kind == SIGNER_INTERCEPTS;
}

void issuer_words(enum signer_kind kind, const struct certificate_seen *seen, const struct verdict_issuer *known, char out[ISSUER_WORDS])
{
	const char *where = certificate_anchor_text(seen->anchor);
	char by[ISSUER_TEXT];

	issuer_name(seen, by);
	switch (kind) {
	case SIGNER_UNKNOWN:
		snprintf(out, ISSUER_WORDS, "not known yet");
		break;
	case SIGNER_PINNED:
		snprintf(out, ISSUER_WORDS, "signed by '%s', and a pin fits: nobody intercepts TLS", by);
		break;
	case SIGNER_PUBLIC:
		snprintf(out, ISSUER_WORDS, "signed by the public authority '%s': nobody intercepts TLS", by);
		break;
	case SIGNER_OWN:
		snprintf(out, ISSUER_WORDS, "the very certificate of %s ('%s'): nobody intercepts TLS",
			 seen->anchor == ANCHOR_FILE ? "--cafile" : seen->anchor == ANCHOR_FOLDER ? "--ca-dir" : "the trust store",
			 seen->chain[0].subject);
		break;
	case SIGNER_SAME:
		snprintf(out, ISSUER_WORDS, "the same as without the proxy, signed by '%s': nobody intercepts TLS", by);
		break;
	case SIGNER_PRIVATE:
		snprintf(out, ISSUER_WORDS, "signed by '%s', %s: the server's own authority, or that of a box which intercepts", by, where);
		break;
	case SIGNER_LOCAL:
		snprintf(out, ISSUER_WORDS, "signed by '%s' (%s), which this machine trusts, but which is no public authority", by, where);
		break;
	case SIGNER_DIFFERS:
		snprintf(out, ISSUER_WORDS, "signed by '%s' (%s), on other visits by %s%s%s: TLS is intercepted here, or the server has another "
			 "certificate since", by, where, known->name[0] ? "'" : "", known->name[0] ? known->name : "another authority",
			 known->name[0] ? "'" : "");
		break;
	case SIGNER_INTERCEPTS:
		snprintf(out, ISSUER_WORDS, "signed by '%s' (%s), not by the server's authority: TLS is intercepted", by, where);
		break;
	}
}

void issuer_name(const struct certificate_seen *seen, char out[ISSUER_TEXT])
{
	const struct certificate_names *leaf = &seen->chain[0];

	out[0] = 0;
	if (seen->n)
		snprintf(out, ISSUER_TEXT, "%.100s%s%.50s", leaf->issuer, leaf->organization[0] ? ", " : "", leaf->organization);
}

void issuer_note(const struct certificate_seen *seen, int64_t wall, struct verdict_issuer *out)
{
	*out = (struct verdict_issuer){ .when = wall, .since = wall, .is_public = is_public(seen) };
	if (out->is_public)
		issuer_name(seen, out->name);
	mark(out->leaf, seen->chain[0].pin);
	mark(out->anchor, seen->anchor_pin);
}
