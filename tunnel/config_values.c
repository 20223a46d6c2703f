/*
 * The values of options, by whomever they were given: storage, look-up, the
 * command line and --help. config_read is called by the programs' options.c;
 * it hands the file, if one was named, to config.c.
 */
#include "tunnel/config_values.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HELP_COLUMN 30

static char *copy(const char *s)
{
	char *p = strdup(s);

	if (!p)
		abort();
	return p;
}

size_t config_count(const struct config_option *o)
{
	size_t n = 0;

	while (o && o[n].name)
		n++;
	return n;
}

struct config_value *config_values_new(const struct config_option *o, size_t n)
{
	struct config_value *v = calloc(n + 1, sizeof *v);

	if (!v)
		abort();
	for (size_t i = 0; i < n; i++) {
		v[i].option = &o[i];
		v[i].number = o[i].initial;
	}
	return v;
}

void config_values_free(struct config_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < v[i].n; k++) {
			free(v[i].item[k].text);
			free(v[i].item[k].where);
		}
		free(v[i].item);
	}
	free(v);
}

struct config_value *config_value_find(struct config_value *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].option->name, name) && v[i].option->type != CONFIG_SECTIONS)
			return &v[i];
	return NULL;
}

static bool number_bool(const char *text, long *number)
{
	static const char *const words[] = { "false", "no", "off", "0", "true", "yes", "on", "1" };

	for (size_t i = 0; i < 8; i++) {
		if (strcasecmp(text, words[i]))
			continue;
		*number = i >= 4;
		return true;
	}
	return false;
}

bool config_number(const struct config_option *o, const char *text, long *number, char *error, size_t size)
{
	char *end;

	if (o->type == CONFIG_BOOL || o->type == CONFIG_FLAG) {
		if (number_bool(text, number))
			return true;
		snprintf(error, size, "must be true or false, not '%s'", text);
		return false;
	}
	errno = 0;
	*number = strtol(text, &end, 10);
	if (!errno && end != text && !*end && *text >= '-' && *text <= '9' && *number >= o->min && *number <= o->max)
		return true;
	snprintf(error, size, "must be a number from %ld to %ld, not '%s'", o->min, o->max, text);
	return false;
}

bool config_value_set(struct config_value *v, const char *text, const char *where, char *error, size_t size)
{
	struct config_item *item;

	if (v->option->type != CONFIG_STRING && v->option->type != CONFIG_LIST)
		if (!config_number(v->option, text, &v->number, error, size))
			return false;
	if (v->n && v->option->type != CONFIG_LIST) {
		v->n--;
		free(v->item[v->n].text);
		free(v->item[v->n].where);
	}
	if (v->n == CONFIG_ITEMS_MAX) {
		snprintf(error, size, "is given more than %d times", CONFIG_ITEMS_MAX);
		return false;
	}
	item = realloc(v->item, (v->n + 1) * sizeof *item);
	if (!item)
		abort();
	v->item = item;
	v->item[v->n++] = (struct config_item){ copy(text), copy(where) };
	v->given = true;
	return true;
}

/* The edits (insert, delete, replace) that make b of a; both are short. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], n = strlen(b), diagonal, above;

	if (n >= 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			above = row[j];
			row[j] = diagonal + (*a != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = above;
		}
	}
	return row[n];
}

const char *config_nearest(const struct config_option *o, const char *name, bool in_file)
{
	size_t best = strlen(name) / 2 + 1, d;
	const char *found = NULL;

	for (; o->name; o++) {
		if (in_file ? o->only_command_line || o->type == CONFIG_FLAG : o->only_file || o->type == CONFIG_SECTIONS)
			continue;
		d = distance(name, o->name);
		/* "log" for "log-level", too */
		if (d >= best && strlen(name) >= 3 && !strncmp(name, o->name, strlen(name)))
			d = best - 1;
		if (d < best) {
			best = d;
			found = o->name;
		}
	}
	return found;
}

