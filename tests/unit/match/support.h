/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for tests: from the fixtures, or from a few parts in a text that is the same else. */
#ifndef KM_TEST_MATCH_SUPPORT_H
#define KM_TEST_MATCH_SUPPORT_H

#include <stdio.h>

#include "match/rule.h"

/* Tests run from the top of the tree, or say where it is. */
static inline const char *tree(void)
{
	const char *top = getenv("KMEND_TOP");

	return top ? top : ".";
}

/* Whole content of the file at PATH below the tree, the caller's; its length in *LEN. */
static inline char *slurp(const char *path, size_t *len)
{
	char name[2 * KM_PATH_MAX];
	size_t size = KM_JSON_BYTES_MAX + 1;
	char *text = malloc(size);
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", tree(), path);
	f = fopen(name, "re");
	if (!f || !text) {
		print_error("%s: %s\n", name, strerror(errno));
		abort();
	}
	*len = fread(text, 1, size - 1, f);
	text[*len] = '\0';
	fclose(f);
	return text;
}

static inline struct km_rule *compile(const char *text, size_t len, const char *file)
{
	struct km_rule *r = NULL;
	struct km_error err;
	char line[1024];

	if (km_rule_compile(text, len, file, &err, &r) < 0)
		fail_msg("%s", km_error_format(&err, line, sizeof(line)));
	return r;
}

static inline struct km_rule *fixture_rule(const char *name)
{
	char path[KM_PATH_MAX];
	struct km_rule *r;
	size_t len;
	char *text;

	snprintf(path, sizeof(path), "tests/fixtures/rules/%s", name);
	text = slurp(path, &len);
	r = compile(text, len, name);
	free(text);
	return r;
}

/* Line of "when" in what rule_text() makes. */
#define RULE_WHEN_LINE 4

/* SCOPE, WHEN as JSON; MORE is further members, each with a comma before it. */
static inline char *rule_text_of(const char *id, const char *scope, const char *when,
                                 const char *more)
{
	char *text = NULL;

	if (asprintf(&text,
	             "{\"version\": 1, \"id\": \"%s\", \"summary\": \"s\", \"why\": \"w\",\n"
	             "\"owner\": \"ops\", \"maturity\": \"experimental\",\n"
	             "\"scope\": %s,\n\"when\": %s,\n"
	             "\"plan\": [{\"do\": \"notify\"}],\n"
	             "\"verify\": {\"not_measured\": true}%s\n}\n",
	             id, scope ? scope : "{\"services\": [\"web\"]}", when, more ? more : "") < 0)
		fail_msg("no memory");
	return text;
}

static inline char *rule_text(const char *scope, const char *when, const char *more)
{
	return rule_text_of("test", scope, when, more);
}

/* NULL with *ERR if it is refused. */
static inline struct km_rule *rule_with_error(const char *scope, const char *when, const char *more,
                                              struct km_error *err)
{
	char *text = rule_text(scope, when, more);
	struct km_rule *r = NULL;

	km_rule_compile(text, strlen(text), "test/test.json", err, &r);
	free(text);
	return r;
}

/* Whether R is about a service of this name that no configuration defines. */
static inline bool covers(const struct km_rule *r, const char *name)
{
	struct km_service s = { .kind = KM_BY_UNIT };

	km_copy(s.name, sizeof(s.name), name);
	return km_rule_covers(r, &s, NULL);
}

static inline struct km_rule *rule_with(const char *scope, const char *when, const char *more)
{
	char *text = rule_text(scope, when, more);
	struct km_rule *r = compile(text, strlen(text), "test/test.json");

	free(text);
	return r;
}

#endif
