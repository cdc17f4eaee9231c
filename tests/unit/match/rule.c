// SPDX-License-Identifier: Apache-2.0
/* What a rule's file may say, and what it becomes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "match/rule.h"
#include "support.h"

static void a_full_rule_is_compiled_to_the_last_member(void **state)
{
	struct km_rule *r = fixture_rule("good/full.json");

	(void)state;
	assert_string_equal(r->id, "memory-leak");
	assert_string_equal(r->owner, "ops");
	assert_string_equal(r->rule_class, "good");
	assert_true(r->stable);
	assert_string_equal(r->references[0], "https://example.org/runbook");
	assert_false(r->all_services);
	assert_string_equal(r->services[1], "api");
	assert_null(r->services[2]);
	assert_int_equal(r->steps, 2);
	assert_int_equal(r->plan[0].verb, KM_SEND_SIGNAL);
	assert_int_equal(r->plan[0].signal, SIGHUP);
	assert_int_equal(r->plan[0].timeout_ns, 30 * KM_NS_PER_S);
	assert_int_equal(r->plan[1].verb, KM_RESTART);
	assert_int_equal(r->plan[1].timeout_ns, 20 * KM_NS_PER_S);
	assert_int_equal(r->plan[1].line, 21);
	assert_int_equal(r->otherwise, KM_ELSE_ESCALATE);
	km_rule_free(r);
}

static void conditions_are_laid_out_in_pre_order_with_their_lines(void **state)
{
	struct km_rule *r = fixture_rule("good/full.json");
	const struct km_cond *c = r->when;

	(void)state;
	assert_int_equal(c[0].op, KM_COND_ANY);
	assert_int_equal(c[0].children, 4);
	assert_int_equal(c[0].span, 5);
	assert_int_equal(c[1].op, KM_COND_FORECAST);
	assert_int_equal(c[1].line, 12);
	assert_int_equal(c[1].resource, KM_MEMORY);
	assert_int_equal(c[1].within_ns, 1800 * KM_NS_PER_S);
	assert_true(c[1].p == 0.5);
	assert_int_equal(c[2].op, KM_COND_EVENT);
	assert_int_equal(c[2].event, KM_EV_ENDED);
	assert_int_equal(c[2].how, KM_END_OOM);
	assert_int_equal(c[2].count, 2);
	assert_int_equal(c[3].op, KM_COND_STATE);
	assert_int_equal(c[3].state, KM_SERVICE_DOWN);
	assert_int_equal(c[3].for_ns, 5 * KM_NS_PER_S);
	assert_int_equal(c[4].op, KM_COND_LEVEL);
	assert_int_equal(c[4].resource, KM_DESCRIPTORS);
	assert_true(c[4].above == 0.9);
	assert_int_equal(r->unless[0].op, KM_COND_NOT);
	assert_int_equal(r->unless[0].span, 2);
	assert_int_equal(r->unless[1].state, KM_SERVICE_UP);
	km_rule_free(r);
}

static void verify_and_guard_are_read_whole(void **state)
{
	struct km_rule *r = fixture_rule("good/full.json");

	(void)state;
	assert_int_equal(r->verify.within_ns, 30 * KM_NS_PER_S);
	assert_true(r->verify.up && r->verify.forecast_gone && r->verify.no_end);
	assert_false(r->verify.none);
	assert_int_equal(r->verify.up_for_ns, 5 * KM_NS_PER_S);
	assert_int_equal(r->verify.below_resource, KM_MEMORY);
	assert_true(r->verify.below == 0.5);
	assert_int_equal(r->guard.mode, KM_SUGGEST);
	assert_int_equal(r->guard.cooldown_ns, 300 * KM_NS_PER_S);
	assert_int_equal(r->guard.budget.count, 3);
	assert_int_equal(r->guard.budget.per_ns, 3600 * KM_NS_PER_S);
	assert_int_equal(r->guard.min_healthy, 1);
	assert_int_equal(r->guard.backoff_base_ns, 10 * KM_NS_PER_S);
	assert_int_equal(r->guard.backoff_max_ns, 300 * KM_NS_PER_S);
	assert_int_equal(r->guard.backoff_reset_ns, 600 * KM_NS_PER_S);
	assert_int_equal(r->guard.approval_ns, 3600 * KM_NS_PER_S);
	km_rule_free(r);
}

/* A rule that says nothing of its guard does not act. */
static void what_is_left_out_has_the_careful_value(void **state)
{
	struct km_rule *r = rule_with(NULL, "{\"state\": {\"is\": \"down\"}}", NULL);

	(void)state;
	assert_int_equal(r->guard.mode, KM_OBSERVE);
	assert_int_equal(r->guard.budget.count, 0);
	assert_int_equal(r->guard.backoff_base_ns, 0);
	assert_int_equal(r->guard.approval_ns, 3600 * KM_NS_PER_S);
	assert_int_equal(r->otherwise, KM_ELSE_NEXT);
	assert_int_equal(r->unless[0].span, 0);
	assert_null(r->references);
	assert_int_equal(r->verify.below_resource, KM_RESOURCE_MAX);
	assert_true(r->verify.none);
	km_rule_free(r);
}

