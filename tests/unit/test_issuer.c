/* links: client/issuer.c client/witness.c client/advice.c client/fingerprint.c client/doctor_box.c tunnel/certificate.c tunnel/pin.c framing/base64.c framing/http1_head.c framing/cursor.c framing/varint.c framing/error.c framing/message.c framing/message_channel.c framing/capsule.c framing/ranges.c */
/* libs: -lcrypto */
/* Who signed the certificate: what is judged from where trust ends, public logs, other visits and pins; what is told of it, and
 * how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/issuer.h"
#include "client/witness.h"
#include "tunnel/log.h"
#include "tunnel/pin.h"

/* ---- fakes ---- */

static char said[4000];
static unsigned infos, debugs;

void log_write(enum log_level level, struct log_limit *limit, const char *area, const char *who, const char *fmt, ...)
{
	va_list ap;

	(void)limit, (void)area, (void)who;
	infos += level == LOG_LEVEL_INFO;
	debugs += level == LOG_LEVEL_DEBUG;
	va_start(ap, fmt);
	vsnprintf(said, sizeof said, fmt, ap);
	va_end(ap);
}

const char *options_proxy_user(const struct options *o)
{
	(void)o;
	return NULL;
}

static struct certificate_seen seen(const char *issuer, uint8_t leaf, uint8_t anchor, enum certificate_anchor from)
{
	struct certificate_seen s = { .n = 2, .verified = true, .fingerprint = { leaf }, .anchor = from, .anchor_pin = { anchor } };

	strcpy(s.chain[0].issuer, issuer);
	strcpy(s.chain[0].subject, "calls.example.com");
	s.chain[0].pin[0] = leaf;
	return s;
}

static struct certificate_seen public_one(void)
{
	struct certificate_seen s = seen("R11", 1, 101, ANCHOR_SYSTEM);

	strcpy(s.chain[0].organization, "Let's Encrypt");
	s.logged = true;
	return s;
}

static enum signer_kind judged(const struct certificate_seen *s, bool proxied)
{
	return issuer_judge(s, NULL, NULL, proxied);
}

/* ---- judgements ---- */

static void test_kinds(void **state)
{
	struct certificate_seen public = public_one(), own = seen("calls.example.com", 2, 2, ANCHOR_FILE),
				corporate = seen("Corp CA", 3, 103, ANCHOR_FILE),
				zscaler = seen("Zscaler Intermediate Root CA", 4, 104, ANCHOR_FILE), none = { .n = 0 };

	(void)state;
	assert_int_equal(judged(&none, true), SIGNER_UNKNOWN);
	assert_int_equal(judged(&public, true), SIGNER_PUBLIC);
	own.itself = true;
	assert_int_equal(judged(&own, true), SIGNER_OWN);
	assert_int_equal(judged(&corporate, true), SIGNER_PRIVATE);
	assert_int_equal(issuer_judge(&corporate, &public, NULL, true), SIGNER_INTERCEPTS);
	assert_int_equal(issuer_judge(&corporate, &corporate, NULL, true), SIGNER_SAME);
	assert_int_equal(judged(&zscaler, true), SIGNER_INTERCEPTS);
	corporate.anchor = ANCHOR_FOLDER;
	assert_int_equal(judged(&corporate, true), SIGNER_PRIVATE);
	/* Trusted by the machine, but nobody's public certificate. */
	corporate.anchor = ANCHOR_SYSTEM;
	assert_int_equal(judged(&corporate, true), SIGNER_INTERCEPTS);
	assert_int_equal(judged(&corporate, false), SIGNER_LOCAL);
	/* The mark of a public log counts only below an authority that came with the system. */
	public.anchor = ANCHOR_LOCAL;
	assert_int_equal(judged(&public, true), SIGNER_INTERCEPTS);
	public.anchor = ANCHOR_SYSTEM;
	/* A server behind two addresses may show two certificates of one authority. */
	assert_int_equal(issuer_judge(&public, &(struct certificate_seen){ .n = 1, .fingerprint = { 9 } }, NULL, true), SIGNER_PUBLIC);
	corporate.pinned = true;
	assert_int_equal(judged(&corporate, true), SIGNER_PINNED);
}

