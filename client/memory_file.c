/*
 * The file of the memory. What is read is checked value by value: an entry that makes no sense
 * is left out, the others count.
 *
 *   {"culvert-paths": 1, "paths": [{"key": HEX, "server": HEX, "issuer": {"when", "since", "public", "name", "leaf": HEX, "anchor": HEX}, "rung": "push" or null, "when": UNIX-TIME, "limit": N,
 *     "cuts": {"seen": {"age_us", "idle_us", "bytes", "answer_us"}, "survived": {...}, "learned": UNIX-TIME, "count": N, "wrong": N}}, ...]}
 */
#include "client/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "tunnel/pool.h"

#define FILE_MAX (256 * 1024)
#define FORMAT 1
#define TIME_MAX INT64_C(0xffffffffff)		/* s */
#define SPAN_MAX (INT64_C(366) * 24 * 3600 * 1000000) /* us */
#define BYTES_MAX (INT64_C(1) << 60)
#define WRONG_MAX 6	/* of cuts */

/* ---- place ---- */

bool memory_file_usual(char *out, size_t size)
{
	const char *state = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = -1;

	if (state && state[0] == '/')
		n = snprintf(out, size, "%.*s/paths.json", (int)strcspn(state, ":"), state);
	else if (xdg && xdg[0] == '/')
		n = snprintf(out, size, "%s/culvert/paths.json", xdg);
	else if (home && home[0] == '/')
		n = snprintf(out, size, "%s/.local/state/culvert/paths.json", home);
	return n > 0 && (size_t)n < size;
}

/* ---- from JSON ---- */

/* A whole number from 0 to max; 0 when it is missing. */
static bool number(const json_t *object, const char *name, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(object, name);

	*out = v ? (int64_t)json_integer_value(v) : 0;
	return !v || (json_is_integer(v) && *out >= 0 && *out <= max);
}

static bool cut_from(const json_t *cuts, const char *name, struct cut *out)
{
	const json_t *o = json_object_get(cuts, name);
	int64_t bytes;

	if (!number(o, "age_us", SPAN_MAX, &out->age_us) || !number(o, "idle_us", SPAN_MAX, &out->idle_us) ||
	    !number(o, "bytes", BYTES_MAX, &bytes) || !number(o, "answer_us", SPAN_MAX, &out->answer_us))
		return false;
	out->bytes = (uint64_t)bytes;
	return !o || json_is_object(o);
}

/* Nothing shorter is ever learned; believed, it would let no connection live. */
static bool is_learnable(const struct cut *c)
{
	return (!c->age_us || c->age_us >= CUTS_AGE_MIN) && (!c->idle_us || c->idle_us >= CUTS_IDLE_MIN) &&
	       (!c->bytes || c->bytes >= CUTS_BYTES_MIN) && (!c->answer_us || c->answer_us >= CUTS_AGE_MIN);
}

static bool cuts_from(const json_t *entry, struct memory_entry *e)
{
	const json_t *o = json_object_get(entry, "cuts");
	int64_t count, wrong;

	if (!cut_from(o, "seen", &e->verdict.cuts.seen) || !cut_from(o, "survived", &e->verdict.cuts.survived) ||
	    !number(o, "learned", TIME_MAX, &e->learned) || !number(o, "count", UINT_MAX, &count) ||
	    !number(o, "wrong", WRONG_MAX, &wrong))
		return false;
	e->verdict.cuts.wrong = (unsigned)wrong;
	e->verdict.cuts.count = (unsigned)count;
	return (!o || json_is_object(o)) && is_learnable(&e->verdict.cuts.seen);
}

static bool rung_from(const json_t *entry, const struct rung **out)
{
	const json_t *v = json_object_get(entry, "rung");

	*out = json_is_string(v) ? rung_find(json_string_value(v)) : NULL;
	return *out || !v || json_is_null(v);
}

static bool hash_from(const json_t *entry, const char *name, char key[FINGERPRINT])
{
	const char *s = json_string_value(json_object_get(entry, name));

	if (!s || strlen(s) != FINGERPRINT - 1 || strspn(s, "0123456789abcdef") != FINGERPRINT - 1)
		return false;
	strcpy(key, s);
	return true;
}

