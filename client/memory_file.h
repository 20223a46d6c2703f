/* Memory file: verdicts under their keys as JSON, and files replaced as a whole. For memory.c. */
#ifndef CLIENT_MEMORY_FILE_H
#define CLIENT_MEMORY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/fingerprint.h"
#include "client/verdict.h"

struct memory_entry {
	char key[FINGERPRINT];
	char server[FINGERPRINT]; /* "": not known, from an older file */
	struct verdict verdict;	/* cuts.learned_us is not used: */
	int64_t learned;	/* Unix time of the last cut, 0: none */
	bool own, forgotten;	/* put or forgotten by this process; not in the file */
};

enum memory_file_state {
	MEMORY_FILE_FINE,	/* or there is none yet */
	MEMORY_FILE_SPOILT,	/* not all of it makes sense: it may be written anew */
	MEMORY_FILE_NOT_OURS,	/* cannot be read, or is something else: hands off */
};

/* The usual place. False: there is none. */
bool memory_file_usual(char *out, size_t size);
/* Reads at most max entries, the newest if there are more. why: a sentence unless it is fine. */
enum memory_file_state memory_file_read(const char *file, struct memory_entry *, size_t max, size_t *count, char *why, size_t size);
/* The text of a file. The caller frees it. */
char *memory_file_text(const struct memory_entry *, size_t count);
/* Replaces the file atomically and durably, mode 0600, with its folders if wanted (mode 0700). 0 or errno. For any thread; waits for
 * the disk. */
int memory_file_write(const char *file, bool folders, const char *text);

#endif
