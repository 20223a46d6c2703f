/* The rig of ingress ports: what they call of session and log. Called by the tests of the ingress kinds. */
#include "tests/lib/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/turns.h"
#include "tunnel/log.h"

struct rig rig;

struct session *rig_session(void)
{
	return (struct session *)&rig;
}

static struct session *open_session(void *ctx)
{
	(void)ctx;
	return rig.session_open ? rig_session() : NULL;
}

const char *session_tag(const struct session *s)
{
	(void)s;
	return "test";
}

bool log_enabled(enum log_level level)
{
	return level <= LOG_LEVEL_WARN;
}

void log_write(enum log_level level, struct log_limit *l, const char *area, const char *who, const char *fmt, ...)
{
	(void)l;
	(void)area;
	(void)who;
	(void)fmt;
	if (level <= LOG_LEVEL_WARN)
		rig.warnings++;
}

void rig_set_up(struct packet_pool *packets, unsigned max_flows)
{
	rig = (struct rig){ .loop = loop_new(), .session_open = true };
	rig.host = (struct ingress_host){ rig.loop, packets, NULL, max_flows, open_session, NULL, NULL, 0, NULL, NULL };
}

int rig_bind(const struct ingress_kind *kind, const char *host)
{
	char error[256];
	int fd;

	address_literal(host, 0, &rig.local);
	fd = ingress_bind(kind, &rig.local, error, sizeof error);
	if (fd >= 0)
		assert_int_equal(address_of_socket(fd, &rig.local), 0);
	return fd;
}

void rig_open(const struct ingress_kind *kind, int fd, const char *service, unsigned port_index)
{
	assert_true(fd >= 0);
	rig.ingress = kind->open(&rig.host, fd, service, port_index);
}

void rig_close(void)
{
	if (rig.ingress)
		rig.ingress->kind->close(rig.ingress);
	rig.ingress = NULL;
}

void rig_tear_down(void)
{
	rig_close();
	loop_free(rig.loop);
}

void rig_run_turns(unsigned n)
{
	while (n--)
		turns_run(rig.loop, LOOP_MS);
}

void rig_run_until(const unsigned *value, unsigned n)
{
	int64_t until = loop_touch(rig.loop) + 5 * LOOP_SECOND;

	while (*value < n && loop_touch(rig.loop) < until)
		rig_run_turns(1);
	assert_true(*value >= n);
}
