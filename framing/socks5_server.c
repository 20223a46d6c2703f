/* SOCKS5, as a server speaks it. Called by the helper's ingress of that kind; calls the cursors. */
#include "framing/socks5_server.h"

#include <arpa/inet.h>
#include <string.h>

#include "framing/cursor.h"
#include "framing/error.h"

#define VERSION 5
#define LOGIN_VERSION 1

enum { IPV4 = 1, NAME = 3, IPV6 = 4 };	/* ATYP */

ssize_t socks5_methods_get(const uint8_t *p, size_t n, bool *open, bool *password)
{
	if ((n > 0 && p[0] != VERSION) || (n > 1 && p[1] == 0))
		return ERROR_MALFORMED;
	if (n < 2 || n < 2U + p[1])
		return 0;
	*open = memchr(p + 2, SOCKS5_OPEN, p[1]);
	*password = memchr(p + 2, SOCKS5_PASSWORD, p[1]);
	return 2 + p[1];
}

static bool take_string(struct cursor *c, char out[256])
{
	struct span s = cursor_bytes(c, cursor_u8(c));

	memcpy(out, s.p ? s.p : (const uint8_t *)"", s.n);
	out[s.n] = '\0';
	return c->bad || !memchr(out, '\0', s.n);
}

ssize_t socks5_credentials_get(const uint8_t *p, size_t n, char user[256], char password[256])
{
	struct cursor c;

	if (n > 0 && p[0] != LOGIN_VERSION)
		return ERROR_MALFORMED;
	cursor_init(&c, p, n);
	cursor_u8(&c);
	if (!take_string(&c, user) || !take_string(&c, password))
		return ERROR_MALFORMED;
	return c.bad ? 0 : (ssize_t)(n - cursor_left(&c));
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", s.p[i]))
			return false;
	return s.n > 0;
}

/* ATYP, address, port; false: it is malformed, which c->bad (cut short) is not. */
static bool take_address(struct cursor *c, struct socks5_request *r)
{
	uint8_t type = cursor_u8(c), ip[16];
	struct span s;

	if (c->bad)
		return true;
	if (type != IPV4 && type != IPV6 && type != NAME)
		return false;
	s = cursor_bytes(c, type == IPV4 ? 4 : type == IPV6 ? 16 : cursor_u8(c));
	r->port = cursor_u16(c);
	if (c->bad)
		return true;
	r->literal = type != NAME;
	if (r->literal) {
		memcpy(ip, s.p, s.n);
		return inet_ntop(type == IPV4 ? AF_INET : AF_INET6, ip, r->host, sizeof r->host);
	}
	memcpy(r->host, s.p, s.n);
	r->host[s.n] = '\0';
	return is_name(s);
}

ssize_t socks5_request_get(const uint8_t *p, size_t n, struct socks5_request *r)
{
	struct cursor c;

	if ((n > 0 && p[0] != VERSION) || (n > 2 && p[2] != 0))
		return ERROR_MALFORMED;
	cursor_init(&c, p, n);
	cursor_u8(&c);
	r->command = cursor_u8(&c);
	cursor_u8(&c);
	if (!take_address(&c, r))
		return ERROR_MALFORMED;
	return c.bad ? 0 : (ssize_t)(n - cursor_left(&c));
}

ssize_t socks5_udp_get(const uint8_t *p, size_t n, struct socks5_request *r)
{
	struct cursor c;

	cursor_init(&c, p, n);
	if (cursor_u16(&c) != 0 || cursor_u8(&c) != 0 || !take_address(&c, r) || c.bad || r->port == 0)
		return ERROR_MALFORMED;
	r->command = SOCKS5_UDP_ASSOCIATE;
	return (ssize_t)(n - cursor_left(&c));
}

size_t socks5_method_put(uint8_t p[2], enum socks5_method method)
{
	p[0] = VERSION;
	p[1] = (uint8_t)method;
	return 2;
}

size_t socks5_accepted_put(uint8_t p[2], bool accepted)
{
	p[0] = LOGIN_VERSION;
	p[1] = !accepted;
	return 2;
}

size_t socks5_reply_put(uint8_t p[SOCKS5_REPLY_MAX], enum socks5_reply reply, const uint8_t *ip, size_t ip_len, uint16_t port)
{
	static const uint8_t none[4];
	struct writer w;

	writer_init(&w, p, SOCKS5_REPLY_MAX);
	writer_u8(&w, VERSION);
	writer_u8(&w, (uint8_t)reply);
	writer_u8(&w, 0);
	writer_u8(&w, ip && ip_len == 16 ? IPV6 : IPV4);
	writer_bytes(&w, ip ? ip : none, ip ? ip_len : sizeof none);
	writer_u16(&w, ip ? port : 0);
	return writer_len(&w);
}

size_t socks5_udp_put(uint8_t p[SOCKS5_UDP_HEAD_MAX], const struct socks5_request *from)
{
	uint8_t ip[16];
	struct writer w;

	writer_init(&w, p, SOCKS5_UDP_HEAD_MAX);
	writer_u16(&w, 0);
	writer_u8(&w, 0);
	if (from->literal && inet_pton(AF_INET, from->host, ip) == 1) {
		writer_u8(&w, IPV4);
		writer_bytes(&w, ip, 4);
	} else if (from->literal && inet_pton(AF_INET6, from->host, ip) == 1) {
		writer_u8(&w, IPV6);
		writer_bytes(&w, ip, 16);
	} else {
		writer_u8(&w, NAME);
		writer_u8(&w, (uint8_t)strlen(from->host));
		writer_bytes(&w, from->host, strlen(from->host));
	}
	writer_u16(&w, from->port);
	return writer_len(&w);
}
