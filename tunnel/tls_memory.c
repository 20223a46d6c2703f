/*
 * Free lists of small blocks behind CRYPTO_malloc. Called by main. The lists are of the
 * thread that set them up; others, where a library may use OpenSSL, allocate. A block has a head of 16 bytes that names its size class; larger
 * blocks go straight to malloc. Not used under AddressSanitizer, which then sees
 * OpenSSL's own blocks.
 */
#include "tunnel/tls_memory.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

#define CLASSES 5		/* 32, 64, 128, 256, 512 bytes */
#define LARGEST ((size_t)32 << (CLASSES - 1))
#define KEPT_MAX 512		/* free blocks kept of each class */

union head {
	struct {
		union head *next;	/* in a free list */
		uint32_t class;		/* CLASSES: not from a list */
		uint32_t size;
	} of;
	max_align_t align;
};

static _Thread_local bool has_lists;
static union head *kept[CLASSES];
static unsigned kept_count[CLASSES];

static unsigned class_of(size_t n)
{
	unsigned c = 0;

	while (c < CLASSES && n > (size_t)32 << c)
		c++;
	return c;
}

static void *take(size_t n, const char *file, int line)
{
	unsigned c = class_of(n);
	union head *h;

	(void)file, (void)line;
	if (n == 0 || n > UINT32_MAX - sizeof *h)
		return NULL;
	if (has_lists && c < CLASSES && kept[c]) {
		h = kept[c];
		kept[c] = h->of.next;
		kept_count[c]--;
	} else {
		h = malloc(sizeof *h + (c < CLASSES ? (size_t)32 << c : n));
		if (!h)
			return NULL;
	}
	h->of.class = c;
	h->of.size = (uint32_t)n;
	return h + 1;
}

static void give_back(void *p, const char *file, int line)
{
	union head *h = p;
	unsigned c;

	(void)file, (void)line;
	if (!p)
		return;
	c = (--h)->of.class;
	if (!has_lists || c == CLASSES || kept_count[c] == KEPT_MAX) {
		free(h);
		return;
	}
	h->of.next = kept[c];
	kept[c] = h;
	kept_count[c]++;
}

static void *resize(void *p, size_t n, const char *file, int line)
{
	const union head *h = p;
	void *fresh;

	if (!p)
		return take(n, file, line);
	if (n == 0) {
		give_back(p, file, line);
		return NULL;
	}
	fresh = take(n, file, line);
	if (!fresh)
		return NULL;
	memcpy(fresh, p, h[-1].of.size < n ? h[-1].of.size : n);
	give_back(p, file, line);
	return fresh;
}

void tls_memory_setup(void)
{
	if (SANITIZED)
		return;
	has_lists = true;
	CRYPTO_set_mem_functions(take, resize, give_back);
}
