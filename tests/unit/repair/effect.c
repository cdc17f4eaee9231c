// SPDX-License-Identifier: Apache-2.0
/* Effects on directories that look like cgroups, and on processes of the test's own: read, set, set
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "repair/effect.h"
#include "repair/lent.h"

static char dir[64];
static struct km_target t;

static void put(const char *file, const char *text)
{
	km_autoclose int fd = openat(t.dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* A file of a cgroup is written as a whole; a plain file keeps what is behind. */
static const char *got(const char *file, size_t len)
{
	static char text[256];
	km_autoclose int fd = openat(t.dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[(size_t)n < len ? (size_t)n : len] = '\0';
	return text;
}

static int begin(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/kmend-effect.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	t = (struct km_target){ .pidfd = -1, .v2 = true };
	t.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t.dir < 0 ? -1 : 0;
}

static int end(void **state)
{
	static const char *const files[] = { "cpu.max",
		                             "memory.high",
		                             "memory.max",
		                             "pids.max",
		                             "io.max",
		                             "io.stat",
		                             "cgroup.freeze",
		                             "cpu.cfs_quota_us",
		                             "cpu.cfs_period_us",
		                             "memory.limit_in_bytes" };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(files); i++)
		unlinkat(t.dir, files[i], 0);
	km_target_close(&t);
	return rmdir(dir);
}

static void each_value_is_read_set_and_set_back(void **state)
{
	static const struct {
		enum km_verb verb;
		const char *object;
		uint64_t amount;
		bool v2;
		const char *file, *before, *set, *back;
	} cases[] = {
		{ KM_THROTTLE, "memory", 1 << 20, true, "memory.high", "max", "1048576", "max" },
		{ KM_THROTTLE, "memory", 1 << 20, true, "memory.high", "2097152", "1048576",
		  "2097152" },
		{ KM_RAISE_LIMIT, "memory", 3 << 20, true, "memory.max", "2097152", "3145728",
		  "2097152" },
		{ KM_RAISE_LIMIT, "memory", 3 << 20, false, "memory.limit_in_bytes", "2097152",
		  "3145728", "2097152" },
		{ KM_RAISE_LIMIT, "threads", 99, true, "pids.max", "20", "99", "20" },
		{ KM_FREEZE, "", 0, true, "cgroup.freeze", "0", "1", "0" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		const struct km_effect *e = km_effect(cases[i].verb, cases[i].object);
		struct km_verb_args args = { .amount = cases[i].amount };
		struct km_undo u;

		assert_non_null(e);
		t.v2 = cases[i].v2;
		put(cases[i].file, cases[i].before);
		assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), 0);
		assert_int_equal(km_effect_look(e, &t, &u), KM_EFFECT_IS_BACK);
		put(cases[i].file, "");
		assert_int_equal(e->write(&t, u.set), 0);
		assert_string_equal(got(cases[i].file, 64), cases[i].set);
		assert_int_equal(km_effect_look(e, &t, &u), KM_EFFECT_IS_SET);
		assert_int_equal(km_effect_undo(e, &t, &u), KM_EFFECT_IS_SET);
		assert_memory_equal(got(cases[i].file, 64), cases[i].back, strlen(cases[i].back));
	}
}

static void nothing_is_taken_from_who_has_less_or_given_to_who_has_more(void **state)
{
	struct km_verb_args little = { .amount = 1 << 20 }, much = { .amount = 4 << 20 };
	struct km_undo u;

	(void)state;
	put("memory.high", "1048576");
	put("memory.max", "4194304");
	assert_int_equal(km_effect_plan(km_effect(KM_THROTTLE, "memory"), &t, &little, NULL, &u),
	                 -ENOSPC);
	assert_int_equal(km_effect_plan(km_effect(KM_RAISE_LIMIT, "memory"), &t, &much, NULL, &u),
	                 -ENOSPC);
	put("memory.max", "max");
	assert_int_equal(km_effect_plan(km_effect(KM_RAISE_LIMIT, "memory"), &t, &much, NULL, &u),
	                 -ENOSPC);
	put("cgroup.freeze", "1");
	assert_int_equal(km_effect_plan(km_effect(KM_FREEZE, ""), &t, &(struct km_verb_args){ 0 },
	                                NULL, &u),
	                 -ENOSPC);
	/* A host without such a file. */
	assert_int_equal(km_effect_plan(km_effect(KM_RAISE_LIMIT, "threads"), &t, &much, NULL, &u),
	                 -EOPNOTSUPP);
}