static struct config_value *line_unknown(struct config *c, const char *shown, char *error, size_t size)
{
	const char *near = config_nearest(c->options, shown + strspn(shown, "-"), false);

	if (near)
		snprintf(error, size, "%s: unknown option; did you mean '--%s'?", shown, near);
	else
		snprintf(error, size, "%s: unknown option; see --help", shown);
	return NULL;
}

/* The value that "--name" or "-x" means; *text is what follows '=' (or the letter). */
static struct config_value *line_value(struct config *c, const char *arg, const char **text, char *error, size_t size)
{
	bool is_long = arg[1] == '-';
	const char *equal = is_long ? strchr(arg, '=') : NULL;
	struct config_value *v = NULL;
	char shown[80];
	int n = is_long ? (int)(equal ? equal - arg : (ptrdiff_t)strlen(arg)) : 2;

	snprintf(shown, sizeof shown, "%.*s", n, arg);
	*text = equal ? equal + 1 : !is_long && arg[2] ? arg + 2 : NULL;
	if (is_long)
		v = config_value_find(c->values, c->n, shown + 2);
	for (size_t i = 0; i < c->n && !is_long; i++)
		if (c->values[i].option->letter == arg[1])
			v = &c->values[i];
	return v && !v->option->only_file ? v : line_unknown(c, shown, error, size);
}

/* "-c FILE" is known even when the table does not list it. */
static bool is_config(const char *arg, const char **text)
{
	*text = NULL;
	if (!strncmp(arg, "--config", 8) && (!arg[8] || arg[8] == '=')) {
		*text = arg[8] ? arg + 9 : NULL;
		return true;
	}
	if (strncmp(arg, "-c", 2))
		return false;
	*text = arg[2] ? arg + 2 : NULL;
	return true;
}

static bool line_one(struct config *c, int argc, char **argv, char *error, size_t size)
{
	const char *arg = argv[c->rest++], *text;
	struct config_value *v = NULL;
	char where[80], why[256];
	bool takes = true;

	if (is_config(arg, &text)) {
		snprintf(where, sizeof where, "--config");
	} else {
		v = line_value(c, arg, &text, error, size);
		if (!v)
			return false;
		takes = v->option->type != CONFIG_FLAG && v->option->type != CONFIG_BOOL;
		snprintf(where, sizeof where, "--%s", v->option->name);
	}
	if (!takes && !text)
		text = "true";
	else if (!takes && v->option->type == CONFIG_FLAG) {
		snprintf(error, size, "%s takes no value", where);
		return false;
	}
	if (!text && c->rest < argc)
		text = argv[c->rest++];
	if (!text) {
		snprintf(error, size, "%s needs a value: %s %s", where, where,
			 v && v->option->metavar ? v->option->metavar : v ? "VALUE" : "FILE");
		return false;
	}
	if (!v) {
		free(c->file);
		c->file = copy(text);
		v = config_value_find(c->values, c->n, "config");
		if (!v)
			return true;
	}
	v->by_line = true;
	if (config_value_set(v, text, where, why, sizeof why))
		return true;
	snprintf(error, size, "%s: %s", where, why);
	return false;
}

static bool line_read(struct config *c, int argc, char **argv, char *error, size_t size)
{
	for (c->rest = 1; c->rest < argc && argv[c->rest][0] == '-' && argv[c->rest][1];) {
		if (!strcmp(argv[c->rest], "--")) {
			c->rest++;
			return true;
		}
		if (!line_one(c, argc, argv, error, size))
			return false;
	}
	return true;
}

struct config *config_read(const struct config_option *options, int argc, char **argv, char *error, size_t size)
{
	struct config *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->options = options;
	c->n = config_count(options);
	c->values = config_values_new(options, c->n);
	if (line_read(c, argc, argv, error, size) && (!c->file || config_file(c, error, size)))
		return c;
	config_free(c);
	return NULL;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_sections; i++) {
		config_values_free(c->sections[i]->values, c->sections[i]->n);
		free(c->sections[i]->title);
		free(c->sections[i]->where);
		free(c->sections[i]);
	}
	free(c->sections);
	config_values_free(c->values, c->n);
	free(c->file);
	free(c);
}

