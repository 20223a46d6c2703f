/*
 * GSSAPI: credentials, security contexts, and its errors in words that help. Called by
 * the thread of auth_token.c; the only file that sees the library.
 */
#include "client/auth_gss.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "framing/ntlm_challenge.h"

#define OID(text) { sizeof text - 1, (void *)text }

static gss_OID_desc krb5 = OID("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02");		/* 1.2.840.113554.1.2.2 */
static gss_OID_desc spnego = OID("\x2b\x06\x01\x05\x05\x02");			/* 1.3.6.1.5.5.2 */
static gss_OID_desc ntlm = OID("\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a");	/* 1.3.6.1.4.1.311.2.2.10 */

struct auth_gss_login {
	atomic_uint refs;
	char *user, *password;
	gss_cred_id_t ntlm, spnego;	/* when first needed */
};

struct auth_gss {
	enum auth_gss_kind kind;
	char *host, *user;
	struct auth_gss_login *login;
	gss_name_t service;
	gss_cred_id_t ticket;
	gss_ctx_id_t context;
	char principal[256];
	int64_t expires;	/* of the ticket */
};

static char *copy(const char *s)
{
	char *c = s ? strdup(s) : NULL;

	if (s && !c)
		abort();
	return c;
}

struct auth_gss_login *auth_gss_login_new(const char *user, const char *password)
{
	struct auth_gss_login *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	atomic_init(&l->refs, 1);
	l->user = copy(user);
	l->password = copy(password);
	return l;
}

void auth_gss_login_release(struct auth_gss_login *l)
{
	OM_uint32 minor;

	if (!l || atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	gss_release_cred(&minor, &l->ntlm);
	gss_release_cred(&minor, &l->spnego);
	explicit_bzero(l->password, strlen(l->password));
	free(l->password);
	free(l->user);
	free(l);
}

struct auth_gss *auth_gss_new(enum auth_gss_kind kind, const char *host, const char *user, struct auth_gss_login *login)
{
	struct auth_gss *g = calloc(1, sizeof *g);

	if (!g)
		abort();
	g->kind = kind;
	g->host = copy(host);
	g->user = copy(user);
	g->login = login;
	if (login)
		atomic_fetch_add(&login->refs, 1);
	return g;
}

void auth_gss_free(struct auth_gss *g)
{
	OM_uint32 minor;

	if (!g)
		return;
	gss_delete_sec_context(&minor, &g->context, GSS_C_NO_BUFFER);
	gss_release_cred(&minor, &g->ticket);
	gss_release_name(&minor, &g->service);
	auth_gss_login_release(g->login);
	free(g->user);
	free(g->host);
	free(g);
}

/* ---- words ---- */

/* What the library says, in one line: of the mechanism if it says something, else in general. */
static void status_text(OM_uint32 major, OM_uint32 minor, gss_OID mechanism, char *out, size_t size)
{
	OM_uint32 ignored, more = 0;
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;

	out[0] = 0;
	if (minor && gss_display_status(&ignored, minor, GSS_C_MECH_CODE, mechanism, &more, &text) == GSS_S_COMPLETE) {
		snprintf(out, size, "%.*s", (int)text.length, (char *)text.value);
		gss_release_buffer(&ignored, &text);
	}
	more = 0;
	if (!out[0] && gss_display_status(&ignored, major, GSS_C_GSS_CODE, mechanism, &more, &text) == GSS_S_COMPLETE) {
		snprintf(out, size, "%.*s", (int)text.length, (char *)text.value);
		gss_release_buffer(&ignored, &text);
	}
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

static void name_text(gss_name_t name, char *out, size_t size)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;

	out[0] = 0;
	if (name == GSS_C_NO_NAME || gss_display_name(&minor, name, &text, NULL) != GSS_S_COMPLETE)
		return;
	snprintf(out, size, "%.*s", (int)text.length, (char *)text.value);
	gss_release_buffer(&minor, &text);
}

static OM_uint32 import_name(const char *s, gss_OID type, gss_name_t *out, OM_uint32 *minor)
{
	gss_buffer_desc text = { strlen(s), (void *)s };

	return gss_import_name(minor, &text, type, out);
}

/* " alice@REALM", as kinit wants it, or "" when it finds out by itself. */
static void kinit_argument(const struct auth_gss *g, char *out, size_t size)
{
	gss_name_t name = GSS_C_NO_NAME, full = GSS_C_NO_NAME;
	char text[256] = "";
	OM_uint32 minor;

	if (g->principal[0]) {
		snprintf(out, size, " %s", g->principal);
		return;
	}
	out[0] = 0;
	if (!g->user || !g->user[0] || strchr(g->user, '\\'))
		return;
	if (import_name(g->user, GSS_C_NT_USER_NAME, &name, &minor) == GSS_S_COMPLETE &&
	    gss_canonicalize_name(&minor, name, &krb5, &full) == GSS_S_COMPLETE)
		name_text(full, text, sizeof text);
	gss_release_name(&minor, &full);
	gss_release_name(&minor, &name);
	snprintf(out, size, " %s", text[0] ? text : g->user);
}

static enum auth_gss_end no_ticket(const struct auth_gss *g, const char *detail, struct auth_gss_result *out)
{
	char who[260];

	kinit_argument(g, who, sizeof who);
	if (g->principal[0])
		snprintf(out->why, sizeof out->why, "the Kerberos ticket of %.110s has expired: run kinit%.111s", g->principal, who);
	else
		snprintf(out->why, sizeof out->why, "there is no Kerberos ticket (%.140s): run kinit%.111s", detail, who);
	return AUTH_GSS_NO_TICKET;
}

/* ---- credentials ---- */

/* Whose ticket it is, and until when. */
static enum auth_gss_end inspect(struct auth_gss *g, gss_cred_id_t c, struct auth_gss_result *out)
{
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 major, minor, lifetime = 0;
	char text[160];

	major = gss_inquire_cred(&minor, c, &name, &lifetime, NULL, NULL);
	if (GSS_ERROR(major)) {
		status_text(major, minor, &krb5, text, sizeof text);
		return no_ticket(g, text, out);
	}
	name_text(name, g->principal, sizeof g->principal);
	gss_release_name(&minor, &name);
	if (lifetime == 0)
		return no_ticket(g, "expired", out);
	g->expires = (int64_t)time(NULL) + lifetime;
	return AUTH_GSS_OK;
}

static enum auth_gss_end acquire_ticket(struct auth_gss *g, struct auth_gss_result *out)
{
	gss_OID_set_desc kerberos = { 1, &krb5 }, negotiation = { 1, &spnego };
	gss_cred_id_t c = GSS_C_NO_CREDENTIAL;
	enum auth_gss_end end;
	OM_uint32 major, minor;
	char text[160];

	major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &kerberos, GSS_C_INITIATE, &c, NULL, NULL);
	if (GSS_ERROR(major)) {
		status_text(major, minor, &krb5, text, sizeof text);
		return no_ticket(g, text, out);
	}
	end = inspect(g, c, out);
	gss_release_cred(&minor, &c);
	if (end != AUTH_GSS_OK)
		return end;
	major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &negotiation, GSS_C_INITIATE, &g->ticket, NULL, NULL);
	if (!GSS_ERROR(major))
		major = gss_set_neg_mechs(&minor, g->ticket, &kerberos);
	if (!GSS_ERROR(major))
		return AUTH_GSS_OK;
	status_text(major, minor, &spnego, text, sizeof text);
	snprintf(out->why, sizeof out->why, "SPNEGO cannot be used: %s", text);
	return AUTH_GSS_FAILED;
}

