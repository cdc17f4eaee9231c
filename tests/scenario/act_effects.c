// SPDX-License-Identifier: Apache-2.0
/* What can be taken back, through a real actor on a supervised command in its own cgroup (root):
 * done, gone back in time, gone back after a crash, and left alone where somebody else was. */
#include "lib/actor_world.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#define V2  "/sys/fs/cgroup/unified/kmend"
#define CPU "/sys/fs/cgroup/cpu/kmend"
#define OUT "/run/out"

static const char policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"throttle\",\"release\",\"freeze\",\"thaw\","
	"\"renice\",\"raise_limit\"],\"services\":[\"*\"],\"budget\":{\"service\":{\"count\":100,"
	"\"per\":\"1m\"},\"host\":{\"count\":100,\"per\":\"1m\"}}}";

static struct world w;

static void begin(void)
{
	static char config[20000];

	unlink(OUT);
	snprintf(config, sizeof(config),
	         "{\"version\":1,\"services\":[{\"name\":\"s\",\"command\":[\"%s\",\"" OUT
	         "\",\"wait\"],\"stop_timeout\":\"200ms\"},"
	         "{\"name\":\"exe\",\"executable\":\"%s\"}]}",
	         test_built("tests/lib/child_service"), test_built("tests/lib/child_service"));
	world_new(&w, config, policy);
	w.opts.cgroup_root = V2;
	w.opts.cpu_root = access("/sys/fs/cgroup/cpu", F_OK) == 0 ? CPU : NULL;
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	world_wait_lines(OUT, 1);
}

static void end(void)
{
	if (w.actor)
		assert_int_equal(km_actor_stop_all(w.actor), 0);
	world_free(&w);
	assert_int_equal(rmdir(V2 "/s"), 0);
	rmdir(CPU "/s");
}

static struct km_act_request ask(enum km_verb verb, const char *object, uint64_t amount,
                                 uint64_t for_ns)
{
	struct km_act_request q = world_request(&w, verb, "s");

	q.args.amount = amount;
	q.args.duration_ns = for_ns;
	km_copy(q.args.object, sizeof(q.args.object), object);
	return q;
}

static char *text_of(const char *path)
{
	static char text[256];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* The actor dies and another one takes over. */
static void crash(void)
{
	world_end(&w);
	world_start(&w);
	assert_true(world_until(&w, &w.readies, 1));
}

static void a_freeze_goes_back_when_its_time_is_over(void **state)
{
	struct km_act_request q;

	(void)state;
	begin();
	q = ask(KM_FREEZE, "", 0, KM_NS_PER_S);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "frozen 0 to 1");
	assert_string_equal(text_of(V2 "/s/cgroup.freeze"), "1\n");
	assert_true(world_until(&w, &w.outcomes, w.outcomes + 1));
	assert_int_equal(w.outcome.intent_id, q.intent_id);
	assert_string_equal(w.outcome.detail, "set back");
	assert_string_equal(text_of(V2 "/s/cgroup.freeze"), "0\n");
	end();
}

static void a_thaw_takes_a_freeze_back_at_once_and_a_second_finds_nothing(void **state)
{
	struct km_act_request q;

	(void)state;
	begin();
	q = ask(KM_FREEZE, "", 0, 60 * KM_NS_PER_S);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	q = ask(KM_THAW, "", 0, 0);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(text_of(V2 "/s/cgroup.freeze"), "0\n");
	q = ask(KM_THAW, "", 0, 0);
	assert_int_equal(world_ask(&w, &q), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ENOENT);
	end();
}

static void what_was_frozen_is_thawed_in_time_by_the_next_actor(void **state)
{
	struct km_act_request q;
	long begun = test_now_ms();

	(void)state;
	begin();
	q = ask(KM_FREEZE, "", 0, KM_NS_PER_S);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	crash();
	assert_string_equal(text_of(V2 "/s/cgroup.freeze"), "1\n");
	while (strcmp(text_of(V2 "/s/cgroup.freeze"), "0\n") != 0) {
		assert_in_range(test_now_ms() - begun, 0, WORLD_MS);
		world_until(&w, &w.outcomes, w.outcomes + 1);
	}
	assert_in_range(test_now_ms() - begun, 1000, WORLD_MS);
	/* It is over: nobody does it again. */
	write_text(V2 "/s/cgroup.freeze", "1");
	crash();
	assert_string_equal(text_of(V2 "/s/cgroup.freeze"), "1\n");
	write_text(V2 "/s/cgroup.freeze", "0");
	end();
}

static void what_somebody_else_set_since_is_left_alone(void **state)
{
	struct km_act_request q;

	(void)state;
	begin();
	if (!w.opts.cpu_root) {
		end();
		skip();
	}
	q = ask(KM_THROTTLE, "cpu", 250000, KM_NS_PER_S);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	write_text(CPU "/s/cpu.cfs_quota_us", "77000");
	assert_true(world_until(&w, &w.outcomes, w.outcomes + 1));
	assert_string_equal(w.outcome.detail, "somebody else set it since: left alone");
	assert_string_equal(text_of(CPU "/s/cpu.cfs_quota_us"), "77000\n");
	end();
}

