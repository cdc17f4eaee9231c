// SPDX-License-Identifier: Apache-2.0
/* The shipped rules against what they were not written for: healthy stretches of each other's tests
 * and hosts that are noisy and well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/fs.h"
#include "review/test.h"

#define RULES_MAX 128

struct shipped {
	struct km_rule *rule;
	char *text, *tests;
	size_t tests_len;
};

struct set {
	struct shipped rule[RULES_MAX];
	size_t count;
};

static char *slurp(const char *path, size_t *len)
{
	const char *top = getenv("KMEND_TOP");
	char name[2 * KM_PATH_MAX];
	char *text = calloc(1, KM_JSON_BYTES_MAX + 1);
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", top ? top : ".", path);
	f = fopen(name, "re");
	assert_non_null(text);
	if (!f) {
		fail_msg("%s: %s", name, strerror(errno));
		return text;
	}
	*len = fread(text, 1, KM_JSON_BYTES_MAX, f);
	fclose(f);
	return text;
}

static void load_one(struct shipped *s, const char *name)
{
	char path[KM_PATH_MAX];
	struct km_error err;
	size_t len;

	snprintf(path, sizeof(path), "rules/%s", name);
	s->text = slurp(path, &len);
	assert_int_equal(km_rule_compile(s->text, len, name, &err, &s->rule), 0);
	snprintf(path, sizeof(path), "rules/%.*s.test.json", (int)strlen(name) - 5, name);
	s->tests = slurp(path, &s->tests_len);
}

static int load(void **state)
{
	struct set *set = calloc(1, sizeof(*set));
	const char *top = getenv("KMEND_TOP");
	struct km_error err = { 0 };
	char path[KM_PATH_MAX];
	char **names = NULL;
	int fd;

	assert_non_null(set);
	snprintf(path, sizeof(path), "%s/rules", top ? top : ".");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(km_rule_names(fd, &err, &names), 0);
	close(fd);
	for (char **name = names; *name; name++) {
		assert_true(set->count < RULES_MAX);
		load_one(&set->rule[set->count++], *name);
	}
	km_fs_free_names(names);
	*state = set;
	return 0;
}

static int unload(void **state)
{
	struct set *set = *state;

	for (size_t i = 0; i < set->count; i++) {
		km_rule_free(set->rule[i].rule);
		free(set->rule[i].text);
		free(set->rule[i].tests);
	}
	free(set);
	return 0;
}

static struct km_tests *tests_for(const struct shipped *s, const char *text, size_t len)
{
	const struct km_rule_text in = { .text = text, .len = len, .file = "x.test.json" };
	struct km_tests *tests = NULL;
	struct km_error err = { 0 };

	if (km_tests_compile(s->rule, &in, &err, &tests) < 0)
		fail_msg("%s: line %u: %s", s->rule->id, err.line, err.what);
	return tests;
}

/* Nothing happens in it, and its own rule is silent all the time. */
static bool is_healthy(const struct km_test *t)
{
	for (size_t i = 0; i < t->expect_count; i++)
		if (t->expect[i].what != KM_TX_SILENT || t->expect[i].from_ns)
			return false;
	return t->event_count == 0;
}

/* 0: the rule suggests nothing at all in this test. */
static int speaks_in(const struct shipped *s, struct km_test *t)
{
	size_t subjects = t->service_count + t->entity_count;
	struct km_test_expect *own = t->expect;
	struct km_test_expect *none = calloc(subjects, sizeof(*none));
	const size_t count = t->expect_count;
	struct km_test_result result = { 0 };
	struct km_coverage cover = { 0 };

	assert_non_null(none);
	for (size_t i = 0; i < subjects; i++)
		none[i] = (struct km_test_expect){
			.what = KM_TX_DECISION,
			.subject = i,
			.to_ns = UINT64_MAX,
			.counted = true,
			.answer = KM_ANSWER_SUGGEST,
			.verb = -1,
			.guard = -1,
			.event = -1,
		};
	t->expect = none;
	t->expect_count = subjects;
	assert_int_equal(km_test_run(&(struct km_test_rule){ s->rule, s->text }, t, &cover,
	                             &result),
	                 0);
	t->expect = own;
	t->expect_count = count;
	free(none);
	if (!result.passed)
		print_error("%s speaks in \"%s\": %s\n", s->rule->id, t->name, result.what);
	return !result.passed;
}

static void each_is_silent_on_hosts_that_are_noisy_and_well(void **state)
{
	const struct set *set = *state;
	int wrong = 0;
	size_t len;
	char *text = slurp("tests/fixtures/rules/noisy.json", &len);

	for (size_t i = 0; i < set->count; i++) {
		km_autofree(km_tests_freep) struct km_tests *tests =
			tests_for(&set->rule[i], text, len);

		assert_true(tests->count >= 6);
		for (size_t n = 0; n < tests->count; n++)
			wrong += speaks_in(&set->rule[i], &tests->test[n]);
	}
	free(text);
	assert_int_equal(wrong, 0);
}

static int speaks_in_healthy(const struct shipped *s, const struct shipped *of, size_t *seen)
{
	km_autofree(km_tests_freep) struct km_tests *tests = tests_for(s, of->tests, of->tests_len);
	int wrong = 0;

	for (size_t n = 0; n < tests->count; n++) {
		if (!is_healthy(&tests->test[n]))
			continue;
		wrong += speaks_in(s, &tests->test[n]);
		(*seen)++;
	}
	return wrong;
}

static void each_is_silent_on_the_healthy_stretches_of_all_others(void **state)
{
	const struct set *set = *state;
	size_t seen = 0;
	int wrong = 0;

	assert_true(set->count >= 30);
	for (size_t i = 0; i < set->count; i++)
		for (size_t k = 0; k < set->count; k++)
			if (i != k)
				wrong += speaks_in_healthy(&set->rule[i], &set->rule[k], &seen);
	assert_true(seen > 20 * set->count);
	assert_int_equal(wrong, 0);
}

/* A test that never speaks cannot tell a rule that works from one that does not. */
static void each_speaks_in_a_test_of_its_own(void **state)
{
	const struct set *set = *state;

	for (size_t i = 0; i < set->count; i++) {
		const struct shipped *s = &set->rule[i];
		km_autofree(km_tests_freep) struct km_tests *tests =
			tests_for(s, s->tests, s->tests_len);
		bool positive = false, negative = false;

		for (size_t n = 0; n < tests->count; n++) {
			struct km_test_result result = { 0 };
			struct km_coverage cover = { 0 };

			assert_int_equal(km_test_run(&(struct km_test_rule){ s->rule, s->text },
			                             &tests->test[n], &cover, &result),
			                 0);
			if (!result.passed)
				fail_msg("%s: \"%s\": %s", s->rule->id, tests->test[n].name,
				         result.what);
			positive = positive || tests->test[n].positive;
			negative = negative || tests->test[n].negative;
		}
		if (!positive || !negative)
			fail_msg("%s lacks a test", s->rule->id);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, load, unload)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_speaks_in_a_test_of_its_own),
		TEST(each_is_silent_on_hosts_that_are_noisy_and_well),
		TEST(each_is_silent_on_the_healthy_stretches_of_all_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
