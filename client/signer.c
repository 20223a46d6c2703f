/*
 * The signer. Owned by helper.c, asked by attachment.c for each request; calls
 * credential.c.
 */
#include "client/signer.h"

#include "tunnel/log.h"

#define TOLERANCE 60		/* seconds */

void signer_init(struct signer *s, const struct loop *loop, struct credentials *credentials)
{
	*s = (struct signer){ .loop = loop, .credentials = credentials };
}

void signer_fini(struct signer *s)
{
	credentials_free(s->credentials);
	s->credentials = NULL;
}

void signer_replace(struct signer *s, struct credentials *credentials)
{
	credentials_free(s->credentials);
	s->credentials = credentials;
}

size_t signer_sign(const struct signer *s, char *out, size_t cap, const char *method, const char *target, struct span binding)
{
	return credentials_sign(s->credentials, out, cap, method, target, binding, loop_wall(s->loop) + s->offset);
}

bool signer_correct(struct signer *s, int64_t date)
{
	int64_t offset = date - loop_wall(s->loop);
	int64_t change = offset - s->offset;

	if (date <= 0 || (change <= TOLERANCE && change >= -TOLERANCE))
		return false;
	s->offset = offset;
	log_warn("clock", "", "the clock of this machine is %lld s %s the server's; requests are signed with the server's time",
		 (long long)(offset < 0 ? -offset : offset), offset < 0 ? "ahead of" : "behind");
	return true;
}
