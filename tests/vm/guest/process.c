// SPDX-License-Identifier: Apache-2.0
/* Life, death and levels of processes. */
#include "vm/guest/guest.h"

#include <sys/mman.h>
#include <sys/resource.h>

static bool fork_of(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_fork *)raw)->tgid == tgid;
}

static bool exec_of(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_exec *)raw)->tgid == tgid;
}

static bool exit_of(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_exit *)raw)->tgid == tgid;
}

static bool signal_to(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_signal *)raw)->tgid == tgid;
}

static bool task_of(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_task *)raw)->tgid == tgid;
}

static bool process_of(const void *raw, uint64_t tgid)
{
	return ((const struct km_raw_process *)raw)->tgid == tgid;
}

static uint32_t shell(const char *script)
{
	return GUEST_CHILD(guest_enter_group(); execl("/bin/sh", "sh", "-c", script, NULL));
}

static bool a_fork(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(_exit(0));
	const struct kmend_fork *f;

	guest_reap(pid);
	WANT_RECORD(g, f = guest_wait(g, KMEND_FORK, fork_of, pid));
	WANT_IS(g, f->ppid, getpid());
	WANT(g, f->start_ns > 0 && f->start_ns <= f->hdr.ktime_ns);
	WANT(g, f->hdr.ktime_ns - f->start_ns < 10 * KM_NS_PER_S);
	return true;
}

static bool an_exec(struct guest *g)
{
	uint32_t pid = shell("exit 0");
	const struct kmend_exec *e;

	guest_reap(pid);
	WANT_RECORD(g, e = guest_wait(g, KMEND_EXEC, exec_of, pid));
	WANT(g, strcmp(e->path, "/bin/sh") == 0);
	WANT(g, strcmp(e->comm, "sh") == 0);
	WANT_IS(g, e->hdr.cgroup_id, g->group);
	WANT_IS(g, e->ppid, getpid());
	return true;
}

static bool an_exit(struct guest *g)
{
	uint32_t pid = shell("exit 7");
	const struct kmend_exit *x;

	WANT_IS(g, guest_reap(pid), 7 << 8);
	WANT_RECORD(g, x = guest_wait(g, KMEND_EXIT, exit_of, pid));
	WANT_IS(g, x->exit_code, 7 << 8);
	WANT_IS(g, x->hdr.cgroup_id, g->group);
	return true;
}

static bool a_fault(struct guest *g)
{
	volatile int *nobody = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit none = { 0, 0 };
	const struct kmend_signal *s;
	uint32_t pid;

	pid = GUEST_CHILD(setrlimit(RLIMIT_CORE, &none); *nobody = 1);
	WANT_IS(g, guest_reap(pid) & 0x7f, SIGSEGV);
	WANT_RECORD(g, s = guest_wait(g, KMEND_SIGNAL, signal_to, pid));
	WANT_IS(g, s->signal, SIGSEGV);
	WANT_IS(g, s->sender_tgid, 0);
	return true;
}

static bool a_kill(struct guest *g)
{
	uint32_t victim = guest_idle();
	uint32_t killer = GUEST_CHILD(kill((pid_t)victim, SIGKILL));
	const struct kmend_signal *s;

	WANT_IS(g, guest_reap(victim), SIGKILL);
	guest_reap(killer);
	WANT_RECORD(g, s = guest_wait(g, KMEND_SIGNAL, signal_to, victim));
	WANT_IS(g, s->signal, SIGKILL);
	WANT_IS(g, s->code, 0);
	WANT_IS(g, s->sender_tgid, killer);
	WANT_IS(g, s->hdr.cgroup_id, g->group);
	WANT(g, s->sender_cgroup_id && s->sender_cgroup_id != g->group);
	return a_fault(g);
}

static void hold(int files)
{
	struct rlimit l = { 500, 600 };

	setrlimit(RLIMIT_NOFILE, &l);
	closefrom(3);
	for (int i = 3; i < files; i++)
		if (dup(0) < 0)
			_exit(1);
	for (;;)
		pause();
}

static bool descriptors(struct guest *g)
{
	const uint32_t all = KMEND_HAS_RSS | KMEND_HAS_FDS | KMEND_HAS_CPU | KMEND_HAS_RUN_DELAY |
	                     KMEND_HAS_THREADS | KMEND_HAS_LIMITS;
	uint32_t pid = GUEST_CHILD(hold(100));
	const struct kmend_task *t = guest_wait_settled(g, KMEND_TASK, task_of, pid);

	guest_end(pid);
	WANT_RECORD(g, t);
	WANT_IS(g, t->has, all);
	WANT_IS(g, t->fds, 100);
	WANT_IS(g, t->fds_limit, 500);
	WANT_IS(g, t->threads, 1);
	WANT_IS(g, t->state, 'S');
	WANT_IS(g, t->ppid, getpid());
	WANT(g, t->cpu_ns > 0);
	WANT(g, !g->collect->iter_refused); /* by iterator, not by /proc */
	return true;
}

static bool a_canary(struct guest *g)
{
	WANT_IS(g, km_bpf_canary(&g->collect->bpf), 0);
	WANT_RECORD(g, guest_wait(g, KMEND_CANARY, NULL, 0));
	return true;
}

static bool a_process_from_before(struct guest *g)
{
	const struct km_raw_process *p;

	WANT_RECORD(g, p = guest_wait(g, KM_RAW_PROCESS, process_of, g->early));
	WANT_IS(g, p->ppid, getpid());
	WANT_IS(g, p->source, KM_FROM_SCAN);
	WANT(g, p->start_ns > 0);
	return true;
}

static bool group_gone(const void *raw, uint64_t id)
{
	const struct km_raw_cgroup *c = raw;

	return c->hdr.cgroup_id == id && c->gone;
}

static bool group_there(const void *raw, uint64_t id)
{
	const struct km_raw_cgroup *c = raw;

	return c->hdr.cgroup_id == id && !c->gone;
}

static bool a_cgroup(struct guest *g)
{
	const char *path = "/sys/fs/cgroup/fleeting";
	const struct km_raw_cgroup *c;
	struct stat st;

	WANT_IS(g, mkdir(path, 0755), 0);
	WANT_IS(g, stat(path, &st), 0);
	WANT_RECORD(g, c = guest_wait(g, KM_RAW_CGROUP, group_there, st.st_ino));
	WANT(g, strcmp(c->path, "/fleeting") == 0);
	WANT_IS(g, rmdir(path), 0);
	WANT_RECORD(g, guest_wait(g, KM_RAW_CGROUP, group_gone, st.st_ino));
	return true;
}

const struct guest_case guest_process[] = {
	{ "process.forks", a_fork },
	{ "process.execs", an_exec },
	{ "process.exits", an_exit },
	{ "process.signals", a_kill },
	{ "process.descriptors", descriptors },
	{ "canary", a_canary },
	{ "process-from-before", a_process_from_before },
	{ "cgroup", a_cgroup },
	{ NULL, NULL },
};
