/*
 * Certificates: why one is not accepted, in a sentence for a person, and who
 * signed what was shown. Called by the verification of tls_context; sees X.509, not TLS.
 */
#include "tunnel/certificate.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tunnel/pin.h"

/* Names of a certificate may hold anything: keep logs and terminals safe. */
static void clean(char *s, unsigned char last)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f || (unsigned char)*s > last)
			*s = '?';
}

/* The common name, else the organisation, else everything. */
static void common_name(X509_NAME *name, char *out, size_t size)
{
	static const int nids[] = { NID_commonName, NID_organizationName };
	unsigned char *text = NULL;

	for (size_t i = 0; i < sizeof nids / sizeof *nids; i++) {
		int at = X509_NAME_get_index_by_NID(name, nids[i], -1);

		if (at < 0 || ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))) < 0)
			continue;
		snprintf(out, size, "%s", (char *)text);
		OPENSSL_free(text);
		clean(out, 0xff);
		return;
	}
	X509_NAME_oneline(name, out, (int)size);
	clean(out, 0x7e);
}

static void time_text(const ASN1_TIME *when, char *out, size_t size)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(when, &tm) || strftime(out, size, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(out, size, "an unreadable date");
}

/* One subject alternative name; false when it is of no kind that is verified. */
static bool alternative(const GENERAL_NAME *name, char *out, size_t size)
{
	int type;
	ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
	const unsigned char *data;
	char address[INET6_ADDRSTRLEN];
	int n;

	if (type != GEN_DNS && type != GEN_IPADD)
		return false;
	data = ASN1_STRING_get0_data(value);
	n = ASN1_STRING_length(value);
	if (type == GEN_DNS)
		snprintf(out, size, "%.*s", n < CERTIFICATE_NAME_MAX ? n : CERTIFICATE_NAME_MAX, (const char *)data);
	else if ((n == 4 || n == 16) && inet_ntop(n == 4 ? AF_INET : AF_INET6, data, address, sizeof address))
		snprintf(out, size, "%s", address);
	else
		return false;
	clean(out, 0x7e);
	return true;
}

/* "a.example, b.example" or the common name of a certificate without alternative names. */
static void names_of(X509 *cert, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int count = names ? sk_GENERAL_NAME_num(names) : 0;
	size_t at = 0;

	*out = '\0';
	for (int i = 0; i < count; i++) {
		char one[CERTIFICATE_NAME_MAX + 1];

		if (!alternative(sk_GENERAL_NAME_value(names, i), one, sizeof one))
			continue;
		if (at + strlen(one) + 8 > size) {
			snprintf(out + at, size - at, ", ...");
			break;
		}
		at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", one);
	}
	GENERAL_NAMES_free(names);
	if (at == 0)
		common_name(X509_get_subject_name(cert), out, size);
}

/* No way from the certificate to a trusted one. */
static bool untrusted(int error)
{
	return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
}

void certificate_explain(X509_STORE_CTX *store, const char *host, char *out, size_t size)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(store), *leaf = X509_STORE_CTX_get0_cert(store);
	int error = X509_STORE_CTX_get_error(store);
	char subject[CERTIFICATE_NAME_MAX] = "?", issuer[CERTIFICATE_NAME_MAX] = "?";
	char of[CERTIFICATE_NAME_MAX + 8] = "", date[40], names[256] = "?";

	if (cert) {
		common_name(X509_get_subject_name(cert), subject, sizeof subject);
		common_name(X509_get_issuer_name(cert), issuer, sizeof issuer);
	}
	if (X509_STORE_CTX_get_error_depth(store) > 0)
		snprintf(of, sizeof of, " of '%s'", subject);
	if (untrusted(error)) {
		snprintf(out, size, "the certificate for %s is signed by '%s', which is not trusted: "
			 "give its certificate with --cafile", host, issuer);
	} else if (error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
		snprintf(out, size, "the certificate for %s is self-signed ('%s') and not trusted: "
			 "if it is the right one, give it with --cafile", host, subject);
	} else if (error == X509_V_ERR_CERT_HAS_EXPIRED && cert) {
		time_text(X509_get0_notAfter(cert), date, sizeof date);
		snprintf(out, size, "the certificate%s for %s expired on %s: it must be renewed, "
			 "or this machine's clock is wrong", of, host, date);
	} else if (error == X509_V_ERR_CERT_NOT_YET_VALID && cert) {
		time_text(X509_get0_notBefore(cert), date, sizeof date);
		snprintf(out, size, "the certificate%s for %s is not valid before %s: is this machine's clock right?",
			 of, host, date);
	} else if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		if (leaf)
			names_of(leaf, names, sizeof names);
		snprintf(out, size, "the certificate shown for %s is for %s: the name is wrong, "
			 "or another server answers there", host, names);
	} else {
		snprintf(out, size, "the certificate%s for %s (issued by '%s') is not accepted: %s", of, host, issuer,
			 X509_verify_cert_error_string(error));
	}
}

