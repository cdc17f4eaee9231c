// SPDX-License-Identifier: Apache-2.0
/* Supervised commands under a real actor: own cgroup, start, stop, restart, adoption (root). */
#include "lib/actor_world.h"
#include "base/identity.h"

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define V2     "/sys/fs/cgroup/unified/kmend"
#define MEMORY "/sys/fs/cgroup/memory/kmend"
#define PIDS   "/sys/fs/cgroup/pids/kmend"
#define OUT    "/run/out"

static const char policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\",\"signal\",\"raise_limit\","
	"\"notify\"],\"services\":[\"*\"],\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":100,\"per\":\"1m\"}}}";

static struct world w;

/* In place of libc's: the disk is slow and then fails, where a test says so. */
static bool disk_fails;
static unsigned int lines_while_slow;

int fdatasync(int fd)
{
	if (!disk_fails)
		return (int)syscall(SYS_fdatasync, fd);
	disk_fails = false;
	poll(NULL, 0, 50); /* a child that did not wait would have run by now */
	lines_while_slow = world_lines(OUT);
	errno = EIO;
	return -1;
}

/* One service "s" in MODE, with EXTRA members of its definition. */
static void begin(const char *mode, const char *extra)
{
	static char config[16384];

	unlink(OUT);
	snprintf(config, sizeof(config),
	         "{\"version\":1,\"services\":[{\"name\":\"s\",\"command\":[\"%s\",\"" OUT "\",%s]"
	         ",\"stop_timeout\":\"200ms\"%s}]}",
	         test_built("tests/lib/child_service"), mode, extra);
	world_new(&w, config, policy);
	w.opts.cgroup_root = V2;
	w.opts.memory_root = access("/sys/fs/cgroup/memory", F_OK) == 0 ? MEMORY : NULL;
	w.opts.pids_root = access("/sys/fs/cgroup/pids", F_OK) == 0 ? PIDS : NULL;
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
}

static void end(void)
{
	if (w.actor)
		assert_int_equal(km_actor_stop_all(w.actor), 0);
	world_free(&w);
	assert_int_equal(rmdir(V2 "/s"), 0);
}

static void start(void)
{
	unsigned int lines = world_lines(OUT);

	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	world_wait_lines(OUT, lines + 1);
}

static bool alive(uint32_t pid)
{
	return kill((pid_t)pid, 0) == 0;
}

static bool in_file(const char *path, const char *text)
{
	static char all[65536];
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(all, 1, sizeof(all) - 1, f);
	fclose(f);
	all[n] = '\0';
	return strstr(all, text);
}

static void a_start_runs_the_command_in_its_own_cgroup(void **state)
{
	char path[64];

	(void)state;
	begin("\"wait\"", "");
	assert_int_equal(w.outcome.state, KM_OUT_ABSENT);
	start();
	assert_true(alive(w.outcome.tgid));
	assert_true(w.outcome.start_ns > 0 && w.outcome.hdr.cgroup_id > 0);
	snprintf(path, sizeof(path), "/proc/%u/cgroup", w.outcome.tgid);
	assert_true(in_file(path, "0::/kmend/s\n"));
	if (w.opts.memory_root)
		assert_true(in_file(path, "memory:/kmend/s\n"));
	if (w.opts.pids_root)
		assert_true(in_file(path, "pids:/kmend/s\n"));
	end();
	assert_false(alive(w.outcome.tgid));
}

static void a_command_gets_nothing_of_the_actor(void **state)
{
	struct passwd *nobody = getpwnam("nobody");
	char text[64];

	(void)state;
	assert_non_null(nobody);
	signal(SIGPIPE, SIG_IGN);
	close(open(OUT, O_WRONLY | O_CREAT, 0666));
	begin("\"tell\"", ",\"user\":\"nobody\",\"directory\":\"/usr\",\"limits\":{\"nofile\":77}");
	close(open(OUT, O_WRONLY | O_CREAT, 0666));
	chmod(OUT, 0666);
	assert_int_equal(fcntl(w.dir_fd, F_SETFD, 0), 0); /* one that is not close-on-exec */
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	for (int i = 0; i < 500 && !in_file(OUT, "end\n"); i++)
		poll(NULL, 0, 10);
	snprintf(text, sizeof(text), "uid %u gid %u groups 1\n", nobody->pw_uid, nobody->pw_gid);
	assert_true(in_file(OUT, text));
	assert_true(in_file(OUT, "files 77 77\n"));
	assert_true(in_file(OUT, "session 1 umask 022 cwd /usr\n"));
	assert_true(in_file(OUT, "fd 0 /dev/null\n"));
	assert_false(in_file(OUT, "fd 3"));
	assert_false(in_file(OUT, w.dir));
	assert_false(in_file(OUT, "blocked"));
	/* Ignored here, and inherited over an execve(); others a sanitizer handles. */
	assert_false(in_file(OUT, "handled 13\n"));
	assert_false(in_file(OUT, "handled 15\n"));
	assert_true(in_file(OUT, "env KMEND_SERVICE=s\n"));
	assert_true(in_file(OUT, "env PATH="));
	assert_false(in_file(OUT, "env HOME"));
	end();
}

