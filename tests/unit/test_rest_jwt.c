/* JSON Web Tokens: what is taken apart and what is not, which claims are good, every cut and every bit of one. */
/* links: server/rest_jwt.c framing/base64.c framing/error.c tunnel/daemon.c tunnel/log.c */
/* libs: -ljansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/base64.h"
#include "framing/error.h"
#include "server/rest_jwt.h"

#define NOW 1700000000
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS "{\"sub\":\"page\",\"exp\":1700000060}"
#define SIGNATURE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static char text[16384];

static const char *jwt(const char *header, const char *claims, const char *signature)
{
	char *at = text;

	base64_encode(at, (const uint8_t *)header, strlen(header), true);
	at += strlen(at);
	*at++ = '.';
	base64_encode(at, (const uint8_t *)claims, strlen(claims), true);
	at += strlen(at);
	*at++ = '.';
	strcpy(at, signature);
	return text;
}

/* In memory of exactly that size. */
static int read_n(struct rest_jwt *j, const char *s, size_t n, const char **why)
{
	uint8_t *p = malloc(n ? n : 1);
	int rc;

	assert_non_null(p);
	memcpy(p, s, n);
	rc = rest_jwt_read(j, (struct span){ p, n }, why);
	free(p);
	return rc;
}

static void unreadable(const char *s, const char *words)
{
	const char *why = NULL;
	struct rest_jwt j;

	assert_int_equal(read_n(&j, s, strlen(s), &why), ERROR_MALFORMED);
	if (!strstr(why, words))
		fail_msg("%s: %s, not %s", s, why, words);
}

/* The claims, read and judged; words NULL: good. */
static void judged(const char *claims, const char *words)
{
	const char *why;
	struct rest_jwt j;

	jwt(HEADER, claims, SIGNATURE);
	assert_int_equal(rest_jwt_read(&j, (struct span){ (const uint8_t *)text, strlen(text) }, &why), 0);
	why = rest_jwt_refusal(&j, NOW);
	if (!why != !words || (why && !strstr(why, words)))
		fail_msg("%s: %s, not %s", claims, why ? why : "good", words ? words : "good");
	rest_jwt_fini(&j);
}

static bool allows(const char *claims, const char *service)
{
	const char *why;
	struct rest_jwt j;
	bool yes;

	jwt(HEADER, claims, SIGNATURE);
	assert_int_equal(rest_jwt_read(&j, (struct span){ (const uint8_t *)text, strlen(text) }, &why), 0);
	yes = rest_jwt_allows(&j, service);
	rest_jwt_fini(&j);
	return yes;
}

static void parts_are_what_is_signed(void **state)
{
	const char *why;
	struct rest_jwt j;
	size_t n;

	(void)state;
	jwt(HEADER, CLAIMS, SIGNATURE);
	n = strlen(text);
	assert_true(rest_jwt_is((struct span){ (const uint8_t *)text, n }));
	assert_int_equal(rest_jwt_read(&j, (struct span){ (const uint8_t *)text, n }, &why), 0);
	assert_string_equal(j.subject, "page");
	assert_ptr_equal(j.text.p, text);
	assert_int_equal(j.text.n, n - 44);
	rest_jwt_fini(&j);
	assert_false(rest_jwt_is((struct span){ (const uint8_t *)"bmFtZTp0b2tlbg", 14 }));
	assert_false(rest_jwt_is((struct span){ NULL, 0 }));
	assert_int_equal(read_n(&j, text, n, &why), 0);
	rest_jwt_fini(&j);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(read_n(&j, text, i, &why), ERROR_MALFORMED);
}

