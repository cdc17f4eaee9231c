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
		pids[i] = guest_idle();
	l = guest_wait(g, KM_RAW_LEVEL, threads_held, KM_ARRAY_SIZE(pids));
	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		guest_end(pids[i]);
	WANT_RECORD(g, l);
	WANT_IS(g, l->hdr.cgroup_id, g->group);
	WANT_IS(g, l->level, KM_ARRAY_SIZE(pids));
	WANT_IS(g, l->limit, GUEST_TASKS_MAX);
	return true;
}

static bool task_of(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_task *)raw)->tgid == tgid;
}

/* About BYTES: kernels from 6.2 on keep up to 64 pages of each kind on each CPU to themselves, and
 * a program has some of each itself. */
static bool about(uint64_t value, uint64_t bytes)
{
	return value + (1 << 20) > bytes && value < bytes + (4 << 20);
}

#define HELD (24UL << 20)

static const struct kmend_task *task_with(struct guest *g, void (*holds)(void))
{
	uint32_t pid = GUEST_CHILD(guest_enter_group(); holds(); raise(SIGSTOP));
	const struct kmend_task *t;

	waitpid((pid_t)pid, NULL, WUNTRACED); /* it holds all of it */
	t = guest_wait_settled(g, KMEND_TASK, task_of, pid);

	guest_end(pid);
	return t;
}

static void hold_anon(void)
{
	touch(HELD);
}

static bool anonymous_memory(struct guest *g)
{
	const struct kmend_task *t;

	WANT_RECORD(g, t = task_with(g, hold_anon));
	WANT(g, about(t->anon_bytes, HELD));
	WANT(g, t->file_bytes < HELD / 2 && t->shmem_bytes < HELD / 2);
	return true;
}

/* Maps and reads so much of a file on ext4. */
static void hold_file(void)
{
	static char block[65536];
	volatile const char *p;
	int fd = open("/disk/mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; i < HELD; i += sizeof(block))
		if (write(fd, block, sizeof(block)) != sizeof(block))
			_exit(1);
	p = mmap(NULL, HELD, PROT_READ, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < HELD; i += 4096)
		(void)p[i];
}

static bool file_memory(struct guest *g)
{
	const struct kmend_task *t = task_with(g, hold_file);

	unlink("/disk/mapped");
	WANT_RECORD(g, t);
	WANT(g, about(t->file_bytes, HELD));
	WANT(g, t->anon_bytes < HELD / 2 && t->shmem_bytes < HELD / 2);
	return true;
}

static void hold_shmem(void)
{
	volatile char *p =
		mmap(NULL, HELD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < HELD; i += 4096)
		p[i] = 1;
}

static bool shared_memory(struct guest *g)
{
	const struct kmend_task *t;

	WANT_RECORD(g, t = task_with(g, hold_shmem));
	WANT(g, about(t->shmem_bytes, HELD));
	WANT(g, t->anon_bytes < HELD / 2 && t->file_bytes < HELD / 2);
	return true;
}

/* The cgroup may keep a third of it in memory. */
static bool swapped_memory(struct guest *g)
{
	const struct kmend_task *t;

	WANT(g, guest_write(GUEST_GROUP "/memory.swap.max", "max"));
	WANT(g, guest_write(GUEST_GROUP "/memory.high", "8388608"));
	t = task_with(g, hold_anon);
	guest_write(GUEST_GROUP "/memory.high", "max");
	guest_write(GUEST_GROUP "/memory.swap.max", "0");
	WANT_RECORD(g, t);
	WANT(g, t->swap_bytes > HELD / 3 && t->swap_bytes < HELD);
	WANT(g, about(t->swap_bytes + t->anon_bytes, HELD));
	return true;
}

static bool hits_of_the_limit(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(guest_enter_group(); touch(4 * GUEST_BYTES_MAX));

	WANT_IS(g, guest_reap(pid), SIGKILL);
	return guest_count(g, "memory.limit_hits", NULL, 1);
}

/* Its tasks free memory themselves, at the limit of their cgroup. */
static bool reclaim(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(guest_enter_group(); touch(4 * GUEST_BYTES_MAX));
	const struct km_raw_value *v;

	WANT_IS(g, guest_reap(pid), SIGKILL);
	WANT_RECORD(g, v = guest_count(g, "memory.reclaim", NULL, 1));
	WANT(g, v->value < 60e6);
	return true;
}

const struct guest_case guest_memory[] = {
	{ "process.oom_kills", an_oom_kill }, { "process.threads", a_thread_level },
	{ "memory.reclaim", reclaim },        { "memory.limit_hits", hits_of_the_limit },
	{ "memory.used", a_memory_level },    { "memory.anon", anonymous_memory },
	{ "memory.file", file_memory },       { "memory.shmem", shared_memory },
	{ "memory.swap", swapped_memory },    { NULL, NULL },
};
