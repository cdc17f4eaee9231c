// SPDX-License-Identifier: Apache-2.0
/* Whose a process is: by cgroup path, container, executable, pidfile. */
#include "unit/attribute/world.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *owner_name(struct world *w, const char *path)
{
	static uint64_t id = 1000;
	static uint32_t tgid = 1000;
	struct km_service *s;

	world_cgroup(w, ++id, path);
	s = world_task(w, id, ++tgid, 1, w->now_ns);
	return s ? s->name : "host";
}

static void services_are_discovered_from_cgroup_paths(void **state)
{
	static const struct {
		const char *path;
		const char *name;
	} cases[] = {
		{ "/system.slice/nginx.service", "nginx.service" },
		{ "/system.slice/nginx.service/workers", "nginx.service" },
		{ "/user.slice/user-0.slice/user@0.service/app.slice/x.service", "x.service" },
		{ "/system.slice/docker-" HEX64 ".scope", "0123456789ab" },
		{ "/docker/" HEX64, "0123456789ab" },
		{ "/machine.slice/libpod-" HEX64 ".scope/container", "0123456789ab" },
		{ "/machine.slice/libpod-conmon-" HEX64 ".scope", "host" },
		{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"
		  "aaaaaaaa_bbbb_cccc_dddd_eeeeeeeeeeee.slice/cri-containerd-" HEX64 ".scope",
		  "0123456789ab" },
		{ "/kubepods.slice/kubepods-besteffort-pod"
		  "aaaaaaaa_bbbb_cccc_dddd_eeeeeeeeeeee.slice",
		  "podaaaaaaaa_bbbb_cccc_dddd_eeeeeeeeeeee" },
		{ "/kubepods/burstable/podaaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/" HEX64,
		  "0123456789ab" },
		{ "/kubepods/burstable/podaaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
		  "podaaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee" },
		{ "/kubepods.slice/kubepods-pod.slice", "host" },
		{ "/crio-" HEX64 ".scope", "0123456789ab" },
		{ "/user.slice/user-0.slice/session-1.scope", "host" },
		{ "/system.slice", "host" },
		{ "/", "host" },
		{ "/docker-0123.scope", "host" },
		{ "/docker-0123456789abcdeX.scope", "host" },
		{ "/.service", "host" },
	};

	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++)
		assert_string_equal(owner_name(*state, cases[i].path), cases[i].name);
}

static void a_definition_names_a_unit_a_cgroup_or_a_container(void **state)
{
	struct world *w = *state;

	world_define(w, "web", KM_BY_UNIT, "nginx.service");
	world_define(w, "batch", KM_BY_CGROUP, "/jobs/batch");
	world_define(w, "db", KM_BY_CONTAINER, "0123456789abcdef");
	assert_string_equal(owner_name(w, "/system.slice/nginx.service"), "web");
	assert_string_equal(owner_name(w, "/system.slice/nginx.service/sub"), "web");
	assert_string_equal(owner_name(w, "/jobs/batch/1"), "batch");
	assert_string_equal(owner_name(w, "/jobs/batch2"), "host");
	assert_string_equal(owner_name(w, "/docker/" HEX64), "db");
}

static void the_deepest_match_decides(void **state)
{
	struct world *w = *state;

	world_define(w, "inner", KM_BY_CGROUP, "/a/b");
	world_define(w, "outer", KM_BY_CGROUP, "/a");
	assert_string_equal(owner_name(w, "/a/b/c"), "inner");
	assert_string_equal(owner_name(w, "/a/x"), "outer");
	assert_string_equal(owner_name(w, "/a/b/y.service"), "y.service");
}

