/*
 * Credentials. Of a token only keyed HMAC states are kept (mac.c): of itself, and of the key of PROTOCOL.md
 * section 2.2 that is derived while the file is read; the text is wiped.
 */
#include "tunnel/credential.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/base64.h"
#include "framing/error.h"
#include "tunnel/daemon.h"
#include "tunnel/log.h"
#include "tunnel/mac.h"

#define FILE_MAX (1024 * 1024)
#define TOKEN_MIN 16
#define TOKEN_MAX 256
#define MAC_TEXT 43
#define BINDING_BYTES 32
#define BINDING_TEXT 43
#define TOKEN_BYTES 32		/* of a generated token */
#define LABEL "culvert v1 request"

struct entry {
	const char *name;	/* of the first entry of the identity: canonical */
	char text[CREDENTIAL_NAME_MAX + 1];
	bool strong;		/* its token is as long as a key of HS256 must be */
	struct mac_key *token, *request; /* the token itself as a key, and that of section 2.2 */
};

struct credentials {
	uint64_t serial;
	struct entry **entry;
	size_t count;
};

/* The parameters of an Authorization header. */
struct claim {
	struct span id;
	int64_t seconds;
	uint8_t mac[MAC_BYTES];
};

/* Names */

static bool name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

static bool is_name(const struct entry *e, struct span name)
{
	return strlen(e->name) == name.n && memcmp(e->name, name.p, name.n) == 0;
}

static bool name_valid(const char *s, size_t n)
{
	if (n == 0 || n > CREDENTIAL_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!name_char(s[i]))
			return false;
	return true;
}

/* MACs */

