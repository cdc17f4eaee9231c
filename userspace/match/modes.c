// SPDX-License-Identifier: Apache-2.0
#include "match/modes.h"

#include "base/text.h"

#define DIGEST_DIGITS 64

struct entry_text {
	char id[KM_NAME_MAX];
	char digest[DIGEST_DIGITS + 1];
	char by[KM_NAME_MAX];
	char why[KM_RULE_TEXT_MAX];
	int mode;
	uint64_t at_s;
};

#define ENTRY(member)  .offset = offsetof(struct entry_text, member)
#define STRING(member) ENTRY(member), .size = sizeof(((struct entry_text *)0)->member)

static const struct km_json_field entry_fields[] = {
	{ "id", KM_JSON_STRING, true, STRING(id) },
	{ "mode", KM_JSON_ENUM, true, ENTRY(mode), .names = km_mode_names },
	{ "digest", KM_JSON_STRING, true, STRING(digest) },
	{ "at", KM_JSON_COUNT, true, ENTRY(at_s) },
	{ "by", KM_JSON_STRING, true, STRING(by) },
	{ "why", KM_JSON_STRING, true, STRING(why) },
	{ 0 }
};

struct top {
	uint64_t version;
	const cJSON *rules;
};

static const struct km_json_field top_fields[] = {
	{ "version", KM_JSON_COUNT, true, .offset = offsetof(struct top, version), .min = 1,
	  .max = 1 },
	{ "rules", KM_JSON_ARRAY, true, .offset = offsetof(struct top, rules) },
	{ 0 }
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_digest(const char *s, uint8_t ret[32])
{
	if (strlen(s) != DIGEST_DIGITS)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int high = digit(s[2 * i]), low = digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int read_entry(const struct km_json *doc, const cJSON *node, struct km_error *err,
                      struct km_mode_entry *ret)
{
	struct entry_text t = { 0 };
	int r;

	if (!cJSON_IsObject(node))
		return km_json_fail(doc, node, err, NULL, "an entry is an object");
	r = km_json_read(doc, node, entry_fields, &t, err);
	if (r < 0)
		return r;
	if (!parse_digest(t.digest, ret->digest))
		return km_json_fail(doc, cJSON_GetObjectItemCaseSensitive(node, "digest"), err,
		                    "let kmend rule promote write it",
		                    "a digest is 64 hex digits in lower case");
	km_copy(ret->id, sizeof(ret->id), t.id);
	km_copy(ret->by, sizeof(ret->by), t.by);
	km_copy(ret->why, sizeof(ret->why), t.why);
	ret->mode = (enum km_mode)t.mode;
	ret->at_s = t.at_s;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct km_mode_entry *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static int read_entries(const struct km_json *doc, const cJSON *array, struct km_error *err,
                        struct km_modes *m)
{
	const cJSON *node;
	int r;

	if (cJSON_GetArraySize(array) > KM_RULES_MAX)
		return km_json_fail(doc, array, err, "remove those of rules that are gone",
		                    "more entries than one host may have rules");
	m->entry = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(*m->entry));
	if (!m->entry)
		return -ENOMEM;
	cJSON_ArrayForEach(node, array)
	{
		r = read_entry(doc, node, err, &m->entry[m->count]);
		if (r < 0)
			return r;
		m->count++;
	}
	qsort(m->entry, m->count, sizeof(*m->entry), by_id);
	for (size_t i = 1; i < m->count; i++)
		if (!strcmp(m->entry[i].id, m->entry[i - 1].id))
			return km_json_fail(doc, array, err, "leave one of them",
			                    "two entries for the rule \"%s\"", m->entry[i].id);
	return 0;
}

int km_modes_compile(const char *text, size_t len, const char *file, struct km_error *err,
                     struct km_modes **ret)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	km_autofree(km_modes_freep) struct km_modes *m = NULL;
	struct top top = { 0 };
	int r = km_json_parse(text, len, file, err, &doc);

	if (r < 0)
		return r;
	if (!cJSON_IsObject(km_json_root(doc)))
		return km_json_fail(doc, km_json_root(doc), err, NULL, "modes are one JSON object");
	r = km_json_read(doc, km_json_root(doc), top_fields, &top, err);
	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	r = read_entries(doc, top.rules, err, m);
	if (r < 0)
		return r;
	*ret = km_take(m);
	return 0;
}

struct km_modes *km_modes_free(struct km_modes *m)
{
	if (m)
		free(m->entry);
	free(m);
	return NULL;
}

const struct km_mode_entry *km_modes_get(const struct km_modes *m, const char *id)
{
	struct km_mode_entry key = { 0 };

	if (!m || !m->count)
		return NULL;
	km_copy(key.id, sizeof(key.id), id);
	return bsearch(&key, m->entry, m->count, sizeof(*m->entry), by_id);
}

enum km_mode km_modes_of(const struct km_modes *m, const struct km_rule *r)
{
	const struct km_mode_entry *e = km_modes_get(m, r->id);

	if (!e)
		return r->written_mode;
	if (e->mode > r->written_mode && memcmp(e->digest, r->digest, sizeof(r->digest)) != 0)
		return r->written_mode;
	return e->mode;
}

void km_modes_apply(const struct km_modes *m, struct km_rule *const *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct km_mode_entry *e = km_modes_get(m, rules[i]->id);

		rules[i]->guard.mode = km_modes_of(m, rules[i]);
		rules[i]->mode_at_s = e ? e->at_s : 0;
	}
}

void km_modes_write(const struct km_modes *m, struct km_json_writer *w)
{
	char digest[DIGEST_DIGITS + 1];

	km_jw_object(w);
	km_jw_ku64(w, "version", 1);
	km_jw_key(w, "rules");
	km_jw_array(w);
	for (size_t i = 0; i < m->count; i++) {
		const struct km_mode_entry *e = &m->entry[i];

		km_hex(e->digest, sizeof(e->digest), digest);
		km_jw_object(w);
		km_jw_kstring(w, "id", e->id);
		km_jw_kstring(w, "mode", km_mode_names[e->mode]);
		km_jw_kstring(w, "digest", digest);
		km_jw_ku64(w, "at", e->at_s);
		km_jw_kstring(w, "by", e->by);
		km_jw_kstring(w, "why", e->why);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
	km_jw_end_object(w);
}
