/*
 * culvertd gen-cert: makes a self-signed certificate for development, with its
 * key. The same file is what a helper takes as --cafile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "server/commands.h"
#include "server/server.h"
#include "tunnel/address.h"
#include "tunnel/config.h"

#define NAMES_MAX 4096
#define SECONDS_A_DAY 86400

static const struct config_option table[] = {
	{ .name = "host", .type = CONFIG_LIST, .metavar = "NAME",
	  .help = "name or address that helpers use; may be repeated" },
	{ .name = "cert", .type = CONFIG_STRING, .metavar = "FILE", .help = "write the certificate there" },
	{ .name = "key", .type = CONFIG_STRING, .metavar = "FILE", .help = "write the private key there (mode 0600)" },
	{ .name = "days", .type = CONFIG_INT, .min = 1, .max = 3650, .initial = 365, .metavar = "N",
	  .help = "valid for so long (365)" },
	{ .name = "force", .type = CONFIG_FLAG, .help = "overwrite files" },
	{ .name = "help", .letter = 'h', .type = CONFIG_FLAG, .help = "show this" },
	{ .name = NULL },
};

static int wrong(const char *what, const char *detail, int code)
{
	fprintf(stderr, "culvertd: gen-cert: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	return code;
}

/* ---- the certificate ---- */

static bool add_name(char *list, const char *name)
{
	size_t n = strlen(list);
	struct address literal;
	bool is_ip = address_literal(name, 0, &literal);
	char entry[300];

	/* What could end the entry or begin another one in OpenSSL's syntax. */
	if (!*name || strpbrk(name, ",:;= \n") != NULL)
		if (!is_ip)
			return false;
	if (snprintf(entry, sizeof entry, "%s:%s,", is_ip ? "IP" : "DNS", name) >= (int)sizeof entry)
		return false;
	if (strstr(list, entry))
		return true;
	return snprintf(list + n, NAMES_MAX - n, "%s", entry) < (int)(NAMES_MAX - n);
}

static bool names(const struct config *c, char *list)
{
	static const char *const always[] = { "localhost", "127.0.0.1", "::1" };

	*list = 0;
	for (size_t i = 0; i < config_list_size(c, "host"); i++)
		if (!add_name(list, config_list(c, "host", i)))
			return false;
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (!add_name(list, always[i]))
			return false;
	list[strlen(list) - 1] = 0; /* the last comma */
	return true;
}

static bool extend(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static bool set_serial(X509 *x)
{
	unsigned char bytes[16];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	bytes[0] &= 0x7f;
	n = BN_bin2bn(bytes, sizeof bytes, NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool set_subject(X509 *x, const char *host)
{
	X509_NAME *name = X509_get_subject_name(x);

	/* A common name has at most 64 characters; what counts are the alternative names. */
	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Culvert development", -1, -1, 0) &&
	       (strlen(host) > 64 ||
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)host, -1, -1, 0)) &&
	       X509_set_issuer_name(x, name);
}

static X509 *make(EVP_PKEY *key, const char *host, const char *alternative, long days)
{
	X509 *x = X509_new();

	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_subject(x, host) &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	    X509_gmtime_adj(X509_getm_notAfter(x), days * SECONDS_A_DAY) && X509_set_pubkey(x, key) &&
	    extend(x, NID_basic_constraints, "critical,CA:FALSE") && extend(x, NID_key_usage, "critical,digitalSignature") &&
	    extend(x, NID_ext_key_usage, "serverAuth") && extend(x, NID_subject_alt_name, alternative) &&
	    extend(x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}

/* ---- files ---- */

static FILE *create(const char *path, mode_t mode, bool force)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), mode);
	FILE *f;

	if (fd < 0 && errno == EEXIST) {
		fprintf(stderr, "culvertd: gen-cert: %s exists and was not touched; --force overwrites it\n", path);
		return NULL;
	}
	if (fd >= 0 && fchmod(fd, mode) == 0) {
		f = fdopen(fd, "w");
		if (f)
			return f;
	}
	fprintf(stderr, "culvertd: gen-cert: cannot write %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return NULL;
}

static bool write_files(const struct config *c, EVP_PKEY *key, X509 *x)
{
	bool force = config_bool(c, "force"), ok = false;
	const char *key_path = config_string(c, "key"), *cert_path = config_string(c, "cert");
	FILE *k = create(key_path, 0600, force), *f = k ? create(cert_path, 0644, force) : NULL;

	if (f)
		ok = PEM_write_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1 && PEM_write_X509(f, x) == 1;
	if (k && fclose(k))
		ok = false;
	if (f && fclose(f))
		ok = false;
	if (k && !f && !force)
		unlink(key_path); /* was made here, and is of no use alone */
	if (f && !ok)
		fprintf(stderr, "culvertd: gen-cert: cannot write %s and %s: %s\n", key_path, cert_path, strerror(errno));
	return ok;
}

static int generate(const struct config *c)
{
	char alternative[NAMES_MAX];
	EVP_PKEY *key = NULL;
	X509 *x = NULL;
	int code = SERVER_FAILED;

	if (!names(c, alternative))
		return wrong("--host needs names such as culvert.example.org, or addresses", NULL, SERVER_USAGE);
	key = EVP_EC_gen("P-256");
	x = key ? make(key, config_list(c, "host", 0), alternative, config_int(c, "days")) : NULL;
	if (!x) {
		code = wrong("OpenSSL could not make the certificate for these names", alternative, SERVER_FAILED);
		goto out;
	}
	if (!write_files(c, key, x))
		goto out;
	printf("wrote %s (helpers: --cafile %s) and %s, valid for %ld days\n", config_string(c, "cert"),
	       config_string(c, "cert"), config_string(c, "key"), config_int(c, "days"));
	code = SERVER_OK;
out:
	X509_free(x);
	EVP_PKEY_free(key);
	return code;
}

int command_gen_cert(int argc, char **argv)
{
	char error[512];
	struct config *c = config_read(table, argc, argv, error, sizeof error);
	int code;

	if (!c)
		return wrong(error, NULL, SERVER_USAGE);
	if (config_bool(c, "help")) {
		puts("usage: culvertd gen-cert --host NAME --cert FILE --key FILE [--days N] [--force]\n\n"
		     "Makes a self-signed certificate for development and tests. Give the certificate to helpers as --cafile.\n");
		config_help(table);
		code = SERVER_OK;
	} else if (config_rest(c) < argc) {
		code = wrong("not an option; see --help", argv[config_rest(c)], SERVER_USAGE);
	} else if (!config_list_size(c, "host") || !config_string(c, "cert") || !config_string(c, "key")) {
		code = wrong("give --host NAME, --cert FILE and --key FILE", NULL, SERVER_USAGE);
	} else {
		code = generate(c);
	}
	config_free(c);
	return code;
}
