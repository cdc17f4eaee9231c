// SPDX-License-Identifier: Apache-2.0
/* One series: right at any time scale, size and distance; nothing bad gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "measure/series.h"

#define SECOND KM_NS_PER_S
#define LATE   (INT64_MAX - 40000000 * SECOND) /* boot times near their maximum */

static uint64_t lcg(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 11;
}

/* Normal enough. */
static double normal(uint64_t *seed)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += (double)lcg(seed) / 9007199254740992.0;
	return sum;
}

static struct km_features features(const struct km_series *s)
{
	struct km_features f;

	memset(&f, 0, sizeof(f));
	km_series_features(s, &f);
	return f;
}

static void assert_near(double is, double should, double share)
{
	if (fabs(is - should) > share * fabs(should))
		fail_msg("%.9g is not %.9g", is, should);
}

static void a_series_leaves_room_for_others_in_512_bytes(void **state)
{
	(void)state;
	assert_true(km_series_size() <= 280);
	assert_true(km_series_size() % 8 == 0);
}

static void a_line_is_found_at_every_scale_and_size(void **state)
{
	static const double bases[] = { 0, 1e6, 1e12, 1e15 };
	static const double slopes[] = { 1e-3, 1, 1e6 };

	(void)state;
	for (size_t b = 0; b < KM_ARRAY_SIZE(bases); b++)
		for (size_t k = 0; k < KM_ARRAY_SIZE(slopes); k++) {
			struct km_series s = { 0 };
			struct km_features f;

			if (slopes[k] * 5000 < bases[b] * 1e-6)
				continue; /* no rise in single precision */
			for (int i = 0; i < 5000; i++)
				assert_int_equal(km_series_add(&s, LATE + i * SECOND,
				                               bases[b] + slopes[k] * i, -1),
				                 0);
			f = features(&s);
			for (int i = 0; i < KM_SCALES; i++) {
				assert_near(f.fit[i].slope, slopes[k], 2e-2);
				assert_near(f.fit[i].level, bases[b] + slopes[k] * 4999, 1e-6);
			}
		}
}

static void irregular_samples_do_not_bend_a_line(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;
	uint64_t seed = 1, t = SECOND;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		t += 1 + lcg(&seed) % (3 * SECOND);
		assert_int_equal(km_series_add(&s, t, 100 + 5 * ((double)t / 1e9), -1), 0);
	}
	f = features(&s);
	for (int i = 0; i < KM_SCALES; i++) {
		assert_near(f.fit[i].slope, 5, 1e-6);
		assert_true(f.fit[i].slope_se < 1e-3); /* the sums are of single precision */
	}
}

/* Of 400 series that rise by 1 a second, how many slopes lie beyond Z standard errors from it. */
static unsigned int beyond(double z, double correlation)
{
	unsigned int n = 0;

	for (uint64_t seed = 1; seed <= 400; seed++) {
		uint64_t chance = seed * 977;
		struct km_series s = { 0 };
		struct km_features f;
		double e = 0;

		for (uint64_t i = 0; i < 600; i++) {
			e = correlation * e + sqrt(1 - correlation * correlation) * normal(&chance);
			km_series_add(&s, (i + 1) * SECOND, 1000 + (double)i + 10 * e, -1);
		}
		f = features(&s);
		n += fabs(f.fit[2].slope - 1) > z * f.fit[2].slope_se;
	}
	return n;
}

static void the_standard_error_is_honest(void **state)
{
	(void)state;
	/* Of a normal distribution 32 % lie beyond one and 4.6 % beyond two; a little less is
	 * prudent, more is a lie. */
	assert_in_range(beyond(1, 0), 40, 140);
	assert_in_range(beyond(2, 0), 0, 22);
}

static void the_noise_is_found(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;
	uint64_t seed = 3;

	(void)state;
	for (uint64_t i = 1; i <= 3000; i++)
		km_series_add(&s, i * SECOND, 5000 + 2 * (double)i + 50 * normal(&seed), -1);
	f = features(&s);
	assert_near(f.fit[3].noise, 50, 0.2);
	assert_near(f.fit[4].noise, 50, 0.2);
	assert_near(f.fit[4].weight, 2 * 1024, 0.15);
}

