/* links: client/path.c tunnel/loop.c framing/error.c */
/* libs: -lev */
/* The path over a fake pool, network, route and memory: what is forgotten, recalled and told when the network
 * changes, when the machine was asleep, and when nothing of it matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client/memory.h"
#include "client/network.h"
#include "client/path.h"
#include "tunnel/log.h"

#define ENTRIES 8

const struct rung rungs[] = { { .name = "duplex" }, { .name = "push" }, { .name = "poll" }, { .name = NULL } };
#define DUPLEX (&rungs[0])
#define PUSH (&rungs[1])

/* ---- fakes ---- */

/* What was done, in order, a letter each: e pool excuses, p pool forgets, r route forgets, c changed. */
static char done[32];

static void did(char what)
{
	size_t n = strlen(done);

	assert_true(n + 1 < sizeof done);
	done[n] = what;
}

static struct {
	struct cuts *cuts;
	unsigned limit, learned_limit;
	int64_t fresh_idle_us;	/* learned just now */
	void (*learned)(void *ctx);
	void *learned_ctx;
	bool there;
} fake_pool;

struct pool *pool_new(struct loop *l, const struct pool_dialler *d, unsigned limit, struct cuts *cuts)
{
	(void)l, (void)d;
	fake_pool.there = true;
	fake_pool.limit = limit;
	fake_pool.cuts = cuts;
	return (struct pool *)&fake_pool;
}
void pool_free(struct pool *p) { (void)p; fake_pool.there = false; }
void pool_insist(struct pool *p) { (void)p; }
void pool_on_learned(struct pool *p, void (*learned)(void *ctx), void *ctx)
{
	(void)p;
	fake_pool.learned = learned;
	fake_pool.learned_ctx = ctx;
}
void pool_set_limit(struct pool *p, unsigned limit) { (void)p; fake_pool.learned_limit = limit; }
unsigned pool_limit_learned(const struct pool *p)
{
	(void)p;
	assert_true(fake_pool.there);
	return fake_pool.learned_limit;
}
void pool_forget(struct pool *p)
{
	(void)p;
	did('p');
	memset(fake_pool.cuts, 0, sizeof *fake_pool.cuts);
	fake_pool.learned_limit = 0;
}

void pool_excuse(struct pool *p)
{
	(void)p;
	did('e');
	if (fake_pool.fresh_idle_us == fake_pool.cuts->seen.idle_us)
		fake_pool.cuts->seen.idle_us = 0;
}

static struct {
	const char *id;
	bool refined;
	void (*changed)(void *ctx, bool resumed);
	void *ctx;
} net;

struct network *network_new(struct loop *l, void (*changed)(void *ctx, bool resumed), void *ctx)
{
	(void)l;
	net.changed = changed;
	net.ctx = ctx;
	return (struct network *)&net;
}
void network_free(struct network *n) { (void)n; net.changed = NULL; }
void network_id(const struct network *n, char out[NETWORK_ID]) { (void)n; strcpy(out, net.id); }
bool network_refined(const struct network *n) { (void)n; return net.refined; }

static bool moved;	/* connections would leave from another address */
static struct route *const route = (struct route *)&moved;

const struct pool_dialler *route_dialler(const struct route *r) { (void)r; return NULL; }
void route_forget(struct route *r) { (void)r; did('r'); }
bool route_moved(const struct route *r) { (void)r; return moved; }
bool route_is_plain(const struct route *r) { (void)r; return true; }
bool route_bad(struct route *r) { (void)r; did('b'); return true; }
static const char *through = "direct";
static const struct route_events *route_events;
static void *route_ctx;
const char *route_text(const struct route *r) { (void)r; return through; }
void route_listen(struct route *r, const struct route_events *events, void *ctx)
{
	(void)r;
	route_events = events;
	route_ctx = ctx;
}
bool pool_is_standing(const struct pool *p) { (void)p; return true; }

static struct {
	char network[NETWORK_ID];
	struct verdict verdict;
} entry[ENTRIES];
static unsigned puts_seen;

static unsigned entry_of(const char *network)
{
	unsigned i = 0;

	while (i < ENTRIES - 1 && entry[i].network[0] && strcmp(entry[i].network, network) != 0)
		i++;
	return i;
}

