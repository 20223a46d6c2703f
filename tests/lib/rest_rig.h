/*
 * A REST server without sockets, in virtual time: requests go in as exchanges, and the target of the one service is here, too.
 */
#ifndef TESTS_LIB_REST_RIG_H
#define TESTS_LIB_REST_RIG_H

#include "server/front.h"
#include "server/rest.h"
#include "server/rest_text.h"
#include "tunnel/channel.h"

#define RIG_BASE "/culvert"
#define RIG_SID "AAAAAAAAAAAAAAAAAAAAAA"

/* The target: gets whole messages, sends what it is told to. */
struct rig_target {
	struct channel *channel;	/* NULL: none is open */
	struct websocket_reader *reader;
	struct rest_text message;	/* that is coming */
	struct rest_text waiting;	/* frames for which the channel had no room */
	size_t appetite;		/* bytes that it takes in a call at most; 0: it is stuck */
	bool pending, finished, closed;
	uint64_t code;			/* of closed */
	/* A message came. */
	void (*got)(void *ctx, int opcode, const uint8_t *p, size_t n);
	void *ctx;
	unsigned close_code;
};

struct rig {
	struct loop *loop;
	struct packet_pool *pool;
	struct sessions *sessions;
	struct credentials *credentials;
	struct rest *rest;
	struct front front;
	struct rig_target target;
	char bearer[128];
	bool defer;		/* the target opens when rig_accept says so */
	uint64_t refuse;	/* a code: it is refused */
	enum front_crowd crowd;	/* of who asks */
};

/* One request and its answer. */
struct rig_call {
	struct exchange x;
	struct front_visitor visitor;
	struct rig *rig;
	uint8_t room[EXCHANGE_ROOM_MAX];
	int status;
	char lines[2048];
	struct rest_text answer;
	bool answered, closed, stuck, aborted;
};

void rig_init(struct rig *, const struct rest_config *, size_t max_sessions);
void rig_fini(struct rig *);
void rig_run(struct rig *, int64_t us);	/* time passes */
void rig_accept(struct rig *, const char *protocol);
void rig_send(struct rig *, int opcode, const void *p, size_t n); /* the target does */
void rig_send_close(struct rig *, unsigned code, const char *reason);

/* Sends a request: lines are "Name: value\n" each; NULL authorization line: the rig's bearer is added. body may be NULL. */
struct rig_call *rig_ask(struct rig *, const char *method, const char *target, const char *lines, const void *body, size_t n);
/* There is room again. */
void rig_unstick(struct rig_call *);
/* The client is gone, or has its answer: frees the call. */
void rig_drop(struct rig_call *);

#endif
