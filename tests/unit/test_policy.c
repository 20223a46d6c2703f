/* links: server/policy.c server/policies.c tunnel/cidr.c tunnel/address.c framing/error.c */
/* Target policies: rules in their order, names, networks, ports, and addresses of special use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/policies.h"

#define RULES(...) ((const char *[]){ __VA_ARGS__ }), sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)

static char error[512];

static struct address at(const char *host, uint16_t port)
{
	struct address a;

	assert_true(address_literal(host, port, &a));
	return a;
}

/* Of one look at rules that are made for it. */
static enum policy_verdict judge(const char *const *rules, size_t n, const char *name, const char *host, uint16_t port)
{
	struct policy *p = policy_new(rules, n, error, sizeof error);
	struct address a = at(host, port);
	enum policy_verdict v;

	if (!p)
		fail_msg("%s", error);
	v = policy_judge(p, name, &a);
	policy_free(p);
	return v;
}

static void nothing_is_allowed_by_itself(void **state)
{
	struct policy *p = policy_new(NULL, 0, error, sizeof error);
	struct address a = at("198.41.0.4", 443);

	(void)state;
	assert_true(policy_is_empty(p));
	assert_int_equal(policy_judge(p, NULL, &a), POLICY_DENIED);
	policy_free(p);
	p = policy_new(RULES("-*"), error, sizeof error);
	assert_true(policy_is_empty(p));
	policy_free(p);
	assert_true(policy_is_empty(NULL));
}

static void the_first_rule_that_matches_decides(void **state)
{
	(void)state;
	assert_int_equal(judge(RULES("-198.41.0.4", "+198.41.0.0/16"), NULL, "198.41.0.4", 443), POLICY_DENIED);
	assert_int_equal(judge(RULES("-198.41.0.4", "+198.41.0.0/16"), NULL, "198.41.0.5", 443), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+198.41.0.0/16", "-198.41.0.4"), NULL, "198.41.0.4", 443), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+198.41.0.0/16"), NULL, "198.42.0.4", 443), POLICY_DENIED);
}

static void ports_are_minded(void **state)
{
	(void)state;
	assert_int_equal(judge(RULES("+*:443"), NULL, "198.41.0.4", 443), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+*:443"), NULL, "198.41.0.4", 444), POLICY_DENIED);
	assert_int_equal(judge(RULES("+*:5004-5013"), NULL, "198.41.0.4", 5004), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+*:5004-5013"), NULL, "198.41.0.4", 5013), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+*:5004-5013"), NULL, "198.41.0.4", 5014), POLICY_DENIED);
	assert_int_equal(judge(RULES("-*:25", "+*"), NULL, "198.41.0.4", 25), POLICY_DENIED);
	assert_int_equal(judge(RULES("+[2a00::/16]:443"), NULL, "2a00::1", 443), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+[2a00::/16]:443"), NULL, "2a00::1", 80), POLICY_DENIED);
}

static void names_match_whatever_their_case(void **state)
{
	(void)state;
	assert_int_equal(judge(RULES("+*.example.org"), "Sip.Example.ORG", "198.41.0.4", 1), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+*.example.org"), "a.b.example.org.", "198.41.0.4", 1), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+*.example.org"), "example.org", "198.41.0.4", 1), POLICY_DENIED);
	assert_int_equal(judge(RULES("+*.example.org"), "badexample.org", "198.41.0.4", 1), POLICY_DENIED);
	assert_int_equal(judge(RULES("+example.org"), "example.org", "198.41.0.4", 1), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+example.org"), "example.org.evil.net", "198.41.0.4", 1), POLICY_DENIED);
	assert_int_equal(judge(RULES("+example.org"), NULL, "198.41.0.4", 1), POLICY_DENIED);
	assert_int_equal(judge(RULES("-lab.example.org", "+*.example.org"), "lab.example.org", "198.41.0.4", 1), POLICY_DENIED);
}