static void what_is_no_level_is_refused_and_changes_nothing(void **state)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY, -1e300, 1e300 };
	struct km_series s = { 0 }, before;

	(void)state;
	km_series_add(&s, SECOND, 5, 10);
	before = s;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++)
		assert_int_equal(km_series_add(&s, 2 * SECOND, bad[i], 10), -EINVAL);
	assert_int_equal(km_series_add(&s, 2 * SECOND, 5, NAN), -EINVAL);
	assert_int_equal(km_series_add(&s, 2 * SECOND, 5, INFINITY), -EINVAL);
	assert_int_equal(km_series_add(&s, SECOND - 1, 5, 10), -EINVAL);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void a_time_that_comes_twice_counts_once(void **state)
{
	struct km_series s = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(km_series_add(&s, SECOND, 5, 10), 0);
	assert_int_equal(s.samples, 1);
}

static void any_negative_limit_is_none(void **state)
{
	struct km_series s = { 0 };

	(void)state;
	km_series_add(&s, SECOND, 5, -1e18);
	assert_true(features(&s).limit < 0);
}

static void a_changed_limit_keeps_the_slope(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;

	(void)state;
	for (uint64_t i = 1; i <= 60; i++)
		km_series_add(&s, i * SECOND, 10.0 * (double)i, i < 50 ? 1000 : 2000);
	f = features(&s);
	assert_near(f.fit[0].slope, 10, 1e-6);
	assert_near(f.limit, 2000, 0);
	assert_int_equal(f.samples, 60);
}

static void ten_years_without_a_sample_begin_a_series_anew(void **state)
{
	struct km_series s = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		km_series_add(&s, i * SECOND, 10.0 * (double)i, 5000);
	assert_int_equal(km_series_add(&s, 10ULL * 365 * 86400 * SECOND, 7, 5000), 0);
	assert_int_equal(s.samples, 1);
	assert_int_equal(s.since_ns, s.t_ns);
	assert_true(km_series_valid(&s));
}

static void samples_far_apart_are_no_gap_if_they_always_were(void **state)
{
	struct km_series s = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(km_series_add(&s, i * 3600 * SECOND, (double)i, -1), 0);
	assert_int_equal(s.samples, 100);
	assert_true(km_series_valid(&s));
}

static void a_pause_of_minutes_goes_on_where_it_was(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;

	(void)state;
	for (uint64_t i = 1; i <= 600; i++)
		km_series_add(&s, i * SECOND, 10.0 * (double)i, -1);
	for (uint64_t i = 900; i <= 960; i++)
		km_series_add(&s, i * SECOND, 10.0 * (double)i, -1);
	f = features(&s);
	assert_int_equal(f.samples, 661);
	for (int i = 0; i < KM_SCALES; i++)
		assert_near(f.fit[i].slope, 10, 1e-6);
}

static void a_constant_level_has_no_slope_and_no_rise(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;

	(void)state;
	for (uint64_t i = 1; i <= 2000; i++)
		km_series_add(&s, i * SECOND, 123456789.123, 1e9);
	f = features(&s);
	for (int i = 0; i < KM_SCALES; i++) {
		assert_true(fabs(f.fit[i].slope) < 1e-6);
		assert_true(f.fit[i].low_s <= 0);
	}
}

static void a_release_begins_the_fit_anew_and_keeps_the_peak(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		km_series_add(&s, i * SECOND, 10.0 * (double)i, 2000);
	km_series_add(&s, 101 * SECOND, 10, 2000);
	f = features(&s);
	for (int i = 0; i < KM_SCALES; i++) {
		assert_near(f.fit[i].mean, 10, 1e-6);
		assert_true(f.fit[i].weight < 2);
		assert_true(f.fit[i].peak > 300);
	}
}

static void the_rise_is_dated_from_its_bottom(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;

	(void)state;
	for (uint64_t i = 1; i <= 200; i++)
		km_series_add(&s, i * SECOND, 50, 2000);
	for (uint64_t i = 1; i <= 60; i++)
		km_series_add(&s, (200 + i) * SECOND, 50 + 10.0 * (double)i, 2000);
	f = features(&s);
	for (int i = 0; i < KM_SCALES; i++) {
		assert_near(f.fit[i].low_s, 60, 0.02);
		assert_near(f.fit[i].low, 50, 1e-3);
	}
}

