// SPDX-License-Identifier: Apache-2.0
/* systemd units under a manager of the test's own: what it answers, how it hangs and breaks. */
#include "lib/actor_world.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#define MANAGER "org.freedesktop.systemd1"
#define JOB     "/org/freedesktop/systemd1/job/7"

static const char config_text[] =
	"{\"version\":1,\"services\":[{\"name\":\"web\",\"unit\":\"nginx.service\"}]}";
static const char policy_text[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\"],\"services\":[\"*\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":100,\"per\":\"1m\"}}}";

/* What the manager does with a job. */
enum fake_job {
	FAKE_DONE,
	FAKE_FAILED,
	FAKE_ERROR,
	FAKE_HANG,
	FAKE_NEVER,
	FAKE_BREAK,
	FAKE_DO_BREAK
};

/* Shared with the manager's process. */
static struct fake {
	enum fake_job job;
	bool hang;    /* no answer to any question */
	bool pending; /* a job is there when it is asked */
	uint8_t invocation;
	char active[16];
	unsigned int calls, connections;
	char member[32], unit[64];
} * fake;

static struct world w;
static pid_t manager;

static void removed(sd_bus *bus, const char *result)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_signal(bus, &m, "/org/freedesktop/systemd1", MANAGER ".Manager",
	                              "JobRemoved") < 0 ||
	    sd_bus_message_append(m, "uoss", 7, JOB, "nginx.service", result) < 0 ||
	    sd_bus_message_set_sender(m, MANAGER) < 0 || sd_bus_send(bus, m, NULL) < 0)
		_exit(3);
	sd_bus_message_unref(m);
}

/* StartUnit and its like; false: the connection breaks now. */
static bool serve_job(sd_bus *bus, sd_bus_message *m)
{
	const char *unit, *mode;

	if (sd_bus_message_read(m, "ss", &unit, &mode) < 0)
		_exit(4);
	fake->calls++;
	km_copy(fake->member, sizeof(fake->member), sd_bus_message_get_member(m));
	km_copy(fake->unit, sizeof(fake->unit), unit);
	if (fake->job == FAKE_DO_BREAK)
		fake->invocation++;
	if (fake->job == FAKE_BREAK || fake->job == FAKE_DO_BREAK)
		return false;
	if (fake->job == FAKE_ERROR)
		sd_bus_reply_method_errorf(m, MANAGER ".NoSuchUnit", "Unit %s not found.", unit);
	else if (fake->job != FAKE_HANG)
		sd_bus_reply_method_return(m, "o", JOB);
	if (fake->job == FAKE_DONE || fake->job == FAKE_FAILED)
		removed(bus, fake->job == FAKE_DONE ? "done" : "failed");
	return true;
}

static void list_units(sd_bus_message *m)
{
	sd_bus_message *reply = NULL;

	if (sd_bus_message_new_method_return(m, &reply) < 0 ||
	    sd_bus_message_append(reply, "a(ssssssouso)", 1, "nginx.service", "about", "loaded",
	                          fake->active, "sub", "", "/unit", fake->pending ? 7 : 0, "start",
	                          fake->pending ? JOB : "/") < 0 ||
	    sd_bus_send(NULL, reply, NULL) < 0)
		_exit(5);
	sd_bus_message_unref(reply);
}

static void tell_invocation(sd_bus_message *m)
{
	sd_bus_message *reply = NULL;
	uint8_t id[16];

	memset(id, fake->invocation, sizeof(id));
	if (sd_bus_message_new_method_return(m, &reply) < 0 ||
	    sd_bus_message_open_container(reply, 'v', "ay") < 0 ||
	    sd_bus_message_append_array(reply, 'y', id, sizeof(id)) < 0 ||
	    sd_bus_message_close_container(reply) < 0 || sd_bus_send(NULL, reply, NULL) < 0)
		_exit(6);
	sd_bus_message_unref(reply);
}

static bool serve(sd_bus *bus, sd_bus_message *m)
{
	const char *member = sd_bus_message_get_member(m);

	if (strcmp(member, "Hello") == 0)
		sd_bus_reply_method_return(m, "s", ":1.1");
	else if (strcmp(member, "AddMatch") == 0 || strcmp(member, "Subscribe") == 0)
		sd_bus_reply_method_return(m, NULL);
	else if (fake->hang)
		return true;
	else if (strcmp(member, "Get") == 0)
		tell_invocation(m);
	else if (strcmp(member, "ListUnitsByNames") == 0) {
		list_units(m);
		sd_bus_flush(bus);
		if (fake->pending)
			removed(bus, "done");
	} else {
		return serve_job(bus, m);
	}
	return true;
}

