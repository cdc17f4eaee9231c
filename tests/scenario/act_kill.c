// SPDX-License-Identifier: Apache-2.0
/* kill -9 of the actor before and after every system call of an act's life, and again while it
 * recovers: no intent is lost, none acts twice, what is said of it is true (root).
 *
 * The command appends a line to a file each time that its main() begins: the lines are the acts.
 * KMEND_LONG=1: every pair of a first and a second kill; else a sample of the pairs. */
#include "lib/actor_world.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#define ROOT  "/sys/fs/cgroup/unified/kmend"
#define CPU   "/sys/fs/cgroup/cpu/kmend"
#define OUT   "/run/out"
#define NEVER 1000000u

static const char policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\",\"signal\",\"raise_limit\","
	"\"notify\",\"throttle\",\"release\",\"freeze\",\"thaw\",\"renice\"],\"services\":[\"*\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":100,\"per\":\"1m\"}}}";

static struct world w;
static int sigchld_fd;
static unsigned int points, unknown;

/* One verb under the sweep: what is done before it, what it is given, and what the host then says:
 * the value that it sets, as it was and as it is wanted. */
struct swept {
	enum km_verb verb, first;
	struct km_verb_args args, first_args;
	int (*look)(uint32_t tgid);
	int before, after;
};

static int niceness(uint32_t tgid)
{
	return getpriority(PRIO_PROCESS, tgid);
}

static int number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	char text[32] = "-1";

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return (int)strtol(text, NULL, 10);
}

static int frozen(uint32_t tgid)
{
	(void)tgid;
	return number_in(ROOT "/s/cgroup.freeze");
}

static int quota(uint32_t tgid)
{
	(void)tgid;
	return number_in(CPU "/s/cpu.cfs_quota_us");
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (f)
		fputs(text, f);
	if (f)
		fclose(f);
}

/* What a point leaves behind is the next one's no more. */
static void reset(void)
{
	put(ROOT "/s/cgroup.freeze", "0");
	put(CPU "/s/cpu.cfs_quota_us", "-1");
}

static void begin(void)
{
	reset();
	static char config[16384];

	unlink(OUT);
	snprintf(config, sizeof(config),
	         "{\"version\":1,\"services\":[{\"name\":\"s\",\"command\":[\"%s\",\"" OUT
	         "\",\"wait\"],\"stop_timeout\":\"500ms\"}]}",
	         test_built("tests/lib/child_service"));
	world_new(&w, config, policy);
	w.opts.cgroup_root = ROOT;
	w.opts.cpu_root = CPU;
}

static pid_t fork_actor(bool traced)
{
	pid_t pid;

	world_sockets(&w);
	pid = fork();
	if (pid != 0) {
		km_close(&w.actors);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (traced && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0))
		_exit(2);
	km_close(&w.engine);
	if (km_loop_new(&w.opts.loop) < 0 || km_actor_new(&w.opts, &w.actor) < 0)
		_exit(1);
	_exit(km_loop_run(w.opts.loop) == -EPIPE ? 0 : 1);
}

static void bury(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) != pid || kill(pid, 0) == 0)
		;
}

/* Lets PID run to the N-th stop at a system call (entries and exits count), then kills it; earlier
 * if *COUNTER reaches WANTED. True if it was killed at the stop. */
static bool run_to(pid_t pid, unsigned int n, const unsigned int *counter, unsigned int wanted)
{
	struct pollfd p[] = { { .fd = sigchld_fd, .events = POLLIN },
		              { .fd = w.engine, .events = POLLIN } };
	struct signalfd_siginfo info;
	unsigned int stops = 0;
	int status;

	while (*counter < wanted) {
		while (waitpid(pid, &status, __WALL | WNOHANG) == pid) {
			bool syscall_stop =
				WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
			bool event = WIFSTOPPED(status) && status >> 16;

			assert_true(WIFSTOPPED(status));
			if (syscall_stop && ++stops == n) {
				bury(pid);
				return true;
			}
			ptrace(PTRACE_SYSCALL, pid, NULL,
			       syscall_stop || event || WSTOPSIG(status) == SIGSTOP
			               ? 0L
			               : (long)WSTOPSIG(status));
		}
		assert_true(poll(p, 2, WORLD_MS) > 0);
		if (p[0].revents)
			assert_true(read(sigchld_fd, &info, sizeof(info)) > 0);
		while (world_take(&w))
			;
	}
	bury(pid);
	return false;
}

