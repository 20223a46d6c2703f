/* Processor time and memory of the tunnel's processes and of rtpload itself. */
#include <sys/resource.h>
#include <time.h>

#include "tests/tools/rtpload.h"

static double process_seconds(int pid)
{
	clockid_t clock;
	struct timespec t;
	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ready to run, and waiting for a processor (the second number of schedstat, ns; of the main thread). */
static double process_waited(int pid)
{
	char path[64];
	unsigned long long ran, waited = 0;
	snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
	FILE *f = fopen(path, "re");
	if (f && fscanf(f, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	if (f)
		fclose(f);
	return (double)waited / 1e9;
}

static long process_peak_kb(int pid)
{
	char path[64], line[256];
	long kb = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

struct rtpload_cpu rtpload_cpu_now(const struct rtpload_options *o)
{
	struct rtpload_cpu c = { 0 };
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	c.own = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	for (int i = 0; i < o->pids; i++) {
		c.process[i] = process_seconds(o->pid[i]);
		c.waited[i] = process_waited(o->pid[i]);
		c.rss_kb[i] = process_peak_kb(o->pid[i]);
	}
	return c;
}
