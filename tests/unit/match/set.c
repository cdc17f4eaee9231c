// SPDX-License-Identifier: Apache-2.0
/* A set of rules: order, digest, doubles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "lib/rule.h"
#include "support.h"

static struct km_rule *named(const char *id, const char *file)
{
	struct km_rule *r = NULL;
	struct km_error err;
	char *text = rule_text_of(id, NULL, "{\"state\": {\"is\": \"up\"}}", NULL);

	assert_int_equal(km_rule_compile(text, strlen(text), file, &err, &r), 0);
	free(text);
	return r;
}

static void a_set_is_sorted_by_id_whatever_the_order_of_files(void **state)
{
	struct km_rule *one[] = { named("c", "x/1.json"), named("a", "x/2.json"),
		                  named("b", "x/3.json") };
	struct km_rule *two[] = { named("b", "x/3.json"), named("a", "x/2.json"),
		                  named("c", "x/1.json") };
	struct km_rules *s = NULL, *t = NULL;
	struct km_error err;

	(void)state;
	assert_int_equal(km_rules_new(one, 3, &err, &s), 0);
	assert_int_equal(km_rules_new(two, 3, &err, &t), 0);
	assert_string_equal(s->rule[0]->id, "a");
	assert_string_equal(s->rule[2]->id, "c");
	assert_memory_equal(s->digest, t->digest, sizeof(s->digest));
	for (size_t i = 0; i < 3; i++)
		assert_ptr_equal(km_rules_get(s, s->rule[i]->key), s->rule[i]);
	assert_null(km_rules_get(s, km_hash("d", 1)));
	km_rules_free(s);
	km_rules_free(t);
}

static void another_rule_makes_another_digest(void **state)
{
	struct km_rule *one = named("a", "x/1.json"), *two = named("b", "x/1.json");
	struct km_rules *none = NULL, *s = NULL, *t = NULL;
	struct km_error err;

	(void)state;
	assert_int_equal(km_rules_new(NULL, 0, &err, &none), 0);
	assert_int_equal(km_rules_new(&one, 1, &err, &s), 0);
	assert_int_equal(km_rules_new(&two, 1, &err, &t), 0);
	assert_memory_not_equal(s->digest, t->digest, sizeof(s->digest));
	assert_memory_not_equal(s->digest, none->digest, sizeof(s->digest));
	assert_null(km_rules_get(none, one->key));
	assert_null(km_rules_get(NULL, one->key));
	km_rules_free(none);
	km_rules_free(s);
	km_rules_free(t);
}

static void two_rules_with_one_id_are_refused_and_still_the_callers(void **state)
{
	struct km_rule *r[] = { named("a", "x/second.json"), named("b", "x/b.json"),
		                named("a", "x/first.json") };
	struct km_rules *mark = (struct km_rules *)&mark, *s = mark;
	struct km_error err;

	(void)state;
	assert_int_equal(km_rules_new(r, 3, &err, &s), -EEXIST);
	assert_ptr_equal(s, mark);
	assert_string_equal(err.file, "x/second.json");
	assert_non_null(strstr(err.what, "\"a\" is also that of x/first.json"));
	for (int i = 0; i < 3; i++)
		km_rule_free(r[i]);
}

static void a_host_has_at_most_so_many_rules(void **state)
{
	static struct km_rule *many[KM_RULES_MAX + 1];
	struct km_rules *s = NULL;
	struct km_error err;
	static char id[KM_RULES_MAX + 1][8];

	(void)state;
	for (size_t i = 0; i <= KM_RULES_MAX; i++) {
		snprintf(id[i], sizeof(id[i]), "r%u", (unsigned int)i % 100000);
		many[i] = build_rule(id[i]);
	}
	assert_int_equal(km_rules_new(many, KM_RULES_MAX + 1, &err, &s), -E2BIG);
	assert_int_equal(km_rules_new(many, KM_RULES_MAX, &err, &s), 0);
	assert_ptr_equal(km_rules_get(s, many[5000]->key), many[5000]);
	km_rules_free(s);
	km_rule_free(many[KM_RULES_MAX]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_is_sorted_by_id_whatever_the_order_of_files),
		cmocka_unit_test(another_rule_makes_another_digest),
		cmocka_unit_test(two_rules_with_one_id_are_refused_and_still_the_callers),
		cmocka_unit_test(a_host_has_at_most_so_many_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