/* What the journal says of intent ID. */
static unsigned int intents, outcomes;
static uint32_t outcome_state;
static uint64_t looked_for;

static void on_record(void *userdata, const struct km_journal_record *r)
{
	(void)userdata;
	if (r->intent_id != looked_for)
		return;
	intents += r->kind == KM_J_INTENT;
	outcomes += r->kind == KM_J_OUTCOME;
	if (r->kind == KM_J_OUTCOME)
		outcome_state = r->state;
}

static void read_journal(uint64_t id)
{
	struct km_journal_report report;

	intents = outcomes = 0;
	looked_for = id;
	assert_int_equal(km_journal_verify(w.dir_fd, on_record, NULL, &report), 0);
}

/* After recovery, and with all of the service ended: LINES acts were there before intent ID. */
static void check_truth(enum km_verb verb, uint64_t id, unsigned int before, bool running)
{
	unsigned int acts = world_lines(OUT) - before;
	bool starts = verb == KM_START || verb == KM_RESTART;

	read_journal(id);
	assert_in_range(intents, 0, 1);
	assert_int_equal(outcomes, intents);
	assert_in_range(acts, 0, starts ? intents : 0);
	if (intents == 0 || !starts)
		return;
	unknown += outcome_state == KM_OUT_UNKNOWN;
	assert_int_not_equal(outcome_state, KM_OUT_REFUSED);
	if (outcome_state == KM_OUT_DONE) {
		assert_int_equal(acts, 1);
		assert_true(running);
	} else if (outcome_state == KM_OUT_NOT_DONE) {
		assert_int_equal(acts, 0);
	}
}

/* What is said of a value is true; an act without an intent did nothing. */
static void check_value(const struct swept *s, uint32_t tgid)
{
	int now = s->look(tgid);

	if (intents == 0 || outcome_state == KM_OUT_NOT_DONE)
		assert_int_equal(now, s->before);
	else if (outcome_state == KM_OUT_DONE)
		assert_int_equal(now, s->after);
	assert_int_not_equal(outcome_state, KM_OUT_UNKNOWN);
}

/* The last actor, in this process: it must find out what is left and go on. */
static void recover_and_check(const struct swept *s, uint64_t id, unsigned int before,
                              uint32_t tgid)
{
	enum km_verb verb = s->verb;
	bool running;

	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
	running = w.outcome.state == KM_OUT_ADOPTED;
	assert_true(running || w.outcome.state == KM_OUT_ABSENT);
	read_journal(id);
	/* Said to be running: it gets the time to reach its main(). */
	if (intents == 1 && outcome_state == KM_OUT_DONE &&
	    (verb == KM_START || verb == KM_RESTART))
		world_wait_lines(OUT, before + 1);
	if (s->look)
		check_value(s, tgid);
	reset();
	assert_int_equal(km_actor_stop_all(w.actor), 0);
	check_truth(verb, id, before, running);
	points++;
	world_free(&w);
}

/* One act, the actor killed at its N-th stop, its successor at its M-th. False: the act was over
 * before that. */
static bool one_point(const struct swept *s, unsigned int n, unsigned int m)
{
	enum km_verb verb = s->verb;
	struct km_act_request q;
	unsigned int before;
	uint32_t tgid = 0;
	bool in_time;
	pid_t pid;

	begin();
	pid = fork_actor(false);
	assert_true(world_until(&w, &w.readies, 1));
	if (verb != KM_START)
		assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	if (verb != KM_START)
		world_wait_lines(OUT, 1);
	tgid = w.outcome.tgid;
	before = world_lines(OUT);
	if (s->first) {
		q = world_request(&w, s->first, "s");
		q.args = s->first_args;
		assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	}
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL),
	                 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	q = world_request(&w, verb, "s");
	q.signal = SIGUSR1;
	q.args = s->args;
	world_send(&w, &q);
	in_time = run_to(pid, n, &w.outcomes, w.outcomes + 1);
	assert_true(in_time || w.outcome.state != KM_OUT_REFUSED); /* or nothing is swept */
	km_close(&w.engine);
	if (m > 0) {
		pid = fork_actor(true);
		assert_int_equal(waitpid(pid, NULL, __WALL), pid);
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		in_time &= run_to(pid, m, &w.readies, 1);
		km_close(&w.engine);
	}
	recover_and_check(s, q.intent_id, before, tgid);
	return in_time;
}

