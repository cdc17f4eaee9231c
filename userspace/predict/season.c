// SPDX-License-Identifier: Apache-2.0
#include "predict/season.h"

#include <math.h>

#include "base/base.h"

#define TENTHS 10.0
/* What an hour was louder makes so much louder, at most, what is expected of it tomorrow and in a
 * week, tenths: one odd day is no season, a week of them is. What did not come again is half. */
#define DAY_STEP  5
#define WEEK_STEP 12
/* What differs by less than this from the other hours is no season. */
#define APART 1.5
/* Before so many hours were heard no hour is known. */
#define HOURS_MIN KM_HOURS_OF_DAY

static void learn(uint8_t *usual, uint8_t heard, int step)
{
	int more = heard - *usual;

	*usual = (uint8_t)(*usual + (more > step ? step : more > 0 ? more : more / 2));
}

/* The hour is over: the same one tomorrow and in a week will be like it. */
static void turn(struct km_season *s, uint8_t to)
{
	if (s->hour) {
		learn(&s->day[(s->hour - 1) % KM_HOURS_OF_DAY], s->loudest, DAY_STEP);
		learn(&s->week[s->hour - 1], s->loudest, WEEK_STEP);
		s->hours += s->hours < UINT16_MAX;
	}
	s->hour = to;
	s->loudest = 0;
}

/* How much louder than the day as a whole this hour usually is. */
static double expected(const struct km_season *s)
{
	uint8_t day = s->day[(s->hour - 1) % KM_HOURS_OF_DAY], week = s->week[s->hour - 1];
	unsigned int sum = 0;

	if (s->hours < HOURS_MIN)
		return 0;
	for (int i = 0; i < KM_HOURS_OF_DAY; i++)
		sum += s->day[i];
	return fmax((day > week ? day : week) / TENTHS - sum / TENTHS / KM_HOURS_OF_DAY - APART, 0);
}

double km_season_hear(struct km_season *s, uint64_t wall_s, double loud)
{
	uint8_t hour = (uint8_t)(wall_s / 3600 % KM_HOURS_OF_WEEK + 1);
	uint8_t heard = (uint8_t)(fmax(0, fmin(loud * TENTHS, UINT8_MAX)));

	if (!wall_s)
		return loud;
	if (hour != s->hour)
		turn(s, hour);
	s->loudest = heard > s->loudest ? heard : s->loudest;
	return fmax(loud - expected(s), 0);
}

void km_season_rests(struct km_season *s)
{
	s->hour = 0;
	s->loudest = 0;
}

bool km_season_valid(const struct km_season *s)
{
	return s->hour <= KM_HOURS_OF_WEEK;
}
