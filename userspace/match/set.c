// SPDX-License-Identifier: Apache-2.0
/* A set of rules: in force as a whole, with one digest. */
#include "match/rule.h"

#include "base/sha256.h"
#include <stdio.h>

static int by_id(const void *a, const void *b)
{
	const struct km_rule *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

static int by_key(const void *a, const void *b)
{
	const struct km_rule *const *x = a, *const *y = b;

	return ((*x)->key > (*y)->key) - ((*x)->key < (*y)->key);
}

static struct km_rule **sorted(struct km_rule *const *rules, size_t count,
                               int (*compare)(const void *, const void *))
{
	struct km_rule **copy = calloc(count + 1, sizeof(struct km_rule *));

	if (!copy || !count)
		return copy;
	memcpy(copy, rules, count * sizeof(struct km_rule *));
	qsort(copy, count, sizeof(struct km_rule *), compare);
	return copy;
}

static void km_free_listp(struct km_rule ***list)
{
	free(*list);
}

static int two_alike(const struct km_rule *a, const struct km_rule *b, struct km_error *err)
{
	const struct km_rule *first = strcmp(a->file, b->file) <= 0 ? a : b;
	const struct km_rule *second = first == a ? b : a;
	char name[64];

	memset(err, 0, sizeof(*err));
	km_copy(err->file, sizeof(err->file), second->file);
	err->line = 1;
	err->column = 1;
	km_copy(name, sizeof(name), first->file);
	snprintf(err->what, sizeof(err->what), "the id \"%.64s\" is also that of %s", second->id,
	         name);
	km_copy(err->remedy, sizeof(err->remedy), "give one of the two another id");
	return -EEXIST;
}

static int digest_of(struct km_rule *const *rules, size_t count, uint8_t ret[KM_SHA256_SIZE])
{
	struct km_span *pieces = calloc(2 * count + 1, sizeof(*pieces));
	size_t n = 0;

	if (!pieces)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		pieces[n++] = (struct km_span){ rules[i]->digest, sizeof(rules[i]->digest) };
		/* another mode than the text's own is a part of what is in force */
		if (rules[i]->guard.mode != rules[i]->written_mode)
			pieces[n++] = (struct km_span){ &rules[i]->guard.mode,
				                        sizeof(rules[i]->guard.mode) };
	}
	km_sha256(pieces, n, ret);
	free(pieces);
	return 0;
}

int km_rules_new(struct km_rule **rules, size_t count, struct km_error *err, struct km_rules **ret)
{
	km_autofree(km_free_listp) struct km_rule **ids = NULL;
	km_autofree(km_free_listp) struct km_rule **keys = NULL;
	struct km_rules *set;
	uint8_t digest[KM_SHA256_SIZE];
	int r;

	if (count > KM_RULES_MAX)
		return -E2BIG;
	ids = sorted(rules, count, by_id);
	keys = sorted(rules, count, by_key);
	if (!ids || !keys)
		return -ENOMEM;
	/* equal keys: the same id, or two ids with one hash, which no table could tell apart */
	for (size_t i = 1; i < count; i++)
		if (keys[i]->key == keys[i - 1]->key)
			return two_alike(keys[i - 1], keys[i], err);
	r = digest_of(ids, count, digest);
	if (r < 0)
		return r;
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	set->rule = km_take(ids);
	set->by_key = km_take(keys);
	set->count = count;
	memcpy(set->digest, digest, sizeof(digest));
	*ret = set;
	return 0;
}

struct km_rules *km_rules_free(struct km_rules *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->count; i++)
		km_rule_free(r->rule[i]);
	free(r->rule);
	free(r->by_key);
	free(r);
	return NULL;
}

const struct km_rule *km_rules_get(const struct km_rules *r, uint64_t key)
{
	size_t low = 0, high = r ? r->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->by_key[middle]->key == key)
			return r->by_key[middle];
		if (r->by_key[middle]->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