static void a_throttled_command_and_all_that_it_forks_get_their_share(void **state)
{
	struct km_act_request q;
	char path[64], want[32];

	(void)state;
	begin();
	if (!w.opts.cpu_root) {
		end();
		skip();
	}
	q = ask(KM_THROTTLE, "cpu", 250000, 60 * KM_NS_PER_S);
	snprintf(path, sizeof(path), "/proc/%u/cgroup", w.outcome.tgid);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_non_null(strstr(text_of(path), "cpu:/kmend/s\n"));
	snprintf(want, sizeof(want), "%ld\n", 25000 * sysconf(_SC_NPROCESSORS_ONLN));
	assert_string_equal(text_of(CPU "/s/cpu.cfs_quota_us"), want);
	/* For longer, or tighter: what was before it all is what is gone back to. */
	q = ask(KM_THROTTLE, "cpu", 100000, 60 * KM_NS_PER_S);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	crash();
	q = ask(KM_RELEASE, "cpu", 0, 0);
	q.intent_id = w.next_id++;
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(text_of(CPU "/s/cpu.cfs_quota_us"), "-1\n");
	end();
}

static void an_act_is_taken_back_by_its_number(void **state)
{
	struct km_act_request q, undo;
	uint32_t tgid;

	(void)state;
	begin();
	tgid = w.outcome.tgid;
	q = ask(KM_RENICE, "", 7, 0);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_int_equal(getpriority(PRIO_PROCESS, tgid), 7);
	undo = ask(KM_UNDO, "", q.intent_id + 1, 0);
	assert_int_equal(world_ask(&w, &undo), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ENOENT);
	undo = ask(KM_UNDO, "", q.intent_id, 0);
	assert_int_equal(world_ask(&w, &undo), KM_OUT_DONE);
	assert_int_equal(getpriority(PRIO_PROCESS, tgid), 0);
	/* Once is all. */
	undo = ask(KM_UNDO, "", q.intent_id, 0);
	assert_int_equal(world_ask(&w, &undo), KM_OUT_FAILED);
	end();
}

static void what_was_set_on_a_process_that_is_gone_is_gone_with_it(void **state)
{
	struct km_act_request q;
	uint64_t id;

	(void)state;
	begin();
	q = ask(KM_RENICE, "", 7, 0);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	id = q.intent_id;
	assert_int_equal(world_do(&w, KM_STOP, "s"), KM_OUT_DONE);
	q = ask(KM_UNDO, "", id, 0);
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "gone with what it was set on");
	end();
}

static void a_cgroup_that_is_shared_is_not_touched(void **state)
{
	struct km_act_request q;
	uint32_t tgid;

	(void)state;
	begin();
	tgid = w.outcome.tgid;
	q = ask(KM_FREEZE, "", 0, KM_NS_PER_S);
	km_copy(q.service, sizeof(q.service), "exe");
	q.tgid = tgid;
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ENOTUNIQ);
	assert_string_equal(text_of(V2 "/s/cgroup.freeze"), "0\n");
	/* Nor anything of a process that is not there. */
	q = ask(KM_FREEZE, "", 0, KM_NS_PER_S);
	q.tgid = (uint32_t)getpid();
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EPERM);
	end();
}

static void what_this_host_has_not_is_said(void **state)
{
	struct km_act_request q;

	(void)state;
	begin();
	if (!w.opts.cpu_root) {
		end();
		skip(); /* pure v2 */
	}
	q = ask(KM_THROTTLE, "io", 1 << 20, KM_NS_PER_S);
	assert_int_not_equal(world_ask(&w, &q), KM_OUT_DONE);
	q = ask(KM_THROTTLE, "memory", 1 << 20, KM_NS_PER_S);
	assert_int_not_equal(world_ask(&w, &q), KM_OUT_DONE);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_freeze_goes_back_when_its_time_is_over),
		cmocka_unit_test(a_thaw_takes_a_freeze_back_at_once_and_a_second_finds_nothing),
		cmocka_unit_test(what_was_frozen_is_thawed_in_time_by_the_next_actor),
		cmocka_unit_test(what_somebody_else_set_since_is_left_alone),
		cmocka_unit_test(a_throttled_command_and_all_that_it_forks_get_their_share),
		cmocka_unit_test(an_act_is_taken_back_by_its_number),
		cmocka_unit_test(what_was_set_on_a_process_that_is_gone_is_gone_with_it),
		cmocka_unit_test(a_cgroup_that_is_shared_is_not_touched),
		cmocka_unit_test(what_this_host_has_not_is_said),
	};

	(void)argc;
	test_enclose(argv, NULL);
	mkdir("/run/out.d", 0700);
	mkdir(V2, 0755);
	mkdir(CPU, 0755);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
