// SPDX-License-Identifier: Apache-2.0
/* "guard": how far a rule may go by itself. The host's policy can only narrow it further. */
#include "match/compile.h"

#define DAY_NS          (24ULL * 3600 * KM_NS_PER_S)
#define COOLDOWN_MAX_NS (30 * DAY_NS)
#define PER_MAX_NS      (30 * DAY_NS)
/* decide keeps a time for each act that counts. */
#define COUNT_MAX       64
#define BACKOFF_MAX_NS  DAY_NS
#define APPROVAL_NS     (3600 * KM_NS_PER_S)
#define APPROVAL_MAX_NS (7 * DAY_NS)

struct guard {
	int mode;
	uint64_t cooldown_ns, min_healthy, approval_ns;
	const cJSON *budget, *backoff, *windows;
};

#define GUARD(member) .offset = offsetof(struct guard, member)

static const struct km_json_field guard_fields[] = {
	{ "mode", KM_JSON_ENUM, false, GUARD(mode), .names = km_mode_names },
	{ "cooldown", KM_JSON_DURATION, false, GUARD(cooldown_ns), .max = COOLDOWN_MAX_NS },
	{ "budget", KM_JSON_OBJECT, false, GUARD(budget) },
	{ "min_healthy", KM_JSON_COUNT, false, GUARD(min_healthy), .max = KM_SERVICES_MAX },
	{ "backoff", KM_JSON_OBJECT, false, GUARD(backoff) },
	{ "approval", KM_JSON_DURATION, false, GUARD(approval_ns), .min = KM_NS_PER_S,
	  .max = APPROVAL_MAX_NS },
	{ "windows", KM_JSON_ARRAY, false, GUARD(windows) },
	{ 0 }
};

struct budget {
	uint64_t count, per_ns;
};

static const struct km_json_field budget_fields[] = {
	{ "count", KM_JSON_COUNT, true, .offset = offsetof(struct budget, count), .min = 1,
	  .max = COUNT_MAX },
	{ "per", KM_JSON_DURATION, true, .offset = offsetof(struct budget, per_ns),
	  .min = KM_NS_PER_S, .max = PER_MAX_NS },
	{ 0 }
};

static const struct km_json_field backoff_fields[] = {
	{ "base", KM_JSON_DURATION, true, .offset = offsetof(struct km_guard_spec, backoff_base_ns),
	  .min = KM_NS_PER_MS, .max = BACKOFF_MAX_NS },
	{ "max", KM_JSON_DURATION, true, .offset = offsetof(struct km_guard_spec, backoff_max_ns),
	  .min = KM_NS_PER_MS, .max = BACKOFF_MAX_NS },
	{ "reset", KM_JSON_DURATION, true,
	  .offset = offsetof(struct km_guard_spec, backoff_reset_ns), .min = KM_NS_PER_MS,
	  .max = BACKOFF_MAX_NS },
	{ 0 }
};

static int read_budget(struct km_compile *c, const cJSON *node)
{
	struct budget b = { 0 };
	int r = km_json_read(c->doc, node, budget_fields, &b, c->err);

	if (r < 0)
		return r;
	c->rule.guard.budget.count = (uint32_t)b.count;
	c->rule.guard.budget.per_ns = b.per_ns;
	return 0;
}

static int read_backoff(struct km_compile *c, const cJSON *node)
{
	struct km_guard_spec *g = &c->rule.guard;

	return km_json_read(c->doc, node, backoff_fields, g, c->err);
}

static int read_windows(struct km_compile *c, const cJSON *array)
{
	struct km_guard_spec *g = &c->rule.guard;
	const cJSON *node;

	if (!cJSON_GetArraySize(array))
		return km_json_fail(c->doc, array, c->err, "remove it: then at any time",
		                    "no window is given");
	cJSON_ArrayForEach(node, array)
	{
		int r;

		if (g->windows == KM_WINDOWS_MAX)
			return km_json_fail(c->doc, node, c->err, "join some",
			                    "more than %d windows", KM_WINDOWS_MAX);
		r = km_window_read(c->doc, node, c->err, &g->window[g->windows]);
		if (r < 0)
			return r;
		g->windows++;
	}
	return 0;
}

int km_compile_guard(struct km_compile *c, const cJSON *node)
{
	struct guard g = { .approval_ns = APPROVAL_NS };
	struct km_guard_spec *spec = &c->rule.guard;
	int r = node ? km_json_read(c->doc, node, guard_fields, &g, c->err) : 0;

	if (r < 0)
		return r;
	spec->mode = (enum km_mode)g.mode;
	spec->cooldown_ns = g.cooldown_ns;
	spec->min_healthy = (uint32_t)g.min_healthy;
	spec->approval_ns = g.approval_ns;
	if (g.budget)
		r = read_budget(c, g.budget);
	if (r >= 0 && g.backoff)
		r = read_backoff(c, g.backoff);
	if (r >= 0 && g.windows)
		r = read_windows(c, g.windows);
	return r;
}