static void test_other_visits(void **state)
{
	struct certificate_seen public = public_one(), box = seen("Corp CA", 3, 103, ANCHOR_FILE), renewed = seen("E6", 5, 105, ANCHOR_SYSTEM),
				private = seen("Our CA", 6, 106, ANCHOR_FILE), again = seen("Our CA", 7, 106, ANCHOR_FILE);
	struct verdict_issuer known, nothing = { .when = 0 };
	char words[ISSUER_WORDS];

	(void)state;
	issuer_note(&public, 1790000000, &known);
	assert_true(known.is_public);
	assert_string_equal(known.name, "R11, Let's Encrypt");
	assert_int_equal(known.when, 1790000000);
	assert_int_equal(issuer_judge(&box, NULL, &known, true), SIGNER_DIFFERS);
	assert_int_equal(issuer_judge(&box, NULL, &known, false), SIGNER_DIFFERS);
	issuer_words(SIGNER_DIFFERS, &box, &known, words);
	assert_string_equal(words, "signed by 'Corp CA' (which --cafile trusts), on other visits by 'R11, Let's Encrypt': "
				   "TLS is intercepted here, or the server has another certificate since");
	assert_int_equal(issuer_judge(&box, NULL, &nothing, true), SIGNER_PRIVATE);
	/* Public again, by whomever: nobody has to be told. */
	renewed.logged = true;
	assert_int_equal(issuer_judge(&renewed, NULL, &known, true), SIGNER_PUBLIC);
	/* The same authority, another key; the same key, another authority. */
	issuer_note(&private, 1790000000, &known);
	assert_false(known.is_public);
	assert_string_equal(known.name, "");	/* it might tell where somebody was */
	assert_int_equal(issuer_judge(&again, NULL, &known, true), SIGNER_PRIVATE);
	again = seen("Our new CA", 6, 107, ANCHOR_FILE);
	assert_int_equal(issuer_judge(&again, NULL, &known, true), SIGNER_PRIVATE);
	assert_int_equal(issuer_judge(&box, NULL, &known, true), SIGNER_DIFFERS);
	issuer_words(SIGNER_DIFFERS, &box, &known, words);
	assert_non_null(strstr(words, "on other visits by another authority:"));
	/* What is kept is no hash that others could look up. */
	assert_int_equal(strlen(known.leaf), FINGERPRINT - 1);
	assert_null(strstr(known.leaf, "06000000"));
}

static void test_words(void **state)
{
	struct certificate_seen s = seen("Corp CA", 3, 103, ANCHOR_LOCAL);
	struct verdict_issuer known = { .when = 1, .name = "R11" };
	char words[ISSUER_WORDS];

	(void)state;
	for (enum signer_kind k = SIGNER_PINNED; k <= SIGNER_INTERCEPTS; k++) {
		issuer_words(k, &s, &known, words);
		assert_true(strstr(words, "Corp CA") || k == SIGNER_OWN);
		assert_int_equal(strstr(words, "TLS is intercepted") != NULL, issuer_is_foreign(k));
		assert_int_equal(strstr(words, "nobody intercepts") != NULL, strcmp(issuer_expected(k), "yes") == 0);
		assert_int_equal(issuer_is_foreign(k), strcmp(issuer_expected(k), "no") == 0);
	}
	issuer_words(SIGNER_INTERCEPTS, &s, NULL, words);
	assert_string_equal(words, "signed by 'Corp CA' (added to this machine's trust store), not by the server's authority: TLS is intercepted");
	memset(s.chain[0].issuer, 'x', sizeof s.chain[0].issuer - 1);
	memset(s.chain[0].organization, 'y', sizeof s.chain[0].organization - 1);
	memset(known.name, 'z', sizeof known.name - 1);
	issuer_words(SIGNER_DIFFERS, &s, &known, words);
	assert_non_null(strstr(words, "another certificate since"));	/* whole */
}

/* ---- the witness ---- */

static void test_witness(void **state)
{
	struct certificate_seen public = public_one(), box = seen("Corp CA", 3, 103, ANCHOR_LOCAL), failed = box;
	struct verdict_issuer known;
	struct witness w = { .seen.n = 0 };
	char pin[PIN_TEXT];

	(void)state;
	infos = debugs = 0;
	assert_false(witness_look(&w, &(struct certificate_seen){ .n = 0 }, NULL, true, "call.example"));
	failed.verified = false;
	assert_false(witness_look(&w, &failed, NULL, true, "call.example"));
	assert_int_equal(infos + debugs, 0);
	assert_true(witness_look(&w, &public, NULL, true, "call.example"));
	assert_int_equal(infos, 0);	/* as it should be: nothing for the log of most people */
	issuer_note(&public, 1, &known);
	assert_true(witness_look(&w, &box, &known, true, "call.example"));
	assert_int_equal(infos, 1);
	pin_text(box.chain[0].pin, pin);
	assert_non_null(strstr(said, "TLS to call.example is re-signed: its certificate is signed by 'Corp CA' (added to this machine's trust "
				     "store), on other visits by 'R11, Let's Encrypt'"));
	assert_non_null(strstr(said, pin));
	assert_non_null(strstr(said, "--seal always"));
	assert_false(witness_look(&w, &box, &known, true, "call.example"));
	/* What was learned meanwhile, perhaps from this very one, changes nothing. */
	issuer_note(&box, 2, &known);
	assert_false(witness_look(&w, &box, &known, true, "call.example"));
	assert_int_equal(w.kind, SIGNER_DIFFERS);
	issuer_note(&public, 1, &known);
	assert_true(witness_look(&w, &public, &known, true, "call.example"));
	assert_true(witness_look(&w, &box, &known, true, "call.example"));
	assert_int_equal(infos, 1);	/* said already */
	witness_forget(&w);
	witness_look(&w, &box, &known, true, "call.example");
	assert_int_equal(infos, 2);	/* another network */
	assert_int_equal(w.kind, SIGNER_DIFFERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds), cmocka_unit_test(test_other_visits), cmocka_unit_test(test_words), cmocka_unit_test(test_witness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