/* A name that leads inside, or a rule for everything, opens none of them. */
static void special_addresses_must_be_named(void **state)
{
	static const char *const hosts[] = {
		"127.0.0.1", "127.255.1.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"0.0.0.0", "0.1.2.3", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "fec0::1",
		"ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::1", "fd00:ec2::254",
	};

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		if (judge(RULES("+*"), NULL, hosts[i], 80) != POLICY_SPECIAL || judge(RULES("+0.0.0.0/0", "+[::/0]"), NULL, hosts[i], 80) != POLICY_SPECIAL ||
		    judge(RULES("+*.example.org"), "rebind.example.org", hosts[i], 80) != POLICY_SPECIAL ||
		    judge(RULES("-10.0.0.0/8", "+1.0.0.0/8"), NULL, hosts[i], 80) != POLICY_DENIED)
			fail_msg("%s is let through", hosts[i]);
	}
	assert_int_equal(judge(RULES("+127.0.0.1:8080"), NULL, "127.0.0.1", 8080), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+127.0.0.1:8080"), NULL, "::ffff:127.0.0.1", 8080), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+127.0.0.1:8080"), NULL, "127.0.0.1", 22), POLICY_DENIED);
	assert_int_equal(judge(RULES("+10.0.0.0/8"), "pbx.example.org", "10.2.3.4", 5060), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+*.example.org", "+10.0.0.0/8"), "pbx.example.org", "10.2.3.4", 5060), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+*", "-10.9.0.0/16", "+10.0.0.0/8"), NULL, "10.9.3.4", 5060), POLICY_SPECIAL);
	assert_int_equal(judge(RULES("+[fd00::/8]"), NULL, "fd12::1", 5060), POLICY_ALLOWED);
	assert_int_equal(judge(RULES("+8.0.0.0/5"), NULL, "10.0.0.1", 5060), POLICY_SPECIAL);
}

static void wrong_rules_are_named(void **state)
{
	static const char *const wrong[] = {
		"", "+", "example.org", "10.0.0.0/8", "+10.0.0.0/33", "+10.0.0.0/", "+10.0.0/8", "+300.1.1.1", "+*:0", "+*:65536", "+*:1-0", "+*:1-",
		"+*:-1", "+*:x", "+*:443x", "+[2a00::/16", "+[2a00::/129]", "+[10.0.0.1]", "+2a00::1", "+a b", "+.example.org", "+example.org.", "+*.", "+a*.org",
		"+**.org", "++example.org",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct policy *p = policy_new(RULES("+*", wrong[i]), error, sizeof error);
		char said[64];

		if (p)
			fail_msg("'%s' is taken", wrong[i]);
		snprintf(said, sizeof said, "not '%s'", wrong[i]);
		assert_non_null(strstr(error, said));
	}
}

static void identities_may_have_their_own(void **state)
{
	struct policies *all = policies_new(policy_new(RULES("+*:443"), error, sizeof error));
	struct address https = at("198.41.0.4", 443), sip = at("198.41.0.4", 5060);

	(void)state;
	assert_true(policies_add(all, "alice", policy_new(RULES("+*:5060"), error, sizeof error)));
	assert_true(policies_add(all, "guest", policy_new(NULL, 0, error, sizeof error)));
	assert_false(policies_add(all, "alice", policy_new(NULL, 0, error, sizeof error)));
	assert_int_equal(policy_judge(policies_of(all, "bob"), NULL, &https), POLICY_ALLOWED);
	assert_int_equal(policy_judge(policies_of(all, "alice"), NULL, &https), POLICY_DENIED);
	assert_int_equal(policy_judge(policies_of(all, "alice"), NULL, &sip), POLICY_ALLOWED);
	assert_true(policy_is_empty(policies_of(all, "guest")));
	policies_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_allowed_by_itself),
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(ports_are_minded),
		cmocka_unit_test(names_match_whatever_their_case),
		cmocka_unit_test(special_addresses_must_be_named),
		cmocka_unit_test(wrong_rules_are_named),
		cmocka_unit_test(identities_may_have_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
