/*
 * The sandbox with what Linux has: limits, no_new_privs, no dumps, seccomp filters,
 * and Landlock where the kernel knows it. Called by the stages of discovery. What the
 * filters deny fails with EPERM.
 */
#include "client/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "framing/error.h"

#define MIB (1024 * 1024)
#define ALARM_S 20	/* should the parent not come to killing us */
#define NOBODY 65534

/* AddressSanitizer reserves terabytes. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static const struct limits {
	rlim_t cpu_s, memory, files, size;
	bool processes;
} limits[] = {
	[SANDBOX_SETTINGS] = { 4, 1024 * (rlim_t)MIB, 64, MIB, true },
	[SANDBOX_FETCH] = { 4, 1024 * (rlim_t)MIB, 64, 0, true },
	[SANDBOX_SCRIPT] = { 4, 256 * (rlim_t)MIB, 3, 0, false },
};

static int limit(int what, rlim_t n)
{
	struct rlimit l = { n, n };

	return setrlimit((__rlimit_resource_t)what, &l);
}

static int limit_all(const struct limits *l)
{
	const struct rlimit cpu = { l->cpu_s, l->cpu_s + 1 };	/* SIGXCPU, which has a name, and then SIGKILL */
	int rc = setrlimit(RLIMIT_CPU, &cpu) | limit(RLIMIT_CORE, 0) | limit(RLIMIT_NOFILE, l->files) | limit(RLIMIT_FSIZE, l->size);

#ifndef SANITIZED
	rc |= limit(RLIMIT_AS, l->memory);
#endif
	if (!l->processes)
		rc |= limit(RLIMIT_NPROC, 0);
	return rc;
}

/* The parent's end ends us; nobody looks into us; nothing that is executed has more rights. */
static int close_doors(void)
{
	alarm(ALARM_S);
	return prctl(PR_SET_PDEATHSIG, SIGKILL) | prctl(PR_SET_DUMPABLE, 0) | prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* ---- Landlock ---- */

/* Everything that the first version knows; of these, reading is what may be allowed. */
#define LANDLOCK_ALL ((UINT64_C(1) << 13) - 1)
#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static void landlock_allow(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_READ };
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
	(void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

/* A kernel without it leaves this to the other means. */
static void landlock(const char *const *paths, const char *const *more)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_ALL };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (ruleset < 0)
		return;
	for (; paths && *paths; paths++)
		landlock_allow(ruleset, *paths);
	for (; more && *more; more++)
		landlock_allow(ruleset, *more);
	(void)syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
}

/* ---- seccomp ---- */

/* What no stage has any business with; and either programs, or the network. */
static int filter_most(bool settings)
{
	static const int denied[] = {
		SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(bpf), SCMP_SYS(mount),
		SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(keyctl),
		SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(perf_event_open), SCMP_SYS(init_module), SCMP_SYS(finit_module),
		SCMP_SYS(kexec_load), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(open_by_handle_at), SCMP_SYS(pidfd_getfd),
	};
	static const int programs[] = { SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(kill), SCMP_SYS(tkill) };
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < sizeof denied / sizeof *denied; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	for (size_t i = 0; rc == 0 && !settings && i < sizeof programs / sizeof *programs; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), programs[i], 0);
	if (rc == 0 && settings)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));
	if (rc == 0 && settings)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc;
}

/* Computing, memory that is not executable, and what is open. */
static int filter_script(void)
{
	static const int allowed[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),
		SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getpid), SCMP_SYS(gettid),
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = f ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < sizeof allowed / sizeof *allowed; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc;
}

/* ---- the kinds ---- */

/* root's rights are of no use to a script. Where this is not possible (containers) the filter has to do. */
static void become_nobody(void)
{
	if (geteuid() != 0)
		return;
	(void)!setgroups(0, NULL);
	(void)!setresgid(NOBODY, NOBODY, NOBODY);
	(void)!setresuid(NOBODY, NOBODY, NOBODY);
}

int sandbox_enter(enum sandbox kind, const char *const *readable)
{
	/* Where name servers, certificates and the libraries that look for them are. */
	static const char *const system_paths[] = {
		"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/connman",
		"/var/lib/sss", "/dev/null", "/dev/urandom", "/sys/devices/system/cpu", NULL,
	};
	int rc;

	if (kind == SANDBOX_SCRIPT)
		become_nobody();
	if (close_doors() != 0)
		return ERROR_SYSTEM;
	if (kind == SANDBOX_FETCH)
		landlock(system_paths, readable);
	else if (kind == SANDBOX_SCRIPT)
		landlock(NULL, NULL);
	if (limit_all(&limits[kind]) != 0)
		return ERROR_SYSTEM;
	rc = kind == SANDBOX_SCRIPT ? filter_script() : filter_most(kind == SANDBOX_SETTINGS);
	return rc == 0 ? 0 : ERROR_SYSTEM;
}
