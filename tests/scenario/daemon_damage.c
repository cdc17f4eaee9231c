/* SPDX-License-Identifier: Apache-2.0 */
/* An engine that hangs, and a state that was damaged or is another version's (root). */
#include "lib/daemon_world.h"

#define CHECKPOINT DIR_PATH "/state/engine/checkpoint."

#define LASTING    DIR_PATH "/state/engine/lasting"

/* The digit of the version, a byte of the boot's id, and one of the first row, behind the head. */
#define VERSION   7
#define BOOT_ID   16
#define FIRST_ROW 120

/* Silent for 15 s, looked for each 4 s. */
#define SILENCE_MS 25000

static void a_hanging_engine_ends_the_daemon_and_the_service_lives(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;
	pid_t keeper;

	(void)state;
	assert_true(start(&c, NULL));
	keeper = await_process("demo_service", 0);
	assert_true(keeper > 0);
	assert_int_equal(kill(find_process("kmendd-engine"), SIGSTOP), 0);
	assert_true(ended(c.pid, SILENCE_MS));
	assert_int_equal(stop(&c, SIGTERM), 1);
	assert_non_null(strstr(text, "the engine has been silent"));
	assert_int_equal(find_process("kmendd-engine"), 0);
	assert_int_equal(kill(keeper, 0), 0);

	assert_true(start(&c, extra));
	assert_int_equal(find_process("demo_service"), keeper);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

/* Writes BYTE at AT into both checkpoints; how many there are. */
static unsigned int change(off_t at, char byte)
{
	static const char *const paths[] = { CHECKPOINT "0", CHECKPOINT "1" };
	unsigned int n = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(paths); i++) {
		int fd = open(paths[i], O_RDWR | O_CLOEXEC);

		if (fd < 0)
			continue;
		n += pwrite(fd, &byte, 1, at) == 1;
		close(fd);
	}
	return n;
}

static void a_damaged_state_observes_only_and_is_set_aside(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;
	pid_t keeper;

	(void)state;
	assert_true(start(&c, NULL));
	keeper = await_process("demo_service", 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(change(FIRST_ROW, '!'), 2);

	assert_true(start(&c, NULL));
	assert_int_equal(KMEND("status"), 0);
	assert_non_null(strstr(text, "observe only"));
	assert_non_null(strstr(text, "set aside"));
	assert_int_equal(access(CHECKPOINT "0.bad", F_OK), 0);
	assert_int_equal(access(CHECKPOINT "1.bad", F_OK), 0);
	assert_int_equal(kill(keeper, SIGKILL), 0);
	assert_true(ended(keeper, END_MS));
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(find_process("demo_service"), 0);

	assert_true(start(&c, extra));
	assert_true(await_process("demo_service", 0) > 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

/* An interrupted write: the other slot serves. */
static void one_whole_checkpoint_is_enough(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;

	(void)state;
	assert_true(start(&c, NULL));
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(truncate(CHECKPOINT "0", FIRST_ROW), 0);
	assert_true(start(&c, extra));
	assert_int_equal(KMEND("status"), 0);
	assert_null(strstr(text, "observe only"));
	assert_int_equal(stop(&c, SIGTERM), 0);
}

static void a_state_of_an_earlier_version_is_begun_anew(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;

	(void)state;
	assert_true(start(&c, NULL));
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(change(VERSION, '1'), 2);
	assert_true(start(&c, extra));
	assert_int_equal(KMEND("status"), 0);
	assert_null(strstr(text, "observe only"));
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_non_null(strstr(text, "another version"));
}

/* The checkpoints are of another boot; no orderly end came before it. */
static void what_operators_said_outlives_a_reboot(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	struct test_child c;
	int fd;

	(void)state;
	assert_true(start(&c, NULL));
	assert_int_equal(KMEND("pause"), 0);
	for (int i = 0; access(LASTING, F_OK) < 0 && i < 100; i++)
		KMEND("status");
	assert_int_equal(kill(find_process("kmendd-engine"), SIGKILL), 0);
	assert_true(ended(c.pid, SILENCE_MS));
	stop(&c, SIGTERM);
	assert_true(change(BOOT_ID, '!') > 0);
	assert_true(start(&c, NULL));
	assert_int_equal(KMEND("status"), 0);
	assert_non_null(strstr(text, "paused"));
	assert_null(strstr(text, "observe only"));
	assert_int_equal(stop(&c, SIGTERM), 0);

	fd = open(LASTING, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "!", 1, FIRST_ROW), 1);
	close(fd);
	assert_true(change(BOOT_ID, '?') > 0);
	assert_true(start(&c, extra));
	assert_int_equal(KMEND("status"), 0);
	assert_non_null(strstr(text, "observe only"));
	assert_int_equal(access(LASTING ".bad", F_OK), 0);
	assert_int_equal(stop(&c, SIGTERM), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hanging_engine_ends_the_daemon_and_the_service_lives),
		cmocka_unit_test(a_damaged_state_observes_only_and_is_set_aside),
		cmocka_unit_test(one_whole_checkpoint_is_enough),
		cmocka_unit_test(a_state_of_an_earlier_version_is_begun_anew),
		cmocka_unit_test_setup(what_operators_said_outlives_a_reboot, forget_state),
	};

	(void)argc;
	test_enclose(argv, "--net");
	make_files();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
