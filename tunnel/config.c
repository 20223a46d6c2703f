/*
 * Configuration files, read with libconfuse, which no other file sees. Called by
 * config_read (config_values.c), whose values it fills; what the command line
 * gave stays.
 *
 * libconfuse counts lines wrongly behind comments and accepts a section that is
 * never closed. So the text is first cleaned here: comments become blanks,
 * quotes and braces are checked, and the lines of sections are noted.
 */
#include "tunnel/config_values.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1 << 20)

/* One file being read. libconfuse's callbacks carry no pointer of ours: there is
 * one reading at a time, and this points to it. */
static struct reading {
	struct config *config;
	char *text;
	size_t len;
	int lines[CONFIG_ITEMS_MAX];	/* where each section begins */
	size_t n_lines;
	struct config_section *open;	/* filled until its closing brace */
	char *error;
	size_t size;
} *reading;

static void fail(int line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first error is the one that counts. */
static void fail(int line, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (*reading->error)
		return;
	n = snprintf(reading->error, reading->size, "%s:%d: ", reading->config->file, line);
	if (n < 0 || (size_t)n >= reading->size)
		return;
	va_start(ap, fmt);
	vsnprintf(reading->error + n, reading->size - (size_t)n, fmt, ap);
	va_end(ap);
}

/* ---- the text ---- */

static bool text_load(void)
{
	struct reading *r = reading;
	FILE *f = fopen(r->config->file, "r");
	bool ok = false;

	r->text = malloc(FILE_MAX + 1);
	if (!r->text)
		abort();
	if (!f)
		goto out;
	r->len = fread(r->text, 1, FILE_MAX, f);
	r->text[r->len] = 0;
	if (ferror(f))
		goto out;
	if (r->len == FILE_MAX || memchr(r->text, 0, r->len)) {
		fail(1, "not a configuration file (%s)", r->len == FILE_MAX ? "too long" : "it holds NUL bytes");
		goto out;
	}
	ok = true;
out:
	if (!ok && !*r->error)
		snprintf(r->error, r->size, "%s: cannot read the configuration file: %s", r->config->file, strerror(errno));
	if (f)
		fclose(f);
	return ok;
}

/* Blanks the comment at p, keeps its line ends; its end. */
static char *text_comment(char *p, int *line)
{
	bool block = p[0] == '/' && p[1] == '*';
	int first = *line;

	for (; *p; p++) {
		if (*p == '\n') {
			if (!block)
				return p;
			++*line;
			continue;
		}
		if (block && p[0] == '*' && p[1] == '/') {
			p[0] = p[1] = ' ';
			return p + 2;
		}
		*p = ' ';
	}
	if (block)
		fail(first, "this comment is never closed: '*/' is missing");
	return p;
}

/* The end of the quoted text at p, which must be on the same line. */
static char *text_quoted(char *p, int line)
{
	char quote = *p++;

	for (; *p != quote; p++) {
		if (*p == '\\' && p[1] && p[1] != '\n')
			p++;
		else if (!*p || *p == '\n') {
			fail(line, "a text begins with %c here, and its closing %c is missing on this line", quote, quote);
			return p;
		}
	}
	return p + 1;
}

static bool text_is_comment(const char *p, char before)
{
	if (*p != '#' && !(p[0] == '/' && (p[1] == '/' || p[1] == '*')))
		return false;
	return strchr(" \t\r\n={}()+,\"'", before) != NULL; /* else it is in a word, such as udp://host; NUL counts */
}

static bool text_clean(void)
{
	int line = 1, opened[2] = { 0, 0 };
	unsigned depth = 0;
	char before = 0, last = 0; /* the byte before p, the one before it that is no space */

	for (char *p = reading->text; *p && !*reading->error;) {
		char c = *p;

		if (text_is_comment(p, before)) {
			p = text_comment(p, &line);
			before = ' ';
			continue;
		}
		if (c == '"' || c == '\'') {
			p = text_quoted(p, line);
			before = last = c;
			continue;
		}
		if (c == '{') {
			if (depth == 0 && last != '=' && reading->n_lines < CONFIG_ITEMS_MAX)
				reading->lines[reading->n_lines++] = line;
			if (depth < 2)
				opened[depth] = line;
			depth++;
		} else if (c == '}' && depth-- == 0) {
			fail(line, "a '}' without its '{'");
		}
		if (c == '\n')
			line++;
		if (!strchr(" \t\r\n", c))
			last = c;
		before = c;
		p++;
	}
	if (depth && !*reading->error)
		fail(opened[depth > 1], "the '{' on this line is never closed");
	return !*reading->error;
}

/* ---- callbacks of libconfuse ---- */

static bool in_section(cfg_t *cfg)
{
	return strcmp(cfg_name(cfg), "root") != 0;
}

/* The kind of the section that cfg is. */
static const struct config_option *section_kind(cfg_t *cfg)
{
	const struct config_option *o = reading->config->options;

	while (o->type != CONFIG_SECTIONS || strcmp(o->name, cfg_name(cfg)))
		o++;
	return o;
}

static struct config_section *section_open(cfg_t *cfg)
{
	struct config_section *s = reading->open;

	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->option = section_kind(cfg);
	s->n = config_count(s->option->options);
	s->values = config_values_new(s->option->options, s->n);
	return reading->open = s;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const char unknown[] = "no such option '";
	char text[512], *name, *end;
	const char *near;

	vsnprintf(text, sizeof text, fmt, ap);
	if (!strncmp(text, unknown, sizeof unknown - 1)) {
		name = text + sizeof unknown - 1;
		end = strrchr(name, '\'');
		if (end)
			*end = 0;
		near = config_nearest(in_section(cfg) ? section_kind(cfg)->options : reading->config->options, name, true);
		if (config_value_find(reading->config->values, reading->config->n, name) && !in_section(cfg))
			fail(cfg->line, "'%s' is for the command line only", name);
		else if (near)
			fail(cfg->line, "unknown option '%s'; did you mean '%s'?", name, near);
		else
			fail(cfg->line, "unknown option '%s'", name);
	} else if (!strncmp(text, "found duplicate title '", 23)) {
		fail(cfg->line, "a section named %s stands above already; names must differ", text + 22);
	} else if (!strncmp(text, "missing title for section", 25)) {
		name = text + 27; /* behind the quote */
		name[strcspn(name, "'")] = 0;
		fail(cfg->line, "'%s' needs a name: %s NAME { ... }", name, name);
	} else if (!strncmp(text, "premature end of file", 21)) {
		fail(cfg->line, "the file ends where a value was expected");
	} else {
		fail(cfg->line, "%s", text);
	}
}

static struct config_value *value_of(cfg_t *cfg, const char *name)
{
	struct config_section *s;

	if (!in_section(cfg))
		return config_value_find(reading->config->values, reading->config->n, name);
	s = section_open(cfg);
	return config_value_find(s->values, s->n, name);
}

/* Called for the text of each number, bool and string. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct config_value *v = value_of(cfg, opt->name);
	char where[CONFIG_WHERE_MAX], why[300];

	if (opt->type == CFGT_STR)
		*(const char **)result = text;
	else if (opt->type == CFGT_INT)
		*(long *)result = 0;
	else
		*(cfg_bool_t *)result = cfg_false;
	if (v->by_line) {
		long ignored;

		/* Wrong is wrong even where the command line wins. */
		if (v->option->type == CONFIG_STRING || v->option->type == CONFIG_LIST ||
		    config_number(v->option, text, &ignored, why, sizeof why))
			return 0;
		fail(cfg->line, "'%s' %s", opt->name, why);
		return -1;
	}
	/* libconfuse counts this element already; "=" for a list drops those before. */
	if (v->n && (v->option->type != CONFIG_LIST || cfg_opt_size(opt) <= v->n)) {
		fail(cfg->line, "'%s' is given twice; first at %s", opt->name, v->item[0].where);
		return -1;
	}
	snprintf(where, sizeof where, "%s:%d", reading->config->file, cfg->line);
	if (config_value_set(v, text, where, why, sizeof why))
		return 0;
	fail(cfg->line, "'%s' %s", opt->name, why);
	return -1;
}