static struct span span_of(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

/* Path and query of a request target, which may be in absolute form. */
static void target_split(struct span target, struct span *path, struct span *query)
{
	const uint8_t *p = target.p, *end, *mark;

	*path = *query = (struct span){ (const uint8_t *)"", 0 };
	if (target.n == 0)
		return;
	end = p + target.n;
	if (*p != '/') {
		p = memmem(p, target.n, "://", 3);
		p = p ? memchr(p + 3, '/', (size_t)(end - p - 3)) : NULL;
		if (!p)
			p = end;
	}
	mark = p < end ? memchr(p, '?', (size_t)(end - p)) : NULL;
	*path = (struct span){ p, (size_t)((mark ? mark : end) - p) };
	if (mark)
		*query = (struct span){ mark + 1, (size_t)(end - mark - 1) };
}

/* binding: what a seal's handshake came to; n = 0: the request is in none. */
static void request_mac(const struct entry *e, struct span method, struct span target, struct span binding, int64_t seconds,
			uint8_t *out)
{
	const struct span newline = span_of("\n");
	char bound[BINDING_TEXT + 1], text[24];
	struct span parts[] = { method, newline, { 0 }, newline, { 0 }, newline, { 0 }, newline, { (const uint8_t *)bound, BINDING_TEXT } };

	assert(binding.n == 0 || binding.n == BINDING_BYTES);
	snprintf(text, sizeof text, "%lld", (long long)seconds);
	target_split(target, &parts[2], &parts[4]);
	parts[6] = span_of(text);
	if (binding.n)
		base64_encode(bound, binding.p, BINDING_BYTES, true);
	mac_sum(e->request, parts, binding.n ? 9 : 7, out);
}

/* The token file */

/* The key of section 2.2, from one that is the token itself. */
static struct mac_key *derive(const struct mac_key *token)
{
	const struct span label = span_of(LABEL);
	uint8_t key[MAC_BYTES];
	struct mac_key *k;

	mac_sum(token, &label, 1, key);
	k = mac_key_new(key, sizeof key);
	daemon_wipe(key, sizeof key);
	return k;
}

static void add(struct credentials *c, const char *name, size_t n, const char *token, size_t token_n)
{
	struct entry *e = calloc(1, sizeof *e);

	c->entry = reallocarray(c->entry, c->count + 1, sizeof *c->entry);
	if (!e || !c->entry)
		abort();
	e->strong = token_n >= CREDENTIAL_STRONG;
	e->token = mac_key_new(token, token_n);
	e->request = derive(e->token);
	memcpy(e->text, name, n);
	e->name = e->text;
	for (size_t i = 0; i < c->count; i++) {
		if (strcmp(c->entry[i]->name, e->text) == 0) {
			e->name = c->entry[i]->name;
			break;
		}
	}
	c->entry[c->count++] = e;
}

/* NULL, or what is wrong with the line. */
static const char *parse_line(struct credentials *c, const char *s, size_t n)
{
	const char *colon, *token;
	size_t token_n;

	while (n > 0 && (s[n - 1] == '\r' || s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (n == 0 || *s == '#')
		return NULL;
	colon = memchr(s, ':', n);
	if (!colon)
		return "expected name:token";
	if (!name_valid(s, (size_t)(colon - s)))
		return "the name must be 1 to 64 characters of A-Z a-z 0-9 . _ -";
	token = colon + 1;
	token_n = n - (size_t)(token - s);
	if (token_n < TOKEN_MIN || token_n > TOKEN_MAX)
		return "the token must be 16 to 256 characters long";
	for (size_t i = 0; i < token_n; i++)
		if (token[i] <= ' ' || token[i] >= 0x7f || token[i] == ':')
			return "the token must be printable ASCII without spaces and ':'";
	add(c, s, (size_t)(colon - s), token, token_n);
	return NULL;
}

static int parse_file(struct credentials *c, const char *file, const char *text, size_t n, char *error, size_t size)
{
	const char *end = text + n;
	unsigned line = 1;

	for (const char *s = text; s < end; line++) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		const char *why = parse_line(c, s, (size_t)((stop ? stop : end) - s));

		if (why) {
			snprintf(error, size, "%s:%u: %s", file, line, why);
			return ERROR_CONFIG;
		}
		s = stop ? stop + 1 : end;
	}
	if (c->count > 0)
		return 0;
	snprintf(error, size, "%s: holds no name:token line", file);
	return ERROR_CONFIG;
}

/* Reads all of the file into text: its length, or a code with errno set. */
static ssize_t read_all(int fd, char *text, size_t cap)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = read(fd, text + n, cap - n);

		if (got == 0)
			return (ssize_t)n;
		if (got < 0 && errno != EINTR)
			return ERROR_SYSTEM;
		n += got > 0 ? (size_t)got : 0;
		if (n == cap) {
			errno = EFBIG;
			return ERROR_SYSTEM;
		}
	}
}

static void warn_if_open(int fd, const char *file)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
		log_warn("credential", "", "%s can be read by everybody: chmod 600 it", file);
}

/* A name:token line where a file should be named: it must not get into logs. */
static bool is_token_line(const char *file)
{
	const char *colon = strchr(file, ':');

	return colon && !strchr(file, '/') && strlen(colon + 1) >= TOKEN_MIN;
}

struct credentials *credentials_load(const char *file, char *error, size_t size)
{
	static uint64_t serial;
	struct credentials *c = NULL;
	char *text = NULL;
	ssize_t n;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		goto unreadable;
	text = malloc(FILE_MAX);
	c = calloc(1, sizeof *c);
	if (!text || !c)
		abort();
	c->serial = ++serial;
	n = read_all(fd, text, FILE_MAX);
	if (n < 0)
		goto unreadable;
	warn_if_open(fd, file);
	if (parse_file(c, file, text, (size_t)n, error, size) == 0)
		goto out;
	goto failed;

unreadable:
	if (errno == ENOENT && is_token_line(file))
		snprintf(error, size, "that is the name:token line itself, not the name of a file: write it into a file "
				      "that only you can read, and name that");
	else
		snprintf(error, size, "%s: %s", file, strerror(errno));
failed:
	credentials_free(c);
	c = NULL;
out:
	if (text)
		daemon_wipe(text, FILE_MAX);
	free(text);
	if (fd >= 0)
		close(fd);
	return c;
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++) {
		mac_key_free(c->entry[i]->token);
		mac_key_free(c->entry[i]->request);
		free(c->entry[i]);
	}
	free(c->entry);
	free(c);
}

