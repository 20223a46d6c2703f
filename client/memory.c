/*
 * The memory: a small table, and its file behind it. Changes are gathered and written by a thread, because a disk
 * may take its time and packets must not wait. Before writing the file is read
 * again: what another helper wrote stays. Called by helper.c and the ladder.
 */
#include "client/memory.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/memory_file.h"
#include "tunnel/log.h"

#define KEY_TEXT 2048
#define RENEW_S 3600		/* a proof renewed within this time is no news for the file */

struct memory {
	struct loop *loop;
	char file[PATH_MAX];	/* "": none */
	bool folders;		/* made if missing */
	struct memory_entry entry[MEMORY_ENTRIES_MAX];
	size_t count;
	struct timer save;
	bool dirty, warned;
	int64_t saved_us;
	/* The thread: */
	bool writing;		/* to be joined */
	pthread_t thread;
	char *text;
	atomic_bool done;
	int error;		/* errno of what it did */
};

/* ---- the table ---- */

static void make_key(char key[FINGERPRINT], const char *network, const char *proxy, const char *server)
{
	char text[KEY_TEXT];
	int n = snprintf(text, sizeof text, "%s\n%s\n%s", network, proxy, server);

	fingerprint(key, text, n < KEY_TEXT ? (size_t)n : KEY_TEXT - 1);
}

static void make_server(char key[FINGERPRINT], const char *server)
{
	char text[KEY_TEXT];
	int n = snprintf(text, sizeof text, "server\n%s", server);

	fingerprint(key, text, n < KEY_TEXT ? (size_t)n : KEY_TEXT - 1);
}

static size_t find(const struct memory *m, const char *key)
{
	size_t i = 0;

	while (i < m->count && strcmp(m->entry[i].key, key) != 0)
		i++;
	return i;
}

static void drop(struct memory *m, size_t i)
{
	m->entry[i] = m->entry[--m->count];
}

/* The entry of a key, which may push out the oldest. */
static struct memory_entry *entry_for(struct memory *m, const char *key)
{
	size_t i = find(m, key), oldest = 0;

	if (i == MEMORY_ENTRIES_MAX) {
		for (i = 1; i < m->count; i++)
			if (m->entry[i].verdict.when < m->entry[oldest].verdict.when)
				oldest = i;
		i = oldest;
	} else if (i == m->count) {
		m->count++;
	} else {
		return &m->entry[i];
	}
	memset(&m->entry[i], 0, sizeof m->entry[i]);
	strcpy(m->entry[i].key, key);
	return &m->entry[i];
}

/* Clocks may have been set: what is from far in the future is as useless as what is old. */
static bool is_current(const struct memory *m, const struct memory_entry *e)
{
	return llabs((long long)(loop_wall(m->loop) - e->verdict.when)) <= MEMORY_AGE_MAX;
}

static void to_unix(const struct memory *m, struct memory_entry *e)
{
	struct cuts *c = &e->verdict.cuts;

	e->learned = c->count ? loop_wall(m->loop) - (loop_now(m->loop) - c->learned_us) / LOOP_SECOND : 0;
	c->learned_us = 0;
	memset(&c->odd, 0, sizeof c->odd);	/* of the moment */
	c->raised = false;
}

static int64_t from_unix(const struct memory *m, const struct memory_entry *e)
{
	int64_t age = loop_wall(m->loop) - e->learned;

	if (!e->verdict.cuts.count)
		return 0;
	return loop_now(m->loop) - (age > 0 ? age : 0) * LOOP_SECOND;
}

/* ---- writing ---- */

static void *write_thread(void *arg)
{
	struct memory *m = arg;

	m->error = memory_file_write(m->file, m->folders, m->text);
	atomic_store(&m->done, true);
	return NULL;
}

static void warn_once(struct memory *m, const char *why)
{
	log_write(m->warned ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, NULL, "memory", "",
		  "%s: %s: what is learned of paths is lost at the end of this process (--state names another file)", m->file, why);
	m->warned = true;
}

static void written(struct memory *m)
{
	free(m->text);
	m->text = NULL;
	if (m->error)
		warn_once(m, strerror(m->error));
}

static void join(struct memory *m)
{
	if (!m->writing)
		return;
	pthread_join(m->thread, NULL);
	m->writing = false;
	written(m);
}

/* What is not ours is as the file says now. False: the file must not be written. */
static bool merge(struct memory *m)
{
	struct memory_entry *list = calloc(MEMORY_ENTRIES_MAX, sizeof *list);
	char why[200] = "";
	size_t n;
	bool ours;

	if (!list)
		abort();
	ours = memory_file_read(m->file, list, MEMORY_ENTRIES_MAX, &n, why, sizeof why) != MEMORY_FILE_NOT_OURS;
	if (!ours)
		warn_once(m, why);
	for (size_t i = m->count; ours && i-- > 0;)
		if (!m->entry[i].own || !is_current(m, &m->entry[i]))
			drop(m, i);
	for (size_t i = 0; ours && i < n && m->count < MEMORY_ENTRIES_MAX; i++)
		if (is_current(m, &list[i]) && find(m, list[i].key) == m->count)
			m->entry[m->count++] = list[i];
	free(list);
	return ours;
}

/* False: there is nothing that could be written. */
static bool prepare(struct memory *m)
{
	m->dirty = false;
	m->saved_us = loop_now(m->loop);
	if (!merge(m))
		return false;
	m->text = memory_file_text(m->entry, m->count);
	return true;
}

static void write_behind(struct memory *m)
{
	sigset_t all, before;
	int rc;

	atomic_store(&m->done, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);	/* signals are the loop's */
	rc = pthread_create(&m->thread, NULL, write_thread, m);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	m->writing = rc == 0;
	m->error = rc;
	if (rc)
		written(m);
}

