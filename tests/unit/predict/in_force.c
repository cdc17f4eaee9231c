// SPDX-License-Identifier: Apache-2.0
/* Forecasts in force: when they appear, how often they are said, when they go, what is written. */
#include "unit/predict/sim.h"

#include "base/buf.h"
#include "base/json.h"

static bool in_force(const struct sim *s)
{
	return s->now->why == KM_WHY_NONE;
}

/* A leak of 100 s from its start, up to T_S. */
static void leak_until(struct sim *s, double t_s)
{
	while (s->t_s < t_s)
		sim_add(s, s->t_s + 1, 100 - s->t_s - 1);
}

static void a_forecast_needs_three_samples_that_agree(void **state)
{
	struct sim s;
	unsigned int before = 0;

	(void)state;
	sim_begin(&s, 1, 1);
	while (!s.now || !in_force(&s)) {
		sim_add(&s, s.t_s + 1, -1);
		before += s.now->why == KM_WHY_TOO_SHORT;
	}
	assert_true(before >= 12); /* ten seconds of life and two that held it back */
	assert_int_equal(s.now->change, KM_APPEARED);
	assert_int_equal(s.now->since_ns, s.now->t_ns);
	sim_end(&s);
}

static void asking_twice_about_one_sample_counts_once(void **state)
{
	struct sim s;
	struct km_predict_input in = { .horizon_ns = 86400 * KM_NS_PER_S };
	struct km_forecast before;

	(void)state;
	sim_begin(&s, 1, 1);
	leak_until(&s, 60);
	before = *s.now;
	in.service = &s.service;
	in.now_ns = s.features.t_ns;
	in.features[KM_MEMORY] = &s.features;
	for (int i = 0; i < 10; i++)
		assert_int_equal(km_predict_service(s.predict, &in), 0);
	before.change = KM_SAME;
	assert_true(s.now->p == before.p && s.now->t_ns == before.t_ns);
	sim_end(&s);
}

/* Said while it is unlikely, once more when it is likely, then as its time moves. */
static void it_is_said_at_most_each_ten_seconds_and_once_when_it_becomes_likely(void **state)
{
	struct sim s;
	double last = -100;
	bool likely = false;
	int said = 0;

	(void)state;
	sim_begin(&s, 0.25, 1);
	while (s.t_s < 95) {
		sim_add(&s, s.t_s + 1 + 2 * sim_normal(&s), -1);
		if (s.now->change != KM_APPEARED && s.now->change != KM_CHANGED)
			continue;
		if (s.now->p >= 0.5 && !likely)
			likely = true;
		else
			assert_true(said == 0 || s.t_s - last >= 10);
		last = s.t_s;
		said++;
	}
	assert_true(likely);
	assert_in_range(said, 2, 10);
	sim_end(&s);
}

static void a_steady_leak_is_said_when_it_appears_and_when_it_is_likely(void **state)
{
	struct sim s;
	int said = 0;

	(void)state;
	sim_begin(&s, 1, 1);
	while (s.t_s < 90) {
		sim_add(&s, s.t_s + 1, -1);
		said += s.now->change != KM_SAME;
	}
	assert_int_equal(said, 2);
	assert_null(km_predict_said(s.predict, 0));
	sim_end(&s);
}

static void going_is_said_once_with_the_reason(void **state)
{
	struct sim s;
	int gone = 0;

	(void)state;
	sim_begin(&s, 1, 1);
	leak_until(&s, 60);
	assert_true(in_force(&s));
	for (int i = 0; i < 40; i++) {
		sim_add(&s, 60, -1);
		if (s.now->change == KM_GONE) {
			assert_int_equal(km_predict_said(s.predict, 0)->change, KM_GONE);
			assert_int_not_equal(km_predict_said(s.predict, 0)->why, KM_WHY_NONE);
			gone++;
		}
	}
	assert_int_equal(gone, 1);
	sim_end(&s);
}

