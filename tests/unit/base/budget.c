// SPDX-License-Identifier: Apache-2.0
/* The actor's budgets against a brute-force count, exhaustively on small models; their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/budget.h"

#define STEPS    6
#define CHOICES  6 /* of a step: two services, three gaps */
#define SERVICES 2

static const char *const names[SERVICES] = { "web", "db" };
static const char service_full[] = "the service's budget is used up";
static const char host_full[] = "the host's budget is used up";

static struct km_budgets *budgets;

static int begin(void **state)
{
	(void)state;
	budgets = calloc(1, sizeof(*budgets));
	return budgets ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	free(budgets);
	return 0;
}

struct history {
	int64_t t_ns[STEPS];
	int service[STEPS];
	unsigned int count;
};

/* In (now - per, now]; SERVICE -1: all. */
static unsigned int acts(const struct history *h, int service, int64_t now, uint64_t per)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < h->count; i++)
		n += (service < 0 || h->service[i] == service) && now - h->t_ns[i] < (int64_t)per;
	return n;
}

/* One history: digits of CODE say who asks, and how long after the one before. */
static void one_history(unsigned int code, const struct km_policy *p)
{
	struct history h = { .count = 0 };
	int64_t now = -3; /* the boot before this one is seen too */

	memset(budgets, 0, sizeof(*budgets));
	for (unsigned int i = 0; i < STEPS; i++, code /= CHOICES) {
		int service = (int)(code % SERVICES);
		const char *why, *wanted = NULL;

		now += code % CHOICES / SERVICES;
		if (acts(&h, -1, now, p->per_host.per_ns) >= p->per_host.count)
			wanted = host_full;
		if (acts(&h, service, now, p->per_service.per_ns) >= p->per_service.count)
			wanted = service_full;
		why = km_budget_refuses(budgets, p, names[service], now);
		assert_int_equal(why != NULL, wanted != NULL);
		if (why) {
			assert_string_equal(why, wanted);
			continue;
		}
		km_budget_charge(budgets, names[service], now);
		h.service[h.count] = service;
		h.t_ns[h.count++] = now;
	}
}

static void all_histories_of_two_services_agree_with_a_brute_force_count(void **state)
{
	unsigned int codes = 1;

	(void)state;
	for (unsigned int i = 0; i < STEPS; i++)
		codes *= CHOICES;
	for (uint32_t mine = 0; mine <= 2; mine++)
		for (uint32_t all = mine; all <= 3; all++) {
			const struct km_policy p = { .per_service = { mine, 3 },
				                     .per_host = { all, 2 } };

			for (unsigned int code = 0; code < codes; code++)
				one_history(code, &p);
		}
}

static void an_act_that_seems_to_come_counts(void **state)
{
	const struct km_policy p = { .per_service = { 1, 10 }, .per_host = { 10, 10 } };

	(void)state;
	memset(budgets, 0, sizeof(*budgets));
	km_budget_charge(budgets, "web", 1000);
	assert_string_equal(km_budget_refuses(budgets, &p, "web", 5), service_full);
	assert_null(km_budget_refuses(budgets, &p, "db", 5));
}

/* What the ring lost may have been in the window. */
static void a_full_ring_is_a_full_host(void **state)
{
	const struct km_policy hosts = { .per_service = { 2, 1 }, .per_host = { 1000000, 100 } };
	const struct km_policy services = { .per_service = { 1000000, 100 },
		                            .per_host = { 1000000, 1 } };

	(void)state;
	memset(budgets, 0, sizeof(*budgets));
	for (int i = 0; i < KM_BUDGET_ACTS_MAX - 1; i++)
		km_budget_charge(budgets, "web", 50);
	assert_null(km_budget_refuses(budgets, &hosts, "db", 60));
	assert_null(km_budget_refuses(budgets, &services, "db", 60));
	km_budget_charge(budgets, "web", 50);
	assert_string_equal(km_budget_refuses(budgets, &hosts, "db", 60), host_full);
	assert_string_equal(km_budget_refuses(budgets, &services, "db", 60), host_full);
	/* The oldest goes, and no more than fit are there. */
	km_budget_charge(budgets, "web", 200);
	assert_int_equal(budgets->count, KM_BUDGET_ACTS_MAX);
	assert_int_equal(budgets->next, 1);
	assert_int_equal(budgets->act[0].t_ns, 200);
	assert_null(km_budget_refuses(budgets, &hosts, "db", 160));
}

static void refusals_and_notices_have_windows_of_their_own(void **state)
{
	int64_t window = (int64_t)KM_SAID_PER_NS;

	(void)state;
	memset(budgets, 0, sizeof(*budgets));
	for (int i = 0; i < KM_SAID_MAX; i++)
		assert_true(km_budget_said(budgets, "refusals", 0));
	assert_false(km_budget_said(budgets, "refusals", window - 1));
	assert_true(km_budget_said(budgets, "notices", window - 1));
	assert_true(km_budget_said(budgets, "refusals", window));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_histories_of_two_services_agree_with_a_brute_force_count),
		cmocka_unit_test(an_act_that_seems_to_come_counts),
		cmocka_unit_test(a_full_ring_is_a_full_host),
		cmocka_unit_test(refusals_and_notices_have_windows_of_their_own),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
