/* SOCKS5, as a client speaks it. Called by the dialler's hop of that kind; calls the cursors. */
#include "framing/socks5.h"

#include <arpa/inet.h>
#include <string.h>

#include "framing/cursor.h"
#include "framing/error.h"

#define VERSION 5
#define LOGIN_VERSION 1
#define CONNECT 1
#define STRING_MAX 255

enum { IPV4 = 1, NAME = 3, IPV6 = 4 };	/* ATYP */

static ssize_t written(const struct writer *w)
{
	return w->full ? ERROR_LIMIT : (ssize_t)writer_len(w);
}

ssize_t socks5_greeting_put(uint8_t *p, size_t cap, bool password)
{
	struct writer w;

	writer_init(&w, p, cap);
	writer_u8(&w, VERSION);
	writer_u8(&w, password ? 2 : 1);
	writer_u8(&w, SOCKS5_OPEN);
	if (password)
		writer_u8(&w, SOCKS5_PASSWORD);
	return written(&w);
}

/* An octet with the length, then the text; it may not be empty. */
static void put_string(struct writer *w, const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > STRING_MAX)
		w->full = true;
	writer_u8(w, (uint8_t)n);
	writer_bytes(w, s, n);
}

ssize_t socks5_login_put(uint8_t *p, size_t cap, const char *user, const char *password)
{
	struct writer w;

	writer_init(&w, p, cap);
	writer_u8(&w, LOGIN_VERSION);
	put_string(&w, user);
	put_string(&w, password);
	return written(&w);
}

static void put_host(struct writer *w, const char *host)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, host, address) == 1) {
		writer_u8(w, IPV4);
		writer_bytes(w, address, 4);
	} else if (inet_pton(AF_INET6, host, address) == 1) {
		writer_u8(w, IPV6);
		writer_bytes(w, address, 16);
	} else {
		writer_u8(w, NAME);
		put_string(w, host);
	}
}

ssize_t socks5_connect_put(uint8_t *p, size_t cap, const char *host, uint16_t port)
{
	struct writer w;

	writer_init(&w, p, cap);
	writer_u8(&w, VERSION);
	writer_u8(&w, CONNECT);
	writer_u8(&w, 0);
	put_host(&w, host);
	writer_u16(&w, port);
	return written(&w);
}

/* Messages of two octets: a version that must be that one, and a value. */
static ssize_t get_pair(const uint8_t *p, size_t n, uint8_t version, uint8_t *value)
{
	if (n > 0 && p[0] != version)
		return ERROR_MALFORMED;
	if (n < 2)
		return 0;
	*value = p[1];
	return 2;
}

ssize_t socks5_method_get(const uint8_t *p, size_t n, uint8_t *method)
{
	return get_pair(p, n, VERSION, method);
}

/* Some proxies answer with the version of SOCKS in the place of that of the login. */
ssize_t socks5_login_get(const uint8_t *p, size_t n, bool *accepted)
{
	uint8_t status;
	ssize_t used = get_pair(p, n, n > 0 && p[0] == VERSION ? VERSION : LOGIN_VERSION, &status);

	if (used > 0)
		*accepted = status == 0;
	return used;
}

/* Octets of the address behind ATYP; 0: not there yet. */
static ssize_t address_len(const uint8_t *p, size_t n)
{
	switch (p[3]) {
	case IPV4:
		return 4;
	case IPV6:
		return 16;
	case NAME:
		return n > 4 ? 1 + p[4] : 0;
	default:
		return ERROR_MALFORMED;
	}
}

ssize_t socks5_reply_get(const uint8_t *p, size_t n, uint8_t *code)
{
	ssize_t len, whole;

	if ((n > 0 && p[0] != VERSION) || (n > 2 && p[2] != 0))
		return ERROR_MALFORMED;
	if (n < 4)
		return 0;
	len = address_len(p, n);
	if (len <= 0)
		return len;
	whole = 4 + len + 2;
	if (n < (size_t)whole)
		return 0;
	*code = p[1];
	return whole;
}

const char *socks5_reply_text(uint8_t code)
{
	static const char *const texts[] = {
		"no failure",
		"general failure",
		"its rules do not allow it",
		"no route to that network",
		"no route to that host, or its name was not found",
		"nothing listens there (connection refused)",
		"no answer in time",
		"it does not know CONNECT",
		"it does not know this type of address",
	};

	return code < sizeof texts / sizeof *texts ? texts[code] : "an unknown reason";
}
