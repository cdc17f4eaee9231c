// SPDX-License-Identifier: Apache-2.0
/* What outlives the reader, who takes it over, and that nothing is left when it shall not. */
#include "bpf/world.h"

#include <bpf/bpf.h>
#include <dirent.h>

static struct km_collect_opts pinned(const struct world *w)
{
	return (struct km_collect_opts){ .pin_dir = w->pins };
}

static int leave_pins(void **state)
{
	struct world *w = *state;

	if (w->collect)
		world_stop(w, true);
	world_forget(w);
	return km_collect_unpin(w->pins);
}

static size_t exits_of(const struct world *w, uint32_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++)
		n += world_record(w, i)->type == KMEND_EXIT && exit_of(w->records[i], &pid);
	return n;
}

/* A reader that runs until it is killed, and says when it has begun. */
static uint32_t reader(struct world *w)
{
	struct km_collect_opts opts = pinned(w);
	uint32_t pid;
	int p[2];
	char c;

	assert_int_equal(pipe(p), 0);
	pid = CHILD(world_start(w, &opts);
	            if (write(p[1], "x", 1) == 1) for (;;) km_loop_once(w->loop, 1000));
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void kill_9_of_the_reader_loses_nothing(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = pinned(w);
	uint32_t pids[40], first = reader(w);

	assert_int_equal(kill((pid_t)first, SIGKILL), 0);
	reap(first);
	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++) {
		pids[i] = CHILD(_exit(0));
		reap(pids[i]);
	}
	world_start(w, &opts);
	assert_true(w->collect->bpf.taken_over);
	for (size_t i = 0; i < KM_ARRAY_SIZE(pids); i++)
		assert_int_equal(exits_of(w, pids[i]), 1);
}

static void what_is_taken_over_goes_on_and_is_attached_once(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = pinned(w);
	uint32_t pid;

	world_start(w, &opts);
	assert_false(w->collect->bpf.taken_over);
	world_stop(w, false);
	world_start(w, &opts);
	assert_true(w->collect->bpf.taken_over);
	for (int i = 0; i < KM_PROG_MAX; i++)
		assert_true(w->collect->bpf.progs[i].state >= KM_PROG_UNUSED);
	pid = CHILD(_exit(3));
	reap(pid);
	assert_non_null(world_wait(w, KMEND_EXIT, exit_of, &pid));
	world_pass(w);
	assert_int_equal(exits_of(w, pid), 1);
}

static void the_rings_of_another_build_are_drained_and_replaced(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = pinned(w);
	uint8_t other[KM_SHA256_SIZE] = { 1 };
	char meta[128];
	uint32_t key = 0, before, after;
	int fd;

	world_start(w, &opts);
	world_stop(w, false);
	snprintf(meta, sizeof(meta), "%s/meta", w->pins);
	fd = bpf_obj_get(meta);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &key, other, BPF_ANY), 0);
	close(fd);
	before = CHILD(_exit(0));
	reap(before);
	world_start(w, &opts);
	assert_false(w->collect->bpf.taken_over);
	assert_int_equal(exits_of(w, before), 1);
	after = CHILD(_exit(0));
	reap(after);
	assert_non_null(world_wait(w, KMEND_EXIT, exit_of, &after));
	world_pass(w);
	assert_int_equal(exits_of(w, after), 1);
}

/* As builds of before pinned it: one bulk ring, where the map of them is now. */
static void the_only_bulk_ring_of_an_old_build_is_drained(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = pinned(w);
	char from[128], to[128];
	cpu_set_t all, first;
	uint32_t before;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	world_start(w, &opts);
	world_stop(w, false);
	snprintf(from, sizeof(from), "%s/kmend_bulk_0", w->pins);
	snprintf(to, sizeof(to), "%s/kmend_bulk", w->pins);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(first), &first), 0);
	before = CHILD(_exit(0));
	reap(before);
	sched_setaffinity(0, sizeof(all), &all);
	world_start(w, &opts);
	assert_false(w->collect->bpf.taken_over);
	assert_int_equal(exits_of(w, before), 1);
}

static void a_second_instance_is_refused(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = pinned(w);
	struct km_collect *second = NULL;

	world_start(w, &opts);
	assert_int_equal(km_collect_prepare(&opts, &second), -EEXIST);
	assert_null(second);
}

/* Does the kernel still have one of these numbers? Freeing takes an RCU grace period or two. */
static bool all_gone(int (*get_fd_by_id)(uint32_t id), const uint32_t *ids, size_t count)
{
	uint64_t end = km_now_ns() + WORLD_PATIENCE_NS;

	for (size_t i = 0; i < count;) {
		int fd = get_fd_by_id(ids[i]);

		if (fd < 0) {
			i++;
			continue;
		}
		close(fd);
		if (km_now_ns() > end)
			return false;
		usleep(10000);
	}
	return true;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info map = { 0 };
	uint32_t len = sizeof(map);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &map, &len), 0);
	return map.id;
}

static void a_clean_end_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = pinned(w);
	uint32_t progs[KM_PROG_MAX], links[KM_PROG_MAX], len;
	uint32_t maps[KM_MAP_MAX + KMEND_BULK_RINGS_MAX];
	size_t prog_count = 0, link_count = 0, map_count = 0;
	struct dirent *e;
	DIR *dir;

	world_start(w, &opts);
	for (int i = 0; i < KM_PROG_MAX; i++) {
		const struct km_prog *p = &w->collect->bpf.progs[i];
		struct bpf_prog_info prog = { 0 };
		struct bpf_link_info link = { 0 };

		len = sizeof(prog);
		if (p->prog_fd >= 0 && !bpf_obj_get_info_by_fd(p->prog_fd, &prog, &len))
			progs[prog_count++] = prog.id;
		len = sizeof(link);
		if (p->link_fd >= 0 && !bpf_obj_get_info_by_fd(p->link_fd, &link, &len))
			links[link_count++] = link.id;
	}
	for (int i = 0; i < KM_MAP_MAX; i++)
		maps[map_count++] = map_id(w->collect->bpf.maps[i]);
	for (uint32_t i = 0; i < w->collect->bpf.setup.bulk_rings; i++)
		maps[map_count++] = map_id(w->collect->bpf.bulk[i]);
	assert_true(prog_count >= 9 && link_count >= 8);
	world_stop(w, true);
	dir = opendir(w->pins);
	while ((e = readdir(dir)))
		assert_true(e->d_name[0] == '.');
	closedir(dir);
	assert_true(all_gone(bpf_prog_get_fd_by_id, progs, prog_count));
	assert_true(all_gone(bpf_link_get_fd_by_id, links, link_count));
	assert_true(all_gone(bpf_map_get_fd_by_id, maps, map_count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(kill_9_of_the_reader_loses_nothing, leave_pins),
		cmocka_unit_test_teardown(what_is_taken_over_goes_on_and_is_attached_once,
		                          leave_pins),
		cmocka_unit_test_teardown(the_rings_of_another_build_are_drained_and_replaced,
		                          leave_pins),
		cmocka_unit_test_teardown(the_only_bulk_ring_of_an_old_build_is_drained,
		                          leave_pins),
		cmocka_unit_test_teardown(a_second_instance_is_refused, leave_pins),
		cmocka_unit_test_teardown(a_clean_end_leaves_nothing, leave_pins),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, world_enter, world_leave);
}
