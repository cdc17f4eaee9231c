/* SPDX-License-Identifier: Apache-2.0 */
/* What is usual at an hour of the day and of the week: a nightly backup, the work of Mondays. Not a
 * value of each metric, but how unlike its past a service is then: 192 bytes for all of them.
 * Seasonal profiles by exponential smoothing: Holt 1957, Winters 1960; two of them at once: Taylor
 * 2003. */
#ifndef KM_PREDICT_SEASON_H
#define KM_PREDICT_SEASON_H

#include <stdbool.h>
#include <stdint.h>

#define KM_HOURS_OF_DAY  24
#define KM_HOURS_OF_WEEK 168

struct km_season {
	uint8_t day[KM_HOURS_OF_DAY]; /* tenths; the loudest of that hour, smoothed */
	uint8_t week[KM_HOURS_OF_WEEK];
	uint8_t loudest; /* of this hour so far, tenths */
	uint8_t hour;    /* of the week, + 1; 0: none yet */
	uint16_t hours;  /* heard so far; stops at its maximum */
};

/* The service is so LOUD (0: as ever) at WALL_S, seconds since 1970; 0: nobody knows the time.
 * Returns by how much that is louder than what is usual at this hour, at most LOUD. */
double km_season_hear(struct km_season *s, uint64_t wall_s, double loud);
/* Nobody knows how long nobody heard. */
void km_season_rests(struct km_season *s);
bool km_season_valid(const struct km_season *s);

#endif
