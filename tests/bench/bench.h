/* SPDX-License-Identifier: Apache-2.0 */
/* What the benches share: a kmendd of their own, CPU time of processes, medians. */
#ifndef KM_BENCH_H
#define KM_BENCH_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/text.h"
#include "collect/cgroup.h"
#include "lib/spawn.h"

#define BENCH_READY_MS 20000

/* A kmendd with its run directory below DIR; its output goes to DIR/log. */
struct bench_daemon {
	pid_t pid;
};

static inline uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Prints and ends: a bench that could not measure has no result. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_die(const char *format,
                                                                             ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* A Unix datagram socket at PATH. */
static inline int bench_listen(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	unlink(path);
	if (!km_copy(a.sun_path, sizeof(a.sun_path), path) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		bench_die("%s: %s", path, strerror(errno));
	return fd;
}

/* What arrives on FD within MS, NUL-terminated; false: nothing. */
static inline bool bench_receive(int fd, char *text, size_t size, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) != 1)
		return false;
	n = recv(fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static inline void bench_exec_daemon(const char *program, const char *dir, const char *config,
                                     const char *rules)
{
	char notify[200], state[200], run[200], log[200];
	char *argv[] = { strdup(program),
		         "--foreground",
		         "--no-view",
		         "--stop-services",
		         "--state",
		         state,
		         "--run",
		         run,
		         config ? "--config" : NULL,
		         config ? strdup(config) : NULL,
		         "--rules",
		         rules ? strdup(rules) : NULL,
		         NULL };
	int fd;

	snprintf(notify, sizeof(notify), "%s/notify", dir);
	/* On a disk: a repair waits until its intent is there. */
	snprintf(state, sizeof(state), "%s", getenv("KMEND_BENCH"));
	snprintf(run, sizeof(run), "%s/run", dir);
	snprintf(log, sizeof(log), "%s/log", dir);
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	setenv("NOTIFY_SOCKET", notify, 1);
	if (fd >= 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2)
		execv(argv[0], argv);
	_exit(127);
}

/* Returns when it said READY. CONFIG and RULES may both be NULL. */
static inline struct bench_daemon bench_start(const char *program, const char *dir,
                                              const char *config, const char *rules)
{
	struct bench_daemon d;
	char path[200], text[512] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/notify", dir);
	fd = bench_listen(path);
	d.pid = fork();
	if (d.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_exec_daemon(program, dir, config, rules);
	}
	while (!strstr(text, "READY=1"))
		if (!bench_receive(fd, text, sizeof(text), BENCH_READY_MS))
			bench_die("kmendd did not become ready; see %s/log", dir);
	close(fd);
	return d;
}

static inline void bench_stop(struct bench_daemon *d)
{
	kill(d->pid, SIGTERM);
	waitpid(d->pid, NULL, 0);
}

/* PID and its direct children (an engine, a front) into RET[MAX]; how many. */
static inline size_t bench_family(pid_t pid, pid_t *ret, size_t max)
{
	char path[64], text[4096];
	const char *p = text;
	uint64_t child;
	size_t n = 1;

	ret[0] = pid;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (km_fs_read_small(AT_FDCWD, path, text, sizeof(text)) < 0)
		return n;
	for (; n < max && km_text_u64(&p, &child) == 0; p += *p == ' ')
		ret[n++] = (pid_t)child;
	return n;
}

/* CPU time of PID so far; all of them have one thread. */
static inline uint64_t bench_cpu_ns(pid_t pid)
{
	char path[64], text[128];
	const char *p = text;
	uint64_t ns = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	if (km_fs_read_small(AT_FDCWD, path, text, sizeof(text)) < 0 || km_text_u64(&p, &ns) < 0)
		bench_die("%s cannot be read", path);
	return ns;
}

static inline uint64_t bench_family_cpu_ns(pid_t pid)
{
	pid_t family[8];
	size_t i, n = bench_family(pid, family, KM_ARRAY_SIZE(family));
	uint64_t sum = 0;

	for (i = 0; i < n; i++)
		sum += bench_cpu_ns(family[i]);
	return sum;
}

static inline double bench_rusage_ns(const struct rusage *r)
{
	return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1e9 +
	       (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec) * 1e3;
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which SHARE of V[N] lies; sorts V. */
static inline double bench_quantile(double *v, size_t n, double share)
{
	qsort(v, n, sizeof(*v), bench_compare);
	return v[(size_t)(share * (double)(n - 1) + 0.5)];
}

/* Ends unless this is a world of its own (see tests/bench/run), where /run is empty and ours, with
 * a place for state on a disk. */
static inline void bench_need_world(void)
{
	if (geteuid() != 0 || getenv("KMEND_BENCH") == NULL)
		bench_die("start me by make bench, as root");
}

/* A cgroup of its own, which this process enters: its id. */
static inline uint64_t bench_enter_group(void)
{
	struct km_cgroup_mounts m;
	char path[KM_PATH_MAX + 16], file[KM_PATH_MAX + 32];
	struct stat st;
	int fd;

	km_cgroup_mounts_read(&m);
	snprintf(path, sizeof(path), "%s/bench", m.unified);
	snprintf(file, sizeof(file), "%s/bench/cgroup.procs", m.unified);
	if (mkdir(path, 0755) < 0 || stat(path, &st) < 0)
		bench_die("%s: %s", path, strerror(errno));
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (write(fd, "0", 1) != 1)
		bench_die("%s: %s", file, strerror(errno));
	close(fd);
	return st.st_ino;
}

#endif