uint64_t credentials_serial(const struct credentials *c)
{
	return c->serial;
}

size_t credentials_count(const struct credentials *c)
{
	return c->count;
}

const char *credentials_first(const struct credentials *c)
{
	return c->entry[0]->name;
}

size_t credentials_sign(const struct credentials *c, char *out, size_t cap, const char *method, const char *target,
			struct span binding, int64_t unix_seconds)
{
	struct span m = { (const uint8_t *)method, strlen(method) };
	struct span t = { (const uint8_t *)target, strlen(target) };
	char text[MAC_TEXT + 1];
	uint8_t mac[MAC_BYTES];
	int n;

	request_mac(c->entry[0], m, t, binding, unix_seconds, mac);
	base64_encode(text, mac, sizeof mac, true);
	n = snprintf(out, cap, "Culvert id=%s, ts=%lld, mac=%s", c->entry[0]->name, (long long)unix_seconds, text);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

/* The header */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Takes the next "name=value" off s; false at its end or when there is none (then s->p is NULL). */
static bool next_param(struct span *s, struct span *name, struct span *value)
{
	const uint8_t *end = s->p + s->n, *p = s->p, *stop, *eq;

	while (p < end && (is_space(*p) || *p == ','))
		p++;
	if (p == end) {
		s->n = 0;
		return false;
	}
	stop = memchr(p, ',', (size_t)(end - p));
	s->p = stop ? stop : end;
	s->n = (size_t)(end - s->p);
	stop = s->p;
	while (is_space(stop[-1]))
		stop--;
	eq = memchr(p, '=', (size_t)(stop - p));
	if (!eq) {
		*s = (struct span){ NULL, 0 };
		return false;
	}
	*name = (struct span){ p, (size_t)(eq - p) };
	*value = (struct span){ eq + 1, (size_t)(stop - eq - 1) };
	return true;
}

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && strncasecmp((const char *)s.p, text, s.n) == 0;
}

static bool parse_seconds(struct span s, int64_t *v)
{
	if (s.n == 0 || s.n > 15)
		return false;
	*v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (!isdigit(s.p[i]))
			return false;
		*v = *v * 10 + (s.p[i] - '0');
	}
	return true;
}

/* Exactly one of each of the three; others are ignored. */
static bool parse_params(struct span s, struct claim *claim)
{
	struct span name, value;
	unsigned seen = 0, bit;
	bool good;

	while (next_param(&s, &name, &value)) {
		if (span_is(name, "id")) {
			bit = 1;
			claim->id = value;
			good = name_valid((const char *)value.p, value.n);
		} else if (span_is(name, "ts")) {
			bit = 2;
			good = parse_seconds(value, &claim->seconds);
		} else if (span_is(name, "mac")) {
			bit = 4;
			good = value.n == MAC_TEXT && base64_decode(claim->mac, MAC_BYTES, (const char *)value.p,
								    value.n, true) == MAC_BYTES;
		} else {
			continue;
		}
		if (!good || (seen & bit))
			return false;
		seen |= bit;
	}
	return s.p && seen == 7;
}

static bool parse_header(struct span s, struct claim *claim)
{
	static const char scheme[] = "Culvert";
	size_t n = sizeof scheme - 1;

	if (s.n <= n || s.n > 4 * CREDENTIAL_HEADER_MAX || !span_is((struct span){ s.p, n }, scheme) ||
	    !is_space(s.p[n]))
		return false;
	return parse_params((struct span){ s.p + n, s.n - n }, claim);
}

