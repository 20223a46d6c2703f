/* Secrets. Called by route.c at the start and with each reload. */
#include "client/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/log.h"

static char kept[PROXY_PASSWORD_MAX];	/* what came by descriptor, which can be read only once */
static bool is_kept;

static int unreadable(char *error, size_t size, const char *what, const char *where)
{
	snprintf(error, size, "%s: cannot read %s: %s", what, where, strerror(errno));
	return ERROR_SYSTEM;
}

/* Reads up to the first line end: bytes without it; -1 and errno. */
static ssize_t read_line(int fd, char out[PROXY_PASSWORD_MAX])
{
	size_t n = 0;

	while (n < PROXY_PASSWORD_MAX - 1 && !memchr(out, '\n', n)) {
		ssize_t got = read(fd, out + n, PROXY_PASSWORD_MAX - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* Makes a text of its first line. NULL, or what is wrong with it. */
static const char *take_line(char out[PROXY_PASSWORD_MAX], size_t n)
{
	static const char bom[] = "\xef\xbb\xbf";
	char *end;
	size_t len;

	out[n] = 0;
	end = memchr(out, '\n', n);
	if (!end && n == PROXY_PASSWORD_MAX - 1)
		return "the first line is too long for a password";
	len = end ? (size_t)(end - out) : n;
	if (memchr(out, 0, len))
		return "there is a NUL byte in it: it must be text in UTF-8";
	if (len && out[len - 1] == '\r')
		len--;
	if (len >= 3 && memcmp(out, bom, 3) == 0) {
		len -= 3;
		memmove(out, out + 3, len);
	}
	explicit_bzero(out + len, PROXY_PASSWORD_MAX - len);
	return NULL;
}

/* what, where: for people. Closes fd. */
static int read_from(int fd, const char *what, const char *where, char out[PROXY_PASSWORD_MAX], char *error, size_t size)
{
	ssize_t n = read_line(fd, out);
	const char *why;
	int rc = 0;

	if (n < 0)
		rc = unreadable(error, size, what, where);
	close(fd);
	if (rc < 0)
		return rc;
	why = take_line(out, (size_t)n);
	if (!why)
		return 1;
	explicit_bzero(out, PROXY_PASSWORD_MAX);
	snprintf(error, size, "%s: %s: %s", what, where, why);
	return ERROR_CONFIG;
}

static int read_file(const char *file, char out[PROXY_PASSWORD_MAX], char *error, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return unreadable(error, size, "--proxy-password-file", file);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
		log_warn("config", "", "%s can be read by everybody: chmod 600 it", file);
	return read_from(fd, "--proxy-password-file", file, out, error, size);
}

/* Out of the environment, so that no child gets it. */
static int read_descriptor(const char *number, char *error, size_t size)
{
	char where[64], *end;
	long fd;
	int rc;

	errno = 0;
	fd = strtol(number, &end, 10);
	if (errno || end == number || *end || fd < 0 || fd > INT_MAX) {
		snprintf(error, size, SECRET_FD ": is not the number of a descriptor");
		return ERROR_CONFIG;
	}
	snprintf(where, sizeof where, "descriptor %ld", fd);
	unsetenv(SECRET_FD);
	rc = read_from((int)fd, SECRET_FD, where, kept, error, size);
	is_kept = rc == 1;
	return rc;
}

/* 0: systemd gave none. */
static int read_credential(const char *folder, char out[PROXY_PASSWORD_MAX], char *error, size_t size)
{
	char file[PATH_MAX];
	int fd;

	if ((size_t)snprintf(file, sizeof file, "%s/%s", folder, SECRET_CREDENTIAL) >= sizeof file)
		return 0;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return unreadable(error, size, "LoadCredential", file);
	return read_from(fd, "LoadCredential", file, out, error, size);
}

int secret_read(const struct options *o, char out[PROXY_PASSWORD_MAX], char *error, size_t size)
{
	const char *number = getenv(SECRET_FD), *folder = getenv("CREDENTIALS_DIRECTORY");
	int rc;

	memset(out, 0, PROXY_PASSWORD_MAX);
	if (o->proxy_password_file)
		return read_file(o->proxy_password_file, out, error, size);
	if (number && (rc = read_descriptor(number, error, size)) < 0)
		return rc;
	if (is_kept) {
		memcpy(out, kept, sizeof kept);
		return 1;
	}
	return folder ? read_credential(folder, out, error, size) : 0;
}

void secret_forget(void)
{
	explicit_bzero(kept, sizeof kept);
	is_kept = false;
}