static void headers(void **state)
{
	static const char *const algorithms[] = { "none", "NONE", "None", "nOnE", "", "RS256", "ES256", "HS384", "HS512", "hs256", "HS256 ", "HS256\\u0000", "dir" };
	char header[64];

	(void)state;
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algorithms[i]);
		unreadable(jwt(header, CLAIMS, SIGNATURE), strchr(algorithms[i], '\\') ? "cannot be read" : "alg HS256");
	}
	unreadable(jwt("{\"typ\":\"JWT\"}", CLAIMS, SIGNATURE), "alg HS256");
	unreadable(jwt("{\"alg\":null}", CLAIMS, SIGNATURE), "alg HS256");
	unreadable(jwt("{\"alg\":[\"HS256\"]}", CLAIMS, SIGNATURE), "alg HS256");
	unreadable(jwt("{\"alg\":\"none\",\"alg\":\"HS256\"}", CLAIMS, SIGNATURE), "cannot be read");
	unreadable(jwt("{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", CLAIMS, SIGNATURE), "crit");
	unreadable(jwt("{\"alg\":\"HS256\",\"crit\":[]}", CLAIMS, SIGNATURE), "crit");
	unreadable(jwt("[]", CLAIMS, SIGNATURE), "header of the JWT");
	unreadable(jwt("", CLAIMS, SIGNATURE), "header of the JWT");
	unreadable(jwt(HEADER " x", CLAIMS, SIGNATURE), "header of the JWT");
	jwt("{\"alg\":\"HS256\",\"typ\":5,\"kid\":\"../../dev/null\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"jku\":\"https://evil.example/\"}", CLAIMS, SIGNATURE);
	{	/* none of that has a say */
		const char *why;
		struct rest_jwt j;

		assert_int_equal(read_n(&j, text, strlen(text), &why), 0);
		rest_jwt_fini(&j);
	}
}

static void shapes(void **state)
{
	static char long_claims[REST_JWT_MAX + 100];
	char many[600] = "{\"alg\":\"HS256\",\"x\":\"";

	(void)state;
	unreadable("", "cannot be read");
	unreadable(".", "cannot be read");
	unreadable("..", "cannot be read");
	unreadable("...", "cannot be read");
	unreadable(jwt(HEADER, CLAIMS, ""), "cannot be read");
	unreadable(jwt(HEADER, CLAIMS, &SIGNATURE[1]), "cannot be read");
	unreadable(jwt(HEADER, CLAIMS, SIGNATURE "A"), "cannot be read");
	unreadable(jwt(HEADER, CLAIMS, SIGNATURE "="), "cannot be read");
	unreadable(jwt(HEADER, CLAIMS, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"), "cannot be read"); /* bits that say nothing */
	unreadable(jwt(HEADER, CLAIMS, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+AA/AA"), "cannot be read");
	unreadable(jwt(HEADER, CLAIMS, SIGNATURE "." SIGNATURE), "cannot be read");
	unreadable(jwt(HEADER, "", SIGNATURE), "claims");
	unreadable(jwt(HEADER, "[\"sub\"]", SIGNATURE), "claims");
	unreadable(jwt(HEADER, "{\"exp\":1700000060}", SIGNATURE), "claims");
	unreadable(jwt(HEADER, "{\"sub\":7}", SIGNATURE), "claims");
	unreadable(jwt(HEADER, "{\"sub\":\"page\",\"sub\":\"admin\"}", SIGNATURE), "each member once");
	unreadable(jwt(HEADER, "{\"sub\":\"page\",\"svc\":[{\"a\":1,\"a\":2}]}", SIGNATURE), "each member once");
	unreadable(jwt(HEADER, "{\"sub\":\"page\\u0000x\"}", SIGNATURE), "claims");
	unreadable(jwt(HEADER, "{\"sub\":\"p\xff\"}", SIGNATURE), "claims");
	unreadable(jwt(HEADER, "{\"sub\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", SIGNATURE), "claims");
	memset(many + strlen(many), 'x', 500);
	strcpy(many + 520, "\"}");
	unreadable(jwt(many, CLAIMS, SIGNATURE), "at most 512");
	memset(long_claims, ' ', sizeof long_claims - 1);
	memcpy(long_claims, CLAIMS, sizeof CLAIMS - 1);
	unreadable(jwt(HEADER, long_claims, SIGNATURE), "longer than 4096");
	memset(long_claims, '[', 2900);	/* deep */
	memcpy(long_claims, "{\"sub\":", 7);
	long_claims[2900] = 0;
	unreadable(jwt(HEADER, long_claims, SIGNATURE), "claims");
}

static void times(void **state)
{
	(void)state;
	judged(CLAIMS, NULL);
	judged("{\"sub\":\"p\"}", "must have an exp");
	judged("{\"sub\":\"p\",\"exp\":\"1700000060\"}", "must have an exp");
	judged("{\"sub\":\"p\",\"exp\":null}", "must have an exp");
	judged("{\"sub\":\"p\",\"exp\":true}", "must have an exp");
	judged("{\"sub\":\"p\",\"exp\":1700000000}", "expired");
	judged("{\"sub\":\"p\",\"exp\":1699999999}", "expired");
	judged("{\"sub\":\"p\",\"exp\":-1}", "expired");
	judged("{\"sub\":\"p\",\"exp\":-1e300}", "expired");
	judged("{\"sub\":\"p\",\"exp\":1700000001}", NULL);
	judged("{\"sub\":\"p\",\"exp\":1700000000.5}", NULL);
	judged("{\"sub\":\"p\",\"exp\":1700086400}", NULL);
	judged("{\"sub\":\"p\",\"exp\":1700086431}", "24 hours");
	judged("{\"sub\":\"p\",\"exp\":1700000060000}", "not milliseconds");
	judged("{\"sub\":\"p\",\"exp\":1e300}", "24 hours");
	judged("{\"sub\":\"p\",\"exp\":9223372036854775807}", "24 hours");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"nbf\":1700000030}", NULL);
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"nbf\":1700000031}", "nbf");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"nbf\":\"0\"}", "nbf");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"nbf\":null}", "nbf");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"iat\":1800000000}", NULL);
}

