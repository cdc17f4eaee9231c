// SPDX-License-Identifier: Apache-2.0
/* A daemon inside a PID namespace sees its namespace, by its namespace's numbers, and no more. */
#include "bpf/world.h"

enum verdict {
	RIGHT = 0,
	NOT_LOADED,
	NO_EXIT,
	WRONG_PARENT,
	WRONG_START,
	OUTSIDER_SEEN,
	SENDER_NOT_HIDDEN,
	TASKS_DIFFER,
	NO_PROC
};

static bool signal_to(const void *raw, const void *arg)
{
	return ((const struct kmend_signal *)raw)->tgid == *(const uint32_t *)arg;
}

static enum verdict check_child(struct world *w)
{
	const struct kmend_exit *x;
	struct km_proc_stat s;
	uint32_t pid = CHILD(_exit(5));

	usleep(1000);
	if (km_procfs_stat(w->collect->proc_fd, pid, &s) < 0)
		return NO_PROC;
	if (waitpid((pid_t)pid, NULL, 0) != (pid_t)pid)
		return NO_EXIT;
	x = world_wait(w, KMEND_EXIT, exit_of, &pid);
	if (!x || x->exit_code != 5 << 8)
		return NO_EXIT;
	if (x->ppid != 1)
		return WRONG_PARENT;
	return x->start_ns == s.start_ns ? RIGHT : WRONG_START;
}

/* VICTIM is killed from outside when the pipe says so. */
static enum verdict check_sender(struct world *w, int ask)
{
	uint32_t victim = CHILD(pause());
	const struct kmend_signal *s;

	if (write(ask, "x", 1) != 1 || waitpid((pid_t)victim, NULL, 0) != (pid_t)victim)
		return NO_EXIT;
	s = world_wait(w, KMEND_SIGNAL, signal_to, &victim);
	return s && s->sender_tgid == 0 && s->sender_start_ns ? RIGHT : SENDER_NOT_HIDDEN;
}

/* In this namespace there are 1 and its children, so every number is small. */
static enum verdict check_all(struct world *w)
{
	size_t tasks = 0;

	world_forget(w);
	world_pass(w);
	for (size_t i = 0; i < w->count; i++) {
		const struct kmend_task *t = (const void *)w->records[i];
		const struct kmend_exit *x = (const void *)w->records[i];

		if (t->hdr.type == KMEND_EXIT && (!x->tgid || x->tgid > 100))
			return OUTSIDER_SEEN;
		tasks += t->hdr.type == KMEND_TASK;
	}
	return tasks == 0 ? RIGHT : TASKS_DIFFER; /* the only process is the daemon itself */
}

static void be_init(struct world *w, int ask)
{
	struct km_collect_opts opts = { 0 };
	enum verdict v;

	if (unshare(CLONE_NEWNS) || mount("proc", "/proc", "proc", 0, NULL))
		_exit(NO_PROC);
	world_start(w, &opts);
	if (!km_bpf_works(&w->collect->bpf, KM_PROG_EXIT))
		_exit(NOT_LOADED);
	v = check_child(w);
	if (v == RIGHT)
		v = check_sender(w, ask);
	if (v == RIGHT)
		v = check_all(w);
	world_stop(w, true);
	_exit((int)v);
}

/* Number in our namespace of the second process of the other one: its only other one. */
static pid_t child_of(uint32_t pid)
{
	char file[64], text[64];

	snprintf(file, sizeof(file), "/proc/%u/task/%u/children", pid, pid);
	return km_fs_read_small(AT_FDCWD, file, text, sizeof(text)) > 0
	               ? (pid_t)strtol(text, NULL, 10)
	               : 0;
}

static void numbers_are_those_of_the_namespace(void **state)
{
	struct world *w = *state;
	uint32_t init;
	pid_t victim;
	int own, p[2];
	char c;

	own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	assert_true(own >= 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(unshare(CLONE_NEWPID), 0);
	init = CHILD(be_init(w, p[1]));
	close(p[1]);
	if (read(p[0], &c, 1) == 1) {
		victim = child_of(init);
		assert_true(victim > 1);
		assert_int_equal(kill(victim, SIGKILL), 0);
	}
	close(p[0]);
	assert_int_equal(reap(init) >> 8, RIGHT);
	/* A namespace without its init takes no processes, and a leak check starts one. */
	assert_int_equal(setns(own, CLONE_NEWPID), 0);
	close(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_those_of_the_namespace),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, world_enter, world_leave);
}
