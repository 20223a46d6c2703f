/* The folder of a memory test, and the lives of its helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/lives.h"

const struct rung rungs[] = { { .name = "duplex" }, { .name = "push" }, { .name = "poll" }, { .name = NULL } };

const struct rung *rung_find(const char *name)
{
	for (const struct rung *r = rungs; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}
char lives_dir[256], lives_file[300], lives_warning[1000];

int lives_set_up(void **state)
{
	(void)state;
	strcpy(lives_dir, "/tmp/culvert-memory.XXXXXX");
	if (!mkdtemp(lives_dir))
		return -1;
	snprintf(lives_file, sizeof lives_file, "%s/paths.json", lives_dir);
	return 0;
}

int lives_tear_down(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", lives_dir);
	return system(command);
}

void lives_write(const char *text, size_t n)
{
	int fd = open(lives_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

char *lives_read(size_t *n)
{
	static char text[300000];
	int fd = open(lives_file, O_RDONLY | O_CLOEXEC);
	ssize_t life_got;

	if (fd < 0)
		fail_msg("%s: %s", lives_file, strerror(errno));
	life_got = read(fd, text, sizeof text - 1);
	close(fd);
	assert_true(life_got >= 0);
	text[life_got] = 0;
	*n = (size_t)life_got;
	return text;
}

unsigned lives_files(void)
{
	DIR *d = opendir(lives_dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}
struct life life_begin(int64_t wall, int64_t start_us, const char *where)
{
	struct life l = { .loop = loop_new_virtual(start_us, wall) };

	l.memory = memory_open(l.loop, where, lives_warning, sizeof lives_warning);
	assert_non_null(l.memory);
	return l;
}

void life_end(struct life *l)
{
	memory_free(l->memory);
	loop_free(l->loop);
}

struct verdict life_verdict(const char *rung, int64_t when, unsigned limit)
{
	return (struct verdict){ .rung = rung ? rung_find(rung) : NULL, .when = when, .limit = limit };
}

void life_put(struct life *l, const char *network, const char *rung, int64_t when)
{
	struct verdict v = life_verdict(rung, when, 0);

	memory_put(l->memory, network, "direct", "https://s/culvert", &v);
}

const char *life_got(struct life *l, const char *network)
{
	struct verdict v;

	if (!memory_get(l->memory, network, "direct", "https://s/culvert", &v)) {
		assert_null(v.rung);
		return "-";
	}
	return v.rung ? v.rung->name : "none";
}
