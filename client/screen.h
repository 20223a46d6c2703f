/*
 * Screen: a terminal whose text is drawn anew in place, within its width and height.
 */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H

#include <stdio.h>

/* Draws from the top left corner on and hides the cursor; what does not fit is cut, which a last line says. */
void screen_draw(FILE *terminal, const char *text);
/* Gives the cursor back, below the text. In any state, also without screen_draw. */
void screen_leave(FILE *terminal);

/* Cuts a text to that many columns and lines, the last of which says how many more there are; 0: not. For tests. */
void screen_cut(FILE *out, const char *text, unsigned columns, unsigned lines, const char *end_of_line);

#endif
