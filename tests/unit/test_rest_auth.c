// links: tests/lib/rest_rig.c server/rest*.c server/sessions.c framing/*.c tunnel/*.c
/* Who may use the REST server: bearers, JWTs and what they allow, tickets, origins; what is said to all others, and how often. */
/* libs: -lev -lssl -lcrypto -lhttp_parser -lwslay -lnghttp2 -lcares -lconfuse -ljansson -lm */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "framing/base64.h"
#include "server/rest_cors.h"
#include "server/rest_jwt.h"
#include "server/rest_rate.h"
#include "server/rest_ticket.h"
#include "tests/lib/rest_rig.h"
#include "tunnel/log.h"

#define AT RIG_BASE "/v1/" RIG_SID "/signal/sig"
#define NOW 1700000001	/* of the rig, when it has begun */
#define ORIGIN "Origin: https://app.example\n"
#define JSON "Content-Type: application/json\n"
#define HEADER "{\"alg\":\"HS256\"}"
#define GOOD "{\"sub\":\"page\",\"exp\":1700003600}"

static struct rig rig;
static struct credentials *ours;

static struct credentials *load(const char *lines)
{
	char path[] = "/tmp/culvert-auth.XXXXXX", error[256];
	int fd = mkstemp(path);
	struct credentials *c;

	assert_true(fd >= 0 && write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines));
	close(fd);
	c = credentials_load(path, error, sizeof error);
	unlink(path);
	assert_non_null(c);
	return c;
}

static void use(const char *lines)
{
	credentials_free(ours);
	ours = load(lines);
	rig.front.credentials = ours;
}