/* What is there must make sense; older files have none. */
static bool issuer_from(const json_t *entry, struct memory_entry *e)
{
	const json_t *o = json_object_get(entry, "issuer");
	struct verdict_issuer *is = &e->verdict.issuer;
	const char *name = json_string_value(json_object_get(o, "name"));

	if (!json_object_get(entry, "server"))
		return !o;
	if (!hash_from(entry, "server", e->server))
		return false;
	if (!o || json_is_null(o))
		return true;
	is->is_public = json_is_true(json_object_get(o, "public"));
	snprintf(is->name, sizeof is->name, "%s", name ? name : "");
	for (char *c = is->name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return number(o, "when", TIME_MAX, &is->when) && is->when && number(o, "since", is->when, &is->since) && hash_from(o, "leaf", is->leaf) && hash_from(o, "anchor", is->anchor);
}

static bool entry_from(const json_t *o, struct memory_entry *e)
{
	int64_t limit;

	memset(e, 0, sizeof *e);
	if (!hash_from(o, "key", e->key) || !issuer_from(o, e) || !rung_from(o, &e->verdict.rung) || !cuts_from(o, e) ||
	    !number(o, "when", TIME_MAX, &e->verdict.when) || !number(o, "limit", POOL_LIMIT_MAX, &limit))
		return false;
	e->verdict.limit = (unsigned)limit;
	return e->verdict.when > 0;
}

/* The place for an entry: that of the same key, a new one, or that of the oldest; NULL when what is there is newer. */
static struct memory_entry *place_for(struct memory_entry *list, size_t max, size_t *count, const struct memory_entry *e)
{
	struct memory_entry *oldest = list;

	for (size_t i = 0; i < *count; i++) {
		if (strcmp(list[i].key, e->key) == 0)
			return list[i].verdict.when < e->verdict.when ? &list[i] : NULL;
		if (list[i].verdict.when < oldest->verdict.when)
			oldest = &list[i];
	}
	if (*count < max)
		return &list[(*count)++];
	return oldest->verdict.when < e->verdict.when ? oldest : NULL;
}

static enum memory_file_state entries_from(const json_t *root, struct memory_entry *list, size_t max, size_t *count,
					   char *why, size_t size)
{
	const json_t *paths = json_object_get(root, "paths");
	size_t total = json_array_size(paths), bad = 0;
	int64_t format;

	if (!number(root, "culvert-paths", INT64_MAX, &format) || format != FORMAT || !json_is_array(paths)) {
		snprintf(why, size, "is not a file of this version of culvert");
		return MEMORY_FILE_SPOILT;
	}
	for (size_t i = 0; i < total; i++) {
		struct memory_entry e, *place;

		if (!entry_from(json_array_get(paths, i), &e)) {
			bad++;
			continue;
		}
		place = place_for(list, max, count, &e);
		if (place)
			*place = e;
	}
	if (bad)
		snprintf(why, size, "%zu of %zu entries make no sense and are ignored", bad, total);
	return bad ? MEMORY_FILE_SPOILT : MEMORY_FILE_FINE;
}

/* ---- reading ---- */

/* The file as a text of at most FILE_MAX bytes; NULL and errno. */
static char *file_text(const char *file, size_t *n)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t got = -1;
	int e;

	if (fd < 0)
		return NULL;
	errno = EINVAL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		goto failed;
	text = malloc(FILE_MAX + 1);
	if (!text)
		abort();
	for (*n = 0; *n <= FILE_MAX && (got = read(fd, text + *n, FILE_MAX + 1 - *n)) > 0; *n += (size_t)got)
		;
	if (got >= 0) {
		close(fd);
		return text;
	}
failed:
	e = errno;
	free(text);
	close(fd);
	errno = e;
	return NULL;
}

enum memory_file_state memory_file_read(const char *file, struct memory_entry *list, size_t max, size_t *count, char *why,
					size_t size)
{
	enum memory_file_state state;
	json_error_t error;
	json_t *root;
	size_t n;
	char *text = file_text(file, &n);

	*count = 0;
	if (!text) {
		if (errno == ENOENT)
			return MEMORY_FILE_FINE;
		snprintf(why, size, "%s", errno == EINVAL ? "is not a regular file" : strerror(errno));
		return MEMORY_FILE_NOT_OURS;
	}
	root = n > FILE_MAX ? NULL : json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (root) {
		state = entries_from(root, list, max, count, why, size);
		json_decref(root);
		return state;
	}
	if (n > FILE_MAX)
		snprintf(why, size, "is larger than %d bytes", FILE_MAX);
	else
		snprintf(why, size, "line %d is not JSON (%.100s)", error.line, error.text);
	return MEMORY_FILE_SPOILT;
}