struct memory *memory_open(struct loop *l, const char *file, char *warning, size_t size)
{
	(void)l, (void)file, (void)size;
	warning[0] = 0;
	return (struct memory *)entry;
}
void memory_free(struct memory *m) { (void)m; }
bool memory_issuer(const struct memory *m, const char *server, struct verdict_issuer *out)
{
	(void)m;
	*out = (struct verdict_issuer){ .when = strcmp(server, "https://s") == 0 ? 7 : 0 };
	return out->when;
}
bool memory_get(const struct memory *m, const char *network, const char *proxy, const char *server, struct verdict *out)
{
	const struct verdict *v = &entry[entry_of(network)].verdict;

	(void)m;
	assert_string_equal(proxy, "direct");
	assert_string_equal(server, "https://s");
	memset(out, 0, sizeof *out);
	if (v->rung)
		*out = *v;
	return v->rung;
}
void memory_put(struct memory *m, const char *network, const char *proxy, const char *server, const struct verdict *v)
{
	unsigned i = entry_of(network);

	(void)m, (void)proxy, (void)server;
	assert_non_null(v->rung);
	strcpy(entry[i].network, network);
	entry[i].verdict = *v;
	puts_seen++;
}

bool log_enabled(enum log_level level) { (void)level; return false; }
void log_write(enum log_level level, struct log_limit *l, const char *area, const char *who, const char *fmt, ...)
{
	(void)level, (void)l, (void)area, (void)who, (void)fmt;
}

/* ---- the path under test ---- */

static struct loop *loop;
static struct path *path;
static struct options options = { .server = { .url = "https://s" }, .connections = 6 };

static void on_changed(void *ctx)
{
	assert_ptr_equal(ctx, &options);
	did('c');
}

static void begin(const char *id)
{
	net.id = id;
	path = path_new(loop, &options, route, on_changed, &options);
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	memset(entry, 0, sizeof entry);
	memset(&fake_pool, 0, sizeof fake_pool);
	memset(&net, 0, sizeof net);
	memset(done, 0, sizeof done);
	moved = false;
	puts_seen = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	path_free(path);
	assert_null(net.changed);
	assert_false(fake_pool.there);
	loop_free(loop);
	return 0;
}

static void know(const char *network, const struct rung *rung, unsigned limit, int64_t idle_us)
{
	struct verdict v = { .rung = rung, .limit = limit, .when = 1 };

	v.cuts.seen.idle_us = idle_us;
	memory_put(NULL, network, "direct", "https://s", &v);
	puts_seen = 0;
}

static const struct verdict *kept(const char *network)
{
	return &entry[entry_of(network)].verdict;
}

/* ---- tests ---- */

static void known_at_the_beginning(void **state)
{
	(void)state;
	know("home", DUPLEX, 2, 5 * LOOP_SECOND);
	begin("home");
	assert_ptr_equal(path_verdict(path)->rung, DUPLEX);
	assert_ptr_equal(fake_pool.cuts, &path_verdict(path)->cuts);
	assert_int_equal(fake_pool.cuts->seen.idle_us, 5 * LOOP_SECOND);
	assert_int_equal(fake_pool.learned_limit, 2);
	assert_string_equal(done, "");
}

static void another_network_and_back(void **state)
{
	(void)state;
	begin("home");
	path_verdict(path)->rung = DUPLEX;
	fake_pool.cuts->seen.idle_us = 7 * LOOP_SECOND;
	net.id = "cafe";
	net.changed(net.ctx, false);
	assert_string_equal(done, "erpc");	/* no address of the old network when the pool dials again */
	assert_null(path_verdict(path)->rung);
	assert_int_equal(fake_pool.cuts->seen.idle_us, 0);
	path_verdict(path)->rung = PUSH;
	fake_pool.learned_limit = 3;
	net.id = "home";
	net.changed(net.ctx, false);
	assert_string_equal(done, "erpcerpc");
	assert_ptr_equal(path_verdict(path)->rung, DUPLEX);
	assert_int_equal(fake_pool.cuts->seen.idle_us, 7 * LOOP_SECOND);
	assert_int_equal(fake_pool.learned_limit, 0);
	assert_ptr_equal(kept("cafe")->rung, PUSH);
	assert_int_equal(kept("cafe")->limit, 3);
}