static int setup(void **state)
{
	static const char *const origins[] = { "https://app.example", "https://gw.example", NULL };
	char error[256];

	(void)state;
	rig_init(&rig, &rest_config_default, 4);
	rest_set_cors(rig.rest, rest_cors_new(origins, error, sizeof error));
	use("page:page-token-0123456789abcdef0123456789\nother:other-token-0123456789abcdef0123456789\npage:page-token-rotated\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_fini(&rig);
	credentials_free(ours);
	ours = NULL;
	return 0;
}

static void encode(char *out, const char *text)
{
	base64_encode(out, (const uint8_t *)text, strlen(text), true);
}

/* A header line with a JWT that is signed with a token of this name. */
static const char *jwt(const char *header, const char *claims, const char *signer)
{
	static char line[8192];
	char text[6000];
	uint8_t mac[MAC_BYTES];
	size_t n;

	encode(text, header);
	strcat(text, ".");
	encode(text + strlen(text), claims);
	n = strlen(text);
	assert_true(credentials_sum(ours, signer, (struct span){ (const uint8_t *)text, n }, mac));
	text[n] = '.';
	base64_encode(text + n + 1, mac, sizeof mac, true);
	snprintf(line, sizeof line, "Authorization: Bearer %s\n", text);
	return line;
}

static const char *bearer(const char *plain)
{
	static char line[1024];
	char text[600];

	encode(text, plain);
	snprintf(line, sizeof line, "Authorization: Bearer %s\n", text);
	return line;
}

static const char *with(const char *a, const char *b)
{
	static char out[2][9000];
	static int turn;

	turn = !turn;
	snprintf(out[turn], sizeof out[turn], "%s%s", a, b);
	return out[turn];
}

/* Asks, and is answered at once with this status, these words in the body and those in the head. */
static void says(const char *method, const char *target, const char *lines, int status, const char *words, const char *head)
{
	struct rig_call *c = rig_ask(&rig, method, target, lines, NULL, 0);
	char text[4096];

	assert_true(c->answered);
	snprintf(text, sizeof text, "%.*s", (int)c->answer.n, (const char *)c->answer.p);
	if (c->status != status || !strstr(text, words) || !strstr(c->lines, head))
		fail_msg("%s %s: %d %s %s, not %d %s %s", method, target, c->status, c->lines, text, status, head, words);
	rig_drop(c);
}

static void expect(const char *method, const char *target, const char *lines, int status, const char *words)
{
	says(method, target, lines, status, words, "");
}

/* Nobody is refused for what was refused before. */
static void later(void)
{
	rig_run(&rig, REST_RATE_BURST * REST_RATE_EVERY_S * LOOP_SECOND);
}

static void good_ones(void **state)
{
	(void)state;
	expect("PUT", AT, jwt(HEADER, GOOD, "page"), 201, "open");
	expect("PUT", AT, bearer("page:page-token-0123456789abcdef0123456789"), 200, "open");
	expect("PUT", AT, bearer("page:page-token-rotated"), 200, "open");
	expect("GET", AT, with(jwt(HEADER, GOOD, "page"), "Cookie: a=b\n"), 204, "");
	expect("GET", AT, with("Authorization: bEARER ", strchr(jwt(HEADER, GOOD, "page"), ' ') + 8), 204, "");
}

static void wrong_bearers(void **state)
{
	static const char *const wrong[] = {
		"page:page-token-012345678", "page:page-token-0123456789abcdef01234567890", "page:other-token-0123456789abcdef0123456789", "pag:page-token-0123456789abcdef0123456789", "page:", ":",
		":page-token-0123456789abcdef0123456789", "page", "nobody:page-token-0123456789abcdef0123456789", "page:page-token-0123456789abcdef0123456789\n", "Page:page-token-0123456789abcdef0123456789",
	};
	static const char *const lines[] = {
		"Authorization: \n", "Authorization: Bearer\n", "Authorization: Bearer \n", "Authorization: Basic cGFnZTpwYWdlLXRva2VuLTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5\n",
		"Authorization: Bearer cGFnZTpwYWdlLXRva2VuLTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5=\n", "Authorization: Bearer  cGFnZTpwYWdlLXRva2VuLTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5\n",
		"Authorization: cGFnZTpwYWdlLXRva2VuLTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5\n", "Cookie: Authorization=x\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		says("PUT", AT, bearer(wrong[i]), 401, "\"code\":\"credential\"", "WWW-Authenticate: Bearer\r\n");
	later();
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		says("PUT", AT, lines[i], 401, "\"code\":\"credential\"", "WWW-Authenticate: Bearer\r\n");
	assert_int_equal(sessions_count(rig.sessions), 0);
}

static void only_one_of_each(void **state)
{
	char line[1024];

	(void)state;
	snprintf(line, sizeof line, "%s", jwt(HEADER, GOOD, "page"));
	expect("PUT", AT, with(line, "Authorization: Bearer x\n"), 400, "malformed");
	expect("PUT", AT, with(line, line), 400, "malformed");
	expect("PUT", AT, with(line, ORIGIN "Origin: https://evil.example\n"), 400, "malformed");
	expect("PUT", AT, with(line, "Origin: https://evil.example\n" ORIGIN), 400, "malformed");
	assert_int_equal(sessions_count(rig.sessions), 0);
}

static void wrong_jwts(void **state)
{
	char line[8192];

	(void)state;
	expect("PUT", AT, jwt(HEADER, GOOD, "other"), 401, "the signature of the JWT is wrong, or its sub names nobody here who");
	expect("PUT", AT, jwt(HEADER, "{\"sub\":\"nobody\",\"exp\":1700003600}", "page"), 401, "or its sub names nobody here who");
	expect("PUT", AT, jwt("{\"alg\":\"none\"}", GOOD, "page"), 401, "must have the alg HS256");
	expect("PUT", AT, jwt("{\"alg\":\"RS256\"}", GOOD, "page"), 401, "must have the alg HS256");
	expect("PUT", AT, jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700000000}", "page"), 401, "has expired");
	expect("PUT", AT, jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700090000}", "page"), 401, "24 hours");
	expect("PUT", AT, jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700003600,\"nbf\":1700003000}", "page"), 401, "nbf");
	expect("PUT", AT, jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700003600,\"aud\":\"x\"}", "page"), 401, "aud");
	/* What is claimed is not believed, nor judged, before the signature. */
	expect("PUT", AT, jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700000000}", "other"), 401, "the signature of the JWT");
	expect("PUT", AT, jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700003600,\"svc\":\"x\"}", "other"), 401, "the signature of the JWT");
	later();
	snprintf(line, sizeof line, "%s", jwt(HEADER, GOOD, "page"));
	for (size_t i = 0; i < 8; i++) {	/* each of its parts altered */
		char *at = line + strlen(line) - 10 - 12 * i;

		*at = *at == 'A' ? 'B' : 'A';
		expect("PUT", AT, line, 401, "\"code\":\"credential\"");
		snprintf(line, sizeof line, "%s", jwt(HEADER, GOOD, "page"));
	}
	assert_int_equal(sessions_count(rig.sessions), 0);
}

