/*
 * The usual place of the control socket. Called by the helper and by `culvert
 * status`; looks at the environment.
 */
#include "client/place.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
	struct stat st;

	return path && *path == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char *home(void)
{
	const char *h = getenv("HOME");
	struct passwd *user = h && *h ? NULL : getpwuid(geteuid());

	return user ? user->pw_dir : h;
}

/* Makes each folder below the first `from` characters. */
static bool make_folders(const char *path, size_t from, char *error, size_t size)
{
	char part[PATH_MAX];

	for (const char *p = path + from; (p = strchr(p + 1, '/')) != NULL;) {
		snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
		if (mkdir(part, 0700) == 0 || errno == EEXIST)
			continue;
		snprintf(error, size, "cannot make the folder %s of the control socket: %s", part, strerror(errno));
		return false;
	}
	return true;
}

const char *place_complaint(const char *path)
{
	if (*path != '/')
		return "must be an absolute path, or none";
	if (strlen(path) >= PLACE_MAX)
		return "is longer than 107 bytes, and a Unix socket's path cannot be that long: choose a shorter one";
	return NULL;
}

bool place_control(char out[PLACE_MAX], bool make, char *error, size_t size)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY"), *user = getenv("XDG_RUNTIME_DIR"), *base;
	char path[PATH_MAX];
	size_t from = 0;

	if (runtime && *runtime == '/') {
		from = strcspn(runtime, ":");	/* systemd may have made several */
		snprintf(path, sizeof path, "%.*s/control", (int)from, runtime);
	} else if (is_folder(user)) {
		from = strlen(user);
		snprintf(path, sizeof path, "%s/culvert/control", user);
	} else if (is_folder(base = home())) {
		from = strlen(base);
		snprintf(path, sizeof path, "%s/.local/state/culvert/control", base);
	} else {
		snprintf(error, size, "there is no XDG_RUNTIME_DIR and no home: say where the control socket is with --control");
		return false;
	}
	if (place_complaint(path)) {
		snprintf(error, size, "the control socket's usual path %.200s %s with --control", path, place_complaint(path));
		return false;
	}
	if (make && !make_folders(path, from, error, size))
		return false;
	strcpy(out, path);
	return true;
}