int config_rest(const struct config *c)
{
	return c->rest;
}

/* Options are named by string constants of the programs: an unknown one is a bug. */
static const struct config_value *known(const struct config_value *v, size_t n, const char *name)
{
	v = config_value_find((struct config_value *)v, n, name);
	if (!v)
		abort();
	return v;
}

static const char *value_string(const struct config_value *v)
{
	return v->n ? v->item[v->n - 1].text : v->option->value;
}

bool config_given(const struct config *c, const char *name)
{
	return known(c->values, c->n, name)->given;
}

const char *config_string(const struct config *c, const char *name)
{
	return value_string(known(c->values, c->n, name));
}

long config_int(const struct config *c, const char *name)
{
	return known(c->values, c->n, name)->number;
}

bool config_bool(const struct config *c, const char *name)
{
	return known(c->values, c->n, name)->number != 0;
}

static const char *value_element(const struct config_value *v, size_t i)
{
	return i < v->n ? v->item[i].text : NULL;
}

size_t config_list_size(const struct config *c, const char *name)
{
	return known(c->values, c->n, name)->n;
}

const char *config_list(const struct config *c, const char *name, size_t i)
{
	return value_element(known(c->values, c->n, name), i);
}

const char *config_where(const struct config *c, const char *name, size_t i)
{
	const struct config_value *v = known(c->values, c->n, name);

	return i < v->n ? v->item[i].where : "default";
}

size_t config_sections(const struct config *c, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_sections; i++)
		n += !strcmp(c->sections[i]->option->name, name);
	return n;
}

const struct config_section *config_section(const struct config *c, const char *name, size_t i)
{
	for (size_t k = 0; k < c->n_sections; k++)
		if (!strcmp(c->sections[k]->option->name, name) && i-- == 0)
			return c->sections[k];
	return NULL;
}

const char *config_section_title(const struct config_section *s)
{
	return s->title;
}

const char *config_section_where(const struct config_section *s)
{
	return s->where;
}

const char *config_section_string(const struct config_section *s, const char *name)
{
	return value_string(known(s->values, s->n, name));
}

long config_section_int(const struct config_section *s, const char *name)
{
	return known(s->values, s->n, name)->number;
}

bool config_section_bool(const struct config_section *s, const char *name)
{
	return known(s->values, s->n, name)->number != 0;
}

size_t config_section_list_size(const struct config_section *s, const char *name)
{
	return known(s->values, s->n, name)->n;
}

const char *config_section_list(const struct config_section *s, const char *name, size_t i)
{
	return value_element(known(s->values, s->n, name), i);
}

static void help_line(char letter, const char *name, const char *metavar, const char *help)
{
	char left[128];
	int n;

	if (letter)
		n = snprintf(left, sizeof left, "  -%c, --%s%s%s", letter, name, *metavar ? " " : "", metavar);
	else
		n = snprintf(left, sizeof left, "      --%s%s%s", name, *metavar ? " " : "", metavar);
	if (n < HELP_COLUMN)
		printf("%-*s%s\n", HELP_COLUMN, left, help);
	else
		printf("%s\n%-*s%s\n", left, HELP_COLUMN, "", help);
}

void config_help(const struct config_option *o)
{
	bool listed = false;

	for (const struct config_option *i = o; i->name; i++)
		listed |= !strcmp(i->name, "config");
	if (!listed)
		help_line('c', "config", "FILE", "read options from FILE; the command line wins");
	for (; o->name; o++) {
		bool takes = o->type == CONFIG_STRING || o->type == CONFIG_INT || o->type == CONFIG_LIST;

		if (o->help && o->type != CONFIG_SECTIONS)
			help_line(o->letter, o->name, takes ? o->metavar ? o->metavar : "VALUE" : "", o->help);
	}
}
