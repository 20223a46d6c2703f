/* links: tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c framing/base64.c tunnel/address.c tunnel/loop.c framing/error.c tests/lib/pair.c tests/lib/stream_mem.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto */
/* Whom a client trusts: directories as people fill them, and pins, of which one must be in the chain; nothing that fails is
 * let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/certs.h"
#include "tests/lib/pair.h"
#include "tunnel/log.h"
#include "tunnel/pin.h"

#define DAY 86400L

static struct cert other_ca, box_ca, boxed, middle, deep;
static char folder[160];

/* ---- the log is a text of its own ---- */

static char said[4096];

void log_write(enum log_level level, struct log_limit *limit, const char *area, const char *who, const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	(void)limit;
	(void)area;
	(void)who;
	if (level > LOG_LEVEL_WARN)
		return;
	va_start(ap, fmt);
	vsnprintf(said + n, sizeof said - n, fmt, ap);
	va_end(ap);
	n = strlen(said);
	snprintf(said + n, sizeof said - n, "\n");
}

bool log_enabled(enum log_level level)
{
	(void)level;
	return false;
}

/* ---- a folder ---- */

static void put(const char *name, const void *text, size_t n)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void put_pem(const char *name, const struct cert *a, const struct cert *b)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_true(f && PEM_write_X509(f, a->x509) && (!b || PEM_write_X509(f, b->x509)));
	fclose(f);
}

static void put_der(const char *name, const struct cert *c)
{
	unsigned char *der = NULL;
	int n = i2d_X509(c->x509, &der);

	assert_true(n > 0);
	put(name, der, (size_t)n);
	OPENSSL_free(der);
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "%s/../culvert-trust-%d", certs_dir(), (int)getpid());
	said[0] = 0;
	return mkdir(folder, 0700);
}

static int drop_folder(void **state)
{
	static const char *const names[] = { "a.pem", "a.crt", "b.CER", "0a1b2c3d.0", "junk.pem", "cut.crt", "gone.pem", "notes.txt", "README",
					     ".hidden.pem", "sub.pem", "key.pem" };
	char path[400];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		if (unlink(path) < 0)
			rmdir(path);
	}
	return rmdir(folder);
}

/* ---- connections ---- */

static void connect_with(const struct tls_trust *trust, const struct cert *show, const char *host)
{
	pair.client_ctx = tls_context_client(trust, NULL, pair.error, sizeof pair.error);
	if (!pair.client_ctx)
		fail_msg("%s", pair.error);
	pair.server_ctx = tls_context_server(show->file, show->keyfile, NULL, pair.error, sizeof pair.error);
	assert_non_null(pair.server_ctx);
	pair_connect(host, NULL);
	pair_run(LOOP_SECOND);
}

static const struct certificate_seen *seen(void)
{
	return tls_context_seen(pair.client_ctx);
}

static void end(void)
{
	pair_disconnect();
	pair_forget();
}

static void accepts(const struct tls_trust *trust, const struct cert *show, const char *host, enum certificate_anchor anchor)
{
	connect_with(trust, show, host);
	pair_expect_open("TLSv1.3", false);
	assert_true(seen()->verified);
	assert_int_equal(seen()->anchor, anchor);
	end();
}

static void refuses(const struct tls_trust *trust, const struct cert *show, const char *host, const char *why)
{
	connect_with(trust, show, host);
	assert_int_equal(pair.client.ready, 0);
	assert_int_equal(pair.client.error, ERROR_CERTIFICATE);
	if (!strstr(pair.client.reason, why))
		fail_msg("\"%s\" lacks \"%s\"", pair.client.reason, why);
	assert_false(seen()->verified);
	assert_false(seen()->pinned);
	end();
}

/* ---- directories ---- */

static const struct tls_trust in_folder = { .cadir = folder };

static void test_folder_pem(void **state)
{
	(void)state;
	refuses(&in_folder, &pair_cert, "a.test", "not trusted");
	assert_non_null(strstr(said, "no certificate is in"));
	said[0] = 0;
	put_pem("a.pem", &other_ca, NULL);
	refuses(&in_folder, &pair_cert, "a.test", "not trusted");
	put_pem("a.crt", &pair_ca, NULL);
	accepts(&in_folder, &pair_cert, "a.test", ANCHOR_FOLDER);
	assert_string_equal(said, "");
}

