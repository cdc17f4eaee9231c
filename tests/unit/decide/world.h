/* SPDX-License-Identifier: Apache-2.0 */
/* A small host for the tests of decide and verify: three services of one group, rules built by
 * hand, a clock that only the test moves. */
#ifndef KM_TEST_DECIDE_WORLD_H
#define KM_TEST_DECIDE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "decide/internal.h"
#include "lib/rule.h"

#define SECOND   KM_NS_PER_S
#define MINUTE   (60 * KM_NS_PER_S)
#define SERVICES 3
#define RULES    3

struct world {
	struct km_service_def def[SERVICES];
	struct km_config config;
	struct km_policy *policy;
	struct km_rules *rules;
	struct km_rule *rule[RULES]; /* the rules' */
	struct km_attribute *attribute;
	struct km_service *service[SERVICES]; /* attribute's */
	struct km_decide *decide;
	struct km_decide_world w;
};

static inline void world_policy(struct world *t, const char *text)
{
	static struct km_error err;

	km_policy_free(t->policy);
	t->policy = NULL;
	assert_int_equal(km_policy_compile(text, strlen(text), "policy", &err, &t->policy), 0);
	km_decide_configure(t->decide, &t->config, t->policy, t->rules);
}

static inline void world_services(struct world *t)
{
	static const char *const names[SERVICES] = { "app-a", "app-b", "app-c" };
	static char *argv[] = { (char *)"/usr/bin/app", NULL };

	for (unsigned int i = 0; i < SERVICES; i++) {
		struct km_service_def *def = &t->def[i];

		km_copy(def->name, sizeof(def->name), names[i]);
		km_copy(def->group, sizeof(def->group), "app");
		def->kind = KM_BY_COMMAND;
		def->argv = argv;
		def->autostart = true;
		def->instances = SERVICES;
	}
	t->config.settings.sample_period_ns = SECOND;
	t->config.settings.horizon_ns = 86400 * SECOND;
	t->config.services = t->def;
	t->config.service_count = SERVICES;
	assert_int_equal(km_attribute_new(&t->attribute), 0);
	assert_true(km_attribute_configure(t->attribute, &t->config, t->w.now_ns) >= 0);
	for (unsigned int i = 0; i < SERVICES; i++) {
		t->service[i] = km_attribute_service_by_name(t->attribute, names[i]);
		assert_non_null(t->service[i]);
		t->service[i]->state = KM_SERVICE_UP;
		t->service[i]->since_ns = t->w.now_ns - SECOND;
		t->service[i]->main_tgid = 100 + i;
		t->service[i]->main_start_ns = t->w.now_ns - SECOND;
	}
}

/* "leak" restarts on a forecast, "loop" notifies and quarantines, "start" starts what ended. */
static inline void world_rules(struct world *t)
{
	static const char *const ids[RULES] = { "leak", "loop", "start" };
	static struct km_error err;

	for (unsigned int i = 0; i < RULES; i++) {
		struct km_rule *r = build_rule(ids[i]);

		r->all_services = true;
		r->steps = 1;
		plan_of(r)[0].verb = i == 0 ? KM_RESTART : i == 1 ? KM_NOTIFY : KM_START;
		plan_of(r)[0].timeout_ns = 30 * SECOND;
		r->verify.within_ns = 20 * SECOND;
		r->verify.up = true;
		r->verify.up_for_ns = 5 * SECOND;
		r->otherwise = i == 1 ? KM_ELSE_QUARANTINE : KM_ELSE_ESCALATE;
		r->guard.mode = KM_AUTO;
		r->guard.approval_ns = 60 * MINUTE;
		t->rule[i] = r;
	}
	t->rule[2]->guard.backoff_base_ns = SECOND;
	t->rule[2]->guard.backoff_max_ns = 30 * SECOND;
	t->rule[2]->guard.backoff_reset_ns = MINUTE;
	assert_int_equal(km_rules_new(t->rule, RULES, &err, &t->rules), 0);
}

#define leak_rule(t)  ((t)->rule[0])
#define loop_rule(t)  ((t)->rule[1])
#define start_rule(t) ((t)->rule[2])

#define POLICY_TEXT                                                                          \
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\",\"signal\",\"throttle\"]," \
	"\"services\":[\"app-*\"],\"budget\":{\"service\":{\"count\":20,\"per\":\"10m\"},"   \
	"\"host\":{\"count\":100,\"per\":\"10m\"}}}"

