/*
 * Feeds files, or all files of directories, to a fuzz target: so corpora are
 * replayed with any compiler, and a finding can be looked at in a debugger.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

static unsigned files;

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = NULL;
	size_t n = 0, got;

	if (!f) {
		perror(path);
		return 1;
	}
	do {
		p = realloc(p, n + 65536);
		CHECK(p);
		got = fread(p + n, 1, 65536, f);
		n += got;
	} while (got > 0);
	fclose(f);
	p = realloc(p, n + !n); /* its exact size again */
	CHECK(p);
	LLVMFuzzerTestOneInput(p, n);
	free(p);
	files++;
	return 0;
}

static int replay_directory(const char *path, DIR *dir)
{
	struct dirent *entry;
	char name[4096];
	int rc = 0;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		rc |= replay_file(name);
	}
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		rc |= dir ? replay_directory(argv[i], dir) : replay_file(argv[i]);
		if (dir)
			closedir(dir);
	}
	printf("%u files\n", files);
	return rc || files == 0;
}
