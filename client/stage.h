/*
 * Stages: what a child process of discovery does. The parent's lines come by standard
 * input; the answer goes to standard output and begins with "found" or, with a
 * sentence behind it, "no".
 */
#ifndef CLIENT_STAGE_H
#define CLIENT_STAGE_H

#include <stdbool.h>
#include <stddef.h>

/* The stages, each in its file. They return the exit status. */
int stage_settings(void);	/* "url URL" -> what libproxy says: system_proxy.c */
int stage_fetch(void);		/* "cafile FILE", "url URL" ... -> the first of them that there is: fetch.c */
int stage_script(void);		/* "url URL", "host HOST", "ip ADDRESS", "script N" and N bytes -> the script's answer: pac.c */

/* Loads a library, before the sandbox is entered: only the stage that needs it carries it, the helper itself none of them.
 * NULL after the answer "no ...". */
void *stage_library(const char *name);
/* LIBRARY_FUNCTION(lib, f): f of the library as its header declares it. */
#define LIBRARY_FUNCTION(lib, f) ((__typeof__(f) *)stage_symbol((lib), #f))
void *stage_symbol(void *library, const char *name);	/* ends the process when there is none */

/* One line without its end. False: the input has ended, or the line is too long. */
bool stage_line(char *out, size_t size);
bool stage_bytes(void *out, size_t n);
/* What is behind "word " in the line, or NULL. */
const char *stage_value(const char *line, const char *word);
void stage_write(const void *p, size_t n);
/* A line; control characters in it become blanks. */
void stage_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
