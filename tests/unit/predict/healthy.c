// SPDX-License-Identifier: Apache-2.0
/* Services that only look ill: none of them gets a forecast that a rule would believe. */
#include "unit/predict/sim.h"

/* Next level of a service; KEPT is its memory between samples, zeroed at the start. */
typedef double (*healthy)(struct sim *s, double kept[8]);

static void assert_never(healthy level, double lasts_s)
{
	static const double periods[] = { 0.25, 0.5, 1, 5 };

	for (size_t i = 0; i < KM_ARRAY_SIZE(periods); i++)
		for (uint64_t seed = 1; seed <= 25; seed++) {
			double kept[8] = { 0 };
			struct sim s;

			sim_begin(&s, periods[i], seed * 31 + i);
			while (s.t_s < lasts_s)
				sim_add(&s, level(&s, kept), -1);
			if (s.first_s >= 0)
				fail_msg("every %.2f s, seed %d: p %.2f, first after %.1f s",
				         periods[i], (int)seed, s.most, s.first_s);
			sim_end(&s);
		}
}

/* Bursts of 20 to 60 % for 2 to 10 s, as a block, a roof or a ramp, at any distance. */
static double bursts(struct sim *s, double k[8])
{
	enum { BASE, NEXT, UP, BEGAN, ENDS, SHAPE };
	double share;

	if (k[BASE] <= 0) {
		k[BASE] = sim_between(s, 5, 15);
		k[NEXT] = sim_between(s, 1, 15);
	}
	if (k[UP] <= 0 && s->t_s >= k[NEXT]) {
		k[UP] = sim_between(s, 20, 60) - k[BASE];
		k[BEGAN] = s->t_s;
		k[ENDS] = s->t_s + sim_between(s, 2, 10);
		k[SHAPE] = floor(sim_between(s, 0, 3));
	}
	if (k[UP] > 0 && s->t_s >= k[ENDS]) {
		k[UP] = 0;
		k[NEXT] = s->t_s + sim_between(s, 0.5, 15);
	}
	share = k[UP] > 0 ? (s->t_s - k[BEGAN]) / (k[ENDS] - k[BEGAN]) : 0;
	if (k[SHAPE] < 1)
		share = 1;
	else if (k[SHAPE] < 2)
		share = share < 0.5 ? 2 * share : 2 - 2 * share;
	return k[BASE] + k[UP] * share + 0.5 * sim_normal(s);
}

/* As the demo's noisy service: every 8 s, up within a second, kept for two, released. */
static double periodic_bursts(struct sim *s, double k[8])
{
	double phase = fmod(s->t_s, 8);

	if (phase < s->period_s || k[0] <= 0)
		k[0] = sim_between(s, 30, 60);
	return phase < 2 ? k[0] * fmin(1, phase + 0.2) : 4;
}

static double stairs(struct sim *s, double k[8])
{
	if (k[0] <= 0)
		k[0] = sim_between(s, 10, 40);
	if (s->t_s >= k[1]) {
		k[0] += sim_between(s, 3, 15) * (sim_chance(s) < 0.5 ? -1 : 1);
		k[0] = fmin(fmax(k[0], 5), 60);
		k[1] = s->t_s + sim_between(s, 2, 10);
	}
	return k[0] + 0.3 * sim_normal(s);
}

/* Fills up and levels off, fast or slowly, now or later. */
static double cache(struct sim *s, double k[8])
{
	static const double seconds[] = { 5, 20, 60, 300, 1500 };

	if (k[0] <= 0) {
		k[0] = sim_between(s, 30, 72);
		k[1] = seconds[(int)sim_between(s, 0, 5)];
		k[2] = sim_between(s, 0, 1);
		k[3] = sim_between(s, 0, 60);
	}
	return 2 + k[0] * (1 - exp(-fmax(s->t_s - k[3], 0) / k[1])) + k[2] * sim_normal(s);
}

static double white_noise(struct sim *s, double k[8])
{
	(void)k;
	return 50 + 10 * sim_normal(s);
}

static double wandering(struct sim *s, double k[8])
{
	if (k[1] <= 0) {
		k[1] = sim_between(s, 0.8, 0.995);
		k[2] = sim_between(s, 5, 15);
	}
	k[0] = k[1] * k[0] + sqrt(1 - k[1] * k[1]) * k[2] * sim_normal(s);
	return 35 + k[0];
}