static void sweep_one(const struct swept *s)
{
	unsigned int n = 1, first = points;

	while (one_point(s, n, 0))
		n++;
	print_message("%s: killed at %u points, %u of them not to be told\n",
	              km_verb_names[s->verb], points - first, unknown);
	assert_in_range(n, 10, 1000);
}

static void sweep(enum km_verb verb)
{
	const struct swept s = { .verb = verb };

	sweep_one(&s);
}

static void a_start_survives_kill_9_at_every_system_call(void **state)
{
	(void)state;
	sweep(KM_START);
}

static void a_restart_survives_kill_9_at_every_system_call(void **state)
{
	(void)state;
	sweep(KM_RESTART);
}

static void a_stop_survives_kill_9_at_every_system_call(void **state)
{
	(void)state;
	sweep(KM_STOP);
}

static void a_limit_a_signal_and_a_notice_survive_kill_9_at_every_system_call(void **state)
{
	(void)state;
	sweep_one(&(const struct swept){ .verb = KM_RAISE_LIMIT, .args = { .amount = 100 } });
	sweep(KM_SEND_SIGNAL);
	sweep(KM_NOTIFY);
}

#define FOR_NS (600 * KM_NS_PER_S)

/* Of these it is always known what came of them: the value tells. */
static void what_can_be_taken_back_survives_kill_9_at_every_system_call(void **state)
{
	static const struct swept cases[] = {
		{ KM_RENICE, KM_VERB_NONE, { .amount = 7 }, { 0 }, niceness, 0, 7 },
		{ KM_FREEZE, KM_VERB_NONE, { .duration_ns = FOR_NS }, { 0 }, frozen, 0, 1 },
		{ KM_THAW, KM_FREEZE, { 0 }, { .duration_ns = FOR_NS }, frozen, 1, 0 },
		{ KM_UNDO, KM_RENICE, { .amount = 2 }, { .amount = 7 }, niceness, 7, 0 },
	};
	static const struct swept v1[] = {
		{ KM_RELEASE,
		  KM_THROTTLE,
		  { .object = "cpu" },
		  { .object = "cpu", .amount = 500000, .duration_ns = FOR_NS },
		  quota,
		  50000,
		  -1 },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++)
		sweep_one(&cases[i]);
	for (size_t i = 0; i < KM_ARRAY_SIZE(v1) && access(CPU, F_OK) == 0; i++) {
		struct swept s = v1[i];

		s.before *= (int)sysconf(_SC_NPROCESSORS_ONLN);
		sweep_one(&s);
	}
}

/* The first kill at N, the second wherever the recovery is. */
static void a_second_kill_while_it_recovers_changes_nothing(void **state)
{
	const struct swept restart = { .verb = KM_RESTART };
	bool all = getenv("KMEND_LONG") != NULL;
	unsigned int first = points;

	(void)state;
	for (unsigned int n = 3; n < NEVER; n += all ? 1 : 17)
		for (unsigned int m = 1 + n % 7; m < NEVER; m += all ? 1 : 29)
			if (!one_point(&restart, n, m)) {
				n = m == 1 + n % 7 ? NEVER : n;
				break;
			}
	print_message("second kill: %u pairs\n", points - first);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_survives_kill_9_at_every_system_call),
		cmocka_unit_test(a_restart_survives_kill_9_at_every_system_call),
		cmocka_unit_test(a_stop_survives_kill_9_at_every_system_call),
		cmocka_unit_test(a_limit_a_signal_and_a_notice_survive_kill_9_at_every_system_call),
		cmocka_unit_test(what_can_be_taken_back_survives_kill_9_at_every_system_call),
		cmocka_unit_test(a_second_kill_while_it_recovers_changes_nothing),
	};
	char *again[] = { test_built("tests/lib/enclose"), "--", argv[0], NULL };
	sigset_t chld;

	(void)argc;
	if (!getenv("KMEND_ENCLOSED")) {
		setenv("KMEND_ENCLOSED", "1", 1);
		execv(again[0], again);
		return 1;
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigchld_fd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	mkdir("/run/out.d", 0700); /* journals on the tmpfs: thousands are begun */
	mkdir(ROOT, 0755);
	mkdir(CPU, 0755);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
