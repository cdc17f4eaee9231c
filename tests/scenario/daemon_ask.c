/* SPDX-License-Identifier: Apache-2.0 */
/* What a running daemon tells: streams, evidence, its programs (root). */
#include "lib/daemon_world.h"

static char *const stop_services[] = { "--stop-services", NULL };

/* Starts kmend with WORDS; it goes on until it is told to end. */
#define KMEND_SPAWN(child, ...)                                                                  \
	test_spawn((char *const[]){ kmend_path(), "--socket", CONTROL_PATH, __VA_ARGS__, NULL }, \
	           child)

/* Kills the service and waits for the next one. */
static void kill_keeper(void)
{
	pid_t before = await_process("demo_service", 0);

	assert_true(before > 0);
	assert_int_equal(kill(before, SIGKILL), 0);
	assert_true(await_process("demo_service", before) > 0);
}

/* How large FILE is, once it is at least SIZE; 0: it never was. */
static size_t await_size(const char *file, size_t size)
{
	long end = test_now_ms() + READY_MS;
	struct stat st = { 0 };

	while (test_now_ms() < end) {
		if (stat(file, &st) == 0 && (size_t)st.st_size >= size)
			return (size_t)st.st_size;
		poll(NULL, 0, 20); /* whether somebody wrote can be awaited only by looking */
	}
	return 0;
}