static inline int world_setup(void **state)
{
	struct world *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->w.now_ns = 1000 * SECOND;
	world_services(t);
	t->w.attribute = t->attribute;
	world_rules(t);
	assert_int_equal(km_decide_new(&t->decide), 0);
	world_policy(t, POLICY_TEXT);
	*state = t;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *t = *state;

	km_decide_free(t->decide);
	km_rules_free(t->rules);
	km_policy_free(t->policy);
	km_attribute_free(t->attribute);
	free(t);
	return 0;
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

static inline void wait_ns(struct world *t, uint64_t ns)
{
	t->w.now_ns += ns;
}

static inline int tick(struct world *t)
{
	return km_decide_tick(t->decide, &t->w);
}

/* Next decision must be ANSWER. */
static inline const struct km_decision *expect(struct world *t, enum km_answer answer)
{
	const struct km_decision *d = km_decide_next(t->decide);

	if (!d)
		fail_msg("expected %s, nothing was decided", km_answer_names[answer]);
	else if (d->answer != answer)
		fail_msg("expected %s, got %s: %s", km_answer_names[answer],
		         km_answer_names[d->answer], d->reason);
	return d;
}

static inline void expect_nothing(struct world *t)
{
	const struct km_decision *d = km_decide_next(t->decide);

	if (d)
		fail_msg("expected nothing, got %s: %s", km_answer_names[d->answer], d->reason);
}

static inline const struct km_decision *expect_no(struct world *t, enum km_guard guard)
{
	const struct km_decision *d = expect(t, KM_ANSWER_NO);

	if (d->guard != guard)
		fail_msg("expected %s to fail, got %s", km_guard_names[guard],
		         km_guard_names[d->guard] ? km_guard_names[d->guard] : "none");
	assert_false(d->guards_passed & 1U << guard);
	return d;
}

static inline struct km_forecast forecast_now(const struct world *t, unsigned int service)
{
	return (struct km_forecast){
		.service_id = t->service[service]->id,
		.kind = KM_EXHAUSTION,
		.resource = KM_MEMORY,
		.t_ns = t->w.now_ns,
		.since_ns = t->w.now_ns,
		.eta_s = 18,
		.eta_lo_s = 15,
		.eta_hi_s = 24,
		.p = 0.5,
		.level = 60,
		.limit = 100,
	};
}

/* RULE speaks because of a forecast. */
static inline int speak(struct world *t, const struct km_rule *rule, unsigned int service)
{
	struct km_forecast f = forecast_now(t, service);
	struct km_match m = { .rule = rule,
		              .service_id = t->service[service]->id,
		              .t_ns = t->w.now_ns,
		              .spoke = KM_TRUE,
		              .line = 9,
		              .scoped = true,
		              .forecast = &f };

	return km_decide_match(t->decide, &t->w, &m);
}

static inline int silent(struct world *t, const struct km_rule *rule, unsigned int service,
                         enum km_truth truth)
{
	struct km_match m = { .rule = rule,
		              .service_id = t->service[service]->id,
		              .t_ns = t->w.now_ns,
		              .spoke = truth,
		              .scoped = true };

	return km_decide_match(t->decide, &t->w, &m);
}

/* What happens to the service itself, without anyone being told. */
static inline void ends(struct world *t, unsigned int service)
{
	struct km_service *s = t->service[service];

	s->last = (struct km_ending){ .t_ns = t->w.now_ns,
		                      .tgid = s->main_tgid,
		                      .exit_code = 1 << 8,
		                      .start_ns = s->main_start_ns,
		                      .known = 1 };
	s->state = KM_SERVICE_DOWN;
	s->since_ns = t->w.now_ns;
	s->main_tgid = 0;
	s->exits++;
}

static inline void comes_up(struct world *t, unsigned int service)
{
	struct km_service *s = t->service[service];

	s->state = KM_SERVICE_UP;
	s->since_ns = t->w.now_ns;
	s->main_tgid = 200 + ++s->starts;
	s->main_start_ns = t->w.now_ns;
}

/* RULE speaks because SERVICE ended. */
static inline int speak_ended(struct world *t, const struct km_rule *rule, unsigned int service)
{
	struct km_match m = { .rule = rule,
		              .service_id = t->service[service]->id,
		              .t_ns = t->w.now_ns,
		              .spoke = KM_TRUE,
		              .line = 4,
		              .scoped = true,
		              .event = KM_EV_ENDED };

	return km_decide_match(t->decide, &t->w, &m);
}

static inline int dies(struct world *t, unsigned int service)
{
	ends(t, service);
	return speak_ended(t, start_rule(t), service);
}

static inline int outcome(struct world *t, uint64_t id, enum km_outcome_state state)
{
	struct km_raw_outcome o = { .hdr.ktime_ns = t->w.now_ns, .intent_id = id, .state = state };

	km_copy(o.detail, sizeof(o.detail), "detail");
	return km_decide_outcome(t->decide, &t->w, &o);
}

static inline int command(struct world *t, uint64_t id, enum km_command what)
{
	struct km_raw_command c = {
		.hdr.ktime_ns = t->w.now_ns, .decision_id = id, .command = what, .uid = 7
	};

	return km_decide_command(t->decide, &t->w, &c);
}

static inline struct km_repair *repair(const struct world *t, const struct km_rule *rule,
                                       unsigned int service)
{
	uint64_t key[2] = { t->service[service]->id, rule ? rule->key : 0 };

	return km_table_get(t->decide->table[KM_T_REPAIR], key);
}

#endif
