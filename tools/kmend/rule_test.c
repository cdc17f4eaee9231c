// SPDX-License-Identifier: Apache-2.0
/* kmend rule test PATH...: the tests beside each rule, and which of its conditions they saw true
 * and false. */
#include "rule_test.h"

#include <fcntl.h>

#include "base/fs.h"
#include "base/text.h"
#include "review/files.h"

struct testing {
	struct km_json_writer *json; /* one of the two is NULL */
	FILE *text;
	struct km_rule_test_sum *sum;
};

static void say_error(struct testing *t, const struct km_error *e)
{
	char line[4 * sizeof(*e)];

	t->sum->errors++;
	if (!t->json) {
		fprintf(t->text, "%s\n", km_error_format(e, line, sizeof(line)));
		return;
	}
	km_jw_key(t->json, "error");
	km_jw_string(t->json, km_error_format(e, line, sizeof(line)));
}

static void say_test(struct testing *t, const char *file, const struct km_test *test,
                     const struct km_test_result *result)
{
	char name[4 * KM_RULE_TEXT_MAX], what[4 * sizeof(result->what)], path[4 * KM_PATH_MAX];

	t->sum->tests++;
	t->sum->failed += !result->passed;
	if (t->json) {
		km_jw_object(t->json);
		km_jw_kstring(t->json, "name", test->name);
		km_jw_kbool(t->json, "passed", result->passed);
		km_jw_ku64(t->json, "line", result->line);
		km_jw_kstring(t->json, "what", result->passed ? NULL : result->what);
		km_jw_end_object(t->json);
	} else if (!result->passed) {
		fprintf(t->text, "%s:%u: \"%s\" failed: %s\n",
		        km_text_escape(file, path, sizeof(path)), result->line,
		        km_text_escape(test->name, name, sizeof(name)),
		        km_text_escape(result->what, what, sizeof(what)));
	}
}

static void say_uncovered(struct testing *t, const char *file, const struct km_cond *c,
                          const char *never)
{
	char path[4 * KM_PATH_MAX];

	t->sum->uncovered++;
	if (t->json) {
		km_jw_object(t->json);
		km_jw_ku64(t->json, "line", c->line);
		km_jw_kstring(t->json, "condition", km_cond_op_names[c->op]);
		km_jw_kstring(t->json, "never", never);
		km_jw_end_object(t->json);
		return;
	}
	fprintf(t->text, "%s:%u: no test saw this %s %s\n",
	        km_text_escape(file, path, sizeof(path)), c->line, km_cond_op_names[c->op], never);
}

static void say_tree(struct testing *t, const char *file, const struct km_cond *tree,
                     const uint8_t *seen)
{
	for (unsigned int i = 0; i < tree->span; i++) {
		t->sum->sides += 2;
		if (!(seen[i] & 1U << KM_TRUE))
			say_uncovered(t, file, &tree[i], "true");
		if (!(seen[i] & 1U << KM_FALSE))
			say_uncovered(t, file, &tree[i], "false");
	}
}

static void say_coverage(struct testing *t, const char *file, const struct km_rule *rule,
                         const struct km_coverage *cover)
{
	if (t->json) {
		km_jw_key(t->json, "uncovered");
		km_jw_array(t->json);
	}
	say_tree(t, file, rule->when, cover->when);
	say_tree(t, file, rule->unless, cover->unless);
	if (t->json)
		km_jw_end_array(t->json);
}

static int run_tests(struct testing *t, const char *file, const struct km_test_rule *rule,
                     const struct km_tests *tests)
{
	struct km_coverage cover = { 0 };
	int r = 0;

	if (t->json) {
		km_jw_key(t->json, "tests");
		km_jw_array(t->json);
	}
	for (size_t i = 0; i < tests->count; i++) {
		struct km_test_result result;

		r = km_test_run(rule, &tests->test[i], &cover, &result);
		if (r < 0 && r != -EBADMSG)
			return r;
		say_test(t, file, &tests->test[i], &result);
	}
	if (t->json)
		km_jw_end_array(t->json);
	say_coverage(t, rule->rule->file, rule->rule, &cover);
	return 0;
}

