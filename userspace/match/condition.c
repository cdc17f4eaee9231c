// SPDX-License-Identifier: Apache-2.0
/* "when" and "unless": a tree of typed conditions, laid out in pre-order. */
#include "match/compile.h"

/* The tree that is being filled. */
struct tree {
	struct km_compile *c;
	struct km_cond *node;
	unsigned int used;
};

/* The members of which a condition is exactly one. */
struct cond {
	const cJSON *leaf[KM_LEAF_MAX], *all, *any, *not ;
};

#define COND(member) .offset = offsetof(struct cond, member)

static const struct km_json_field cond_fields[] = {
	{ "forecast", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_FORECAST]) },
	{ "event", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_EVENT]) },
	{ "state", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_STATE]) },
	{ "level", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_LEVEL]) },
	{ "incident", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_INCIDENT]) },
	{ "endpoint", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_ENDPOINT]) },
	{ "text", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_TEXT]) },
	{ "deployed", KM_JSON_OBJECT, false, COND(leaf[KM_LEAF_DEPLOYED]) },
	{ "all", KM_JSON_ARRAY, false, COND(all) },
	{ "any", KM_JSON_ARRAY, false, COND(any) },
	{ "not", KM_JSON_OBJECT, false, COND(not ) },
	{ 0 }
};

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
		if (*first && (event ? (*first)->event != child->event
		                     : km_cond_states_differ((*first)->state, child->state)))
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
	for (unsigned int i = 0; i < KM_LEAF_MAX; i++)
		if (in->leaf[i])
			return km_compile_leaf(t->c, (enum km_leaf)i, in->leaf[i], self) ?: 1;
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
	static const char *const one = "give one of forecast, event, state, level, incident, "
				       "endpoint, text, deployed, all, any, not";
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