static void an_executable_goes_before_its_cgroup(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_define(w, "tool", KM_BY_EXECUTABLE, "/opt/tool");
	world_cgroup(w, 5, "/system.slice/x.service");
	world_fork(w, 5, 50, 1);
	s = world_exec(w, 5, 50, w->now_ns, "/opt/tool");
	assert_string_equal(s->name, "tool");
	assert_int_equal(s->main_tgid, 50);
	/* The child runs the same image until it executes another. */
	assert_string_equal(world_fork(w, 5, 51, 50)->name, "tool");
	assert_int_equal(s->processes, 2);
	assert_int_equal(s->main_tgid, 50);
	assert_string_equal(world_exec(w, 5, 51, w->now_ns, "/bin/sh")->name, "x.service");
	assert_int_equal(s->processes, 1);
	world_exit(w, 50, w->now_ns, 0);
	assert_int_equal(world_named(w, "tool")->state, KM_SERVICE_DOWN);
}

static void a_long_path_is_compared_by_its_end(void **state)
{
	struct world *w = *state;
	char path[201];

	memset(path, 'd', sizeof(path) - 1);
	path[0] = '/';
	path[200] = 0;
	world_define(w, "deep", KM_BY_EXECUTABLE, path);
	world_fork(w, 5, 50, 1);
	assert_string_equal(
		world_exec(w, 5, 50, w->now_ns, path + 200 - (KMEND_PATH_LEN - 1))->name, "deep");
}

static void a_pidfile_claims_the_process_and_its_children(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_define(w, "old", KM_BY_PIDFILE, "/run/old.pid");
	world_cgroup(w, 5, "/system.slice/x.service");
	world_scan(w, 5, 70, 1, 900 * SECOND);
	world_scan(w, 5, 71, 70, 901 * SECOND);
	world_scan(w, 5, 72, 71, 902 * SECOND);
	s = world_pidfile(w, 5, 70, 900 * SECOND, "old");
	assert_string_equal(s->name, "old");
	assert_int_equal(s->processes, 3);
	assert_int_equal(s->state, KM_SERVICE_UP);
	assert_int_equal(s->since_ns, 900 * SECOND);
	assert_string_equal(world_fork(w, 5, 73, 71)->name, "old");
	assert_int_equal(world_named(w, "x.service")->processes, 0);
	/* All moved, none ended. */
	assert_int_equal(w->events[KM_EV_ENDED], 0);
	assert_int_equal(world_named(w, "x.service")->state, KM_SERVICE_UNKNOWN);
	world_clear(w);
	world_exit(w, 70, 900 * SECOND, 9);
	assert_int_equal(w->events[KM_EV_ENDED], 1);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
}

static void a_pidfiles_successor_takes_over_without_an_end(void **state)
{
	struct world *w = *state;

	world_define(w, "old", KM_BY_PIDFILE, "/run/old.pid");
	world_pidfile(w, 5, 70, 900 * SECOND, "old");
	world_pidfile(w, 5, 80, 950 * SECOND, "old");
	assert_int_equal(world_named(w, "old")->main_tgid, 80);
	world_exit(w, 70, 900 * SECOND, 0);
	assert_int_equal(w->events[KM_EV_STARTED], 1);
	assert_int_equal(w->events[KM_EV_ENDED], 0);
}

static void what_lies_below_a_commands_cgroup_is_the_commands(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_define(w, "cmd", KM_BY_COMMAND, "");
	world_cgroup(w, 9, "/system.slice/kmend.service/cmd");
	world_cgroup(w, 10, "/system.slice/kmend.service/cmd/own");
	world_outcome(w, "cmd",
	              &(struct world_outcome){ 9, KM_OUT_DONE, KM_START, 90, 990 * SECOND });
	s = world_named(w, "cmd");
	assert_int_equal(s->cgroup_id, 9);
	assert_ptr_equal(world_fork(w, 10, 91, 90), s);
	world_cgroup(w, 11, "/system.slice/kmend.service/cmd/later");
	assert_ptr_equal(world_fork(w, 11, 92, 90), s);
	world_cgroup(w, 12, "/system.slice/kmend.service/cmd2");
	assert_string_equal(world_fork(w, 12, 93, 1)->name, "kmend.service");
	assert_int_equal(s->cgroup_id, 9);
}

