/*
 * What the tests of messages share: a vector is a message with its bytes, and
 * must survive being written, read, truncated, flipped and squeezed.
 */
#ifndef TESTS_MESSAGE_CHECK_H
#define TESTS_MESSAGE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/message.h"

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof(const uint8_t[]){ __VA_ARGS__ }
#define TEXT(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define HAS(id) (UINT32_C(1) << (id))

union any_message {
	struct message_hello hello;
	struct message_welcome welcome;
	struct message_farewell farewell;
	struct message_receipt receipt;
	struct message_open open;
	struct message_opened opened;
	struct message_refused refused;
	struct message_datagram datagram;
	struct message_stream stream;
	struct message_ack ack;
	struct message_window window;
	struct message_reset reset;
	struct message_close close;
	struct message_mark mark;
	struct message_seen seen;
	struct message_probed probed;
	uint64_t token;
};

struct vector {
	uint64_t type;
	int (*get)(struct span, union any_message *);
	bool (*put)(struct writer *, const union any_message *);
	size_t fixed;		/* octets of the value without which it is malformed */
	const uint8_t *bytes;	/* the whole capsule */
	size_t n;
	union any_message message;
};

/* Adapters with one signature for all messages. */
#define ADAPT(name, field)                                                                                             \
	static int name##_get(struct span value, union any_message *m)                                                 \
	{                                                                                                              \
		return message_##name##_get(value, &m->field);                                                         \
	}                                                                                                              \
	static bool name##_put(struct writer *w, const union any_message *m)                                           \
	{                                                                                                              \
		return message_##name##_put(w, &m->field);                                                             \
	}

static inline struct span vector_value(const struct vector *v)
{
	uint64_t type = 0;
	size_t len = 0;
	ssize_t head = capsule_head_get(v->bytes, v->n, CAPSULE_MAX, &type, &len);

	assert_true(head > 0 && (size_t)head + len == v->n);
	assert_true(type == v->type);
	return (struct span){ v->bytes + head, len };
}

static inline void check_put(const struct vector *v)
{
	for (size_t cap = 0; cap <= v->n + 1; cap++) {
		uint8_t *p = malloc(cap + !cap);
		struct writer w;

		writer_init(&w, p, cap);
		if (cap < v->n) {
			assert_false(v->put(&w, &v->message));
			assert_int_equal(writer_len(&w), 0);
			assert_false(w.full); /* something shorter may still fit */
		} else {
			assert_true(v->put(&w, &v->message));
			assert_int_equal(writer_len(&w), v->n);
			assert_memory_equal(p, v->bytes, v->n);
		}
		free(p);
	}
}

/* Reads the first n octets of the value from a buffer of that size, with one bit
 * flipped unless negative; what is accepted can be written, and reads the same again. */
static inline int check_get(const struct vector *v, size_t n, int flip)
{
	uint8_t *p = malloc(n + !n), out[2048];
	union any_message m;
	struct writer w;
	int rc;

	memset(&m, 0xa5, sizeof m);
	memcpy(p, vector_value(v).p, n);
	if (flip >= 0)
		p[flip / 8] ^= (uint8_t)(1 << flip % 8);
	rc = v->get((struct span){ p, n }, &m);
	assert_true(rc == 0 || rc == ERROR_MALFORMED);
	if (rc == 0) {
		writer_init(&w, out, sizeof out);
		assert_true(v->put(&w, &m));
		if (flip < 0 && n == vector_value(v).n) {
			assert_int_equal(writer_len(&w), v->n);
			assert_memory_equal(out, v->bytes, v->n);
		}
	}
	free(p);
	return rc;
}

static inline void check_vectors(const struct vector *v, size_t count)
{
	for (; count > 0; v++, count--) {
		struct span value = vector_value(v);

		check_put(v);
		assert_int_equal(check_get(v, value.n, -1), 0);
		for (size_t n = 0; n < value.n; n++)
			if (check_get(v, n, -1) == 0)
				assert_true(n >= v->fixed);
			else
				assert_true(n != v->fixed);
		for (size_t n = v->fixed; n <= value.n; n++)
			for (size_t bit = 0; bit < 8 * n; bit++)
				check_get(v, n, (int)bit);
	}
}

#endif
