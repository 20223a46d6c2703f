/*
 * What heads of HTTP/1.x must look like, line by line, and what they say: headers,
 * framing, persistence (RFC 9110, RFC 9112). Called by the parser in http1.c and,
 * for headers, by everybody who gets a head; calls nothing.
 */
#include "framing/http1_head.h"

#include <string.h>
#include <strings.h>

#include "framing/error.h"

bool http1_is(struct span s, const char *text)
{
	return s.n == strlen(text) && (s.n == 0 || strncasecmp((const char *)s.p, text, s.n) == 0);
}

struct span http1_find(const struct http1_head *head, const char *name)
{
	for (size_t i = 0; i < head->count; i++)
		if (http1_is(head->header[i].name, name))
			return head->header[i].value;
	return (struct span){ NULL, 0 };
}

struct span http1_head_trim(struct span s)
{
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	while (s.n > 0 && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.n--;
	}
	return s;
}

bool http1_has_token(struct span value, const char *token)
{
	while (value.n > 0) {
		const uint8_t *comma = memchr(value.p, ',', value.n);
		size_t n = comma ? (size_t)(comma - value.p) : value.n;

		if (http1_is(http1_head_trim((struct span){ value.p, n }), token))
			return true;
		n += comma != NULL;
		value.p += n;
		value.n -= n;
	}
	return false;
}

bool http1_head_has(const struct http1_head *head, const char *name, const char *token)
{
	for (size_t i = 0; i < head->count; i++)
		if (http1_is(head->header[i].name, name) && http1_has_token(head->header[i].value, token))
			return true;
	return false;
}

/* tchar of RFC 9110 section 5.6.2. */
static bool is_token_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Octets of the token at p. */
static size_t token_len(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_token_char(p[i]))
		i++;
	return i;
}

static bool is_version(const uint8_t *p, size_t n)
{
	return n == 8 && memcmp(p, "HTTP/1.", 7) == 0 && (p[7] == '0' || p[7] == '1');
}

/* method SP request-target SP HTTP-version */
bool http1_head_request_line(const uint8_t *p, size_t n, struct span *verb)
{
	size_t method = token_len(p, n), target = 0;
	const uint8_t *at = p + method + 1;

	if (method == 0 || method == n || p[method] != ' ')
		return false;
	n -= method + 1;
	while (target < n && at[target] > ' ' && at[target] < 0x7f)
		target++;
	if (target == 0 || target == n || at[target] != ' ')
		return false;
	*verb = (struct span){ p, method };
	return is_version(at + target + 1, n - target - 1);
}

/* HTTP-version SP 3DIGIT [ SP reason ], as some leave the second space out. */
bool http1_head_status_line(const uint8_t *p, size_t n)
{
	if (n < 12 || !is_version(p, 8) || p[8] != ' ' || p[9] < '1' || p[9] > '9')
		return false;
	for (size_t i = 10; i < 12; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return n == 12 || p[12] == ' ';
}

bool http1_head_field_line(const uint8_t *p, size_t n)
{
	size_t name = token_len(p, n);

	return name > 0 && name < n && p[name] == ':';
}

/* 1*DIGIT of RFC 9110 section 8.6: nothing else, not even a list of equal numbers. */
static bool length_get(struct span s, int64_t *v)
{
	if (s.n == 0 || s.n > 18)
		return false;
	*v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*v = *v * 10 + (s.p[i] - '0');
	}
	return true;
}

int http1_head_framing(struct http1_head *head)
{
	head->length = -1;
	head->chunked = false;
	for (size_t i = 0; i < head->count; i++) {
		struct span name = head->header[i].name, value = head->header[i].value;

		if (http1_is(name, "Content-Length")) {
			if (head->length >= 0 || !length_get(value, &head->length))
				return ERROR_MALFORMED;
		} else if (http1_is(name, "Transfer-Encoding")) {
			if (head->chunked || head->minor == 0 || !http1_is(value, "chunked"))
				return ERROR_MALFORMED;
			head->chunked = true;
		}
	}
	return head->chunked && head->length >= 0 ? ERROR_MALFORMED : 0;
}

bool http1_head_keep_alive(const struct http1_head *head)
{
	if (http1_head_has(head, "Connection", "close") || http1_head_has(head, "Proxy-Connection", "close"))
		return false;
	return head->minor > 0 || http1_head_has(head, "Connection", "keep-alive") ||
	       http1_head_has(head, "Proxy-Connection", "keep-alive");
}
