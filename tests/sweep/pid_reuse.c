// SPDX-License-Identifier: Apache-2.0
/* A process number that is used again: the signal that was meant for the first process of a service
 * reaches none that came after it with the same number (root).
 *
 * KMEND_LONG=1: 10,000 times; else a few hundred. */
#include "lib/actor_world.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/identity.h"

#define TIMES_LONG  10000u
#define TIMES_SHORT 300u
/* Start times are told in ticks: two of one tick look the same, and are not to be told apart. */
#define TICK_MS 10

static const char policy[] =
	"{\"version\":1,\"verbs\":[\"signal\"],\"services\":[\"*\"],\"budget\":{\"service\":"
	"{\"count\":1000,\"per\":\"1s\"},\"host\":{\"count\":1000,\"per\":\"1s\"}}}";

static struct world w;

/* Waits for a signal and ends: 0 at SIGUSR1, else by what else kills it. */
static _Noreturn void victim(void)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigwait(&set, &signal);
	_exit(0);
}

/* A process of our own program with exactly the number TGID. */
static pid_t clone_as(pid_t tgid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&tgid,
		.set_tid_size = 1,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		victim();
	assert_int_equal(pid, tgid);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static enum km_outcome_state signal_it(uint32_t tgid, uint64_t start_ns)
{
	struct km_act_request q = world_request(&w, KM_SEND_SIGNAL, "exe");

	q.signal = SIGUSR1;
	q.tgid = tgid;
	q.start_ns = start_ns;
	return world_ask(&w, &q);
}

static void a_signal_reaches_the_process_that_it_is_for(void **state)
{
	pid_t pid = clone_as(30000);
	struct km_identity id;
	int status;

	(void)state;
	assert_int_equal(km_identity_read((uint32_t)pid, &id), 0);
	assert_int_equal(signal_it((uint32_t)pid, id.start_ns), KM_OUT_DONE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void no_signal_reaches_one_that_has_its_number_later(void **state)
{
	unsigned int times = getenv("KMEND_LONG") ? TIMES_LONG : TIMES_SHORT;

	(void)state;
	for (unsigned int i = 0; i < times; i++) {
		pid_t first = clone_as(30001);
		struct km_identity was, is;

		assert_int_equal(km_identity_read((uint32_t)first, &was), 0);
		end(first);
		poll(NULL, 0, TICK_MS); /* time itself is what is needed */
		first = clone_as(30001);
		assert_int_equal(km_identity_read((uint32_t)first, &is), 0);
		assert_true(is.start_ns > was.start_ns);
		assert_int_equal(signal_it((uint32_t)first, was.start_ns), KM_OUT_REFUSED);
		end(first);
	}
	print_message("%u numbers used again, no signal went astray\n", times);
}

static int begin(void **state)
{
	static char config[8192], exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	sigset_t set;

	(void)state;
	if (n < 0)
		return -1;
	/* Pending until the victim, who inherits that, waits for it. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	snprintf(config, sizeof(config),
	         "{\"version\":1,\"services\":[{\"name\":\"exe\",\"executable\":\"%s\"}]}", exe);
	world_new(&w, config, policy);
	world_start(&w);
	return world_until(&w, &w.readies, 1) ? 0 : -1;
}

static int done(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_reaches_the_process_that_it_is_for),
		cmocka_unit_test(no_signal_reaches_one_that_has_its_number_later),
	};

	(void)argc;
	test_enclose(argv, NULL);
	mkdir("/run/out.d", 0700);
	return cmocka_run_group_tests(tests, begin, done);
}
