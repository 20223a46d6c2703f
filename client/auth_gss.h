/*
 * One dialogue by GSSAPI (RFC 4559 and NTLM over HTTP): tokens for the proxy. Every call
 * may block for as long as the Kerberos library likes; one thread at a time uses an
 * object.
 */
#ifndef CLIENT_AUTH_GSS_H
#define CLIENT_AUTH_GSS_H

#include <stddef.h>
#include <stdint.h>

enum auth_gss_kind {
	AUTH_GSS_TICKET,	/* SPNEGO with Kerberos: ticket cache or client keytab */
	AUTH_GSS_SPNEGO_NTLM,	/* SPNEGO with NTLM inside, by password */
	AUTH_GSS_NTLM,		/* NTLM as it is, by password */
};

enum auth_gss_end {
	AUTH_GSS_OK,		/* here is a token */
	AUTH_GSS_NO_TICKET,	/* none, or an expired one */
	AUTH_GSS_ABSENT,	/* the mechanism is not installed */
	AUTH_GSS_FAILED,
};

struct auth_gss;
struct auth_gss_login;

struct auth_gss_result {
	uint8_t *token;		/* the caller's (free); NULL: none */
	size_t n;
	char why[300];		/* of a failure, for people */
	char principal[256];	/* whose ticket it is; "": unknown */
	int64_t expires;	/* Unix seconds, when it ends (give or take one); 0: none was used */
};

/* User and password, and what the library makes of them, once for all dialogues of a thread (gss-ntlmssp 1.2 loses 6 KB each
 * time). Texts are copied, the password is wiped at the end. */
struct auth_gss_login *auth_gss_login_new(const char *user, const char *password);
void auth_gss_login_release(struct auth_gss_login *); /* from any thread. NULL is fine */

/* host: of the proxy; user: for messages, or NULL. login: a reference is taken; NULL for tickets. */
struct auth_gss *auth_gss_new(enum auth_gss_kind, const char *host, const char *user, struct auth_gss_login *);
void auth_gss_free(struct auth_gss *); /* NULL is fine */
/* The next token; in: what the proxy said (n = 0: nothing yet). out is written whole. */
enum auth_gss_end auth_gss_step(struct auth_gss *, const uint8_t *in, size_t n, struct auth_gss_result *out);

#endif