static void test_folder_forms(void **state)
{
	(void)state;
	put_der("b.CER", &pair_ca);		/* as Windows exports it */
	accepts(&in_folder, &pair_cert, "a.test", ANCHOR_FOLDER);
	put_pem("0a1b2c3d.0", &other_ca, &box_ca);	/* two of them, as c_rehash would name it */
	accepts(&in_folder, &boxed, "a.test", ANCHOR_FOLDER);
	put("notes.txt", "pay the rent", 12);
	put("README", "-----BEGIN CERTIFICATE-----", 27);
	put(".hidden.pem", "x", 1);
	accepts(&in_folder, &boxed, "a.test", ANCHOR_FOLDER);
	assert_string_equal(said, "");
}

/* One bad file does not spoil the others, and is named. */
static void test_folder_junk(void **state)
{
	char sub[400];

	(void)state;
	put_pem("a.pem", &pair_ca, NULL);
	put("junk.pem", "this is no certificate\n", 23);
	put("cut.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 59);
	snprintf(sub, sizeof sub, "%s/sub.pem", folder);
	assert_int_equal(mkdir(sub, 0700), 0);
	snprintf(sub, sizeof sub, "%s/gone.pem", folder);
	assert_int_equal(symlink("/nonexistent/ca", sub), 0);
	accepts(&in_folder, &pair_cert, "a.test", ANCHOR_FOLDER);
	assert_non_null(strstr(said, "junk.pem is not trusted: "));
	assert_non_null(strstr(said, "cut.crt is not trusted: "));
	assert_non_null(strstr(said, "sub.pem is not trusted: it is a directory"));
	assert_non_null(strstr(said, "gone.pem is not trusted: No such file or directory"));
	assert_null(strstr(said, "a.pem"));
	said[0] = 0;
	accepts(&(struct tls_trust){ .cadir = folder, .quiet = true }, &pair_cert, "a.test", ANCHOR_FOLDER);
	assert_string_equal(said, "");
}

/* A private key that lies there is no certificate, and nobody is asked for a passphrase. */
static void test_folder_key(void **state)
{
	char path[400];
	FILE *f;

	(void)state;
	snprintf(path, sizeof path, "%s/key.pem", folder);
	f = fopen(path, "w");
	assert_true(PEM_write_PrivateKey(f, pair_cert.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL));
	fclose(f);
	refuses(&in_folder, &pair_cert, "a.test", "not trusted");
	assert_non_null(strstr(said, "key.pem is not trusted: "));
}

static void test_folder_missing(void **state)
{
	const struct tls_trust gone = { .cadir = "/nonexistent/certs" }, file = { .cadir = pair_ca.file };

	(void)state;
	assert_null(tls_context_client(&gone, NULL, pair.error, sizeof pair.error));
	assert_string_equal(pair.error, "cannot read the CA certificates in /nonexistent/certs: No such file or directory");
	assert_null(tls_context_client(&file, NULL, pair.error, sizeof pair.error));
	assert_non_null(strstr(pair.error, "Not a directory"));
}

/* A context keeps what it has read; the next one reads again. */
static void test_folder_reload(void **state)
{
	char path[400];
	struct tls_context *old;

	(void)state;
	put_pem("a.pem", &pair_ca, NULL);
	old = tls_context_client(&in_folder, NULL, pair.error, sizeof pair.error);
	snprintf(path, sizeof path, "%s/a.pem", folder);
	unlink(path);
	refuses(&in_folder, &pair_cert, "a.test", "not trusted");
	pair.client_ctx = old;
	pair.server_ctx = tls_context_server(pair_cert.file, pair_cert.keyfile, NULL, pair.error, sizeof pair.error);
	pair_connect("a.test", NULL);
	pair_run(LOOP_SECOND);
	pair_expect_open("TLSv1.3", false);
	end();
}

static void test_both(void **state)
{
	const struct tls_trust both = { .cafile = pair_ca.file, .cadir = folder };

	(void)state;
	put_pem("a.pem", &box_ca, NULL);
	accepts(&both, &pair_cert, "a.test", ANCHOR_FILE);
	accepts(&both, &boxed, "a.test", ANCHOR_FOLDER);
}

/* ---- pins ---- */

/* The pin by another way than the code's: of the public key as it is written. */
static void pin_of(const struct cert *c, uint8_t pin[32])
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(c->key, &der);

	assert_true(n > 0 && EVP_Digest(der, (size_t)n, pin, NULL, EVP_sha256(), NULL));
	OPENSSL_free(der);
}