/* Called at the closing brace of a section. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	struct config *c = reading->config;
	cfg_t *sec = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	struct config_section *s = section_open(sec), **list;
	char where[CONFIG_WHERE_MAX];

	(void)cfg;
	if (c->n_sections == CONFIG_ITEMS_MAX) {
		fail(sec->line, "more than %d sections", CONFIG_ITEMS_MAX);
		return -1;
	}
	snprintf(where, sizeof where, "%s:%d", c->file, reading->lines[c->n_sections]);
	s->title = strdup(cfg_title(sec));
	s->where = strdup(where);
	list = realloc(c->sections, (c->n_sections + 1) * sizeof *list);
	if (!s->title || !s->where || !list)
		abort();
	c->sections = list;
	c->sections[c->n_sections++] = s;
	reading->open = NULL;
	return 0;
}

/* ---- the tables of libconfuse ---- */

static cfg_opt_t *opts_new(const struct config_option *o);

static cfg_opt_t opt_of(const struct config_option *o)
{
	cfg_opt_t string = CFG_STR_CB(o->name, NULL, CFGF_NODEFAULT, on_value);
	cfg_opt_t number = CFG_INT_CB(o->name, 0, CFGF_NODEFAULT, on_value);
	cfg_opt_t boolean = CFG_BOOL_CB(o->name, cfg_false, CFGF_NODEFAULT, on_value);
	cfg_opt_t list = CFG_STR_LIST_CB(o->name, NULL, CFGF_NODEFAULT, on_value);
	cfg_opt_t sections = CFG_SEC(o->name, NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);

	switch (o->type) {
	case CONFIG_INT:
		return number;
	case CONFIG_BOOL:
		return boolean;
	case CONFIG_LIST:
		return list;
	case CONFIG_SECTIONS:
		sections.subopts = opts_new(o->options);
		return sections;
	default:
		return string;
	}
}