static void a_recorded_trace_gives_the_same_decision_again(void **state)
{
	static const char file[] = DIR_PATH "/recorded.trace";
	struct test_child c, record;
	size_t begun;

	(void)state;
	assert_true(start(&c, stop_services));
	assert_int_equal(KMEND_SPAWN(&record, "trace", "record", (char *)file), 0);
	begun = await_size(file, 1); /* all that is known comes first */
	assert_true(begun > 0);
	kill_keeper();
	assert_true(await_size(file, begun + 1) > 0);
	assert_int_equal(KMEND("-j", "incident", "explain", "1", "--replay"), 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(test_read(&record, NULL, text, sizeof(text), READY_MS), 0);
	test_wait(&record);
	assert_int_equal(KMEND("trace", "info", (char *)file), 0);
	assert_int_equal(KMEND("-j", "replay", (char *)file), 0);
	assert_non_null(strstr(text, "\"keeper\""));
	assert_non_null(strstr(text, "\"keep\""));
}

/* For as long as asked. Packets are rare here: the budget is no matter. */
static void look_closely(void)
{
	struct test_child deep;

	assert_int_equal(KMEND_SPAWN(&deep, "signal", "watch", "keeper", "dns", "--for", "2s"), 0);
	assert_int_equal(test_read(&deep, "state=granted", text, sizeof(text), READY_MS), 0);
	assert_int_equal(KMEND("-j", "signal", "list"), 0);
	assert_non_null(strstr(text, "\"on_for\":\"keeper\""));
	assert_int_equal(test_read(&deep, NULL, text, sizeof(text), READY_MS), 0);
	assert_non_null(strstr(text, "state=ended"));
	assert_null(strstr(text, "type=level"));
	assert_int_equal(test_wait(&deep), 0);
	assert_int_equal(KMEND("-j", "signal", "list"), 0);
	assert_null(strstr(text, "\"on_for\":\"keeper\""));
	assert_int_equal(KMEND("-j", "audit", "list"), 0);
	assert_non_null(strstr(text, "looked closely at keeper"));
}

static void signals_of_one_service_are_told_as_they_come_and_closely_if_asked(void **state)
{
	struct test_child c, one, all;

	(void)state;
	assert_true(start(&c, stop_services));
	assert_true(await_process("demo_service", 0) > 0);
	assert_int_equal(KMEND_SPAWN(&one, "signal", "watch", "--service", "keeper"), 0);
	assert_int_equal(KMEND_SPAWN(&all, "signal", "watch"), 0);
	look_closely();
	assert_int_equal(test_read(&one, "type=level", text, sizeof(text), READY_MS), 0);
	assert_int_equal(test_read(&all, "comm=kmend ", text, sizeof(text), READY_MS), 0);
	kill_keeper();
	assert_int_equal(test_read(&one, "type=exit", text, sizeof(text), READY_MS), 0);
	assert_null(strstr(text, "comm=kmend "));
	assert_int_equal(kill(all.pid, SIGINT), 0);
	assert_int_equal(test_read(&all, NULL, text, sizeof(text), READY_MS), 0);
	assert_int_equal(test_wait(&all), 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(test_read(&one, NULL, text, sizeof(text), READY_MS), 0);
	assert_int_equal(test_wait(&one), 0);
}

static void a_service_that_is_not_there_is_not_watched(void **state)
{
	struct test_child c;

	(void)state;
	assert_true(start(&c, stop_services));
	assert_int_equal(KMEND("signal", "watch", "--service", "nobody"), 1);
	assert_int_equal(KMEND("incident", "explain", "77", "--replay"), 1);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void each_stream_over_the_limit_is_refused_and_a_closed_one_makes_room(void **state)
{
	struct test_child c, streams[16];

	(void)state;
	assert_true(start(&c, stop_services));
	for (size_t i = 0; i < 16; i++) {
		assert_int_equal(KMEND_SPAWN(&streams[i], "signal", "watch"), 0);
		assert_int_equal(test_read(&streams[i], "type=", text, sizeof(text), READY_MS), 0);
	}
	assert_int_equal(KMEND("signal", "watch"), 1);
	assert_non_null(strstr(text, "too many streams"));
	for (size_t i = 0; i < 16; i++) {
		kill(streams[i].pid, SIGKILL);
		test_wait(&streams[i]);
	}
	assert_int_equal(KMEND("status"), 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void programs_and_signals_are_listed_with_their_hooks(void **state)
{
	struct test_child c;

	(void)state;
	assert_true(start(&c, stop_services));
	assert_int_equal(KMEND("-j", "bpf", "list"), 0);
	assert_non_null(strstr(text, "sched_process_exit"));
	assert_int_equal(KMEND("-j", "signal", "list"), 0);
	assert_non_null(strstr(text, "\"available\":true"));
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void without_a_bpffs_of_the_host_one_is_mounted_and_goes(void **state)
{
	struct test_child c;
	pid_t keeper, engine;

	(void)state;
	assert_int_equal(umount2("/sys/fs/bpf", MNT_DETACH), 0);
	assert_true(start(&c, NULL));
	keeper = await_process("demo_service", 0);
	engine = find_process("kmendd-engine");
	assert_true(entries(DIR_PATH "/run/bpf", "") > 0);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	assert_true(ended(c.pid, END_MS));
	assert_true(ended(engine, END_MS)); /* until then nobody takes its pins over */
	stop(&c, SIGTERM);
	assert_true(entries(DIR_PATH "/run/bpf", "") > 0);

	assert_true(start(&c, stop_services)); /* takes over what the killed one had pinned */
	assert_int_equal(find_process("demo_service"), keeper);
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(entries(DIR_PATH "/run", ""), 0);
	assert_int_equal(mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=700"), 0);
}

/* Until what kmend answers to WORDS holds WANTED. */
#define AWAIT_SAID(wanted, ...)                                                 \
	do {                                                                    \
		long end_ms = test_now_ms() + READY_MS;                         \
		bool said = false;                                              \
		while (!said && test_now_ms() < end_ms)                         \
			said = KMEND(__VA_ARGS__) == 0 && strstr(text, wanted); \
		assert_true(said);                                              \
	} while (0)

static void while_the_file_that_pauses_is_there_nothing_is_started(void **state)
{
	static const char file[] = DIR_PATH "/run/pause";
	struct test_child c;
	pid_t before;

	(void)state;
	assert_true(start(&c, stop_services));
	before = await_process("demo_service", 0);
	write_file(file, "%s", "");
	AWAIT_SAID("\"paused\":true", "-j", "status");
	assert_int_equal(kill(before, SIGKILL), 0);
	AWAIT_SAID("kmend is paused", "-j", "incident", "explain", "1");
	assert_int_equal(KMEND("-j", "resume"), 0);
	assert_non_null(strstr(text, "\"paused\":true"));
	assert_int_equal(find_process("demo_service"), 0);
	assert_int_equal(unlink(file), 0);
	assert_true(await_process("demo_service", before) > 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_recorded_trace_gives_the_same_decision_again,
		                       forget_state),
		cmocka_unit_test_setup(
			signals_of_one_service_are_told_as_they_come_and_closely_if_asked,
			forget_state),
		cmocka_unit_test_setup(a_service_that_is_not_there_is_not_watched, forget_state),
		cmocka_unit_test_setup(
			each_stream_over_the_limit_is_refused_and_a_closed_one_makes_room,
			forget_state),
		cmocka_unit_test_setup(programs_and_signals_are_listed_with_their_hooks,
		                       forget_state),
		cmocka_unit_test_setup(while_the_file_that_pauses_is_there_nothing_is_started,
		                       forget_state),
		cmocka_unit_test_setup(without_a_bpffs_of_the_host_one_is_mounted_and_goes,
		                       forget_state),
	};

	(void)argc;
	test_enclose(argv, "--net");
	make_files();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
