// SPDX-License-Identifier: Apache-2.0
/* Levels of the whole guest. */
#include "vm/guest/guest.h"

#include <sys/sysinfo.h>

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
	return ((const struct km_raw_host *)raw)->files_open >= from;
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

const struct guest_case guest_host[] = {
	{ "host.memory.used", memory_of_the_host },
	{ "host.files.used", files_of_the_host },
	{ NULL, NULL },
};