static cfg_opt_t *opts_new(const struct config_option *o)
{
	cfg_opt_t *opts = calloc(config_count(o) + 1, sizeof *opts), end = CFG_END();
	size_t n = 0;

	if (!opts)
		abort();
	for (; o->name; o++)
		if (!o->only_command_line && o->type != CONFIG_FLAG)
			opts[n++] = opt_of(o);
	opts[n] = end;
	return opts;
}

static void opts_free(cfg_opt_t *opts)
{
	for (size_t i = 0; opts[i].name; i++)
		if (opts[i].type == CFGT_SEC)
			opts_free(opts[i].subopts);
	free(opts);
}

static bool parse(void)
{
	cfg_opt_t *opts = opts_new(reading->config->options);
	cfg_t *cfg = cfg_init(opts, CFGF_NONE);
	bool ok;

	if (!cfg)
		abort();
	cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; opts[i].name; i++)
		if (opts[i].type == CFGT_SEC)
			cfg_set_validate_func(cfg, opts[i].name, on_section);
	ok = cfg_parse_buf(cfg, reading->text) == CFG_SUCCESS && !*reading->error;
	if (!ok)
		fail(cfg->line, "a syntax error");
	cfg_free(cfg);
	opts_free(opts);
	return ok;
}

static void section_drop(struct config_section *s)
{
	if (!s)
		return;
	config_values_free(s->values, s->n);
	free(s);
}

bool config_file(struct config *c, char *error, size_t size)
{
	struct reading r = { .config = c, .error = error, .size = size };
	bool ok;

	*error = 0;
	reading = &r;
	ok = text_load() && text_clean() && parse();
	section_drop(r.open);
	free(r.text);
	reading = NULL;
	return ok;
}
