/* Running a real loop with a guard. Called by tests on real sockets. */
#include "tests/lib/turns.h"

struct guard {
	struct timer timer;
	struct loop *loop;
	bool late;
};

static void on_guard(void *ctx)
{
	struct guard *g = ctx;

	g->late = true;
	loop_break(g->loop);
}

bool turns_run(struct loop *loop, int64_t us)
{
	struct guard g = { .loop = loop };

	timer_init(&g.timer, loop, on_guard, &g);
	timer_in(&g.timer, us);
	loop_run(loop);
	timer_stop(&g.timer);
	return !g.late;
}
