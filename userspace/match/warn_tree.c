// SPDX-License-Identifier: Apache-2.0
/* Warnings about conditions: what never holds, always holds, or is in somebody else's hand. */
#include "match/compile.h"
#include "match/pattern.h"
#include "match/warn.h"

/* One tree with its text: both are in the same order. */
struct tree {
	struct km_compile *c;
	const struct km_cond *cond;
	const cJSON *text[KM_CONDITIONS_MAX]; /* value of each condition */
};

/* The value of each condition below NODE; returns how many there are. */
static unsigned int list_texts(const cJSON *node, const struct km_cond *cond, const cJSON **ret)
{
	const cJSON *value = node->child, *child;
	unsigned int n = 1;

	*ret = value;
	if (cond->op == KM_COND_NOT)
		return 1 + list_texts(value, cond + 1, ret + 1);
	if (cond->op != KM_COND_ALL && cond->op != KM_COND_ANY)
		return 1;
	cJSON_ArrayForEach(child, value)
	{
		n += list_texts(child, cond + n, ret + n);
	}
	return n;
}

static bool is_group(const struct km_cond *c)
{
	return c->op == KM_COND_ALL || c->op == KM_COND_ANY || c->op == KM_COND_NOT;
}

/* The leaves of the group I, also those of groups of the same kind in it; one alone of a leaf. */
static unsigned int leaves_of(const struct km_cond *tree, unsigned int i, enum km_cond_op op,
                              unsigned int *ret)
{
	unsigned int child = i + 1, count = 0;

	if (tree[i].op != op) {
		*ret = i;
		return !is_group(&tree[i]);
	}
	for (unsigned int n = 0; n < tree[i].children; n++, child += tree[child].span)
		count += leaves_of(tree, child, op, ret + count);
	return count;
}

static bool same_level(const struct km_cond *a, const struct km_cond *b)
{
	return a->op == KM_COND_LEVEL && b->op == KM_COND_LEVEL && a->resource == b->resource &&
	       a->signal == b->signal && a->host == b->host && a->above_share == b->above_share &&
	       a->below != b->below;
}

/* An end finds the service down just now, a start up just now. */
static bool state_after(const struct km_cond *event, const struct km_cond *state)
{
	bool ended = event->event == KM_EV_ENDED, started = event->event == KM_EV_STARTED;
	int after = ended ? KM_SERVICE_DOWN : KM_SERVICE_UP;

	if (event->op != KM_COND_EVENT || state->op != KM_COND_STATE || (!ended && !started))
		return true;
	return state->state >= KM_IS_HEALTHY || (state->state == after && state->for_ns == 0);
}

static bool ends_differ(const struct km_cond *a, const struct km_cond *b)
{
	bool a_code = a->how == KM_END_CLEAN || a->how == KM_END_FAILED;
	bool b_code = b->how == KM_END_CLEAN || b->how == KM_END_FAILED;

	if (a->how == KM_END_ANY || b->how == KM_END_ANY || a->how == b->how)
		return false;
	return a_code || b_code;
}

static bool exclude(const struct km_cond *a, const struct km_cond *b)
{
	if (a->op == KM_COND_STATE && b->op == KM_COND_STATE)
		return km_cond_states_differ(a->state, b->state);
	if (a->op == KM_COND_EVENT && b->op == KM_COND_EVENT)
		return a->event != b->event || ends_differ(a, b);
	if (same_level(a, b))
		return a->below ? b->above >= a->above : a->above >= b->above;
	return !state_after(a, b) || !state_after(b, a);
}

/* One of the two holds at every moment at which anything is known. */
static bool exhaust(const struct km_cond *a, const struct km_cond *b)
{
	if (a->for_ns || b->for_ns)
		return false;
	if (a->op == KM_COND_STATE && b->op == KM_COND_STATE)
		return km_cond_states_differ(a->state, b->state);
	if (same_level(a, b))
		return a->below ? a->above > b->above : b->above > a->above;
	return false;
}

static void warn_of_pairs(struct tree *t, unsigned int i)
{
	unsigned int leaf[KM_CONDITIONS_MAX], n = leaves_of(t->cond, i, t->cond[i].op, leaf);
	bool all = t->cond[i].op == KM_COND_ALL;

	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = a + 1; b < n; b++) {
			const struct km_cond *x = &t->cond[leaf[a]], *y = &t->cond[leaf[b]];

			if (all && exclude(x, y))
				km_compile_warn(t->c, t->text[leaf[b]],
				                "use \"any\", or take one of them out",
				                "this and another condition of the same \"all\" "
				                "never hold together");
			else if (!all && exhaust(x, y))
				km_compile_warn(t->c, t->text[leaf[b]],
				                "use \"all\", or take one of them out",
				                "this or another condition of the same \"any\" "
				                "always holds");
		}
	}
}

static void warn_of_leaf(struct tree *t, unsigned int i, bool inverted)
{
	const struct km_cond *c = &t->cond[i];

	if (c->op == KM_COND_EVENT && inverted)
		km_compile_warn(t->c, t->text[i], "put the event into \"unless\", or use a state",
		                "an event is absent at almost every moment, so this is almost "
		                "always true");
	if (c->op == KM_COND_FORECAST && c->within_ns && c->for_ns >= c->within_ns)
		km_compile_warn(t->c, t->text[i], "make \"for\" shorter than \"within\"",
		                "what is forecast happens before it was forecast for so long");
}

