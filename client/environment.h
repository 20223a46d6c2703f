/*
 * Environment: proxies' URLs may hold passwords there. They are taken out of it at the start, so that they
 * stand neither in /proc/PID/environ nor in the environment of child processes.
 */
#ifndef CLIENT_ENVIRONMENT_H
#define CLIENT_ENVIRONMENT_H

/* First thing in main, before threads: keeps the values and overwrites the passwords in them where they stand. */
void environment_take(void);
/* As getenv, with the password if there was one. */
char *environment_get(const char *name);

#endif
