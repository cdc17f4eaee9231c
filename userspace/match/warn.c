// SPDX-License-Identifier: Apache-2.0
/* Warnings: what a rule may say, and a reviewer should see before it runs. */
#include "match/compile.h"

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

/* Walks tree and text together: both are in the same order. */
static const struct km_cond *warn_of_absent_events(struct km_compile *c, const cJSON *node,
                                                   const struct km_cond *cond, bool inverted)
{
	const struct km_cond *next = cond + 1;
	const cJSON *value = node->child, *child;

	if (cond->op == KM_COND_EVENT && inverted)
		km_compile_warn(c, value, "put the event into \"unless\", or use a state",
		                "an event is absent at almost every moment, so this is almost "
		                "always true");
	if (cond->op == KM_COND_NOT)
		return warn_of_absent_events(c, value, next, !inverted);
	if (cond->op != KM_COND_ALL && cond->op != KM_COND_ANY)
		return next;
	cJSON_ArrayForEach(child, value) next = warn_of_absent_events(c, child, next, inverted);
	return next;
}

void km_compile_warnings(struct km_compile *c, const cJSON *root)
{
	warn_of_reach(c, root);
	warn_of_absent_events(c, member(root, "when"), c->rule.when, false);
	warn_of_times(c, root);
}
