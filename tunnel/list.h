/* Doubly linked ring lists with embedded links; a zeroed or detached link is in no list. */
#ifndef TUNNEL_LIST_H
#define TUNNEL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev, *next;
};

#define list_entry(l, type, member) ((type *)(void *)((char *)(l) - offsetof(type, member)))

static inline void list_init(struct link *head) { head->prev = head->next = head; }
static inline bool list_empty(const struct link *head) { return head->next == head; }
static inline bool link_in_list(const struct link *l) { return l->next != NULL; }
static inline void list_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}
static inline void link_remove(struct link *l)
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = l->next = NULL;
}

#endif
