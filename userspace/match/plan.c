// SPDX-License-Identifier: Apache-2.0
/* "plan": the rungs of the ladder, tried in order. */
#include "match/compile.h"
#include "collect/capture.h"

#define STEP_TIMEOUT_NS     (30 * KM_NS_PER_S)
#define STEP_TIMEOUT_MIN_NS (100 * KM_NS_PER_MS)
/* The actor does one act at a time for a service: one that takes longer than this is a hang. */
#define STEP_TIMEOUT_MAX_NS (600 * KM_NS_PER_S)

struct step {
	int verb; /* less one: "none" is not for rules */
	uint64_t timeout_ns;
	int on_failure;
	const cJSON *evidence, *argument;
};

#define ARGUMENT(key_)                                                                        \
	{                                                                                     \
		.key = key_, .kind = KM_JSON_NODE, .offset = offsetof(struct step, argument), \
	}

static const struct km_json_field step_fields[] = {
	{ "do", KM_JSON_ENUM, true, .offset = offsetof(struct step, verb),
	  .names = km_verb_names + 1 },
	{ "timeout", KM_JSON_DURATION, false, .offset = offsetof(struct step, timeout_ns),
	  .min = STEP_TIMEOUT_MIN_NS, .max = STEP_TIMEOUT_MAX_NS },
	{ "evidence", KM_JSON_ARRAY, false, .offset = offsetof(struct step, evidence) },
	{ "on_failure", KM_JSON_ENUM, false, .offset = offsetof(struct step, on_failure),
	  .names = km_otherwise_names },
	/* read by km_compile_step_args() */
	ARGUMENT("signal"),
	ARGUMENT("limit"),
	ARGUMENT("to"),
	ARGUMENT("of"),
	ARGUMENT("files"),
	ARGUMENT("command"),
	ARGUMENT("for"),
	ARGUMENT("endpoint"),
	ARGUMENT("share"),
	ARGUMENT("when_kmend_stops"),
	{ 0 }
};

/* What a restart would wipe out, to be looked at before. */
static int read_evidence(struct km_compile *c, const cJSON *array, uint32_t *ret)
{
	const cJSON *node;

	if (!cJSON_GetArraySize(array))
		return km_json_fail(c->doc, array, c->err, "name one, or remove it",
		                    "\"evidence\" is empty");
	cJSON_ArrayForEach(node, array)
	{
		unsigned int i = 0;

		while (i < KM_CAPTURE_MAX &&
		       !(cJSON_IsString(node) && !strcmp(node->valuestring, km_capture_names[i])))
			i++;
		if (i == KM_CAPTURE_MAX)
			return km_json_fail(c->doc, node, c->err,
			                    "one of: memory, cpu, io, processes, status, host",
			                    "this cannot be captured");
		if (*ret >> i & 1)
			return km_json_fail(c->doc, node, c->err, "remove one of the two",
			                    "the same evidence twice");
		*ret |= 1U << i;
	}
	return 0;
}

static int read_step(struct km_compile *c, const cJSON *obj, struct km_step *ret)
{
	struct step s = { .timeout_ns = STEP_TIMEOUT_NS };
	int r;

	if (!cJSON_IsObject(obj))
		return km_json_fail(c->doc, obj, c->err, "like {\"do\": \"restart\"}",
		                    "a step is an object");
	r = km_json_read(c->doc, obj, step_fields, &s, c->err);
	if (r < 0)
		return r;
	ret->verb = (enum km_verb)(s.verb + 1);
	ret->line = km_json_line(c->doc, obj->child);
	ret->timeout_ns = s.timeout_ns;
	ret->on_failure = (enum km_otherwise)s.on_failure;
	r = km_compile_step_args(c, obj, ret);
	if (r >= 0 && s.evidence)
		r = read_evidence(c, s.evidence, &ret->evidence);
	return r;
}

/* Two rungs that do the same are one rung twice; behind a stop nothing is left to repair. */
static int check_rung(struct km_compile *c, const cJSON *obj, const struct km_step *plan,
                      unsigned int at)
{
	const struct km_step *self = &plan[at];

	for (unsigned int i = 0; i < at; i++) {
		if (plan[i].verb == KM_STOP)
			return km_json_fail(c->doc, obj, c->err, "remove it, or use \"restart\"",
			                    "this step is never reached: line %u stops the service "
			                    "for good",
			                    plan[i].line);
		if (plan[i].verb == self->verb && plan[i].signal == self->signal &&
		    strcmp(plan[i].args.object, self->args.object) == 0)
			return km_json_fail(c->doc, obj, c->err, "remove it",
			                    "the same step as in line %u", plan[i].line);
	}
	return 0;
}

int km_compile_plan(struct km_compile *c, const cJSON *node)
{
	struct km_rule *rule = &c->rule;
	const cJSON *obj;

	if (!cJSON_GetArraySize(node))
		return km_json_fail(c->doc, node, c->err, "at least {\"do\": \"notify\"}",
		                    "the plan is empty");
	cJSON_ArrayForEach(obj, node)
	{
		int r;

		if (rule->steps == KM_STEPS_MAX)
			return km_json_fail(c->doc, obj, c->err, "a ladder ends with people",
			                    "more than %d steps", KM_STEPS_MAX);
		r = read_step(c, obj, &c->plan[rule->steps]);
		if (r >= 0)
			r = check_rung(c, obj, c->plan, rule->steps);
		if (r < 0)
			return r;
		rule->steps++;
	}
	return 0;
}