/* The same network: nothing stands any more, but what is known of it holds. */
static void back_from_sleep(void **state)
{
	(void)state;
	begin("home");
	path_verdict(path)->rung = DUPLEX;
	fake_pool.learned_limit = 4;
	fake_pool.cuts->seen.idle_us = 7 * LOOP_SECOND;
	net.changed(net.ctx, true);
	assert_string_equal(done, "erpc");
	assert_ptr_equal(path_verdict(path)->rung, DUPLEX);
	assert_int_equal(fake_pool.cuts->seen.idle_us, 7 * LOOP_SECOND);
	assert_int_equal(fake_pool.learned_limit, 4);
	net.id = "cafe";
	net.changed(net.ctx, true);
	assert_string_equal(done, "erpcerpc");
	assert_null(path_verdict(path)->rung);
}

/* Connections that are reset while we wake up, or while the network goes, were not cut by the path. */
static void what_a_change_cuts_is_not_kept(void **state)
{
	(void)state;
	begin("home");
	path_verdict(path)->rung = DUPLEX;
	fake_pool.cuts->seen.idle_us = fake_pool.fresh_idle_us = 2 * LOOP_SECOND;
	fake_pool.learned(fake_pool.learned_ctx);
	net.changed(net.ctx, true);
	assert_int_equal(kept("home")->cuts.seen.idle_us, 0);
	assert_int_equal(fake_pool.cuts->seen.idle_us, 0);
}

static void addresses_that_are_not_ours(void **state)
{
	(void)state;
	begin("home");
	path_verdict(path)->rung = DUPLEX;
	net.changed(net.ctx, false);
	assert_string_equal(done, "");
	moved = true;
	net.changed(net.ctx, false);
	assert_string_equal(done, "erpc");
	assert_ptr_equal(path_verdict(path)->rung, DUPLEX);
}

/* The gateway's hardware address gets known: the same connections, under a better name. */
static void a_better_name(void **state)
{
	(void)state;
	begin("somewhere");
	path_verdict(path)->rung = PUSH;
	net.id = "home";
	net.refined = true;
	net.changed(net.ctx, false);
	assert_string_equal(done, "");
	assert_ptr_equal(kept("home")->rung, PUSH);
	assert_ptr_equal(path_verdict(path)->rung, PUSH);
	moved = true;
	net.id = "other";
	net.changed(net.ctx, false);
	assert_string_equal(done, "erpc");
}

static void a_better_name_that_is_known(void **state)
{
	(void)state;
	know("home", DUPLEX, 2, 0);
	begin("somewhere");
	assert_null(path_verdict(path)->rung);
	net.id = "home";
	net.refined = true;
	net.changed(net.ctx, false);
	assert_string_equal(done, "");
	assert_ptr_equal(path_verdict(path)->rung, DUPLEX);
	assert_int_equal(fake_pool.learned_limit, 2);
}

static void what_is_learned_between_proofs(void **state)
{
	(void)state;
	begin("home");
	fake_pool.learned(fake_pool.learned_ctx);
	assert_int_equal(puts_seen, 0);		/* nothing carries yet */
	path_verdict(path)->rung = PUSH;
	fake_pool.learned_limit = 2;
	fake_pool.learned(fake_pool.learned_ctx);
	assert_int_equal(kept("home")->limit, 2);
	fake_pool.cuts->seen.idle_us = 9 * LOOP_SECOND;
	fake_pool.learned(fake_pool.learned_ctx);
	assert_int_equal(kept("home")->cuts.seen.idle_us, 9 * LOOP_SECOND);
	fake_pool.learned_limit = 0;
}

static void the_end_keeps_what_was_learned(void **state)
{
	(void)state;
	begin("home");
	path_verdict(path)->rung = PUSH;
	fake_pool.cuts->survived.age_us = 30 * LOOP_SECOND;
	path_free(path);
	assert_ptr_equal(kept("home")->rung, PUSH);
	assert_int_equal(kept("home")->cuts.survived.age_us, 30 * LOOP_SECOND);
	path = NULL;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(known_at_the_beginning),
		T(another_network_and_back),
		T(back_from_sleep),
		T(what_a_change_cuts_is_not_kept),
		T(addresses_that_are_not_ours),
		T(a_better_name),
		T(a_better_name_that_is_known),
		T(what_is_learned_between_proofs),
		T(the_end_keeps_what_was_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
