// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "collect/procfs.h"

#define TAIL \
	" S 17 42 42 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 3 0 12345 1000000 200 18446744073709"

static void a_plain_line_is_read(void **state)
{
	struct km_proc_stat s;

	(void)state;
	assert_int_equal(km_proc_stat_parse("42 (sleep)" TAIL, &s), 0);
	assert_int_equal(s.pid, 42);
	assert_int_equal(s.ppid, 17);
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.threads, 3);
	assert_int_equal(s.flags, 4194304);
	assert_true(s.start_ns == 12345ULL * KMEND_START_NS);
	assert_true(s.cpu_ns == 200ULL * KMEND_START_NS);
	assert_string_equal(s.comm, "sleep");
}

static void a_name_cannot_pass_for_fields(void **state)
{
	static const char *const names[] = { ") R 1 (", "a) Z 0 0",  "((((",       "))))",
		                             "",        "\n",        "x\nUid:\t0", "\xff\xfe",
		                             " ",       "42 (a) S 1" };
	char line[256];
	struct km_proc_stat s;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(names); i++) {
		snprintf(line, sizeof(line), "42 (%s)%s", names[i], TAIL);
		assert_int_equal(km_proc_stat_parse(line, &s), 0);
		assert_int_equal(s.ppid, 17);
		assert_int_equal(s.state, 'S');
		assert_string_equal(s.comm, names[i]);
	}
}

static void a_name_that_is_too_long_is_cut(void **state)
{
	struct km_proc_stat s;

	(void)state;
	assert_int_equal(km_proc_stat_parse("42 (abcdefghijklmnopqrstuvwxyz)" TAIL, &s), 0);
	assert_string_equal(s.comm, "abcdefghijklmno");
}

static void a_cut_line_is_refused(void **state)
{
	static const char whole[] = "42 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 22";
	char line[sizeof(whole)];
	struct km_proc_stat s;

	(void)state;
	assert_int_equal(km_proc_stat_parse(whole, &s), 0);
	for (size_t n = 0; n < sizeof(whole) - 3; n++) {
		memcpy(line, whole, n);
		line[n] = '\0';
		assert_int_equal(km_proc_stat_parse(line, &s), -EBADMSG);
	}
	assert_int_equal(km_proc_stat_parse("0 (x)" TAIL, &s), -EBADMSG);
	assert_int_equal(km_proc_stat_parse(")(", &s), -EBADMSG);
}

static void the_v2_line_of_a_cgroup_file_is_found(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(km_proc_cgroup_parse("8:pids:/a\n4:memory:/0::/b\n0::/c/d\n", path,
	                                      sizeof(path)),
	                 0);
	assert_string_equal(path, "/c/d");
	assert_int_equal(km_proc_cgroup_parse("0::/", path, sizeof(path)), 0);
	assert_string_equal(path, "/");
	assert_int_equal(km_proc_cgroup_parse("10::/x\n1:name=0::/y", path, sizeof(path)), -ENOENT);
	assert_int_equal(km_proc_cgroup_parse("", path, sizeof(path)), -ENOENT);
	assert_int_equal(km_proc_cgroup_parse("0::/long", path, 5), -ENAMETOOLONG);
	assert_int_equal(km_proc_cgroup_parse("0::/lon", path, 5), 0);
}

static void limits_are_read(void **state)
{
	uint64_t v = 1;

	(void)state;
	assert_int_equal(km_proc_limits_parse("Limit  Soft Hard Units\n"
	                                      "Max open files            1024  4096 files\n",
	                                      &v),
	                 0);
	assert_int_equal(v, 1024);
	assert_int_equal(km_proc_limits_parse("Max open files   unlimited unlimited files", &v), 0);
	assert_true(v == KM_UNKNOWN);
	v = 7;
	assert_int_equal(km_proc_limits_parse("Max open files   ", &v), -ENOENT);
	assert_int_equal(km_proc_limits_parse("x Max open files 3", &v), -ENOENT);
	assert_int_equal(v, 7);
}

static void a_key_counts_only_at_the_start_of_a_line(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(km_proc_key_parse("Name:\tUid:\t5\nUid:\t1000\t1\n", "Uid", &v), 0);
	assert_int_equal(v, 1000);
	v = 7;
	assert_int_equal(km_proc_key_parse("Uids:\t5\n", "Uid", &v), -ENOENT);
	assert_int_equal(km_proc_key_parse("Uid:\tx\n", "Uid", &v), -ENOENT);
	assert_int_equal(km_proc_key_parse("", "Uid", &v), -ENOENT);
	assert_int_equal(v, 7);
}

static void the_program_of_a_process_is_named_by_its_path(void **state)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY), p[2];
	char path[KMEND_PATH_LEN], c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		execlp("sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 0); /* closed by its execve() */
	km_procfs_exe(fd, (uint32_t)pid, path);
	assert_int_equal(kill(pid, SIGKILL), 0);
	waitpid(pid, NULL, 0);
	assert_true(path[0] == '/' && path[1]);
	assert_null(strstr(path, "collect/procfs"));
	close(p[0]);
	close(fd);
}

static void this_process_is_read(void **state)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);
	char path[KMEND_PATH_LEN];
	struct kmend_task t;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, ") R 1 (\n"), 0);
	assert_int_equal(km_procfs_task(fd, "", (uint32_t)getpid(), &t), 0);
	assert_string_equal(t.comm, ") R 1 (\n");
	assert_int_equal(t.ppid, getppid());
	assert_int_equal(t.uid, getuid());
	assert_int_equal(t.state, 'R');
	assert_true(t.start_ns % KMEND_START_NS == 0 && t.start_ns);
	assert_true(t.fds >= 4);
	assert_true(t.anon_bytes > 0);
	assert_int_equal(t.hdr.size, sizeof(t));
	assert_true((t.has & (KMEND_HAS_RSS | KMEND_HAS_FDS | KMEND_HAS_CPU | KMEND_HAS_THREADS |
	                      KMEND_HAS_LIMITS)) == (KMEND_HAS_RSS | KMEND_HAS_FDS | KMEND_HAS_CPU |
	                                             KMEND_HAS_THREADS | KMEND_HAS_LIMITS));
	km_procfs_exe(fd, 0x7ffffff0, path);
	assert_string_equal(path, "");
	assert_int_equal(km_procfs_task(fd, "", 0x7ffffff0, &t), -ESRCH);
	close(fd);
}

static int count_me(void *userdata, const struct kmend_task *t)
{
	*(int *)userdata += t->tgid == (uint32_t)getpid();
	return 0;
}

static int stop_at_once(void *userdata, const struct kmend_task *t)
{
	(void)userdata;
	(void)t;
	return -ECANCELED;
}

static void every_process_is_listed_once(void **state)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY), n = 0;

	(void)state;
	assert_int_equal(km_procfs_each(fd, "", count_me, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(km_procfs_each(fd, "", stop_at_once, NULL), -ECANCELED);
	assert_true(km_procfs_each(-1, "", count_me, &n) < 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_line_is_read),
		cmocka_unit_test(a_name_cannot_pass_for_fields),
		cmocka_unit_test(a_name_that_is_too_long_is_cut),
		cmocka_unit_test(a_cut_line_is_refused),
		cmocka_unit_test(the_v2_line_of_a_cgroup_file_is_found),
		cmocka_unit_test(limits_are_read),
		cmocka_unit_test(a_key_counts_only_at_the_start_of_a_line),
		cmocka_unit_test(the_program_of_a_process_is_named_by_its_path),
		cmocka_unit_test(this_process_is_read),
		cmocka_unit_test(every_process_is_listed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
