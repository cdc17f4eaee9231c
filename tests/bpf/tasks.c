// SPDX-License-Identifier: Apache-2.0
/* Levels of processes by the task iterator, compared with what is so and with /proc. */
#include "bpf/world.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static bool task_is(const void *raw, const void *arg)
{
	return ((const struct kmend_task *)raw)->tgid == *(const uint32_t *)arg;
}

static int start(void **state)
{
	struct km_collect_opts opts = { 0 };

	world_enter(state);
	world_start(*state, &opts);
	return 0;
}

/* Tells by a pipe's end that it is ready. */
static void hold_files(int n, int ready)
{
	struct rlimit l = { 5000, 6000 };

	setrlimit(RLIMIT_NOFILE, &l);
	dup2(ready, 3);
	closefrom(4);
	for (int i = 1; i < n; i++)
		if (dup(0) < 0)
			_exit(1);
	if (write(3, "x", 1) != 1)
		_exit(1);
	pause();
}

/* N descriptors besides the first three; N at least 1. */
static uint32_t holder(int n)
{
	int p[2];
	uint32_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = CHILD(hold_files(n, p[1]));
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	close(p[1]);
	return pid;
}

static void end(uint32_t pid)
{
	kill((pid_t)pid, SIGKILL);
	reap(pid);
}

static const struct kmend_task *task_now(struct world *w, uint32_t pid)
{
	const struct kmend_task *t;

	world_pass(w);
	world_forget(w);
	km_tasks_doubt(w->collect); /* it sleeps, and would not be listed again */
	world_pass(w);
	t = world_wait(w, KMEND_TASK, task_is, &pid);
	assert_non_null(t);
	return t;
}

static void check_files(struct world *w, int n)
{
	uint32_t pid = holder(n);
	const struct kmend_task *t = task_now(w, pid);

	assert_int_equal(t->fds, n + 3);
	assert_int_equal(t->fds_limit, 5000);
	assert_int_equal(t->threads, 1);
	assert_int_equal(t->state, 'S');
	assert_int_equal(t->ppid, getpid());
	assert_int_equal(t->has, KMEND_HAS_RSS | KMEND_HAS_FDS | KMEND_HAS_CPU |
	                                 KMEND_HAS_RUN_DELAY | KMEND_HAS_THREADS |
	                                 KMEND_HAS_LIMITS);
	end(pid);
}

static void descriptors_are_counted_exactly(void **state)
{
	check_files(*state, 1);
	check_files(*state, 61);
	check_files(*state, 300);
	check_files(*state, 4997); /* beyond one piece of the bitmap, at the limit */
}

static void iterator_and_proc_say_the_same(void **state)
{
	struct world *w = *state;
	uint32_t pid = holder(20);
	const struct kmend_task *t = task_now(w, pid);
	struct kmend_task p;

	assert_int_equal(km_procfs_task(w->collect->proc_fd, w->collect->mounts.unified, pid, &p),
	                 0);
	assert_true(t->start_ns == p.start_ns);
	assert_true(t->hdr.cgroup_id == p.hdr.cgroup_id);
	assert_int_equal(t->fds, p.fds);
	assert_int_equal(t->fds_limit, p.fds_limit);
	assert_int_equal(t->state, p.state);
	assert_int_equal(t->uid, p.uid);
	assert_int_equal(t->ppid, p.ppid);
	assert_string_equal(t->comm, p.comm);
	end(pid);
}

static void touch_memory(size_t bytes, int ready)
{
	volatile char *p = malloc(bytes);

	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
	if (write(ready, "x", 1) != 1)
		_exit(1);
	pause();
}

