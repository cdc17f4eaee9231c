// SPDX-License-Identifier: Apache-2.0
/* The most that a rule can do: each bound by itself, and the smallest of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "review/harm.h"

#define HOUR (3600 * KM_NS_PER_S)

static struct km_harm harm(const char *plan, const char *guard, const char *policy,
                           const char *service, uint64_t services)
{
	struct km_harm_in in = { .service = service, .services = services, .span_ns = HOUR };
	struct km_rule *rule = NULL;
	struct km_policy *p = NULL;
	struct km_error err;
	struct km_harm ret;
	char *text = NULL;

	assert_true(asprintf(&text,
	                     "{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\","
	                     "\"owner\":\"o\",\"maturity\":\"experimental\",\"scope\":{\"all\":"
	                     "true},\"when\":{\"state\":{\"is\":\"down\"}},\"plan\":[%s],"
	                     "\"verify\":{\"not_measured\":true},\"guard\":{%s}}",
	                     plan, guard) > 0);
	if (km_rule_compile(text, strlen(text), "x/r.json", &err, &rule) < 0 ||
	    km_policy_compile(policy, strlen(policy), "p", &err, &p) < 0)
		fail_msg("%s", err.what);
	in.rule = rule;
	in.policy = p;
	km_harm_of(&in, &ret);
	km_rule_free(rule);
	km_policy_free(p);
	free(text);
	return ret;
}

#define RESTART "{\"do\":\"restart\",\"timeout\":\"90s\"}"
/* 5 an hour on a service, 20 on the host */
#define POLICY                                                                                  \
	"{\"version\":1,\"verbs\":[\"restart\",\"stop\"],\"services\":[\"web-*\"],\"budget\":{" \
	"\"service\":{\"count\":5,\"per\":\"1h\"},\"host\":{\"count\":20,\"per\":\"1h\"}}}"

static void each_bound_holds_by_itself(void **state)
{
	static const struct {
		const char *guard, *bound;
		uint64_t acts;
	} cases[] = {
		{ "\"mode\":\"auto\"", "policy's budget of a service", 5 },
		{ "\"cooldown\":\"20m\"", "cooldown", 3 },
		{ "\"cooldown\":\"21m\"", "cooldown", 3 },
		{ "\"cooldown\":\"2h\"", "cooldown", 1 },
		{ "\"budget\":{\"count\":2,\"per\":\"1h\"}", "rule's budget", 2 },
		{ "\"budget\":{\"count\":2,\"per\":\"31m\"}", "rule's budget", 4 },
		/* at 0, 10 m, 30 m, then 70 m */
		{ "\"backoff\":{\"base\":\"10m\",\"max\":\"1h\",\"reset\":\"1d\"}", "back-off", 3 },
		/* a good life between them makes it begin anew */
		{ "\"backoff\":{\"base\":\"10m\",\"max\":\"1h\",\"reset\":\"15m\"}", "back-off",
		  5 },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		struct km_harm h = harm(RESTART, cases[i].guard, POLICY, "web-1", 0);

		if (h.acts_a_service != cases[i].acts || !strstr(h.bound, cases[i].bound))
			fail_msg("%s: %u by %s", cases[i].guard, (unsigned int)h.acts_a_service,
			         h.bound);
		assert_true(h.allowed);
		assert_int_equal(h.acts, cases[i].acts);
		assert_int_equal(h.down_a_service_ns, cases[i].acts * 90 * KM_NS_PER_S);
	}
}

static void the_host_bounds_all_services_together(void **state)
{
	struct km_harm h = harm(RESTART, "\"mode\":\"auto\"", POLICY, NULL, 100);

	(void)state;
	assert_int_equal(h.acts, 20);
	assert_int_equal(h.services, 20);
	assert_int_equal(h.down_ns, 20 * 90 * KM_NS_PER_S);
	h = harm(RESTART, "\"mode\":\"auto\"", POLICY, NULL, 3);
	assert_int_equal(h.acts, 15);
	assert_int_equal(h.services, 3);
	/* how many there are is not known: as many as can be hit */
	h = harm(RESTART, "\"mode\":\"auto\"", POLICY, NULL, 0);
	assert_int_equal(h.services, 20);
}

static void what_the_policy_forbids_does_no_harm(void **state)
{
	(void)state;
	assert_false(harm("{\"do\":\"start\"}", "", POLICY, NULL, 3).allowed);
	assert_false(harm("{\"do\":\"notify\"}", "", POLICY, NULL, 3).allowed);
	assert_false(harm(RESTART, "", POLICY, "db", 0).allowed);
	assert_false(harm(RESTART, "", "{\"version\":1,\"verbs\":[\"restart\"]}", NULL, 3).allowed);
	assert_false(harm(RESTART, "", "{\"version\":1}", NULL, 3).allowed);
}

static void what_is_stopped_stays_down(void **state)
{
	struct km_harm h = harm("{\"do\":\"stop\"}", "\"cooldown\":\"2h\"", POLICY, "web-1", 0);

	(void)state;
	assert_true(h.for_good);
	assert_int_equal(h.down_a_service_ns, HOUR);
	assert_false(harm(RESTART, "", POLICY, "web-1", 0).for_good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bound_holds_by_itself),
		cmocka_unit_test(the_host_bounds_all_services_together),
		cmocka_unit_test(what_the_policy_forbids_does_no_harm),
		cmocka_unit_test(what_is_stopped_stays_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