static void limits_stand_before_the_command_runs(void **state)
{
	(void)state;
	begin("\"wait\"", ",\"limits\":{\"memory\":\"64MiB\",\"pids\":20}");
	if (w.opts.memory_root)
		assert_true(in_file(MEMORY "/s/memory.limit_in_bytes", "67108864\n"));
	if (w.opts.pids_root)
		assert_true(in_file(PIDS "/s/pids.max", "20\n"));
	start();
	end();
}

static void a_start_that_cannot_succeed_says_which_step_failed(void **state)
{
	(void)state;
	begin("\"wait\"", ",\"directory\":\"/nonexistent\"");
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ENOENT);
	assert_non_null(strstr(w.outcome.detail, "working directory"));
	assert_int_equal(w.outcome.tgid, 0);
	assert_int_equal(w.children, 0);
	end();
	begin("\"wait\"", ",\"user\":\"no-such-user\"");
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ENOENT);
	world_free(&w);
}

static void a_program_that_is_missing_is_a_failed_start(void **state)
{
	(void)state;
	world_new(&w,
	          "{\"version\":1,\"services\":[{\"name\":\"s\",\"command\":[\"/no/program\"]}]}",
	          policy);
	w.opts.cgroup_root = V2;
	world_start(&w);
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ENOENT);
	assert_non_null(strstr(w.outcome.detail, "execve"));
	end();
}

static void a_running_command_is_not_started_twice(void **state)
{
	uint32_t tgid;

	(void)state;
	begin("\"wait\"", "");
	start();
	tgid = w.outcome.tgid;
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	assert_int_equal(w.outcome.tgid, tgid);
	assert_int_equal(world_lines(OUT), 1);
	end();
}

static void an_end_is_told_with_its_wait_status(void **state)
{
	(void)state;
	begin("\"wait\"", "");
	start();
	kill((pid_t)w.outcome.tgid, SIGKILL);
	assert_true(world_until(&w, &w.children, 1));
	assert_int_equal(w.child.wait_status, SIGKILL);
	assert_int_equal(w.child.tgid, w.outcome.tgid);
	assert_int_equal(w.child.start_ns, w.outcome.start_ns);
	assert_int_equal(w.child.source, KM_FROM_EXIT_WATCH);
	end();
	begin("\"exit\",\"5\"", "");
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	assert_true(world_until(&w, &w.children, 1));
	assert_int_equal(w.child.wait_status, 5 << 8);
	end();
}

static void a_stop_ends_the_whole_family(void **state)
{
	(void)state;
	begin("\"family\"", "");
	start();
	assert_int_equal(world_do(&w, KM_STOP, "s"), KM_OUT_DONE);
	assert_true(in_file(V2 "/s/cgroup.events", "populated 0"));
	assert_int_equal(w.outcome.tgid, 0);
	assert_int_equal(world_do(&w, KM_STOP, "s"), KM_OUT_DONE);
	end();
}

static void one_that_ignores_sigterm_is_killed_when_patience_ends(void **state)
{
	long begun;

	(void)state;
	begin("\"stubborn\"", "");
	start();
	poll(NULL, 0, 20);
	begun = test_now_ms();
	assert_int_equal(world_do(&w, KM_RESTART, "s"), KM_OUT_DONE);
	assert_in_range(test_now_ms() - begun, 200, 2000);
	assert_int_equal(w.child.wait_status, SIGKILL);
	world_wait_lines(OUT, 2);
	end();
}

/* Since 6.14 the kernel kills whoever is cloned into such a cgroup at birth. */
static void a_cgroup_that_was_killed_by_an_outsider_can_be_started_in(void **state)
{
	int fd;

	(void)state;
	begin("\"wait\"", "");
	fd = open(V2 "/s/cgroup.kill", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) { /* 5.14 */
		assert_int_equal(write(fd, "1", 1), 1);
		close(fd);
	}
	start();
	assert_int_equal(world_do(&w, KM_RESTART, "s"), KM_OUT_DONE);
	world_wait_lines(OUT, 2);
	end();
}

static void a_stopped_process_can_be_stopped(void **state)
{
	(void)state;
	begin("\"wait\"", "");
	start();
	kill((pid_t)w.outcome.tgid, SIGSTOP);
	assert_int_equal(world_do(&w, KM_STOP, "s"), KM_OUT_DONE);
	assert_int_equal(w.child.wait_status, SIGTERM);
	end();
}

