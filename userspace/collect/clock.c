// SPDX-License-Identifier: Apache-2.0
/* Where boot time stands in wall-clock time: told at the start and when someone sets the clock.
 * Slewing moves both clocks alike. */
#include <time.h>

#include "collect/internal.h"

#define JUMP_NS KM_NS_PER_MS
#define STEP_NS (10 * KM_NS_PER_S)

/* One within the time that it takes until what it upset has settled. */
static int say_step(struct km_collect *c)
{
	return km_value_emit(c, &(struct km_said){ .signal = KM_SIG_CLOCK_STEPS,
	                                           .entity = KM_ENTITY_HOST,
	                                           .value = 1,
	                                           .period_ns = STEP_NS });
}

int km_clock_emit(struct km_collect *c)
{
	struct km_raw_clock raw;
	struct timespec ts;
	uint64_t offset, moved;
	bool first;
	int r;

	km_raw_init(&raw, KM_RAW_CLOCK, sizeof(raw), 0);
	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return 0;
	raw.realtime_ns = (uint64_t)ts.tv_sec * KM_NS_PER_S + (uint64_t)ts.tv_nsec;
	offset = raw.realtime_ns - raw.hdr.ktime_ns; /* modulo 2^64: the clock may stand in 1970 */
	moved = offset - c->realtime_offset_ns;
	if (moved <= JUMP_NS || -moved <= JUMP_NS)
		return 0;
	first = !c->realtime_offset_ns;
	c->realtime_offset_ns = offset;
	r = km_emit(c, &raw, sizeof(raw));
	if (r || first)
		return r;
	km_tasks_doubt(c);
	return say_step(c);
}