static void serve_connection(int fd)
{
	sd_id128_t id = { 0 };
	sd_bus_message *m;
	sd_bus *bus = NULL;
	bool go_on = true;
	int r;

	fake->connections++;
	if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
	    sd_bus_set_server(bus, 1, id) < 0 || sd_bus_start(bus) < 0)
		_exit(7);
	while (go_on) {
		r = sd_bus_process(bus, &m);
		if (r < 0)
			break;
		if (m && sd_bus_message_is_method_call(m, NULL, NULL) > 0)
			go_on = serve(bus, m);
		sd_bus_message_unref(m);
		if (r == 0)
			sd_bus_wait(bus, UINT64_MAX);
	}
	if (go_on)
		sd_bus_flush(bus);
	sd_bus_close_unref(bus);
}

static void run_manager(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	km_copy(a.sun_path, sizeof(a.sun_path), path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	manager = fork();
	if (manager > 0)
		close(fd);
	if (manager != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (c >= 0)
			serve_connection(c);
	}
}

static int begin(void **state)
{
	char path[96], address[128];

	(void)state;
	memset(fake, 0, sizeof(*fake));
	km_copy(fake->active, sizeof(fake->active), "active");
	fake->invocation = 1;
	world_new(&w, config_text, policy_text);
	snprintf(path, sizeof(path), "%s/bus", w.dir);
	snprintf(address, sizeof(address), "unix:path=%s", path);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	run_manager(path);
	world_start(&w);
	return world_until(&w, &w.readies, 1) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	world_free(&w);
	kill(manager, SIGKILL);
	waitpid(manager, NULL, 0);
	return 0;
}

static struct km_journal_record intent, outcome, refusal;

static void on_record(void *userdata, const struct km_journal_record *r)
{
	(void)userdata;
	if (r->kind == KM_J_INTENT)
		intent = *r;
	if (r->kind == KM_J_OUTCOME)
		outcome = *r;
	if (r->kind == KM_J_REFUSED)
		refusal = *r;
}

static void read_journal(void)
{
	struct km_journal_report report;

	memset(&intent, 0, sizeof(intent));
	memset(&outcome, 0, sizeof(outcome));
	memset(&refusal, 0, sizeof(refusal));
	assert_int_equal(km_journal_verify(w.dir_fd, on_record, NULL, &report), 0);
}

static void a_unit_is_done_when_its_job_is(void **state)
{
	(void)state;
	fake->invocation = 9;
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_DONE);
	assert_string_equal(fake->member, "RestartUnit");
	assert_string_equal(fake->unit, "nginx.service");
	read_journal();
	assert_int_equal(intent.invocation[0], 9);
	assert_int_equal(intent.invocation[15], 9);
	assert_int_equal(outcome.intent_id, intent.intent_id);
	assert_int_equal(world_do(&w, KM_START, "web"), KM_OUT_DONE);
	assert_string_equal(fake->member, "StartUnit");
	assert_int_equal(world_do(&w, KM_STOP, "web"), KM_OUT_DONE);
	assert_string_equal(fake->member, "StopUnit");
	assert_int_equal(fake->connections, 1);
}

static void a_unit_without_a_definition_goes_by_its_own_name(void **state)
{
	(void)state;
	assert_int_equal(world_do(&w, KM_START, "other@1.service"), KM_OUT_DONE);
	assert_string_equal(fake->unit, "other@1.service");
}

static void a_failed_job_is_a_failed_act(void **state)
{
	(void)state;
	fake->job = FAKE_FAILED;
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_FAILED);
	assert_string_equal(w.outcome.detail, "failed");
	fake->job = FAKE_ERROR;
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_FAILED);
	assert_string_equal(w.outcome.detail, "Unit nginx.service not found.");
}

static void ask_shortly(enum km_outcome_state wanted, bool journalled)
{
	struct km_act_request q = world_request(&w, KM_RESTART, "web");
	long begun = test_now_ms();

	q.timeout_ns = 100 * KM_NS_PER_MS;
	assert_int_equal(world_ask(&w, &q), wanted);
	assert_int_equal(w.outcome.error, -ETIMEDOUT);
	assert_in_range(test_now_ms() - begun, 100, 1000);
	read_journal();
	assert_int_equal(intent.intent_id, journalled ? q.intent_id : 0);
}

static void a_manager_that_hangs_does_not_hang_the_actor(void **state)
{
	(void)state;
	fake->hang = true;
	ask_shortly(KM_OUT_REFUSED, false);
	fake->hang = false;
	fake->job = FAKE_HANG;
	ask_shortly(KM_OUT_UNKNOWN, true);
	fake->job = FAKE_NEVER;
	ask_shortly(KM_OUT_FAILED, true);
	fake->job = FAKE_DONE;
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_DONE);
	assert_int_equal(fake->connections, 3);
}