/* Kernels from 6.2 on keep up to 64 pages of each kind on each CPU to themselves. */
static void memory_is_counted_up_to_what_cpus_hold_back(void **state)
{
	uint64_t slack = (uint64_t)sysconf(_SC_NPROCESSORS_CONF) * 64 * 4096;
	struct world *w = *state;
	const struct kmend_task *t;
	struct kmend_task proc;
	int p[2];
	uint32_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = CHILD(touch_memory(64 << 20, p[1]));
	assert_int_equal(read(p[0], &c, 1), 1);
	t = task_now(w, pid);
	assert_int_equal(km_procfs_task(w->collect->proc_fd, "", pid, &proc), 0);
	assert_true(proc.anon_bytes >= 64 << 20);
	assert_in_range(t->anon_bytes, proc.anon_bytes - slack, proc.anon_bytes + slack);
	end(pid);
	close(p[0]);
	close(p[1]);
}

static void *burn(void *arg)
{
	struct timespec ts;

	(void)arg;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	while (ts.tv_nsec < 100000000);
	return NULL;
}

static void burn_and_wait(int ready)
{
	pthread_t ended;

	pthread_create(&ended, NULL, burn, NULL);
	pthread_join(ended, NULL);
	burn(NULL);
	if (write(ready, "x", 1) != 1)
		_exit(1);
	pause();
}

static void cpu_time_holds_threads_that_ended(void **state)
{
	const struct kmend_task *t;
	int p[2];
	uint32_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = CHILD(burn_and_wait(p[1]));
	assert_int_equal(read(p[0], &c, 1), 1);
	t = task_now(*state, pid);
	assert_in_range(t->cpu_ns, 200 * KM_NS_PER_MS, 300 * KM_NS_PER_MS);
	end(pid);
	close(p[0]);
	close(p[1]);
}

/* Opens another descriptor for each byte that comes. */
static void open_more(int bytes, int ready)
{
	char c;

	while (read(bytes, &c, 1) == 1 && open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		if (write(ready, "x", 1) != 1)
			break;
	_exit(1);
}

static bool listed(const struct world *w, uint32_t pid)
{
	for (size_t i = 0; i < w->count; i++)
		if (world_record(w, i)->type == KMEND_TASK && task_is(w->records[i], &pid))
			return true;
	return false;
}

static bool is_partial(const void *raw, const void *arg)
{
	const struct kmend_listed *l = raw;

	(void)arg;
	return l->partial && l->processes;
}

static const struct kmend_listed *partial_pass(struct world *w)
{
	world_pass(w);
	world_forget(w);
	return world_wait(w, KMEND_LISTED, is_partial, NULL);
}

static void who_slept_since_the_last_pass_is_not_listed_again_until_it_runs(void **state)
{
	struct world *w = *state;
	int to[2], from[2];
	const struct kmend_task *t;
	uint32_t pid, fds;
	char c;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	pid = CHILD(open_more(to[0], from[1]));
	t = task_now(w, pid);
	fds = t->fds;
	/* The pass after it was listed may list it once more. */
	assert_non_null(partial_pass(w));
	assert_non_null(partial_pass(w));
	assert_false(listed(w, pid));
	assert_int_equal(write(to[1], "x", 1), 1);
	assert_int_equal(read(from[0], &c, 1), 1);
	t = world_wait(w, KMEND_TASK, task_is, &pid);
	assert_non_null(t);
	assert_int_equal(t->fds, fds + 1);
	end(pid);
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
}

static void the_daemon_itself_is_not_listed(void **state)
{
	struct world *w = *state;
	uint32_t me = (uint32_t)getpid();

	world_forget(w);
	world_pass(w);
	for (size_t i = 0; i < w->count; i++)
		if (world_record(w, i)->type == KMEND_TASK)
			assert_false(task_is(w->records[i], &me));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_counted_exactly),
		cmocka_unit_test(iterator_and_proc_say_the_same),
		cmocka_unit_test(memory_is_counted_up_to_what_cpus_hold_back),
		cmocka_unit_test(cpu_time_holds_threads_that_ended),
		cmocka_unit_test(who_slept_since_the_last_pass_is_not_listed_again_until_it_runs),
		cmocka_unit_test(the_daemon_itself_is_not_listed),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, start, world_leave);
}
