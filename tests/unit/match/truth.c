// SPDX-License-Identifier: Apache-2.0
/* One condition at one moment, at the edges of each comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "match/truth.h"
#include "world.h"

#define T KM_TRUE
#define F KM_FALSE
#define N KM_NOT_MEASURED

/* An end that was or was not known, and what each "how" makes of it. */
static void each_end_is_what_its_status_and_sender_say(void **state)
{
	static const struct {
		struct km_ending end;
		enum km_truth says[KM_END_MAX];
	} cases[] = {
		/*                                 any clean failed signaled outsider oom */
		{ { .known = 0 }, { T, N, N, N, N, N } },
		{ { .known = 0, .oom = 1 }, { T, N, N, N, N, T } },
		{ { .known = 1 }, { T, T, F, F, F, F } },
		{ { .known = 1, .exit_code = 256 }, { T, F, T, F, F, F } },
		/* killed by it, and by whom is not known */
		{ { .known = 1, .exit_code = 9 }, { T, F, F, T, N, F } },
		{ { .known = 1, .exit_code = 9, .oom = 1 }, { T, F, F, T, F, T } },
		{ { .known = 1, .exit_code = 9, .signal = 9 }, { T, F, F, T, N, F } },
		{ { .known = 1, .exit_code = 9, .signal = 15, .sender_tgid = 5 },
		  { T, F, F, T, N, F } },
		{ { .known = 1, .exit_code = 9, .signal = 9, .sender_tgid = 5 },
		  { T, F, F, T, T, F } },
		{ { .known = 1, .exit_code = 9, .signal = 9, .sender_tgid = 5, .oom = 1 },
		  { T, F, F, T, F, T } },
		/* init, and the process itself */
		{ { .known = 1, .exit_code = 9, .signal = 9, .sender_tgid = 1 },
		  { T, F, F, T, F, F } },
		{ { .known = 1, .exit_code = 9, .signal = 9, .sender_tgid = 7, .tgid = 7 },
		  { T, F, F, T, F, F } },
		/* with a core, and a code behind it that no kernel gives */
		{ { .known = 1, .exit_code = 0x8b }, { T, F, F, T, N, F } },
		{ { .known = 1, .exit_code = 256 + 9 }, { T, F, F, T, N, F } },
		/* an orderly exit on a signal that was caught */
		{ { .known = 1, .exit_code = 0, .signal = 15, .sender_tgid = 5 },
		  { T, T, F, F, F, F } },
	};
	struct km_service service = { .id = 1 };
	const struct km_match_input in = { .service = &service, .event = KM_EV_ENDED };
	struct km_cond c = { .op = KM_COND_EVENT, .event = KM_EV_ENDED };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		service.last = cases[i].end;
		for (c.how = 0; c.how < KM_END_MAX; c.how++)
			if (km_truth_of_event(&c, &in) != cases[i].says[c.how])
				fail_msg("end %zu, %s: %d", i, km_end_how_names[c.how],
				         (int)km_truth_of_event(&c, &in));
		/* what kmend asked for is no event at all */
		service.last.asked = 1;
		c.how = KM_END_ANY;
		assert_int_equal(km_truth_of_event(&c, &in), KM_FALSE);
	}
}

static void a_sender_is_looked_at_together_with_the_way_it_ended(void **state)
{
	struct km_service service = {
		.id = 1,
		.last = { .known = 1,
		          .exit_code = 9,
		          .signal = 9,
		          .sender_tgid = 5,
		          .sender_comm = "cron" },
	};
	const struct km_match_input in = { .service = &service, .event = KM_EV_ENDED };
	struct km_cond c = { .op = KM_COND_EVENT, .event = KM_EV_ENDED, .how = KM_END_SIGNALED };

	(void)state;
	strcpy(c.by, "cr?n");
	assert_int_equal(km_truth_of_event(&c, &in), T);
	strcpy(c.by, "bash");
	assert_int_equal(km_truth_of_event(&c, &in), F);
	/* the way is known to be another one, whoever it was */
	service.last.sender_tgid = 0;
	c.how = KM_END_CLEAN;
	assert_int_equal(km_truth_of_event(&c, &in), F);
	/* who it was is not known */
	c.how = KM_END_SIGNALED;
	assert_int_equal(km_truth_of_event(&c, &in), N);
	/* it was another one, whatever the way */
	service.last.sender_tgid = 5;
	service.last.known = 0;
	assert_int_equal(km_truth_of_event(&c, &in), F);
	strcpy(c.by, "cron");
	assert_int_equal(km_truth_of_event(&c, &in), N);
}

