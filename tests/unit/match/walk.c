// SPDX-License-Identifier: Apache-2.0
/* Which files below a rules folder are rules, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/fs.h"
#include "folder.h"
#include "match/rule.h"

struct seen {
	char names[1024];
	size_t count, stop_at;
};

static int see(void *userdata, const char *file, const char *text, size_t len)
{
	struct seen *s = userdata;
	size_t used = strlen(s->names);

	snprintf(s->names + used, sizeof(s->names) - used, "%s=%.*s ", file, (int)len, text);
	return ++s->count == s->stop_at ? 42 : 0;
}

static void rules_come_sorted_by_class_and_name(void **state)
{
	struct folder *f = *state;
	struct seen s = { 0 };
	struct km_error err;

	folder_add(f, "memory/b.json", "2");
	folder_add(f, "memory/a.json", "1");
	folder_add(f, "crash/z.json", "0");
	folder_add(f, "memory-2/a.json", "3");
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), 0);
	assert_string_equal(s.names, "crash/z.json=0 memory/a.json=1 memory/b.json=2 "
	                             "memory-2/a.json=3 ");
}

static void what_is_no_rule_is_skipped(void **state)
{
	struct folder *f = *state;
	struct seen s = { 0 };
	struct km_error err;

	folder_add(f, "schema/rule.schema.json", "x");
	folder_add(f, "policy/guardrails.json", "x");
	folder_add(f, "memory/a.test.json", "x");
	folder_add(f, "memory/.a.json", "x");
	folder_add(f, "memory/README.md", "x");
	folder_add(f, "memory/.json", "x");
	folder_add(f, ".git/a.json", "x");
	folder_add(f, "README.md", "x");
	folder_add(f, "memory/a.json", "1");
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), 0);
	assert_string_equal(s.names, "memory/a.json=1 ");
}

static void an_empty_folder_has_no_rules(void **state)
{
	struct folder *f = *state;
	struct seen s = { 0 };
	struct km_error err;

	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), 0);
	assert_int_equal(s.count, 0);
}

static void the_callers_no_ends_the_walk(void **state)
{
	struct folder *f = *state;
	struct seen s = { .stop_at = 2 };
	struct km_error err;

	folder_add(f, "a/a.json", "1");
	folder_add(f, "a/b.json", "2");
	folder_add(f, "a/c.json", "3");
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), 42);
	assert_int_equal(s.count, 2);
}

static void a_rule_outside_a_class_is_an_error_not_overlooked(void **state)
{
	struct folder *f = *state;
	struct seen s = { 0 };
	struct km_error err;

	folder_add(f, "a/a.json", "1");
	folder_add(f, "stray.json", "1");
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), -EBADMSG);
	assert_string_equal(err.file, "stray.json");
	assert_non_null(strstr(err.remedy, "rules/memory/"));
	assert_int_equal(s.count, 0);
}

static void a_linked_class_is_an_error(void **state)
{
	struct folder *f = *state;
	struct seen s = { 0 };
	struct km_error err;

	folder_add(f, "a/a.json", "1");
	assert_int_equal(symlinkat("a", f->fd, "b"), 0);
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), -EBADMSG);
	assert_string_equal(err.file, "b");
}

static void a_linked_rule_is_an_error(void **state)
{
	struct folder *f = *state;
	struct seen s = { 0 };
	struct km_error err = { 0 };

	folder_add(f, "a/a.json", "1");
	assert_int_equal(symlinkat("a.json", f->fd, "a/b.json"), 0);
	assert_true(km_rule_walk(f->fd, see, &s, &err) < 0);
	assert_non_null(strstr(err.file, "a/b.json"));
	assert_int_equal(s.count, 1);
}

static void a_rule_that_others_may_write_is_an_error(void **state)
{
	struct folder *f = *state;
	struct seen s = { 0 };
	struct km_error err = { 0 };

	folder_add(f, "a/a.json", "1");
	assert_int_equal(fchmodat(f->fd, "a/a.json", 0666, 0), 0);
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), -EPERM);
	assert_non_null(strstr(err.remedy, "chmod"));
	assert_int_equal(fchmodat(f->fd, "a/a.json", 0644, 0), 0);
	assert_int_equal(fchmodat(f->fd, "a", 0777, 0), 0);
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), -EPERM);
	assert_int_equal(s.count, 0);
}

static void a_name_that_does_not_fit_is_an_error(void **state)
{
	struct folder *f = *state;
	char name[600];
	struct seen s = { 0 };
	struct km_error err;

	snprintf(name, sizeof(name), "%0200d/%050d.json", 0, 0);
	folder_add(f, name, "1");
	assert_int_equal(km_rule_walk(f->fd, see, &s, &err), -EBADMSG);
	assert_non_null(strstr(err.what, "too long"));
}

static void more_files_than_rules_a_host_may_have_are_an_error(void **state)
{
	struct folder *f = *state;
	km_autofree(km_fs_free_namesp) char **names = NULL;
	struct km_error err;
	char name[32];

	for (unsigned int i = 0; i < KM_RULES_MAX; i++) {
		snprintf(name, sizeof(name), "a/%u.json", i);
		folder_add(f, name, "");
	}
	assert_int_equal(km_rule_names(f->fd, &err, &names), 0);
	assert_non_null(names[KM_RULES_MAX - 1]);
	assert_null(names[KM_RULES_MAX]);
	names = km_fs_free_names(names);
	folder_add(f, "b/one.json", "");
	assert_int_equal(km_rule_names(f->fd, &err, &names), -EBADMSG);
	assert_non_null(strstr(err.what, "more rules"));
}

static void a_class_folder_lists_its_own_names(void **state)
{
	struct folder *f = *state;
	km_autofree(km_fs_free_namesp) char **names = NULL;
	struct km_error err;

	folder_add(f, "b.json", "");
	folder_add(f, "a.json", "");
	assert_int_equal(km_rule_class_names(f->fd, &err, &names), 0);
	assert_string_equal(names[0], "a.json");
	assert_string_equal(names[1], "b.json");
	assert_null(names[2]);
	names = km_fs_free_names(names);
	folder_add(f, "c/c.json", "");
	assert_int_equal(km_rule_class_names(f->fd, &err, &names), 0);
	assert_null(names[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_new, folder_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rules_come_sorted_by_class_and_name),
		TEST(what_is_no_rule_is_skipped),
		TEST(an_empty_folder_has_no_rules),
		TEST(the_callers_no_ends_the_walk),
		TEST(a_rule_outside_a_class_is_an_error_not_overlooked),
		TEST(a_linked_class_is_an_error),
		TEST(a_linked_rule_is_an_error),
		TEST(a_rule_that_others_may_write_is_an_error),
		TEST(a_name_that_does_not_fit_is_an_error),
		TEST(more_files_than_rules_a_host_may_have_are_an_error),
		TEST(a_class_folder_lists_its_own_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