const char *credentials_verify(const struct credentials *c, struct span value, struct span method, struct span target,
			       struct span binding, int64_t unix_seconds, int64_t *skew)
{
	struct claim claim;
	const char *name = NULL;
	uint8_t mac[MAC_BYTES];
	bool known = false;

	if (!parse_header(value, &claim))
		return NULL;
	*skew = claim.seconds - unix_seconds;
	for (size_t i = 0; i < c->count; i++) {
		const struct entry *e = c->entry[i];

		if (!is_name(e, claim.id))
			continue;
		known = true;
		request_mac(e, method, target, binding, claim.seconds, mac);
		if (mac_equal(mac, claim.mac))
			name = e->name;
	}
	if (!known)	/* takes as long as a known name */
		request_mac(c->entry[0], method, target, binding, claim.seconds, mac);
	daemon_wipe(mac, sizeof mac);
	return *skew >= -CREDENTIAL_WINDOW && *skew <= CREDENTIAL_WINDOW ? name : NULL;
}

int credentials_generate(const char *name, char *out, size_t cap)
{
	uint8_t token[TOKEN_BYTES];
	char text[64];
	int n;

	if (!name_valid(name, strlen(name)))
		return ERROR_CONFIG;
	if (getrandom(token, sizeof token, 0) != sizeof token)
		abort();
	base64_encode(text, token, sizeof token, true);
	n = snprintf(out, cap, "%s:%s", name, text);
	daemon_wipe(token, sizeof token);
	daemon_wipe(text, sizeof text);
	return n > 0 && (size_t)n < cap ? 0 : ERROR_LIMIT;
}

/* The token itself as a key */

/* strong: short tokens do not count. */
static const char *signer(const struct credentials *c, struct span name, struct span text, const uint8_t mac[MAC_BYTES], bool strong)
{
	const char *found = NULL;
	uint8_t ours[MAC_BYTES];
	bool known = false;

	for (size_t i = 0; i < c->count; i++) {
		if (!is_name(c->entry[i], name))
			continue;
		known = true;
		mac_sum(c->entry[i]->token, &text, 1, ours);
		if (mac_equal(ours, mac) && (c->entry[i]->strong || !strong))
			found = c->entry[i]->name;
	}
	if (!known)	/* takes as long as a known name */
		mac_sum(c->entry[0]->token, &text, 1, ours);
	daemon_wipe(ours, sizeof ours);
	return found;
}

const char *credentials_signed(const struct credentials *c, struct span name, struct span text, const uint8_t mac[MAC_BYTES])
{
	return signer(c, name, text, mac, true);
}

bool credentials_sum(const struct credentials *c, const char *name, struct span text, uint8_t mac[MAC_BYTES])
{
	for (size_t i = 0; i < c->count; i++) {
		if (strcmp(c->entry[i]->name, name) == 0 && c->entry[i]->strong) {
			mac_sum(c->entry[i]->token, &text, 1, mac);
			return true;
		}
	}
	return false;
}

/* A MAC under both tells that they are the same, in a time that says nothing of them. */
const char *credentials_bearer(const struct credentials *c, struct span name, struct span token)
{
	const struct span text = span_of("bearer");
	const char *found;
	uint8_t mac[MAC_BYTES];
	struct mac_key *k;

	if (token.n < TOKEN_MIN || token.n > TOKEN_MAX)
		return NULL;
	k = mac_key_new(token.p, token.n);
	mac_sum(k, &text, 1, mac);
	mac_key_free(k);
	found = signer(c, name, text, mac, false);
	daemon_wipe(mac, sizeof mac);
	return found;
}

const char *credentials_named(const struct credentials *c, struct span name)
{
	for (size_t i = 0; i < c->count; i++)
		if (is_name(c->entry[i], name))
			return c->entry[i]->name;
	return NULL;
}
