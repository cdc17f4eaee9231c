/* SPDX-License-Identifier: Apache-2.0 */
/* idle O SECONDS [SERVICES [PROCESSES]]: what kmendd itself costs on a quiet host: CPU and memory
 * of all its processes with 100 services of 10 processes each, or so many, sampled at 1 Hz. */
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>

#include "bench/bench.h"

#define SERVICES          100
#define PROCESSES         10   /* of each */
#define MANY              1000 /* services, from here on another limit holds */
#define PLACE             "/run/idle"
#define SETTLE_S          5 /* what was there at the start has been looked at by then */

#define CPU_LIMIT_PERCENT 0.15
#define CPU_LIMIT_MANY    1.0
#define MEMORY_LIMIT_KIB  (16.0 * 1024)

static const char *cgroup_mount(void)
{
	return access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup"
	                                                        : "/sys/fs/cgroup/unified";
}

/* Processes of a service are in each hierarchy that tells levels, as a system manager puts them. */
static void enter(const char *mount, int service, pid_t child)
{
	char path[200], procs[sizeof(path) + 16], pid[16];
	int fd;

	if (access(mount, F_OK) < 0)
		return;
	snprintf(path, sizeof(path), "%s/system.slice", mount);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/system.slice/idle%d.service", mount, service);
	mkdir(path, 0755);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	snprintf(pid, sizeof(pid), "%d", child);
	if (fd < 0 || write(fd, pid, strlen(pid)) < 0)
		bench_die("%s: %s", procs, strerror(errno));
	close(fd);
}

static void populate(int service, int processes)
{
	int i;

	for (i = 0; i < processes; i++) {
		pid_t child = fork();

		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		if (child < 0)
			bench_die("fork: %s", strerror(errno));
		enter(cgroup_mount(), service, child);
		enter("/sys/fs/cgroup/memory", service, child);
		enter("/sys/fs/cgroup/pids", service, child);
	}
}

/* Proportional set size of PID in KiB. */
static double pss_kib(pid_t pid)
{
	char path[64], line[256];
	double kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Pss:", 4) == 0)
			kib = strtod(line + 4, NULL);
	if (!f || kib < 0)
		bench_die("%s cannot be read", path);
	fclose(f);
	return kib;
}

/* One BPF map that is open as FD of PID: its memory in bytes, 0 if it is none; its id. */
static double map_bytes(pid_t pid, const char *fd, unsigned long *ret_id)
{
	char path[300], line[256];
	double bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, fd);
	f = fopen(path, "re");
	*ret_id = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "memlock:", 8) == 0)
			bytes = strtod(line + 8, NULL);
		if (strncmp(line, "map_id:", 7) == 0)
			*ret_id = strtoul(line + 7, NULL, 10);
	}
	if (f)
		fclose(f);
	return *ret_id ? bytes : 0;
}

/* What the kernel keeps for the maps of PID, rings included, each once. The part of the rings that
 * is mapped is in the PSS as well: the sum errs on the high side. */
static double maps_kib(pid_t pid)
{
	unsigned long id, seen[256];
	size_t i, n = 0;
	char path[64];
	double sum = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		double bytes = map_bytes(pid, e->d_name, &id);

		for (i = 0; i < n && seen[i] != id; i++)
			;
		if (!id || i < n || n == KM_ARRAY_SIZE(seen))
			continue;
		seen[n++] = id;
		sum += bytes;
	}
	if (d)
		closedir(d);
	return sum / 1024;
}

struct host {
	int services;
	int processes; /* of each */
};

static bool report(const struct host *h, pid_t pid, uint64_t cpu_ns, uint64_t wall_ns)
{
	double limit = h->services >= MANY ? CPU_LIMIT_MANY : CPU_LIMIT_PERCENT;
	double percent = 100.0 * (double)cpu_ns / (double)wall_ns, pss = 0, maps = 0;
	pid_t family[8];
	size_t i, n = bench_family(pid, family, KM_ARRAY_SIZE(family));
	bool good;

	for (i = 0; i < n; i++) {
		double kib = pss_kib(family[i]), in_kernel = maps_kib(family[i]);

		printf("  process %zu: PSS %.0f KiB, maps %.0f KiB\n", i + 1, kib, in_kernel);
		pss += kib;
		maps += in_kernel;
	}
	good = percent <= limit && pss + maps <= MEMORY_LIMIT_KIB;
	printf("idle: %d services, %d processes, %zu processes of kmend: %.3f %% of one CPU over "
	       "%.0f s, %.1f MiB PSS + %.1f MiB BPF maps  %s\n",
	       h->services, h->services * h->processes, n, percent, (double)wall_ns / 1e9,
	       pss / 1024, maps / 1024, good ? "ok" : "OVER");
	return good;
}

static void wait_s(unsigned int s)
{
	struct timespec t = { .tv_sec = s };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : 0;
	const struct host h = {
		argc > 3 ? (int)strtol(argv[3], NULL, 10) : SERVICES,
		argc > 4 ? (int)strtol(argv[4], NULL, 10) : PROCESSES,
	};
	char path[PATH_MAX];
	struct bench_daemon d;
	uint64_t cpu, wall;
	bool good;
	int i;

	if (!seconds)
		bench_die("usage: idle O SECONDS [SERVICES [PROCESSES]]");
	bench_need_world();
	snprintf(path, sizeof(path), "%s/system.slice", cgroup_mount());
	if (mkdir(PLACE, 0755) < 0 || mkdir(path, 0755) < 0)
		bench_die("%s: %s", path, strerror(errno));
	for (i = 0; i < h.services; i++)
		populate(i, h.processes);
	snprintf(path, sizeof(path), "%s/kmendd", argv[1]);
	d = bench_start(path, PLACE, NULL, NULL);
	wait_s(SETTLE_S);
	cpu = bench_family_cpu_ns(d.pid);
	wall = bench_now_ns();
	wait_s(seconds);
	cpu = bench_family_cpu_ns(d.pid) - cpu;
	good = report(&h, d.pid, cpu, bench_now_ns() - wall);
	bench_stop(&d);
	return !good;
}
