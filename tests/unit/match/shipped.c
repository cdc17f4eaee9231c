// SPDX-License-Identifier: Apache-2.0
/* The rules that are shipped, the demo's, and the examples of rules/README.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/fs.h"
#include "support.h"

struct set {
	struct km_rule *rule[64];
	size_t count, warnings;
};

static void warned(void *userdata, const struct km_error *warning)
{
	struct set *s = userdata;
	char line[1024];

	print_message("%s\n", km_error_format(warning, line, sizeof(line)));
	s->warnings++;
}

static void load_one(struct set *s, const char *folder, const char *name)
{
	struct km_rule_text in = { .file = name, .warn = warned, .userdata = s };
	char path[KM_PATH_MAX], line[1024];
	struct km_error err;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	text = slurp(path, &in.len);
	in.text = text;
	if (km_rule_check(&in, &err, &s->rule[s->count]) < 0)
		fail_msg("%s", km_error_format(&err, line, sizeof(line)));
	s->count++;
	free(text);
}

static struct km_rules *load(const char *folder, struct set *s)
{
	char path[KM_PATH_MAX], line[1024];
	struct km_rules *rules = NULL;
	struct km_error err = { 0 };
	char **names = NULL;
	int fd;

	memset(s, 0, sizeof(*s));
	snprintf(path, sizeof(path), "%s/%s", tree(), folder);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(km_rule_names(fd, &err, &names), 0);
	close(fd);
	for (char **name = names; *name && s->count < KM_ARRAY_SIZE(s->rule); name++)
		load_one(s, folder, *name);
	km_fs_free_names(names);
	if (km_rules_new(s->rule, s->count, &err, &rules) < 0)
		fail_msg("%s", km_error_format(&err, line, sizeof(line)));
	return rules;
}

static void every_shipped_rule_compiles_without_a_warning_and_only_suggests(void **state)
{
	struct set s;
	struct km_rules *rules = load("rules", &s);

	(void)state;
	assert_true(rules->count >= 30);
	assert_int_equal(s.warnings, 0);
	for (size_t i = 0; i < rules->count; i++) {
		const struct km_rule *r = rules->rule[i];
		char expected[2 * KM_NAME_MAX + 8];

		assert_int_equal(r->guard.mode, KM_SUGGEST);
		assert_false(r->stable);
		assert_true(strlen(r->why) > 80);
		/* "crash-loop" is crash/loop.json */
		assert_int_equal(strncmp(r->id, r->rule_class, strlen(r->rule_class)), 0);
		if (r->id[strlen(r->rule_class)] != '-')
			fail_msg("%s is in %s", r->id, r->file);
		snprintf(expected, sizeof(expected), "%s/%s.json", r->rule_class,
		         r->id + strlen(r->rule_class) + 1);
		assert_string_equal(r->file, expected);
	}
	km_rules_free(rules);
}

static void the_reference_lists_every_shipped_rule(void **state)
{
	struct set s;
	struct km_rules *rules = load("rules", &s);
	size_t len;
	char *page = slurp("rules/README.md", &len);

	(void)state;
	for (size_t i = 0; i < rules->count; i++) {
		const char *file = rules->rule[i]->file;
		char row[KM_NAME_MAX + 8];

		snprintf(row, sizeof(row), "| `%.*s` |", (int)strlen(file) - 5, file);
		if (!strstr(page, row))
			fail_msg("rules/README.md has no row %s", row);
	}
	free(page);
	km_rules_free(rules);
}

static void the_demo_has_four_rules_of_its_own(void **state)
{
	struct set s;
	struct km_rules *rules = load("tests/scenario/demo.d/rules", &s);

	(void)state;
	assert_int_equal(rules->count, 4);
	for (size_t i = 0; i < rules->count; i++) {
		assert_int_equal(rules->rule[i]->guard.mode, KM_AUTO);
		assert_true(covers(rules->rule[i], "demo-noisy"));
		assert_false(covers(rules->rule[i], "sshd.service"));
	}
	assert_string_equal(rules->rule[0]->id, "demo-crash-loop");
	assert_int_equal(rules->rule[0]->otherwise, KM_ELSE_QUARANTINE);
	km_rules_free(rules);
}

/* A whole rule: EXAMPLE and the required members that it does not bring itself. */
static char *with_example(const char *example)
{
	static const char *const members[] = {
		"\"version\": 1",
		"\"id\": \"test\"",
		"\"summary\": \"s\"",
		"\"why\": \"w\"",
		"\"owner\": \"ops\"",
		"\"maturity\": \"experimental\"",
		"\"scope\": {\"all\": true}",
		"\"when\": {\"state\": {\"is\": \"down\"}}",
		"\"plan\": [{\"do\": \"start\"}]",
		"\"verify\": {\"not_measured\": true}",
	};
	const char *inside = strchr(example, '{');
	struct km_json *doc = NULL;
	struct km_buf *b = NULL;
	struct km_error err;
	char line[1024], *text;

	if (km_json_parse(example, strlen(example), "README.md", &err, &doc) < 0)
		fail_msg("%s: %s", km_error_format(&err, line, sizeof(line)), example);
	assert_int_equal(km_buf_new(KM_JSON_BYTES_MAX, &b), 0);
	km_buf_addf(b, "{");
	for (size_t i = 0; i < KM_ARRAY_SIZE(members); i++) {
		char key[32];

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(members[i] + 1, "\""),
		         members[i] + 1);
		if (!cJSON_GetObjectItemCaseSensitive(km_json_root(doc), key))
			km_buf_addf(b, "%s,\n", members[i]);
	}
	km_buf_addf(b, "%s", inside + 1);
	text = strdup(km_buf_text(b));
	km_buf_free(b);
	km_json_free(doc);
	return text;
}

static void every_example_of_the_reference_compiles(void **state)
{
	size_t len, blocks = 0;
	char *page = slurp("rules/README.md", &len), *at = page, *end;

	(void)state;
	for (; (at = strstr(at, "```json\n")); at = end + 3, blocks++) {
		struct km_rule *r;
		char *text;

		at += strlen("```json\n");
		end = strstr(at, "```");
		assert_non_null(end);
		*end = '\0';
		text = with_example(at);
		r = compile(text, strlen(text), "README.md");
		km_rule_free(r);
		free(text);
	}
	assert_true(blocks >= 15);
	free(page);
}

/* The page names each construct that the language has. */
static void the_reference_names_every_word_of_the_language(void **state)
{
	static const char *const *const lists[] = {
		km_mode_names,          km_end_how_names,          km_otherwise_names,
		km_resource_names,      km_verb_names + 1,         km_event_names + 1,
		km_forecast_kind_names, km_service_state_names + 1
	};
	size_t len;
	char *page = slurp("rules/README.md", &len);

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(lists); i++)
		for (const char *const *name = lists[i]; *name; name++) {
			char word[64];

			if (strcmp(*name, "undo") == 0)
				continue; /* no rule asks for it */
			snprintf(word, sizeof(word), "`%s`", *name);
			if (!strstr(page, word))
				fail_msg("rules/README.md does not name %s", word);
		}
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shipped_rule_compiles_without_a_warning_and_only_suggests),
		cmocka_unit_test(the_reference_lists_every_shipped_rule),
		cmocka_unit_test(the_demo_has_four_rules_of_its_own),
		cmocka_unit_test(every_example_of_the_reference_compiles),
		cmocka_unit_test(the_reference_names_every_word_of_the_language),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
