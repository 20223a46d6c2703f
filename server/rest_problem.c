/*
 * Errors of the REST server. All of them go out here.
 */
#include "server/rest_problem.h"

#include <string.h>

#include "framing/http1.h"

void rest_problem(struct rest_call *c, int status, const char *code, const char *detail, const char *lines)
{
	struct rest_text *t = &c->answer;

	rest_text_fini(t);
	rest_text_print(t, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":", http1_reason(status), status,
			code);
	rest_text_string(t, (const uint8_t *)detail, strlen(detail));
	rest_text_print(t, "}\n");
	rest_call_answer(c, status, "application/problem+json", lines);
}
