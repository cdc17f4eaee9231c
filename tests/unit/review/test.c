// SPDX-License-Identifier: Apache-2.0
/* A rule's unit tests: what each part of a test file makes happen, and what each expectation sees.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "review/test.h"

#define RULE(when, plan, guard)                                                             \
	"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","      \
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"web-*\"]},\"when\":" when \
	",\"plan\":[" plan "],\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true}},"       \
	"\"guard\":{" guard "}}"

#define ON_END    "{\"event\":{\"is\":\"ended\",\"how\":\"failed\"}}"
#define RESTART   "{\"do\":\"restart\"}"
#define START     "{\"do\":\"start\"}"
#define SUGGEST   "\"mode\":\"suggest\""
#define END_AT(t) "\"events\":[{\"at\":\"" t "\",\"is\":\"ended\"}]"

/* The result of the test with the MEMBERS, which must be readable. */
static struct km_test_result result(const char *rule_text, const char *members,
                                    struct km_coverage *cover)
{
	char *text = NULL;
	struct km_rule_text in = { .file = "x/r.test.json" };
	struct km_test_result ret = { 0 };
	struct km_tests *tests = NULL;
	struct km_rule *rule = NULL;
	struct km_error err = { 0 };
	struct km_coverage ignored = { 0 };

	assert_true(asprintf(&text, "{\"version\":1,\"tests\":[{\"name\":\"t\",%s}]}", members) >
	            0);
	in.text = text;
	in.len = strlen(text);
	if (km_rule_compile(rule_text, strlen(rule_text), "x/r.json", &err, &rule) < 0 ||
	    km_tests_compile(rule, &in, &err, &tests) < 0)
		fail_msg("%s: %s", err.file, err.what);
	else
		km_test_run(&(struct km_test_rule){ rule, rule_text }, &tests->test[0],
		            cover ? cover : &ignored, &ret);
	km_tests_free(tests);
	km_rule_free(rule);
	free(text);
	return ret;
}

static void passes(const char *rule_text, const char *members)
{
	struct km_test_result r = result(rule_text, members, NULL);

	if (!r.passed)
		fail_msg("%s: %s", members, r.what);
}

static void fails(const char *rule_text, const char *members, const char *what)
{
	struct km_test_result r = result(rule_text, members, NULL);

	assert_false(r.passed);
	if (!strstr(r.what, what))
		fail_msg("said: %s", r.what);
}

static void an_event_makes_the_rule_speak_at_its_time_only(void **state)
{
	const char *rule = RULE(ON_END, START, SUGGEST);

	(void)state;
	passes(rule, END_AT("30s") ",\"expect\":[{\"at\":\"30s\",\"speaks\":true}]");
	passes(rule, END_AT("30s") ",\"expect\":[{\"at\":\"10s\",\"speaks\":false}]");
	fails(rule, END_AT("30s") ",\"expect\":[{\"at\":\"10s\",\"speaks\":true}]",
	      "spoke at 0 of 3 looks");
	fails(rule, END_AT("30s") ",\"expect\":[{\"speaks\":false}]", "last at 30s");
	/* one line of text: the condition's line is 1 */
	passes(rule, END_AT("30s") ",\"expect\":[{\"speaks\":true,\"line\":1}]");
	fails(rule, END_AT("30s") ",\"expect\":[{\"speaks\":true,\"line\":2}]", "0 of");
	fails(rule, END_AT("30s") ",\"expect\":[{\"speaks\":true,\"always\":true}]", "1 of");
}

static void who_was_never_looked_at_is_not_silent(void **state)
{
	(void)state;
	fails(RULE(ON_END, START, SUGGEST),
	      "\"services\":[\"other\"],\"until\":\"10s\",\"expect\":[{\"speaks\":false}]",
	      "never looked at");
}