static void one_odd_sample_does_not_take_it_away(void **state)
{
	struct sim s;
	uint64_t since;

	(void)state;
	sim_begin(&s, 0.5, 1);
	leak_until(&s, 70);
	since = s.now->since_ns;
	sim_add(&s, s.t_s - 4, -1);
	assert_true(in_force(&s));
	leak_until(&s, 75);
	assert_true(in_force(&s));
	assert_int_equal(s.now->since_ns, since);
	sim_end(&s);
}

static void a_new_life_voids_it(void **state)
{
	struct sim s;

	(void)state;
	sim_begin(&s, 1, 1);
	leak_until(&s, 60);
	assert_true(in_force(&s));
	km_predict_forget(s.predict, 1);
	assert_false(in_force(&s));
	assert_true(s.now->p == 0);
	sim_end(&s);
}

static void without_a_measure_or_a_limit_it_says_so(void **state)
{
	struct sim s;
	struct km_features f = { .service_id = 1, .limit = -1 };
	struct km_predict_input in = { .now_ns = 1, .horizon_ns = 1 };

	(void)state;
	sim_begin(&s, 1, 1);
	in.service = &s.service;
	in.features[KM_THREADS] = &f;
	assert_int_equal(km_predict_service(s.predict, &in), 0);
	assert_null(km_predict_get(s.predict, 1, KM_EXHAUSTION, KM_MEMORY));
	assert_int_equal(km_predict_get(s.predict, 1, KM_EXHAUSTION, KM_THREADS)->why,
	                 KM_WHY_NOT_MEASURED);
	f.measured = 1;
	f.samples = 100;
	f.t_ns = 5;
	assert_int_equal(km_predict_service(s.predict, &in), 0);
	assert_int_equal(km_predict_get(s.predict, 1, KM_EXHAUSTION, KM_THREADS)->why,
	                 KM_WHY_NO_LIMIT);
	assert_null(km_predict_get(s.predict, 2, KM_EXHAUSTION, KM_THREADS));
	sim_end(&s);
}

static void beyond_the_horizon_nothing_is_said(void **state)
{
	struct sim s;
	struct km_predict_input in = { .horizon_ns = 5 * KM_NS_PER_S };
	const struct km_forecast *f;

	(void)state;
	sim_begin(&s, 1, 1);
	leak_until(&s, 80);
	sim_end(&s);
	assert_int_equal(km_predict_new(&s.predict), 0);
	s.series = NULL;
	in.service = &s.service;
	in.now_ns = s.features.t_ns;
	in.features[KM_MEMORY] = &s.features;
	assert_int_equal(km_predict_service(s.predict, &in), 0);
	f = km_predict_get(s.predict, 1, KM_EXHAUSTION, KM_MEMORY);
	assert_int_equal(f->why, KM_WHY_FAR);
	sim_end(&s);
}

static cJSON *written(const struct km_forecast *f, const char *service)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct km_json_writer w;
	struct km_error err;

	assert_int_equal(km_buf_new(65536, &out), 0);
	km_jw_init(&w, out, false);
	km_forecast_write(f, service, &w);
	assert_int_equal(km_json_parse(km_buf_text(out), out->len, "f", &err, &doc), 0);
	return cJSON_Duplicate(km_json_root(doc), true);
}

static void a_forecast_is_written_whole(void **state)
{
	struct sim s;
	cJSON *j;

	(void)state;
	sim_begin(&s, 1, 1);
	leak_until(&s, 60);
	j = written(s.now, "web\x1b[31m");
	assert_string_equal(cJSON_GetObjectItem(j, "kind")->valuestring, "exhaustion");
	assert_string_equal(cJSON_GetObjectItem(j, "resource")->valuestring, "memory");
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(j, "why")));
	assert_true(cJSON_GetObjectItem(j, "eta_lo_s")->valuedouble <=
	            cJSON_GetObjectItem(j, "eta_s")->valuedouble);
	assert_true(cJSON_GetObjectItem(j, "eta_s")->valuedouble <=
	            cJSON_GetObjectItem(j, "eta_hi_s")->valuedouble);
	assert_true(cJSON_IsFalse(cJSON_GetObjectItem(j, "calibrated")));
	assert_non_null(cJSON_GetObjectItem(j, "evidence"));
	cJSON_Delete(j);
	km_predict_forget(s.predict, 1);
	j = written(s.now, NULL);
	assert_true(cJSON_IsString(cJSON_GetObjectItem(j, "why")));
	assert_null(cJSON_GetObjectItem(j, "eta_s"));
	cJSON_Delete(j);
	sim_end(&s);
}