/* A stable rule that was never seen to speak, or never to be silent, is not tested. */
static void ask_for_both(struct testing *t, const struct km_rule *rule,
                         const struct km_tests *tests)
{
	struct km_error e = { .line = 1, .column = 1 };
	bool positive = false, negative = false;

	for (size_t i = 0; tests && i < tests->count; i++) {
		positive |= tests->test[i].positive;
		negative |= tests->test[i].negative;
	}
	t->sum->untested += !positive && !negative;
	if (!rule->stable || (positive && negative))
		return;
	km_copy(e.file, sizeof(e.file), rule->file);
	km_copy(e.what, sizeof(e.what),
	        positive   ? "a stable rule without a test in which it stays silent"
	        : negative ? "a stable rule without a test in which it speaks"
	                   : "a stable rule without tests");
	km_copy(e.remedy, sizeof(e.remedy), "write one beside it, or make it experimental");
	say_error(t, &e);
}

/* 0 with *RET NULL: there are none. */
static int read_tests(const char *file, const struct km_rule *rule, struct km_error *err,
                      struct km_tests **ret)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_rule_text in = { .file = file };
	struct km_error doubt;
	int r;

	if (access(file, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = km_files_read(file, err, &doubt, &text);
	if (r < 0)
		return r;
	in.text = km_buf_text(text);
	in.len = text->len;
	return km_tests_compile(rule, &in, err, ret);
}

static int test_rule(struct testing *t, const char *path, struct km_error *err)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	km_autofree(km_rule_freep) struct km_rule *rule = NULL;
	km_autofree(km_tests_freep) struct km_tests *tests = NULL;
	km_autofree_char char *file = km_files_test_of(path);
	struct km_test_rule with;
	struct km_error doubt;
	int r = file ? km_files_read(path, err, &doubt, &text) : -ENOMEM;

	if (r >= 0)
		r = km_rule_compile(km_buf_text(text), text->len, path, err, &rule);
	if (r >= 0)
		r = read_tests(file, rule, err, &tests);
	if (r < 0)
		return r;
	if (t->json)
		km_jw_kstring(t->json, "id", rule->id);
	with = (struct km_test_rule){ rule, km_buf_text(text) };
	if (tests)
		r = run_tests(t, file, &with, tests);
	ask_for_both(t, rule, tests);
	return r;
}

static int test_file(struct testing *t, const char *path)
{
	struct km_error err = { 0 };
	int r;

	t->sum->rules++;
	if (t->json) {
		km_jw_object(t->json);
		km_jw_kstring(t->json, "file", path);
	}
	r = test_rule(t, path, &err);
	if (r == -EBADMSG)
		say_error(t, &err);
	if (t->json)
		km_jw_end_object(t->json);
	return r == -EBADMSG ? 0 : r;
}

static int test_path(struct testing *t, const char *path)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	struct km_error err = { 0 };
	int r = km_files_find(path, &err, &names);

	if (r == -EBADMSG && t->json) {
		km_jw_object(t->json);
		say_error(t, &err);
		km_jw_end_object(t->json);
	} else if (r == -EBADMSG) {
		say_error(t, &err);
	}
	for (size_t i = 0; r == 0 && names[i]; i++)
		r = test_file(t, names[i]);
	return r == -EBADMSG ? 0 : r;
}

static void sum_up(struct testing *t)
{
	const struct km_rule_test_sum *s = t->sum;

	if (!t->json) {
		fprintf(t->text,
		        "%u rules, %u of them without tests; %u tests, %u failed; %u errors; "
		        "conditions seen both ways: %u of %u\n",
		        s->rules, s->untested, s->tests, s->failed, s->errors,
		        s->sides - s->uncovered, s->sides);
		return;
	}
	km_jw_end_array(t->json);
	km_jw_ku64(t->json, "tests", s->tests);
	km_jw_ku64(t->json, "failed", s->failed);
	km_jw_ku64(t->json, "errors", s->errors);
	km_jw_ku64(t->json, "untested", s->untested);
}

int km_rule_test_paths(char *const *paths, size_t n, struct km_json_writer *json, FILE *text,
                       struct km_rule_test_sum *ret)
{
	struct testing t = { .json = json, .text = text, .sum = ret };
	int r = 0;

	*ret = (struct km_rule_test_sum){ 0 };
	if (json) {
		km_jw_key(json, "rules");
		km_jw_array(json);
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = test_path(&t, paths[i]);
	sum_up(&t);
	if (r < 0)
		return r;
	return ret->errors || ret->failed ? -EBADMSG : 0;
}
