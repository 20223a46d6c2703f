/* links: server/rest_jwt.c server/rest_ticket.c tunnel/mac.c tunnel/daemon.c tunnel/log.c framing/rest_request.c framing/target.c framing/base64.c framing/cursor.c framing/varint.c framing/error.c */
/* libs: -ljansson -lcrypto */
/* What strangers say to the REST server: request targets, JWTs as they come and as header and claims (two lines) that are then encoded, tickets. What is
 * read is in the limits, no ticket is one that was not made, and none is shown in a log. */
#include "tests/fuzz/fuzz.h"

#include "framing/base64.h"
#include "framing/rest_request.h"
#include "framing/target.h"
#include "server/rest_jwt.h"
#include "server/rest_ticket.h"

#define NOW 1700000000
#define SIGNATURE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void check_jwt(struct span s)
{
	const char *why = NULL;
	struct rest_jwt j;

	if (rest_jwt_read(&j, s, &why) < 0) {
		CHECK(why && *why);
		return;
	}
	CHECK(s.n <= REST_JWT_MAX && j.text.p == s.p && j.text.n + 44 == s.n && s.p[j.text.n] == '.');
	CHECK(strlen(j.subject) <= CREDENTIAL_NAME_MAX);
	CHECK(rest_jwt_refusal(&j, NOW) == NULL || *rest_jwt_refusal(&j, NOW));
	CHECK(rest_jwt_refusal(&j, NOW) || rest_jwt_refusal(&j, NOW + REST_JWT_FAR + REST_JWT_SKEW)); /* none is for ever */
	(void)rest_jwt_allows(&j, "sig");
	rest_jwt_fini(&j);
}

static void encode_line(char **at, const uint8_t *p, size_t n)
{
	base64_encode(*at, p, n, true);
	*at += strlen(*at);
	*(*at)++ = '.';
}

/* Header and claims. */
static void check_claims(const uint8_t *p, size_t n)
{
	const uint8_t *line = n ? memchr(p, '\n', n) : NULL;
	size_t header = line ? (size_t)(line - p) : n;
	char *text = malloc(2 * n + 64), *at = text;

	CHECK(text);
	encode_line(&at, p, header);
	encode_line(&at, line ? line + 1 : p, line ? n - header - 1 : 0);
	strcpy(at, SIGNATURE);
	check_jwt((struct span){ (const uint8_t *)text, strlen(text) });
	free(text);
}

static void check_target(struct span s)
{
	struct rest_request r;
	char out[101];

	if (rest_request_parse(&r, "/culvert", s) == 0)
		CHECK(strlen(r.sid) == TARGET_SID_LEN && *r.service && strlen(r.service) <= MESSAGE_NAME_MAX && r.after <= REST_NUMBER_MAX && r.wait_s <= 3600 &&
		      r.ticket.n <= REST_TICKET_MAX);
	target_shown(s, out, sizeof out);
	for (const char *at = out; (at = strstr(at, "?ticket=")); at++)
		CHECK(!at[8] || at[8] == '&');
}

static void check_ticket(const struct mac_key *key, const uint8_t *p, size_t n)
{
	const struct rest_ticket t = { "AAAAAAAAAAAAAAAAAAAAAA", "sig", { p, n } }, other = { "AAAAAAAAAAAAAAAAAAAAAA", "sig", { p, n / 2 } };
	struct rest_ticket_holder page = { "page", NOW }, holder;
	char text[REST_TICKET_TEXT];
	struct span made = { (const uint8_t *)text, 0 };

	CHECK(!rest_ticket_read(&holder, key, &t, (struct span){ p, n }, 0));
	rest_ticket_write(text, key, &t, &page, 1000);
	made.n = strlen(text);
	CHECK(rest_ticket_read(&holder, key, &t, made, 999) && strcmp(holder.identity, "page") == 0 && holder.until_s == NOW);
	CHECK(!rest_ticket_read(&holder, key, &t, made, 1000));
	CHECK(n < 2 || !rest_ticket_read(&holder, key, &other, made, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t *copy = fuzz_copy(p, n);
	struct mac_key *key = mac_key_new("0123456789abcdef", 16);

	check_jwt((struct span){ copy, n });
	check_claims(copy, n);
	check_target((struct span){ copy, n });
	check_ticket(key, copy, n);
	mac_key_free(key);
	free(copy);
	return 0;
}
