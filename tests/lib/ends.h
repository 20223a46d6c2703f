/*
 * The two ends of a sealed exchange without a connection: an exchange below each that keeps what is written, a user above each
 * that keeps what arrives. Tests carry the bytes between them, as they are or not.
 */
#ifndef TESTS_LIB_ENDS_H
#define TESTS_LIB_ENDS_H

#include "tunnel/sealed.h"

#define TARGET "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=1&m=poll&hold=0&k=1&s=7&e=0000000000000001"
#define OTHER "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=2&m=poll&hold=0&k=1&s=7&e=0000000000000001"
#define AUTHORIZATION "Culvert id=anna, ts=1700000000, mac=Fw4XUkZNFtSg0DbHhcYJqEeLWTyvRMggeFBBowgPNGE"
#define BODY_MAX 400000

/* The exchange below: what a connection would send. */
struct below {
	struct exchange x;
	uint8_t room[EXCHANGE_ROOM_INNER], out[BODY_MAX];
	size_t n;
	unsigned heads, ends, aborts;
	bool full, paused, sparse;
};

/* Who uses the sealed one. */
struct user {
	struct exchange *x;
	uint8_t in[BODY_MAX];
	size_t n;
	unsigned heads, ends, writables, closed, opened, failed, gone;
	int error, body_code;
	bool pause, abort, take_nothing, unwanted, abort_when_opened;
	char authorization[200], why[200];
};

extern struct ends {
	struct loop *loop;
	struct seal *seals[2];	/* the helper's, the server's */
	struct below up, down;	/* the helper's, the server's */
	struct user helper, server;
} ends;

/* Two ends of one seal; another seed: another one. */
void ends_seals_new(struct seal **two, uint8_t seed);
/* Everything that waits for the end of the turn. */
void ends_turn(void);
/* A sealed exchange of each, fresh. */
void ends_helper_begin(void);
void ends_server_begin_with(struct seal *seal, const char *target);
void ends_server_begin(void);
/* The connection goes. */
void ends_cut(struct below *b);
void ends_cut_both(void);
uint8_t ends_pattern(size_t i, uint8_t seed);
/* n bytes of a pattern, by whoever. */
int ends_send_from(struct user *u, const struct exchange_head *head, size_t n, uint8_t seed, bool end);
int ends_ask_for(const char *target, size_t n, uint8_t seed, bool end);
int ends_ask(size_t n, uint8_t seed, bool end);
int ends_answer(size_t n, uint8_t seed, bool end);
/* What the connection brings to an exchange, in pieces of their own memory; the first code that is returned. */
int ends_bring(struct below *to, const uint8_t *p, size_t n, size_t piece);
/* The head of the answer. */
void ends_bring_head(int status);
/* That much of the pattern arrived, behind `from` bytes, and nothing more. */
void ends_expect_in(const struct user *u, size_t from, size_t n, uint8_t seed);
/* For cmocka. */
int ends_set_up(void **state);
int ends_tear_down(void **state);

#endif
