// SPDX-License-Identifier: Apache-2.0
#include "review/diff.h"

/* Pairs of a rule and a service that decided anything. */
#define NAMES_MAX 65536

struct names {
	uint64_t rule_key, service_id;
	char rule[KM_NAME_MAX], service[KM_NAME_MAX];
};

struct side {
	struct km_diff_decision *list; /* owned */
	size_t count, size;
};

struct km_diff {
	struct side side[2];
	struct names *names; /* owned */
	size_t name_count, name_size;
	bool full;
};

const char *const km_diff_names[KM_DIFF_KINDS + 1] = {
	[KM_DIFF_SAME] = "same",
	[KM_DIFF_MOVED] = "moved",
	[KM_DIFF_VANISHED] = "vanished",
	[KM_DIFF_APPEARED] = "appeared",
};

int km_diff_new(struct km_diff **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct km_diff *km_diff_free(struct km_diff *d)
{
	if (!d)
		return NULL;
	free(d->side[KM_DIFF_OLD].list);
	free(d->side[KM_DIFF_NEW].list);
	free(d->names);
	free(d);
	return NULL;
}

/* Room for one more member of SIZE in an array of COUNT. */
static void *grown(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? 2 * *room : 64;
	void *ret;

	if (count < *room)
		return array;
	ret = reallocarray(array, wanted, size);
	if (ret)
		*room = wanted;
	return ret;
}

static int name_of(struct km_diff *d, const struct km_decision *x, uint32_t *ret)
{
	struct names *n;

	for (size_t i = d->name_count; i-- > 0;)
		if (d->names[i].rule_key == x->rule_key &&
		    d->names[i].service_id == x->service_id) {
			*ret = (uint32_t)i;
			return 0;
		}
	n = d->name_count < NAMES_MAX ? grown(d->names, d->name_count, &d->name_size, sizeof(*n))
	                              : NULL;
	if (!n)
		return -ENOMEM;
	d->names = n;
	n += d->name_count;
	*n = (struct names){ .rule_key = x->rule_key, .service_id = x->service_id };
	km_copy(n->rule, sizeof(n->rule), x->rule);
	km_copy(n->service, sizeof(n->service), x->service);
	*ret = (uint32_t)d->name_count++;
	return 0;
}

int km_diff_add(struct km_diff *d, enum km_diff_side which, const struct km_output *o)
{
	const struct km_decision *x = o->decision;
	struct side *s = &d->side[which];
	struct km_diff_decision *list, *new;

	if (o->kind != KM_OUT_DECISION || !x->rule_key)
		return 0;
	if (s->count == KM_DIFF_MAX) {
		d->full = true;
		return 0;
	}
	list = grown(s->list, s->count, &s->size, sizeof(*list));
	if (!list)
		return -ENOMEM;
	s->list = list;
	new = &list[s->count];
	*new = (struct km_diff_decision){
		.t_ns = x->t_ns,
		.what = { x->rule_key, x->service_id, x->answer, x->verb, x->step, x->guard },
	};
	if (name_of(d, x, &new->name) < 0)
		return -ENOMEM;
	s->count++;
	return 0;
}

static bool alike(const struct km_diff_decision *a, const struct km_diff_decision *b)
{
	return !memcmp(&a->what, &b->what, sizeof(a->what));
}

static uint64_t apart(const struct km_diff_decision *a, const struct km_diff_decision *b)
{
	return a->t_ns > b->t_ns ? a->t_ns - b->t_ns : b->t_ns - a->t_ns;
}

/* The nearest unused one of S that is X, at most WITHIN away; *FROM moves on behind what is too
 * old. */
static struct km_diff_decision *nearest(struct side *s, const struct km_diff_decision *x,
                                        uint64_t within_ns, size_t *from)
{
	struct km_diff_decision *best = NULL;

	while (*from < s->count && s->list[*from].t_ns + within_ns < x->t_ns)
		++*from;
	for (size_t i = *from; i < s->count; i++) {
		struct km_diff_decision *y = &s->list[i];

		if (y->t_ns > x->t_ns + within_ns)
			break;
		if (!y->used && alike(x, y) && (!best || apart(x, y) < apart(x, best)))
			best = y;
	}
	return best;
}

/* First what is at the same time, so that a move takes nothing from it. */
static uint64_t pair_same(struct km_diff *d)
{
	struct side *old = &d->side[KM_DIFF_OLD], *new = &d->side[KM_DIFF_NEW];
	uint64_t n = 0;
	size_t from = 0;

	for (size_t i = 0; i < old->count; i++) {
		struct km_diff_decision *y = nearest(new, &old->list[i], 0, &from);

		if (!y)
			continue;
		y->used = old->list[i].used = true;
		n++;
	}
	return n;
}

struct telling {
	void (*cb)(void *userdata, const struct km_diff_entry *e);
	void *userdata;
	uint64_t *counts;
};

static void tell(struct telling *t, enum km_diff_kind kind, const struct km_diff_decision *old,
                 const struct km_diff_decision *new)
{
	const struct km_diff_entry e = { kind, old, new };

	t->counts[kind]++;
	if (t->cb)
		t->cb(t->userdata, &e);
}

static const struct km_diff_decision *next_unused(const struct side *s, size_t *i)
{
	while (*i < s->count && s->list[*i].used)
		++*i;
	return *i < s->count ? &s->list[*i] : NULL;
}

int km_diff_end(struct km_diff *d, void (*cb)(void *userdata, const struct km_diff_entry *e),
                void *userdata, uint64_t counts[KM_DIFF_KINDS])
{
	struct side *old = &d->side[KM_DIFF_OLD], *new = &d->side[KM_DIFF_NEW];
	struct telling t = { cb, userdata, counts };
	const struct km_diff_decision *a, *b;
	size_t i = 0, k = 0, from = 0;

	if (d->full)
		return -E2BIG;
	memset(counts, 0, KM_DIFF_KINDS * sizeof(*counts));
	counts[KM_DIFF_SAME] = pair_same(d);
	while ((a = next_unused(old, &i))) {
		struct km_diff_decision *y = nearest(new, a, KM_DIFF_MOVED_NS, &from);

		/* what appeared before comes first */
		while ((b = next_unused(new, &k)) && b != y && b->t_ns < a->t_ns &&
		       b->t_ns + KM_DIFF_MOVED_NS < a->t_ns) {
			tell(&t, KM_DIFF_APPEARED, NULL, b);
			k++;
		}
		if (y)
			y->used = true;
		tell(&t, y ? KM_DIFF_MOVED : KM_DIFF_VANISHED, a, y);
		i++;
	}
	for (; (b = next_unused(new, &k)); k++)
		tell(&t, KM_DIFF_APPEARED, NULL, b);
	return 0;
}

const char *km_diff_rule(const struct km_diff *d, const struct km_diff_decision *x)
{
	return d->names[x->name].rule;
}

const char *km_diff_service(const struct km_diff *d, const struct km_diff_decision *x)
{
	return d->names[x->name].service;
}
