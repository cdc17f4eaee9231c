// SPDX-License-Identifier: Apache-2.0
/* Acts on units of a real systemd, in a root of its own (root). This program starts itself there:
 * outside it boots a manager whose only work is this program; inside it is the test. */
#include "lib/actor_world.h"

#include <sys/prctl.h>

#define BOOT_MS 60000
#define PROBE   "/usr/lib/kmend-act-probe"

static const char policy_text[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\",\"signal\"],\"services\":[\"*\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":100,\"per\":\"1m\"}}}";

/* %1: this program, %2: the shared directory. Nothing of the host's own configuration is kept. */
static const char boot_script[] =
	"set -eu; cp \"$1\" " PROBE "; cd /etc/systemd; rm -rf /etc/fstab system /etc/machine-id\n"
	"mkdir -p system/probe.target.wants; : >/etc/machine-id\n"
	"printf '[Unit]\\nRequires=sysinit.target dbus.socket\\nAfter=sysinit.target dbus.socket\\n"
	"AllowIsolate=yes\\n' >system/probe.target\n"
	"printf "
	"'[Unit]\\nAfter=dbus.socket\\nFailureAction=exit\\nSuccessAction=exit\\n[Service]\\n"
	"Type=oneshot\\nEnvironment=KMEND_INSIDE=1\\nExecStart=" PROBE "\\n"
	"StandardOutput=file:%s/said\\nStandardError=inherit\\nTimeoutStartSec=60\\n' \"$2\""
	" >system/probe.service\n"
	"ln -s ../probe.service system/probe.target.wants/\n"
	"printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >system/good.service\n"
	"printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n' >system/bad.service\n"
	"printf '[Service]\\nExecStartPre=/bin/sleep 1\\nExecStart=/bin/sleep infinity\\n'"
	" >system/slow.service\n"
	"exec env -i PATH=/usr/sbin:/usr/bin container=enclose /lib/systemd/systemd "
	"--unit=probe.target --show-status=no\n";

static struct world w;

static int begin(void **state)
{
	(void)state;
	world_new(&w, NULL, policy_text);
	world_start(&w);
	return world_until(&w, &w.readies, 1) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

static struct km_journal_record intent;

static void on_record(void *userdata, const struct km_journal_record *r)
{
	(void)userdata;
	if (r->kind == KM_J_INTENT)
		intent = *r;
}

static struct km_journal_record last_intent(void)
{
	struct km_journal_report report;

	memset(&intent, 0, sizeof(intent));
	assert_int_equal(km_journal_verify(w.dir_fd, on_record, NULL, &report), 0);
	return intent;
}

/* A property of UNIT as systemctl prints it. */
static const char *show(const char *unit, const char *property)
{
	static char text[256];
	char *argv[] = { "/usr/bin/systemctl", "show",       "--value", "-p",
		         (char *)property,     (char *)unit, NULL };

	assert_int_equal(test_run(argv, text, sizeof(text), WORLD_MS), 0);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void a_unit_is_started_restarted_and_stopped(void **state)
{
	char first[64];

	(void)state;
	assert_int_equal(world_do(&w, KM_START, "good.service"), KM_OUT_DONE);
	assert_string_equal(show("good.service", "ActiveState"), "active");
	km_copy(first, sizeof(first), show("good.service", "InvocationID"));
	assert_int_equal(world_do(&w, KM_RESTART, "good.service"), KM_OUT_DONE);
	assert_string_not_equal(show("good.service", "InvocationID"), first);
	/* The intent holds the invocation that there was before. */
	for (int i = 0; i < 16; i++) {
		char hex[3];

		snprintf(hex, sizeof(hex), "%02x", last_intent().invocation[i]);
		assert_memory_equal(hex, first + (size_t)i * 2, 2);
	}
	assert_int_equal(world_do(&w, KM_STOP, "good.service"), KM_OUT_DONE);
	assert_string_equal(show("good.service", "ActiveState"), "inactive");
}

static void a_unit_that_fails_or_does_not_exist_is_a_failed_act(void **state)
{
	(void)state;
	assert_int_equal(world_do(&w, KM_START, "bad.service"), KM_OUT_FAILED);
	assert_string_equal(w.outcome.detail, "failed");
	assert_int_equal(world_do(&w, KM_START, "none.service"), KM_OUT_FAILED);
	assert_non_null(strstr(w.outcome.detail, "not found"));
}

static void a_slow_unit_costs_the_act_its_deadline(void **state)
{
	struct km_act_request q = world_request(&w, KM_START, "slow.service");

	(void)state;
	q.timeout_ns = 200 * KM_NS_PER_MS;
	assert_int_equal(world_ask(&w, &q), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ETIMEDOUT);
	assert_int_equal(world_do(&w, KM_STOP, "slow.service"), KM_OUT_DONE);
}

static void a_signal_reaches_a_process_of_the_unit_and_no_other(void **state)
{
	struct km_act_request q = world_request(&w, KM_SEND_SIGNAL, "good.service");

	(void)state;
	assert_int_equal(world_do(&w, KM_START, "good.service"), KM_OUT_DONE);
	q.intent_id = w.next_id++;
	q.tgid = (uint32_t)getppid();
	q.signal = SIGTERM;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	q.intent_id = w.next_id++;
	q.tgid = (uint32_t)strtoul(show("good.service", "MainPID"), NULL, 10);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	for (int i = 0; i < 200 && strcmp(show("good.service", "ActiveState"), "active") == 0; i++)
		poll(NULL, 0, 10);
	assert_string_equal(show("good.service", "ActiveState"), "inactive");
}

/* Asks an actor in a process of its own for VERB, and kills that when the intent is on disk and MS
 * have passed; then says what a new one finds. */
static enum km_outcome_state interrupt(enum km_verb verb, const char *unit, int ms)
{
	struct km_act_request q;
	pid_t pid;

	world_end(&w);
	world_sockets(&w);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		km_close(&w.engine);
		if (km_loop_new(&w.opts.loop) < 0 || km_actor_new(&w.opts, &w.actor) < 0)
			_exit(1);
		_exit(km_loop_run(w.opts.loop) < 0);
	}
	km_close(&w.actors);
	assert_true(world_until(&w, &w.readies, 1));
	q = world_request(&w, verb, unit);
	world_send(&w, &q);
	while (last_intent().intent_id != q.intent_id)
		poll(NULL, 0, 1);
	poll(NULL, 0, ms);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	km_close(&w.engine);
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
	assert_int_equal(w.outcome.intent_id, q.intent_id);
	assert_int_equal(w.outcome.recovered, 1);
	return w.outcome.state;
}

static void an_interrupted_act_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(interrupt(KM_START, "slow.service", 100), KM_OUT_DONE);
	assert_string_equal(show("slow.service", "ActiveState"), "active");
	assert_string_equal(show("slow.service", "NRestarts"), "0");
	assert_int_equal(world_do(&w, KM_STOP, "slow.service"), KM_OUT_DONE);
}

static void a_stopped_bus_costs_the_act_its_deadline(void **state)
{
	char *find[] = { "/usr/bin/pgrep", "-x", "dbus-daemon", NULL };
	struct km_act_request q = world_request(&w, KM_RESTART, "good.service");
	char text[64];
	pid_t bus;

	(void)state;
	assert_int_equal(world_do(&w, KM_START, "good.service"), KM_OUT_DONE);
	assert_int_equal(test_run(find, text, sizeof(text), WORLD_MS), 0);
	bus = (pid_t)strtol(text, NULL, 10);
	assert_true(bus > 1);
	kill(bus, SIGSTOP);
	q.intent_id = w.next_id++;
	q.timeout_ns = 300 * KM_NS_PER_MS;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ETIMEDOUT);
	kill(bus, SIGCONT);
	assert_int_equal(world_do(&w, KM_RESTART, "good.service"), KM_OUT_DONE);
}