static void each_way_to_end_is_seen_as_such(void **state)
{
	static const char *const how[] = { "clean", "failed", "signaled", "outsider", "oom" };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(how); i++)
		for (size_t k = 0; k < KM_ARRAY_SIZE(how); k++) {
			char *rule = NULL, *members = NULL;
			/* who is killed is signaled, whoever did it */
			bool same = i == k || (!strcmp(how[i], "signaled") && k >= 2);

			assert_true(asprintf(&rule,
			                     RULE("{\"event\":{\"is\":\"ended\",\"how\":\"%s\"}}",
			                          START, SUGGEST),
			                     how[i]) > 0);
			assert_true(asprintf(&members,
			                     "\"events\":[{\"at\":\"5s\",\"is\":\"ended\","
			                     "\"how\":\"%s\"}],\"until\":\"10s\",\"expect\":"
			                     "[{\"speaks\":%s}]",
			                     how[k], same ? "true" : "false") > 0);
			passes(rule, members);
			free(rule);
			free(members);
		}
}

static void a_leak_is_forecast_and_suggested(void **state)
{
	const char *rule = RULE("{\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\","
	                        "\"probability\":\"50%\",\"within\":\"10m\"}}",
	                        RESTART, SUGGEST);

	(void)state;
	passes(rule, "\"series\":[{\"of\":\"memory\",\"limit\":\"512MiB\",\"noise\":\"256KiB\","
	             "\"levels\":[\"100MiB for 60s\",\"to 100% in 5m\"]}],\"until\":\"5m\","
	             "\"expect\":[{\"to\":\"60s\",\"speaks\":false},"
	             "{\"from\":\"2m\",\"speaks\":true},{\"forecast\":\"exhaustion\"},"
	             "{\"decision\":\"suggest\",\"do\":\"restart\"}]");
	passes(rule, "\"series\":[{\"of\":\"memory\",\"limit\":\"512MiB\",\"noise\":\"256KiB\","
	             "\"levels\":[\"400MiB for 5m\"]}],\"expect\":[{\"speaks\":false},"
	             "{\"forecast\":\"exhaustion\",\"count\":0},{\"decision\":\"suggest\","
	             "\"count\":0}]");
}

static void levels_of_every_resource_arrive(void **state)
{
	char *rule = NULL, *members = NULL;

	(void)state;
	for (int i = 0; i < KM_RESOURCE_MAX; i++) {
		const char *name = km_resource_names[i];

		/* nothing measures it in this version, so no rule can ask for it */
		if (km_catalogue_of((enum km_resource)i) == KM_SIG_MAX)
			continue;
		assert_true(asprintf(&rule,
		                     RULE("{\"level\":{\"resource\":\"%s\",\"above\":\"90%%\"}}",
		                          RESTART, SUGGEST),
		                     name) > 0);
		assert_true(asprintf(&members,
		                     "\"series\":[{\"of\":\"%s\",\"limit\":1000,\"levels\":"
		                     "[\"900 for 10s\",\"901 for 10s\"]}],\"expect\":["
		                     "{\"to\":\"9s\",\"speaks\":false},"
		                     "{\"from\":\"10s\",\"speaks\":true,\"always\":true}]",
		                     name) > 0);
		passes(rule, members);
		free(rule);
		free(members);
	}
}

static void what_is_no_service_has_levels_too(void **state)
{
	static const char rule[] =
		"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
		"\"maturity\":\"experimental\",\"scope\":{\"entity\":\"host\",\"all\":true},"
		"\"when\":"
		"{\"level\":{\"resource\":\"host_memory\",\"above\":\"90%\"}},"
		"\"plan\":[{\"do\":\"notify\"}],\"verify\":{\"not_measured\":true}}";

	(void)state;
	passes(rule,
	       "\"services\":[\"web\"],\"series\":[{\"of\":\"host_memory\",\"entity\":\"host\","
	       "\"limit\":\"8GiB\",\"levels\":[\"50% for 10s\",\"95% for 10s\"]}],\"expect\":["
	       "{\"service\":\"host\",\"to\":\"9s\",\"speaks\":false},"
	       "{\"service\":\"host\",\"from\":\"10s\",\"speaks\":true}]");
}