static void a_restart_is_of_the_process_that_was_looked_at(void **state)
{
	struct km_act_request q;
	uint64_t start_ns;
	uint32_t tgid;

	(void)state;
	begin("\"wait\"", "");
	start();
	tgid = w.outcome.tgid;
	start_ns = w.outcome.start_ns;
	q = world_request(&w, KM_RESTART, "s");
	q.tgid = tgid;
	q.start_ns = start_ns + KM_NS_PER_S;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ESRCH);
	q = world_request(&w, KM_RESTART, "s");
	q.tgid = tgid;
	q.start_ns = start_ns;
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_int_not_equal(w.outcome.tgid, tgid);
	assert_false(alive(tgid));
	end();
}

static void a_start_waits_for_one_that_is_still_exiting(void **state)
{
	struct km_act_request q;
	char path[64];

	(void)state;
	begin("\"family\"", "");
	start();
	/* As the engine does: it saw the exit in the kernel before the pidfd fires. */
	kill((pid_t)w.outcome.tgid, SIGKILL);
	snprintf(path, sizeof(path), "/proc/%u/stat", w.outcome.tgid);
	while (!in_file(path, ") Z "))
		;
	q = world_request(&w, KM_START, "s");
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "started");
	world_wait_lines(OUT, 2);
	end();
}

static void await_dying(uint32_t tgid)
{
	struct km_identity id = { .dying = false };

	while (!id.dying)
		assert_int_equal(km_identity_read(tgid, &id), 0);
}

static void a_successor_gets_ready_while_the_one_before_is_exiting(void **state)
{
	struct km_act_request q;
	uint32_t tgid;

	(void)state;
	begin("\"wait\"", "");
	start();
	tgid = w.outcome.tgid;
	kill((pid_t)tgid, SIGKILL);
	await_dying(tgid);
	q = world_request(&w, KM_START, "s");
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "started");
	assert_int_not_equal(w.outcome.tgid, tgid);
	/* The end of the one before was told, once, and before the start. */
	assert_int_equal(w.children, 1);
	assert_int_equal(w.child.tgid, tgid);
	assert_int_equal(w.child.wait_status, SIGKILL);
	world_wait_lines(OUT, 2);
	end();
}

static void a_start_does_not_run_beside_threads_that_stay(void **state)
{
	struct km_act_request q;
	uint32_t tgid;

	(void)state;
	begin("\"linger\"", "");
	start();
	tgid = w.outcome.tgid;
	await_dying(tgid);
	q = world_request(&w, KM_START, "s");
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "started");
	assert_int_equal(w.child.tgid, tgid);
	assert_false(alive(tgid));
	world_wait_lines(OUT, 2);
	end();
}

static void nothing_runs_before_its_intent_is_on_the_disk(void **state)
{
	(void)state;
	begin("\"wait\"", "");
	disk_fails = true;
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EIO);
	assert_false(disk_fails);
	assert_int_equal(lines_while_slow, 0);
	assert_int_equal(world_lines(OUT), 0);
	assert_true(in_file(V2 "/s/cgroup.events", "populated 0"));
	start(); /* into a new segment of the journal */
	end();
}

static void an_act_that_outlasts_its_deadline_has_failed(void **state)
{
	struct km_act_request q;
	long begun = test_now_ms();

	(void)state;
	begin("\"stubborn\"", "");
	start();
	poll(NULL, 0, 20);
	q = world_request(&w, KM_STOP, "s");
	q.timeout_ns = 50 * KM_NS_PER_MS;
	assert_int_equal(world_ask(&w, &q), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ETIMEDOUT);
	assert_in_range(test_now_ms() - begun, 50, 2000);
	end();
}

static void a_service_has_one_act_at_a_time(void **state)
{
	struct km_act_request first, second;

	(void)state;
	begin("\"stubborn\"", "");
	start();
	first = world_request(&w, KM_STOP, "s");
	second = world_request(&w, KM_STOP, "s");
	world_send(&w, &first);
	assert_int_equal(world_ask(&w, &second), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EBUSY);
	assert_true(world_until(&w, &w.outcomes, w.outcomes + 1));
	assert_int_equal(w.outcome.state, KM_OUT_DONE);
	end();
}

static void signals_and_limits_reach_only_processes_of_the_service(void **state)
{
	struct km_act_request q;

	(void)state;
	begin("\"wait\"", ",\"limits\":{\"nofile\":64}");
	start();
	q = world_request(&w, KM_SEND_SIGNAL, "s");
	q.tgid = (uint32_t)getpid();
	q.signal = SIGKILL;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	q = world_request(&w, KM_SEND_SIGNAL, "s");
	q.tgid = 1;
	q.signal = SIGTERM;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	/* The hard limit is 64 as well: there is nothing to give. */
	q = world_request(&w, KM_RAISE_LIMIT, "s");
	q.args.amount = 128;
	assert_int_equal(world_ask(&w, &q), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ENOSPC);
	q = world_request(&w, KM_SEND_SIGNAL, "s"); /* its main process */
	q.signal = SIGTERM;
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_true(world_until(&w, &w.children, 1));
	assert_int_equal(w.child.wait_status, SIGTERM);
	end();
}

