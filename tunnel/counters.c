/*
 * The table of counters and their names, for the status and metrics outputs.
 */
#include "tunnel/counters.h"

uint64_t counters[COUNTER_COUNT];

static const struct {
	const char *name, *text;
} table[COUNTER_COUNT] = {
#define X(name, text) { #name, text },
	COUNTERS(X)
#undef X
};

const char *counter_name(enum counter c)
{
	return table[c].name;
}

const char *counter_text(enum counter c)
{
	return table[c].text;
}
