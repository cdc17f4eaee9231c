// SPDX-License-Identifier: Apache-2.0
/* What the actor refuses, whatever the engine says; its budgets; and what it does to processes of
 * services that it did not start. Runs as a plain user: nothing here is supervised. */
#include "lib/actor_world.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <systemd/sd-id128.h>

static const char config_text[] = "{\"version\":1,\"services\":["
				  "{\"name\":\"cmd\",\"command\":[\"/bin/true\"]},"
				  "{\"name\":\"exe\",\"executable\":\"%s\"},"
				  "{\"name\":\"other\",\"executable\":\"/bin/false\"},"
				  "{\"name\":\"pid\",\"pidfile\":\"/nonexistent/pid\"},"
				  "{\"name\":\"cg\",\"cgroup\":\"/no/such/cgroup\"},"
				  "{\"name\":\"box\",\"container\":\"0123456789abcdef\"},"
				  "{\"name\":\"disguised\",\"unit\":\"ssh.service\"},"
				  "{\"name\":\"secret\",\"executable\":\"/bin/cat\"}]}";
static const char policy_text[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"signal\",\"raise_limit\",\"notify\"],"
	"\"services\":[\"cmd\",\"exe\",\"other\",\"pid\",\"cg\",\"box\",\"disguised\","
	"\"web.service\"],\"budget\":{\"service\":{\"count\":3,\"per\":\"10m\"},"
	"\"host\":{\"count\":5,\"per\":\"10m\"}}}";

static struct world w;

/* In place of libsystemd's: another boot can be simulated. */
static uint8_t boot = 1;

int sd_id128_get_boot(sd_id128_t *ret)
{
	memset(ret, boot, sizeof(*ret));
	return 0;
}

static int begin(void **state)
{
	static char text[16384];

	(void)state;
	boot = 1;
	snprintf(text, sizeof(text), config_text, test_built("tests/lib/child_service"));
	world_new(&w, text, policy_text);
	world_start(&w);
	return world_until(&w, &w.readies, 1) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

static void restart_actor(void)
{
	world_end(&w);
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
}

/* What the journal holds. */
static unsigned int records[KM_J_KIND_MAX];
static struct km_journal_record last[KM_J_KIND_MAX];

static void on_record(void *userdata, const struct km_journal_record *r)
{
	(void)userdata;
	records[r->kind]++;
	last[r->kind] = *r;
}

static void read_journal(void)
{
	struct km_journal_report report;

	memset(records, 0, sizeof(records));
	assert_int_equal(km_journal_verify(w.dir_fd, on_record, NULL, &report), 0);
}

/* valgrind 3.19 knows no pidfd_open(2). */
static void need_pidfd(void)
{
	km_autoclose int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd >= 0 || errno != ENOSYS)
		return;
	print_message("no pidfd_open(2): an old kernel, or valgrind\n");
	skip();
}

static void refused(const struct km_act_request *q, int error, const char *why)
{
	assert_int_equal(world_ask(&w, q), KM_OUT_REFUSED);
	if (w.outcome.error != error || !strstr(w.outcome.detail, why))
		fail_msg("%d %s, not %d %s", w.outcome.error, w.outcome.detail, error, why);
	read_journal();
	assert_int_equal(records[KM_J_INTENT], 0);
	assert_int_equal(last[KM_J_REFUSED].error, error);
	assert_int_equal(last[KM_J_REFUSED].intent_id, q->intent_id);
	assert_string_equal(last[KM_J_REFUSED].detail, w.outcome.detail);
}

static void bad_requests_are_refused_with_their_reason_and_journalled(void **state)
{
	static const struct {
		const char *service;
		uint32_t verb, tgid;
		uint64_t limit, timeout_ns;
		int32_t signal;
		int error;
		const char *why;
	} bad[] = {
		{ "cmd", 0, 0, 0, 1, 0, -EINVAL, "verb" },
		{ "cmd", KM_VERB_MAX, 0, 0, 1, 0, -EINVAL, "verb" },
		{ "cmd", UINT32_MAX, 0, 0, 1, 0, -EINVAL, "verb" },
		{ "", KM_STOP, 0, 0, 1, 0, -EINVAL, "no service" },
		{ "cmd", KM_STOP, 0, 0, 0, 0, -EINVAL, "time-out" },
		{ "cmd", KM_STOP, 0, 0, KM_ACT_TIMEOUT_MAX_NS + 1, 0, -EINVAL, "time-out" },
		{ "exe", KM_SEND_SIGNAL, 0, 0, 1, 0, -EINVAL, "signal" },
		{ "exe", KM_SEND_SIGNAL, 0, 0, 1, -1, -EINVAL, "signal" },
		{ "exe", KM_SEND_SIGNAL, 0, 0, 1, 65, -EINVAL, "signal" },
		{ "exe", KM_RAISE_LIMIT, 0, 0, 1, 0, -EINVAL, "amount" },
		{ "exe", KM_RAISE_LIMIT, 0, (1 << 30) + 1, 1, 0, -EINVAL, "amount" },
		{ "nobody", KM_STOP, 0, 0, 1, 0, -ENOENT, "not known" },
		{ "web.service.d", KM_STOP, 0, 0, 1, 0, -ENOENT, "not known" },
		{ "../web.service", KM_STOP, 0, 0, 1, 0, -ENOENT, "not known" },
		{ ".service", KM_STOP, 0, 0, 1, 0, -ENOENT, "not known" },
		{ "exe", KM_STOP, 0, 0, 1, 0, -ENOENT, "kind" },
		{ "box", KM_START, 0, 0, 1, 0, -ENOENT, "kind" },
		{ "cmd", KM_RESTART, 0, 0, 1, 0, -EPERM, "policy" },
		{ "secret", KM_SEND_SIGNAL, 0, 0, 1, 15, -EPERM, "policy" },
		{ "mail.service", KM_STOP, 0, 0, 1, 0, -EPERM, "policy" },
		{ "ssh.service", KM_STOP, 0, 0, 1, 0, -EPERM, "protected" },
		{ "disguised", KM_STOP, 0, 0, 1, 0, -EPERM, "protected" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct km_act_request q =
			world_request(&w, (enum km_verb)bad[i].verb, bad[i].service);

		q.tgid = bad[i].tgid;
		q.signal = bad[i].signal;
		q.args.amount = bad[i].limit;
		q.timeout_ns = bad[i].timeout_ns;
		refused(&q, bad[i].error, bad[i].why);
	}
}

static void texts_without_an_end_are_refused(void **state)
{
	struct km_act_request q = { 0 };
	char *const texts[] = { q.service, q.rule, q.reason, q.args.object };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(texts); i++) {
		q = world_request(&w, KM_STOP, "cmd");
		memset(texts[i], 'a', i < 3 ? KM_NAME_MAX : KM_OBJECT_MAX);
		refused(&q, -EINVAL, "without end");
	}
}

static void what_stands_behind_a_text_does_not_reach_the_journal(void **state)
{
	struct km_act_request q = world_request(&w, KM_NOTIFY, "cmd");

	(void)state;
	memset(q.reason + 8, 'x', 20);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	read_journal();
	assert_string_equal(last[KM_J_INTENT].detail, "because");
	assert_int_equal(last[KM_J_INTENT].detail[10], 0);
}

static void messages_of_another_size_type_or_version_are_refused(void **state)
{
	struct {
		struct km_act_request q;
		char more[64];
	} m = { .q = world_request(&w, KM_NOTIFY, "cmd") };
	static const uint16_t type[] = { KM_ACT_REQUEST, KM_ACT_OUTCOME, 99, 0 };
	size_t sizes[] = { sizeof(struct km_message_hdr), sizeof(m.q) - 1, sizeof(m.q) + 1,
		           sizeof(m) };
	unsigned int n = w.outcomes;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(sizes); i++) {
		m.q.hdr.size = (uint32_t)sizes[i];
		assert_int_equal(km_message_send(w.engine, &m, sizes[i], -1), 0);
		assert_true(world_until(&w, &w.outcomes, ++n));
		assert_int_equal(w.outcome.error, -EBADMSG);
	}
	m.q.hdr.size = sizeof(m.q);
	for (size_t i = 1; i < KM_ARRAY_SIZE(type); i++) {
		m.q.hdr.type = type[i];
		world_send(&w, &m.q);
		assert_true(world_until(&w, &w.outcomes, ++n));
		assert_int_equal(w.outcome.error, -EBADMSG);
	}
	m.q.hdr.type = KM_ACT_REQUEST;
	m.q.hdr.version = KM_ACT_VERSION + 1;
	world_send(&w, &m.q);
	assert_true(world_until(&w, &w.outcomes, ++n));
	assert_int_equal(w.outcome.error, -EBADMSG);
	/* A size that is not what came is not even a message. */
	m.q.hdr.size = 12;
	assert_int_equal(send(w.engine, &m, sizeof(m.q), 0), sizeof(m.q));
	assert_true(world_until(&w, &w.outcomes, ++n));
	assert_int_equal(w.outcome.error, -EBADMSG);
}

