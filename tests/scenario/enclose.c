/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/enclose: the other scenarios stand on it, so it is tested itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/spawn.h"

#define RUN_MS 10000

static char text[16384];

#define ENCLOSE(...)                                                                          \
	test_run((char *const[]){ test_built("tests/lib/enclose"), __VA_ARGS__, NULL }, text, \
	         sizeof(text), RUN_MS)

static void the_exit_status_is_that_of_the_command(void **state)
{
	(void)state;
	assert_int_equal(ENCLOSE("--", "true"), 0);
	assert_int_equal(ENCLOSE("--", "sh", "-c", "exit 7"), 7);
	assert_int_equal(ENCLOSE("--", "sh", "-c", "kill -9 $$"), 128 + SIGKILL);
	assert_int_equal(ENCLOSE("--", "/nonexistent"), 127);
	assert_int_equal(ENCLOSE("--init", "--", "sh", "-c", "exit 9"), 9);
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	assert_int_equal(ENCLOSE("--nonsense", "--", "true"), 2);
	assert_int_equal(ENCLOSE("--net"), 2);
}

static void more_places_than_the_maximum_are_refused(void **state)
{
	char *argv[40] = { test_built("tests/lib/enclose") };
	size_t i, n = 1;

	(void)state;
	for (i = 0; i < 16; i++) {
		argv[n++] = "--tmpfs";
		argv[n++] = "/mnt";
	}
	argv[n] = "true";
	assert_int_equal(test_run(argv, text, sizeof(text), RUN_MS), 0);
	argv[n] = "--tmpfs";
	argv[n + 1] = "/mnt";
	argv[n + 2] = "true";
	assert_int_equal(test_run(argv, text, sizeof(text), RUN_MS), 2);
}

static void the_command_stands_in_the_root_of_every_hierarchy_that_it_sees(void **state)
{
	char *line, *next = text;

	(void)state;
	assert_int_equal(ENCLOSE("--", "cat", "/proc/self/cgroup"), 0);
	assert_true(*text);
	while ((line = strsep(&next, "\n")) && *line)
		assert_string_equal(strrchr(line, ':'), ":/");
	assert_int_equal(ENCLOSE("--", "grep", "-cE", " /\\.\\.[^ ]* [^ ]*cgroup",
	                         "/proc/self/mountinfo"),
	                 1);
	assert_string_equal(text, "0\n");
}

static void what_outlives_the_command_is_killed(void **state)
{
	(void)state;
	/* The reading ends when nobody holds the pipe: not before the thousand seconds are over,
	 * unless it was killed. */
	assert_int_equal(ENCLOSE("--", "sh", "-c", "setsid sleep 1000 & exit 3"), 3);
}

static void cgroups_made_inside_are_removed(void **state)
{
	(void)state;
	assert_int_equal(ENCLOSE("--", "sh", "-c",
	                         "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do"
	                         "  [ -e $d/cgroup.procs ] && mkdir -p $d/a/b $d/c;"
	                         "done; setsid sleep 1000 &"
	                         "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do"
	                         "  [ -e $d/a/b/cgroup.procs ] && [ ! -e $d/cpuset.cpus ] &&"
	                         "    echo $! >$d/a/b/cgroup.procs;"
	                         "done; exit 0"),
	                 0);
	/* Also says so on its standard error when one is left. */
	assert_string_equal(text, "");
}

static void kill_9_leaves_no_process_behind(void **state)
{
	char *const argv[] = { test_built("tests/lib/enclose"),
		               "--",
		               "sh",
		               "-c",
		               "echo here; setsid sleep 1000 & sleep 1000",
		               NULL };
	struct test_child c;
	char find[128];
	int left = 1;
	long end;

	(void)state;
	assert_int_equal(test_spawn(argv, &c), 0);
	assert_int_equal(test_read(&c, "here", text, sizeof(text), RUN_MS), 0);
	kill(c.pid, SIGKILL);
	assert_int_equal(test_read(&c, NULL, text, sizeof(text), RUN_MS), 0);
	assert_int_equal(test_wait(&c), 128 + SIGKILL);
	snprintf(find, sizeof(find), "find /sys/fs/cgroup -name 'enclose-%d-*'", c.pid);
	/* The next one removes its cgroups, or the one after that: what was killed may be slow to
	 * leave them. */
	for (end = test_now_ms() + RUN_MS; left && test_now_ms() < end; left = text[0] != '\0') {
		assert_int_equal(ENCLOSE("--", "true"), 0);
		assert_int_equal(test_run((char *const[]){ "sh", "-c", find, NULL }, text,
		                          sizeof(text), RUN_MS),
		                 0);
	}
	assert_string_equal(text, "");
}

