// SPDX-License-Identifier: Apache-2.0
/* A rule's file as a whole: its members, in the order in which they depend on each other. */
#include "match/compile.h"

#include "base/sha256.h"
#include "base/text.h"

const char *const km_mode_names[KM_MODE_MAX + 1] = { "observe", "suggest", "approve", "auto" };
const char *const km_otherwise_names[KM_ELSE_MAX + 1] = { "next", "escalate", "quarantine" };

static const char *const maturity_names[] = { "experimental", "stable", NULL };

struct top {
	uint64_t version;
	struct km_compile_words words;
	int maturity, otherwise;
	char expires[11];
	const cJSON *references, *scope, *when, *unless, *plan, *verify, *guard;
};

#define TOP(member) .offset = offsetof(struct top, member)

static const struct km_json_field top_fields[] = {
	{ "version", KM_JSON_COUNT, true, TOP(version), .min = 1, .max = 1 },
	{ "id", KM_JSON_STRING, true, TOP(words.id), .size = KM_NAME_MAX },
	{ "summary", KM_JSON_STRING, true, TOP(words.summary), .size = 4 * KM_RULE_TEXT_MAX },
	{ "why", KM_JSON_STRING, true, TOP(words.why), .size = 4 * KM_RULE_TEXT_MAX },
	{ "owner", KM_JSON_STRING, true, TOP(words.owner), .size = 4 * KM_NAME_MAX },
	{ "maturity", KM_JSON_ENUM, true, TOP(maturity), .names = maturity_names },
	{ "expires", KM_JSON_STRING, false, TOP(expires), .size = 11 },
	{ "references", KM_JSON_ARRAY, false, TOP(references) },
	{ "scope", KM_JSON_OBJECT, true, TOP(scope) },
	{ "when", KM_JSON_OBJECT, true, TOP(when) },
	{ "unless", KM_JSON_OBJECT, false, TOP(unless) },
	{ "plan", KM_JSON_ARRAY, true, TOP(plan) },
	{ "verify", KM_JSON_OBJECT, true, TOP(verify) },
	{ "otherwise", KM_JSON_ENUM, false, TOP(otherwise), .names = km_otherwise_names },
	{ "guard", KM_JSON_OBJECT, false, TOP(guard) },
	{ 0 }
};

bool km_verb_disrupts(enum km_verb verb)
{
	static const bool harmless[KM_VERB_MAX] = {
		[KM_VERB_NONE] = true, [KM_START] = true, [KM_NOTIFY] = true,  [KM_RELEASE] = true,
		[KM_THAW] = true,      [KM_UNDO] = true,  [KM_CAPTURE] = true,
	};

	return !harmless[verb];
}

int km_compile_references(struct km_compile *c, const cJSON *node)
{
	return km_compile_strings(c, node, KM_REFERENCES_MAX, "reference", &c->rule.references);
}

static bool id_is_good(const char *id)
{
	size_t len = strlen(id);

	return len && id[0] >= 'a' && id[0] <= 'z' &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && id[len - 1] != '-' &&
	       !strstr(id, "--");
}

/* The words of a rule, which people see before they see what it does. */
static int take_words(struct km_compile *c, const cJSON *root, const struct top *t)
{
	const struct {
		const char *key, *text;
		size_t most; /* characters */
	} words[] = { { "summary", t->words.summary, KM_RULE_TEXT_MAX - 1 },
		      { "why", t->words.why, KM_RULE_TEXT_MAX - 1 },
		      { "owner", t->words.owner, KM_NAME_MAX - 1 } };
	struct km_rule *rule = &c->rule;

	if (!id_is_good(t->words.id))
		return km_json_fail(
			c->doc, cJSON_GetObjectItemCaseSensitive(root, "id"), c->err,
			"like \"memory-leak-to-limit\"",
			"an id is made of lower case letters, digits and single dashes, "
			"and begins with a letter");
	for (size_t i = 0; i < KM_ARRAY_SIZE(words); i++) {
		const cJSON *node = cJSON_GetObjectItemCaseSensitive(root, words[i].key);

		if (!words[i].text[strspn(words[i].text, " \t\r\n")])
			return km_json_fail(c->doc, node, c->err, "say it in a sentence",
			                    "\"%s\" is empty", words[i].key);
		if (km_compile_characters(words[i].text) > words[i].most)
			return km_json_fail(c->doc, node, c->err, "shorten it",
			                    "\"%s\" is longer than %zu characters", words[i].key,
			                    words[i].most);
	}
	c->words = t->words;
	rule->key = km_hash(t->words.id, strlen(t->words.id));
	rule->stable = t->maturity == 1;
	rule->otherwise = (enum km_otherwise)t->otherwise;
	return 0;
}