static void a_scope_is_a_list_of_globs_or_all(void **state)
{
	struct km_rule *some = fixture_rule("good/full.json");
	struct km_rule *all = rule_with("{\"all\": true}", "{\"state\": {\"is\": \"up\"}}", NULL);

	(void)state;
	assert_true(covers(some, "web-1"));
	assert_true(covers(some, "api"));
	assert_false(covers(some, "api-1"));
	assert_false(covers(some, "web"));
	assert_true(covers(all, "anything"));
	km_rule_free(some);
	km_rule_free(all);
}

static void starting_and_telling_disrupt_nothing(void **state)
{
	(void)state;
	assert_false(km_verb_disrupts(KM_START));
	assert_false(km_verb_disrupts(KM_NOTIFY));
	assert_true(km_verb_disrupts(KM_STOP));
	assert_true(km_verb_disrupts(KM_RESTART));
	assert_true(km_verb_disrupts(KM_SEND_SIGNAL));
	assert_true(km_verb_disrupts(KM_RAISE_LIMIT));
}

/* COUNT conditions: an "any" and COUNT - 1 leaves. */
static int compile_conditions(unsigned int count, struct km_error *err, struct km_rule **ret)
{
	struct km_buf *b = NULL;

	assert_int_equal(km_buf_new(KM_JSON_BYTES_MAX, &b), 0);
	km_buf_addf(b, "{\"any\": [");
	for (unsigned int i = 1; i < count; i++)
		km_buf_addf(b, "%s\n{\"state\": {\"is\": \"down\", \"for\": \"%us\"}}",
		            i > 1 ? "," : "", i);
	km_buf_addf(b, "]}");
	*ret = rule_with_error(NULL, km_buf_text(b), NULL, err);
	km_buf_free(b);
	return *ret ? 0 : -EBADMSG;
}

static void sixty_four_conditions_fit_and_one_more_is_refused_where_it_stands(void **state)
{
	struct km_error err;
	struct km_rule *r;

	(void)state;
	assert_int_equal(compile_conditions(KM_CONDITIONS_MAX, &err, &r), 0);
	assert_int_equal(r->when[0].span, KM_CONDITIONS_MAX);
	assert_int_equal(r->when[KM_CONDITIONS_MAX - 1].for_ns, 63 * KM_NS_PER_S);
	km_rule_free(r);
	assert_int_equal(compile_conditions(KM_CONDITIONS_MAX + 1, &err, &r), -EBADMSG);
	assert_non_null(strstr(err.what, "more than 64 conditions"));
	assert_int_equal(err.line, RULE_WHEN_LINE + KM_CONDITIONS_MAX);
}

/* The rule's object and the state's are two of the JSON reader's levels, each "not" one. */
static struct km_rule *nested(unsigned int nots, struct km_error *err)
{
	struct km_buf *b = NULL;
	struct km_rule *r;

	assert_int_equal(km_buf_new(KM_JSON_BYTES_MAX, &b), 0);
	for (unsigned int i = 0; i < nots; i++)
		km_buf_addf(b, "{\"not\":");
	km_buf_addf(b, "{\"state\":{\"is\":\"up\"}}");
	for (unsigned int i = 0; i < nots; i++)
		km_buf_addf(b, "}");
	r = rule_with_error(NULL, km_buf_text(b), NULL, err);
	km_buf_free(b);
	return r;
}

static void conditions_may_be_nested_as_deep_as_json_may(void **state)
{
	struct km_error err;
	struct km_rule *r = nested(KM_JSON_DEPTH_MAX - 3, &err);

	(void)state;
	assert_non_null(r);
	assert_int_equal(r->when[0].span, KM_JSON_DEPTH_MAX - 2);
	km_rule_free(r);
	assert_null(nested(KM_JSON_DEPTH_MAX - 2, &err));
	assert_int_equal(err.line, RULE_WHEN_LINE);
}

