// SPDX-License-Identifier: Apache-2.0
/* Warnings: what a rule may say, and a reviewer should see before it runs. */
#include "match/warn.h"

static const cJSON *member(const cJSON *obj, const char *key)
{
	return obj ? cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

void km_compile_warn(struct km_compile *c, const cJSON *node, const char *remedy, const char *what)
{
	struct km_error warning = { 0 };

	km_json_fail(c->doc, node, &warning, remedy, "%s", what);
	c->in->warn(c->in->userdata, &warning);
}

static const struct km_step *disrupting(const struct km_rule *rule)
{
	for (unsigned int i = 0; i < rule->steps; i++)
		if (km_verb_disrupts(rule->plan[i].verb))
			return &rule->plan[i];
	return NULL;
}

static void warn_of_reach(struct km_compile *c, const cJSON *root)
{
	const struct km_rule *rule = &c->rule;

	if (!disrupting(rule) || rule->guard.mode != KM_AUTO)
		return;
	if (rule->all_services)
		km_compile_warn(c, member(root, "scope"), "name the services, or use mode approve",
		                "this rule may disrupt every service of the host by itself");
	if (rule->verify.none)
		km_compile_warn(c, member(root, "verify"), "verify at least that the service is up",
		                "this rule acts by itself and nothing tells whether it helped");
}

static void warn_of_times(struct km_compile *c, const cJSON *root)
{
	const struct km_guard_spec *g = &c->rule.guard;
	const cJSON *guard = member(root, "guard");

	if (g->cooldown_ns && g->cooldown_ns < c->rule.verify.within_ns)
		km_compile_warn(c, member(guard, "cooldown"),
		                "make it as long as the \"within\" of \"verify\" at least",
		                "the cooldown is over before it is known whether the act helped");
	if (g->backoff_max_ns < g->backoff_base_ns)
		km_compile_warn(c, member(member(guard, "backoff"), "max"),
		                "make \"max\" the longer one", "\"max\" is shorter than \"base\"");
	if (c->rule.verify.up_for_ns > c->rule.verify.within_ns)
		km_compile_warn(c, member(member(member(root, "verify"), "that"), "up_for"),
		                "make \"within\" longer",
		                "\"up_for\" is longer than \"within\", this cannot hold in time");
	/* Acts that are a cooldown apart: so many at most begin within one budget's span. */
	if (g->cooldown_ns && g->budget.count &&
	    g->budget.count > (g->budget.per_ns - 1) / g->cooldown_ns)
		km_compile_warn(c, member(guard, "budget"),
		                "lower its count or shorten the cooldown",
		                "the cooldown alone allows fewer acts, this budget never trips");
}

/* A rung is reached only by the failure of the one before it; a notification does not fail. */
static void warn_of_rungs(struct km_compile *c, const cJSON *root)
{
	const cJSON *plan = member(root, "plan");

	for (unsigned int i = 0; i + 1 < c->rule.steps; i++) {
		const cJSON *step = cJSON_GetArrayItem(plan, (int)i);

		if (c->plan[i].on_failure == KM_ELSE_NEXT || c->plan[i].verb == KM_NOTIFY)
			continue;
		km_compile_warn(c, member(step, "on_failure") ?: step,
		                "leave \"on_failure\" to the last step",
		                "no step behind this one is ever reached");
		return;
	}
}

void km_compile_warnings(struct km_compile *c, const cJSON *root)
{
	warn_of_reach(c, root);
	warn_of_rungs(c, root);
	km_compile_warn_of_trees(c, member(root, "when"), member(root, "unless"),
	                         disrupting(&c->rule) != NULL);
	warn_of_times(c, root);
}