static void every_reason_and_kind_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < KM_WHY_MAX; i++)
		assert_non_null(km_no_forecast_names[i]);
	for (int i = 0; i < KM_FORECAST_KIND_MAX; i++)
		assert_non_null(km_forecast_kind_names[i]);
	assert_null(km_no_forecast_names[KM_WHY_MAX]);
	assert_null(km_forecast_kind_names[KM_FORECAST_KIND_MAX]);
}

static void the_same_samples_give_the_same_bytes(void **state)
{
	struct km_table *t[2];
	struct sim s[2];
	uint32_t slot[2] = { 0 };
	const void *row;

	(void)state;
	for (int k = 0; k < 2; k++) {
		sim_begin(&s[k], 0.5, 5);
		while (s[k].t_s < 300)
			sim_add(&s[k], fmod(s[k].t_s, 90) + 3 * sim_normal(&s[k]), -1);
		assert_int_equal(km_predict_tables(s[k].predict, &t[k], 1), 1);
	}
	assert_true(km_table_count(t[0]) > 0);
	while ((row = km_table_next(t[0], &slot[0]))) {
		const void *other = km_table_next(t[1], &slot[1]);

		assert_memory_equal(row, other, km_table_opts(t[0])->row_size);
		assert_true(km_table_opts(t[0])->valid(row));
	}
	sim_end(&s[0]);
	sim_end(&s[1]);
}

static void nonsense_in_a_restored_row_is_refused(void **state)
{
	struct km_table *t;
	struct sim s;
	uint32_t slot = 0;
	unsigned char row[1024];
	uint64_t key[2];

	(void)state;
	sim_begin(&s, 1, 1);
	leak_until(&s, 60);
	km_predict_tables(s.predict, &t, 1);
	assert_true(km_table_opts(t)->row_size <= sizeof(row));
	memcpy(row, km_table_next(t, &slot), km_table_opts(t)->row_size);
	km_table_clear(t);
	memcpy(key, row, sizeof(key));
	assert_int_equal(km_table_restore(t, 0, row), 0);
	km_table_clear(t);
	memset(row, 0xff, sizeof(key)); /* not of the forecast behind it */
	assert_int_equal(km_table_restore(t, 0, row), -EINVAL);
	memcpy(row, key, sizeof(key));
	memset(row + sizeof(key), 0xff, km_table_opts(t)->row_size - sizeof(key));
	assert_int_equal(km_table_restore(t, 0, row), -EINVAL);
	sim_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forecast_needs_three_samples_that_agree),
		cmocka_unit_test(asking_twice_about_one_sample_counts_once),
		cmocka_unit_test(
			it_is_said_at_most_each_ten_seconds_and_once_when_it_becomes_likely),
		cmocka_unit_test(a_steady_leak_is_said_when_it_appears_and_when_it_is_likely),
		cmocka_unit_test(going_is_said_once_with_the_reason),
		cmocka_unit_test(one_odd_sample_does_not_take_it_away),
		cmocka_unit_test(a_new_life_voids_it),
		cmocka_unit_test(without_a_measure_or_a_limit_it_says_so),
		cmocka_unit_test(beyond_the_horizon_nothing_is_said),
		cmocka_unit_test(a_forecast_is_written_whole),
		cmocka_unit_test(every_reason_and_kind_has_a_name),
		cmocka_unit_test(the_same_samples_give_the_same_bytes),
		cmocka_unit_test(nonsense_in_a_restored_row_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