static bool has_ntlm(void)
{
	gss_OID_set mechanisms = GSS_C_NO_OID_SET;
	OM_uint32 minor;
	int there = 0;

	if (gss_indicate_mechs(&minor, &mechanisms) == GSS_S_COMPLETE)
		gss_test_oid_set_member(&minor, &ntlm, mechanisms, &there);
	gss_release_oid_set(&minor, &mechanisms);
	return there;
}

static OM_uint32 log_in(struct auth_gss_login *l, gss_OID mechanism, gss_cred_id_t *out, OM_uint32 *minor)
{
	gss_OID_set_desc only = { 1, mechanism }, within = { 1, &ntlm };
	gss_buffer_desc password = { strlen(l->password), l->password };
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 major, ignored;

	major = import_name(l->user, GSS_C_NT_USER_NAME, &name, minor);
	if (!GSS_ERROR(major))
		major = gss_acquire_cred_with_password(minor, name, &password, GSS_C_INDEFINITE, &only, GSS_C_INITIATE, out, NULL, NULL);
	gss_release_name(&ignored, &name);
	if (!GSS_ERROR(major) && mechanism == &spnego)
		major = gss_set_neg_mechs(minor, *out, &within);
	if (GSS_ERROR(major))
		gss_release_cred(&ignored, out);
	return major;
}

static enum auth_gss_end acquire_by_password(struct auth_gss *g, struct auth_gss_result *out)
{
	struct auth_gss_login *l = g->login;
	bool alone = g->kind == AUTH_GSS_NTLM;
	gss_cred_id_t *credentials = alone ? &l->ntlm : &l->spnego;
	OM_uint32 major, minor;
	char text[160];