static void the_longest_horizon_is_thirty_days(void **state)
{
	static const char *const text = "{\"forecast\": {\"kind\": \"exhaustion\", \"resource\": "
					"\"threads\", \"probability\": 1, \"within\": \"30d\"}}";
	struct km_rule *r = rule_with(NULL, text, NULL);

	(void)state;
	assert_int_equal(r->when[0].within_ns, KM_WITHIN_MAX_NS);
	assert_int_equal(r->when[0].resource, KM_THREADS);
	km_rule_free(r);
}

static void a_crash_loop_needs_no_resource_and_no_time(void **state)
{
	struct km_rule *r =
		rule_with(NULL, "{\"forecast\": {\"kind\": \"crash_loop\", \"probability\": 0.5}}",
	                  NULL);

	(void)state;
	assert_int_equal(r->when[0].forecast_kind, KM_CRASH_LOOP);
	assert_int_equal(r->when[0].resource, KM_RESOURCE_MAX);
	assert_int_equal(r->when[0].within_ns, 0);
	km_rule_free(r);
}

static void the_same_text_has_the_same_digest_and_another_text_another(void **state)
{
	struct km_rule *a = rule_with(NULL, "{\"state\": {\"is\": \"up\"}}", NULL);
	struct km_rule *b = rule_with(NULL, "{\"state\": {\"is\": \"up\"}}", NULL);
	struct km_rule *c = rule_with(NULL, "{\"state\": {\"is\":  \"up\"}}", NULL);

	(void)state;
	assert_memory_equal(a->digest, b->digest, sizeof(a->digest));
	assert_memory_not_equal(a->digest, c->digest, sizeof(a->digest));
	assert_int_equal(a->key, c->key);
	km_rule_free(a);
	km_rule_free(b);
	km_rule_free(c);
}

/* With VERB instead of notify. */
static struct km_rule *doing(const char *verb, const char *when, struct km_error *err)
{
	char *text = NULL;
	struct km_rule *r = NULL;

	if (asprintf(&text,
	             "{\"version\": 1, \"id\": \"test\", \"summary\": \"s\", \"why\": \"w\","
	             "\"owner\": \"ops\", \"maturity\": \"experimental\","
	             "\"scope\": {\"services\": [\"web\"]}, \"when\": %s,"
	             "\"plan\": [{\"do\": \"%s\"}], \"verify\": {\"not_measured\": true}}",
	             when, verb) < 0)
		fail_msg("no memory");
	km_rule_compile(text, strlen(text), "test/test.json", err, &r);
	free(text);
	return r;
}

static void an_anomaly_disrupts_nothing(void **state)
{
	static const char *const when[] = {
		"{\"forecast\": {\"kind\": \"anomaly\", \"probability\": \"50%\"}}",
		"{\"all\": [{\"forecast\": {\"kind\": \"anomaly\", \"probability\": 0.5}}]}",
		"{\"not\": {\"forecast\": {\"kind\": \"anomaly\", \"probability\": \"50%\"}}}",
	};
	struct km_error err;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(when); i++) {
		struct km_rule *told = doing("notify", when[i], &err);
		struct km_rule *done = doing("restart", when[i], &err);

		assert_non_null(told);
		assert_int_equal(done != NULL, i == 2);
		if (!done)
			assert_string_equal(err.what,
			                    "an anomaly is a hint, and restart would follow it");
		km_rule_free(told);
		km_rule_free(done);
	}
}

static void a_failure_leaves_the_result_untouched(void **state)
{
	struct km_rule *mark = (struct km_rule *)&mark, *r = mark;
	struct km_error err;

	(void)state;
	assert_int_equal(km_rule_compile("{}", 2, "x.json", &err, &r), -EBADMSG);
	assert_ptr_equal(r, mark);
	assert_string_equal(err.file, "x.json");
	assert_null(km_rule_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_rule_is_compiled_to_the_last_member),
		cmocka_unit_test(conditions_are_laid_out_in_pre_order_with_their_lines),
		cmocka_unit_test(verify_and_guard_are_read_whole),
		cmocka_unit_test(what_is_left_out_has_the_careful_value),
		cmocka_unit_test(a_scope_is_a_list_of_globs_or_all),
		cmocka_unit_test(starting_and_telling_disrupt_nothing),
		cmocka_unit_test(sixty_four_conditions_fit_and_one_more_is_refused_where_it_stands),
		cmocka_unit_test(conditions_may_be_nested_as_deep_as_json_may),
		cmocka_unit_test(the_longest_horizon_is_thirty_days),
		cmocka_unit_test(an_anomaly_disrupts_nothing),
		cmocka_unit_test(a_crash_loop_needs_no_resource_and_no_time),
		cmocka_unit_test(the_same_text_has_the_same_digest_and_another_text_another),
		cmocka_unit_test(a_failure_leaves_the_result_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
