// SPDX-License-Identifier: Apache-2.0
/* Levels of the whole guest. */
#include "vm/guest/guest.h"

#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <time.h>

static bool memory_of_the_host(struct guest *g)
{
	const struct km_raw_host *h;
	struct sysinfo si;

	WANT_RECORD(g, h = guest_wait(g, KM_RAW_HOST, NULL, 0));
	WANT_IS(g, sysinfo(&si), 0);
	WANT_IS(g, h->memory_total_bytes, (uint64_t)si.totalram * si.mem_unit);
	WANT_IS(g, h->swap_total_bytes, (uint64_t)si.totalswap * si.mem_unit);
	WANT(g, h->memory_available_bytes > 0);
	WANT(g, h->memory_available_bytes < h->memory_total_bytes);
	WANT(g, h->processes > 1);
	return true;
}

static bool many_files(const void *raw, uint64_t from)
{
	const struct km_raw_host *h = raw;

	return h->files_open != KM_UNKNOWN && h->files_open >= from; /* not in each pass */
}

static void open_files(int n)
{
	while (n--)
		if (open("/proc/self/status", O_RDONLY) < 0)
			_exit(1);
	pause();
}

/* Files are counted per CPU and, on some kernels, told without what CPUs hold back (32 each). */
static bool files_of_the_host(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(open_files(900));
	const struct km_raw_host *h = guest_wait(g, KM_RAW_HOST, many_files, 800);

	guest_end(pid);
	WANT_RECORD(g, h);
	WANT(g, h->files_open < 3000 && h->files_open < h->files_max);
	return true;
}

static bool tasks_of_the_host(struct guest *g)
{
	const struct km_raw_value *v;
	uint32_t pids[40];

	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		pids[i] = GUEST_CHILD(pause());
	v = guest_value(g, "host.pids.used", "", KM_ARRAY_SIZE(pids), 500);
	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		guest_end(pids[i]);
	WANT_RECORD(g, v);
	WANT(g, v->limit >= 1000 && v->limit <= 4194304);
	return guest_value(g, "host.pids.used", "", 1, v->value - KM_ARRAY_SIZE(pids) / 2);
}

static bool zombies_of_the_host(struct guest *g)
{
	uint32_t pids[5];
	bool ok;

	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		pids[i] = GUEST_CHILD(_exit(0));
	ok = guest_value(g, "host.zombies", "", KM_ARRAY_SIZE(pids), KM_ARRAY_SIZE(pids));
	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		guest_reap(pids[i]);
	return ok && guest_value(g, "host.zombies", "", 0, 0);
}

/* Nobody in the guest needs the time of day. */
static bool a_clock_step(struct guest *g)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 3600;
	WANT_IS(g, clock_settime(CLOCK_REALTIME, &ts), 0);
	return guest_count(g, "host.clock.steps", "", 1);
}

/* All memory there is, by a task that the OOM killer takes first. */
static void take_all(void)
{
	const size_t bytes = 4UL << 30;
	volatile char *p;

	if (!guest_write("/proc/self/oom_score_adj", "1000"))
		_exit(1);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	         -1, 0);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

/* Swapping to the slow disk first would take minutes. */
static bool run_out(struct guest *g, const char *name)
{
	uint32_t pid;
	int status;

	WANT_IS(g, swapoff("/dev/vdb"), 0);
	pid = GUEST_CHILD(take_all());
	status = guest_reap(pid);
	swapon("/dev/vdb", 0);
	WANT_IS(g, status, SIGKILL);
	return guest_count(g, name, "", 1);
}

static bool an_oom_kill_of_the_host(struct guest *g)
{
	return run_out(g, "host.oom_kills");
}

static bool reclaim(struct guest *g)
{
	return run_out(g, "host.reclaim_stalls");
}

/* Of nearly all memory every other small page is given back: half of it is free, and no two pages
 * of it lie together. Then large pages are asked for. */
static void fragment(void)
{
	const size_t spare = 40UL << 20, wanted = 128UL << 20;
	volatile char *p, *huge;
	struct sysinfo si;
	size_t bytes;

	sysinfo(&si);
	bytes = si.freeram * si.mem_unit - spare;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	guest_write("/proc/self/oom_score_adj", "1000");
	madvise((void *)p, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
	for (size_t i = 0; i < bytes; i += 8192)
		madvise((void *)(p + i), 4096, MADV_DONTNEED);
	huge = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise((void *)huge, wanted, MADV_HUGEPAGE);
	for (size_t i = 0; i < wanted; i += 4096)
		huge[i] = 1;
	pause();
}

static bool compaction(struct guest *g)
{
	uint32_t pid;
	bool ok;

	/* Off by default where there is as little memory as here. */
	WANT(g, guest_write("/sys/kernel/mm/transparent_hugepage/enabled", "madvise"));
	WANT(g, guest_write("/sys/kernel/mm/transparent_hugepage/defrag", "always"));
	pid = GUEST_CHILD(fragment());
	ok = guest_count(g, "host.compaction_stalls", "", 1);
	guest_end(pid);
	return ok;
}

const struct guest_case guest_host[] = {
	{ "host.memory.used", memory_of_the_host },
	{ "host.files.used", files_of_the_host },
	{ "host.pids.used", tasks_of_the_host },
	{ "host.zombies", zombies_of_the_host },
	{ "host.clock.steps", a_clock_step },
	{ "host.oom_kills", an_oom_kill_of_the_host },
	{ "host.reclaim_stalls", reclaim },
	{ "host.compaction_stalls", compaction },
	{ "host.kernel_errors", NULL },
	{ "host.kernel_warnings", NULL },
	{ "host.soft_lockups", NULL },
	{ "host.thermal.throttles", NULL },
	{ NULL, NULL },
};
