/* links: framing/capsule.c framing/cursor.c framing/varint.c */
/* Capsules: headers, names and the two properties of types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/varint.h"

static void headers_are_read(void **state)
{
	static const uint8_t head[] = { 0x13, 0x7b, 0xbd };
	static const uint8_t longer[] = { 0x40, 0x13, 0x80, 0x00, 0x00, 0x05, 0xff };
	uint64_t type = 0;
	size_t len = 0;

	(void)state;
	assert_int_equal(capsule_head_get(head, sizeof head, CAPSULE_MAX, &type, &len), 3);
	assert_int_equal(type, CAPSULE_STREAM);
	assert_int_equal(len, 15293);
	assert_int_equal(capsule_head_get(longer, sizeof longer, CAPSULE_MAX, &type, &len), 6);
	assert_int_equal(type, CAPSULE_STREAM);
	assert_int_equal(len, 5);
}

static void truncated_headers_need_more(void **state)
{
	static const uint8_t longest[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0, 0, 0, 0, 0, 0, 9 };
	uint64_t type;
	size_t len;

	(void)state;
	assert_int_equal(sizeof longest, CAPSULE_HEAD_MAX);
	for (size_t n = 0; n < sizeof longest; n++) {
		uint8_t *p = malloc(n + !n);

		memcpy(p, longest, n);
		assert_int_equal(capsule_head_get(p, n, 100, &type, &len), 0);
		free(p);
	}
	assert_int_equal(capsule_head_get(longest, sizeof longest, 100, &type, &len), CAPSULE_HEAD_MAX);
	assert_true(type == VARINT_MAX);
}

static void lengths_above_the_maximum_are_malformed(void **state)
{
	static const uint8_t huge[] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint64_t type;
	uint8_t buf[8];
	size_t len;
	struct writer w;

	(void)state;
	assert_int_equal(capsule_head_get(huge, sizeof huge, CAPSULE_TOP_MAX, &type, &len), ERROR_MALFORMED);
	writer_init(&w, buf, sizeof buf);
	capsule_head_put(&w, CAPSULE_PAD, CAPSULE_MAX);
	assert_int_equal(writer_len(&w), 5);
	assert_int_equal(capsule_head_get(buf, 5, CAPSULE_MAX, &type, &len), 5);
	assert_int_equal(len, CAPSULE_MAX);
	assert_int_equal(capsule_head_get(buf, 5, CAPSULE_MAX - 1, &type, &len), ERROR_MALFORMED);
}

static void headers_are_written_short(void **state)
{
	static const uint8_t golden[] = { 0x00, 0x3f, 0x17, 0x40, 0x40 };
	uint8_t buf[8];
	struct writer w;

	(void)state;
	writer_init(&w, buf, sizeof buf);
	capsule_head_put(&w, CAPSULE_DATAGRAM, 63);
	capsule_head_put(&w, CAPSULE_CLOSE, 64);
	assert_int_equal(writer_len(&w), sizeof golden);
	assert_memory_equal(buf, golden, sizeof golden);
}

static void types_have_names_and_properties(void **state)
{
	static const uint64_t unreliable[] = { CAPSULE_DATAGRAM, CAPSULE_RECORD, CAPSULE_PAD, CAPSULE_RECEIPT,
					       CAPSULE_PING,	 CAPSULE_PONG,	 CAPSULE_MARK, CAPSULE_SEEN,
					       CAPSULE_PROBED };

	(void)state;
	assert_string_equal(capsule_type_name(CAPSULE_DATAGRAM), "DATAGRAM");
	assert_string_equal(capsule_type_name(CAPSULE_CLOSE), "CLOSE");
	assert_string_equal(capsule_type_name(0x0d), "unknown");
	assert_string_equal(capsule_type_name(CAPSULE_PROBED), "PROBED");
	assert_string_equal(capsule_type_name(CAPSULE_ANSWERS), "ANSWERS");
	assert_string_equal(capsule_type_name(0x1e), "unknown");
	assert_false(capsule_is_accountable(CAPSULE_ANSWERS));
	assert_false(capsule_is_reliable(CAPSULE_ANSWERS));
	assert_string_equal(capsule_type_name(UINT64_MAX), "unknown");
	for (uint64_t type = 0; type <= CAPSULE_PROBED; type++) {
		bool reliable = true;

		for (size_t i = 0; i < sizeof unreliable / sizeof *unreliable; i++)
			reliable &= type != unreliable[i];
		assert_int_equal(capsule_is_reliable(type), reliable);
		assert_int_equal(capsule_is_accountable(type),
				 type != CAPSULE_RECEIPT && type != CAPSULE_PAD && type != CAPSULE_PONG &&
					 type != CAPSULE_PROBED);
	}
}

static void codes_have_texts(void **state)
{
	(void)state;
	for (uint64_t code = 0; code <= CODE_SESSION_LOST; code++)
		assert_string_not_equal(capsule_code_text(code), "unknown code");
	assert_string_equal(capsule_code_text(CODE_CONNECT_REFUSED), "the target refused the connection");
	assert_string_equal(capsule_code_text(CODE_SESSION_LOST + 1), "unknown code");
	assert_string_equal(capsule_code_text(UINT64_MAX), "unknown code");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read),
		cmocka_unit_test(truncated_headers_need_more),
		cmocka_unit_test(lengths_above_the_maximum_are_malformed),
		cmocka_unit_test(headers_are_written_short),
		cmocka_unit_test(types_have_names_and_properties),
		cmocka_unit_test(codes_have_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
