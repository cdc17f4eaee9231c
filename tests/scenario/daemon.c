/* SPDX-License-Identifier: Apache-2.0 */
/* The whole daemon, started, killed and starved in a world of its own (root). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/json.h"
#include "lib/spawn.h"

#define DIR_PATH "/run/t"

#define READY_MS 10000
#define END_MS   15000

static char control[] = DIR_PATH "/run/control.sock";

static const char config[] =
	"{\"version\":1,\"settings\":{\"sample_period\":\"250ms\"},\"services\":"
	"[{\"name\":\"keeper\",\"command\":[\"%s\",\"victim\"]}]}";
static const char policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"keeper\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},\"host\":{\"count\":100,\"per\":"
	"\"1m\"}}}";
static const char rule[] =
	"{\"version\":1,\"id\":\"keep\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"keeper\"]},"
	"\"when\":{\"event\":{\"is\":\"ended\",\"how\":\"any\"}},"
	"\"plan\":[{\"do\":\"start\",\"timeout\":\"5s\"}],"
	"\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true,\"up_for\":\"1s\"}},"
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"auto\"}}";

static char text[262144];

static void write_file(const char *path, const char *format, const char *arg)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, format, arg);
	assert_int_equal(fclose(f), 0);
}

static void make_files(void)
{
	mkdir(DIR_PATH, 0755);
	mkdir(DIR_PATH "/rules", 0755);
	mkdir(DIR_PATH "/rules/crash", 0755);
	mkdir(DIR_PATH "/rules/policy", 0755);
	write_file(DIR_PATH "/kmend.json", config, test_built("tests/lib/demo_service"));
	write_file(DIR_PATH "/rules/policy/guardrails.json", "%s", policy);
	write_file(DIR_PATH "/rules/crash/keep.json", "%s", rule);
}

/* Starts kmendd with EXTRA options (NULL-terminated) and waits until it says that it is ready;
 * false if it ended, or did not say so in time. */
static bool start(struct test_child *c, char *const *extra)
{
	char daemon_path[2 * PATH_MAX];
	char *argv[32] = { daemon_path,
		           "--foreground",
		           "--no-view",
		           "--config",
		           DIR_PATH "/kmend.json",
		           "--rules",
		           DIR_PATH "/rules",
		           "--state",
		           DIR_PATH "/state",
		           "--run",
		           DIR_PATH "/run" };
	static unsigned int starts; /* one that runs already goes on telling its own socket */
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char said[256];
	size_t n = 11;
	bool ready = false;

	snprintf(daemon_path, sizeof(daemon_path), "%s", test_built("kmendd"));
	while (extra && *extra)
		argv[n++] = *extra++;
	snprintf(a.sun_path, sizeof(a.sun_path), DIR_PATH "/notify-%u", starts++);
	p[0].fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p[0].fd, (struct sockaddr *)&a, sizeof(a)), 0);
	chmod(a.sun_path, 0666);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	assert_int_equal(test_spawn(argv, c), 0);
	unsetenv("NOTIFY_SOCKET");
	p[1].fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	while (!ready && poll(p, 2, READY_MS) > 0 && p[0].revents) {
		ssize_t k = recv(p[0].fd, said, sizeof(said) - 1, 0);

		said[k > 0 ? k : 0] = '\0';
		ready = strstr(said, "READY=1");
	}
	close(p[0].fd);
	close(p[1].fd);
	return ready;
}

/* Waits for the end of PID; false if it lives on for MS. */
static bool ended(pid_t pid, int ms)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool gone = p.fd < 0 || poll(&p, 1, ms) > 0;

	if (p.fd >= 0)
		close(p.fd);
	return gone;
}

/* Ends the daemon; what it said is in text. A service that outlives it holds the pipe open, so
 * only what is there is read. */
static int stop(struct test_child *c, int signo)
{
	ssize_t n;

	kill(c->pid, signo);
	if (!ended(c->pid, END_MS))
		return -1;
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	n = read(c->out, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (strstr(text, "Sanitizer"))
		print_message("%s\n", text);
	return test_wait(c);
}

/* Runs kmend with WORDS; its output is in text. */
#define KMEND(...)                                                                              \
	test_run((char *const[]){ kmend_path(), "--socket", control, __VA_ARGS__, NULL }, text, \
	         sizeof(text), READY_MS)

static char *kmend_path(void)
{
	static char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s", test_built("kmend"));
	return path;
}

/* First process whose name is NAME; 0: there is none. */
static pid_t find_process(const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (!found && (e = readdir(proc))) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f)) {
			comm[strcspn(comm, "\n")] = '\0';
			if (strcmp(comm, name) == 0)
				found = (pid_t)strtol(e->d_name, NULL, 10);
		}
		if (f)
			fclose(f);
	}
	closedir(proc);
	return found;
}

/* Until a process NAME other than NOT is there. */
static pid_t await_process(const char *name, pid_t not )
{
	long end = test_now_ms() + READY_MS;

	while (test_now_ms() < end) {
		pid_t pid = find_process(name);

		if (pid && pid != not )
			return pid;
		poll(NULL, 0, 5); /* a process can be awaited only by looking */
	}
	return 0;
}

/* How many names in PATH begin with PREFIX; a new bpffs has files of the kernel's own. */
static size_t entries(const char *path, const char *prefix)
{
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += strncmp(e->d_name, prefix, strlen(prefix)) == 0 && e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void end_keeper(void)
{
	pid_t pid = find_process("demo_service");

	if (pid) {
		kill(pid, SIGKILL);
		ended(pid, END_MS);
	}
}

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_end_leaves_nothing_behind),
		cmocka_unit_test(a_second_instance_refuses),
		cmocka_unit_test(a_killed_service_is_started_again_and_its_killer_named),
		cmocka_unit_test(the_engine_killed_the_service_lives_and_is_adopted),
		cmocka_unit_test(the_actor_killed_the_service_lives_and_is_adopted),
		cmocka_unit_test(the_front_killed_the_service_lives_and_is_adopted),
		cmocka_unit_test(what_hangs_does_not_outlive_the_actor),
		cmocka_unit_test(a_service_that_ended_while_the_daemon_was_away_is_started),
		cmocka_unit_test(a_bad_rule_is_named_with_file_and_line),
		cmocka_unit_test(a_bad_reload_keeps_the_old_set),
		cmocka_unit_test(a_read_only_state_directory_observes_only),
		cmocka_unit_test(a_full_state_directory_observes_only),
		cmocka_unit_test(without_bpf_a_killed_service_is_still_started_again),
		cmocka_unit_test(strangers_are_denied_and_it_is_recorded),
		cmocka_unit_test(an_unreachable_daemon_is_exit_3),
	};

	(void)argc;
	if (!getenv("KMEND_ENCLOSED")) {
		char enclose[2 * PATH_MAX];

		snprintf(enclose, sizeof(enclose), "%s", test_built("tests/lib/enclose"));
		setenv("KMEND_ENCLOSED", "1", 1);
		execl(enclose, enclose, "--net", "--", argv[0], NULL);
		perror(enclose);
		return 1;
	}
	make_files();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
