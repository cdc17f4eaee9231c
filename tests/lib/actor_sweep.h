/* SPDX-License-Identifier: Apache-2.0 */
/* For sweeps: one act of an actor in a process of its own, stopped at each of its system calls, and
 * the truth about it once another actor has recovered.
 *
 * The command "s" appends a line to a file each time that its main() begins: the lines are the
 * acts. */
#ifndef KM_TEST_ACTOR_SWEEP_H
#define KM_TEST_ACTOR_SWEEP_H

#include "base/reroute.h"
#include "repair/failover.h"
#include "lib/actor_world.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <utime.h>

#define SWEEP_ROOT "/sys/fs/cgroup/unified/kmend"
#define SWEEP_CPU  "/sys/fs/cgroup/cpu/kmend"
#define SWEEP_OUT  "/run/out"
#define SWEEP_FOR  (600 * KM_NS_PER_S)
/* A file that is old, and a program that says so each time that it runs. */
#define SWEEP_FILES "/run/files"
#define SWEEP_TOOL  "/run/tool"
#define SWEEP_RAN   "/run/ran"
#define SWEEP_PINS  "/sys/fs/bpf/sweep"

static const char sweep_policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\",\"signal\",\"raise_limit\","
	"\"notify\",\"throttle\",\"release\",\"freeze\",\"thaw\",\"renice\",\"kill\",\"reload\","
	"\"capture\",\"rotate\",\"truncate\",\"free_space\",\"run\",\"fail_over\","
	"\"fail_back\"],\"services\":[\"*\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":100,\"per\":\"1m\"}},"
	"\"files\":[{\"name\":\"f\",\"root\":\"" SWEEP_FILES "\",\"patterns\":[\"a\"],"
	"\"may\":[\"rotate\",\"truncate\",\"free_space\"],\"older\":\"1m\"}],"
	"\"commands\":[{\"name\":\"c\",\"argv\":[\"" SWEEP_TOOL "\"]}]}";

/* One verb: what is done before it, what it is given, and what the host then says: the value that
 * it sets, as it was and as it is wanted. */
struct sweep_act {
	enum km_verb verb, first;
	struct km_verb_args args, first_args;
	int (*look)(uint32_t tgid); /* NULL: starts, stops, and what leaves nothing to be seen */
	int before, after;
	bool untold; /* an interruption may leave nothing to tell by */
};

struct sweep {
	struct world w;
	int sigchld_fd;
	/* of the newest point, after sweep_recover() */
	unsigned int before, intents, outcomes, acts;
	uint32_t tgid;               /* of the service before the act */
	enum km_outcome_state state; /* if there is an outcome */
	bool running;
	uint64_t id;            /* of the intent */
	unsigned int bad_syncs; /* behind each an outcome may have been written once more */
};

static struct sweep sweep;

static inline int sweep_niceness(uint32_t tgid)
{
	return getpriority(PRIO_PROCESS, tgid);
}

static inline int sweep_number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	char text[32] = "-1";

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return (int)strtol(text, NULL, 10);
}

static inline int sweep_frozen(uint32_t tgid)
{
	(void)tgid;
	return sweep_number_in(SWEEP_ROOT "/s/cgroup.freeze");
}

