/* SPDX-License-Identifier: Apache-2.0 */
/* What a repair is to do next, by its rule; and the one rule that no file holds. */
#include "decide/internal.h"

/* The first start of a supervised command: its definition asks for it, the policy must allow it.
 * When it ends again is the rules' business. */
const struct km_rule km_plan_definition = {
	.id = "definition",
	.when = &(const struct km_cond){ 0 },
	.unless = &(const struct km_cond){ 0 },
	.steps = 1,
	.plan = &(const struct km_step){ .verb = KM_START, .timeout_ns = 30 * KM_NS_PER_S },
	.verify = { .within_ns = 30 * KM_NS_PER_S, .up = true, .below_resource = KM_RESOURCE_MAX },
	.otherwise = KM_ELSE_ESCALATE,
	.guard = { .mode = KM_AUTO },
};

const struct km_rule *km_plan_rule(const struct km_decide *d, uint64_t rule_key)
{
	if (!rule_key)
		return &km_plan_definition;
	return d->rules ? km_rules_get(d->rules, rule_key) : NULL;
}

void km_plan_move(struct km_decide *d, const struct km_decide_world *w, struct km_repair *r,
                  struct km_move *ret)
{
	*ret = (struct km_move){
		.d = d,
		.w = w,
		.r = r,
		.rule = km_plan_rule(d, r->rule_key),
		.service = km_attribute_service(w->attribute, r->service_id),
		.guard = KM_GUARD_MAX,
	};
}

/* NULL: none is left. A rule that was reloaded may have fewer than before. */
const struct km_step *km_plan_step(const struct km_move *m)
{
	if (!m->rule || m->r->step >= m->rule->steps)
		return NULL;
	return &m->rule->plan[m->r->step];
}

/* The endpoint that the step names, or that made the rule speak; and the standby that is well. */
static void add_endpoint(const struct km_move *m, const struct km_step *step,
                         struct km_verb_args *args)
{
	const struct km_service_def *def =
		m->d->config ? km_config_service(m->d->config, m->r->last.service) : NULL;
	const struct km_endpoint_state *now;
	const struct km_endpoint *e;

	if (!args->object[0])
		km_copy(args->object, sizeof(args->object), m->r->endpoint);
	e = def ? km_config_endpoint(def, args->object) : NULL;
	now = e ? km_attribute_endpoint(m->w->attribute, m->r->service_id, e->name) : NULL;
	if (step->verb == KM_FAIL_OVER && now)
		args->amount |= (uint64_t)km_endpoint_choose(now, e) << 8;
}

struct km_verb_args km_plan_args(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);
	struct km_verb_args args = step ? step->args : (struct km_verb_args){ 0 };

	if (step && (step->verb == KM_FAIL_OVER || step->verb == KM_FAIL_BACK))
		add_endpoint(m, step, &args);
	return args;
}

bool km_plan_only_notifies(const struct km_rule *rule)
{
	for (unsigned int i = 0; i < rule->steps; i++)
		if (rule->plan[i].verb != KM_NOTIFY)
			return false;
	return true;
}

/* A notification on the way to a repair must not hold the repair up; where it is all that a rule
 * does, it is what must be bounded. The definition's start is bounded by what asks for it. */
bool km_plan_counts(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);

	if (!step || !m->r->rule_key)
		return false;
	return step->verb != KM_NOTIFY || km_plan_only_notifies(m->rule);
}
