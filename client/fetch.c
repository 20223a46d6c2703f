/*
 * The stage "fetch": reads a PAC file by http, https (verified) or from a file, with
 * libcurl, which no other file sees. No proxy, no cookies, no credentials but those in the
 * URL. Lines in: "cafile FILE", "cadir DIR", "file PATH", "url URL" ..., and an empty one; the
 * first URL that there is will do. Out: "found URL" and the file itself, or "no SENTENCE".
 */
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/fetch.h"
#include "client/sandbox.h"
#include "client/stage.h"

#define ONE_MS 4000	/* a URL */
#define OF_SEVERAL_MS 1500
#define TRUST_MAX (1024 * 1024)	/* bytes of CA certificates */

static struct {
	char cafile[4096], cadir[4096], file[4096], url[FETCH_URLS_MAX][FETCH_URL_MAX];
	unsigned n;
} asked;

static struct {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *init;
	CURLcode (*setopt)(CURL *, CURLoption, ...);
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_cleanup) *cleanup;
	__typeof__(curl_easy_strerror) *text;
	__typeof__(curl_easy_unescape) *unescape;
} lib;

static char body[FETCH_MAX];
static size_t n_body;
static char why[CURL_ERROR_SIZE + 100];

static bool ask(void)
{
	char line[4200];
	const char *value;

	while (stage_line(line, sizeof line)) {
		if (!*line)
			return asked.n > 0 || asked.file[0];
		if ((value = stage_value(line, "cafile")))
			snprintf(asked.cafile, sizeof asked.cafile, "%s", value);
		else if ((value = stage_value(line, "cadir")))
			snprintf(asked.cadir, sizeof asked.cadir, "%s", value);
		else if ((value = stage_value(line, "file")))
			snprintf(asked.file, sizeof asked.file, "%s", value);
		else if ((value = stage_value(line, "url")) && asked.n < FETCH_URLS_MAX)
			snprintf(asked.url[asked.n++], FETCH_URL_MAX, "%s", value);
	}
	return false;
}

static bool too_large(void)
{
	snprintf(why, sizeof why, "it is larger than 1 MiB");
	return false;
}

static bool read_file(void)
{
	int fd = open(asked.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(why, sizeof why, "%s", strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, sizeof why, "it is no file");
		return false;
	}
	while (n_body < sizeof body && (n = read(fd, body + n_body, sizeof body - n_body)) > 0)
		n_body += (size_t)n;
	if (n < 0)
		snprintf(why, sizeof why, "%s", strerror(errno));
	return n < 0 ? false : n_body < sizeof body ? true : too_large();
}

/* ---- what is trusted ---- */

static char trust[TRUST_MAX];
static size_t n_trust;

/* A PEM file; what else lies in the directory is passed over. */
static void trust_file(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0 || n == (ssize_t)sizeof text || (size_t)n >= sizeof trust - n_trust || !memmem(text, (size_t)n, "-----BEGIN ", 11))
		return;
	memcpy(trust + n_trust, text, (size_t)n);
	n_trust += (size_t)n;
	trust[n_trust++] = '\n';
}

/* libcurl itself would read the files of a directory by the hashes in their names only. */
static void trust_directory(void)
{
	DIR *d = opendir(asked.cadir);
	struct dirent *e;
	char path[sizeof asked.cadir + sizeof e->d_name + 1];

	if (asked.cafile[0])
		trust_file(asked.cafile);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof path, "%s/%s", asked.cadir, e->d_name);
		trust_file(path);
	}
	if (d)
		closedir(d);
}

/* Besides the system's certificates, which its own directory has. */
static void set_trust(CURL *c)
{
	struct curl_blob blob = { trust, n_trust, CURL_BLOB_NOCOPY };

	if (n_trust > 0)
		lib.setopt(c, CURLOPT_CAINFO_BLOB, &blob);
	else if (asked.cafile[0])
		lib.setopt(c, CURLOPT_CAINFO, asked.cafile);
}

/* ---- URLs ---- */