static void audiences(void **state)
{
	(void)state;
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"aud\":\"culvert\"}", NULL);
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"aud\":[\"a\",\"culvert\"]}", NULL);
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"aud\":\"Culvert\"}", "aud");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"aud\":[]}", "aud");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"aud\":null}", "aud");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"aud\":{\"culvert\":1}}", "aud");
	judged("{\"sub\":\"p\",\"exp\":1700000060,\"aud\":[[\"culvert\"]]}", "aud");
}

static void services(void **state)
{
	char many[1024] = "{\"sub\":\"p\",\"svc\":[\"sig\"";

	(void)state;
	assert_true(allows("{\"sub\":\"p\"}", "sig"));
	assert_true(allows("{\"sub\":\"p\",\"svc\":\"sig\"}", "sig"));
	assert_false(allows("{\"sub\":\"p\",\"svc\":\"sig\"}", "sig2"));
	assert_false(allows("{\"sub\":\"p\",\"svc\":\"sig2\"}", "sig"));
	assert_true(allows("{\"sub\":\"p\",\"svc\":[\"a\",\"sig\"]}", "sig"));
	assert_false(allows("{\"sub\":\"p\",\"svc\":[]}", "sig"));
	assert_false(allows("{\"sub\":\"p\",\"svc\":null}", "sig"));
	assert_false(allows("{\"sub\":\"p\",\"svc\":\"*\"}", "sig"));
	assert_false(allows("{\"sub\":\"p\",\"svc\":\"\"}", "sig"));
	for (int i = 1; i < REST_JWT_SERVICES; i++)
		strcat(many, ",\"a\"");
	strcat(many, "]}");
	assert_true(allows(many, "sig"));
	strcpy(many + strlen(many) - 2, ",\"a\"]}");
	assert_false(allows(many, "sig"));
}

static void what_is_written_is_read(void **state)
{
	char out[600], small[40];
	const char *why;
	struct rest_jwt j;
	size_t n;

	(void)state;
	n = rest_jwt_write(out, sizeof out, "page.1", "sig", NOW, NOW + 60);
	assert_true(n > 0);
	sprintf(out + n, ".%s", SIGNATURE);
	assert_int_equal(rest_jwt_read(&j, (struct span){ (const uint8_t *)out, strlen(out) }, &why), 0);
	assert_int_equal(j.text.n, n);
	assert_string_equal(j.subject, "page.1");
	assert_null(rest_jwt_refusal(&j, NOW));
	assert_true(rest_jwt_allows(&j, "sig") && !rest_jwt_allows(&j, "other"));
	rest_jwt_fini(&j);
	assert_int_equal(rest_jwt_write(small, sizeof small, "page.1", NULL, NOW, NOW + 60), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_what_is_signed), cmocka_unit_test(headers),	 cmocka_unit_test(shapes),		    cmocka_unit_test(times),
		cmocka_unit_test(audiences),		    cmocka_unit_test(services), cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
