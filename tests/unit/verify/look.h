/* SPDX-License-Identifier: Apache-2.0 */
/* One repair of one service that is looked at, a rule built by hand, a clock that only the test
 * moves. */
#ifndef KM_TEST_VERIFY_LOOK_H
#define KM_TEST_VERIFY_LOOK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/buf.h"
#include "lib/rule.h"
#include "verify/internal.h"

#define SECOND KM_NS_PER_S
#define BEGIN  (100 * SECOND)

struct look {
	struct km_verify *v;
	struct km_rules *rules;
	struct km_rule *rule; /* the rules' */
	struct km_service service;
	struct km_features memory;
	struct km_predict *predict;
	struct km_decision decision;
	uint64_t now_ns;
};

static inline int setup(void **state)
{
	static struct km_error err;
	struct look *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	assert_int_equal(km_verify_new(&l->v), 0);
	assert_int_equal(km_predict_new(&l->predict), 0);
	l->rule = build_rule("leak");
	l->rule->verify.within_ns = 20 * SECOND;
	assert_int_equal(km_rules_new(&l->rule, 1, &err, &l->rules), 0);
	l->now_ns = BEGIN;
	l->service.id = 42;
	l->service.state = KM_SERVICE_UP;
	l->service.since_ns = BEGIN;
	km_copy(l->service.name, sizeof(l->service.name), "app");
	l->memory = (struct km_features){ .service_id = 42, .level = 90, .limit = 100 };
	l->decision = (struct km_decision){ .id = 7,
		                            .incident_id = 3,
		                            .t_ns = BEGIN,
		                            .service_id = 42,
		                            .rule_key = l->rule->key,
		                            .verb = KM_RESTART,
		                            .has_forecast = 1,
		                            .service = "app",
		                            .rule = "leak" };
	*state = l;
	return 0;
}

static inline int teardown(void **state)
{
	struct look *l = *state;

	km_verify_free(l->v);
	km_predict_free(l->predict);
	km_rules_free(l->rules);
	free(l);
	return 0;
}

#define verify_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static inline void begin(struct look *l)
{
	struct km_raw_outcome o = { .hdr.ktime_ns = l->now_ns, .state = KM_OUT_DONE };

	assert_int_equal(km_verify_begin(l->v, &l->decision, &o, l->rule, 90), 0);
}

static inline void look_now(struct look *l, enum km_event event)
{
	struct km_verify_input in = { .now_ns = l->now_ns,
		                      .service = &l->service,
		                      .features = { [KM_MEMORY] = &l->memory },
		                      .predict = l->predict,
		                      .event = event };

	assert_int_equal(km_verify_service(l->v, l->rules, &in), 0);
}

static inline void look_at(struct look *l, uint64_t after_ns)
{
	l->now_ns = BEGIN + after_ns;
	look_now(l, KM_EV_NONE);
}

static inline const struct km_verdict *expect(struct look *l, enum km_verdict_kind kind)
{
	const struct km_verdict *v = km_verify_next(l->v);

	assert_non_null(v);
	if (v->kind != kind)
		fail_msg("expected %s, got %s: %s", km_verdict_names[kind],
		         km_verdict_names[v->kind], v->reason);
	assert_int_equal(v->decision_id, 7);
	assert_int_equal(v->incident_id, 3);
	assert_string_equal(v->service, "app");
	assert_string_equal(v->rule, "leak");
	return v;
}

static inline void expect_nothing(struct look *l)
{
	assert_null(km_verify_next(l->v));
}

#endif
