/* SPDX-License-Identifier: Apache-2.0 */
/* Days and times of the day in rules and policies. All are UTC: what they allow must not depend on
 * the host's time zone, nor twice a year on an hour that is there twice or not at all. */
#ifndef KM_CALENDAR_H
#define KM_CALENDAR_H

#include "base/json.h"

/* A time of the day; one that ends before it begins ends on the next day. */
struct km_window {
	uint8_t days;              /* bit 0: Monday, ... 6: Sunday; of the day it begins on */
	uint16_t from_min, to_min; /* of the day; to_min is not in it */
};

/* "2027-01-31": its first second. From 2000 on, to 2099; 0 or -EINVAL. */
int km_parse_day(const char *s, uint64_t *ret_s);

/* {"from": "02:00", "to": "05:00", "days": ["sun"]}; without days each one. -EBADMSG with *ERR. */
int km_window_read(const struct km_json *doc, const cJSON *obj, struct km_error *err,
                   struct km_window *ret);

/* Wall-clock times in seconds. Open now; and when it opens next, if it is not. */
bool km_window_open(const struct km_window *w, uint64_t realtime_s);
uint64_t km_window_next_s(const struct km_window *w, uint64_t realtime_s);

#endif