static void the_topmost_cgroup_stands_for_the_service(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 21, "/system.slice/x.service/sub");
	world_cgroup(w, 20, "/system.slice/x.service");
	s = world_fork(w, 21, 30, 1);
	assert_int_equal(s->cgroup_id, 20);
	/* Restarted: the same path again, while the old one is not yet said to be gone. */
	world_cgroup(w, 22, "/system.slice/x.service");
	assert_int_equal(s->cgroup_id, 22);
	world_cgroup_gone(w, 20);
	assert_int_equal(s->cgroup_id, 22);
	world_cgroup_gone(w, 22);
	assert_int_equal(s->cgroup_id, 21);
	world_cgroup_gone(w, 21);
	assert_int_equal(s->cgroup_id, 0);
}

static void a_cgroup_that_is_heard_of_late_takes_its_processes(void **state)
{
	struct world *w = *state;

	assert_null(world_fork(w, 40, 60, 1));
	world_cgroup(w, 40, "/system.slice/late.service");
	assert_int_equal(world_named(w, "late.service")->processes, 1);
	assert_int_equal(w->events[KM_EV_STARTED], 1);
}

static void a_new_definition_takes_over_what_runs(void **state)
{
	struct world *w = *state;
	struct km_config none = { 0 };

	world_cgroup(w, 40, "/jobs/a");
	assert_null(world_fork(w, 40, 60, 1));
	world_define(w, "job", KM_BY_CGROUP, "/jobs/a");
	assert_int_equal(world_named(w, "job")->processes, 1);
	assert_int_equal(world_named(w, "job")->cgroup_id, 40);
	assert_int_equal(km_attribute_configure(w->a, &none, w->now_ns), 0);
	assert_int_equal(world_named(w, "job")->processes, 0);
	assert_int_equal(world_named(w, "job")->defined, 0);
}

static void an_undefined_service_without_processes_goes(void **state)
{
	struct world *w = *state;
	struct km_config none = { 0 };

	world_define(w, "job", KM_BY_CGROUP, "/jobs/a");
	assert_int_equal(world_named(w, "job")->state, KM_SERVICE_UNKNOWN);
	assert_int_equal(km_attribute_configure(w->a, &none, w->now_ns), 0);
	assert_null(world_named(w, "job"));
}

static void a_unit_defined_under_its_own_name_goes_on_from_the_discovered_one(void **state)
{
	struct world *w = *state;
	uint64_t id;

	world_cgroup(w, 40, "/system.slice/a.service");
	id = world_fork(w, 40, 60, 1)->id;
	world_define(w, "a.service", KM_BY_UNIT, "a.service");
	assert_int_equal(world_named(w, "a.service")->id, id);
	assert_int_equal(world_named(w, "a.service")->starts, 1);
	assert_int_equal(world_named(w, "a.service")->defined, 1);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, world_begin, world_end)

/* A manager forks in its own cgroup; the child moves over and executes; the fork is told last. */
static void a_fork_that_is_told_late_moves_nobody_back(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 1, "/init.scope");
	world_cgroup(w, 5, "/system.slice/a.service");
	s = world_exec(w, 5, 100, w->now_ns, "/usr/bin/a");
	assert_non_null(s);
	assert_ptr_equal(world_fork(w, 1, 100, 1), s);
	world_exit(w, 100, w->now_ns, 1 << 8);
	assert_int_equal(w->events[KM_EV_ENDED], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(services_are_discovered_from_cgroup_paths),
		ROW(a_definition_names_a_unit_a_cgroup_or_a_container),
		ROW(the_deepest_match_decides),
		ROW(an_executable_goes_before_its_cgroup),
		ROW(a_long_path_is_compared_by_its_end),
		ROW(a_pidfile_claims_the_process_and_its_children),
		ROW(a_pidfiles_successor_takes_over_without_an_end),
		ROW(what_lies_below_a_commands_cgroup_is_the_commands),
		ROW(the_topmost_cgroup_stands_for_the_service),
		ROW(a_cgroup_that_is_heard_of_late_takes_its_processes),
		ROW(a_new_definition_takes_over_what_runs),
		ROW(an_undefined_service_without_processes_goes),
		ROW(a_unit_defined_under_its_own_name_goes_on_from_the_discovered_one),
		ROW(a_fork_that_is_told_late_moves_nobody_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