static void an_intent_acts_once_also_over_a_restart(void **state)
{
	struct km_act_request q = world_request(&w, KM_NOTIFY, "cmd");

	(void)state;
	q.intent_id = 50;
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EINVAL);
	q.intent_id = 49;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	restart_actor();
	assert_int_equal(w.ready_id, 50);
	q.intent_id = 50;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EINVAL);
	q.intent_id = 51;
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
}

static void a_refused_request_uses_up_no_number(void **state)
{
	struct km_act_request q = world_request(&w, KM_STOP, "nobody");

	(void)state;
	q.intent_id = UINT64_MAX;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	restart_actor();
	assert_int_equal(w.ready_id, 0);
	assert_int_equal(world_do(&w, KM_NOTIFY, "cmd"), KM_OUT_DONE);
}

static void a_notice_is_journalled_and_said_and_that_is_all(void **state)
{
	(void)state;
	assert_int_equal(world_do(&w, KM_NOTIFY, "whatever it is"), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "because");
	assert_string_equal(w.outcome.service, "whatever it is");
	read_journal();
	assert_int_equal(records[KM_J_INTENT], 1);
	assert_int_equal(records[KM_J_OUTCOME], 1);
	assert_string_equal(last[KM_J_OUTCOME].rule, "test-rule");
}

