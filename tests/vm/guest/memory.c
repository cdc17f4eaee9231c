// SPDX-License-Identifier: Apache-2.0
/* A real OOM kill, and levels of a cgroup against their limits. */
#include "vm/guest/guest.h"

#include <sys/mman.h>

static bool of_tgid(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_oom *)raw)->tgid == tgid;
}

static void touch(size_t bytes)
{
	volatile char *p =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

static bool an_oom_kill(struct guest *g)
{
	const struct kmend_oom *e;
	uint32_t pid;

	pid = GUEST_CHILD(guest_enter_group(); touch(4 * GUEST_BYTES_MAX));
	WANT_IS(g, guest_reap(pid), SIGKILL);
	WANT_RECORD(g, e = guest_wait(g, KMEND_OOM, of_tgid, pid));
	WANT_IS(g, e->trigger_tgid, pid);
	WANT_IS(g, e->hdr.cgroup_id, g->group);
	WANT(g, e->start_ns > 0);
	WANT(g,
	     e->anon_bytes > GUEST_BYTES_MAX / 2 && e->anon_bytes <= GUEST_BYTES_MAX + (4UL << 20));
	return true;
}

static bool level_is(const struct km_raw_level *l, uint32_t resource, uint64_t from)
{
	return l->resource == resource && l->level >= from;
}

static bool memory_held(const void *raw, uint64_t from)
{
	return level_is(raw, KM_MEMORY, from);
}

static bool threads_held(const void *raw, uint64_t from)
{
	return level_is(raw, KM_THREADS, from);
}

static bool a_memory_level(struct guest *g)
{
	const struct km_raw_level *l;
	uint32_t pid;

	pid = GUEST_CHILD(guest_enter_group(); touch(GUEST_BYTES_MAX / 2); pause());
	l = guest_wait(g, KM_RAW_LEVEL, memory_held, GUEST_BYTES_MAX / 2);
	guest_end(pid);
	WANT_RECORD(g, l);
	WANT_IS(g, l->hdr.cgroup_id, g->group);
	WANT_IS(g, l->limit, GUEST_BYTES_MAX);
	WANT(g, l->level <= GUEST_BYTES_MAX * 3 / 4);
	return true;
}

static bool a_thread_level(struct guest *g)
{
	const struct km_raw_level *l;
	uint32_t pids[5];

	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		pids[i] = GUEST_CHILD(guest_enter_group(); pause());
	l = guest_wait(g, KM_RAW_LEVEL, threads_held, KM_ARRAY_SIZE(pids));
	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		guest_end(pids[i]);
	WANT_RECORD(g, l);
	WANT_IS(g, l->hdr.cgroup_id, g->group);
	WANT_IS(g, l->level, KM_ARRAY_SIZE(pids));
	WANT_IS(g, l->limit, GUEST_TASKS_MAX);
	return true;
}

const struct guest_case guest_memory[] = {
	{ "oom", an_oom_kill },
	{ "memory", a_memory_level },
	{ "threads", a_thread_level },
	{ NULL, NULL },
};