static void a_stopped_manager_does_not_stop_the_actor(void **state)
{
	(void)state;
	kill(manager, SIGSTOP);
	ask_shortly(KM_OUT_REFUSED, false);
	kill(manager, SIGCONT);
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_DONE);
	assert_int_equal(fake->calls, 1);
}

static void after_a_broken_connection_the_world_is_looked_at(void **state)
{
	(void)state;
	fake->job = FAKE_BREAK;
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_NOT_DONE);
	fake->job = FAKE_DO_BREAK;
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_DONE);
	fake->pending = true;
	fake->job = FAKE_BREAK;
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "done");
	assert_int_equal(fake->calls, 3);
	assert_int_equal(w.outcome.recovered, 0);
}

static void without_a_bus_nothing_is_begun(void **state)
{
	(void)state;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	assert_int_equal(world_do(&w, KM_RESTART, "web"), KM_OUT_REFUSED);
	read_journal();
	assert_int_equal(intent.intent_id, 0);
	assert_int_equal(refusal.kind, KM_J_REFUSED);
}

/* Waits for one of the four to be over; after that it is another world and it is refused. */
static void at_most_four_units_are_acted_on_at_once(void **state)
{
	static const char *const names[] = { "a.service", "b.service", "c.service", "d.service" };
	struct km_act_request q;
	long begun = test_now_ms();

	(void)state;
	fake->job = FAKE_NEVER;
	for (size_t i = 0; i < KM_ARRAY_SIZE(names); i++) {
		q = world_request(&w, KM_START, names[i]);
		q.timeout_ns = 300 * KM_NS_PER_MS;
		world_send(&w, &q);
	}
	q = world_request(&w, KM_STOP, "e.service");
	q.timeout_ns = 100 * KM_NS_PER_MS;
	assert_int_equal(world_ask(&w, &q), KM_OUT_FAILED);
	assert_in_range(test_now_ms() - begun, 400, 2000);
	assert_int_equal(w.outcomes, 5);
	assert_string_equal(fake->member, "StopUnit");
	assert_int_equal(fake->calls, 5);
}

/* An intent that a killed actor left open, when the unit was in invocation BEFORE. */
static enum km_outcome_state recover(enum km_verb verb, uint8_t before)
{
	struct km_journal_record r = { .kind = KM_J_INTENT,
		                       .intent_id = w.next_id++,
		                       .verb = verb };
	struct km_chain *j;

	world_end(&w);
	km_copy(r.service, sizeof(r.service), "web");
	memset(r.invocation, before, sizeof(r.invocation));
	assert_int_equal(km_journal_open(w.dir_fd, NULL, NULL, &j), 0);
	assert_int_equal(km_journal_add(j, &r), 0);
	km_chain_close(j);
	world_start(&w);
	/* Those of before are said as well, to an engine that may have missed them. */
	assert_true(world_until(&w, &w.readies, 1));
	assert_true(w.outcomes >= 1);
	assert_int_equal(w.outcome.recovered, 1);
	read_journal();
	assert_int_equal(outcome.intent_id, r.intent_id);
	return outcome.state;
}

static void an_interrupted_act_is_told_by_invocation_and_job(void **state)
{
	(void)state;
	fake->invocation = 2;
	assert_int_equal(recover(KM_RESTART, 1), KM_OUT_DONE);
	assert_int_equal(recover(KM_RESTART, 2), KM_OUT_NOT_DONE);
	assert_int_equal(recover(KM_STOP, 2), KM_OUT_NOT_DONE);
	km_copy(fake->active, sizeof(fake->active), "failed");
	assert_int_equal(recover(KM_START, 1), KM_OUT_NOT_DONE);
	assert_int_equal(recover(KM_STOP, 2), KM_OUT_DONE);
	fake->pending = true;
	assert_int_equal(recover(KM_RESTART, 2), KM_OUT_DONE);
	assert_int_equal(fake->calls, 0);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	assert_int_equal(recover(KM_RESTART, 2), KM_OUT_UNKNOWN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unit_is_done_when_its_job_is),
		TEST(a_unit_without_a_definition_goes_by_its_own_name),
		TEST(a_failed_job_is_a_failed_act),
		TEST(a_manager_that_hangs_does_not_hang_the_actor),
		TEST(a_stopped_manager_does_not_stop_the_actor),
		TEST(after_a_broken_connection_the_world_is_looked_at),
		TEST(without_a_bus_nothing_is_begun),
		TEST(at_most_four_units_are_acted_on_at_once),
		TEST(an_interrupted_act_is_told_by_invocation_and_job),
	};

	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return fake == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
