// SPDX-License-Identifier: Apache-2.0
/* The file that pauses: whatever the engine says, and whether it lives, each act looks for it. */
#include "lib/actor_world.h"

static const char config[] = "{\"version\":1,\"services\":["
			     "{\"name\":\"cmd\",\"command\":[\"/bin/true\"]}]}";
static const char policy[] = "{\"version\":1,\"verbs\":[\"start\",\"notify\"],"
			     "\"services\":[\"cmd\"]}";

static struct world w;
static char file[128];

static int begin(void **state)
{
	(void)state;
	world_new(&w, config, policy);
	snprintf(file, sizeof(file), "%s/pause", w.dir);
	w.opts.pause_file = file;
	world_start(&w);
	return world_until(&w, &w.readies, 1) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

static void put(mode_t mode)
{
	km_autoclose int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, mode);

	assert_true(fd >= 0);
}

static void while_it_is_there_only_notices_are_done(void **state)
{
	(void)state;
	put(0);
	assert_int_equal(world_do(&w, KM_START, "cmd"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EPERM);
	assert_string_equal(w.outcome.detail, "acts are paused");
	assert_int_equal(world_do(&w, KM_NOTIFY, "cmd"), KM_OUT_DONE);
}

/* There is no cgroup for it here: that it was tried is what counts. */
static void without_it_acts_are_tried(void **state)
{
	(void)state;
	assert_int_equal(world_do(&w, KM_START, "cmd"), KM_OUT_FAILED);
	put(0644);
	assert_int_equal(world_do(&w, KM_START, "cmd"), KM_OUT_REFUSED);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(world_do(&w, KM_START, "cmd"), KM_OUT_FAILED);
}

static void what_cannot_be_looked_for_counts_as_there(void **state)
{
	(void)state;
	world_end(&w);
	w.opts.pause_file = "/dev/null/pause";
	world_start(&w);
	assert_int_equal(world_do(&w, KM_START, "cmd"), KM_OUT_REFUSED);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(while_it_is_there_only_notices_are_done),
		TEST(without_it_acts_are_tried),
		TEST(what_cannot_be_looked_for_counts_as_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
