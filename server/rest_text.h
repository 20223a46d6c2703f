/* REST text: the body of an answer while it is put together. */
#ifndef SERVER_REST_TEXT_H
#define SERVER_REST_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct rest_text {
	uint8_t *p;
	size_t n, cap;
};

/* A place for n more bytes, which count as written. */
uint8_t *rest_text_room(struct rest_text *, size_t n);
void rest_text_put(struct rest_text *, const void *p, size_t n);
void rest_text_print(struct rest_text *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A string of JSON from n bytes of UTF-8. */
void rest_text_string(struct rest_text *, const uint8_t *p, size_t n);
void rest_text_base64(struct rest_text *, const uint8_t *p, size_t n);
void rest_text_fini(struct rest_text *);

#endif