/* "memory" of ".../memory/leak.json". */
static void take_file(struct km_compile_words *words, const char *file)
{
	const char *end = strrchr(file, '/'), *begin = end;

	km_copy(words->file, sizeof(words->file), file);
	if (!end)
		return;
	while (begin > file && begin[-1] != '/')
		begin--;
	if ((size_t)(end - begin) < sizeof(words->rule_class))
		memcpy(words->rule_class, begin, (size_t)(end - begin));
}

static int take_expiry(struct km_compile *c, const cJSON *root, const struct top *t)
{
	const cJSON *node = cJSON_GetObjectItemCaseSensitive(root, "expires");

	if (!node)
		return 0;
	if (km_parse_day(t->expires, &c->rule.expires_s) < 0)
		return km_json_fail(c->doc, node, c->err, "like \"2027-01-31\", from 2000 to 2099",
		                    "\"expires\" is no day");
	c->rule.expires_line = km_json_line(c->doc, node);
	return 0;
}

/* Whether an anomaly may be what makes it true; ones that must be absent do not count. */
static bool hinted(const struct km_cond *c)
{
	const struct km_cond *end = c + c->span;

	while (c < end) {
		if (c->op == KM_COND_FORECAST && c->forecast_kind == KM_ANOMALY)
			return true;
		c += c->op == KM_COND_NOT ? c->span : 1;
	}
	return false;
}

/* Unlike its own past is no failure: a hint may call somebody, not disrupt anything. */
static int refuse_hint(struct km_compile *c, const struct top *t)
{
	if (!hinted(c->rule.when))
		return 0;
	for (unsigned int i = 0; i < c->rule.steps; i++)
		if (km_verb_disrupts(c->rule.plan[i].verb))
			return km_json_fail(c->doc, t->when, c->err,
			                    "use notify, or \"kind\": \"failure\"",
			                    "an anomaly is a hint, and %s would follow it",
			                    km_verb_names[c->rule.plan[i].verb]);
	return 0;
}

static int compile_parts(struct km_compile *c, const struct top *t)
{
	int r = km_compile_scope(c, t->scope);

	if (r >= 0 && t->references)
		r = km_compile_references(c, t->references);
	if (r >= 0)
		r = km_compile_condition(c, t->when, c->when);
	if (r >= 0 && t->unless)
		r = km_compile_condition(c, t->unless, c->unless);
	if (r >= 0)
		r = km_compile_plan(c, t->plan);
	if (r >= 0)
		r = km_compile_verify(c, t->verify);
	if (r >= 0)
		r = km_compile_guard(c, t->guard);
	if (r >= 0)
		r = refuse_hint(c, t);
	return r;
}

static int compile(struct km_compile *c, const cJSON *root)
{
	const struct km_span span = { c->in->text, c->in->len };
	struct top t = { 0 };
	int r;

	if (!cJSON_IsObject(root))
		return km_json_fail(c->doc, root, c->err, "begin the file with {",
		                    "a rule is one JSON object");
	r = km_json_read(c->doc, root, top_fields, &t, c->err);
	if (r >= 0)
		r = take_words(c, root, &t);
	if (r >= 0)
		r = take_expiry(c, root, &t);
	if (r >= 0)
		r = compile_parts(c, &t);
	if (r < 0)
		return r;
	km_sha256(&span, 1, c->rule.digest);
	take_file(&c->words, c->in->file);
	c->rule.written_mode = c->rule.guard.mode;
	if (c->in->warn)
		km_compile_warnings(c, root);
	return 0;
}

static void km_compile_clear(struct km_compile **c)
{
	if (!*c)
		return;
	km_compile_free_lists(&(*c)->rule);
	km_compile_free_patterns((*c)->when, KM_CONDITIONS_MAX);
	km_compile_free_patterns((*c)->unless, KM_CONDITIONS_MAX);
	free(*c);
}

int km_rule_check(const struct km_rule_text *in, struct km_error *err, struct km_rule **ret)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	km_autofree(km_compile_clear) struct km_compile *c = NULL;
	int r = km_json_parse(in->text, in->len, in->file, err, &doc);

	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->in = in;
	c->doc = doc;
	c->err = err;
	c->rule.when = c->when;
	c->rule.unless = c->unless;
	c->rule.plan = c->plan;
	r = compile(c, km_json_root(doc));
	return r < 0 ? r : km_compile_pack(c, ret);
}

int km_rule_compile(const char *text, size_t len, const char *file, struct km_error *err,
                    struct km_rule **ret)
{
	const struct km_rule_text in = { .text = text, .len = len, .file = file };

	return km_rule_check(&in, err, ret);
}
