/*
 * The words for classes and redundancy, as people write them in configurations.
 * Called by the options of both ends; calls nothing.
 */
#include <string.h>

#include "framing/message.h"

static const char *const classes[] = {
	[CLASS_AUTO] = "auto", [CLASS_AUDIO] = "audio", [CLASS_VIDEO] = "video",
	[CLASS_CONTROL] = "control", [CLASS_BULK] = "bulk", NULL,
};
static const char *const redundancies[] = {
	[REDUNDANCY_AUTO] = "auto", [REDUNDANCY_ALWAYS] = "always", [REDUNDANCY_NEVER] = "never", NULL,
};

static int find(const char *const *words, const char *text)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

int message_class_find(const char *text)
{
	return find(classes, text);
}

int message_redundancy_find(const char *text)
{
	return find(redundancies, text);
}
