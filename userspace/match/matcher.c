// SPDX-License-Identifier: Apache-2.0
/* A rule on a service: both trees of conditions, and what decided. */
#include "match/matcher.h"
#include "match/truth.h"

/* One part of one rule while it is looked at. */
struct look {
	struct km_matcher *m;
	const struct km_rule *rule;
	const struct km_match_input *in;
	const struct km_cond *tree;
	enum km_memory_part part;
	bool keeps; /* a row of the memory */
	enum km_truth truth[KM_CONDITIONS_MAX];
};

int km_matcher_new(struct km_matcher **ret)
{
	km_autofree(km_matcher_freep) struct km_matcher *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	r = km_memory_init(&m->memory);
	if (r < 0)
		return r;
	*ret = km_take(m);
	return 0;
}

struct km_matcher *km_matcher_free(struct km_matcher *m)
{
	if (!m)
		return NULL;
	km_memory_done(&m->memory);
	km_round_forget(m);
	free(m);
	return NULL;
}

size_t km_matcher_tables(struct km_matcher *m, struct km_table **ret, size_t max)
{
	struct km_table *const all[] = { m->memory.since, m->memory.windows, m->memory.tally };
	size_t n = 0;

	for (; n < KM_ARRAY_SIZE(all) && n < max; n++)
		ret[n] = all[n];
	return n;
}

void km_matcher_listen(struct km_matcher *m, km_match_ear ear, void *userdata)
{
	m->ear = ear;
	m->ear_data = userdata;
}

uint64_t km_matcher_full(const struct km_matcher *m)
{
	return km_memory_full(&m->memory);
}

static struct km_memory_at at(const struct look *l, unsigned int cond)
{
	return (struct km_memory_at){
		.key = { .rule_key = l->rule->key,
		         .service_id = l->in->service->id,
		         .part = l->part,
		         .cond = cond },
		.text = km_memory_text(l->rule),
		.now_ns = l->in->now_ns,
	};
}

/* Hysteresis: what was true stays so until the level is past the other bound. */
static enum km_truth latch(struct look *l, unsigned int i, enum km_truth now)
{
	struct km_memory_at here = at(l, i);
	enum km_truth still;
	int r;

	here.key.part += KM_PART_LATCH;
	if (now == KM_FALSE && km_memory_latched(&l->m->memory, &here)) {
		still = km_truth_still(&l->tree[i], l->in);
		if (still != KM_TRUE)
			km_memory_breaks(&l->m->memory, &here);
		now = still;
	}
	if (now != KM_TRUE) {
		/* a level that is not measured may still be past its bound */
		l->keeps = l->keeps || km_memory_has(&l->m->memory, &here);
		return now;
	}
	r = km_memory_holds(&l->m->memory, &here, 0);
	l->keeps = l->keeps || r >= 0;
	return r < 0 ? KM_NOT_MEASURED : KM_TRUE;
}

/* 'for': NOW is what the condition says at this moment. */
static enum km_truth hold(struct look *l, unsigned int i, enum km_truth now)
{
	struct km_memory_at here = at(l, i);
	int r;

	if (!l->tree[i].for_ns)
		return now;
	if (now != KM_TRUE) {
		km_memory_breaks(&l->m->memory, &here);
		return now;
	}
	r = km_memory_holds(&l->m->memory, &here, l->tree[i].for_ns);
	l->keeps = l->keeps || r >= 0;
	return r < 0 ? KM_NOT_MEASURED : r ? KM_TRUE : KM_FALSE;
}

/* Speaks only in the look at the event itself. */
static enum km_truth look_at_event(struct look *l, unsigned int i)
{
	const struct km_cond *c = &l->tree[i];
	enum km_truth now = km_truth_of_event(c, l->in);
	struct km_memory_at here = at(l, i);
	int r;

	if (now != KM_TRUE || c->count <= 1)
		return now;
	r = km_memory_counts(&l->m->memory, &here, c->within_ns);
	if (r < 0)
		return KM_NOT_MEASURED;
	return (uint32_t)r >= c->count ? KM_TRUE : KM_FALSE;
}

/* Kleene's three values: what is not measured decides only where the rest leaves it open. */
static enum km_truth look_at_group(const struct look *l, unsigned int i)
{
	const struct km_cond *c = &l->tree[i];
	enum km_truth decides = c->op == KM_COND_ALL ? KM_FALSE : KM_TRUE;
	enum km_truth all = decides == KM_FALSE ? KM_TRUE : KM_FALSE;
	unsigned int child = i + 1;

	if (c->op == KM_COND_NOT) {
		enum km_truth t = l->truth[child];

		return t == KM_NOT_MEASURED ? t : t == KM_TRUE ? KM_FALSE : KM_TRUE;
	}
	for (unsigned int n = 0; n < c->children; n++, child += l->tree[child].span) {
		if (l->truth[child] == decides)
			return decides;
		if (l->truth[child] == KM_NOT_MEASURED)
			all = KM_NOT_MEASURED;
	}
	return all;
}

/* Every node is looked at each time, also where the answer is known already: what is remembered
 * must not depend on the order of conditions. Backwards, so that children come before parents. */
