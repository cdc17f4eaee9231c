// SPDX-License-Identifier: Apache-2.0
/* Every rule of tests/fixtures/rules/bad.tsv is refused at its line for its reason, and nothing of
 * it is loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "corpus.h"

static int check(const struct bad_rule *bad)
{
	struct km_rule *mark = (struct km_rule *)&mark, *r = mark;
	struct km_error err = { 0 };
	char line[1024];
	int ret;

	ret = km_rule_compile(km_buf_text(bad->text), bad->text->len, bad->name, &err, &r);
	if (ret == -EBADMSG && r == mark && err.line == bad->line && err.column > 0 &&
	    !strcmp(err.what, bad->reason) && !strcmp(err.file, bad->name))
		return 0;
	print_error("%s: line %u, \"%s\" expected: %s\n", bad->name, bad->line, bad->reason,
	            ret < 0 ? km_error_format(&err, line, sizeof(line)) : "it was accepted");
	return 1;
}

static void each_is_refused_at_its_line_for_its_reason(void **state)
{
	static struct corpus c;
	int wrong = 0;

	(void)state;
	corpus_load(&c);
	assert_true(c.count >= 600);
	for (size_t i = 0; i < c.count; i++)
		wrong += check(&c.rule[i]);
	corpus_free(&c);
	assert_int_equal(wrong, 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void no_row_is_there_twice(void **state)
{
	static struct corpus c;
	char *names[CORPUS_MAX] = { NULL };

	(void)state;
	corpus_load(&c);
	for (size_t i = 0; i < c.count; i++)
		names[i] = c.rule[i].name;
	qsort(names, c.count, sizeof(*names), by_name);
	for (size_t i = 1; i < c.count; i++)
		assert_string_not_equal(names[i - 1], names[i]);
	corpus_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_refused_at_its_line_for_its_reason),
		cmocka_unit_test(no_row_is_there_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
