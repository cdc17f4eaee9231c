// SPDX-License-Identifier: Apache-2.0
/* "plan": the rungs of the ladder, tried in order. */
#include "match/compile.h"
#include "collect/capture.h"

#include <signal.h>

#define STEP_TIMEOUT_NS     (30 * KM_NS_PER_S)
#define STEP_TIMEOUT_MIN_NS (100 * KM_NS_PER_MS)
/* The actor does one act at a time for a service: one that takes longer than this is a hang. */
#define STEP_TIMEOUT_MAX_NS (600 * KM_NS_PER_S)
/* The kernel's own bound of fs.nr_open on 64 bit, rounded down. */
#define LIMIT_MAX (1ULL << 30)

/* What a rule may send. SIGSTOP is not here: it would freeze a service without an end. */
static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "SIGHUP", SIGHUP },   { "SIGINT", SIGINT },   { "SIGQUIT", SIGQUIT },
	{ "SIGABRT", SIGABRT }, { "SIGKILL", SIGKILL }, { "SIGUSR1", SIGUSR1 },
	{ "SIGUSR2", SIGUSR2 }, { "SIGTERM", SIGTERM }, { "SIGCONT", SIGCONT },
};

struct step {
	int verb; /* less one: "none" is not for rules */
	uint64_t timeout_ns, limit;
	char signal[16];
	int on_failure;
	const cJSON *evidence;
};

static const struct km_json_field step_fields[] = {
	{ "do", KM_JSON_ENUM, true, .offset = offsetof(struct step, verb),
	  .names = km_verb_names + 1 },
	{ "timeout", KM_JSON_DURATION, false, .offset = offsetof(struct step, timeout_ns),
	  .min = STEP_TIMEOUT_MIN_NS, .max = STEP_TIMEOUT_MAX_NS },
	{ "signal", KM_JSON_STRING, false, .offset = offsetof(struct step, signal), .size = 16 },
	{ "limit", KM_JSON_COUNT, false, .offset = offsetof(struct step, limit), .min = 1,
	  .max = LIMIT_MAX },
	{ "evidence", KM_JSON_ARRAY, false, .offset = offsetof(struct step, evidence) },
	{ "on_failure", KM_JSON_ENUM, false, .offset = offsetof(struct step, on_failure),
	  .names = km_otherwise_names },
	{ 0 }
};

static const cJSON *member(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

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

/* An argument is there exactly when its verb takes it. */
static int check_argument(struct km_compile *c, const cJSON *obj, const char *key, bool takes)
{
	const cJSON *arg = member(obj, key);

	if (takes && !arg)
		return km_json_fail(c->doc, member(obj, "do"), c->err, NULL,
		                    "this step needs \"%s\"", key);
	if (!takes && arg)
		return km_json_fail(c->doc, arg, c->err, "remove it", "this step takes no \"%s\"",
		                    key);
	return 0;
}

/* What a verb takes besides the members of every step; a row each. */
static const struct {
	enum km_verb verb;
	const char *key;
} takes[] = {
	{ KM_SEND_SIGNAL, "signal" },
	{ KM_RAISE_LIMIT, "limit" },
};

static int check_arguments(struct km_compile *c, const cJSON *obj, enum km_verb verb)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < KM_ARRAY_SIZE(takes); i++)
		r = check_argument(c, obj, takes[i].key, takes[i].verb == verb);
	return r;
}

static int find_signal(struct km_compile *c, const cJSON *obj, const char *name, int *ret)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(signals); i++) {
		if (strcmp(signals[i].name, name))
			continue;
		*ret = signals[i].number;
		return 0;
	}
	return km_json_fail(c->doc, member(obj, "signal"), c->err,
	                    "one of SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGUSR1, SIGUSR2, "
	                    "SIGTERM, SIGCONT",
	                    "no signal of this name can be sent by a rule");
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
	ret->limit = s.limit;
	ret->on_failure = (enum km_otherwise)s.on_failure;
	r = check_arguments(c, obj, ret->verb);
	if (r >= 0 && s.evidence)
		r = read_evidence(c, s.evidence, &ret->evidence);
	if (r >= 0 && ret->verb == KM_NOTIFY)
		r = check_argument(c, obj, "on_failure", false);
	if (r >= 0 && ret->verb == KM_SEND_SIGNAL)
		r = find_signal(c, obj, s.signal, &ret->signal);
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
		if (plan[i].verb == self->verb && plan[i].signal == self->signal)
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
