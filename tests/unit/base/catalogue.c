/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue is whole: rules and predictors find each signal by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/catalogue_page.h"

static void every_row_says_everything(void **state)
{
	(void)state;
	for (int i = 0; i < KM_SIG_MAX; i++) {
		const struct km_catalogue_row *row = &km_catalogue[i];
		const char *const texts[] = { row->name, row->unit,  row->hook,
			                      row->cost, row->since, row->meaning };

		for (size_t k = 0; k < KM_ARRAY_SIZE(texts); k++)
			if (!texts[k] || !texts[k][0])
				fail_msg("row %d (%s) lacks text %zu", i, row->name, k);
		assert_true(row->entities > 0 && row->entities < 1U << KM_ENTITY_MAX);
		assert_true(row->shape < KM_SHAPE_MAX && row->tier < KM_TIER_MAX);
		assert_true(row->resource <= KM_RESOURCE_MAX);
		if (row->resource != KM_RESOURCE_NONE)
			assert_int_equal(row->shape, KM_SHAPE_LEVEL);
	}
}

static void a_name_is_one_signal_and_leads_to_it(void **state)
{
	(void)state;
	for (int i = 0; i < KM_SIG_MAX; i++)
		assert_int_equal(km_catalogue_find(km_catalogue[i].name), i);
	assert_int_equal(km_catalogue_find("memory"), KM_SIG_MAX);
	assert_int_equal(km_catalogue_find(""), KM_SIG_MAX);
}

static void a_resource_has_at_most_one_signal(void **state)
{
	int seen[KM_RESOURCE_MAX] = { 0 };

	(void)state;
	for (int i = 0; i < KM_SIG_MAX; i++)
		if (km_catalogue[i].resource < KM_RESOURCE_MAX)
			assert_int_equal(seen[km_catalogue[i].resource]++, 0);
	assert_int_equal(km_catalogue_of(KM_MEMORY), KM_SIG_MEMORY);
	assert_int_equal(km_catalogue_of(KM_DESCRIPTORS), KM_SIG_DESCRIPTORS);
}

static void lists_of_names_are_whole(void **state)
{
	(void)state;
	for (int i = 0; i < KM_ENTITY_MAX; i++)
		assert_non_null(km_entity_names[i]);
	for (int i = 0; i < KM_SHAPE_MAX; i++)
		assert_non_null(km_shape_names[i]);
	for (int i = 0; i < KM_TIER_MAX; i++)
		assert_non_null(km_tier_names[i]);
	assert_null(km_entity_names[KM_ENTITY_MAX]);
	assert_null(km_shape_names[KM_SHAPE_MAX]);
	assert_null(km_tier_names[KM_TIER_MAX]);
}

/* What people read is what the table says. */
static void the_page_is_current(void **state)
{
	km_autofree_char char *page = NULL, *made = NULL;
	size_t len, size = 0;
	FILE *in = fopen("bpf/README.md", "re"), *out = open_memstream(&made, &len);

	(void)state;
	assert_non_null(in);
	assert_non_null(out);
	assert_true(getdelim(&page, &size, '\0', in) > 0);
	fclose(in);
	fputs(PAGE_BEGIN, out);
	page_print(out);
	fputs(PAGE_END, out);
	fclose(out);
	if (!strstr(page, made))
		fail_msg("bpf/README.md is not current: make signals-page");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_says_everything),
		cmocka_unit_test(a_name_is_one_signal_and_leads_to_it),
		cmocka_unit_test(a_resource_has_at_most_one_signal),
		cmocka_unit_test(lists_of_names_are_whole),
		cmocka_unit_test(the_page_is_current),
	};

	return cmocka_run_group_tests_name("base/catalogue", tests, NULL, NULL);
}