static void test_pins(void **state)
{
	uint8_t pins[3][32] = { { 1 }, { 2 }, { 3 } };
	struct tls_trust t = { .cafile = pair_ca.file, .pins = pins, .n_pins = 3 };

	(void)state;
	refuses(&t, &pair_cert, "a.test", "no --pin fits the certificate for a.test");
	pin_of(&pair_cert, pins[2]);
	accepts(&t, &pair_cert, "a.test", ANCHOR_FILE);
	pin_of(&pair_ca, pins[2]);		/* any certificate of the chain */
	accepts(&t, &pair_cert, "a.test", ANCHOR_FILE);
	t.n_pins = 2;
	refuses(&t, &pair_cert, "a.test", "no --pin fits");
	connect_with(&(struct tls_trust){ .cafile = pair_ca.file, .pins = pins + 2, .n_pins = 1 }, &pair_cert, "a.test");
	assert_true(seen()->pinned);
	end();
}

/* Who signed, where trust in him comes from, the pin to be copied, what to do. */
static void test_pin_sentence(void **state)
{
	uint8_t pins[1][32], box[32];
	char text[PIN_TEXT];
	const struct tls_trust t = { .cafile = box_ca.file, .pins = pins, .n_pins = 1 };

	(void)state;
	pin_of(&pair_cert, pins[0]);
	pin_of(&boxed, box);
	pin_text(box, text);
	refuses(&t, &boxed, "a.test", "signed by 'Box CA' (which --cafile trusts)");
	refuses(&t, &boxed, "a.test", "--seal always");
	refuses(&t, &boxed, "a.test", text);
}

/* A pin is no trust: chain, name and time count as ever. And what is shown but is no part of the chain does not count. */
static void test_pin_is_no_trust(void **state)
{
	uint8_t pins[1][32];
	const struct tls_trust none = { .pins = pins, .n_pins = 1 }, ca = { .cafile = pair_ca.file, .pins = pins, .n_pins = 1 };

	(void)state;
	pin_of(&pair_cert, pins[0]);
	refuses(&none, &pair_cert, "a.test", "is not trusted");
	refuses(&ca, &pair_cert, "b.test", "is for a.test");
	pin_of(&middle, pins[0]);
	cert_append(&pair_cert, &middle);	/* sent along, signs nothing here */
	refuses(&ca, &pair_cert, "a.test", "no --pin fits");
}

/* A session that is resumed was verified before, and its context had the same pins. */
static void test_pin_resumption(void **state)
{
	uint8_t pins[1][32];
	struct stream_info info;

	(void)state;
	pin_of(&deep, pins[0]);
	connect_with(&(struct tls_trust){ .cafile = middle.file, .pins = pins, .n_pins = 1 }, &deep, "deep.test");
	pair_expect_open("TLSv1.3", false);
	pair_disconnect();
	pair_connect("deep.test", NULL);
	pair_run(LOOP_SECOND);
	stream_info(pair.client.stream, &info);
	assert_true(info.resumed);
	assert_true(seen()->pinned);
	end();
}

static int make_certs(void **state)
{
	pair_make_certs(state);
	cert_make(&other_ca, "other", "Other CA", NULL, -DAY, 300 * DAY, NULL, true);
	cert_make(&box_ca, "box", "Box CA", NULL, -DAY, 300 * DAY, NULL, true);
	cert_make(&boxed, "boxed", "a.test", "DNS:a.test", -DAY, 30 * DAY, &box_ca, false);
	cert_make(&middle, "middle", "Middle CA", NULL, -DAY, 30 * DAY, &pair_ca, true);
	cert_make(&deep, "deep", "deep.test", "DNS:deep.test", -DAY, 30 * DAY, &middle, false);
	return 0;
}

static int drop_certs(void **state)
{
	struct cert *all[] = { &other_ca, &box_ca, &boxed, &middle, &deep };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		cert_free(all[i]);
	return pair_drop_certs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_folder_pem, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_folder_forms, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_folder_junk, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_folder_key, make_folder, drop_folder),
		cmocka_unit_test(test_folder_missing),
		cmocka_unit_test_setup_teardown(test_folder_reload, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_both, make_folder, drop_folder),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_pin_sentence),
		cmocka_unit_test(test_pin_is_no_trust),
		cmocka_unit_test(test_pin_resumption),
	};

	alarm(600); /* whatever happens, end */
	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
