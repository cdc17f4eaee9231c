// SPDX-License-Identifier: Apache-2.0
/* The same samples give the same state and the same forecasts, bit for bit: with any optimisation,
 * on any machine. */
#include "unit/predict/sim.h"

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 1099511628211ULL;
	return hash;
}

static uint64_t said(const struct km_forecast *f, uint64_t hash)
{
	const double all[] = { f->eta_s, f->eta_lo_s, f->eta_hi_s, f->p, (double)f->why };

	return mix(hash, all, sizeof(all));
}

/* Leaks of all speeds with noise, pauses and releases between them. */
static void forecasts_have_the_same_bits_everywhere(void **state)
{
	uint64_t hash = 0, forecasts = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct sim s;

		sim_begin(&s, seed % 3 ? 1 : 10, seed);
		for (int t = 0; t < 4000; t++) {
			double lasts = 40 * (double)(1U << seed % 6);
			double level = 20 + 80 * fmod(t, 3 * lasts) / (2 * lasts);

			sim_add(&s, fmin(level, 99) + sim_normal(&s), -1);
			hash = said(s.now, hash);
			forecasts += s.now->why == KM_WHY_NONE;
		}
		hash = mix(hash, s.series, km_series_size());
		sim_end(&s);
	}
	assert_true(forecasts > 1000);
	if (hash != 0x6dc9e12b9cdafe54ULL)
		fail_msg("0x%llxULL", (unsigned long long)hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forecasts_have_the_same_bits_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
