// SPDX-License-Identifier: Apache-2.0
/* "when" and "unless": a tree of typed conditions, laid out in pre-order. */
#include "match/compile.h"

const char *const km_end_how_names[KM_END_MAX + 1] = { "any",      "clean",    "failed",
	                                               "signaled", "outsider", "oom" };

/* The tree that is being filled. */
struct tree {
	struct km_compile *c;
	struct km_cond *node;
	unsigned int used;
};

struct cond {
	const cJSON *forecast, *event, *state, *level, *all, *any, *not ;
};

#define COND(member) .offset = offsetof(struct cond, member)

static const struct km_json_field cond_fields[] = { { "forecast", KM_JSON_OBJECT, false,
	                                              COND(forecast) },
	                                            { "event", KM_JSON_OBJECT, false, COND(event) },
	                                            { "state", KM_JSON_OBJECT, false, COND(state) },
	                                            { "level", KM_JSON_OBJECT, false, COND(level) },
	                                            { "all", KM_JSON_ARRAY, false, COND(all) },
	                                            { "any", KM_JSON_ARRAY, false, COND(any) },
	                                            { "not", KM_JSON_OBJECT, false, COND(not ) },
	                                            { 0 } };

/* What the typed leaves are read into: positions are those of struct km_cond's own members or, for
 * what JSON and C hold in different widths, of this. */
struct leaf {
	int kind, resource, is, how;
	double probability, above;
	uint64_t within_ns, for_ns, count;
};

#define LEAF(member) .offset = offsetof(struct leaf, member)
#define WITHIN(required)                                                                       \
	{                                                                                      \
		"within", KM_JSON_DURATION, required, LEAF(within_ns), .min = KM_NS_PER_S,     \
								       .max = KM_WITHIN_MAX_NS \
	}
#define FOR                                                                           \
	{                                                                             \
		"for", KM_JSON_DURATION, false, LEAF(for_ns), .min = KM_NS_PER_MS,    \
							      .max = KM_WITHIN_MAX_NS \
	}

static const struct km_json_field forecast_fields[] = {
	{ "kind", KM_JSON_ENUM, true, LEAF(kind), .names = km_forecast_kind_names },
	{ "resource", KM_JSON_ENUM, false, LEAF(resource), .names = km_resource_names },
	{ "probability", KM_JSON_SHARE, true, LEAF(probability) },
	WITHIN(false),
	FOR,
	{ 0 }
};

static const struct km_json_field event_fields[] = {
	/* [0] of the names is "none", which is not for rules */
	{ "is", KM_JSON_ENUM, true, LEAF(is), .names = km_event_names + 1 },
	{ "how", KM_JSON_ENUM, false, LEAF(how), .names = km_end_how_names },
	{ "count", KM_JSON_COUNT, false, LEAF(count), .min = 1, .max = KM_EVENTS_MAX },
	WITHIN(false),
	{ 0 }
};

static const struct km_json_field state_fields[] = {
	/* [0] is "unknown": what is not measured is no condition */
	{ "is", KM_JSON_ENUM, true, LEAF(is), .names = km_service_state_names + 1 },
	FOR,
	{ 0 }
};

static const struct km_json_field level_fields[] = { { "resource", KM_JSON_ENUM, true,
	                                               LEAF(resource), .names = km_resource_names },
	                                             { "above", KM_JSON_SHARE, true, LEAF(above) },
	                                             FOR,
	                                             { 0 } };

