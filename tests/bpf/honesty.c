// SPDX-License-Identifier: Apache-2.0
/* What lowers trust is noticed, said and mended. */
#include "bpf/values.h"

#include <bpf/bpf.h>

static struct km_config config;

static int start(void **state)
{
	struct km_collect_opts opts = { .config = &config };

	config.settings.sample_period_ns = 100 * KM_NS_PER_MS;
	world_enter(state);
	world_start(*state, &opts);
	return 0;
}

static void the_canary_comes_back(void **state)
{
	assert_non_null(values_wait(*state, &(struct wanted){ KM_SIG_CANARY, NULL, 0, 1, 1 }));
}

static void a_canary_that_does_not_come_back_is_said_within_a_second_or_two(void **state)
{
	struct world *w = *state;
	uint64_t from;

	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_CANARY, NULL, 0, 1, 1 }));
	/* The next one goes to where nobody reads. */
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC),
	     w->collect->bpf.progs[KM_PROG_CANARY].prog_fd);
	w->collect->canary_sent_ns = 1;
	from = km_now_ns();
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_CANARY, NULL, 0, 0, 0 }));
	assert_true(km_now_ns() - from < 2 * KM_NS_PER_S);
}

static void a_link_that_somebody_ended_is_attached_again(void **state)
{
	struct world *w = *state;
	struct km_prog *p = &w->collect->bpf.progs[KM_PROG_EXIT];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint32_t pid;

	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_CANARY, NULL, 0, 1, 1 }));
	assert_int_equal(dup2(null, p->link_fd), p->link_fd);
	close(null);
	w->collect->canary_sent_ns = 1; /* the next look is due */
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_LINKS_LOST, NULL, 0, 1, 1 }));
	pid = CHILD({});
	reap(pid);
	assert_non_null(world_wait(w, KMEND_EXIT, exit_of, &pid));
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, start, world_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(the_canary_comes_back),
		ROW(a_canary_that_does_not_come_back_is_said_within_a_second_or_two),
		ROW(a_link_that_somebody_ended_is_attached_again),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
