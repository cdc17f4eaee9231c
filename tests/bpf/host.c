// SPDX-License-Identifier: Apache-2.0
/* Real filesystems, a real quota, a real freezer: the value that is delivered says so. */
#include "bpf/values.h"

static struct km_config config;

static int start(void **state)
{
	struct km_collect_opts opts = { .config = &config, .no_bpf = true };

	config.settings.sample_period_ns = 100 * KM_NS_PER_MS;
	world_enter(state);
	world_start(*state, &opts);
	return 0;
}

static void fill(const char *dir, size_t bytes)
{
	static char block[65536];
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "%s/full", dir);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (size_t done = 0; done < bytes; done += sizeof(block))
		if (write(fd, block, sizeof(block)) < 0)
			break;
	close(fd);
}

static void a_full_filesystem_has_no_room_and_no_inodes(void **state)
{
	char dir[] = "/tmp/kmend-test-XXXXXX", file[64];
	const struct km_raw_value *v;
	struct world *w = *state;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=1m,nr_inodes=16"), 0);
	v = values_wait(w, &(struct wanted){ KM_SIG_FS_BYTES_FREE, dir, 0, 1048576, 1048576 });
	assert_non_null(v);
	fill(dir, 2 << 20);
	for (int i = 0; i < 32; i++) {
		snprintf(file, sizeof(file), "%s/%d", dir, i);
		close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_FS_BYTES_FREE, dir, 0, 0, 0 }));
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_FS_INODES_FREE, dir, 0, 0, 0 }));
	v = values_wait(w, &(struct wanted){ KM_SIG_FS_BYTES_USED, dir, 0, 1048576, 1048576 });
	assert_non_null(v);
	assert_true(v->limit >= 1048576 && v->limit <= 1048576);
	v = values_wait(w, &(struct wanted){ KM_SIG_FS_INODES_USED, dir, 0, 16, 16 });
	assert_non_null(v);
	umount(dir);
	rmdir(dir);
}

static void a_filesystem_that_turns_read_only_is_told(void **state)
{
	char dir[] = "/tmp/kmend-test-XXXXXX";
	struct world *w = *state;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=1m"), 0);
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_FS_READONLY, dir, 0, 0, 0 }));
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_FS_READONLY, dir, 0, 1, 1 }));
	umount(dir);
	rmdir(dir);
}

static void a_quota_that_holds_a_service_up_is_told(void **state)
{
	struct world *w = *state;
	struct group g;
	bool limited;
	uint32_t pid;

	group_make(&g, "quota");
	limited = g.cpu[0] ? group_put(g.cpu, "cpu.cfs_quota_us", "2000")
	                   : group_put(g.unified, "cpu.max", "2000 100000");
	if (!limited) {
		group_remove(&g);
		printf("skipped: no cpu controller that a test may use\n");
		skip();
	}
	pid = CHILD({
		group_enter(&g);
		for (;;)
			;
	});
	world_pass(w);
	world_pass(w);
	km_collect_watch(w->collect, g.id, true);
	/* A quota of 2 %: held up nearly all the time. */
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_SCHED_THROTTLED, NULL, g.id, 10000,
	                                                 1e12 }));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
	group_remove(&g);
}

static void a_frozen_service_is_told(void **state)
{
	struct world *w = *state;
	struct group g;
	uint32_t pid;

	group_make(&g, "frozen");
	pid = CHILD({
		group_enter(&g);
		for (;;)
			pause();
	});
	world_pass(w);
	world_pass(w);
	km_collect_watch(w->collect, g.id, true);
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_SCHED_FROZEN, NULL, g.id, 0, 0 }));
	assert_true(group_put(g.unified, "cgroup.freeze", "1"));
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_SCHED_FROZEN, NULL, g.id, 1, 1 }));
	assert_true(group_put(g.unified, "cgroup.freeze", "0"));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
	group_remove(&g);
}

static void a_child_that_nobody_waits_for_is_a_zombie(void **state)
{
	struct world *w = *state;
	const struct km_raw_value *v =
		values_wait(w, &(struct wanted){ KM_SIG_HOST_ZOMBIES, NULL, 0, 0, 1e6 });
	uint32_t pid;

	assert_non_null(v);
	pid = CHILD({});
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_HOST_ZOMBIES, NULL, 0, v->value + 1,
	                                                 1e6 }));
	reap(pid);
}

static void the_tasks_of_the_host_are_counted_against_their_limit(void **state)
{
	const struct km_raw_value *v =
		values_wait(*state, &(struct wanted){ KM_SIG_HOST_PIDS, NULL, 0, 2, 1e7 });

	assert_non_null(v);
	assert_true(v->limit > v->value);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, start, world_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_full_filesystem_has_no_room_and_no_inodes),
		ROW(a_filesystem_that_turns_read_only_is_told),
		ROW(a_quota_that_holds_a_service_up_is_told),
		ROW(a_frozen_service_is_told),
		ROW(a_child_that_nobody_waits_for_is_a_zombie),
		ROW(the_tasks_of_the_host_are_counted_against_their_limit),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
