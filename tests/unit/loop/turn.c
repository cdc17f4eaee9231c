// SPDX-License-Identifier: Apache-2.0
/* Short turns are the process's own: no larger share, and nothing for its children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loop/loop.h"

static uint64_t turn_ns(void)
{
	struct sched_attr a = { .size = sizeof(a) };

	assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0), 0);
	return a.sched_runtime; /* 0 before 6.12 */
}

static void turns_are_shorter_and_the_share_is_the_same(void **state)
{
	int nice = getpriority(PRIO_PROCESS, 0);
	uint64_t before = turn_ns();

	(void)state;
	assert_int_equal(km_loop_short_turns(), 0);
	assert_true(turn_ns() < before || before == 0);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), nice);
}

static void children_have_the_turns_of_everybody(void **state)
{
	uint64_t mine;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(km_loop_short_turns(), 0);
	mine = turn_ns();
	pid = fork();
	if (pid == 0)
		_exit(mine && turn_ns() <= mine);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_are_shorter_and_the_share_is_the_same),
		cmocka_unit_test(children_have_the_turns_of_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