static size_t on_data(char *p, size_t size, size_t count, void *ctx)
{
	size_t n = size * count;

	(void)ctx;
	if (n > sizeof body - n_body)
		return 0;
	memcpy(body + n_body, p, n);
	n_body += n;
	return n;
}

static void set_up(CURL *c, const char *url)
{
	lib.setopt(c, CURLOPT_URL, url);
	lib.setopt(c, CURLOPT_PROXY, "");
	lib.setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	lib.setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	lib.setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	lib.setopt(c, CURLOPT_MAXREDIRS, 5L);
	lib.setopt(c, CURLOPT_FAILONERROR, 1L);
	lib.setopt(c, CURLOPT_NOSIGNAL, 1L);
	lib.setopt(c, CURLOPT_TIMEOUT_MS, asked.n > 1 ? (long)OF_SEVERAL_MS : (long)ONE_MS);
	lib.setopt(c, CURLOPT_MAXFILESIZE, (long)FETCH_MAX);
	lib.setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	lib.setopt(c, CURLOPT_USERAGENT, "culvert/" CULVERT_VERSION);
	lib.setopt(c, CURLOPT_ERRORBUFFER, why);
	set_trust(c);
}

static bool read_url(const char *url)
{
	CURL *c = lib.init();
	CURLcode rc;

	if (!c)
		return false;
	n_body = 0;
	why[0] = 0;
	set_up(c, url);
	rc = lib.perform(c);
	lib.cleanup(c);
	if (rc == CURLE_FILESIZE_EXCEEDED || rc == CURLE_WRITE_ERROR)
		return too_large();
	if (rc != CURLE_OK && !why[0])
		snprintf(why, sizeof why, "%s", lib.text(rc));
	return rc == CURLE_OK;
}

/* file:///a%20b is /a b. */
static void file_url(void)
{
	char *path;
	int n;

	if (asked.n != 1 || strncmp(asked.url[0], "file://", 7) != 0)
		return;
	path = lib.unescape(NULL, asked.url[0] + 7, 0, &n);
	if (path)
		snprintf(asked.file, sizeof asked.file, "%s", path);
}

static void found(const char *what)
{
	stage_say("found %s", what);
	stage_write(body, n_body);
}

static bool library_load(void)
{
	void *library = stage_library("libcurl.so.4");

	if (!library)
		return false;
	lib.global_init = LIBRARY_FUNCTION(library, curl_global_init);
	lib.init = LIBRARY_FUNCTION(library, curl_easy_init);
	lib.setopt = stage_symbol(library, "curl_easy_setopt"); /* in the header it is a macro */
	lib.perform = LIBRARY_FUNCTION(library, curl_easy_perform);
	lib.cleanup = LIBRARY_FUNCTION(library, curl_easy_cleanup);
	lib.text = LIBRARY_FUNCTION(library, curl_easy_strerror);
	lib.unescape = LIBRARY_FUNCTION(library, curl_easy_unescape);
	return true;
}

int stage_fetch(void)
{
	const char *readable[4] = { NULL };
	unsigned n = 0;

	if (!ask())
		return 2;
	if (!library_load())
		return 0;
	file_url();
	if (asked.file[0])
		readable[n++] = asked.file;
	if (asked.cafile[0])
		readable[n++] = asked.cafile;
	if (asked.cadir[0])
		readable[n++] = asked.cadir;
	if (sandbox_enter(SANDBOX_FETCH, readable) < 0) {
		stage_say("no the system has no sandbox to fetch it in");
		return 0;
	}
	if (asked.file[0]) {
		if (read_file())
			found(asked.file);
		else
			stage_say("no %s", why);
		return 0;
	}
	if (asked.cadir[0])
		trust_directory();
	(void)lib.global_init(CURL_GLOBAL_DEFAULT);
	for (unsigned i = 0; i < asked.n; i++)
		if (read_url(asked.url[i])) {
			found(asked.url[i]);
			return 0;
		}
	stage_say("no %s", why);
	return 0;
}
