/* SPDX-License-Identifier: Apache-2.0 */
/* The whole daemon, started, killed and starved in a world of its own (root). */
#include "lib/daemon_world.h"

static void a_clean_end_leaves_nothing_behind(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;

	(void)state;
	assert_true(start(&c, extra));
	assert_true(await_process("demo_service", 0) > 0);
	assert_true(entries("/sys/fs/bpf", "kmend") > 0);
	assert_int_equal(stop(&c, SIGINT), 0);
	assert_int_equal(find_process("demo_service"), 0);
	assert_int_equal(find_process("kmendd-engine"), 0);
	assert_int_equal(find_process("kmendd-front"), 0);
	assert_int_equal(entries("/sys/fs/bpf", "kmend"), 0);
	assert_int_equal(entries(DIR_PATH "/run", ""), 0);
}

static void a_second_instance_refuses(void **state)
{
	struct test_child c, second;

	(void)state;
	assert_true(start(&c, NULL));
	assert_false(start(&second, NULL));
	assert_int_equal(stop(&second, SIGTERM), 1);
	assert_non_null(strstr(text, "another kmendd runs"));
	assert_int_equal(KMEND("status"), 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
	end_keeper();
}

static void a_killed_service_is_started_again_and_its_killer_named(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;
	pid_t before, after;

	(void)state;
	assert_true(start(&c, extra));
	before = await_process("demo_service", 0);
	assert_true(before > 0);
	assert_int_equal(kill(before, SIGKILL), 0);
	after = await_process("demo_service", before);
	assert_true(after > 0);
	assert_int_equal(KMEND("-j", "incident", "explain", "1"), 0);
	assert_int_equal(KMEND("-j", "action", "list"), 0);
	assert_non_null(strstr(text, "keeper"));
	assert_int_equal(stop(&c, SIGTERM), 0);
}

/* Kills the process NAME of a running daemon; all of it ends, the service lives, and is adopted. */
static void kill_and_adopt(const char *name)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;
	pid_t keeper, victim, engine, front;

	assert_true(start(&c, NULL));
	engine = find_process("kmendd-engine");
	front = find_process("kmendd-front");
	keeper = await_process("demo_service", 0);
	assert_true(keeper > 0);
	victim = find_process(name);
	assert_true(victim > 0);
	assert_int_equal(kill(victim, SIGKILL), 0);
	assert_true(ended(c.pid, 5000));
	assert_int_not_equal(stop(&c, SIGTERM), 0);
	assert_true(ended(engine, 5000));
	assert_true(ended(front, 5000));
	assert_int_equal(kill(keeper, 0), 0);

	assert_true(start(&c, extra));
	assert_int_equal(KMEND("-j", "service", "show", "keeper"), 0);
	assert_non_null(strstr(text, "\"up\""));
	assert_int_equal(find_process("demo_service"), keeper);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void the_engine_killed_the_service_lives_and_is_adopted(void **state)
{
	(void)state;
	kill_and_adopt("kmendd-engine");
}

static void the_actor_killed_the_service_lives_and_is_adopted(void **state)
{
	(void)state;
	kill_and_adopt("kmendd");
}

static void the_front_killed_the_service_lives_and_is_adopted(void **state)
{
	(void)state;
	kill_and_adopt("kmendd-front");
}

/* A closed socket says nothing to a process that hangs. */
static void what_hangs_does_not_outlive_the_actor(void **state)
{
	struct test_child c;
	pid_t engine, front;

	(void)state;
	assert_true(start(&c, NULL));
	engine = find_process("kmendd-engine");
	front = find_process("kmendd-front");
	assert_int_equal(kill(engine, SIGSTOP), 0);
	assert_int_equal(kill(front, SIGSTOP), 0);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	assert_true(ended(engine, 5000));
	assert_true(ended(front, 5000));
	stop(&c, SIGTERM);
	end_keeper();
}

static void a_service_that_ended_while_the_daemon_was_away_is_started(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;
	pid_t keeper;

	(void)state;
	assert_true(start(&c, NULL));
	keeper = await_process("demo_service", 0);
	kill(find_process("kmendd-engine"), SIGKILL);
	assert_true(ended(c.pid, 5000));
	stop(&c, SIGTERM);
	kill(keeper, SIGKILL);
	assert_true(ended(keeper, 5000));
	assert_true(start(&c, extra));
	assert_true(await_process("demo_service", keeper) > 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void a_bad_rule_is_named_with_file_and_line(void **state)
{
	struct test_child c;

	(void)state;
	write_file(DIR_PATH "/rules/crash/bad.json", "%s",
	           "{\n\"version\": 1,\n\"idd\": \"x\"\n}\n");
	assert_false(start(&c, NULL));
	assert_int_equal(stop(&c, SIGTERM), 1);
	unlink(DIR_PATH "/rules/crash/bad.json");
	assert_non_null(strstr(text, "crash/bad.json:3"));
}

static void a_bad_reload_keeps_the_old_set(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;

	(void)state;
	assert_true(start(&c, extra));
	write_file(DIR_PATH "/rules/crash/bad.json", "%s", "{}");
	kill(c.pid, SIGHUP);
	assert_int_equal(test_read(&c, "reload refused", text, sizeof(text), READY_MS), 0);
	unlink(DIR_PATH "/rules/crash/bad.json");
	assert_int_equal(KMEND("-j", "rule", "list"), 0);
	assert_non_null(strstr(text, "\"keep\""));
	assert_int_equal(stop(&c, SIGTERM), 0);
}

/* A state directory on a file system that cannot be written. */
static void a_read_only_state_directory_observes_only(void **state)
{
	struct test_child c;

	(void)state;
	mkdir(DIR_PATH "/ro", 0755);
	assert_int_equal(mount("none", DIR_PATH "/ro", "tmpfs", MS_RDONLY, "size=64k"), 0);
	assert_true(start(&c, (char *const[]){ "--state", DIR_PATH "/ro", NULL }));
	assert_int_equal(KMEND("status"), 0);
	assert_non_null(strstr(text, "observe only"));
	assert_int_equal(find_process("demo_service"), 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
	umount(DIR_PATH "/ro");
}

static void a_full_state_directory_observes_only(void **state)
{
	struct test_child c;

	(void)state;
	mkdir(DIR_PATH "/full", 0755);
	assert_int_equal(mount("none", DIR_PATH "/full", "tmpfs", 0, "size=16k"), 0);
	assert_true(start(&c, (char *const[]){ "--state", DIR_PATH "/full", NULL }));
	assert_int_equal(KMEND("status"), 0);
	assert_non_null(strstr(text, "observe only"));
	assert_int_equal(stop(&c, SIGTERM), 0);
	umount(DIR_PATH "/full");
}

static void without_bpf_a_killed_service_is_still_started_again(void **state)
{
	static char *const extra[] = { "--no-bpf", "--stop-services", NULL };
	struct test_child c;
	pid_t before;

	(void)state;
	assert_true(start(&c, extra));
	before = await_process("demo_service", 0);
	assert_true(before > 0);
	kill(before, SIGKILL);
	assert_true(await_process("demo_service", before) > 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void strangers_are_denied_and_it_is_recorded(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;
	char *const as_nobody[] = { "setpriv",        "--reuid=65534", "--regid=65534",
		                    "--clear-groups", kmend_path(),    "--socket",
		                    control,          "status",        NULL };

	(void)state;
	assert_true(start(&c, extra));
	assert_int_equal(test_run(as_nobody, text, sizeof(text), READY_MS), 1);
	assert_int_equal(KMEND("-j", "status"), 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void an_unreachable_daemon_is_exit_3(void **state)
{
	(void)state;
	assert_int_equal(KMEND("status"), 3);
}

#define SCENARIO(test) cmocka_unit_test_setup(test, forget_state)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SCENARIO(a_clean_end_leaves_nothing_behind),
		SCENARIO(a_second_instance_refuses),
		SCENARIO(a_killed_service_is_started_again_and_its_killer_named),
		SCENARIO(the_engine_killed_the_service_lives_and_is_adopted),
		SCENARIO(the_actor_killed_the_service_lives_and_is_adopted),
		SCENARIO(the_front_killed_the_service_lives_and_is_adopted),
		SCENARIO(what_hangs_does_not_outlive_the_actor),
		SCENARIO(a_service_that_ended_while_the_daemon_was_away_is_started),
		SCENARIO(a_bad_rule_is_named_with_file_and_line),
		SCENARIO(a_bad_reload_keeps_the_old_set),
		SCENARIO(a_read_only_state_directory_observes_only),
		SCENARIO(a_full_state_directory_observes_only),
		SCENARIO(without_bpf_a_killed_service_is_still_started_again),
		SCENARIO(strangers_are_denied_and_it_is_recorded),
		SCENARIO(an_unreachable_daemon_is_exit_3),
	};

	(void)argc;
	test_enclose(argv, "--net");
	make_files();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
