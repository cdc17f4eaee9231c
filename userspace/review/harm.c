// SPDX-License-Identifier: Apache-2.0
#include "review/harm.h"

#define UNBOUNDED UINT64_MAX

uint64_t km_harm_budget(const struct km_budget *b, uint64_t span_ns)
{
	uint64_t spans = b->per_ns ? (span_ns + b->per_ns - 1) / b->per_ns : 1;

	return spans * b->count;
}

static uint64_t by_cooldown(const struct km_rule *r, uint64_t span_ns)
{
	uint64_t c = r->guard.cooldown_ns;

	return c ? (span_ns + c - 1) / c : UNBOUNDED;
}

static uint64_t by_budget(const struct km_rule *r, uint64_t span_ns)
{
	return r->guard.budget.count ? km_harm_budget(&r->guard.budget, span_ns) : UNBOUNDED;
}

/* Each act waits longer than the one before it, unless a life of "reset" lies between them. */
static uint64_t by_backoff(const struct km_rule *r, uint64_t span_ns)
{
	const struct km_guard_spec *g = &r->guard;
	uint64_t t = 0, delay = g->backoff_base_ns, acts = 0;

	if (!delay)
		return UNBOUNDED;
	while (t < span_ns) {
		acts++;
		t += delay < g->backoff_reset_ns ? delay : g->backoff_reset_ns;
		delay = 2 * delay < g->backoff_max_ns ? 2 * delay : g->backoff_max_ns;
	}
	return acts;
}

static bool disrupts(const struct km_harm_in *in, const struct km_step *s)
{
	return km_verb_disrupts(s->verb) && in->policy->verbs[s->verb];
}

/* What is frozen is so for its time; any other step may interrupt for its whole time-out. */
static uint64_t interrupts_ns(const struct km_step *s)
{
	return s->timeout_ns + (s->verb == KM_FREEZE ? s->args.duration_ns : 0);
}

/* What a step stops stays stopped. */
static uint64_t longest_ns(const struct km_harm_in *in, bool *ret_for_good)
{
	const struct km_rule *r = in->rule;
	uint64_t longest = 0;

	*ret_for_good = r->otherwise == KM_ELSE_QUARANTINE;
	for (unsigned int i = 0; i < r->steps; i++) {
		if (!disrupts(in, &r->plan[i]))
			continue;
		*ret_for_good |= r->plan[i].verb == KM_STOP;
		if (interrupts_ns(&r->plan[i]) > longest)
			longest = interrupts_ns(&r->plan[i]);
	}
	return longest;
}

static bool allowed(const struct km_harm_in *in)
{
	for (unsigned int i = 0; i < in->rule->steps; i++) {
		enum km_verb verb = in->rule->plan[i].verb;

		if (verb == KM_NOTIFY || !in->policy->verbs[verb])
			continue;
		if (!in->service || km_policy_allows(in->policy, verb, in->service))
			return in->policy->services && in->policy->services[0];
	}
	return false;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t ret;

	return __builtin_mul_overflow(a, b, &ret) ? UNBOUNDED : ret;
}

static void bound_service(const struct km_harm_in *in, struct km_harm *ret)
{
	const struct {
		uint64_t acts;
		const char *bound;
	} bounds[] = {
		{ by_cooldown(in->rule, in->span_ns), "the rule's cooldown" },
		{ by_budget(in->rule, in->span_ns), "the rule's budget" },
		{ by_backoff(in->rule, in->span_ns), "the rule's back-off" },
		{ km_harm_budget(&in->policy->per_service, in->span_ns),
		  "the policy's budget of a service" },
		{ km_harm_budget(&in->policy->per_host, in->span_ns),
		  "the policy's budget of the host" },
	};

	ret->acts_a_service = UNBOUNDED;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bounds); i++)
		if (bounds[i].acts < ret->acts_a_service) {
			ret->acts_a_service = bounds[i].acts;
			ret->bound = bounds[i].bound;
		}
}

void km_harm_of(const struct km_harm_in *in, struct km_harm *ret)
{
	uint64_t host = km_harm_budget(&in->policy->per_host, in->span_ns);
	uint64_t services = in->service ? 1 : in->services ? in->services : host;
	uint64_t longest;

	*ret = (struct km_harm){ .allowed = allowed(in), .bound = "the policy" };
	if (!ret->allowed)
		return;
	bound_service(in, ret);
	longest = longest_ns(in, &ret->for_good);
	ret->acts = least(times(ret->acts_a_service, services), host);
	ret->services = least(services, ret->acts);
	ret->down_a_service_ns = least(in->span_ns, times(ret->acts_a_service, longest));
	if (ret->for_good)
		ret->down_a_service_ns = in->span_ns;
	ret->down_ns = times(ret->services, ret->down_a_service_ns);
	if (!ret->for_good)
		ret->down_ns = least(ret->down_ns, times(ret->acts, longest));
}
