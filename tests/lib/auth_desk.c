#include "tests/lib/auth_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

struct loop *loop;
struct auth *auth;
struct talker a, b, c;

struct auth *desk_auth(const char *user, const char *password, unsigned allowed)
{
	struct proxy p = { .host = "proxy.example", .port = 3128, .shown = "proxy.example:3128" };
	struct auth_config config = { .loop = loop, .proxy = &p, .password = password, .allowed = allowed };

	snprintf(p.user, sizeof p.user, "%s", user);
	return auth_new(&config);
}

int desk_set_up(void **state)
{
	(void)state;
	loop = loop_new_virtual(1000 * LOOP_SECOND, 1700000000);
	auth = desk_auth("alice", "secret", BASIC | DIGEST);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&c, 0, sizeof c);
	return 0;
}

int desk_tear_down(void **state)
{
	(void)state;
	talker_end(&a);
	talker_end(&b);
	talker_end(&c);
	auth_free(auth);
	loop_free(loop);
	return 0;
}

void desk_turn(void)
{
	loop_advance(loop, loop_now(loop));
}

void desk_says(const struct talker *t, const char *what)
{
	if (!strstr(auth_why(t->dialogue), what))
		fail_msg("expected '%s' in: %s", what, auth_why(t->dialogue));
	assert_null(strstr(auth_why(t->dialogue), "secret"));
}

void desk_prove(const char *challenge)
{
	struct talker t;

	talker_begin(&t, auth);
	assert_int_equal(talker_line(&t), 0);
	assert_int_equal(TALKER_CHALLENGED(&t, NULL, challenge), 0);
	assert_true(talker_line(&t) > 0);
	talker_accepted(&t);
	talker_end(&t);
}
