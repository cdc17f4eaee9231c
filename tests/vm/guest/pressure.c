// SPDX-License-Identifier: Apache-2.0
/* Tasks that wait: for a CPU, for memory, for a disk that is made slow (vdb). */
#include "vm/guest/guest.h"

#include <sys/mman.h>

#define TASKS 8
#define WAITS 50000 /* ppm */

static bool cpu_some(const void *raw, uint64_t from)
{
	return ((const struct km_raw_host *)raw)->psi_cpu_some_ppm >= from;
}

static bool memory_some(const void *raw, uint64_t from)
{
	return ((const struct km_raw_host *)raw)->psi_memory_some_ppm >= from;
}

static bool memory_full(const void *raw, uint64_t from)
{
	return ((const struct km_raw_host *)raw)->psi_memory_full_ppm >= from;
}

static bool io_some(const void *raw, uint64_t from)
{
	return ((const struct km_raw_host *)raw)->psi_io_some_ppm >= from;
}

static bool io_full(const void *raw, uint64_t from)
{
	return ((const struct km_raw_host *)raw)->psi_io_full_ppm >= from;
}

/* N tasks of the service do WORK until pressure is seen, of the host and of the service. */
struct wait {
	const char *name;
	void (*work)(void);
	guest_match seen;
};

static bool pressure(struct guest *g, int n, const struct wait *w)
{
	const struct km_raw_host *h;
	uint32_t pids[TASKS];
	bool ok;

	for (int i = 0; i < n; i++)
		pids[i] = GUEST_CHILD(guest_enter_group(); for (;;) w->work());
	h = guest_wait_settled(g, KM_RAW_HOST, w->seen, WAITS);
	ok = h && guest_value(g, w->name, NULL, WAITS, 1000000);
	for (int i = 0; i < n; i++)
		guest_end(pids[i]);
	WANT_RECORD(g, ok);
	WANT(g, h->psi_measured);
	WANT(g, h->psi_cpu_some_ppm <= 1000000 && h->psi_memory_some_ppm <= 1000000);
	WANT(g, h->psi_memory_full_ppm <= h->psi_memory_some_ppm);
	WANT(g, h->psi_io_full_ppm <= h->psi_io_some_ppm);
	return true;
}

static void burn(void)
{
	for (volatile int i = 0; i < 1000000; i++)
		;
}

static bool for_a_cpu(struct guest *g)
{
	return pressure(g, TASKS, &(struct wait){ "psi.cpu.some", burn, cpu_some });
}

/* More than its cgroup may have without being slowed down, and nothing that could be given back. */
static void take(void)
{
	const size_t bytes = 32 << 20;
	volatile char *p;

	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
	pause();
}

static bool throttled(struct guest *g, const struct wait *w)
{
	bool ok;

	WANT(g, guest_write(GUEST_GROUP "/memory.high", "8388608"));
	ok = pressure(g, 1, w);
	guest_write(GUEST_GROUP "/memory.high", "max");
	return ok;
}

static bool for_memory(struct guest *g)
{
	return throttled(g, &(struct wait){ "psi.memory.some", take, memory_some });
}

static bool for_memory_all(struct guest *g)
{
	return throttled(g, &(struct wait){ "psi.memory.full", take, memory_full });
}

static void read_slowly(void)
{
	int fd = open("/dev/vdb", O_RDONLY | O_DIRECT);
	void *block;

	if (fd < 0 || posix_memalign(&block, 4096, 4096))
		_exit(1);
	for (off_t at = 48 << 20;; at += 4096)
		if (pread(fd, block, 4096, at % (64 << 20)) < 0)
			_exit(1);
}

static bool for_storage(struct guest *g)
{
	return pressure(g, 1, &(struct wait){ "psi.io.some", read_slowly, io_some });
}

static bool for_storage_all(struct guest *g)
{
	return pressure(g, 1, &(struct wait){ "psi.io.full", read_slowly, io_full });
}

const struct guest_case guest_pressure[] = {
	{ "psi.cpu.some", for_a_cpu },         { "psi.memory.some", for_memory },
	{ "psi.memory.full", for_memory_all }, { "psi.io.some", for_storage },
	{ "psi.io.full", for_storage_all },    { NULL, NULL },
};