static void warn_of_nodes(struct tree *t, unsigned int i, bool inverted)
{
	const struct km_cond *c = &t->cond[i];
	unsigned int child = i + 1;

	warn_of_leaf(t, i, inverted);
	for (unsigned int n = 0; n < c->children; n++, child += t->cond[child].span) {
		warn_of_nodes(t, child, inverted != (c->op == KM_COND_NOT));
		/* a group within one of its own kind is looked at with it */
	}
}

static void warn_of_groups(struct tree *t)
{
	bool inner[KM_CONDITIONS_MAX] = { false };

	for (unsigned int i = 0; i < t->cond->span; i++) {
		unsigned int child = i + 1;

		for (unsigned int n = 0; n < t->cond[i].children; n++, child += t->cond[child].span)
			inner[child] = t->cond[child].op == t->cond[i].op;
		if ((t->cond[i].op == KM_COND_ALL || t->cond[i].op == KM_COND_ANY) && !inner[i])
			warn_of_pairs(t, i);
	}
}

bool km_cond_same(const struct km_cond *a, const struct km_cond *b)
{
	return a->op == b->op && a->children == b->children && a->span == b->span &&
	       a->forecast_kind == b->forecast_kind && a->resource == b->resource &&
	       a->signal == b->signal && a->host == b->host && a->p == b->p &&
	       a->within_ns == b->within_ns && a->event == b->event && a->how == b->how &&
	       a->count == b->count && a->state == b->state && a->for_ns == b->for_ns &&
	       a->above == b->above && a->until == b->until && a->below == b->below &&
	       a->above_share == b->above_share && a->until_share == b->until_share &&
	       a->of == b->of && a->primary == b->primary && a->standby == b->standby &&
	       a->traffic == b->traffic && !strcmp(a->by, b->by) &&
	       km_pattern_same(a->pattern, b->pattern);
}

/* Whenever A holds, B does. */
static bool implies(const struct km_cond *a, const struct km_cond *b)
{
	struct km_cond longer = *b;

	if (b->for_ns > a->for_ns)
		return false;
	longer.for_ns = a->for_ns;
	if (a->op == KM_COND_LEVEL && b->op == KM_COND_LEVEL && a->below == b->below &&
	    a->until < 0 && (a->below ? a->above <= b->above : a->above >= b->above))
		longer.above = a->above;
	if (a->op == KM_COND_FORECAST && b->op == KM_COND_FORECAST && a->p >= b->p &&
	    (!b->within_ns || (a->within_ns && a->within_ns <= b->within_ns))) {
		longer.p = a->p;
		longer.within_ns = a->within_ns;
	}
	if (a->op == KM_COND_DEPLOYED && a->within_ns <= b->within_ns)
		longer.within_ns = a->within_ns;
	return km_cond_same(a, &longer);
}

bool km_cond_implies(const struct km_cond *a, const struct km_cond *b)
{
	bool same = a->span == b->span;

	for (unsigned int i = 0; same && i < a->span; i++)
		same = km_cond_same(&a[i], &b[i]);
	return same || (!is_group(a) && !is_group(b) && implies(a, b));
}

/* What makes the rule speak silences it as well. */
static void warn_of_unless(struct tree *when, struct tree *unless)
{
	unsigned int a[KM_CONDITIONS_MAX], b[KM_CONDITIONS_MAX];
	unsigned int n = leaves_of(when->cond, 0, KM_COND_ALL, a);
	unsigned int m = leaves_of(unless->cond, 0, KM_COND_ANY, b);

	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < m; k++)
			if (implies(&when->cond[a[i]], &unless->cond[b[k]]))
				km_compile_warn(unless->c, unless->text[b[k]],
				                "take it out, or make it narrower than \"when\"",
				                "this holds whenever \"when\" does, the rule never "
				                "speaks");
}

/* Any user may call a process what they like, and who can make the service answer may choose the
 * words. */
static void warn_of_names(struct tree *t, bool disrupts)
{
	for (unsigned int i = 0; disrupts && i < t->cond->span; i++) {
		if (t->cond[i].op == KM_COND_EVENT && t->cond[i].by[0])
			km_compile_warn(t->c, t->text[i],
			                "only notify, or leave \"by\" out and use \"outsider\"",
			                "a name that any process may give itself drives a verb "
			                "that disrupts");
		if (t->cond[i].op == KM_COND_TEXT)
			km_compile_warn(t->c, t->text[i],
			                "only notify, or use the state \"unhealthy\"",
			                "words that whoever answers may choose drive a verb that "
			                "disrupts");
	}
}

void km_compile_warn_of_trees(struct km_compile *c, const cJSON *when, const cJSON *unless,
                              bool disrupts)
{
	struct tree w = { .c = c, .cond = c->when }, u = { .c = c, .cond = c->unless };

	list_texts(when, w.cond, w.text);
	warn_of_nodes(&w, 0, false);
	warn_of_groups(&w);
	warn_of_names(&w, disrupts);
	if (!unless)
		return;
	list_texts(unless, u.cond, u.text);
	warn_of_groups(&u);
	warn_of_unless(&w, &u);
}
