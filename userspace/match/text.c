// SPDX-License-Identifier: Apache-2.0
/* The condition "text": a pattern on what a health check of the service says. Patterns are PCRE2's,
 * with limits, so that none takes long, whatever it is matched with. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "match/pattern.h"

/* A reason has 127 bytes: what takes more steps there goes back and forth without an end. */
#define STEPS_MAX 20000
#define HEAP_KIB  64

#define OPTIONS   (PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE)

struct km_pattern {
	pcre2_code *code;
	char check[KM_CHECK_NAME_MAX]; /* "": any */
	char matches[KM_PATTERN_MAX];
};

struct leaf {
	int of;
	char check[KM_CHECK_NAME_MAX], matches[KM_PATTERN_MAX];
	uint64_t for_ns;
};

#define LEAF(member) .offset = offsetof(struct leaf, member)

/* Whose words. */
static const char *const text_of[] = { "health", NULL };

static const struct km_json_field fields[] = {
	{ "of", KM_JSON_ENUM, true, LEAF(of), .names = text_of },
	{ "check", KM_JSON_STRING, false, LEAF(check), .size = KM_CHECK_NAME_MAX },
	{ "matches", KM_JSON_STRING, true, LEAF(matches), .size = KM_PATTERN_MAX },
	{ "for", KM_JSON_DURATION, false, LEAF(for_ns), .min = KM_NS_PER_MS,
	  .max = KM_WITHIN_MAX_NS },
	{ 0 }
};

/* 1: it matches, 0: it does not, negative: a limit was met, or there is no memory. */
static int match(const struct km_pattern *p, const char *text)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int r = -ENOMEM;

	if (limits && data) {
		pcre2_set_match_limit(limits, STEPS_MAX);
		pcre2_set_depth_limit(limits, STEPS_MAX);
		pcre2_set_heap_limit(limits, HEAP_KIB);
		r = pcre2_match(p->code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, limits);
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	return r == PCRE2_ERROR_NOMATCH ? 0 : r >= 0 ? 1 : r;
}

static bool is_plain(const char *s)
{
	while (*s >= ' ' && *s <= '~')
		s++;
	return !*s;
}

static int compile(struct km_compile *c, const cJSON *node, struct km_pattern *p)
{
	PCRE2_SIZE at = 0;
	int error = 0;

	p->code = pcre2_compile((PCRE2_SPTR)p->matches, PCRE2_ZERO_TERMINATED, OPTIONS, &error, &at,
	                        NULL);
	if (!p->code)
		return km_json_fail(c->doc, node, c->err, "see: man pcre2pattern",
		                    "no valid pattern, at character %zu", (size_t)at);
	/* what needs nothing is found everywhere, or nowhere */
	if (match(p, "") != 0)
		return km_json_fail(c->doc, node, c->err, "say what must be there",
		                    "this matches a text with nothing in it");
	return 0;
}

int km_compile_text(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	const cJSON *matches = cJSON_GetObjectItemCaseSensitive(obj, "matches");
	struct leaf l = { 0 };
	struct km_pattern *p;
	int r = km_json_read(c->doc, obj, fields, &l, c->err);

	if (r < 0)
		return r;
	if (!is_plain(l.matches) || !is_plain(l.check))
		return km_json_fail(c->doc, obj, c->err, "write others as \\x{e9}",
		                    "only the characters of ASCII that can be printed");
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	km_copy(p->check, sizeof(p->check), l.check);
	km_copy(p->matches, sizeof(p->matches), l.matches);
	/* the condition's from here on, also where it is refused */
	ret->pattern = p;
	ret->op = KM_COND_TEXT;
	ret->for_ns = l.for_ns;
	return compile(c, matches, p);
}

struct km_pattern *km_pattern_free(struct km_pattern *p)
{
	if (p)
		pcre2_code_free(p->code);
	free(p);
	return NULL;
}

bool km_pattern_same(const struct km_pattern *a, const struct km_pattern *b)
{
	return a == b || (a && b && !strcmp(a->check, b->check) && !strcmp(a->matches, b->matches));
}

const char *km_pattern_text(const struct km_pattern *p)
{
	return p->matches;
}

const char *km_pattern_check(const struct km_pattern *p)
{
	return p->check;
}

static enum km_truth of_check(const struct km_pattern *p, const struct km_match_input *in,
                              const char *check)
{
	const struct km_check_state *s = km_attribute_check(in->attribute, in->service->id, check);
	int r;

	if (!s)
		return KM_NOT_MEASURED;
	r = match(p, s->reason);
	return r < 0 ? KM_NOT_MEASURED : r ? KM_TRUE : KM_FALSE;
}

enum km_truth km_truth_of_text(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_pattern *p = c->pattern;
	enum km_truth any = KM_NOT_MEASURED;

	for (size_t i = 0; in->attribute && in->def && i < in->def->check_count; i++) {
		const char *name = in->def->checks[i].name;
		enum km_truth one;

		if (p->check[0] && strcmp(p->check, name) != 0)
			continue;
		one = of_check(p, in, name);
		if (one == KM_TRUE)
			return one;
		if (one == KM_FALSE)
			any = one;
	}
	return any;
}