	if (*credentials != GSS_C_NO_CREDENTIAL)
		return AUTH_GSS_OK;
	if (!has_ntlm()) {
		snprintf(out->why, sizeof out->why, "not available here: install gss-ntlmssp");
		return AUTH_GSS_ABSENT;
	}
	major = log_in(l, alone ? &ntlm : &spnego, credentials, &minor);
	if (!GSS_ERROR(major))
		return AUTH_GSS_OK;
	status_text(major, minor, &ntlm, text, sizeof text);
	snprintf(out->why, sizeof out->why, "gss-ntlmssp cannot use the name '%.100s': %s", l->user, text);
	return AUTH_GSS_FAILED;
}

/* ---- tokens ---- */

/* SPNEGO hides what Kerberos said: it is asked again, alone. */
static void real_reason(struct auth_gss *g, char *text, size_t size)
{
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
	OM_uint32 major, minor, ignored;

	major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &context, g->service, &krb5, 0, 0, GSS_C_NO_CHANNEL_BINDINGS,
				     GSS_C_NO_BUFFER, NULL, &token, NULL, NULL);
	if (GSS_ERROR(major))
		status_text(major, minor, &krb5, text, size);
	gss_release_buffer(&ignored, &token);
	gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
}

static enum auth_gss_end explain(struct auth_gss *g, OM_uint32 major, OM_uint32 minor, struct auth_gss_result *out)
{
	gss_OID mechanism = g->kind == AUTH_GSS_NTLM ? &ntlm : &spnego;
	char text[160];

	status_text(major, minor, mechanism, text, sizeof text);
	if (g->kind != AUTH_GSS_TICKET) {
		snprintf(out->why, sizeof out->why, "no answer to the proxy's message: %s", text);
		return AUTH_GSS_FAILED;
	}
	real_reason(g, text, sizeof text);
	if (GSS_ROUTINE_ERROR(major) == GSS_S_CREDENTIALS_EXPIRED || strcasestr(text, "expired"))
		return no_ticket(g, text, out);
	snprintf(out->why, sizeof out->why, "no Kerberos ticket for the proxy, HTTP/%.80s (%.150s)", g->host, text);
	return AUTH_GSS_FAILED;
}

static enum auth_gss_end begin(struct auth_gss *g, struct auth_gss_result *out)
{
	char service[300];
	OM_uint32 minor;

	snprintf(service, sizeof service, "HTTP@%s", g->host);
	if (GSS_ERROR(import_name(service, GSS_C_NT_HOSTBASED_SERVICE, &g->service, &minor))) {
		snprintf(out->why, sizeof out->why, "'%.100s' cannot be the name of a service", g->host);
		return AUTH_GSS_FAILED;
	}
	return g->kind == AUTH_GSS_TICKET ? acquire_ticket(g, out) : acquire_by_password(g, out);
}

static enum auth_gss_end next_token(struct auth_gss *g, const uint8_t *in, size_t n, struct auth_gss_result *out)
{
	uint8_t complete[NTLM_CHALLENGE_MAX];
	size_t more = g->kind == AUTH_GSS_NTLM ? ntlm_challenge_complete(in, n, complete) : 0;
	gss_buffer_desc said = { more ? more : n, more ? complete : (void *)in }, token = GSS_C_EMPTY_BUFFER;
	gss_OID mechanism = g->kind == AUTH_GSS_NTLM ? &ntlm : &spnego;
	gss_cred_id_t credentials = g->kind == AUTH_GSS_TICKET ? g->ticket : g->kind == AUTH_GSS_NTLM ? g->login->ntlm : g->login->spnego;
	OM_uint32 major, minor, ignored;

	major = gss_init_sec_context(&minor, credentials, &g->context, g->service, mechanism, 0, 0, GSS_C_NO_CHANNEL_BINDINGS,
				     n ? &said : GSS_C_NO_BUFFER, NULL, &token, NULL, NULL);
	if (GSS_ERROR(major)) {
		gss_release_buffer(&ignored, &token);
		return explain(g, major, minor, out);
	}
	if (token.length == 0) {
		snprintf(out->why, sizeof out->why, "the proxy asks on where nothing is left to say");
		return AUTH_GSS_FAILED;
	}
	out->token = malloc(token.length);
	if (!out->token)
		abort();
	memcpy(out->token, token.value, token.length);
	out->n = token.length;
	explicit_bzero(token.value, token.length);
	gss_release_buffer(&ignored, &token);
	return AUTH_GSS_OK;
}

enum auth_gss_end auth_gss_step(struct auth_gss *g, const uint8_t *in, size_t n, struct auth_gss_result *out)
{
	enum auth_gss_end end = AUTH_GSS_OK;

	memset(out, 0, sizeof *out);
	if (g->service == GSS_C_NO_NAME)
		end = begin(g, out);
	if (end == AUTH_GSS_OK)
		end = next_token(g, in, n, out);
	snprintf(out->principal, sizeof out->principal, "%s", g->principal);
	out->expires = g->expires;
	return end;
}
