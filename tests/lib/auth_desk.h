/* What the tests of auth share: one proxy that knows alice by "secret", three connections to it, virtual time. */
#ifndef TESTS_LIB_AUTH_DESK_H
#define TESTS_LIB_AUTH_DESK_H

#include "tests/lib/challenges.h"

#define ALL 0x1eu
#define BASIC (1u << AUTH_BASIC)
#define DIGEST (1u << AUTH_DIGEST)
#define NONCE(n) "Digest realm=\"p\", qop=\"auth\", nonce=\"" n "\""
#define STALE(n) NONCE(n) ", stale=true"
#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

extern struct loop *loop;
extern struct auth *auth;
extern struct talker a, b, c;

int desk_set_up(void **state);
int desk_tear_down(void **state);
struct auth *desk_auth(const char *user, const char *password, unsigned allowed);
void desk_turn(void);
/* The dialogue's sentence has that in it, and no password. */
void desk_says(const struct talker *, const char *what);
/* The password was accepted by that challenge, on a connection of its own. */
void desk_prove(const char *challenge);

#endif