static inline int sweep_quota(uint32_t tgid)
{
	(void)tgid;
	return sweep_number_in(SWEEP_CPU "/s/cpu.cfs_quota_us") /
	       (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static const struct sweep_act sweep_acts[] = {
	{ .verb = KM_START },
	{ .verb = KM_RESTART },
	{ .verb = KM_STOP },
	{ .verb = KM_RAISE_LIMIT, .args = { .amount = 100 } },
	{ .verb = KM_SEND_SIGNAL },
	{ .verb = KM_NOTIFY },
	{ KM_RENICE, KM_VERB_NONE, { .amount = 7 }, { 0 }, sweep_niceness, 0, 7, false },
	{ KM_FREEZE, KM_VERB_NONE, { .duration_ns = SWEEP_FOR }, { 0 }, sweep_frozen, 0, 1, false },
	{ KM_THAW, KM_FREEZE, { 0 }, { .duration_ns = SWEEP_FOR }, sweep_frozen, 1, 0, false },
	{ KM_UNDO, KM_RENICE, { .amount = 2 }, { .amount = 7 }, sweep_niceness, 7, 0, false },
	{ KM_RELEASE,
	  KM_THROTTLE,
	  { .object = "cpu" },
	  { .object = "cpu", .amount = 500000, .duration_ns = SWEEP_FOR },
	  sweep_quota,
	  50000,
	  0, /* -1, shared by the CPUs */
	  false },
};

static inline int sweep_bytes(uint32_t tgid)
{
	struct stat st;

	(void)tgid;
	return stat(SWEEP_FILES "/a", &st) < 0 ? -1 : (int)st.st_size;
}

static inline int sweep_ran(uint32_t tgid)
{
	(void)tgid;
	return (int)world_lines(SWEEP_RAN);
}

static inline int sweep_lives(uint32_t tgid)
{
	(void)tgid;
	return sweep_number_in(SWEEP_ROOT "/s/cgroup.procs") > 0;
}

/* What takes its time, or leaves little to be seen. */
static const struct sweep_act sweep_jobs[] = {
	/* who was found running may be dying */
	{ .verb = KM_KILL, .look = sweep_lives, .before = 1, .after = 0, .untold = true },
	{ .verb = KM_RELOAD, .untold = true },
	{ .verb = KM_CAPTURE, .untold = true },
	{ .verb = KM_ROTATE,
	  .args = { .object = "f" },
	  .look = sweep_bytes,
	  .before = 4,
	  .untold = true },
	{ .verb = KM_TRUNCATE,
	  .args = { .object = "f" },
	  .look = sweep_bytes,
	  .before = 4,
	  .untold = true },
	{ .verb = KM_FREE_SPACE,
	  .args = { .object = "f" },
	  .look = sweep_bytes,
	  .before = 4,
	  .after = -1,
	  .untold = true },
	{ .verb = KM_RUN,
	  .args = { .object = "c" },
	  .look = sweep_ran,
	  .after = 1,
	  .untold = true },
};

/* The route that is pinned, as its directory's path; false: there is none. */
static inline bool sweep_pins(char *ret, size_t size)
{
	DIR *d = opendir(SWEEP_PINS);
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		found = e->d_name[0] != '.';
		snprintf(ret, size, SWEEP_PINS "/%s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

static inline int sweep_routed(uint32_t tgid)
{
	const struct km_endpoint *e = &sweep.w.config->services[0].endpoints[0];
	km_autofree(km_reroute_freep) struct km_reroute *r = NULL;
	struct kmend_route route = { 0 };
	char path[PATH_MAX];

	(void)tgid;
	if (sweep_pins(path, sizeof(path)) && km_reroute_adopt(path, &r) == 0)
		km_reroute_get(r, &e->place[0].address, &route);
	return route.share == KMEND_SHARE_ALL;
}

#define SWEEP_TO_STANDBY                                            \
	{                                                           \
		.object = "db", .amount = 1 << 8 | KM_FAILOVER_KEEP \
	}

/* Kept by pins, so that what came of it can be seen behind the actor's end. */
static const struct sweep_act sweep_routes[] = {
	{ .verb = KM_FAIL_OVER, .args = SWEEP_TO_STANDBY, .look = sweep_routed, .after = 1 },
	{ .verb = KM_FAIL_BACK,
	  .first = KM_FAIL_OVER,
	  .args = { .object = "db", .amount = 1000000 },
	  .first_args = SWEEP_TO_STANDBY,
	  .look = sweep_routed,
	  .before = 1 },
};

/* KMEND_VERB: that one only. */
static inline bool sweep_can(const struct sweep_act *s)
{
	const char *only = getenv("KMEND_VERB");

	if (only && strcmp(only, km_verb_names[s->verb]) != 0)
		return false;
	return s->look != sweep_quota || access(SWEEP_CPU, F_OK) == 0;
}

static inline void sweep_put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (f)
		fputs(text, f);
	if (f)
		fclose(f);
}

/* What a point leaves behind is the next one's no more. */
static inline void sweep_reset(void)
{
	const struct utimbuf long_ago = { 1000000, 1000000 };
	char path[PATH_MAX];

	if (sweep_pins(path, sizeof(path)))
		km_reroute_unpin(path);
	sweep_put(SWEEP_FILES "/a", "text");
	utime(SWEEP_FILES "/a", &long_ago);
	sweep_put(SWEEP_TOOL, "#!/bin/sh\necho >>" SWEEP_RAN "\n");
	chmod(SWEEP_TOOL, 0755);
	unlink(SWEEP_RAN);
	sweep_put(SWEEP_ROOT "/s/cgroup.freeze", "0");
	sweep_put(SWEEP_CPU "/s/cpu.cfs_quota_us", "-1");
}

/* Called at each stop at a system call, at its entry and at its return; true: PID is to be killed
 * now. */
typedef bool (*sweep_hook)(pid_t pid, void *userdata);

static inline void sweep_begin(void)
{
	static char config[16384];

	sweep_reset();
	unlink(SWEEP_OUT);
	snprintf(config, sizeof(config),
	         "{\"version\":1,\"services\":[{\"name\":\"s\",\"command\":[\"%s\",\"" SWEEP_OUT
	         "\",\"wait\"],\"stop_timeout\":\"500ms\",\"reload\":\"SIGUSR1\","
	         "\"endpoints\":[{\"name\":\"db\",\"primary\":\"127.0.0.1:7001\","
	         "\"standbys\":[\"127.0.0.1:7002\"]}]}]}",
	         test_built("tests/lib/child_service"));
	world_new(&sweep.w, config, sweep_policy);
	sweep.w.opts.cgroup_root = SWEEP_ROOT;
	sweep.w.opts.cpu_root = SWEEP_CPU;
	sweep.w.opts.pin_dir = SWEEP_PINS;
}

static inline pid_t sweep_fork(bool traced)
{
	pid_t pid;

	world_sockets(&sweep.w);
	pid = fork();
	if (pid != 0) {
		km_close(&sweep.w.actors);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (traced && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0))
		_exit(2);
	km_close(&sweep.w.engine);
	if (km_loop_new(&sweep.w.opts.loop) < 0 || km_actor_new(&sweep.w.opts, &sweep.w.actor) < 0)
		_exit(1);
	_exit(km_loop_run(sweep.w.opts.loop) == -EPIPE ? 0 : 1);
}

static inline void sweep_bury(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) != pid || kill(pid, 0) == 0)
		;
}

/* PID, which is stopped, goes on to its first stop at a system call. */
static inline void sweep_trace(pid_t pid)
{
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
}

/* From a PID that runs. It is stopped before anything is asked of it, or its first calls would not
 * be seen. */
static inline void sweep_seize(pid_t pid)
{
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
	sweep_trace(pid);
}

/* One that is its own, whether it was begun traced or seized. */
static inline long sweep_signal(int status)
{
	bool ours =
		WSTOPSIG(status) == (SIGTRAP | 0x80) || status >> 16 || WSTOPSIG(status) == SIGSTOP;

	return ours ? 0L : (long)WSTOPSIG(status);
}

enum sweep_end { SWEEP_KILLED, SWEEP_OVER, SWEEP_ENDED, SWEEP_CRASHED };

/* What became of PID, whose STATUS waitpid() has just told; SWEEP_OVER: it goes on. */
static inline enum sweep_end sweep_stop(pid_t pid, int status, sweep_hook hook, void *userdata)
{
	if (WIFEXITED(status))
		return SWEEP_ENDED;
	if (WIFSIGNALED(status))
		return SWEEP_CRASHED;
	if (WSTOPSIG(status) == (SIGTRAP | 0x80) && hook(pid, userdata)) {
		sweep_bury(pid);
		return SWEEP_KILLED;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, sweep_signal(status));
	return SWEEP_OVER;
}

/* Lets the traced PID run, HOOK hearing each stop, until it is killed by HOOK or ends by itself;
 * or *COUNTER reaches WANTED, or MS pass: then it is killed, and that is SWEEP_OVER. */
static inline enum sweep_end sweep_run(pid_t pid, sweep_hook hook, void *userdata,
                                       const unsigned int *counter, unsigned int wanted, int ms)
{
	struct pollfd p[] = { { .fd = sweep.sigchld_fd, .events = POLLIN },
		              { .fd = sweep.w.engine, .events = POLLIN } };
	struct signalfd_siginfo info;
	long end = test_now_ms() + ms, left;
	int status;

	while (*counter < wanted) {
		while (waitpid(pid, &status, __WALL | WNOHANG) == pid) {
			enum sweep_end e = sweep_stop(pid, status, hook, userdata);

			if (e != SWEEP_OVER)
				return e;
		}
		left = end - test_now_ms();
		if (left <= 0 || poll(p, 2, (int)left) <= 0)
			break;
		if (p[0].revents)
			assert_true(read(sweep.sigchld_fd, &info, sizeof(info)) > 0);
		while (world_take(&sweep.w))
			;
	}
	sweep_bury(pid);
	return SWEEP_OVER;
}

static inline void sweep_on_record(void *userdata, const struct km_journal_record *r)
{
	(void)userdata;
	if (r->intent_id != sweep.id)
		return;
	sweep.intents += r->kind == KM_J_INTENT;
	if (r->kind != KM_J_OUTCOME)
		return;
	assert_true(!sweep.outcomes || (uint32_t)sweep.state == r->state);
	sweep.outcomes++;
	sweep.state = (enum km_outcome_state)r->state;
}

static inline void sweep_journal(void)
{
	struct km_journal_report report;

	sweep.intents = sweep.outcomes = 0;
	assert_int_equal(km_journal_verify(sweep.w.dir_fd, sweep_on_record, NULL, &report), 0);
}

static inline bool sweep_starts(enum km_verb verb)
{
	return verb == KM_START || verb == KM_RESTART;
}

/* No intent without its outcome, none acted twice, and what is said of it is true. */
static inline void sweep_truth(enum km_verb verb)
{
	assert_in_range(sweep.intents, 0, 1);
	assert_in_range(sweep.outcomes, sweep.intents, sweep.intents * (1 + sweep.bad_syncs));
	assert_in_range(sweep.acts, 0, sweep_starts(verb) ? sweep.intents : 0);
	if (sweep.intents == 0 || !sweep_starts(verb))
		return;
	assert_int_not_equal(sweep.state, KM_OUT_REFUSED);
	if (sweep.state == KM_OUT_DONE) {
		assert_int_equal(sweep.acts, 1);
		assert_true(sweep.running);
	} else if (sweep.state == KM_OUT_NOT_DONE) {
		assert_int_equal(sweep.acts, 0);
	}
}

/* What is said of a value is true; an act without an intent did nothing. */
static inline void sweep_value(const struct sweep_act *s)
{
	int now = s->look(sweep.tgid);

	if (sweep.intents == 0 || (sweep.state == KM_OUT_NOT_DONE && !s->untold))
		assert_int_equal(now, s->before);
	else if (sweep.state == KM_OUT_DONE)
		assert_int_equal(now, s->after);
	else
		assert_true(now == s->before || now == s->after);
}

/* The last actor, in this process, finds out what is left of the act and goes on. The world is gone
 * behind it. */
static inline void sweep_recover(const struct sweep_act *s)
{
	struct world *w = &sweep.w;

	world_start(w);
	assert_true(world_until(w, &w->readies, 1));
	sweep.running = w->outcome.state == KM_OUT_ADOPTED;
	assert_true(sweep.running || w->outcome.state == KM_OUT_ABSENT);
	sweep_journal();
	/* Said to be running: it gets the time to reach its main(). */
	if (sweep.intents == 1 && sweep.state == KM_OUT_DONE && sweep_starts(s->verb))
		world_wait_lines(SWEEP_OUT, sweep.before + 1);
	if (s->look)
		sweep_value(s);
	sweep_reset();
	assert_int_equal(km_actor_stop_all(w->actor), 0);
	sweep.acts = world_lines(SWEEP_OUT) - sweep.before;
	sweep_journal();
	sweep_truth(s->verb);
	world_free(w);
}

/* An actor that is about to be told to do it, traced from here on. */
static inline pid_t sweep_ready(const struct sweep_act *s)
{
	struct world *w = &sweep.w;
	struct km_act_request q;
	pid_t pid;

	sweep_begin();
	pid = sweep_fork(false);
	assert_true(world_until(w, &w->readies, 1));
	if (s->verb != KM_START) {
		assert_int_equal(world_do(w, KM_START, "s"), KM_OUT_DONE);
		world_wait_lines(SWEEP_OUT, 1);
	}
	sweep.tgid = w->outcome.tgid;
	sweep.before = world_lines(SWEEP_OUT);
	if (s->first) {
		q = world_request(w, s->first, "s");
		q.args = s->first_args;
		assert_int_equal(world_ask(w, &q), KM_OUT_DONE);
	}
	sweep_seize(pid);
	return pid;
}

static inline void sweep_tell(const struct sweep_act *s, uint64_t timeout_ns)
{
	struct km_act_request q = world_request(&sweep.w, s->verb, "s");

	q.signal = s->verb == KM_SEND_SIGNAL ? SIGUSR1 : 0;
	q.timeout_ns = timeout_ns;
	q.args = s->args;
	sweep.id = q.intent_id;
	world_send(&sweep.w, &q);
}

static inline pid_t sweep_ask(const struct sweep_act *s, uint64_t timeout_ns)
{
	pid_t pid = sweep_ready(s);

	sweep_tell(s, timeout_ns);
	return pid;
}

/* The next actor, traced from its first system call on. */
static inline pid_t sweep_successor(void)
{
	pid_t pid;

	km_close(&sweep.w.engine);
	pid = sweep_fork(true);
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
	sweep_trace(pid);
	return pid;
}

/* main(): again inside of enclose, journals on its tmpfs: thousands are begun. */
static inline int sweep_main(char **argv, const struct CMUnitTest *tests, size_t count)
{
	sigset_t chld;

	test_enclose(argv, NULL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sweep.sigchld_fd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	mkdir("/run/out.d", 0700);
	mkdir(SWEEP_ROOT, 0755);
	mkdir(SWEEP_FILES, 0755);
	mkdir(SWEEP_CPU, 0755);
	mkdir(SWEEP_PINS, 0700);
	return _cmocka_run_group_tests("sweep", tests, count, NULL, NULL);
}

#endif
