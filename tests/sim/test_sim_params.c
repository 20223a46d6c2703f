// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay*.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/* What both ends know of a channel's class, deadline, redundancy and payload types once it is open, whoever said it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "framing/capsule.h"
#include "tests/sim/world.h"

static struct channel_params decided, asked; /* by the server; and what it was asked for */
static struct channel *far;

static void on_datagram(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	(void)p;
	(void)n;
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	(void)ctx;
	(void)code;
	(void)reason;
}

static const struct endpoint_ops ops = { .datagram = on_datagram, .closed = on_closed };

/* As a service with the configuration in `decided`. */
static uint64_t on_open(struct world *w, struct channel *ch, struct channel_params *params, const struct endpoint_ops **o,
			void **endpoint, const char **sentence)
{
	(void)w;
	(void)endpoint;
	(void)sentence;
	asked = *params;
	far = ch;
	*o = &ops;
	if (decided.class)
		params->class = decided.class;
	if (decided.deadline_ms)
		params->deadline_ms = decided.deadline_ms;
	if (decided.redundancy)
		params->redundancy = decided.redundancy;
	params->rules = decided.rules;
	return CODE_NONE;
}

/* Opens a channel with these wishes; the helper's end of it. */
static struct channel *open_channel(struct world *w, struct channel_params wish)
{
	struct channel *ch;

	wish.kind = KIND_DATAGRAM;
	wish.service = "rtp";
	w->open = on_open;
	world_lane(w, "poll", &(struct proxy_options){ .kind = PROXY_STORE, .delay_us = 5000 }, 2);
	assert_true(world_connect(w, 10 * LOOP_SECOND));
	ch = channel_open(w->helper, &wish, &ops, NULL);
	assert_non_null(ch);
	world_run(w, 2 * LOOP_SECOND);
	assert_non_null(far);
	return ch;
}

static void the_servers_word_reaches_the_helper(void **state)
{
	struct world *w = world_new(3, false);
	const struct channel_params *near;
	struct channel *ch;

	(void)state;
	decided = (struct channel_params){ .class = CLASS_AUDIO, .deadline_ms = 150, .redundancy = REDUNDANCY_ALWAYS,
					   .rules = { .audio_types = { 1, [13] = 128 }, .video_types = { [12] = 3 } } };
	ch = open_channel(w, (struct channel_params){ .class = CLASS_AUTO });
	near = channel_params(ch);
	assert_int_equal(asked.class, CLASS_AUTO);
	assert_int_equal(asked.deadline_ms, 0);
	assert_int_equal(near->class, CLASS_AUDIO);
	assert_int_equal(near->deadline_ms, 150);
	assert_int_equal(near->redundancy, REDUNDANCY_ALWAYS);
	assert_int_equal(near->rules.class, CLASS_AUDIO);
	assert_memory_equal(near->rules.audio_types, decided.rules.audio_types, 16);
	assert_memory_equal(near->rules.video_types, decided.rules.video_types, 16);
	assert_int_equal(channel_params(far)->rules.class, CLASS_AUDIO);
	world_free(w);
}

static void wishes_reach_the_server(void **state)
{
	struct world *w = world_new(4, false);
	const struct channel_params *there;
	struct channel *ch;

	(void)state;
	decided = (struct channel_params){ .rules = { .audio_types = { 2 } } };
	ch = open_channel(w, (struct channel_params){ .class = CLASS_VIDEO, .deadline_ms = 77, .redundancy = REDUNDANCY_NEVER,
						      .rules = { .video_types = { [15] = 4 } } });
	assert_int_equal(asked.class, CLASS_VIDEO);
	assert_int_equal(asked.rules.class, CLASS_VIDEO);
	assert_int_equal(asked.deadline_ms, 77);
	assert_int_equal(asked.redundancy, REDUNDANCY_NEVER);
	assert_int_equal(asked.rules.video_types[15], 4);
	there = channel_params(far);
	assert_int_equal(there->class, CLASS_VIDEO);
	assert_int_equal(there->redundancy, REDUNDANCY_NEVER);
	assert_int_equal(channel_params(ch)->rules.audio_types[0], 2);
	world_free(w);
}

/* Each end sends as it was told on its side. */
static void wishes_stand_at_their_own_end(void **state)
{
	struct world *w = world_new(5, false);
	const struct channel_params *near;

	(void)state;
	decided = (struct channel_params){ .class = CLASS_AUDIO, .deadline_ms = 150, .redundancy = REDUNDANCY_ALWAYS };
	near = channel_params(open_channel(w, (struct channel_params){ .class = CLASS_BULK, .redundancy = REDUNDANCY_NEVER }));
	assert_int_equal(near->class, CLASS_BULK);
	assert_int_equal(near->rules.class, CLASS_BULK);
	assert_int_equal(near->redundancy, REDUNDANCY_NEVER);
	assert_int_equal(near->deadline_ms, 150);	/* of that nothing was said here */
	assert_int_equal(channel_params(far)->class, CLASS_AUDIO);
	assert_int_equal(channel_params(far)->redundancy, REDUNDANCY_ALWAYS);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_servers_word_reaches_the_helper),
		cmocka_unit_test(wishes_reach_the_server),
		cmocka_unit_test(wishes_stand_at_their_own_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
