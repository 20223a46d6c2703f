/* A proxy's side of NTLM that really verifies: gss-ntlmssp as acceptor, with users of a file (NTLM_USER_FILE). For tests. */
#ifndef TESTS_LIB_NTLM_H
#define TESTS_LIB_NTLM_H

#include <stdbool.h>
#include <stddef.h>

struct ntlm;

/* Sets NTLM_USER_FILE to a new file with that "DOMAIN:user:password" line; removed by ntlm_done. */
void ntlm_users(const char *line);
void ntlm_done(void);

struct ntlm *ntlm_new(bool spnego);	/* spnego: Negotiate with NTLM inside */
void ntlm_free(struct ntlm *);
/* One message of the other side, in base64. 1: it is who it says; 0: out is what to answer; -1: it is not. */
int ntlm_take(struct ntlm *, const char *in, char *out, size_t cap);
/* Who it is: "DOMAIN\\user" or as the mechanism says; good until ntlm_free. */
const char *ntlm_who(const struct ntlm *);

#endif
