/* The router with all around it made by hand: requests go in, and what became of them is seen. */
#ifndef TESTS_LIB_FRONTING_H
#define TESTS_LIB_FRONTING_H

#include "server/front.h"
#include "tunnel/seal.h"
#include "tunnel/sealed.h"

#define FRONTING_WALL 1700000000
#define FRONTING_SID "AAAAAAAAAAAAAAAAAAAAAA"
#define FRONTING_GOOD "/culvert/v1/" FRONTING_SID "?c=0&x=7&m=hello"

extern struct fronting {
	struct loop *loop;
	struct credentials *credentials;
	struct cover *cover;
	struct front front;
	struct front_visitor visitor;	/* who asks */
	char error[512];
	struct {		/* the exchange */
		struct exchange x;
		uint8_t room[EXCHANGE_ROOM_MAX];
		char answer[2048];	/* "status CRLF lines body" */
		bool complete, aborted;
	} fake;

	/* sessions */
	char accepted_as[80];
	struct request accepted;
	struct exchange *taken;
	bool sealed_session;	/* the session was used sealed before */

	/* seals, and what opens */
	struct seal *seal;	/* number 9 */
	struct {
		const struct sealed_events *events;
		void *ctx;
		char path_query[200];
	} opening;
	enum { OPENS, OPENS_UNBOUND, OPENS_EMPTY, FAILS, CLOSES } becomes;
	unsigned visits, proofs, entered;
	bool no_visits, crowded;

	struct {		/* the website */
		struct fallback *fallback;
		char target[200], peer[80];
		bool tls, bodiless;
		int count;
	} passed;
} fronting;

int fronting_set_up(void **state);
int fronting_tear_down(void **state);
struct credentials *fronting_load(const char *text);
/* The exchange is as new. */
void fronting_fresh(void);
/* Those of a parser of requests that go to the router. */
extern const struct http1_events fronting_events;
/* Passes a whole request through the parser to the router; signed: the target to sign, or NULL. */
void fronting_request(const char *method, const char *target, const char *signed_target, int64_t at);
/* Does so, and it must get the cover. */
void fronting_covered(const char *method, const char *target, const char *signed_target, int64_t at);

#define FRONTING_TEST(f) cmocka_unit_test_setup_teardown(f, fronting_set_up, fronting_tear_down)

#endif