static void a_level_at_its_bound_is_past_it_on_neither_side(void **state)
{
	struct km_features f = { .measured = 1, .level = 90, .limit = 100 };
	struct km_service service = { .id = 1 };
	struct km_match_input in = { .service = &service };
	struct km_cond c = { .op = KM_COND_LEVEL,
		             .resource = KM_MEMORY,
		             .above = 0.9,
		             .above_share = true,
		             .until = -1 };

	(void)state;
	in.features[KM_MEMORY] = &f;
	assert_int_equal(km_truth_of(&c, &in), F);
	f.level = 90.5;
	assert_int_equal(km_truth_of(&c, &in), T);
	c.below = true;
	assert_int_equal(km_truth_of(&c, &in), F);
	f.level = 90;
	assert_int_equal(km_truth_of(&c, &in), F);
	f.level = 89;
	assert_int_equal(km_truth_of(&c, &in), T);
	/* a limit of nothing is a limit, none is none */
	f.limit = 0;
	f.level = 0.5;
	c.below = false;
	assert_int_equal(km_truth_of(&c, &in), T);
	f.limit = -1;
	assert_int_equal(km_truth_of(&c, &in), F);
	c.above_share = false;
	c.above = 0.4;
	assert_int_equal(km_truth_of(&c, &in), T);
	f.measured = 0;
	assert_int_equal(km_truth_of(&c, &in), N);
	in.features[KM_MEMORY] = NULL;
	assert_int_equal(km_truth_of(&c, &in), N);
	/* the host's is not the service's own, and without phase 4 nothing is known of it */
	in.features[KM_MEMORY] = &f;
	f.measured = 1;
	c.host = true;
	assert_int_equal(km_truth_of(&c, &in), N);
	/* what has no limit is not among the features */
	c.host = false;
	c.resource = KM_RESOURCE_MAX;
	assert_int_equal(km_truth_of(&c, &in), N);
}

static void a_state_holds_from_its_first_moment_on(void **state)
{
	struct km_service service = { .id = 1, .state = KM_SERVICE_UP, .since_ns = 100 };
	struct km_match_input in = { .service = &service, .now_ns = 100 };
	struct km_cond c = { .op = KM_COND_STATE, .state = KM_SERVICE_UP };

	(void)state;
	assert_int_equal(km_truth_of(&c, &in), T);
	in.now_ns = 99;
	assert_int_equal(km_truth_of(&c, &in), F);
	c.for_ns = 10;
	in.now_ns = 109;
	assert_int_equal(km_truth_of(&c, &in), F);
	in.now_ns = 110;
	assert_int_equal(km_truth_of(&c, &in), T);
	c.state = KM_SERVICE_DOWN;
	assert_int_equal(km_truth_of(&c, &in), F);
	service.state = KM_SERVICE_UNKNOWN;
	assert_int_equal(km_truth_of(&c, &in), N);
}

static void a_forecast_holds_up_to_its_bounds(void **state)
{
	struct km_cond c = { .op = KM_COND_FORECAST,
		             .forecast_kind = KM_EXHAUSTION,
		             .resource = KM_MEMORY,
		             .p = 0.5,
		             .within_ns = 10 * S };
	struct km_forecast *f;
	struct world w;

	(void)state;
	world_new(&w);
	w.in.now_ns = T0;
	assert_int_equal(km_truth_of(&c, &w.in), N);
	f = in_force(&w, T0, 0.5, 10);
	assert_int_equal(km_truth_of(&c, &w.in), T);
	f->eta_s = 10.5;
	assert_int_equal(km_truth_of(&c, &w.in), F);
	/* half a second later it is within ten */
	w.in.now_ns = T0 + S / 2;
	assert_int_equal(km_truth_of(&c, &w.in), T);
	f->p = 0.49;
	assert_int_equal(km_truth_of(&c, &w.in), F);
	f->p = 1;
	f->why = KM_WHY_FLAT;
	assert_int_equal(km_truth_of(&c, &w.in), F);
	f->why = KM_WHY_NOT_MEASURED;
	assert_int_equal(km_truth_of(&c, &w.in), N);
	f->why = KM_WHY_NONE;
	f->eta_s = 1e6;
	c.within_ns = 0;
	assert_int_equal(km_truth_of(&c, &w.in), T);
	w.in.predict = NULL;
	assert_int_equal(km_truth_of(&c, &w.in), N);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_is_what_its_status_and_sender_say),
		cmocka_unit_test(a_sender_is_looked_at_together_with_the_way_it_ended),
		cmocka_unit_test(a_level_at_its_bound_is_past_it_on_neither_side),
		cmocka_unit_test(a_state_holds_from_its_first_moment_on),
		cmocka_unit_test(a_forecast_holds_up_to_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