static double waves(struct sim *s, double k[8])
{
	if (k[0] <= 0) {
		k[0] = exp(sim_between(s, 3, 8));
		k[1] = sim_between(s, 0, 6.28);
		k[2] = sim_between(s, 5, 20);
	}
	return 40 + k[2] * sin(k[1] + 6.283 * s->t_s / k[0]) + 0.5 * sim_normal(s);
}

/* A collector that runs when half of the room is used. */
static double sawtooth(struct sim *s, double k[8])
{
	if (k[0] <= 0) {
		k[0] = exp(sim_between(s, 2.3, 6.4));
		k[1] = sim_between(s, 40, 60);
		k[2] = sim_between(s, 10, 25);
	}
	return k[2] + (k[1] - k[2]) * fmod(s->t_s, k[0]) / k[0] + sim_normal(s);
}

/* Start-up: a straight way up to half of the limit, then level. */
static double start_up(struct sim *s, double k[8])
{
	if (k[0] <= 0) {
		k[0] = sim_between(s, 20, 50);
		k[1] = exp(sim_between(s, 2, 6));
	}
	return 3 + fmin(s->t_s / k[1], 1) * k[0] + 0.5 * sim_normal(s);
}

#define NEVER(name, level, lasts)           \
	static void name(void **state)      \
	{                                   \
		(void)state;                \
		assert_never(level, lasts); \
	}

NEVER(bursts_that_go_back_are_no_leak, bursts, 1200)
NEVER(the_noisy_neighbour_of_the_demo_is_no_leak, periodic_bursts, 900)
NEVER(a_staircase_up_and_down_is_no_leak, stairs, 1200)
NEVER(a_cache_that_levels_off_is_no_leak, cache, 3600)
NEVER(white_noise_is_no_leak, white_noise, 900)
NEVER(a_level_that_wanders_is_no_leak, wandering, 1200)
NEVER(waves_are_no_leak, waves, 3600)
NEVER(a_sawtooth_is_no_leak, sawtooth, 2400)
NEVER(growth_at_the_start_is_no_leak, start_up, 900)

/* Seen before, and it went back: refused by name until it is passed. */
static void what_was_reached_before_is_settled(void **state)
{
	struct sim s;

	(void)state;
	sim_begin(&s, 1, 1);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 40; i++)
			sim_add(&s, 5 + 1.4 * i, -1);
	for (int i = 0; i < 35; i++)
		sim_add(&s, 5 + 1.4 * i, -1);
	assert_int_equal(s.now->why, KM_WHY_SETTLED);
	for (int i = 35; i < 60; i++)
		sim_add(&s, 5 + 1.4 * i, -1);
	assert_int_equal(s.now->why, KM_WHY_NONE);
	assert_true(s.now->p > 0.5);
	sim_end(&s);
}

static void a_level_that_was_never_below_its_limit_says_nothing_of_it(void **state)
{
	struct sim s;

	(void)state;
	sim_begin(&s, 1, 1);
	for (int i = 0; i < 100; i++)
		sim_add(&s, 100, -1);
	assert_int_equal(s.now->why, KM_WHY_BEYOND);
	for (int i = 0; i < 100; i++)
		sim_add(&s, 130, -1); /* the limit was lowered below the level */
	assert_true(s.most < 0.5);
	sim_end(&s);
}

static void a_slow_rise_is_too_far_away(void **state)
{
	struct sim s;

	(void)state;
	sim_begin(&s, 1, 1);
	for (int i = 0; i < 600; i++)
		sim_add(&s, 5 + i / 100.0, -1);
	assert_int_equal(s.now->why, KM_WHY_FAR);
	sim_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_that_go_back_are_no_leak),
		cmocka_unit_test(the_noisy_neighbour_of_the_demo_is_no_leak),
		cmocka_unit_test(a_staircase_up_and_down_is_no_leak),
		cmocka_unit_test(a_cache_that_levels_off_is_no_leak),
		cmocka_unit_test(white_noise_is_no_leak),
		cmocka_unit_test(a_level_that_wanders_is_no_leak),
		cmocka_unit_test(waves_are_no_leak),
		cmocka_unit_test(a_sawtooth_is_no_leak),
		cmocka_unit_test(growth_at_the_start_is_no_leak),
		cmocka_unit_test(what_was_reached_before_is_settled),
		cmocka_unit_test(a_level_that_was_never_below_its_limit_says_nothing_of_it),
		cmocka_unit_test(a_slow_rise_is_too_far_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