static const cJSON *member(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static int read_forecast(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { .resource = KM_RESOURCE_MAX };
	int r = km_json_read(c->doc, obj, forecast_fields, &l, c->err);

	if (r < 0)
		return r;
	if (l.probability <= 0)
		return km_json_fail(c->doc, member(obj, "probability"), c->err, "like \"50%\"",
		                    "a probability of 0 is reached by every forecast");
	if (l.kind == KM_EXHAUSTION && l.resource == KM_RESOURCE_MAX)
		return km_json_fail(c->doc, obj, c->err, "add \"resource\": \"memory\"",
		                    "an exhaustion needs \"resource\"");
	if (l.kind == KM_EXHAUSTION && !l.within_ns)
		return km_json_fail(c->doc, obj, c->err, "add \"within\": \"30m\"",
		                    "an exhaustion needs \"within\"");
	if (l.kind != KM_EXHAUSTION && l.resource != KM_RESOURCE_MAX)
		return km_json_fail(c->doc, member(obj, "resource"), c->err, "remove it",
		                    "only an exhaustion has a \"resource\"");
	ret->op = KM_COND_FORECAST;
	ret->forecast_kind = l.kind;
	ret->resource = l.resource;
	ret->p = l.probability;
	ret->within_ns = l.within_ns;
	ret->for_ns = l.for_ns;
	return 0;
}

static int read_event(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { .count = 1 };
	int r = km_json_read(c->doc, obj, event_fields, &l, c->err);

	if (r < 0)
		return r;
	if (member(obj, "how") && l.is + 1 != KM_EV_ENDED)
		return km_json_fail(c->doc, member(obj, "how"), c->err, "remove it",
		                    "only the event \"ended\" has a \"how\"");
	if (l.count > 1 && !l.within_ns)
		return km_json_fail(c->doc, member(obj, "count"), c->err, "add \"within\": \"1m\"",
		                    "a \"count\" needs \"within\"");
	if (l.count == 1 && l.within_ns)
		return km_json_fail(c->doc, member(obj, "within"), c->err,
		                    "add \"count\", 2 at least, or remove it",
		                    "one event has no \"within\"");
	ret->op = KM_COND_EVENT;
	ret->event = l.is + 1;
	ret->how = l.how;
	ret->count = (uint32_t)l.count;
	ret->within_ns = l.within_ns;
	return 0;
}

static int read_state(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { 0 };
	int r = km_json_read(c->doc, obj, state_fields, &l, c->err);

	if (r < 0)
		return r;
	ret->op = KM_COND_STATE;
	ret->state = l.is + 1;
	ret->for_ns = l.for_ns;
	return 0;
}

static int read_level(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { 0 };
	int r = km_json_read(c->doc, obj, level_fields, &l, c->err);

	if (r < 0)
		return r;
	if (l.above <= 0)
		return km_json_fail(c->doc, member(obj, "above"), c->err, "like \"90%\"",
		                    "every level in use is above 0 %%");
	if (l.above >= 1)
		return km_json_fail(c->doc, member(obj, "above"), c->err, "like \"90%\"",
		                    "no level is above 100 %% of its limit");
	ret->op = KM_COND_LEVEL;
	ret->resource = l.resource;
	ret->above = l.above;
	ret->for_ns = l.for_ns;
	return 0;
}

static int add(struct tree *t, const cJSON *node);

static int add_group(struct tree *t, const cJSON *array, const char *name, struct km_cond *self)
{
	const cJSON *child;

	if (!cJSON_GetArraySize(array))
		return km_json_fail(t->c->doc, array, t->c->err, "name at least one condition",
		                    "\"%s\" is empty", name);
	cJSON_ArrayForEach(child, array)
	{
		int r = add(t, child);

		if (r < 0)
			return r;
		self->children++;
	}
	return 0;
}

/* An event speaks only in its own moment and a state excludes the other one: what can never come
 * together is found among the direct members of an "all". */
static int refuse_contradiction(struct tree *t, const cJSON *array, const struct km_cond *self)
{
	const struct km_cond *seen[2] = { NULL, NULL }, *child = self + 1;

	for (unsigned int i = 0; i < self->children; i++, child += child->span) {
		bool event = child->op == KM_COND_EVENT;
		const struct km_cond **first = &seen[event];

		if (!event && child->op != KM_COND_STATE)
			continue;
		if (*first && ((*first)->event != child->event || (*first)->state != child->state))
			return km_json_fail(
				t->c->doc, cJSON_GetArrayItem(array, (int)i), t->c->err,
				"use \"any\", or count events one rule each",
				"this cannot hold together with line %u, the rule would "
				"never speak",
				(*first)->line);
		*first = child;
	}
	return 0;
}

/* 1: it was a leaf, 0: it is not, negative: an error. */
static int add_leaf(struct tree *t, const struct cond *in, struct km_cond *self)
{
	if (in->forecast)
		return read_forecast(t->c, in->forecast, self) ?: 1;
	if (in->event)
		return read_event(t->c, in->event, self) ?: 1;
	if (in->state)
		return read_state(t->c, in->state, self) ?: 1;
	if (in->level)
		return read_level(t->c, in->level, self) ?: 1;
	return 0;
}

static int add_branch(struct tree *t, const struct cond *in, struct km_cond *self)
{
	int r;

	if (in->not ) {
		self->op = KM_COND_NOT;
		self->children = 1;
		return add(t, in->not );
	}
	self->op = in->all ? KM_COND_ALL : KM_COND_ANY;
	r = add_group(t, in->all ?: in->any, in->all ? "all" : "any", self);
	return r < 0 || !in->all ? r : refuse_contradiction(t, in->all, self);
}

static int add(struct tree *t, const cJSON *node)
{
	static const char *const one = "give one of forecast, event, state, level, all, any, not";
	unsigned int at = t->used;
	struct km_cond *self = &t->node[at];
	struct cond in = { 0 };
	int r;

	if (!cJSON_IsObject(node))
		return km_json_fail(t->c->doc, node, t->c->err, one, "a condition is an object");
	if (at == KM_CONDITIONS_MAX)
		return km_json_fail(t->c->doc, node, t->c->err, "split the rule in two",
		                    "more than %d conditions", KM_CONDITIONS_MAX);
	r = km_json_read(t->c->doc, node, cond_fields, &in, t->c->err);
	if (r < 0)
		return r;
	if (cJSON_GetArraySize(node) == 0)
		return km_json_fail(t->c->doc, node, t->c->err, one, "a condition is empty");
	if (cJSON_GetArraySize(node) > 1)
		return km_json_fail(t->c->doc, node->child->next, t->c->err,
		                    "join several with \"all\" or \"any\"",
		                    "a condition says one thing");
	t->used++;
	self->line = km_json_line(t->c->doc, node->child);
	r = add_leaf(t, &in, self);
	if (!r)
		r = add_branch(t, &in, self);
	if (r < 0)
		return r;
	self->span = t->used - at;
	return 0;
}

int km_compile_condition(struct km_compile *c, const cJSON *node, struct km_cond *tree)
{
	struct tree t = { .c = c, .node = tree };

	return add(&t, node);
}

bool km_cond_has(const struct km_cond *tree, enum km_cond_op op)
{
	for (unsigned int i = 0; i < tree->span; i++)
		if (tree[i].op == op)
			return true;
	return false;
}