static void services_are_enforced(void **state)
{
	static const char other[] = "{\"sub\":\"page\",\"exp\":1700003600,\"svc\":[\"other\"]}", same[] = "{\"sub\":\"page\",\"exp\":1700003600,\"svc\":\"sig\"}";
	static const char *const methods[] = { "PUT", "GET", "DELETE" };

	(void)state;
	expect("PUT", AT, jwt(HEADER, other, "page"), 403, "\"code\":\"service\"");
	assert_int_equal(sessions_count(rig.sessions), 0);
	expect("PUT", AT, jwt(HEADER, same, "page"), 201, "open");
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		expect(methods[i], AT, jwt(HEADER, other, "page"), 403, "\"code\":\"service\"");
	expect("POST", AT, with(JSON, jwt(HEADER, other, "page")), 403, "\"code\":\"service\"");
	expect("POST", AT "/ticket", jwt(HEADER, other, "page"), 403, "\"code\":\"service\"");
	expect("GET", AT, jwt(HEADER, same, "page"), 204, "");
	expect("GET", RIG_BASE "/v1/" RIG_SID "/signal/SIG", jwt(HEADER, same, "page"), 400, "malformed");
}

static void sessions_are_of_their_identity(void **state)
{
	(void)state;
	expect("PUT", AT, jwt(HEADER, GOOD, "page"), 201, "open");
	expect("GET", AT, bearer("other:other-token-0123456789abcdef0123456789"), 404, "\"code\":\"session\"");
	expect("DELETE", AT, jwt(HEADER, "{\"sub\":\"other\",\"exp\":1700003600}", "other"), 404, "\"code\":\"session\"");
	expect("PUT", AT, bearer("other:other-token-0123456789abcdef0123456789"), 201, "open");	/* one of its own */
	assert_int_equal(sessions_count(rig.sessions), 2);
	expect("DELETE", AT, bearer("other:other-token-0123456789abcdef0123456789"), 204, "");
	expect("GET", AT, jwt(HEADER, GOOD, "page"), 204, "");
}

/* ---- tickets ---- */

static const char *ticket_of(const char *target, const char *lines)
{
	static char out[REST_TICKET_TEXT];
	struct rig_call *c = rig_ask(&rig, "POST", target, lines, NULL, 0);
	char text[512];

	snprintf(text, sizeof text, "%.*s", (int)c->answer.n, (const char *)c->answer.p);
	assert_int_equal(c->status, 200);
	assert_int_equal(sscanf(text, "{\"ticket\":\"%159[A-Za-z0-9_-]\",\"expires\":60}", out), 1);
	rig_drop(c);
	return out;
}

static const char *get(const char *target, const char *ticket)
{
	static char out[512];

	snprintf(out, sizeof out, "%s?ticket=%s", target, ticket);
	return out;
}

/* The rig would add an authorization: an empty one has none that counts. */
static void by_ticket(const char *method, const char *url, const char *lines, int status, const char *words)
{
	expect(method, url, with(lines, "X-No-Authorization: 1\n"), status, words);
}

