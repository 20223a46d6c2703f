/*
 * What config.c (files) and config_values.c (values and the command line) share;
 * nobody else includes it.
 */
#ifndef TUNNEL_CONFIG_VALUES_H
#define TUNNEL_CONFIG_VALUES_H

#include "tunnel/config.h"

#define CONFIG_WHERE_MAX 512	/* bytes of "FILE:LINE" */

struct config_item {
	char *text;
	char *where;
};

/* What one option holds. Strings and lists in items, the others in number. */
struct config_value {
	const struct config_option *option;
	struct config_item *item;
	size_t n;
	long number;
	bool given, by_line;	/* by anyone; by the command line */
};

struct config_section {
	const struct config_option *option; /* of the kind */
	char *title, *where;
	struct config_value *values;
	size_t n;
};

struct config {
	const struct config_option *options;
	struct config_value *values;
	size_t n;
	struct config_section **sections;
	size_t n_sections;
	char *file;
	int rest;
};

size_t config_count(const struct config_option *);
struct config_value *config_values_new(const struct config_option *, size_t n);
void config_values_free(struct config_value *, size_t n);
/* An option by name, but no sections: those may share the name of a list of the command line. */
struct config_value *config_value_find(struct config_value *, size_t n, const char *name);
/* Adds (lists) or sets a value from its text. False and a sentence without its place
 * in error when the text does not fit the option. */
bool config_value_set(struct config_value *, const char *text, const char *where, char *error, size_t size);
/* The number or bool in the text; as config_value_set. */
bool config_number(const struct config_option *, const char *text, long *number, char *error, size_t size);
/* The name of the visible option that is most like an unknown one, or NULL. */
const char *config_nearest(const struct config_option *, const char *name, bool in_file);

/* config.c: reads c->file. */
bool config_file(struct config *, char *error, size_t size);

#endif
