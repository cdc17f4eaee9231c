/* SPDX-License-Identifier: Apache-2.0 */
/* Looks as rows of a table: they survive a restart, nonsense is refused, maxima hold. */
#include "look.h"

static void a_look_survives_a_restart(void **state)
{
	struct look *l = *state;
	struct km_table *from, *to;
	struct km_verify *v;
	uint32_t slot = 0;
	void *row;

	l->rule->verify.up = true;
	l->rule->verify.up_for_ns = 5 * SECOND;
	begin(l);
	look_at(l, SECOND);
	assert_int_equal(km_verify_new(&v), 0);
	assert_int_equal(km_verify_tables(l->v, &from, 0), 0);
	assert_int_equal(km_verify_tables(l->v, &from, 1), 1);
	assert_int_equal(km_verify_tables(v, &to, 1), 1);
	while ((row = km_table_next(from, &slot)))
		assert_int_equal(km_table_restore(to, slot - 1, row), 0);
	km_verify_free(l->v);
	l->v = v;
	look_at(l, 5 * SECOND);
	assert_int_equal(expect(l, KM_HELPED)->took_ns, 5 * SECOND);
}

#define refuses(l, good, change)                                                     \
	do {                                                                         \
		struct km_look bad;                                                  \
                                                                                     \
		memcpy(&bad, good, sizeof(bad));                                     \
		change;                                                              \
		assert_int_equal(km_table_restore((l)->v->looks, 0, &bad), -EINVAL); \
	} while (0)

static void a_look_that_cannot_be_is_refused(void **state)
{
	struct look *l = *state;
	const struct km_look good = { .decision_id = 1, .service_id = 1 };

	refuses(l, &good, bad.decision_id = 0);
	refuses(l, &good, bad.service_id = 0);
	refuses(l, &good, bad.kind = KM_FORECAST_KIND_MAX + 1);
	refuses(l, &good, bad.resource = KM_RESOURCE_MAX + 1);
	refuses(l, &good, bad.level_before = NAN);
	refuses(l, &good, bad.since_ns = 1);
	refuses(l, &good, memset(bad.service, 'x', KM_NAME_MAX));
	refuses(l, &good, memset(bad.rule, 'x', KM_NAME_MAX));
	assert_int_equal(km_table_restore(l->v->looks, 0, &good), 0);
}

static void one_look_more_than_fits_is_not_measured(void **state)
{
	struct look *l = *state;
	struct km_raw_outcome o = { .hdr.ktime_ns = BEGIN };

	for (uint64_t i = 1; i <= KM_LOOKS_MAX; i++) {
		l->decision.id = i;
		assert_int_equal(km_verify_begin(l->v, &l->decision, &o, l->rule, -1), 0);
	}
	l->decision.id++;
	expect_nothing(l);
	assert_int_equal(km_verify_begin(l->v, &l->decision, &o, l->rule, -1), 0);
	assert_int_equal(km_verify_next(l->v)->kind, KM_VERDICT_NOT_MEASURED);
	assert_int_equal(km_table_count(l->v->looks), KM_LOOKS_MAX);
}

static void verdicts_that_find_no_room_are_settled_at_the_next_look(void **state)
{
	struct look *l = *state;
	struct km_raw_outcome o = { .hdr.ktime_ns = BEGIN };
	unsigned int n = 0;

	l->rule->verify.up = true;
	for (uint64_t i = 1; i <= KM_VERDICTS_QUEUED_MAX + 1; i++) {
		l->decision.id = i;
		assert_int_equal(km_verify_begin(l->v, &l->decision, &o, l->rule, -1), 0);
	}
	look_at(l, 1);
	while (km_verify_next(l->v))
		n++;
	assert_int_equal(n, KM_VERDICTS_QUEUED_MAX);
	look_at(l, 2);
	assert_int_equal(km_verify_next(l->v)->decision_id, KM_VERDICTS_QUEUED_MAX + 1);
	expect_nothing(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		verify_test(a_look_survives_a_restart),
		verify_test(a_look_that_cannot_be_is_refused),
		verify_test(one_look_more_than_fits_is_not_measured),
		verify_test(verdicts_that_find_no_room_are_settled_at_the_next_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
