// SPDX-License-Identifier: Apache-2.0
/* A rule in one block: the struct, its conditions, its steps, its words. A host may have thousands
 * of rules, of which most have a handful of conditions. */
#include "match/pattern.h"

struct block {
	char *at;
};

static void *put(struct block *b, const void *data, size_t size)
{
	void *at = b->at;

	memcpy(at, data, size);
	b->at += size;
	return at;
}

static const char *put_word(struct block *b, const char *word)
{
	return put(b, word, strlen(word) + 1);
}

/* No tree is one node that spans nothing. */
static size_t tree_size(const struct km_cond *tree)
{
	return (tree->span ? tree->span : 1) * sizeof(*tree);
}

static size_t words_size(const struct km_compile_words *w)
{
	return strlen(w->id) + strlen(w->file) + strlen(w->rule_class) + strlen(w->owner) +
	       strlen(w->summary) + strlen(w->why) + 6;
}

int km_compile_pack(struct km_compile *c, struct km_rule **ret)
{
	const size_t steps = c->rule.steps * sizeof(*c->plan);
	const struct km_compile_words *w = &c->words;
	struct km_rule *rule = malloc(sizeof(*rule) + tree_size(c->when) + tree_size(c->unless) +
	                              steps + words_size(w));
	struct block b = { (char *)rule };

	if (!rule)
		return -ENOMEM;
	put(&b, &c->rule, sizeof(c->rule));
	rule->when = put(&b, c->when, tree_size(c->when));
	rule->unless = put(&b, c->unless, tree_size(c->unless));
	rule->plan = put(&b, c->plan, steps);
	rule->id = put_word(&b, w->id);
	rule->file = put_word(&b, w->file);
	rule->rule_class = put_word(&b, w->rule_class);
	rule->owner = put_word(&b, w->owner);
	rule->summary = put_word(&b, w->summary);
	rule->why = put_word(&b, w->why);
	c->rule.services = c->rule.units = c->rule.images = c->rule.labels = NULL;
	c->rule.references = NULL;
	for (unsigned int i = 0; i < KM_CONDITIONS_MAX; i++)
		c->when[i].pattern = c->unless[i].pattern = NULL;
	*ret = rule;
	return 0;
}

void km_compile_free_patterns(const struct km_cond *tree, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		km_pattern_free(tree[i].pattern);
}

void km_compile_free_lists(struct km_rule *r)
{
	km_compile_free_strings(r->services);
	km_compile_free_strings(r->units);
	km_compile_free_strings(r->images);
	km_compile_free_strings(r->labels);
	km_compile_free_strings(r->references);
}

struct km_rule *km_rule_free(struct km_rule *r)
{
	if (!r)
		return NULL;
	km_compile_free_lists(r);
	km_compile_free_patterns(r->when, r->when ? r->when->span : 0);
	km_compile_free_patterns(r->unless, r->unless ? r->unless->span : 0);
	free(r);
	return NULL;
}
