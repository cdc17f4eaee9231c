// SPDX-License-Identifier: Apache-2.0
/* What happens on several CPUs goes through several rings and is told in the order of time. */
#include "bpf/world.h"

#define PROCESSES 60

static int stop(void **state)
{
	struct world *w = *state;

	world_stop(w, true);
	world_forget(w);
	return 0;
}

/* Onto the NTHth of the CPUs that this process may use. */
static void move(const cpu_set_t *cpus, int nth)
{
	int count = CPU_COUNT(cpus), cpu = -1;
	cpu_set_t one;

	for (nth = nth % count; nth >= 0; nth -= CPU_ISSET(cpu, cpus))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* Born on one CPU, executes on the next and ends there, or on the first again. */
static uint32_t wander(const cpu_set_t *cpus, int i)
{
	uint32_t pid;

	move(cpus, i);
	pid = CHILD(move(cpus, i + 1); execl("/bin/true", "true", NULL));
	reap(pid);
	return pid;
}

static size_t find(const struct world *w, uint16_t type, uint32_t pid)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct kmend_hdr *h = world_record(w, i);

		/* The number of the process follows the header in all of these. */
		if (h->type == type && *(const uint32_t *)(h + 1) == pid)
			return i;
	}
	fail_msg("record %u of %u is missing", type, pid);
	return 0;
}

static void a_process_that_moves_between_cpus_is_told_in_order(void **state)
{
	struct km_collect_opts opts = { 0 };
	struct world *w = *state;
	uint32_t pids[PROCESSES];
	uint64_t last_ns = 0;
	cpu_set_t cpus;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	world_start(w, &opts);
	km_rings_drain(w->collect);
	world_forget(w);
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = wander(&cpus, i);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	assert_int_equal(km_rings_drain(w->collect), 0);
	for (int i = 0; i < PROCESSES; i++) {
		size_t fork = find(w, KMEND_FORK, pids[i]), exec = find(w, KMEND_EXEC, pids[i]);

		assert_true(fork < exec);
		assert_true(exec < find(w, KMEND_EXIT, pids[i]));
		assert_true(world_record(w, fork)->ktime_ns >= last_ns);
		last_ns = world_record(w, fork)->ktime_ns;
	}
}

static void each_cpu_writes_into_a_ring_of_its_own(void **state)
{
	struct km_collect_opts opts = { 0 };
	struct world *w = *state;
	cpu_set_t cpus;
	uint32_t n, used = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	world_start(w, &opts);
	km_rings_drain(w->collect);
	n = w->collect->rings.count;
	assert_true(n >= (uint32_t)CPU_COUNT(&cpus) || n == KMEND_BULK_RINGS_MAX);
	for (int i = 0; i < CPU_COUNT(&cpus); i++)
		wander(&cpus, i);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (uint32_t i = 0; i < n; i++) {
		struct km_ring *r = &w->collect->rings.bulk[i];

		km_ring_look(r);
		used += r->end > r->pos;
	}
	assert_true(used >= (uint32_t)CPU_COUNT(&cpus) || used == KMEND_BULK_RINGS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_process_that_moves_between_cpus_is_told_in_order, stop),
		cmocka_unit_test_teardown(each_cpu_writes_into_a_ring_of_its_own, stop),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, world_enter, world_leave);
}