static int inside(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_unit_is_started_restarted_and_stopped),
		TEST(a_unit_that_fails_or_does_not_exist_is_a_failed_act),
		TEST(a_slow_unit_costs_the_act_its_deadline),
		TEST(a_signal_reaches_a_process_of_the_unit_and_no_other),
		TEST(an_interrupted_act_is_waited_for),
		TEST(a_stopped_bus_costs_the_act_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the tests inside said, each as a line of our own. */
static void a_real_systemd_is_acted_on(void **state)
{
	char share[] = "/tmp/kmend-act-XXXXXX", path[64], self[PATH_MAX], *enclose;
	static char text[65536], said[65536];
	size_t n = 0;
	FILE *f;
	int r;

	(void)state;
	if (access("/lib/systemd/systemd", X_OK) != 0 ||
	    access("/usr/bin/dbus-daemon", X_OK) != 0) {
		print_message("no systemd or no dbus-daemon is installed\n");
		skip();
	}
	assert_non_null(mkdtemp(share));
	r = (int)readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(r > 0);
	self[r] = '\0';
	enclose = strdupa(test_built("tests/lib/enclose"));
	r = test_run((char *const[]){ enclose, "--net", "--init", "--share", share, "--", "/bin/sh",
	                              "-c", (char *)boot_script, "boot", self, share, NULL },
	             text, sizeof(text), BOOT_MS);
	snprintf(path, sizeof(path), "%s/said", share);
	f = fopen(path, "re");
	if (f) {
		n = fread(said, 1, sizeof(said) - 1, f);
		fclose(f);
	}
	said[n] = '\0';
	unlink(path);
	rmdir(share);
	if (r != 0 || !strstr(said, "PASSED") || strstr(said, "FAILED"))
		fail_msg("exit %d\n%s\n%s", r, text, said);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_real_systemd_is_acted_on) };

	if (getenv("KMEND_INSIDE"))
		return inside();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