/* ---- what was shown ---- */

static void organization_name(X509_NAME *name, char *out, size_t size)
{
	*out = 0;
	X509_NAME_get_text_by_NID(name, NID_organizationName, out, (int)size);
	clean(out, 0xff);
}

static void pin_of(X509 *cert, uint8_t pin[32])
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	memset(pin, 0, 32);
	if (n > 0)
		EVP_Digest(der, (size_t)n, pin, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
}

static void look_at_names(X509 *cert, struct certificate_names *n)
{
	common_name(X509_get_subject_name(cert), n->subject, sizeof n->subject);
	common_name(X509_get_issuer_name(cert), n->issuer, sizeof n->issuer);
	organization_name(X509_get_issuer_name(cert), n->organization, sizeof n->organization);
	pin_of(cert, n->pin);
}

static bool is_among(X509 *cert, const struct stack_st_X509 *list)
{
	for (int i = 0; list && i < sk_X509_num(list); i++)
		if (X509_cmp(cert, sk_X509_value(list, i)) == 0)
			return true;
	return false;
}

static enum certificate_anchor anchor_of(X509 *cert, const struct certificate_anchors *a)
{
	return is_among(cert, a->file) ? ANCHOR_FILE : is_among(cert, a->folder) ? ANCHOR_FOLDER :
	       is_among(cert, a->local) ? ANCHOR_LOCAL : ANCHOR_SYSTEM;
}

void certificate_look(X509_STORE_CTX *store, const struct certificate_anchors *a, bool ok, struct certificate_seen *seen)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	int n = chain ? sk_X509_num(chain) : 0;
	unsigned len = sizeof seen->fingerprint;

	if (!leaf)
		return;
	*seen = (struct certificate_seen){ .verified = ok };
	for (int i = 0; i < n && i < CERTIFICATE_CHAIN_MAX; i++)
		look_at_names(sk_X509_value(chain, i), &seen->chain[seen->n++]);
	if (seen->n == 0)
		look_at_names(leaf, &seen->chain[seen->n++]);
	seen->itself = ok && n == 1;
	if (ok && n > 0) {
		seen->anchor = anchor_of(sk_X509_value(chain, n - 1), a);
		pin_of(sk_X509_value(chain, n - 1), seen->anchor_pin);
	}
	seen->logged = X509_get_ext_by_NID(leaf, NID_ct_precert_scts, -1) >= 0;
	time_text(X509_get0_notBefore(leaf), seen->since, sizeof seen->since);
	time_text(X509_get0_notAfter(leaf), seen->until, sizeof seen->until);
	X509_digest(leaf, EVP_sha256(), seen->fingerprint, &len);
}

const char *certificate_anchor_text(enum certificate_anchor a)
{
	static const char *const texts[] = {
		[ANCHOR_NONE] = "which is not trusted",
		[ANCHOR_SYSTEM] = "in the system's trust store",
		[ANCHOR_LOCAL] = "added to this machine's trust store",
		[ANCHOR_FILE] = "which --cafile trusts",
		[ANCHOR_FOLDER] = "which --ca-dir trusts",
	};

	return texts[a];
}

/* ---- pins ---- */

bool certificate_fits(X509_STORE_CTX *store, const uint8_t (*pins)[32], size_t n)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);

	for (int i = 0; chain && i < sk_X509_num(chain); i++) {
		uint8_t pin[32];

		pin_of(sk_X509_value(chain, i), pin);
		for (size_t k = 0; k < n; k++)
			if (memcmp(pin, pins[k], sizeof pin) == 0)
				return true;
	}
	return false;
}

void certificate_unpinned(const struct certificate_seen *seen, const char *host, bool sealing, char *out, size_t size)
{
	char pin[PIN_TEXT];

	pin_text(seen->chain[0].pin, pin);
	snprintf(out, size, "no --pin fits the certificate for %s, signed by '%s' (%s): %s, "
		 "or the server has a new key (then, once its operator confirms it, --pin %s)",
		 host, seen->chain[0].issuer, certificate_anchor_text(seen->anchor),
		 sealing ? "somebody answers in its place" : "somebody intercepts TLS (then --seal always keeps him out)", pin);
}