/* An actor in a process of its own, so that what it starts is not ours; SIGKILL ends it. */
static pid_t fork_actor(void)
{
	pid_t pid;

	world_sockets(&w);
	pid = fork();
	if (pid != 0) {
		km_close(&w.actors);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	km_close(&w.engine);
	if (km_loop_new(&w.opts.loop) < 0 || km_actor_new(&w.opts, &w.actor) < 0)
		_exit(1);
	_exit(km_loop_run(w.opts.loop) == -EPIPE ? 0 : 1);
}

static void kill_actor(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	km_close(&w.engine);
}

static void a_running_command_survives_the_actor_and_is_adopted(void **state)
{
	uint32_t tgid;
	pid_t pid;

	(void)state;
	begin("\"wait\"", "");
	world_end(&w);
	pid = fork_actor();
	start();
	tgid = w.outcome.tgid;
	kill_actor(pid);
	assert_true(alive(tgid));
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
	assert_int_equal(w.outcome.state, KM_OUT_ADOPTED);
	assert_int_equal(w.outcome.tgid, tgid);
	assert_string_equal(w.outcome.detail, "found running");
	kill((pid_t)tgid, SIGKILL);
	assert_true(world_until(&w, &w.children, 1));
	assert_int_equal(w.child.tgid, tgid);
	assert_int_equal(w.child.wait_status, -1);
	start();
	end();
}

static void a_family_without_its_head_is_adopted_by_its_oldest(void **state)
{
	uint32_t tgid;
	pid_t pid;

	(void)state;
	begin("\"family\"", "");
	world_end(&w);
	pid = fork_actor();
	start();
	tgid = w.outcome.tgid;
	poll(NULL, 0, 50);
	kill_actor(pid);
	kill((pid_t)tgid, SIGKILL);
	while (alive(tgid))
		waitpid((pid_t)tgid, NULL, WNOHANG);
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
	assert_int_equal(w.outcome.state, KM_OUT_ADOPTED);
	assert_int_not_equal(w.outcome.tgid, tgid);
	assert_non_null(strstr(w.outcome.detail, "oldest"));
	assert_int_equal(world_do(&w, KM_RESTART, "s"), KM_OUT_DONE);
	world_wait_lines(OUT, 2);
	end();
}

static void the_first_start_of_a_boot_is_no_repair(void **state)
{
	(void)state;
	begin("\"wait\"", "");
	w.policy->per_service.count = 0;
	start();
	assert_int_equal(world_do(&w, KM_RESTART, "s"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EDQUOT);
	world_end(&w);
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_REFUSED);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_runs_the_command_in_its_own_cgroup),
		cmocka_unit_test(a_command_gets_nothing_of_the_actor),
		cmocka_unit_test(limits_stand_before_the_command_runs),
		cmocka_unit_test(a_start_that_cannot_succeed_says_which_step_failed),
		cmocka_unit_test(a_program_that_is_missing_is_a_failed_start),
		cmocka_unit_test(a_running_command_is_not_started_twice),
		cmocka_unit_test(an_end_is_told_with_its_wait_status),
		cmocka_unit_test(a_stop_ends_the_whole_family),
		cmocka_unit_test(one_that_ignores_sigterm_is_killed_when_patience_ends),
		cmocka_unit_test(a_cgroup_that_was_killed_by_an_outsider_can_be_started_in),
		cmocka_unit_test(a_stopped_process_can_be_stopped),
		cmocka_unit_test(a_restart_is_of_the_process_that_was_looked_at),
		cmocka_unit_test(a_start_waits_for_one_that_is_still_exiting),
		cmocka_unit_test(a_successor_gets_ready_while_the_one_before_is_exiting),
		cmocka_unit_test(a_start_does_not_run_beside_threads_that_stay),
		cmocka_unit_test(nothing_runs_before_its_intent_is_on_the_disk),
		cmocka_unit_test(an_act_that_outlasts_its_deadline_has_failed),
		cmocka_unit_test(a_service_has_one_act_at_a_time),
		cmocka_unit_test(signals_and_limits_reach_only_processes_of_the_service),
		cmocka_unit_test(a_running_command_survives_the_actor_and_is_adopted),
		cmocka_unit_test(a_family_without_its_head_is_adopted_by_its_oldest),
		cmocka_unit_test(the_first_start_of_a_boot_is_no_repair),
	};

	(void)argc;
	test_enclose(argv, NULL);
	mkdir(V2, 0755);
	mkdir(MEMORY, 0755);
	mkdir(PIDS, 0755);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
