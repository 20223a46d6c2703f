/* NTLM's acceptor by GSSAPI. */
#include "tests/lib/ntlm.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/base64.h"

/* gss-ntlmssp 1.2 loses what it makes of a password; only the slow way finds out that it was it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:gssntlmssp.so\n";
}

static gss_OID_desc spnego_oid = { 6, "\x2b\x06\x01\x05\x05\x02" };
static gss_OID_desc ntlm_oid = { 10, "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" };

struct ntlm {
	gss_cred_id_t credentials;
	gss_ctx_id_t context;
	char who[300];
};

static char users[] = "/tmp/test_ntlm.XXXXXX";

void ntlm_users(const char *line)
{
	int fd;

	strcpy(users + strlen(users) - 6, "XXXXXX");
	fd = mkstemp(users);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	close(fd);
	setenv("NTLM_USER_FILE", users, 1);
	setenv("NETBIOS_COMPUTER_NAME", "PROXY", 1);
	setenv("NETBIOS_DOMAIN_NAME", "ZOO", 1);
}

void ntlm_done(void)
{
	unlink(users);
	unsetenv("NTLM_USER_FILE");
}

struct ntlm *ntlm_new(bool spnego)
{
	gss_OID_set_desc only = { 1, &ntlm_oid }, negotiation = { 1, &spnego_oid };
	struct ntlm *n = calloc(1, sizeof *n);
	OM_uint32 major, minor;

	assert_non_null(n);
	major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, spnego ? &negotiation : &only, GSS_C_ACCEPT,
				 &n->credentials, NULL, NULL);
	if (!GSS_ERROR(major) && spnego)
		major = gss_set_neg_mechs(&minor, n->credentials, &only);
	assert_false(GSS_ERROR(major));
	return n;
}

void ntlm_free(struct ntlm *n)
{
	OM_uint32 minor;

	if (!n)
		return;
	gss_delete_sec_context(&minor, &n->context, GSS_C_NO_BUFFER);
	gss_release_cred(&minor, &n->credentials);
	free(n);
}

int ntlm_take(struct ntlm *n, const char *in, char *out, size_t cap)
{
	uint8_t octets[8192];
	ssize_t len = base64_decode(octets, sizeof octets, in, strlen(in), false);
	gss_buffer_desc said = { (size_t)len, octets }, token = GSS_C_EMPTY_BUFFER, text = GSS_C_EMPTY_BUFFER;
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 major, minor, ignored;

	assert_true(len > 0);
	out[0] = 0;
	major = gss_accept_sec_context(&minor, &n->context, n->credentials, &said, GSS_C_NO_CHANNEL_BINDINGS, &name, NULL, &token,
				       NULL, NULL, NULL);
	if (!GSS_ERROR(major) && token.length) {
		assert_true(base64_len(token.length, false) < cap);
		base64_encode(out, token.value, token.length, false);
	}
	if (major == GSS_S_COMPLETE && gss_display_name(&ignored, name, &text, NULL) == GSS_S_COMPLETE)
		snprintf(n->who, sizeof n->who, "%.*s", (int)text.length, (char *)text.value);
	gss_release_buffer(&ignored, &text);
	gss_release_buffer(&ignored, &token);
	gss_release_name(&ignored, &name);
	return GSS_ERROR(major) ? -1 : major == GSS_S_COMPLETE;
}

const char *ntlm_who(const struct ntlm *n)
{
	return n->who;
}
