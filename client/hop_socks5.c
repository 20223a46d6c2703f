/*
 * SOCKS5 (RFC 1928, 1929): greeting, user and password if they are wanted, and the
 * wish for one connection. Called by the dialler; calls the codec and auth.
 */
#include "client/hop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "framing/socks5.h"

enum socks5_state { GREETED, LOGGED_IN, WISHED };	/* what was sent last */

struct hop_socks5 {
	struct hop hop;
	struct auth_dialogue *dialogue;
	enum socks5_state state;
	uint8_t out[SOCKS5_MESSAGE_MAX], in[SOCKS5_MESSAGE_MAX];
	size_t size, written, got;
};

static void socks5_send(struct hop_socks5 *k, enum socks5_state state, ssize_t n)
{
	k->state = state;
	k->size = (size_t)n;
	k->written = 0;
	stream_want(k->hop.stream, true, true);
}

static void socks5_wish(struct hop_socks5 *k)
{
	const struct hop_config *c = k->hop.config;
	ssize_t n = socks5_connect_put(k->out, sizeof k->out, c->host, c->port);

	if (n < 0)
		hop_fail(&k->hop, ERROR_CONFIG, "'%s' cannot be the name of a server", c->host);
	else
		socks5_send(k, WISHED, n);
}

/* ---- what the proxy answers ---- */

static void socks5_log_in(struct hop_socks5 *k)
{
	const char *user, *password, *shown = k->hop.config->proxy->shown;
	ssize_t n;
	int rc;

	rc = auth_login(k->dialogue, &user, &password);
	if (rc == ERROR_AGAIN)
		return;		/* on_ready follows */
	if (rc < 0) {
		hop_fail(&k->hop, rc, "%s", auth_why(k->dialogue));
		return;
	}
	n = socks5_login_put(k->out, sizeof k->out, user, password);
	if (n < 0)
		hop_fail(&k->hop, ERROR_PROXY_AUTH, "the user name or password for the proxy %s is empty, or longer than the 255 bytes of SOCKS5",
			 shown);
	else
		socks5_send(k, LOGGED_IN, n);
}

static ssize_t on_method(struct hop_socks5 *k)
{
	const char *shown = k->hop.config->proxy->shown;
	uint8_t method;
	ssize_t n = socks5_method_get(k->in, k->got, &method);

	if (n <= 0)
		return n;
	if (method == SOCKS5_OPEN)
		socks5_wish(k);
	else if (method == SOCKS5_PASSWORD && k->dialogue)
		socks5_log_in(k);
	else if (method == SOCKS5_NONE && k->dialogue)
		hop_fail(&k->hop, ERROR_PROXY_AUTH, "the proxy %s accepts neither no authentication nor user and password", shown);
	else if (method == SOCKS5_NONE)
		hop_fail(&k->hop, ERROR_PROXY_AUTH, "the proxy %s wants credentials: put them into --proxy socks5://USER@... and "
			 "--proxy-password-file", shown);
	else
		return ERROR_MALFORMED;
	return n;
}

/* error: what it is for auth. */
static void socks5_rejected(struct hop_socks5 *k, int error)
{
	hop_fail(&k->hop, error, "%s", auth_why(k->dialogue));
}

static ssize_t on_login(struct hop_socks5 *k)
{
	bool accepted;
	ssize_t n = socks5_login_get(k->in, k->got, &accepted);

	if (n <= 0)
		return n;
	if (accepted) {
		auth_login_answered(k->dialogue, true);
		socks5_wish(k);
	} else {
		socks5_rejected(k, auth_login_answered(k->dialogue, false));
	}
	return n;
}

static ssize_t on_reply(struct hop_socks5 *k)
{
	const struct hop_config *c = k->hop.config;
	uint8_t code;
	ssize_t n = socks5_reply_get(k->in, k->got, &code);

	if (n <= 0)
		return n;
	if (code)
		hop_fail(&k->hop, code == 2 && c->last ? ERROR_DENIED : ERROR_PROXY, "the proxy %s could not connect to %s: %s",
			 c->proxy->shown, c->whom, socks5_reply_text(code));
	else if ((size_t)n < k->got) /* we speak first */
		hop_fail(&k->hop, ERROR_PROXY, "the proxy %s sent bytes behind its answer: is this a SOCKS5 proxy?", c->proxy->shown);
	else
		hop_succeed(&k->hop);
	return n;
}