static void the_ladder_is_climbed_as_the_actor_answers(void **state)
{
	const char *rule =
		RULE("{\"state\":{\"is\":\"up\"}}", RESTART ",{\"do\":\"notify\"}", SUGGEST);

	(void)state;
	passes(rule, "\"mode\":\"auto\",\"expect\":[{\"decision\":\"act\",\"do\":\"restart\"},"
	             "{\"verdict\":\"helped\"},{\"decision\":\"act\",\"do\":\"notify\","
	             "\"count\":0}]");
	passes(rule, "\"mode\":\"auto\",\"acts\":\"failed\",\"expect\":[{\"decision\":\"act\","
	             "\"do\":\"notify\",\"step\":2}]");
	passes(rule, "\"mode\":\"auto\",\"acts\":\"none\",\"expect\":["
	             "{\"decision\":\"act\",\"do\":\"notify\",\"count\":0},"
	             "{\"decision\":\"escalate\",\"from\":\"40s\"}]");
	passes(rule, "\"mode\":\"approve\",\"events\":[{\"at\":\"20s\",\"is\":\"approve\"}],"
	             "\"expect\":[{\"decision\":\"ask\"},{\"at\":\"20s\",\"decision\":\"act\"}]");
	passes(rule, "\"mode\":\"approve\",\"events\":[{\"at\":\"20s\",\"is\":\"deny\"}],"
	             "\"expect\":[{\"at\":\"20s\",\"decision\":\"no\",\"guard\":\"mode\"},"
	             "{\"decision\":\"act\",\"count\":0}]");
}

static void the_policy_of_a_test_bounds_it(void **state)
{
	(void)state;
	passes(RULE("{\"state\":{\"is\":\"up\"}}", RESTART, SUGGEST),
	       "\"mode\":\"auto\",\"policy\":{\"version\":1,\"verbs\":[\"notify\"]},"
	       "\"expect\":[{\"decision\":\"no\",\"guard\":\"policy\"},"
	       "{\"decision\":\"act\",\"count\":0}]");
}

static void every_kind_of_service_can_be_played(void **state)
{
	static const char *const ways[] = {
		"\"unit\":\"web-1.service\"",     "\"cgroup\":\"/own/web\"",
		"\"container\":\"0123456789ab\"", "\"executable\":\"/usr/bin/web\"",
		"\"pidfile\":\"/run/web.pid\"",   "\"command\":[\"/usr/bin/web\"]",
	};
	char *members = NULL;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(ways); i++) {
		assert_true(asprintf(&members,
		                     "\"services\":[{\"name\":\"web-1\",%s}],\"mode\":\"auto\","
		                     "\"events\":[{\"at\":\"9s\",\"is\":\"ended\"}],\"expect\":["
		                     "{\"at\":\"9s\",\"decision\":\"act\",\"do\":\"start\"},"
		                     "{\"verdict\":\"helped\"}]",
		                     ways[i]) > 0);
		passes(RULE(ON_END, START, SUGGEST), members);
		free(members);
	}
}

static void repeated_ends_that_come_back_are_counted(void **state)
{
	(void)state;
	passes(RULE("{\"event\":{\"is\":\"ended\",\"how\":\"failed\",\"count\":3,\"within\":"
	            "\"1m\"}}",
	            START, SUGGEST),
	       "\"events\":[{\"at\":\"10s\",\"is\":\"ended\",\"back\":\"1s\",\"count\":3,"
	       "\"every\":\"10s\"}],\"expect\":[{\"to\":\"29s\",\"speaks\":false},"
	       "{\"at\":\"30s\",\"speaks\":true}]");
}

static void conditions_that_were_seen_both_ways_are_covered(void **state)
{
	const char *rule = RULE("{\"all\":[{\"state\":{\"is\":\"up\"}},{\"level\":{\"resource\":"
	                        "\"memory\",\"above\":\"50%\"}}]}",
	                        RESTART, SUGGEST);
	const uint8_t both = 1 << KM_TRUE | 1 << KM_FALSE;
	struct km_coverage cover = { 0 };

	(void)state;
	result(rule,
	       "\"series\":[{\"of\":\"memory\",\"limit\":10,\"levels\":[\"1 for 5s\",\"9 for "
	       "5s\"]}],"
	       "\"expect\":[{\"speaks\":true}]",
	       &cover);
	assert_int_equal(cover.when[0] & both, both);
	assert_int_equal(cover.when[1] & both, 1 << KM_TRUE);
	assert_int_equal(cover.when[2] & both, both);
}

