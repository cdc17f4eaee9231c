/* SPDX-License-Identifier: Apache-2.0 */
/* One service that is measured once a second. */
#ifndef KM_TEST_HOST_H
#define KM_TEST_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "measure/state.h"

#define SECOND KM_NS_PER_S

struct host {
	struct km_measure *m;
	struct km_service service;
	uint64_t now_ns;
};

static inline int begin(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	h->service.id = 7;
	h->service.cgroup_id = 50;
	h->now_ns = 1000 * SECOND;
	assert_int_equal(km_measure_new(&h->m), 0);
	*state = h;
	return 0;
}

static inline int end(void **state)
{
	struct host *h = *state;

	km_measure_free(h->m);
	free(h);
	return 0;
}

static inline void tick(struct host *h)
{
	h->now_ns += SECOND;
	km_measure_tick(h->m, h->now_ns);
}

#endif
