// SPDX-License-Identifier: Apache-2.0
/* Deploys: the main process runs another version of what it ran before, and nothing else is one. */
#include "unit/attribute/world.h"

#include "attribute/state.h"

/* An exec of version VERSION. */
static struct km_service *runs(struct world *w, uint32_t tgid, const char *path, uint32_t version)
{
	struct km_signal s = { .type = KMEND_EXEC, .cgroup_id = 5 };

	s.exec.tgid = tgid;
	s.exec.ppid = 1;
	s.exec.start_ns = 1000 * SECOND + tgid * SECOND;
	s.exec.image = version;
	km_copy(s.exec.path, sizeof(s.exec.path), path);
	return world_feed(w, &s);
}

static void over(struct world *w, uint32_t tgid)
{
	w->now_ns += SECOND;
	world_exit(w, tgid, 1000 * SECOND + tgid * SECOND, 0);
	w->now_ns += SECOND;
}

static void another_version_in_the_next_life_is_a_deploy(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 5, "/system.slice/web.service");
	s = runs(w, 100, "/usr/bin/web", 7);
	assert_int_equal(s->images, 1);
	assert_int_equal(s->deployed_ns, 0);
	over(w, 100);
	s = runs(w, 101, "/usr/bin/web", 7);
	assert_int_equal(s->deployed_ns, 0);
	over(w, 101);
	s = runs(w, 102, "/usr/bin/web", 8);
	assert_int_equal(s->deployed_ns, w->now_ns);
	assert_int_equal(s->images, 1);
}

static void each_release_may_have_its_own_folder(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 5, "/system.slice/web.service");
	runs(w, 100, "/srv/releases/1/web", 7);
	over(w, 100);
	s = runs(w, 101, "/srv/releases/2/web", 8);
	assert_int_equal(s->deployed_ns, w->now_ns);
}

static void what_a_wrapper_becomes_is_no_other_version_of_it(void **state)
{
	struct world *w = *state;
	struct km_service *s = NULL;

	world_cgroup(w, 5, "/system.slice/web.service");
	for (uint32_t life = 100; life < 103; life++) {
		runs(w, life, "/bin/sh", 1);
		runs(w, life, "/usr/bin/env", 2);
		s = runs(w, life, "/usr/bin/web", 7);
		assert_int_equal(s->deployed_ns, 0);
		over(w, life);
	}
	assert_int_equal(s->images, 3);
	runs(w, 103, "/bin/sh", 1);
	s = runs(w, 103, "/usr/bin/web", 8);
	assert_int_equal(s->deployed_ns, w->now_ns);
}

static void what_its_children_run_is_none_of_it(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 5, "/system.slice/web.service");
	s = runs(w, 100, "/usr/bin/web", 7);
	for (uint32_t child = 200; child < 202; child++) {
		world_fork(w, 5, child, 100);
		runs(w, child, "/usr/bin/logrotate", child);
	}
	assert_int_equal(s->deployed_ns, 0);
	assert_int_equal(s->images, 1);
}

/* A manager's child is the manager's image until it executes its own. */
static void the_managers_own_update_is_nobodys_deploy(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 5, "/init.scope");
	runs(w, 1, "/usr/lib/systemd/systemd", 3);
	world_cgroup(w, 5, "/system.slice/web.service");
	s = world_fork(w, 5, 100, 1);
	assert_int_equal(s->images, 0);
}

static void of_many_files_the_newest_are_known(void **state)
{
	struct world *w = *state;
	struct km_service *s = NULL;
	char path[] = "/bin/0";

	world_cgroup(w, 5, "/system.slice/web.service");
	for (int i = 0; i <= KM_IMAGES_MAX; i++) {
		path[5] = (char)('a' + i);
		s = runs(w, 100, path, 7);
	}
	assert_int_equal(s->images, KM_IMAGES_MAX);
	/* the first one was forgotten, the second one is made room for by this */
	s = runs(w, 100, "/bin/a", 8);
	assert_int_equal(s->deployed_ns, 0);
	s = runs(w, 100, "/bin/c", 8);
	assert_int_equal(s->deployed_ns, w->now_ns);
}

static void what_nobody_could_look_at_is_not_known(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 5, "/system.slice/web.service");
	s = runs(w, 100, "/usr/bin/web", 0);
	assert_int_equal(s->images, 0);
	s = runs(w, 100, "", 7);
	assert_int_equal(s->images, 0);
	s = runs(w, 100, "/usr/bin/", 7);
	assert_int_equal(s->images, 0);
}

static void a_pidfiles_daemon_runs_what_its_parent_executed(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_define(w, "old", KM_BY_PIDFILE, "/run/old.pid");
	for (uint32_t life = 100; life < 102; life++) {
		struct km_signal p = { .type = KM_RAW_PROCESS };

		p.process.tgid = life;
		p.process.start_ns = 1000 * SECOND + life * SECOND;
		p.process.image = life;
		p.process.source = KM_FROM_PIDFILE;
		km_copy(p.process.path, sizeof(p.process.path), "/usr/sbin/old");
		km_copy(p.process.service, sizeof(p.process.service), "old");
		s = world_feed(w, &p);
		assert_int_equal(s->images, 1);
		assert_int_equal(s->deployed_ns, life == 100 ? 0 : w->now_ns);
		over(w, life);
	}
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(another_version_in_the_next_life_is_a_deploy),
		ROW(each_release_may_have_its_own_folder),
		ROW(what_a_wrapper_becomes_is_no_other_version_of_it),
		ROW(what_its_children_run_is_none_of_it),
		ROW(the_managers_own_update_is_nobodys_deploy),
		ROW(of_many_files_the_newest_are_known),
		ROW(what_nobody_could_look_at_is_not_known),
		ROW(a_pidfiles_daemon_runs_what_its_parent_executed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
