/* Negotiate and NTLM: to come. */
#include "client/auth_internal.h"

static bool token_offered(struct auth_dialogue *d, const struct challenge *c)
{
	auth_missing(d->auth, challenge_is(c, "NTLM") ? AUTH_NTLM : AUTH_NEGOTIATE, "not supported yet");
	return false;
}

const struct auth_method auth_ntlm = { .scheme = AUTH_NTLM, .name = "NTLM", .bound = true, .offered = token_offered };
const struct auth_method auth_negotiate = { .scheme = AUTH_NEGOTIATE, .name = "Negotiate", .bound = true, .offered = token_offered };
