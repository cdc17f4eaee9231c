// SPDX-License-Identifier: Apache-2.0
/* A real memory limit that is met with page cache: its tasks have to free memory themselves. */
#include "bpf/values.h"

#define LIMIT_BYTES 16777216
#define FILE_BYTES  (4 * LIMIT_BYTES)

static struct km_config config;

static int start(void **state)
{
	struct km_collect_opts opts = { .config = &config };

	config.settings.sample_period_ns = 100 * KM_NS_PER_MS;
	world_enter(state);
	world_start(*state, &opts);
	return 0;
}

/* False: this host has no memory controller that a test may use. */
static bool make_limit(const struct group *g, char *dir, size_t size)
{
	struct km_cgroup_mounts m = { 0 };
	char text[32];

	km_cgroup_mounts_read(&m);
	snprintf(text, sizeof(text), "%d", LIMIT_BYTES);
	if (!m.memory[0]) {
		km_copy(dir, size, g->unified);
		return group_put(dir, "memory.max", text);
	}
	snprintf(dir, size, "%s%s", m.memory, strrchr(g->unified, '/'));
	return mkdir(dir, 0755) == 0 && group_put(dir, "memory.limit_in_bytes", text);
}

static void fill_cache(const char *dir)
{
	char file[] = "/var/tmp/kmend-test-XXXXXX";
	static char block[1 << 20];
	int fd = mkostemp(file, O_CLOEXEC);

	unlink(file);
	group_put(dir, "cgroup.procs", "0");
	for (size_t done = 0; fd >= 0 && done < FILE_BYTES; done += sizeof(block))
		if (write(fd, block, sizeof(block)) < 0)
			_exit(1);
	_exit(fd < 0);
}

static void time_spent_freeing_memory_is_told(void **state)
{
	struct world *w = *state;
	char dir[2 * KM_PATH_MAX];
	struct group g;
	uint32_t pid;

	group_make(&g, "reclaim");
	if (!make_limit(&g, dir, sizeof(dir))) {
		group_remove(&g);
		printf("skipped: no memory controller that a test may use\n");
		skip();
	}
	pid = CHILD({
		group_enter(&g);
		fill_cache(dir);
	});
	assert_int_equal(reap(pid), 0);
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_RECLAIM, NULL, g.id, 1, 1e9 }));
	rmdir(dir);
	group_remove(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(time_spent_freeing_memory_is_told, start,
		                                world_leave),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