static void a_cpu_quota_is_a_share_of_all_cpus_and_keeps_its_period(void **state)
{
	const struct km_effect *e = km_effect(KM_THROTTLE, "cpu");
	struct km_verb_args args = { .amount = 500000 };
	uint64_t quota = 25000 * (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	char want[64];
	struct km_undo u;

	(void)state;
	put("cpu.max", "max 50000\n");
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), 0);
	put("cpu.max", "");
	assert_int_equal(e->write(&t, u.set), 0);
	snprintf(want, sizeof(want), "%llu 50000", (unsigned long long)quota);
	assert_string_equal(got("cpu.max", 64), want);
	assert_int_equal(km_effect_undo(e, &t, &u), KM_EFFECT_IS_SET);
	assert_memory_equal(got("cpu.max", 64), "max 50000", 9);
	t.v2 = false;
	put("cpu.cfs_quota_us", "-1\n");
	put("cpu.cfs_period_us", "100000\n");
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), 0);
	assert_int_equal(u.was[0], KM_UNKNOWN);
	assert_int_equal(u.set[0], 2 * quota);
	put("cpu.max", "nonsense");
	t.v2 = true;
	assert_true(km_effect_plan(e, &t, &args, NULL, &u) < 0);
}

static void io_is_held_back_on_each_device_that_was_used(void **state)
{
	const struct km_effect *e = km_effect(KM_THROTTLE, "io");
	struct km_verb_args args = { .amount = 1 << 20 };
	struct km_undo u;

	(void)state;
	put("io.stat", "");
	put("io.max", "");
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), -ENODEV);
	put("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n");
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), 0);
	assert_int_equal(e->write(&t, u.set), 0);
	assert_string_equal(got("io.max", 64), "8:0 rbps=1048576 wbps=1048576");
	put("io.max", "8:0 rbps=1048576 wbps=1048576 riops=max wiops=max\n");
	assert_int_equal(km_effect_look(e, &t, &u), KM_EFFECT_IS_SET);
	/* What somebody else has limited is his. */
	put("io.max", "8:0 rbps=max wbps=5000 riops=max wiops=max\n");
	assert_int_equal(km_effect_undo(e, &t, &u), KM_EFFECT_IS_OTHER);
	assert_memory_equal(got("io.max", 64), "8:0 rbps=max wbps=5000", 22);
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), -ENOSPC);
	t.v2 = false;
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), -EOPNOTSUPP);
}

static void a_second_throttle_goes_back_to_what_was_before_the_first(void **state)
{
	const struct km_effect *e = km_effect(KM_THROTTLE, "memory");
	struct km_verb_args args = { .amount = 2 << 20, .duration_ns = KM_NS_PER_S };
	struct km_undo first, second;

	(void)state;
	put("memory.high", "max");
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &first), 0);
	put("memory.high", "2097152");
	/* As much, for longer. */
	assert_int_equal(km_effect_plan(e, &t, &args, &first, &second), 0);
	assert_int_equal(second.was[0], KM_UNKNOWN);
	/* Somebody else's value in between is what is gone back to. */
	put("memory.high", "9999999");
	assert_int_equal(km_effect_plan(e, &t, &args, &first, &second), 0);
	assert_int_equal(second.was[0], 9999999);
}

