// SPDX-License-Identifier: Apache-2.0
/* Levels and pressure of the whole guest. */
#include "vm/guest/guest.h"

#include <sys/sysinfo.h>

static bool many_files(const void *raw, uint64_t from)
{
	return ((const struct km_raw_host *)raw)->files_open >= from;
}

static void open_files(int n)
{
	while (n--)
		if (open("/proc/self/status", O_RDONLY) < 0)
			_exit(1);
	pause();
}

/* Files are counted per CPU and, up to 5.10, told without what CPUs hold back (32 each). */
static bool levels_of_the_host(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(open_files(900));
	const struct km_raw_host *h = guest_wait(g, KM_RAW_HOST, many_files, 800);
	struct sysinfo si;

	guest_end(pid);
	WANT_RECORD(g, h);
	WANT_IS(g, sysinfo(&si), 0);
	WANT_IS(g, h->memory_total_bytes, (uint64_t)si.totalram * si.mem_unit);
	WANT(g, h->memory_available_bytes > 0 && h->memory_available_bytes < h->memory_total_bytes);
	WANT(g, h->files_open < 3000 && h->files_open < h->files_max);
	WANT(g, h->processes > 1);
	return true;
}

static bool cpu_wanted(const void *raw, uint64_t from)
{
	const struct km_raw_host *h = raw;

	return h->psi_measured && h->psi_cpu_some_ppm >= from;
}

/* More that run than there are CPUs. */
static bool pressure_of_the_host(struct guest *g)
{
	const struct km_raw_host *h;
	uint32_t pids[8];

	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		pids[i] = GUEST_CHILD(for (;;){});
	h = guest_wait(g, KM_RAW_HOST, cpu_wanted, 50000);
	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		guest_end(pids[i]);
	WANT_RECORD(g, h);
	WANT(g, h->psi_cpu_some_ppm <= 1000000);
	return true;
}

const struct guest_case guest_host[] = {
	{ "host", levels_of_the_host },
	{ "pressure", pressure_of_the_host },
	{ NULL, NULL },
};