static void a_flood_of_notices_and_refusals_does_not_fill_the_journal(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++)
		assert_int_equal(world_do(&w, KM_NOTIFY, "cmd"), KM_OUT_DONE);
	for (int i = 0; i < 100; i++)
		assert_int_equal(world_do(&w, KM_NOTIFY, "cmd"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EDQUOT);
	read_journal();
	assert_int_equal(records[KM_J_INTENT], 60);
	assert_int_equal(records[KM_J_REFUSED], 60);
}

static void the_kill_switch_leaves_only_notices(void **state)
{
	struct km_act_request q;

	(void)state;
	w.policy->pause = true;
	q = world_request(&w, KM_STOP, "cmd");
	refused(&q, -EPERM, "paused");
	assert_int_equal(world_do(&w, KM_NOTIFY, "cmd"), KM_OUT_DONE);
}

static pid_t begin_child(void)
{
	static char out[96];
	char *argv[] = { test_built("tests/lib/child_service"), out, "wait", NULL };
	pid_t pid;

	snprintf(out, sizeof(out), "%s/out", w.dir);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(argv[0], argv);
		_exit(127);
	}
	world_wait_lines(out, 1);
	unlink(out);
	return pid;
}

static uint64_t start_of(pid_t pid)
{
	char path[64], text[1024], *p, *end;
	unsigned long long ticks;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	p = strrchr(text, ')') + 1;
	for (int i = 0; i < 19; i++)
		p = strchr(p + 1, ' ');
	ticks = strtoull(p, &end, 10);
	assert_true(end > p);
	return ticks * (KM_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

static struct km_act_request to(pid_t pid, const char *service, int signal)
{
	struct km_act_request q = world_request(&w, KM_SEND_SIGNAL, service);

	q.tgid = (uint32_t)pid;
	q.start_ns = start_of(pid);
	q.signal = signal;
	return q;
}

static void a_signal_reaches_a_process_of_the_service(void **state)
{
	pid_t pid = begin_child();
	struct km_act_request q = to(pid, "exe", SIGUSR1);
	int status;

	(void)state;
	need_pidfd();
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGUSR1);
	q.intent_id = w.next_id++;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ESRCH);
}

static void a_signal_reaches_no_other_process(void **state)
{
	static const char *const others[] = { "other", "pid", "cg" };
	pid_t pid = begin_child();
	struct km_act_request q;

	(void)state;
	need_pidfd();
	for (size_t i = 0; i < KM_ARRAY_SIZE(others); i++) {
		q = to(pid, others[i], SIGKILL);
		assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
		assert_int_equal(w.outcome.error, -EPERM);
	}
	/* The number is right, the time is not: the number was used again. */
	q = to(pid, "exe", SIGKILL);
	q.start_ns += 20 * KM_NS_PER_MS;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ESRCH);
	assert_int_equal(kill(pid, 0), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	read_journal();
	assert_int_equal(records[KM_J_INTENT], 0);
}

