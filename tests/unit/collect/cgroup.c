// SPDX-License-Identifier: Apache-2.0
/* The tree of cgroups and their levels, on a tree of plain directories. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "collect/cgroup.h"
#include "collect/level.h"

struct tree {
	char root[64];
	struct km_cgroups *groups;
	char log[4096]; /* "+/a -/b w/c u/c " in the order they came */
	int answer;     /* of the callback */
};

static void note(struct tree *t, char what, const char *path)
{
	size_t n = strlen(t->log);

	snprintf(t->log + n, sizeof(t->log) - n, "%c%s ", what, path);
}

static int seen(void *userdata, uint64_t id, const char *path, bool gone)
{
	struct tree *t = userdata;

	(void)id;
	note(t, gone ? '-' : '+', path);
	return t->answer;
}

static void watch(void *userdata, uint64_t id, bool on)
{
	struct tree *t = userdata;
	const char *path = km_cgroups_path(t->groups, id);

	note(t, on ? 'w' : 'u', path ? path : "?");
}

static void make(struct tree *t, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", t->root, path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static void take_away(struct tree *t, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", t->root, path);
	assert_int_equal(rmdir(full), 0);
}

static void put(struct tree *t, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", t->root, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static uint64_t id_of(const struct tree *t, const char *path)
{
	return km_cgroups_id(t->groups, path);
}

static int begin(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	struct km_cgroups_ops ops = { seen, watch, t };

	strcpy(t->root, "/tmp/kmend-unit-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	make(t, "/a");
	make(t, "/a/b");
	make(t, "/ab");
	assert_int_equal(km_cgroups_new(t->root, &ops, &t->groups), 0);
	*state = t;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int finish(void **state)
{
	struct tree *t = *state;

	km_cgroups_free(t->groups);
	nftw(t->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

static bool logged(const struct tree *t, const char *what)
{
	return strstr(t->log, what);
}

static void a_walk_tells_parents_first_and_once(void **state)
{
	struct tree *t = *state;

	assert_int_equal(km_cgroups_walk(t->groups), 0);
	assert_int_equal(strncmp(t->log, "+/ ", 3), 0);
	assert_true(strstr(t->log, "+/a ") < strstr(t->log, "+/a/b "));
	assert_true(logged(t, "+/ab "));
	assert_int_equal(km_cgroups_count(t->groups), 4);
	t->log[0] = '\0';
	assert_int_equal(km_cgroups_walk(t->groups), 0);
	assert_string_equal(t->log, "");
	assert_string_equal(km_cgroups_path(t->groups, id_of(t, "/a/b")), "/a/b");
	assert_null(km_cgroups_path(t->groups, 1234567890123));
	assert_int_equal(id_of(t, "/nowhere"), 0);
}

static void new_and_gone_ones_are_told_without_a_walk(void **state)
{
	struct tree *t = *state;

	assert_int_equal(km_cgroups_walk(t->groups), 0);
	t->log[0] = '\0';
	make(t, "/a/b/c");
	make(t, "/a/b/c/d"); /* its parent is not known when it is made */
	take_away(t, "/ab");
	assert_int_equal(km_cgroups_events(t->groups), 0);
	assert_true(logged(t, "+/a/b/c "));
	assert_true(logged(t, "+/a/b/c/d "));
	assert_true(logged(t, "-/ab "));
	take_away(t, "/a/b/c/d");
	assert_int_equal(km_cgroups_events(t->groups), 0);
	assert_true(logged(t, "-/a/b/c/d "));
	assert_int_equal(km_cgroups_count(t->groups), 4);
}

static void one_made_and_gone_between_two_looks_leaves_nothing(void **state)
{
	struct tree *t = *state;

	assert_int_equal(km_cgroups_walk(t->groups), 0);
	make(t, "/x");
	take_away(t, "/x");
	make(t, "/y");
	take_away(t, "/y");
	make(t, "/y");
	assert_int_equal(km_cgroups_events(t->groups), 0);
	assert_int_equal(id_of(t, "/x"), 0);
	assert_true(id_of(t, "/y") != 0);
	assert_int_equal(km_cgroups_count(t->groups), 5);
}

static void a_walk_finds_what_was_missed(void **state)
{
	struct tree *t = *state;

	assert_int_equal(km_cgroups_walk(t->groups), 0);
	make(t, "/new");
	take_away(t, "/a/b");
	t->log[0] = '\0';
	assert_int_equal(km_cgroups_walk(t->groups), 0);
	assert_true(logged(t, "+/new "));
	assert_true(logged(t, "-/a/b "));
}

static void watching_covers_what_is_and_will_be_below(void **state)
{
	struct tree *t = *state;

	assert_int_equal(km_cgroups_walk(t->groups), 0);
	t->log[0] = '\0';
	assert_int_equal(km_cgroups_watch(t->groups, id_of(t, "/a"), true), 0);
	assert_true(logged(t, "w/a "));
	assert_true(logged(t, "w/a/b "));
	assert_false(logged(t, "w/ab "));
	make(t, "/a/c");
	assert_int_equal(km_cgroups_events(t->groups), 0);
	assert_true(logged(t, "w/a/c "));
	assert_int_equal(km_cgroups_watch(t->groups, id_of(t, "/a/b"), true), 0);
	t->log[0] = '\0';
	assert_int_equal(km_cgroups_watch(t->groups, id_of(t, "/a"), false), 0);
	assert_true(logged(t, "u/a "));
	assert_true(logged(t, "u/a/c "));
	assert_false(logged(t, "u/a/b ")); /* asked for by itself */
	assert_int_equal(km_cgroups_watch(t->groups, 99999999, true), -ENOENT);
}

static void watching_the_root_does_not_watch_the_host(void **state)
{
	struct tree *t = *state;

	assert_int_equal(km_cgroups_walk(t->groups), 0);
	t->log[0] = '\0';
	assert_int_equal(km_cgroups_watch(t->groups, id_of(t, "/"), true), 0);
	assert_string_equal(t->log, "w/ ");
}

static void the_answer_of_the_sink_ends_a_walk(void **state)
{
	struct tree *t = *state;

	t->answer = -ECANCELED;
	assert_int_equal(km_cgroups_walk(t->groups), -ECANCELED);
	assert_string_equal(t->log, "+/ ");
}

static void a_tree_that_is_too_deep_is_counted(void **state)
{
	struct tree *t = *state;
	char path[256], *end = path;

	for (int i = 0; i < KM_CGROUP_DEPTH_MAX + 1; i++) {
		end = stpcpy(end, "/d");
		make(t, path);
	}
	assert_int_equal(km_cgroups_walk(t->groups), 0);
	assert_int_equal(km_cgroups_refused(t->groups), 1);
	assert_int_equal(km_cgroups_count(t->groups), 4 + KM_CGROUP_DEPTH_MAX);
}

static void mounts_are_found_in_every_layout(void **state)
{
	char v2[] = "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
	char hybrid[] =
		"1 2 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
		"1 2 0:4 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		"1 2 0:4 / /mnt/other rw - cgroup cgroup rw,memory\n"
		"1 2 0:5 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		"1 2 0:6 / /sys/fs/c\\040group/pids rw shared:9 master:1 - cgroup none rw,pids\n";
	char nonsense[] = "\n - \n1 2 3\n1 2 0:3 / /x rw - \n- cgroup2\n1 2 0:3 / /y rw - cgroup";
	struct km_cgroup_mounts m;

	(void)state;
	km_cgroup_mounts_parse(v2, &m);
	assert_string_equal(m.unified, "/sys/fs/cgroup");
	assert_string_equal(m.memory, "");
	km_cgroup_mounts_parse(hybrid, &m);
	assert_string_equal(m.unified, "/sys/fs/cgroup/unified");
	assert_string_equal(m.memory, "/sys/fs/cgroup/memory");
	assert_string_equal(m.pids, "/sys/fs/c group/pids");
	km_cgroup_mounts_parse(nonsense, &m);
	assert_string_equal(m.unified, "");
	assert_string_equal(m.pids, "");
}

struct read {
	uint64_t level[KM_RESOURCE_MAX];
	uint64_t limit[KM_RESOURCE_MAX];
	int calls;
};

static int take(void *userdata, uint64_t id, enum km_resource resource, uint64_t level,
                uint64_t limit)
{
	struct read *r = userdata;

	assert_int_equal(id, 77);
	r->level[resource] = level;
	r->limit[resource] = limit;
	r->calls++;
	return 0;
}

static void levels_of_v2_have_the_smallest_limit_above(void **state)
{
	struct tree *t = *state;
	km_autofree(km_levels_freep) struct km_levels *l = NULL;
	struct km_cgroup_mounts m = { 0 };
	struct read r = { 0 };

	km_copy(m.unified, sizeof(m.unified), t->root);
	put(t, "/a/memory.max", "500\n");
	put(t, "/a/pids.max", "max\n");
	put(t, "/a/b/memory.max", "max\n");
	put(t, "/a/b/memory.current", "300\n");
	put(t, "/a/b/memory.stat", "inactive_file 40\nactive_file 20\n");
	put(t, "/a/b/pids.current", "9\n");
	put(t, "/a/b/pids.max", "64\n");
	assert_int_equal(km_levels_new(&m, &l), 0);
	assert_int_equal(km_levels_add(l, 77, "/a/b"), 0);
	assert_int_equal(km_levels_add(l, 77, "/a/b"), 0);
	assert_int_equal(km_levels_read(l, take, &r), 0);
	assert_int_equal(r.calls, 2);
	assert_int_equal(r.level[KM_MEMORY], 240);
	assert_int_equal(r.limit[KM_MEMORY], 500);
	assert_int_equal(r.level[KM_THREADS], 9);
	assert_int_equal(r.limit[KM_THREADS], 64);
	put(t, "/a/b/memory.current", "50\n"); /* less than was reclaimable: not negative */
	assert_int_equal(km_levels_read(l, take, &r), 0);
	assert_int_equal(r.level[KM_MEMORY], 0);
	km_levels_drop(l, 77);
	r.calls = 0;
	assert_int_equal(km_levels_read(l, take, &r), 0);
	assert_int_equal(r.calls, 0);
}

static void levels_of_v1_are_used_where_v2_has_none(void **state)
{
	struct tree *t = *state;
	km_autofree(km_levels_freep) struct km_levels *l = NULL;
	struct km_cgroup_mounts m = { 0 };
	struct read r = { 0 };

	km_copy(m.unified, sizeof(m.unified), t->root);
	snprintf(m.memory, sizeof(m.memory), "%s/v1", t->root);
	make(t, "/v1");
	make(t, "/v1/a");
	put(t, "/v1/a/memory.usage_in_bytes", "1000\n");
	put(t, "/v1/a/memory.limit_in_bytes", "9223372036854771712\n");
	put(t, "/v1/a/memory.stat", "total_inactive_file 100\ntotal_active_file 0\n");
	assert_int_equal(km_levels_new(&m, &l), 0);
	assert_int_equal(km_levels_add(l, 77, "/a"), 0);
	assert_int_equal(km_levels_read(l, take, &r), 0);
	assert_int_equal(r.calls, 1); /* no pids controller: not told, not zero */
	assert_int_equal(r.level[KM_MEMORY], 900);
	assert_true(r.limit[KM_MEMORY] == KM_UNKNOWN);
}

static void levels_have_room_for_every_service_and_no_more(void **state)
{
	km_autofree(km_levels_freep) struct km_levels *l = NULL;
	struct km_cgroup_mounts m = { 0 };

	(void)state;
	assert_int_equal(km_levels_new(&m, &l), 0);
	for (uint64_t i = 1; i <= KM_SERVICES_MAX; i++)
		assert_int_equal(km_levels_add(l, i, "/x"), 0);
	assert_int_equal(km_levels_add(l, KM_SERVICES_MAX + 1, "/x"), -ENOSPC);
	km_levels_drop(l, 5);
	assert_int_equal(km_levels_add(l, KM_SERVICES_MAX + 1, "/x"), 0);
}

#define TREE(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE(a_walk_tells_parents_first_and_once),
		TREE(new_and_gone_ones_are_told_without_a_walk),
		TREE(one_made_and_gone_between_two_looks_leaves_nothing),
		TREE(a_walk_finds_what_was_missed),
		TREE(watching_covers_what_is_and_will_be_below),
		TREE(watching_the_root_does_not_watch_the_host),
		TREE(the_answer_of_the_sink_ends_a_walk),
		TREE(a_tree_that_is_too_deep_is_counted),
		cmocka_unit_test(mounts_are_found_in_every_layout),
		TREE(levels_of_v2_have_the_smallest_limit_above),
		TREE(levels_of_v1_are_used_where_v2_has_none),
		cmocka_unit_test(levels_have_room_for_every_service_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