/* One message at a time: the proxy cannot know what we say next. */
static void socks5_answer(struct hop_socks5 *k)
{
	static ssize_t (*const read_message[])(struct hop_socks5 *) = { on_method, on_login, on_reply };
	enum socks5_state state = k->state;
	ssize_t n = read_message[state](k);

	if (n == ERROR_MALFORMED || (n > 0 && state != WISHED && k->hop.stream && (size_t)n < k->got)) {
		hop_fail(&k->hop, ERROR_PROXY, "%s does not speak SOCKS5: is this a SOCKS5 proxy?", k->hop.config->proxy->shown);
		return;
	}
	if (n > 0)
		k->got = 0;
}

static void on_readable(void *ctx)
{
	struct hop_socks5 *k = ctx;
	const struct hop_config *c = k->hop.config;
	ssize_t n = stream_read(k->hop.stream, k->in + k->got, sizeof k->in - k->got);

	if (n == ERROR_AGAIN)
		return;
	if (n > 0) {
		k->got += (size_t)n;
		socks5_answer(k);
		return;
	}
	if (k->state == LOGGED_IN)
		socks5_rejected(k, auth_login_cut(k->dialogue));
	else
		hop_fail(&k->hop, ERROR_PROXY, "the proxy %s closed the connection instead of answering for %s: is this a SOCKS5 proxy?",
			 c->proxy->shown, c->whom);
}

static void on_writable(void *ctx)
{
	struct hop_socks5 *k = ctx;
	ssize_t n = stream_write(k->hop.stream, k->out + k->written, k->size - k->written);

	if (n == ERROR_AGAIN)
		return;
	/* An error shows when the answer is read. */
	k->written = n > 0 ? k->written + (size_t)n : k->size;
	if (k->written < k->size)
		return;
	explicit_bzero(k->out, sizeof k->out);
	stream_want(k->hop.stream, true, false);
}

static void on_failed(void *ctx, int error)
{
	struct hop_socks5 *k = ctx;

	hop_fail(&k->hop, error, "the connection to the proxy %s failed: %s", k->hop.config->proxy->shown, error_text(error));
}

static const struct stream_events events = { .readable = on_readable, .writable = on_writable, .failed = on_failed };

/* ---- the hop ---- */

static void on_ready(void *ctx)
{
	socks5_log_in(ctx);
}

static struct hop *socks5_start(const struct hop_config *c, struct stream *stream, hop_done *done, void *ctx)
{
	struct hop_socks5 *k = calloc(1, sizeof *k);

	if (!k)
		abort();
	hop_init(&k->hop, &hop_socks5, c, stream, done, ctx);
	k->dialogue = c->auth ? auth_begin(c->auth, on_ready, k) : NULL;
	stream_attach(stream, &events, k);
	socks5_send(k, GREETED, socks5_greeting_put(k->out, sizeof k->out, c->auth != NULL));
	return &k->hop;
}

static void socks5_stop(struct hop *h)
{
	struct hop_socks5 *k = (struct hop_socks5 *)h;

	explicit_bzero(k->out, sizeof k->out);
	auth_end(k->dialogue);
}

static void socks5_late(struct hop *h, double seconds, char *why, size_t size)
{
	const struct hop_config *c = h->config;

	if (((struct hop_socks5 *)h)->state == GREETED)
		snprintf(why, size, "the proxy %s did not answer within %.3g s: is this a SOCKS5 proxy?", c->proxy->shown, seconds);
	else
		snprintf(why, size, "the proxy %s did not connect to %s within %.3g s", c->proxy->shown, c->whom, seconds);
}

const struct hop_kind hop_socks5 = { "SOCKS5", socks5_start, socks5_stop, socks5_late };
