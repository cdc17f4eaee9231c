// SPDX-License-Identifier: Apache-2.0
/* Each allocation of each act's life, and of a recovery, fails, once and with all behind it: ours
 * and those of the libraries. The actor does not crash, does nothing that it does not say, and
 * loses no intent (root; meant for a build with SAN=address as well).
 *
 * KMEND_LONG=1: all; else every SAMPLE-th. */
#include "lib/actor_sweep.h"

#include <pthread.h>
#include <sys/mman.h>

#define SAMPLE     7
#define NEVER      1000000u
#define SILENT_MS  1500
#define TIMEOUT_NS (300 * KM_NS_PER_MS)
/* Where an act is killed that is to be recovered from: behind its intent, before its outcome. */
#define MIDDLE 34

/* What the C library's own would do: a program's malloc is taken before theirs, also by libraries.
 */
#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *old, size_t size);
const char *__asan_default_options(void);

/* An actor that is not to crash must be seen to. */
const char *__asan_default_options(void)
{
	return "abort_on_error=1:detect_leaks=0:allocator_may_return_null=1";
}

struct plan {
	bool armed;
	bool lasts;
	unsigned int left;   /* allocations before the one that fails */
	unsigned int failed; /* that far */
};

static struct plan *plan;
static bool in_child; /* the test itself is given what it wants */

static bool fails(void)
{
	if (!in_child || !plan->armed)
		return false;
	if (plan->left > 0) {
		plan->left--;
		return false;
	}
	if (plan->failed && !plan->lasts)
		return false;
	plan->failed++;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : REAL(malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : REAL(calloc)(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : REAL(realloc)(old, size);
}

static unsigned int injected;

static void enter_child(void)
{
	in_child = true;
}

static bool go_on(pid_t pid, void *userdata)
{
	(void)pid;
	(void)userdata;
	return false;
}

static bool to_the_middle(pid_t pid, void *userdata)
{
	unsigned int *left = userdata;

	(void)pid;
	return --*left == 0;
}

/* The N-th allocation of the act, or of the actor that comes after one that was killed in its
 * middle. False: there is none. */
static bool one_point(const struct sweep_act *s, unsigned int n, bool lasts, bool recovers)
{
	const struct plan wanted = { .armed = true, .lasts = lasts, .left = n };
	struct world *w = &sweep.w;
	unsigned int stops = MIDDLE;
	pid_t pid = sweep_ready(s);
	enum sweep_end end;

	if (!recovers)
		*plan = wanted;
	sweep_tell(s, TIMEOUT_NS);
	if (!recovers) {
		end = sweep_run(pid, go_on, NULL, &w->outcomes, w->outcomes + 1, SILENT_MS);
	} else {
		sweep_run(pid, to_the_middle, &stops, &w->outcomes, w->outcomes + 1, SILENT_MS);
		*plan = wanted;
		pid = sweep_successor();
		end = sweep_run(pid, go_on, NULL, &w->readies, 1, SILENT_MS);
	}
	plan->armed = false;
	km_close(&w->engine);
	assert_int_not_equal(end, SWEEP_CRASHED);
	sweep_recover(s);
	injected += plan->failed;
	return plan->failed;
}

static void fail_each(const struct sweep_act *acts, size_t count, bool recovers)
{
	unsigned int step = getenv("KMEND_LONG") ? 1 : SAMPLE;

	for (const struct sweep_act *s = acts; s < acts + count; s++) {
		unsigned int points = 0;

		if (!sweep_can(s))
			continue;
		for (int lasts = 0; lasts < 2; lasts++)
			for (unsigned int n = 0; one_point(s, n, lasts, recovers); n += step)
				points++;
		print_message("%s%s: %u points\n", km_verb_names[s->verb],
		              recovers ? ", recovered from" : "", points);
	}
}

static void every_allocation_of_every_act_may_fail(void **state)
{
	(void)state;
	fail_each(sweep_acts, KM_ARRAY_SIZE(sweep_acts), false);
	fail_each(sweep_jobs, KM_ARRAY_SIZE(sweep_jobs), false);
	fail_each(sweep_routes, KM_ARRAY_SIZE(sweep_routes), false);
	assert_in_range(injected, 1, NEVER);
}

static void every_allocation_of_a_recovery_may_fail(void **state)
{
	unsigned int before = injected;

	(void)state;
	fail_each(sweep_acts, KM_ARRAY_SIZE(sweep_acts), true);
	fail_each(sweep_routes, KM_ARRAY_SIZE(sweep_routes), true);
	assert_in_range(injected - before, 1, NEVER);
	print_message("%u allocations failed\n", injected);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_every_act_may_fail),
		cmocka_unit_test(every_allocation_of_a_recovery_may_fail),
	};

	(void)argc;
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_atfork(NULL, NULL, enter_child);
	return sweep_main(argv, tests, KM_ARRAY_SIZE(tests));
}
