// SPDX-License-Identifier: Apache-2.0
/* What a watched service's processes did and waited for, by the task iterator. */
#include "bpf/values.h"

static struct km_config config;

static int start(void **state)
{
	struct km_collect_opts opts = { .config = &config };

	config.settings.sample_period_ns = 100 * KM_NS_PER_MS;
	world_enter(state);
	world_start(*state, &opts);
	return 0;
}

struct looked {
	uint32_t tgid;
	bool (*is)(const struct kmend_sched *s);
};

static bool matches(const void *raw, const void *arg)
{
	const struct kmend_sched *s = raw;
	const struct looked *l = arg;

	return s->tgid == l->tgid && (!l->is || l->is(s));
}

static const struct kmend_sched *wait_for(struct world *w, uint32_t tgid,
                                          bool (*is)(const struct kmend_sched *s))
{
	return world_wait(w, KMEND_SCHED, matches, &(struct looked){ tgid, is });
}

static void watch(struct world *w, const struct group *g)
{
	world_pass(w);
	world_pass(w);
	assert_int_equal(km_collect_watch(w->collect, g->id, true), 0);
}

static void finish(const struct group *g, uint32_t pid)
{
	kill((pid_t)pid, SIGKILL);
	reap(pid);
	group_remove(g);
}

static bool busy(const struct kmend_sched *s)
{
	return s->cpu_ns > 50 * KM_NS_PER_MS && s->threads == 1 && !s->zombie;
}

static void time_on_a_cpu_is_told_of_watched_services_only(void **state)
{
	struct world *w = *state;
	struct group g;
	uint32_t pid;

	group_make(&g, "busy");
	pid = CHILD({
		group_enter(&g);
		for (;;)
			;
	});
	world_pass(w);
	world_pass(w);
	for (size_t i = 0; i < w->count; i++)
		assert_int_not_equal(world_record(w, i)->type, KMEND_SCHED);
	watch(w, &g);
	assert_non_null(wait_for(w, pid, busy));
	finish(&g, pid);
}

static bool is_stopped(const struct kmend_sched *s)
{
	return s->stopped == 1 && s->threads == 1;
}

static bool goes_on(const struct kmend_sched *s)
{
	return s->stopped == 0 && s->threads == 1;
}

static void a_stopped_process_is_told(void **state)
{
	struct world *w = *state;
	struct group g;
	uint32_t pid;

	group_make(&g, "stopped");
	pid = CHILD({
		group_enter(&g);
		for (;;)
			pause();
	});
	watch(w, &g);
	assert_non_null(wait_for(w, pid, goes_on));
	kill((pid_t)pid, SIGSTOP);
	assert_non_null(wait_for(w, pid, is_stopped));
	finish(&g, pid);
}

static bool is_zombie(const struct kmend_sched *s)
{
	return s->zombie == 1;
}

static void a_zombie_is_told_as_its_services(void **state)
{
	struct world *w = *state;
	const struct kmend_sched *s;
	struct group g;
	uint32_t pid;

	group_make(&g, "zombie");
	watch(w, &g);
	pid = CHILD(group_enter(&g));
	s = wait_for(w, pid, is_zombie);
	assert_non_null(s);
	assert_int_equal(s->hdr.cgroup_id, g.id);
	finish(&g, pid);
}

static bool has_written(const struct kmend_sched *s)
{
	return s->written_bytes >= 1 << 20;
}

static void bytes_dirtied_for_storage_are_told(void **state)
{
	char file[] = "/var/tmp/kmend-test-XXXXXX";
	struct world *w = *state;
	static char block[1 << 20];
	struct group g;
	uint32_t pid;
	int fd = mkostemp(file, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(file);
	group_make(&g, "writer");
	pid = CHILD({
		group_enter(&g);
		if (write(fd, block, sizeof(block)) < 0)
			_exit(1);
		for (;;)
			pause();
	});
	watch(w, &g);
	assert_non_null(wait_for(w, pid, has_written));
	finish(&g, pid);
	close(fd);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, start, world_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(time_on_a_cpu_is_told_of_watched_services_only),
		ROW(a_stopped_process_is_told),
		ROW(a_zombie_is_told_as_its_services),
		ROW(bytes_dirtied_for_storage_are_told),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