static void a_signal_is_passed_on(void **state)
{
	char *const argv[] = { test_built("tests/lib/enclose"),
		               "--",
		               "sh",
		               "-c",
		               "trap 'exit 5' TERM; echo here; sleep 1000 & wait",
		               NULL };
	struct test_child c;

	(void)state;
	assert_int_equal(test_spawn(argv, &c), 0);
	assert_int_equal(test_read(&c, "here", text, sizeof(text), RUN_MS), 0);
	kill(c.pid, SIGTERM);
	assert_int_equal(test_wait(&c), 5);
}

static void the_network_is_its_own_and_lo_works(void **state)
{
	static char script[] = "ls /sys/class/net; grep -c : /proc/net/dev;"
			       "cat /sys/class/net/lo/flags";

	(void)state;
	assert_int_equal(ENCLOSE("--net", "--", "sh", "-c", script), 0);
	assert_string_equal(text, "lo\n1\n0x9\n");
}

static void run_is_empty_a_bpffs_is_there_and_tmpfs_hides_what_was_there(void **state)
{
	(void)state;
	assert_int_equal(ENCLOSE("--tmpfs", "/etc", "--", "sh", "-c",
	                         "ls -A /run /etc; stat -f -c %T /sys/fs/bpf"),
	                 0);
	assert_string_equal(text, "/etc:\n\n/run:\nbpf_fs\n");
}

static void changes_to_an_overlay_are_gone_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(ENCLOSE("--overlay", "/etc", "--", "sh", "-c",
	                         "echo x >/etc/kmend-enclose-test && ls /etc/passwd"),
	                 0);
	assert_string_equal(text, "/etc/passwd\n");
	assert_int_not_equal(access("/etc/kmend-enclose-test", F_OK), 0);
}

/* It happened: a manager that booted inside emptied the host's /tmp. */
static void what_a_manager_destroys_inside_is_still_there_outside(void **state)
{
	char canary[] = "/tmp/enclose-canary-XXXXXX", script[512];

	(void)state;
	assert_non_null(mkdtemp(canary));
	snprintf(script, sizeof(script),
	         "[ -d %s ] && rm -rf %s /dev/null && [ ! -d %s ] && rm /etc/passwd;"
	         "echo 1 >/proc/sys/kernel/ns_last_pid && echo sysctl;"
	         "echo h >/proc/sysrq-trigger && echo sysrq;"
	         "touch /sys/kernel/x && echo sys; findmnt -n -o TARGET -t ext4,xfs,btrfs; ls "
	         "/etc/passwd",
	         canary, canary, canary);
	assert_int_equal(ENCLOSE("--init", "--", "sh", "-c", script), 2);
	assert_null(strstr(text, "\nsys"));
	assert_null(strstr(text, "\n/"));
	assert_non_null(strstr(text, "'/etc/passwd'"));
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_int_equal(access("/dev/null", W_OK), 0);
	assert_int_equal(rmdir(canary), 0);
}

static void only_the_shared_directory_is_the_hosts_with_init(void **state)
{
	char dir[] = "/tmp/enclose-share-XXXXXX", script[256], file[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(script, sizeof(script), "echo said >%s/file; echo x >%s.other", dir, dir);
	assert_int_equal(ENCLOSE("--init", "--share", dir, "--", "sh", "-c", script), 0);
	snprintf(file, sizeof(file), "%s.other", dir);
	assert_int_not_equal(access(file, F_OK), 0);
	snprintf(file, sizeof(file), "%s/file", dir);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exit_status_is_that_of_the_command),
		cmocka_unit_test(wrong_usage_is_refused),
		cmocka_unit_test(more_places_than_the_maximum_are_refused),
		cmocka_unit_test(the_command_stands_in_the_root_of_every_hierarchy_that_it_sees),
		cmocka_unit_test(what_outlives_the_command_is_killed),
		cmocka_unit_test(cgroups_made_inside_are_removed),
		cmocka_unit_test(kill_9_leaves_no_process_behind),
		cmocka_unit_test(a_signal_is_passed_on),
		cmocka_unit_test(the_network_is_its_own_and_lo_works),
		cmocka_unit_test(run_is_empty_a_bpffs_is_there_and_tmpfs_hides_what_was_there),
		cmocka_unit_test(what_a_manager_destroys_inside_is_still_there_outside),
		cmocka_unit_test(only_the_shared_directory_is_the_hosts_with_init),
		cmocka_unit_test(changes_to_an_overlay_are_gone_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