static void look_at_tree(struct look *l)
{
	for (unsigned int i = l->tree->span; i-- > 0;) {
		switch (l->tree[i].op) {
		case KM_COND_ALL:
		case KM_COND_ANY:
		case KM_COND_NOT:
			l->truth[i] = look_at_group(l, i);
			break;
		case KM_COND_EVENT:
			l->truth[i] = look_at_event(l, i);
			break;
		case KM_COND_STATE:
		case KM_COND_ENDPOINT:
		case KM_COND_DEPLOYED: /* know since when they hold */
			l->truth[i] = km_truth_of(&l->tree[i], l->in);
			break;
		case KM_COND_LEVEL:
			l->truth[i] = km_truth_of(&l->tree[i], l->in);
			if (l->tree[i].until >= 0)
				l->truth[i] = latch(l, i, l->truth[i]);
			l->truth[i] = hold(l, i, l->truth[i]);
			break;
		default:
			l->truth[i] = hold(l, i, km_truth_of(&l->tree[i], l->in));
		}
	}
}

/* The first leaf, from the root down, that has the root's own answer (below a NOT its opposite). */
static unsigned int deciding(const struct look *l)
{
	unsigned int i = 0;

	while (l->tree[i].children) {
		unsigned int child = i + 1;

		if (l->tree[i].op != KM_COND_NOT)
			for (unsigned int n = 1; n < l->tree[i].children; n++) {
				if (l->truth[child] == l->truth[i])
					break;
				child += l->tree[child].span;
			}
		i = child;
	}
	return i;
}

/* What made a tree that is true so: for each group that counts, those of its members that hold.
 * What stands below a NOT made nothing true by happening. */
static void name_causes(const struct look *l, struct km_match *ret)
{
	bool counts[KM_CONDITIONS_MAX] = { true };

	for (unsigned int i = 0; i < l->tree->span; i++) {
		const struct km_cond *c = &l->tree[i];
		unsigned int child = i + 1;

		if (!counts[i])
			continue;
		if (c->op == KM_COND_FORECAST && !ret->forecast) {
			ret->forecast = km_truth_forecast(c, l->in);
			ret->line = ret->event ? ret->line : c->line;
		}
		if (c->op == KM_COND_ENDPOINT && !ret->endpoint) {
			km_truth_of_endpoint(c, l->in, &ret->endpoint);
			ret->line = ret->event ? ret->line : c->line;
		}
		if (c->op == KM_COND_EVENT && !ret->event) {
			ret->event = l->in->event;
			ret->line = c->line;
		}
		if (c->op == KM_COND_NOT)
			continue;
		for (unsigned int n = 0; n < c->children; n++, child += l->tree[child].span)
			counts[child] = l->truth[child] == KM_TRUE;
	}
}

/* A rule that nobody has looked at since its day came is not trusted any more; where nobody knows
 * what day it is, neither is it. */
static bool is_over(const struct km_rule *rule, const struct km_match_input *in,
                    struct km_match *ret)
{
	if (!rule->expires_s || (in->realtime_s && in->realtime_s < rule->expires_s))
		return false;
	ret->expired = in->realtime_s;
	ret->spoke = in->realtime_s ? KM_FALSE : KM_NOT_MEASURED;
	ret->line = rule->expires_line;
	return true;
}

static void look(struct look *l, const struct km_cond *tree, enum km_memory_part part)
{
	l->tree = tree;
	l->part = part;
	look_at_tree(l);
}

bool km_matcher_ask(struct km_matcher *m, const struct km_rule *rule,
                    const struct km_match_input *input, struct km_match *ret)
{
	struct km_match_input in = *input;
	struct look when, unless;

	*ret = (struct km_match){ .rule = rule,
		                  .service_id = in.service->id,
		                  .t_ns = in.now_ns,
		                  .spoke = KM_FALSE,
		                  .scoped = true };
	if (is_over(rule, input, ret))
		return true; /* perhaps: nobody looked */
	in.rule_key = rule->key;
	/* member by member: clearing what each condition says costs more than asking it */
	when.m = unless.m = m;
	when.rule = unless.rule = rule;
	when.in = unless.in = &in;
	when.keeps = unless.keeps = false;
	look(&when, rule->when, KM_PART_WHEN);
	ret->spoke = when.truth[0];
	ret->line = rule->when[deciding(&when)].line;
	if (rule->unless->span)
		look(&unless, rule->unless, KM_PART_UNLESS);
	/* true only if 'unless' is known not to hold */
	if (ret->spoke != KM_FALSE && rule->unless->span && unless.truth[0] != KM_FALSE) {
		ret->spoke = unless.truth[0] == KM_TRUE ? KM_FALSE : KM_NOT_MEASURED;
		ret->line = rule->unless[deciding(&unless)].line;
	}
	if (ret->spoke == KM_TRUE)
		name_causes(&when, ret);
	if (m->ear)
		m->ear(m->ear_data, ret, when.truth, rule->unless->span ? unless.truth : NULL);
	return when.keeps || unless.keeps;
}

int km_matcher_rule(struct km_matcher *m, const struct km_rule *rule,
                    const struct km_match_input *input, struct km_match *ret)
{
	*ret = (struct km_match){ .rule = rule,
		                  .service_id = input->service->id,
		                  .t_ns = input->now_ns,
		                  .spoke = KM_FALSE };
	if (km_rule_covers(rule, input->service, input->def))
		km_matcher_ask(m, rule, input, ret);
	return 0;
}
