// SPDX-License-Identifier: Apache-2.0
/* What the tasks of a service do and wait for. */
#include "vm/guest/guest.h"

#include <sys/mman.h>

static bool sched_of(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_sched *)raw)->tgid == tgid;
}

static void burn(void)
{
	guest_enter_group();
	for (;;)
		;
}

/* What is said of one of N tasks that never wait, 2 s later; its process is gone then. */
static const struct kmend_sched *burning(struct guest *g, size_t n)
{
	const struct kmend_sched *s;
	uint32_t pids[8];

	for (size_t i = 0; i < n; i++)
		pids[i] = GUEST_CHILD(burn());
	s = guest_wait_settled(g, KMEND_SCHED, sched_of, pids[0]);
	for (size_t i = 0; i < n; i++)
		guest_end(pids[i]);
	return s;
}

static bool time_on_a_cpu(struct guest *g)
{
	const struct kmend_sched *s;

	WANT_RECORD(g, s = burning(g, 1));
	WANT_IS(g, s->hdr.cgroup_id, g->group);
	WANT_IS(g, s->threads, 1);
	WANT(g, s->cpu_ns > 100 * KM_NS_PER_MS && s->cpu_ns < 60 * KM_NS_PER_S);
	return true;
}

static bool time_off_the_cpu(struct guest *g)
{
	const struct kmend_sched *s;

	WANT_RECORD(g, s = burning(g, 8));
	WANT(g, s->run_delay_ns > 100 * KM_NS_PER_MS && s->run_delay_ns < 60 * KM_NS_PER_S);
	return true;
}

static bool switches_not_asked_for(struct guest *g)
{
	const struct kmend_sched *s;

	WANT_RECORD(g, s = burning(g, 8));
	WANT(g, s->involuntary > 5 && s->involuntary < 100000);
	return true;
}

static bool a_quota(struct guest *g)
{
	uint32_t pid;
	bool ok;

	WANT(g, guest_write(GUEST_GROUP "/cpu.max", "10000 100000"));
	pid = GUEST_CHILD(burn());
	ok = guest_value(g, "sched.throttled", NULL, 100000, 1e9);
	guest_end(pid);
	guest_write(GUEST_GROUP "/cpu.max", "1000000 100000");
	return ok;
}

static bool a_freezer(struct guest *g)
{
	uint32_t pid = guest_idle();
	bool ok;

	WANT(g, guest_write(GUEST_GROUP "/cgroup.freeze", "1"));
	ok = guest_value(g, "sched.frozen", NULL, 1, 1);
	guest_write(GUEST_GROUP "/cgroup.freeze", "0");
	guest_end(pid);
	return ok && guest_value(g, "sched.frozen", NULL, 0, 0);
}

static void read_slowly(void)
{
	int fd = open("/dev/vdb", O_RDONLY | O_DIRECT);
	void *block;

	guest_enter_group();
	if (fd < 0 || posix_memalign(&block, 4096, 4096))
		_exit(1);
	for (off_t at = 0;; at += 4096)
		if (pread(fd, block, 4096, at % (64 << 20)) < 0)
			_exit(1);
}

static bool blocked_now(const void *raw, uint64_t tgid)
{
	return sched_of(raw, tgid) && ((const struct kmend_sched *)raw)->blocked == 1;
}

static bool blocked(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(read_slowly());
	const struct kmend_sched *s = guest_wait_settled(g, KMEND_SCHED, blocked_now, pid);

	guest_end(pid);
	WANT_RECORD(g, s);
	WANT_IS(g, s->stopped, 0);
	return true;
}

static bool stopped(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(guest_enter_group(); raise(SIGSTOP));
	const struct kmend_sched *s = guest_wait_settled(g, KMEND_SCHED, sched_of, pid);

	guest_end(pid);
	WANT_RECORD(g, s);
	WANT_IS(g, s->stopped, 1);
	WANT_IS(g, s->blocked, 0);
	return true;
}

static void neglect(int say)
{
	pid_t child;

	guest_enter_group();
	child = fork();
	if (child == 0)
		_exit(0);
	if (write(say, &child, sizeof(child)) == sizeof(child))
		pause();
}

static bool a_zombie(struct guest *g)
{
	const struct kmend_sched *s;
	uint32_t pid, zombie = 0;
	int p[2];

	WANT_IS(g, pipe(p), 0);
	pid = GUEST_CHILD(neglect(p[1]));
	WANT(g, read(p[0], &zombie, sizeof(zombie)) == sizeof(zombie));
	s = guest_wait_settled(g, KMEND_SCHED, sched_of, zombie);
	guest_end(pid);
	close(p[0]);
	close(p[1]);
	WANT_RECORD(g, s);
	WANT_IS(g, s->zombie, 1);
	return true;
}

#define WRITTEN (4UL << 20)

static void write_file(void)
{
	static char bytes[WRITTEN];
	int fd;

	guest_enter_group();
	fd = open("/disk/written", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || fsync(fd) < 0)
		_exit(1);
	pause();
}

static bool written(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(write_file());
	const struct kmend_sched *s = guest_wait_settled(g, KMEND_SCHED, sched_of, pid);

	guest_end(pid);
	unlink("/disk/written");
	WANT_RECORD(g, s);
	WANT(g, s->written_bytes >= WRITTEN && s->written_bytes < WRITTEN + (1 << 20));
	return true;
}

/* Pages that nobody has in memory any more. */
static void fault(void)
{
	volatile const char *p;
	int fd = open("/disk/faults", O_RDONLY);

	guest_enter_group();
	p = mmap(NULL, WRITTEN, PROT_READ, MAP_SHARED, fd, 0);
	madvise((void *)p, WRITTEN, MADV_RANDOM); /* no pages around it */
	for (size_t i = 0; i < WRITTEN; i += 65536)
		(void)p[i];
	pause();
}

static bool prepare_faults(struct guest *g)
{
	static char bytes[WRITTEN];
	int fd = open("/disk/faults", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	WANT(g, write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	WANT_IS(g, fsync(fd), 0);
	close(fd);
	return guest_write("/proc/sys/vm/drop_caches", "3");
}

static bool major_faults(struct guest *g)
{
	const struct kmend_sched *s;
	uint32_t pid;

	if (!prepare_faults(g))
		return false;
	pid = GUEST_CHILD(fault());
	s = guest_wait_settled(g, KMEND_SCHED, sched_of, pid);
	guest_end(pid);
	unlink("/disk/faults");
	WANT_RECORD(g, s);
	WANT(g, s->major_faults >= WRITTEN / 65536 && s->major_faults < WRITTEN / 4096);
	return true;
}

static bool major_faults_of_the_host(struct guest *g)
{
	uint32_t pid;
	bool ok;

	if (!prepare_faults(g))
		return false;
	pid = GUEST_CHILD(fault());
	ok = guest_count(g, "host.major_faults", "", WRITTEN / 65536);
	guest_end(pid);
	unlink("/disk/faults");
	return ok;
}

const struct guest_case guest_sched[] = {
	{ "sched.cpu", time_on_a_cpu },
	{ "sched.run_delay", time_off_the_cpu },
	{ "sched.involuntary", switches_not_asked_for },
	{ "sched.throttled", a_quota },
	{ "sched.frozen", a_freezer },
	{ "sched.blocked", blocked },
	{ "sched.stopped", stopped },
	{ "process.zombies", a_zombie },
	{ "io.written", written },
	{ "memory.faults.major", major_faults },
	{ "host.major_faults", major_faults_of_the_host },
	{ NULL, NULL },
};
