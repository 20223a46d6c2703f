/* Made from the options; written into answers by the REST server. */
#include "server/rest_turn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/base64.h"
#include "framing/cursor.h"
#include "tunnel/daemon.h"
#include "tunnel/log.h"
#include "tunnel/mac.h"

#define SECRET_MIN 8
#define SECRET_MAX 512	/* bytes of the file that are read */

struct turn_credentials {
	char secret[SECRET_MAX + 1];
	uint32_t ttl_s;
	size_t n;
	char *uri[TURN_CREDENTIALS_URIS_MAX];
};

/* The first line. */
static bool read_secret(struct turn_credentials *t, const char *file, char *error, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, t->secret, SECRET_MAX);
	struct stat st;

	if (n < 0) {
		snprintf(error, size, "%s: %s", file, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (fstat(fd, &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO))
		log_warn("turn", "", "%s can be read by others: chmod 600 %s", file, file);
	close(fd);
	t->secret[n] = '\0';
	t->secret[strcspn(t->secret, "\r\n")] = '\0';
	if (strlen(t->secret) >= SECRET_MIN && strlen(t->secret) < SECRET_MAX)
		return true;
	snprintf(error, size, "%s: its first line must be the TURN server's static-auth-secret, of %d to %d characters", file, SECRET_MIN, SECRET_MAX - 1);
	return false;
}

/* What goes into JSON as it is. */
static bool is_uri(const char *s)
{
	if (strncmp(s, "turn:", 5) && strncmp(s, "turns:", 6))
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '"' || *s == '\\')
			return false;
	return true;
}

static bool take_uris(struct turn_credentials *t, const char *const *uris, size_t n, char *error, size_t size)
{
	if (n == 0 || n > TURN_CREDENTIALS_URIS_MAX) {
		snprintf(error, size, "name 1 to %d URIs that pages are to use", TURN_CREDENTIALS_URIS_MAX);
		return false;
	}
	for (; t->n < n; t->n++) {
		if (!is_uri(uris[t->n])) {
			snprintf(error, size, "a URI is like turn:turn.example.org:3478?transport=udp, not '%s'", uris[t->n]);
			return false;
		}
		t->uri[t->n] = strdup(uris[t->n]);
		if (!t->uri[t->n])
			abort();
	}
	return true;
}

struct turn_credentials *turn_credentials_new(const char *secret_file, const char *const *uris, size_t n, uint32_t ttl_s, char *error, size_t size)
{
	struct turn_credentials *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->ttl_s = ttl_s;
	if (take_uris(t, uris, n, error, size) && read_secret(t, secret_file, error, size))
		return t;
	turn_credentials_free(t);
	return NULL;
}

void turn_credentials_free(struct turn_credentials *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->uri[i]);
	daemon_wipe(t->secret, sizeof t->secret);
	free(t);
}

void turn_credentials_put(const struct turn_credentials *t, const char *identity, int64_t unix_seconds, struct rest_text *out)
{
	char username[128];
	uint8_t mac[MAC_SHA1_BYTES];
	int n = snprintf(username, sizeof username, "%" PRId64 ":%s", unix_seconds + t->ttl_s, identity);

	mac_sha1(t->secret, strlen(t->secret), (struct span){ (const uint8_t *)username, (size_t)n }, mac);
	rest_text_print(out, "{\"username\":");
	rest_text_string(out, (const uint8_t *)username, (size_t)n);
	rest_text_print(out, ",\"password\":\"");
	rest_text_base64(out, mac, sizeof mac);
	rest_text_print(out, "\",\"ttl\":%" PRIu32 ",\"uris\":[", t->ttl_s);
	for (size_t i = 0; i < t->n; i++)
		rest_text_print(out, "%s\"%s\"", i ? "," : "", t->uri[i]);
	rest_text_print(out, "]}\n");
}