static void nobody_can_be_named_by_a_service_without_a_process(void **state)
{
	struct km_act_request q = world_request(&w, KM_SEND_SIGNAL, "exe");

	(void)state;
	need_pidfd();
	q.signal = SIGTERM;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ESRCH);
	q = to(getpid(), "exe", SIGKILL);
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EPERM);
}

static void a_limit_is_raised_up_to_the_hard_one(void **state)
{
	struct rlimit small = { 64, 256 }, now;
	pid_t pid = begin_child();
	struct km_act_request q;

	(void)state;
	need_pidfd();
	assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &small, NULL), 0);
	q = to(pid, "exe", 0);
	q.verb = KM_RAISE_LIMIT;
	q.args.amount = 128;
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "descriptors 64 to 128");
	q.intent_id = w.next_id++;
	q.args.amount = 4096;
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	prlimit(pid, RLIMIT_NOFILE, NULL, &now);
	assert_int_equal(now.rlim_cur, 256);
	q.intent_id = w.next_id++;
	assert_int_equal(world_ask(&w, &q), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ENOSPC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* One act that is counted and harmless: a signal to a child. */
static enum km_outcome_state one_act(pid_t pid)
{
	struct km_act_request q = to(pid, "exe", SIGCONT);

	return world_ask(&w, &q);
}

static void at_a_time_of_maintenance_nothing_is_repaired(void **state)
{
	static const char text[] = "{\"version\":1,\"verbs\":[\"signal\"],\"services\":[\"exe\"],"
				   "\"maintenance\":[{\"services\":[\"exe\"],\"window\":{"
				   "\"from\":\"00:00\",\"to\":\"00:00\"}}]}";
	km_autofree(km_policy_freep) struct km_policy *p = NULL;
	struct km_error e;
	pid_t pid = begin_child();

	(void)state;
	need_pidfd();
	assert_int_equal(km_policy_compile(text, strlen(text), "p", &e, &p), 0);
	km_actor_set_policy(w.actor, p);
	assert_int_equal(one_act(pid), KM_OUT_REFUSED);
	assert_non_null(strstr(w.outcome.detail, "people work on it"));
	km_actor_set_policy(w.actor, w.policy);
	assert_int_equal(one_act(pid), KM_OUT_DONE);
}

static void a_budget_survives_restarts_and_boots(void **state)
{
	pid_t pid = begin_child();

	(void)state;
	need_pidfd();
	assert_int_equal(one_act(pid), KM_OUT_DONE);
	assert_int_equal(one_act(pid), KM_OUT_DONE);
	restart_actor();
	assert_int_equal(one_act(pid), KM_OUT_DONE);
	assert_int_equal(one_act(pid), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EDQUOT);
	assert_non_null(strstr(w.outcome.detail, "service"));
	restart_actor();
	assert_int_equal(one_act(pid), KM_OUT_REFUSED);
	boot = 2; /* only wall-clock time tells now how long ago it was */
	restart_actor();
	assert_int_equal(one_act(pid), KM_OUT_REFUSED);
	w.policy->per_service.count = 4;
	assert_int_equal(one_act(pid), KM_OUT_DONE);
	w.policy->per_service.per_ns = 1;
	assert_int_equal(one_act(pid), KM_OUT_DONE);
	assert_int_equal(one_act(pid), KM_OUT_REFUSED);
	assert_non_null(strstr(w.outcome.detail, "host"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void refused_acts_are_not_counted(void **state)
{
	struct km_act_request q;
	pid_t pid = begin_child();

	(void)state;
	need_pidfd();
	for (int i = 0; i < 10; i++) {
		q = world_request(&w, KM_RESTART, "exe");
		assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	}
	assert_int_equal(one_act(pid), KM_OUT_DONE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void the_engine_is_heard_and_its_end_ends_the_loop(void **state)
{
	struct km_act_plain alive = { .hdr = { KM_ACT_ALIVE, KM_ACT_VERSION, sizeof(alive) } };
	uint64_t before = km_now_ns();

	(void)state;
	assert_int_equal(km_actor_engine_seen_ns(w.actor), 0);
	assert_int_equal(km_message_send(w.engine, &alive, sizeof(alive), -1), 0);
	km_loop_once(w.loop, 1000);
	assert_true(km_actor_engine_seen_ns(w.actor) >= before);
	km_close(&w.engine);
	assert_int_equal(km_loop_run(w.loop), -EPIPE);
}

static void an_engine_that_does_not_read_holds_nothing_up(void **state)
{
	struct km_act_request q;
	unsigned int sent = 1000, answers;

	(void)state;
	for (unsigned int i = 0; i < sent; i++) {
		q = world_request(&w, KM_STOP, "nobody");
		world_send(&w, &q);
		while (km_loop_once(w.loop, 0) > 0)
			;
	}
	assert_false(km_actor_degraded(w.actor));
	answers = w.outcomes;
	assert_true(world_until(&w, &w.outcomes, answers + sent));
	assert_int_equal(w.outcome.intent_id, q.intent_id);
}

/* An intent of this boot or another that was never closed, as a killed actor leaves it. */
static void leave_open(enum km_verb verb, const char *service, uint64_t limit)
{
	struct km_journal_record r = { .kind = KM_J_INTENT,
		                       .intent_id = w.next_id++,
		                       .verb = verb,
		                       .amount = limit,
		                       .state = 1 };
	struct km_chain *j;

	world_end(&w);
	km_copy(r.service, sizeof(r.service), service);
	km_copy(r.detail, sizeof(r.detail), "because");
	assert_int_equal(km_journal_open(w.dir_fd, NULL, NULL, &j), 0);
	assert_int_equal(km_journal_add(j, &r), 0);
	km_chain_close(j);
}

static void recovered(uint64_t id, enum km_outcome_state state)
{
	unsigned int readies = 0;

	world_start(&w);
	assert_true(world_until(&w, &w.outcomes, 1));
	assert_int_equal(w.outcome.intent_id, id);
	assert_int_equal(w.outcome.recovered, 1);
	assert_int_equal(w.outcome.state, state);
	assert_true(world_until(&w, &w.readies, readies + 1));
	read_journal();
	assert_int_equal(last[KM_J_OUTCOME].intent_id, id);
	restart_actor();
	assert_int_not_equal(w.outcome.recovered, 1);
}

static void open_intents_are_closed_once_with_what_is_known(void **state)
{
	(void)state;
	leave_open(KM_NOTIFY, "cmd", 0);
	recovered(1, KM_OUT_DONE);
	leave_open(KM_SEND_SIGNAL, "exe", 0);
	recovered(2, KM_OUT_UNKNOWN);
	leave_open(KM_RAISE_LIMIT, "exe", 100);
	recovered(3, KM_OUT_UNKNOWN);
	leave_open(KM_START, "no-longer-defined", 0);
	recovered(4, KM_OUT_UNKNOWN);
	leave_open(KM_START, "cmd", 0);
	boot = 3;
	recovered(5, KM_OUT_NOT_DONE);
	leave_open(KM_SEND_SIGNAL, "exe", 0);
	boot = 4;
	recovered(6, KM_OUT_UNKNOWN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_requests_are_refused_with_their_reason_and_journalled),
		TEST(texts_without_an_end_are_refused),
		TEST(what_stands_behind_a_text_does_not_reach_the_journal),
		TEST(messages_of_another_size_type_or_version_are_refused),
		TEST(an_intent_acts_once_also_over_a_restart),
		TEST(a_refused_request_uses_up_no_number),
		TEST(a_notice_is_journalled_and_said_and_that_is_all),
		TEST(a_flood_of_notices_and_refusals_does_not_fill_the_journal),
		TEST(the_kill_switch_leaves_only_notices),
		TEST(a_signal_reaches_a_process_of_the_service),
		TEST(a_signal_reaches_no_other_process),
		TEST(nobody_can_be_named_by_a_service_without_a_process),
		TEST(a_limit_is_raised_up_to_the_hard_one),
		TEST(at_a_time_of_maintenance_nothing_is_repaired),
		TEST(a_budget_survives_restarts_and_boots),
		TEST(refused_acts_are_not_counted),
		TEST(the_engine_is_heard_and_its_end_ends_the_loop),
		TEST(an_engine_that_does_not_read_holds_nothing_up),
		TEST(open_intents_are_closed_once_with_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