static void tickets(void **state)
{
	const char *ticket;

	(void)state;
	expect("POST", AT "/ticket", jwt(HEADER, GOOD, "page"), 404, "\"code\":\"session\"");
	expect("PUT", AT, jwt(HEADER, GOOD, "page"), 201, "open");
	expect("PUT", RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig", jwt(HEADER, GOOD, "page"), 201, "open");
	expect("GET", AT "/ticket", jwt(HEADER, GOOD, "page"), 405, "\"code\":\"method\"");
	expect("POST", AT "/ticket", with("Content-Type: text/plain\n", jwt(HEADER, GOOD, "page")), 415, "\"code\":\"type\"");
	ticket = ticket_of(AT "/ticket", with(ORIGIN, jwt(HEADER, GOOD, "page")));
	by_ticket("GET", get(AT, ticket), ORIGIN, 204, "");
	by_ticket("GET", get(AT, ticket), ORIGIN, 204, "");
	by_ticket("GET", get(AT, ticket), "", 401, "the ticket is not good");
	by_ticket("GET", get(AT, ticket), "Origin: https://gw.example\n", 401, "the ticket is not good");
	by_ticket("GET", get(AT, ticket), "Origin: https://evil.example\n", 403, "\"code\":\"origin\"");
	by_ticket("GET", get(AT, ticket), "Sec-Fetch-Site: same-origin\nHost: evil.example\n", 401, "the ticket is not good");
	by_ticket("GET", get(AT, ticket), "Sec-Fetch-Site: cross-site\nHost: app.example\n", 401, "the ticket is not good");
	by_ticket("GET", get(RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig", ticket), ORIGIN, 401, "the ticket is not good");
	by_ticket("GET", get(RIG_BASE "/v1/" RIG_SID "/signal/other", ticket), ORIGIN, 401, "the ticket is not good");
	by_ticket("POST", get(AT, ticket), ORIGIN JSON, 401, "good for GET only");
	by_ticket("DELETE", get(AT, ticket), ORIGIN, 401, "good for GET only");
	by_ticket("PUT", get(AT, ticket), ORIGIN, 401, "good for GET only");
	by_ticket("POST", get(AT "/ticket", ticket), ORIGIN, 401, "good for GET only");
	expect("GET", get(AT, ticket), with(ORIGIN, bearer("page:wrong-token-0123456789")), 401, "or the token is wrong");
	rig_run(&rig, 59 * LOOP_SECOND);
	by_ticket("GET", get(AT, ticket), ORIGIN, 204, "");
	rig_run(&rig, LOOP_SECOND);
	by_ticket("GET", get(AT, ticket), ORIGIN, 401, "the ticket is not good");
}

static void tickets_of_others(void **state)
{
	const char *ticket;

	(void)state;
	expect("PUT", AT, jwt(HEADER, GOOD, "page"), 201, "open");
	/* Of the server's own page, whose EventSource says no Origin. */
	ticket = ticket_of(AT "/ticket", with("Origin: https://gw.example\n", jwt(HEADER, GOOD, "page")));
	by_ticket("GET", get(AT, ticket), "Sec-Fetch-Site: same-origin\nHost: gw.example\n", 204, "");
	by_ticket("GET", get(AT, ticket), "Host: gw.example\n", 401, "the ticket is not good");
	by_ticket("GET", get(AT, ticket), "Sec-Fetch-Site: same-site\nHost: gw.example\n", 401, "the ticket is not good");
	/* Of a program. */
	ticket = ticket_of(AT "/ticket", jwt(HEADER, GOOD, "page"));
	by_ticket("GET", get(AT, ticket), "", 204, "");
	by_ticket("GET", get(AT, ticket), ORIGIN, 401, "the ticket is not good");
	/* Whoever is removed has none. */
	use("other:other-token-0123456789abcdef0123456789\n");
	by_ticket("GET", get(AT, ticket), "", 401, "the ticket is not good");
	by_ticket("GET", get(AT, "AAAA"), "", 401, "the ticket is not good");
}

/* What goes on ends with the credential, though more was asked for; so does a ticket that was had with it. */
static void nothing_outlives_its_credential(void **state)
{
	static const char short_one[] = "{\"sub\":\"page\",\"exp\":1700000005}", sse[] = "Accept: text/event-stream\n";
	struct rig_call *by_jwt, *by_token, *ticketed, *c;
	char text[512], ticket[REST_TICKET_TEXT];

	(void)state;
	expect("PUT", AT, bearer("page:page-token-0123456789abcdef0123456789"), 201, "open");
	expect("PUT", RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig", bearer("page:page-token-0123456789abcdef0123456789"), 201, "open");
	c = rig_ask(&rig, "POST", AT "/ticket", jwt(HEADER, short_one, "page"), NULL, 0);
	snprintf(text, sizeof text, "%.*s", (int)c->answer.n, (const char *)c->answer.p);
	assert_int_equal(sscanf(text, "{\"ticket\":\"%159[A-Za-z0-9_-]\",\"expires\":5}", ticket), 1);
	rig_drop(c);
	by_jwt = rig_ask(&rig, "GET", AT "?for=86400", with(sse, jwt(HEADER, short_one, "page")), NULL, 0);
	rig_run(&rig, 4900 * LOOP_MS);
	assert_true(by_jwt->status == 200 && !by_jwt->answered);
	rig_run(&rig, 200 * LOOP_MS);
	assert_true(by_jwt->answered);
	by_ticket("GET", get(AT, ticket), "", 401, "the ticket is not good");
	by_token = rig_ask(&rig, "GET", AT "?for=86400", with(sse, bearer("page:page-token-0123456789abcdef0123456789")), NULL, 0);
	c = rig_ask(&rig, "POST", RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig/ticket", jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700000100}", "page"), NULL, 0);
	snprintf(text, sizeof text, "%.*s", (int)c->answer.n, (const char *)c->answer.p);
	assert_int_equal(sscanf(text, "{\"ticket\":\"%159[A-Za-z0-9_-]\",\"expires\":60}", ticket), 1);
	rig_drop(c);
	snprintf(text, sizeof text, RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig?ticket=%s", ticket);
	ticketed = rig_ask(&rig, "GET", text, with(sse, "X-No-Authorization: 1\n"), NULL, 0);
	rig_run(&rig, 90 * LOOP_SECOND);
	assert_true(ticketed->status == 200 && !ticketed->answered);
	rig_run(&rig, 6 * LOOP_SECOND);
	assert_true(ticketed->answered && !by_token->answered);
	rig_drop(by_jwt);
	rig_drop(by_token);
	rig_drop(ticketed);
}

/* ---- reload, origins, rates ---- */

static void a_reload_holds_from_the_next_request_on(void **state)
{
	static const char *const origins[] = { "https://new.example", NULL };
	char line[8192], error[256];

	(void)state;
	snprintf(line, sizeof line, "%s", jwt(HEADER, GOOD, "page"));
	expect("PUT", AT, line, 201, "open");
	expect("GET", AT, with(ORIGIN, line), 204, "");
	rest_set_cors(rig.rest, rest_cors_new(origins, error, sizeof error));
	expect("GET", AT, with(ORIGIN, line), 403, "\"code\":\"origin\"");
	says("GET", AT, with("Origin: https://new.example\n", line), 204, "", "Access-Control-Allow-Origin: https://new.example\r\n");
	use("page:page-token-fresh-one-0123456789abcdef\n");
	expect("GET", AT, line, 401, "the signature of the JWT");
	expect("GET", AT, jwt(HEADER, GOOD, "page"), 204, "");
	use("other:other-token-0123456789abcdef0123456789\n");
	expect("GET", AT, bearer("page:page-token-fresh-one-0123456789abcdef"), 401, "\"code\":\"credential\"");
	rig_run(&rig, 331 * LOOP_SECOND);	/* nobody may attend it */
	assert_int_equal(sessions_count(rig.sessions), 0);
}

static void streams_of_who_is_removed_end(void **state)
{
	struct rig_call *c;

	(void)state;
	expect("PUT", AT, bearer("page:page-token-0123456789abcdef0123456789"), 201, "open");
	c = rig_ask(&rig, "GET", AT "?for=86400", with("Accept: text/event-stream\n", bearer("page:page-token-0123456789abcdef0123456789")), NULL, 0);
	rig_run(&rig, 30 * LOOP_SECOND);
	use("other:other-token-0123456789abcdef0123456789\npage:page-token-fresh-one-0123456789abcdef\n");
	rig_run(&rig, 30 * LOOP_SECOND);
	assert_false(c->answered);
	use("other:other-token-0123456789abcdef0123456789\n");
	rig_run(&rig, 9 * LOOP_SECOND);
	assert_true(c->answered);
	rig_drop(c);
	rig_run(&rig, 331 * LOOP_SECOND);
	assert_int_equal(sessions_count(rig.sessions), 0);
}

static void preflights(void **state)
{
	static const char private_network[] = "Access-Control-Request-Private-Network: true\n";

	(void)state;
	says("OPTIONS", AT, ORIGIN "Authorization: \n", 204, "", "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n");
	says("OPTIONS", AT "/ticket", ORIGIN "Authorization: \n", 204, "", "Access-Control-Max-Age: 7200\r\n");
	says("OPTIONS", AT, with(ORIGIN, private_network), 204, "", "Access-Control-Allow-Private-Network: true\r\n");
	expect("OPTIONS", AT, with("Origin: https://evil.example\n", private_network), 403, "\"code\":\"origin\"");
	expect("OPTIONS", AT, "Origin: null\n", 403, "\"code\":\"origin\"");
}

/* A page can read why. */
static void errors_are_for_pages(void **state)
{
	static const char allow[] = "Access-Control-Allow-Origin: https://app.example\r\nAccess-Control-Expose-Headers: Retry-After\r\n";
	struct rig_call *c;

	(void)state;
	says("PUT", AT, ORIGIN "Authorization: Bearer x\n", 401, "credential", allow);
	says("PATCH", AT, ORIGIN, 405, "method", allow);
	says("GET", AT, with(ORIGIN, bearer("page:page-token-0123456789abcdef0123456789")), 404, "session", allow);
	says("POST", AT, with(ORIGIN "Content-Type: text/plain\n", bearer("page:page-token-0123456789abcdef0123456789")), 415, "type", allow);
	rig.crowd = FRONT_CROWD_ALL;	/* behind a proxy */
	says("GET", AT, with(ORIGIN, bearer("page:page-token-0123456789abcdef0123456789")), 503, "\"code\":\"busy\"", allow);
	says("GET", AT, with(ORIGIN, bearer("page:page-token-0123456789abcdef0123456789")), 503, "\"code\":\"busy\"", "Retry-After: ");
	rig.crowd = FRONT_CROWD_NONE;
	says("POST", AT, with(ORIGIN "Content-Type: multipart/form-data; boundary=x\n", bearer("page:page-token-0123456789abcdef0123456789")), 415, "type", allow);
	c = rig_ask(&rig, "GET", AT, "Origin: https://evil.example\nAuthorization: \n", NULL, 0);
	assert_int_equal(c->status, 403);
	assert_null(strstr(c->lines, "Access-Control"));
	assert_non_null(strstr(c->lines, "Vary: Origin\r\n"));
	rig_drop(c);
}

static void who_fails_often_is_told_so(void **state)
{
	(void)state;
	for (int i = 0; i < REST_RATE_BURST; i++)
		expect("GET", AT, "Authorization: Bearer x\n", 401, "credential");
	says("GET", AT, ORIGIN "Authorization: Bearer x\n", 429, "\"code\":\"rate\"", "Retry-After: 2\r\n");
	says("GET", AT, ORIGIN "Authorization: Bearer x\n", 429, "\"code\":\"rate\"", "Access-Control-Allow-Origin: https://app.example\r\n");
	for (int i = 0; i < 3; i++)	/* of whoever had a right one it is said that it has ended: he gets another */
		expect("GET", AT, jwt(HEADER, "{\"sub\":\"page\",\"exp\":1700000000}", "page"), 401, "has expired");
	expect("PUT", AT, jwt(HEADER, GOOD, "page"), 201, "open");	/* many share an address: what is right is served */
	rig_run(&rig, REST_RATE_EVERY_S * LOOP_SECOND);
	expect("GET", AT, "Authorization: Bearer x\n", 401, "credential");
	expect("GET", AT, "Authorization: Bearer x\n", 429, "rate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_bearers, setup, teardown),
		cmocka_unit_test_setup_teardown(only_one_of_each, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_jwts, setup, teardown),
		cmocka_unit_test_setup_teardown(services_are_enforced, setup, teardown),
		cmocka_unit_test_setup_teardown(sessions_are_of_their_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(tickets, setup, teardown),
		cmocka_unit_test_setup_teardown(tickets_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_outlives_its_credential, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_holds_from_the_next_request_on, setup, teardown),
		cmocka_unit_test_setup_teardown(streams_of_who_is_removed_end, setup, teardown),
		cmocka_unit_test_setup_teardown(preflights, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_are_for_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(who_fails_often_is_told_so, setup, teardown),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