/* Members of a test, and what is wrong with them. */
static const struct {
	const char *members, *what;
} bad[] = {
	{ "\"expect\":[]", "expects nothing" },
	{ "\"expect\":[{}]", "says one thing" },
	{ "\"expect\":[{\"speaks\":true,\"verdict\":\"helped\"}]", "says one thing" },
	{ "\"expect\":[{\"speaks\":true,\"at\":\"1s\",\"to\":\"2s\"}]", "two windows" },
	{ "\"expect\":[{\"speaks\":true,\"from\":\"3s\",\"to\":\"2s\"}]", "before" },
	{ "\"expect\":[{\"speaks\":true,\"service\":\"x\"}]", "nothing in this test" },
	{ "\"down\":[\"x\"],\"expect\":[{\"speaks\":true}]", "no service of this test" },
	{ "\"services\":[],\"expect\":[{\"speaks\":true}]", "1 to 32 services" },
	{ "\"services\":[\"a\",\"a\"],\"expect\":[{\"speaks\":true}]", "a" },
	{ "\"services\":[7],\"expect\":[{\"speaks\":true}]", "" },
	{ "\"policy\":{\"verbs\":[\"x\"]},\"expect\":[{\"speaks\":true}]", "" },
	{ "\"series\":[{\"of\":\"x\",\"levels\":[\"1 for 1s\"]}],\"expect\":"
	  "[{\"speaks\":true}]",
	  "no such level of a service" },
	{ "\"series\":[{\"of\":\"memory\",\"levels\":[]}],\"expect\":[{\"speaks\":true}]",
	  "1 to 64 pieces" },
	{ "\"series\":[{\"of\":\"memory\",\"levels\":[\"90% for 1s\"]}],\"expect\":"
	  "[{\"speaks\":true}]",
	  "a limit that there is not" },
	{ "\"events\":[{\"at\":\"1s\",\"is\":\"oom\",\"count\":2}],\"expect\":"
	  "[{\"speaks\":true}]",
	  "a time between" },
	{ "\"series\":[{\"of\":\"host.files.used\",\"levels\":[\"1 for 1s\"]}],\"expect\":"
	  "[{\"speaks\":true}]",
	  "no such level of a service" },
	{ "\"series\":[{\"of\":\"process.forks\",\"levels\":[\"1 for 1s\"]}],\"expect\":"
	  "[{\"speaks\":true}]",
	  "no such level of a service" },
	{ "\"series\":[{\"of\":\"memory\",\"entity\":\"x>1\",\"levels\":[\"1 for 1s\"]}],"
	  "\"expect\":[{\"speaks\":true}]",
	  "nothing in this test" },
	{ "\"clock\":\"mon 24:00\",\"expect\":[{\"speaks\":true}]", "time of the week" },
	{ "\"clock\":\"someday\",\"expect\":[{\"speaks\":true}]", "time of the week" },
	{ "\"every\":\"100ms\",\"until\":\"7d\",\"expect\":[{\"speaks\":true}]",
	  "at most 604800 passes" },
	{ "\"expect\":[{\"speaks\":true}],\"spoke\":1", "spoke" },
	{ "\"trace\":\"../x.trace\",\"expect\":[{\"speaks\":true}]", "not the name of a file" },
	{ "\"trace\":\"/x\",\"expect\":[{\"speaks\":true}]", "not the name of a file" },
	{ "\"trace\":\"x.trace\",\"down\":[],\"expect\":[{\"speaks\":true}]", "its own" },
	{ "\"trace\":\"x.trace\",\"mode\":\"approve\",\"expect\":[{\"speaks\":true}]",
	  "its own mode, or auto" },
};

static void what_is_wrong_in_a_test_file_is_said_at_its_place(void **state)
{
	struct km_rule *rule = NULL;
	struct km_error err;

	(void)state;
	assert_int_equal(km_rule_compile(RULE(ON_END, START, SUGGEST),
	                                 strlen(RULE(ON_END, START, SUGGEST)), "r.json", &err,
	                                 &rule),
	                 0);
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct km_rule_text in = { .file = "r.test.json" };
		struct km_tests *tests = NULL;
		char *text = NULL;

		assert_true(asprintf(&text, "{\"version\":1,\n\"tests\":[{\"name\":\"t\",\n%s}]}",
		                     bad[i].members) > 0);
		in.text = text;
		in.len = strlen(text);
		memset(&err, 0, sizeof(err));
		assert_int_equal(km_tests_compile(rule, &in, &err, &tests), -EBADMSG);
		if (!strstr(err.what, bad[i].what) || err.line < 2)
			fail_msg("%s: line %u: %s", bad[i].members, err.line, err.what);
		free(text);
	}
	km_rule_free(rule);
}

