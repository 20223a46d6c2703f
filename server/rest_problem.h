/* REST problems: errors that say what to do (RFC 9457; REST.md 7). */
#ifndef SERVER_REST_PROBLEM_H
#define SERVER_REST_PROBLEM_H

#include "server/rest_call.h"

/* Answers the call. code: a word for programs; detail: a sentence; lines: header lines besides, each with CRLF, or "". */
void rest_problem(struct rest_call *, int status, const char *code, const char *detail, const char *lines);

#endif