static void on_save(void *ctx)
{
	struct memory *m = ctx;

	if (m->writing && !atomic_load(&m->done)) {
		timer_in(&m->save, MEMORY_DELAY_US);
		return;
	}
	join(m);
	if (!m->dirty || !prepare(m))
		return;
	write_behind(m);
	timer_in(&m->save, MEMORY_DELAY_US); /* for joining */
}

static void changed(struct memory *m)
{
	int64_t soon = loop_now(m->loop) + MEMORY_DELAY_US, earliest = m->saved_us + MEMORY_PAUSE_US;

	if (!m->file[0] || m->dirty)
		return;
	m->dirty = true;
	timer_set(&m->save, m->saved_us && earliest > soon ? earliest : soon);
}

/* ---- verdicts ---- */

bool memory_get(const struct memory *m, const char *network, const char *proxy, const char *server, struct verdict *out)
{
	char key[FINGERPRINT];
	size_t i;

	memset(out, 0, sizeof *out);
	make_key(key, network, proxy, server);
	i = find(m, key);
	if (i == m->count || m->entry[i].forgotten || !is_current(m, &m->entry[i]))
		return false;
	*out = m->entry[i].verdict;
	out->cuts.learned_us = from_unix(m, &m->entry[i]);
	return true;
}

static bool is_better(const struct verdict_issuer *a, const struct verdict_issuer *b)
{
	if (a->is_public != b->is_public)
		return a->is_public;
	return a->is_public ? a->when > b->when : a->since < b->since;
}

bool memory_issuer(const struct memory *m, const char *server, struct verdict_issuer *out)
{
	char key[FINGERPRINT];

	*out = (struct verdict_issuer){ .when = 0 };
	make_server(key, server);
	for (size_t i = 0; i < m->count; i++) {
		const struct verdict_issuer *is = &m->entry[i].verdict.issuer;

		if (is->when && !m->entry[i].forgotten && strcmp(m->entry[i].server, key) == 0 &&
		    llabs((long long)(loop_wall(m->loop) - is->when)) <= MEMORY_AGE_MAX && (!out->when || is_better(is, out)))
			*out = *is;
	}
	return out->when != 0;
}

/* Is there something in it that the file should know now? */
static bool is_news(const struct memory_entry *e, const struct memory_entry *fresh)
{
	const struct verdict *a = &e->verdict, *b = &fresh->verdict;

	return e->forgotten || a->rung != b->rung || a->limit != b->limit || a->cuts.count != b->cuts.count ||
	       a->cuts.wrong != b->cuts.wrong ||
	       memcmp(&a->cuts.seen, &b->cuts.seen, sizeof a->cuts.seen) != 0 ||
	       memcmp(&a->cuts.survived, &b->cuts.survived, sizeof a->cuts.survived) != 0 ||
	       strcmp(a->issuer.leaf, b->issuer.leaf) != 0 || strcmp(a->issuer.anchor, b->issuer.anchor) != 0 ||
	       llabs((long long)(b->when - a->when)) >= RENEW_S;
}

void memory_put(struct memory *m, const char *network, const char *proxy, const char *server, const struct verdict *v)
{
	struct memory_entry fresh = { .verdict = *v, .own = true }, *e;

	make_key(fresh.key, network, proxy, server);
	make_server(fresh.server, server);
	to_unix(m, &fresh);
	e = entry_for(m, fresh.key);
	if (!is_news(e, &fresh))
		return;
	*e = fresh;
	changed(m);
}

void memory_forget(struct memory *m, const char *network, const char *proxy, const char *server)
{
	struct memory_entry *e;
	char key[FINGERPRINT];

	make_key(key, network, proxy, server);
	if (find(m, key) == m->count && !m->file[0])
		return;
	e = entry_for(m, key);
	if (e->forgotten)
		return;
	e->verdict = (struct verdict){ .when = loop_wall(m->loop) };
	e->own = e->forgotten = true;
	changed(m);
}

/* ---- life ---- */

static void find_file(struct memory *m, const char *file, char *warning, size_t size)
{
	if (file && strcmp(file, "none") == 0)
		return;
	if (!file) {
		m->folders = true;
		if (memory_file_usual(m->file, sizeof m->file))
			return;
		m->file[0] = 0;
		snprintf(warning, size, "there is no place for what is learned of paths (HOME is not set); --state names a file for it");
	} else if ((size_t)snprintf(m->file, sizeof m->file, "%s", file) >= sizeof m->file) {
		m->file[0] = 0;
		snprintf(warning, size, "--state: the name is too long");
	}
}

struct memory *memory_open(struct loop *loop, const char *file, char *warning, size_t size)
{
	struct memory *m = calloc(1, sizeof *m);
	enum memory_file_state state;
	char why[200] = "";

	if (!m)
		abort();
	if (size)
		warning[0] = 0;
	m->loop = loop;
	timer_init(&m->save, loop, on_save, m);
	find_file(m, file, warning, size);
	if (!m->file[0])
		return m;
	state = memory_file_read(m->file, m->entry, MEMORY_ENTRIES_MAX, &m->count, why, sizeof why);
	if (state == MEMORY_FILE_FINE)
		return m;
	snprintf(warning, size, "%s: %s; %s", m->file, why, state == MEMORY_FILE_SPOILT ?
		 "it will be written anew" : "nothing is read from it or written to it");
	if (state == MEMORY_FILE_NOT_OURS)
		m->file[0] = 0;
	return m;
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	timer_stop(&m->save);
	join(m);
	if (m->dirty && prepare(m)) {
		m->error = memory_file_write(m->file, m->folders, m->text);
		written(m);
	}
	loop_free_later(m->loop, m);
}