/* Over the recorded demo, whose service "demo-crash" ends again and again. */
static void a_recorded_host_is_asked_as_a_made_one_is(void **state)
{
	static const char rule_text[] =
		"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
		"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"demo-*\"]},\"when\":{"
		"\"event\":{\"is\":\"ended\",\"how\":\"failed\"}},\"plan\":[{\"do\":\"start\"}],"
		"\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true}},"
		"\"guard\":{\"mode\":\"suggest\"}}";
	static const char text[] =
		"{\"version\":1,\"tests\":["
		"{\"name\":\"a\",\"trace\":\"demo.trace\",\"services\":[\"demo-crash\",\"demo-"
		"leak\"],"
		"\"expect\":[{\"to\":\"5s\",\"speaks\":true},{\"decision\":\"suggest\",\"do\":"
		"\"start\"},"
		"{\"service\":\"demo-leak\",\"decision\":\"suggest\",\"count\":0}]},"
		"{\"name\":\"b\",\"trace\":\"demo.trace\",\"mode\":\"auto\",\"services\":["
		"\"demo-crash\"],\"expect\":[{\"decision\":\"act\",\"do\":\"start\"}]},"
		"{\"name\":\"c\",\"trace\":\"demo.trace\",\"services\":[\"demo-crash\"],"
		"\"expect\":[{\"speaks\":false}]},"
		"{\"name\":\"d\",\"trace\":\"none.trace\",\"services\":[\"demo-crash\"],"
		"\"expect\":[{\"speaks\":false}]}]}";
	static const bool passes[] = { true, true, false };
	const struct km_rule_text in = { .text = text,
		                         .len = strlen(text),
		                         .file = "tests/fixtures/traces/r.test.json" };
	struct km_tests *tests = NULL;
	struct km_rule *rule = NULL;
	struct km_test_result result;
	struct km_coverage cover = { 0 };
	struct km_error err;

	(void)state;
	assert_int_equal(km_rule_compile(rule_text, strlen(rule_text), "x/r.json", &err, &rule), 0);
	assert_int_equal(km_tests_compile(rule, &in, &err, &tests), 0);
	for (size_t i = 0; i < KM_ARRAY_SIZE(passes); i++) {
		assert_int_equal(km_test_run(&(struct km_test_rule){ rule, rule_text },
		                             &tests->test[i], &cover, &result),
		                 0);
		if (result.passed != passes[i])
			fail_msg("%s: %s", tests->test[i].name, result.what);
	}
	assert_int_equal(km_test_run(&(struct km_test_rule){ rule, rule_text }, &tests->test[3],
	                             &cover, &result),
	                 -EBADMSG);
	assert_non_null(strstr(result.what, "cannot be run"));
	km_tests_free(tests);
	km_rule_free(rule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_makes_the_rule_speak_at_its_time_only),
		cmocka_unit_test(who_was_never_looked_at_is_not_silent),
		cmocka_unit_test(each_way_to_end_is_seen_as_such),
		cmocka_unit_test(a_leak_is_forecast_and_suggested),
		cmocka_unit_test(levels_of_every_resource_arrive),
		cmocka_unit_test(what_is_no_service_has_levels_too),
		cmocka_unit_test(the_ladder_is_climbed_as_the_actor_answers),
		cmocka_unit_test(the_policy_of_a_test_bounds_it),
		cmocka_unit_test(every_kind_of_service_can_be_played),
		cmocka_unit_test(repeated_ends_that_come_back_are_counted),
		cmocka_unit_test(conditions_that_were_seen_both_ways_are_covered),
		cmocka_unit_test(what_is_wrong_in_a_test_file_is_said_at_its_place),
		cmocka_unit_test(a_recorded_host_is_asked_as_a_made_one_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
