// SPDX-License-Identifier: Apache-2.0
/* Where boot time stands in wall-clock time: told at the start and when someone sets the clock.
 * Slewing moves both clocks alike. */
#include <time.h>

#include "collect/internal.h"

#define JUMP_NS KM_NS_PER_MS

int km_clock_emit(struct km_collect *c)
{
	struct km_raw_clock raw;
	struct timespec ts;
	uint64_t offset, moved;

	km_raw_init(&raw, KM_RAW_CLOCK, sizeof(raw), 0);
	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return 0;
	raw.realtime_ns = (uint64_t)ts.tv_sec * KM_NS_PER_S + (uint64_t)ts.tv_nsec;
	offset = raw.realtime_ns - raw.hdr.ktime_ns; /* modulo 2^64: the clock may stand in 1970 */
	moved = offset - c->realtime_offset_ns;
	if (moved <= JUMP_NS || -moved <= JUMP_NS)
		return 0;
	c->realtime_offset_ns = offset;
	return km_emit(c, &raw, sizeof(raw));
}