/* ---- to JSON ---- */

static json_t *cut_to(const struct cut *c)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "age_us", (json_int_t)c->age_us, "idle_us", (json_int_t)c->idle_us,
			 "bytes", (json_int_t)c->bytes, "answer_us", (json_int_t)c->answer_us);
}

static json_t *issuer_to(const struct verdict_issuer *is)
{
	json_t *name = json_string(is->name);

	if (!name)
		name = json_string("");	/* cut within a character */
	if (is->when)
		return json_pack("{s:I, s:I, s:b, s:o, s:s, s:s}", "when", (json_int_t)is->when, "since", (json_int_t)is->since, "public",
				 is->is_public, "name", name, "leaf", is->leaf, "anchor", is->anchor);
	json_decref(name);
	return json_null();
}

static json_t *entry_to(const struct memory_entry *e)
{
	const struct verdict *v = &e->verdict;

	json_t *o = json_pack("{s:s, s:s?, s:I, s:i, s:{s:o, s:o, s:I, s:I, s:I}}", "key", e->key, "rung",
			 v->rung ? v->rung->name : NULL, "when", (json_int_t)v->when, "limit", (int)v->limit, "cuts",
			 "seen", cut_to(&v->cuts.seen), "survived", cut_to(&v->cuts.survived),
			 "learned", (json_int_t)e->learned, "count", (json_int_t)v->cuts.count,
			 "wrong", (json_int_t)v->cuts.wrong);

	if (e->server[0]) {
		json_object_set_new(o, "server", json_string(e->server));
		json_object_set_new(o, "issuer", issuer_to(&v->issuer));
	}
	return o;
}

char *memory_file_text(const struct memory_entry *list, size_t count)
{
	json_t *paths = json_array(), *root;
	char *text;

	for (size_t i = 0; i < count; i++)
		if (!list[i].forgotten)
			json_array_append_new(paths, entry_to(&list[i]));
	root = json_pack("{s:i, s:o}", "culvert-paths", FORMAT, "paths", paths);
	text = json_dumps(root, JSON_INDENT(1));
	if (!text)
		abort();
	json_decref(root);
	return text;
}

/* ---- writing ---- */

static void make_folders(const char *file)
{
	char path[PATH_MAX];
	size_t n = strlen(file);

	if (n >= sizeof path)
		return;
	memcpy(path, file, n + 1);
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		mkdir(path, 0700);	/* what fails here fails again when the file is made */
		*p = '/';
	}
}

static int sync_folder(const char *file)
{
	const char *slash = strrchr(file, '/');
	char path[PATH_MAX];
	int fd, rc;

	snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - file) + 1 : 1, slash ? file : ".");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	rc = fsync(fd) < 0 && errno != EINVAL ? errno : 0;
	close(fd);
	return rc;
}

/* Puts the text on the disk and closes. 0 or errno. */
static int fill(int fd, const char *text)
{
	size_t n = strlen(text);
	int rc = fchmod(fd, 0600) < 0 ? errno : 0;

	while (rc == 0 && n > 0) {
		ssize_t put = write(fd, text, n);

		if (put < 0 && errno != EINTR)
			rc = errno;
		text += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = errno;
	if (close(fd) < 0 && rc == 0)
		rc = errno;
	return rc;
}

int memory_file_write(const char *file, bool folders, const char *text)
{
	char fresh[PATH_MAX];
	int fd, rc;

	if ((size_t)snprintf(fresh, sizeof fresh, "%s.%d.new", file, (int)getpid()) >= sizeof fresh)
		return ENAMETOOLONG;
	if (folders)
		make_folders(file);
	unlink(fresh);	/* of a process of that number that was killed */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return errno;
	rc = fill(fd, text);
	if (rc == 0 && rename(fresh, file) < 0)
		rc = errno;
	if (rc != 0) {
		unlink(fresh);
		return rc;
	}
	return sync_folder(file);
}
