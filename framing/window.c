/*
 * Window: which numbers were seen, as a bitmap that moves with the newest; and
 * the expansion of truncated numbers. Called for record numbers, datagram
 * sequences and channel ids; calls nothing.
 */
#include "framing/window.h"

#include <string.h>

static uint64_t mask_of(uint64_t n)
{
	return UINT64_C(1) << (n % 64);
}

static uint64_t *word_of(struct window *w, uint64_t n)
{
	return &w->bits[n % WINDOW_SPAN / 64];
}

void window_init(struct window *w)
{
	memset(w, 0, sizeof *w);
}

bool window_seen(const struct window *w, uint64_t n)
{
	if (n >= w->next)
		return false;
	if (w->next - n > WINDOW_SPAN)
		return true;
	return w->bits[n % WINDOW_SPAN / 64] & mask_of(n);
}

/* Forgets the numbers that fall out of the span when n becomes the newest: their
 * bits are those of [next, n]. */
static void window_advance(struct window *w, uint64_t n)
{
	if (n - w->next >= WINDOW_SPAN) {
		memset(w->bits, 0, sizeof w->bits);
	} else {
		for (uint64_t i = w->next; i <= n; i++) {
			if (i % 64 == 0 && n - i >= 63) {
				*word_of(w, i) = 0;
				i += 63;
			} else {
				*word_of(w, i) &= ~mask_of(i);
			}
		}
	}
	w->next = n + 1;
}

bool window_mark(struct window *w, uint64_t n)
{
	if (window_seen(w, n))
		return false;
	if (n >= w->next)
		window_advance(w, n);
	*word_of(w, n) |= mask_of(n);
	return true;
}

uint64_t window_expand(uint64_t next, uint64_t truncated, unsigned bits)
{
	const uint64_t span = UINT64_C(1) << bits;
	const uint64_t half = span / 2;
	uint64_t n = (next & ~(span - 1)) | (truncated & (span - 1));

	if (n + half <= next && n < (UINT64_C(1) << 62) - span)
		return n + span;
	if (n > next + half && n >= span)
		return n - span;
	return n;
}
