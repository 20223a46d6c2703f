/* Asks: one HTTP/1.1 request over a ready stream, and what came back, whoever it came from. */
#ifndef CLIENT_DOCTOR_ASK_H
#define CLIENT_DOCTOR_ASK_H

#include "client/doctor_box.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

struct ask;

struct ask_answer {
	int error;		/* 0: a head came; ERROR_MALFORMED: no HTTP; ERROR_EOF, ERROR_RESET, ERROR_TIMEOUT ... */
	int status, minor;	/* of HTTP/1.minor */
	bool close;		/* the connection ends with it */
	int64_t took_us;	/* from the request to the head */
	char schemes[96];	/* of Proxy-Authenticate: "Negotiate, Basic" */
	bool culvertd;		/* its Server header says so */
	struct box_evidence evidence;
};

/* Sends "METHOD target HTTP/1.1" with Host and further lines (each with CRLF; may be ""). The stream stays the caller's but has our
 * events until done, which comes once, in a later turn; the ask is gone when it returns. */
struct ask *ask_start(struct loop *, struct stream *, const char *method, const char *target, const char *host,
		      const char *lines, int64_t timeout_us, void (*done)(void *ctx, const struct ask_answer *), void *ctx);
/* done is not called. NULL is fine. */
void ask_cancel(struct ask *);

#endif
