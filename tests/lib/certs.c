/* Certificates for tests: EC keys, because RSA keys take long to make. */
#include "tests/lib/certs.h"

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

const char *certs_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!dir[0]) {
		snprintf(dir, sizeof dir, "%s/culvert-certs-XXXXXX", tmp && strlen(tmp) < 32 ? tmp : "/tmp");
		must(mkdtemp(dir), "mkdtemp");
	}
	return dir;
}

void certs_remove(void)
{
	DIR *d = dir[0] ? opendir(dir) : NULL;
	struct dirent *e;
	char path[sizeof dir + 256];

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof path, "%s/%.255s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	if (dir[0])
		rmdir(dir);
	dir[0] = '\0';
}

static void extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(e && X509_add_ext(x, e, -1), "extension");
	X509_EXTENSION_free(e);
}

static void write_files(struct cert *c, const char *name)
{
	FILE *f;

	snprintf(c->file, sizeof c->file, "%s/%s.pem", certs_dir(), name);
	snprintf(c->keyfile, sizeof c->keyfile, "%s/%s.key", certs_dir(), name);
	must((f = fopen(c->file, "w")) && PEM_write_X509(f, c->x509), c->file);
	fclose(f);
	must((f = fopen(c->keyfile, "w")) && PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL), c->keyfile);
	fclose(f);
}

void cert_make(struct cert *c, const char *name, const char *cn, const char *san, long from, long to,
	       const struct cert *issuer, bool ca)
{
	static long serial = 1000;
	X509_NAME *subject;

	c->key = EVP_EC_gen("P-256");
	c->x509 = X509_new();
	must(c->key && c->x509, "key");
	X509_set_version(c->x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c->x509), from);
	X509_gmtime_adj(X509_getm_notAfter(c->x509), to);
	subject = X509_get_subject_name(c->x509);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(c->x509, issuer ? X509_get_subject_name(issuer->x509) : subject);
	X509_set_pubkey(c->x509, c->key);
	extension(c->x509, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (san)
		extension(c->x509, NID_subject_alt_name, san);
	must(X509_sign(c->x509, issuer ? issuer->key : c->key, EVP_sha256()), "sign");
	write_files(c, name);
}

void cert_append(const struct cert *to, const struct cert *more)
{
	FILE *f = fopen(to->file, "a");

	must(f && PEM_write_X509(f, more->x509), to->file);
	fclose(f);
}

void cert_free(struct cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
}