static pid_t begin_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	t.tgid = (uint32_t)pid;
	t.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (t.pidfd < 0 && errno == ENOSYS) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		print_message("no pidfd_open(2): an old kernel, or valgrind\n");
		skip();
	}
	assert_true(t.pidfd >= 0);
	return pid;
}

static void a_process_steps_back_and_nothing_is_done_to_one_that_is_gone(void **state)
{
	const struct km_effect *e = km_effect(KM_RENICE, "");
	struct km_verb_args args = { .amount = 5 };
	pid_t pid = begin_child();
	struct km_undo u;

	(void)state;
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), 0);
	assert_int_equal(e->write(&t, u.set), 0);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 5);
	assert_int_equal(km_effect_plan(e, &t, &args, NULL, &u), -ENOSPC);
	assert_int_equal(km_effect_signal(&t, SIGKILL), 0);
	waitpid(pid, NULL, 0);
	assert_int_equal(km_effect_look(e, &t, &u), -ESRCH);
	assert_int_equal(e->write(&t, u.was), -ESRCH);
	assert_int_equal(km_effect_signal(&t, SIGTERM), -ESRCH);
}

static void what_is_lent_has_room_for_so_many_and_those_without_time_give_way(void **state)
{
	static struct km_lents lents;
	struct km_lent l = { .effect = km_effect(KM_RENICE, "") };

	(void)state;
	for (unsigned int i = 0; i < KM_LENT_MAX; i++) {
		snprintf(l.service, sizeof(l.service), "s%u", i);
		l.id = i + 1;
		l.until_ns = i == 7 ? 0 : 1000 + i;
		assert_true(km_lents_put(&lents, &l));
	}
	assert_int_equal(km_lents_next_ns(&lents), 1000);
	/* The same again takes its own place. */
	l.id = 500;
	assert_true(km_lents_put(&lents, &l));
	assert_null(km_lents_by_id(&lents, KM_LENT_MAX));
	km_copy(l.service, sizeof(l.service), "new");
	l.id = 501;
	assert_true(km_lents_put(&lents, &l));
	assert_null(km_lents_by_id(&lents, 8));
	km_copy(l.service, sizeof(l.service), "newer");
	assert_false(km_lents_put(&lents, &l));
	assert_null(km_lents_due(&lents, 999));
	assert_int_equal(km_lents_due(&lents, 1000)->id, 1);
	km_lents_drop(&lents, 1);
	km_lents_drop(&lents, 1);
	assert_int_equal(lents.count, KM_LENT_MAX - 1);
	assert_non_null(km_lents_find(&lents, l.effect, "new"));
	assert_null(km_lents_find(&lents, km_effect(KM_FREEZE, ""), "new"));
}

static void every_use_that_can_be_taken_back_has_an_effect(void **state)
{
	(void)state;
	for (size_t i = 0; i < km_verb_use_count; i++) {
		const struct km_verb_use *u = &km_verb_uses[i];
		bool back = u->verb == KM_RAISE_LIMIT || u->verb == KM_THROTTLE ||
		            u->verb == KM_FREEZE || u->verb == KM_RENICE;

		assert_int_equal(back, !!km_effect(u->verb, u->object ? u->object : ""));
	}
	assert_null(km_effect(KM_STOP, ""));
	assert_ptr_equal(km_effect(KM_RAISE_LIMIT, ""), km_effect(KM_RAISE_LIMIT, "descriptors"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_value_is_read_set_and_set_back),
		TEST(nothing_is_taken_from_who_has_less_or_given_to_who_has_more),
		TEST(a_cpu_quota_is_a_share_of_all_cpus_and_keeps_its_period),
		TEST(io_is_held_back_on_each_device_that_was_used),
		TEST(a_second_throttle_goes_back_to_what_was_before_the_first),
		TEST(a_process_steps_back_and_nothing_is_done_to_one_that_is_gone),
		TEST(what_is_lent_has_room_for_so_many_and_those_without_time_give_way),
		TEST(every_use_that_can_be_taken_back_has_an_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