static void a_swing_is_kept_and_fades_with_a_days_half_life(void **state)
{
	struct km_series s = { 0 };
	struct km_features f;

	(void)state;
	for (uint64_t i = 1; i <= 200; i++)
		km_series_add(&s, i * SECOND, i <= 100 ? 10.0 * (double)i : 10, 2000);
	f = features(&s);
	assert_near(f.fit[1].swing, 1000 - 160, 0.05); /* the mean is a time constant behind */
	assert_near(f.fit[1].peak, 1000 - 160, 0.05);
	for (uint64_t i = 1; i <= 1440; i++)
		km_series_add(&s, (200 + i * 60) * SECOND, 10, 2000);
	assert_near(features(&s).fit[1].swing, f.fit[1].swing / 2, 1e-2);
	assert_near(features(&s).fit[1].peak, 10 + (f.fit[1].peak - 10) / 2, 1e-2);
}

static void assert_finite(const struct km_series *s)
{
	struct km_features f = features(s);

	for (int i = 0; i < KM_SCALES; i++)
		assert_true(isfinite(f.fit[i].level) && isfinite(f.fit[i].slope) &&
		            isfinite(f.fit[i].slope_se) && isfinite(f.fit[i].noise) &&
		            isfinite(f.fit[i].mean) && isfinite(f.fit[i].peak));
}

static void the_longest_and_largest_numbers_stay_finite(void **state)
{
	struct km_series s = { 0 };
	uint64_t seed = 9, t = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		static const double levels[] = { 0, 1, 0x1p64, 0x1p63, 1e12 };
		static const uint64_t steps[] = { 0, 1, 1000, SECOND, 86400 * SECOND };

		t += steps[lcg(&seed) % 5];
		assert_int_equal(km_series_add(&s, t, levels[lcg(&seed) % 5], 0x1p64), 0);
		assert_true(km_series_valid(&s));
		assert_finite(&s);
	}
}

static void the_same_samples_give_the_same_bytes(void **state)
{
	struct km_series a, b;

	(void)state;
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	km_series_reset(&a);
	km_series_reset(&b);
	for (uint64_t x = 1, y = 1, i = 1; i <= 5000; i++) {
		km_series_add(&a, i * SECOND / 3, (double)(lcg(&x) % 100000), 100000);
		km_series_add(&b, i * SECOND / 3, (double)(lcg(&y) % 100000), 100000);
	}
	assert_memory_equal(&a, &b, sizeof(a));
}

static void a_restored_series_must_be_sane(void **state)
{
	struct km_series good = { 0 }, s;

	(void)state;
	assert_true(km_series_valid(&good));
	km_series_add(&good, SECOND, 5, 10);
	assert_true(km_series_valid(&good));
	s = good;
	s.scale[4].mean = NAN;
	assert_false(km_series_valid(&s));
	s = good;
	s.scale[0].peak = INFINITY;
	assert_false(km_series_valid(&s));
	s = good;
	s.scale[2].weight = -1;
	assert_false(km_series_valid(&s));
	s = good;
	s.since_ns = s.t_ns + 1;
	assert_false(km_series_valid(&s));
	s = good;
	s.t_ns = UINT64_MAX;
	assert_false(km_series_valid(&s));
	s = good;
	s.scale[1].swing = -1;
	assert_false(km_series_valid(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_series_leaves_room_for_others_in_512_bytes),
		cmocka_unit_test(a_line_is_found_at_every_scale_and_size),
		cmocka_unit_test(irregular_samples_do_not_bend_a_line),
		cmocka_unit_test(the_standard_error_is_honest),
		cmocka_unit_test(the_noise_is_found),
		cmocka_unit_test(what_is_no_level_is_refused_and_changes_nothing),
		cmocka_unit_test(a_time_that_comes_twice_counts_once),
		cmocka_unit_test(any_negative_limit_is_none),
		cmocka_unit_test(a_changed_limit_keeps_the_slope),
		cmocka_unit_test(ten_years_without_a_sample_begin_a_series_anew),
		cmocka_unit_test(samples_far_apart_are_no_gap_if_they_always_were),
		cmocka_unit_test(a_pause_of_minutes_goes_on_where_it_was),
		cmocka_unit_test(a_constant_level_has_no_slope_and_no_rise),
		cmocka_unit_test(a_release_begins_the_fit_anew_and_keeps_the_peak),
		cmocka_unit_test(the_rise_is_dated_from_its_bottom),
		cmocka_unit_test(a_swing_is_kept_and_fades_with_a_days_half_life),
		cmocka_unit_test(the_longest_and_largest_numbers_stay_finite),
		cmocka_unit_test(the_same_samples_give_the_same_bytes),
		cmocka_unit_test(a_restored_series_must_be_sane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
