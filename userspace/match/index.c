// SPDX-License-Identifier: Apache-2.0
/* After predicate indexing in publish and subscribe systems (Fabret et al. 2001): a conjunction is
 * filed under one of its members only, the one that holds least often. */
#include "match/index.h"
#include "match/truth.h"

struct trigger {
	const struct km_cond *cond;
	size_t rule; /* its place in the set */
};

struct km_index {
	struct trigger *trigger; /* by fact, within one in the order in which they begin to hold */
	size_t count, room;
	size_t *fact; /* where the triggers of each begin, and behind the last */
	size_t facts;
};

/* How often a condition holds, roughly: decides by which member an "all" is found. */
enum price {
	PRICE_EVENT = 0, /* never at a tick */
	PRICE_FORECAST,
	PRICE_BAD_STATE,
	PRICE_LEVEL,
	PRICE_GOOD_STATE,
	PRICE_ALWAYS,
};

static enum price price_of_leaf(const struct km_cond *c)
{
	switch (c->op) {
	case KM_COND_EVENT:
		return PRICE_EVENT;
	case KM_COND_FORECAST:
		return PRICE_FORECAST;
	case KM_COND_ENDPOINT:
		return PRICE_BAD_STATE;
	case KM_COND_LEVEL:
		return PRICE_LEVEL;
	case KM_COND_TEXT:
	case KM_COND_DEPLOYED:
		return PRICE_LEVEL;
	case KM_COND_STATE:
		return c->state == KM_IS_UP || c->state == KM_IS_HEALTHY ? PRICE_GOOD_STATE
		                                                         : PRICE_BAD_STATE;
	default:
		/* what stands below a "not", and incidents, which change from rule to rule */
		return PRICE_ALWAYS;
	}
}

/* Of a group the dearest of "any", the cheapest of "all". */
static enum price price_of(const struct km_cond *tree)
{
	const struct km_cond *child = tree + 1;
	enum price best, p;

	if (tree->op != KM_COND_ALL && tree->op != KM_COND_ANY)
		return price_of_leaf(tree);
	best = price_of(child);
	for (unsigned int i = 1; i < tree->children; i++) {
		child += child->span;
		p = price_of(child);
		if (tree->op == KM_COND_ALL ? p < best : p > best)
			best = p;
	}
	return best;
}

static int add(struct km_index *x, const struct km_cond *c, size_t rule)
{
	struct trigger *more;

	if (x->count == x->room) {
		more = reallocarray(x->trigger, 2 * x->room + 64, sizeof(*more));
		if (!more)
			return -ENOMEM;
		x->trigger = more;
		x->room = 2 * x->room + 64;
	}
	x->trigger[x->count++] = (struct trigger){ .cond = c, .rule = rule };
	return 0;
}

/* Conditions of which one holds whenever the tree does. */
static int add_needed(struct km_index *x, const struct km_cond *tree, size_t rule)
{
	const struct km_cond *child = tree + 1;
	enum price price = price_of(tree);
	int r = 0;

	if (tree->op != KM_COND_ALL && tree->op != KM_COND_ANY)
		return add(x, tree, rule);
	for (unsigned int i = 0; i < tree->children && r >= 0; i++, child += child->span) {
		if (tree->op == KM_COND_ANY)
			r = add_needed(x, child, rule);
		else if (price_of(child) == price)
			return add_needed(x, child, rule);
	}
	return r;
}

/* What begins to be remembered in the moment in which it holds, whatever else does. */
static bool remembers(const struct km_cond *c)
{
	if (c->op == KM_COND_EVENT)
		return c->count > 1;
	return c->op != KM_COND_STATE && c->op != KM_COND_ENDPOINT &&
	       (c->for_ns || (c->op == KM_COND_LEVEL && c->until >= 0));
}

static int add_remembering(struct km_index *x, const struct km_cond *tree, size_t rule)
{
	int r = 0;

	for (unsigned int i = 0; i < tree->span && r >= 0; i++)
		if (!tree[i].children && remembers(&tree[i]))
			r = add(x, &tree[i], rule);
	return r;
}

static int64_t compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* 0: one reading tells of both. What an operation does not use is zero in both. */
static int64_t compare_facts(const struct km_cond *a, const struct km_cond *b)
{
	bool always = price_of_leaf(a) == PRICE_ALWAYS;

	if (always || price_of_leaf(b) == PRICE_ALWAYS)
		return compare(always, price_of_leaf(b) == PRICE_ALWAYS);
	return compare(a->op, b->op)
		       ?: compare(a->forecast_kind, b->forecast_kind)
		       ?: compare(a->resource, b->resource)
		       ?: compare(a->signal, b->signal)
		       ?: compare(a->host, b->host)
		       ?: compare(a->below, b->below)
		       ?: compare(a->above_share, b->above_share)
		       ?: compare(a->state, b->state)
		       ?: compare(a->event, b->event);
}

static int by_fact(const void *p, const void *q)
{
	const struct trigger *a = p, *b = q;
	const struct km_cond *c = a->cond, *d = b->cond;
	int64_t r = compare_facts(c, d);

	if (!r && c->op == KM_COND_LEVEL)
		r = c->below ? (c->above < d->above) - (c->above > d->above)
		             : (c->above > d->above) - (c->above < d->above);
	if (!r && c->op == KM_COND_FORECAST)
		r = (c->p > d->p) - (c->p < d->p);
	return (int)(r ?: compare((int64_t)a->rule, (int64_t)b->rule));
}

static int find_facts(struct km_index *x)
{
	x->fact = calloc(x->count + 1, sizeof(*x->fact));
	if (!x->fact)
		return -ENOMEM;
	for (size_t i = 0; i < x->count; i++)
		if (!i || compare_facts(x->trigger[i - 1].cond, x->trigger[i].cond))
			x->fact[x->facts++] = i;
	x->fact[x->facts] = x->count;
	return 0;
}

static int add_rule(struct km_index *x, const struct km_rule *rule, size_t i)
{
	int r = add_needed(x, rule->when, i);

	if (r >= 0)
		r = add_remembering(x, rule->when, i);
	return r < 0 ? r : add_remembering(x, rule->unless, i);
}

int km_index_new(const struct km_rules *rules, enum km_entity entity, struct km_index **ret)
{
	km_autofree(km_index_freep) struct km_index *x = calloc(1, sizeof(*x));
	int r = x ? 0 : -ENOMEM;

	for (size_t i = 0; i < rules->count && r >= 0; i++)
		if (rules->rule[i]->entity == entity)
			r = add_rule(x, rules->rule[i], i);
	if (r < 0)
		return r;
	if (x->count)
		qsort(x->trigger, x->count, sizeof(*x->trigger), by_fact);
	r = find_facts(x);
	if (r < 0)
		return r;
	*ret = km_take(x);
	return 0;
}

struct km_index *km_index_free(struct km_index *x)
{
	if (!x)
		return NULL;
	free(x->trigger);
	free(x->fact);
	free(x);
	return NULL;
}

void km_index_mark(const struct km_index *x, const struct km_match_input *in, uint64_t *bits)
{
	for (size_t f = 0; f < x->facts; f++) {
		const struct trigger *t = &x->trigger[x->fact[f]];
		const struct trigger *end = &x->trigger[x->fact[f + 1]];
		const struct km_glance glance = km_truth_glance(t->cond, in);

		for (; t < end && km_truth_may(t->cond, &glance); t++)
			bits[t->rule / 64] |= 1ULL << (t->rule % 64);
	}
}
