/*
 * Auth: proving to one proxy who we are (RFC 9110 section 11.7): Basic (RFC 7617),
 * Digest (RFC 7616), Negotiate (RFC 4559) and NTLM by GSSAPI; the strongest that is
 * offered and allowed. Shared by all connections to that proxy, so that after the
 * first refusal requests carry what is wanted at once. A rejected password is tried
 * once more at most, then never again until the configuration is read anew; at all proxies
 * together three times, while none accepts it.
 */
#ifndef CLIENT_AUTH_H
#define CLIENT_AUTH_H

#include "client/proxy.h"
#include "framing/http1.h"
#include "tunnel/loop.h"

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_DIGEST, AUTH_NTLM, AUTH_NEGOTIATE }; /* weakest first */

#define AUTH_LINE_MAX 12000	/* bytes of the header line with its CRLF: Kerberos tickets with many groups */

struct auth;
struct auth_dialogue;	/* on one connection */

struct auth_config {
	struct loop *loop;
	const struct proxy *proxy;
	const char *password;	/* NULL or "": none; copied, wiped at the end */
	unsigned allowed;	/* bit 1 << auth_scheme of those that may be used */
};

struct auth *auth_new(const struct auth_config *);
void auth_free(struct auth *);	/* dialogues may be left: connections live longer than a reload. NULL is fine */
struct auth *auth_keep(struct auth *);	/* auth_free once more */
/* Made for the same proxy it would say the same: user, password and schemes. */
bool auth_is_same(const struct auth *, const struct auth_config *);
/* The same password at another proxy: what both reject counts together. */
void auth_join(struct auth *, struct auth *);
/* Somebody says that what was rejected is right now: it may be tried again, a password once. */
void auth_forget(struct auth *);
/* For status: the scheme in use, and the user as shown to people ("" unknown). */
enum auth_scheme auth_scheme(const struct auth *);
const char *auth_scheme_name(enum auth_scheme);
const char *auth_user(const struct auth *);
/* The scheme in use binds credentials to the connection (NTLM, Negotiate): each is authenticated on an exchange without body. */
bool auth_is_bound(const struct auth *);

/* ready: a line that was not there in time is now (Kerberos and NTLM are computed by a thread of their own). Never from
 * within auth_*. */
struct auth_dialogue *auth_begin(struct auth *, void (*ready)(void *ctx), void *ctx);
void auth_end(struct auth_dialogue *);	/* NULL is fine */
/* The line "Proxy-Authorization: ...\r\n" for the next request, "" when none is known to be wanted: its length; ERROR_AGAIN:
 * ready comes; ERROR_PROXY_AUTH: it is hopeless (auth_why). method, uri: as in the request line. A streamed request and one that
 * follows on a bound connection asks as well. */
ssize_t auth_line(struct auth_dialogue *, const char *method, const char *uri, char *out, size_t cap);
/* A 407 came. 0: the next auth_line may help (on this connection if it is kept; on_new: on a new one as well), else
 * ERROR_PROXY_AUTH and auth_why. */
int auth_challenged(struct auth_dialogue *, const struct http1_head *, bool *on_new);
/* Another answer came: what was sent is accepted. Authentication-Info of the head is looked at (Digest: nextnonce). */
void auth_accepted(struct auth_dialogue *, const struct http1_head *);
/* The proxy closed the connection in the place of an answer. That counts as a 407 when a password was sent that was never accepted: some
 * proxies do so with wrong ones. 0, or ERROR_PROXY_AUTH and auth_why. */
int auth_cut(struct auth_dialogue *);
/* SOCKS5 (RFC 1929), where no scheme is asked for: name and password as they are; they live as long as the auth. 0; ERROR_AGAIN:
 * ready comes; ERROR_PROXY_AUTH (auth_why): there are none, they were rejected, or Basic, which is as clear, is not allowed. */
int auth_login(struct auth_dialogue *, const char **user, const char **password);
/* How that ended: 0, or, rejected, ERROR_PROXY_AUTH. */
int auth_login_answered(struct auth_dialogue *, bool accepted);
/* The proxy closed the connection in the place of an answer, as some reject: ERROR_PROXY_AUTH, or, where they were accepted before,
 * ERROR_PROXY, a few times (auth_why). */
int auth_login_cut(struct auth_dialogue *);
/* Why it is hopeless: a sentence for people that names the proxy, the scheme, the user and what to do. After ERROR_AGAIN: what
 * is waited for, should a deadline of the caller's pass. */
const char *auth_why(const struct auth_dialogue *);
/* The proxy wanted credentials, and there were none that it accepts: whoever asks it again hears why. */
bool auth_is_refused(const struct auth *);

#endif
