/* links: client/doctor_json.c client/doctor_verdict.c client/proxy.c client/authority.c client/issuer.c client/doctor_box.c client/fingerprint.c tunnel/certificate.c tunnel/pin.c tunnel/address.c framing/base64.c framing/http1_head.c framing/cursor.c framing/varint.c framing/error.c client/emodel.c tunnel/probe_judge.c */
/* libs: -lm -lcrypto */
/* The JSON of culvert doctor: whatever a box says of itself, it stays one object of valid UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/doctor.h"

/* ---- fakes ---- */

const struct rung rungs[] = { { .name = "poll" }, { .name = NULL } };

static const struct cuts cuts = { .seen = { .age_us = 10500000, .bytes = 1000000 }, .count = 3 };

const struct cuts *pool_cuts(const struct pool *p)
{
	(void)p;
	return &cuts;
}

const char *outcome_name(enum outcome o)
{
	return o == OUTCOME_LIMITED ? "limited" : "ok";
}

/* ---- tests ---- */

static const struct check check = { .name = "up", .title = "Uploads" };

static char *json_of(const struct doctor *d)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	report_json(d, f);
	fclose(f);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void test_all(void **state)
{
	struct options o = { .server = { .url = "https://h/culvert" } };
	struct doctor *d = calloc(1, sizeof *d);
	char *text;

	(void)state;
	assert_non_null(d);
	d->options = &o;
	d->has_token = true;
	d->list.n = 2;
	d->list.chain[0] = (struct proxy_chain){ .n = 2, .hop = { { .shown = "proxy:3128" }, { .shown = "socks5://in:1080" } } };
	strcpy(d->list.from, "PAC http://wpad/wpad.dat");
	strcpy(d->way, "proxy:3128 > socks5://in:1080");
	strcpy(d->login, "Negotiate as alice");
	strcpy(d->issuer, "Corp CA");
	strcpy(d->pin, "sha256/AAA=");
	d->issued = SIGNER_INTERCEPTS;
	d->have = HAVE_TLS;
	d->n = 1;
	d->runs[0] = (struct check_run){ .check = &check, .outcome = OUTCOME_LIMITED, .figures = 1, .figure = { { "ms", NAN } } };
	strcpy(d->runs[0].sentence, "\"a\\b\"\x01 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc3");
	strcpy(d->runs[0].box, "\xed\xa0\x80 \xc0\xaf \xff \x7f \xc2\x9b" "2J");
	d->findings.up = FINDING_HELD;
	d->limit = 2;
	d->rung = &rungs[0];
	d->calls = 1;
	d->call[0] = (struct called){ &rungs[0], { .ran = true, .sent = 200, .received = 199, .p50_ms = 12.5, .mos = 4.1 } };
	text = json_of(d);
	assert_has(text, "\"sentence\":\"\\\"a\\\\b\\\"\\u0001 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ?\"");
	assert_has(text, "\"box\":\"??? ?? ? \\u007f \\u009b2J\"");
	assert_has(text, "\"advice\":null");
	assert_has(text, "\"figures\":{\"ms\":0}");
	assert_has(text, "\"mode\":\"connect\"");
	assert_has(text, "\"proxy\":\"proxy:3128 > socks5://in:1080\",\"proxy_from\":\"PAC http://wpad/wpad.dat\","
			 "\"candidates\":[\"proxy:3128 > socks5://in:1080\",\"direct\"],\"login\":\"Negotiate as alice\"");
	assert_has(text, "\"certificate\":{\"issuer\":\"Corp CA\",\"expected\":\"no\",\"pin\":\"sha256/AAA=\"}");
	assert_has(text, "\"rung\":\"poll\"");
	assert_has(text, "\"usable\":\"yes\"");
	assert_has(text, "\"findings\":{\"duplex\":\"unknown\",\"up\":\"held\"");
	assert_has(text, "\"limit\":2}");
	assert_has(text, "\"cuts\":{\"age_ms\":10500,\"idle_ms\":0,\"bytes\":1000000,\"count\":3}");
	assert_has(text, "\"call\":{\"rung\":\"poll\",\"ran\":true,\"why\":null,\"sent\":200,\"received\":199,\"p50_ms\":12.5");
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
	free(d);
}

/* Nothing was found out. */
static void test_nothing(void **state)
{
	struct options o = { .server = { .url = "https://h/culvert" } };
	struct doctor *d = calloc(1, sizeof *d);
	char *text;

	(void)state;
	assert_non_null(d);
	d->options = &o;
	text = json_of(d);
	assert_has(text, "\"proxy\":null,\"proxy_from\":null,\"candidates\":[],\"login\":null,\"mode\":\"unknown\",\"certificate\":null,\"rung\":null,\"why\":null,\"usable\":\"no\"");
	assert_has(text, "\"call\":null,\"calls\":[],\"checks\":[]}");
	free(text);
	d->have = HAVE_TLS;	/* no token: nobody can say */
	text = json_of(d);
	assert_has(text, "\"mode\":\"direct\"");
	assert_has(text, "\"usable\":\"unknown\"");
	free(text);
	d->plain = true;	/* and sealed */
	text = json_of(d);
	assert_has(text, "\"mode\":\"plain\"");
	free(text);
	d->list.chain[0].n = 1;
	text = json_of(d);
	assert_has(text, "\"mode\":\"absolute\"");
	free(text);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
