/*
 * REST call: one request and its answer, on an exchange: the body is collected, the answer goes out in one piece or as there is room.
 */
#ifndef SERVER_REST_CALL_H
#define SERVER_REST_CALL_H

#include "framing/rest_request.h"
#include "server/front.h"
#include "server/rest_session.h"
#include "server/rest_text.h"

#define REST_CALL_LINES 1280	/* bytes of header lines of an answer */

struct rest;
struct rest_stream;
struct rest_stream_form;

enum rest_method { REST_PUT, REST_POST, REST_GET, REST_DELETE, REST_OPTIONS, REST_NO_METHOD };
extern const char *const rest_method_names[REST_NO_METHOD];

struct rest_call {
	struct rest *rest;
	struct front_visitor *visitor;
	struct exchange *x;
	struct rest_request request;
	enum rest_method method;
	bool octets;		/* its body is records, and the answer */
	bool typed;		/* it has a content type that is one of ours */
	bool complete;		/* all of the request is there */
	bool answered;
	char identity[CREDENTIAL_NAME_MAX + 1];
	int64_t until_s;	/* Unix seconds when its credential ends; 0: never */
	char *origin;		/* of the page that asks, which may; NULL: it is none */
	bool private_network;	/* a preflight that asks for that, too */
	struct rest_text body, answer;
	size_t discarded;
	/* while the answer goes out */
	int status;
	char *lines;
	bool begun;
	size_t sent;
	/* while it waits */
	struct rest_session *session;
	struct rest_waiter waiter;
	struct timer timer;
	uint64_t after;
	int64_t until_us;
	bool created;
	bool quiet;		/* it wants no messages */
	const struct rest_stream_form *form;	/* of the answer that goes on which it asks for; NULL: none */
	struct rest_stream *stream;		/* that goes on */
};

/* For rest.c: takes the exchange over. ready: the request is there in full. */
struct rest_call *rest_call_new(struct rest *, struct front_visitor *, struct exchange *);
/* Answers with what is in call->answer (none: no body). type: of it. lines: as in rest_problem. */
void rest_call_answer(struct rest_call *, int status, const char *type, const char *lines);
/* The answer is what rest_stream.c sends by itself. lines: all but those of CORS. */
void rest_call_begin(struct rest_call *, const char *type, const char *lines);
/* It waits with nothing to send: what it needs no more is given back. */
void rest_call_park(struct rest_call *);
/* Ends it without a further word, and its exchange. */
void rest_call_drop(struct rest_call *);

#endif
