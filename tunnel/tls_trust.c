/*
 * Certificates of authorities from files and directories. Called by tls_context.c
 * when a client's context is made, and so again at each reload.
 *
 * People drop into a directory what their administrator sent: PEM or DER, with names of
 * all kinds, among them the links that c_rehash makes. All that look like certificates are
 * read at once, so that what cannot be used is told at the start, not in the middle of a call.
 */
#include "tunnel/tls_trust.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/stream_tls.h"

/* Where Debian's update-ca-certificates takes what was added on this machine. */
#define LOCAL_FOLDER "/usr/local/share/ca-certificates"
#define LOCAL_DEPTH 3

const char *tls_trust_cause(void)
{
	unsigned long e = ERR_peek_error();

	if ((ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE) ||
	    (ERR_GET_LIB(e) == ERR_LIB_OSSL_DECODER && ERR_GET_REASON(e) == ERR_R_UNSUPPORTED))
		return "nothing in PEM format of this kind is in it";
	if (ERR_SYSTEM_ERROR(e))
		return strerror(ERR_GET_REASON(e));
	return e && ERR_reason_error_string(e) ? ERR_reason_error_string(e) : "unknown error";
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *p, int size, int writing, void *ctx)
{
	(void)p;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static void keep(struct stack_st_X509 **list, X509 *cert)
{
	if (!*list && !(*list = sk_X509_new_null()))
		abort();
	if (!sk_X509_push(*list, cert))
		abort();
}

/* All certificates of a file into the list. NULL, or what is wrong with it: then it may have given some. */
static const char *read_file(const char *file, struct stack_st_X509 **list)
{
	FILE *f = fopen(file, "re");
	struct stat st;
	unsigned n = 0;
	X509 *cert;

	if (!f)
		return strerror(errno);
	ERR_clear_error();
	if (fstat(fileno(f), &st) == 0 && !S_ISREG(st.st_mode)) {
		fclose(f);
		return S_ISDIR(st.st_mode) ? "it is a directory" : "it is no file";
	}
	for (; (cert = PEM_read_X509_AUX(f, NULL, no_passphrase, NULL)); n++)
		keep(list, cert);
	if (n && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();	/* the end */
	} else if (n == 0) {
		rewind(f);
		cert = d2i_X509_fp(f, NULL);	/* as Windows exports them */
		if (cert) {
			keep(list, cert);
			ERR_clear_error();
		}
	}
	fclose(f);
	return ERR_peek_error() ? tls_trust_cause() : NULL;
}

/* ---- directories ---- */

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcasecmp(name + n - m, end) == 0;
}

/* "5ed36f99.0": the links that OpenSSL looks for. */
static bool is_hash(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] && strspn(name + 9, "0123456789") == strlen(name + 9);
}

static int looks_like_one(const struct dirent *e)
{
	return e->d_name[0] != '.' && (ends_with(e->d_name, ".pem") || ends_with(e->d_name, ".crt") || ends_with(e->d_name, ".cer") ||
				       is_hash(e->d_name));
}

static int read_folder(const char *folder, struct stack_st_X509 **list, bool quiet, char *error, size_t size)
{
	struct dirent **names;
	int n = scandir(folder, &names, looks_like_one, alphasort);

	if (n < 0) {
		snprintf(error, size, "cannot read the CA certificates in %s: %s", folder, strerror(errno));
		return ERROR_CONFIG;
	}
	if (n > TLS_TRUST_FILES_MAX && !quiet)
		log_warn("tls", "", "%s has %d files: only the first %d are read", folder, n, TLS_TRUST_FILES_MAX);
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		const char *why;

		snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
		free(names[i]);
		why = i < TLS_TRUST_FILES_MAX ? read_file(path, list) : NULL;
		if (why && !quiet)
			log_warn("tls", "", "%s is not trusted: %s", path, why);
	}
	free(names);
	ERR_clear_error();
	if (!*list && !quiet)
		log_warn("tls", "", "no certificate is in %s (files *.pem, *.crt and *.cer count)", folder);
	return 0;
}

static int is_inside(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* What was added to the system's store by hand: to be able to say so, not to trust it. */
static void read_local(const char *folder, struct stack_st_X509 **list, unsigned depth)
{
	struct dirent **names;
	int n = scandir(folder, &names, is_inside, alphasort);

	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		struct stat st;

		if (i < TLS_TRUST_FILES_MAX && (size_t)snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name) < sizeof path &&
		    stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode) && depth > 1)
				read_local(path, list, depth - 1);
			else if (S_ISREG(st.st_mode) && ends_with(path, ".crt"))
				read_file(path, list);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	ERR_clear_error();
}

/* ---- all of it ---- */

static void trust(X509_STORE *store, const struct stack_st_X509 *list)
{
	for (int i = 0; list && i < sk_X509_num(list); i++)
		if (!X509_STORE_add_cert(store, sk_X509_value(list, i)))
			abort();
}

int tls_trust_load(X509_STORE *store, const struct tls_trust *t, struct certificate_anchors *a, char *error, size_t size)
{
	const char *why;

	*a = (struct certificate_anchors){ NULL, NULL, NULL };
	read_local(LOCAL_FOLDER, &a->local, LOCAL_DEPTH);
	if (!t)
		return 0;
	if (t->cafile && (why = read_file(t->cafile, &a->file))) {
		snprintf(error, size, "cannot read CA certificates %s: %s", t->cafile, why);
		goto failed;
	}
	if (t->cadir && read_folder(t->cadir, &a->folder, t->quiet, error, size) < 0)
		goto failed;
	trust(store, a->file);
	trust(store, a->folder);
	return 0;
failed:
	tls_trust_forget(a);
	return ERROR_CONFIG;
}

void tls_trust_forget(struct certificate_anchors *a)
{
	sk_X509_pop_free(a->file, X509_free);
	sk_X509_pop_free(a->folder, X509_free);
	sk_X509_pop_free(a->local, X509_free);
	*a = (struct certificate_anchors){ NULL, NULL, NULL };
}
