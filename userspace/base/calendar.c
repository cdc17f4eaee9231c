// SPDX-License-Identifier: Apache-2.0
#include "base/calendar.h"

#define DAY_S 86400ULL
/* 1970-01-01 was a Thursday. */
#define EPOCH_WEEKDAY 3

/* COUNT digits at S as a number, -1 if one is none. */
static int digits(const char *s, int count)
{
	int n = 0;

	for (; count--; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		n = 10 * n + (*s - '0');
	}
	return n;
}

static int days_of(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	/* from 2000 to 2099 each fourth year has a 29th of February */
	return days[month - 1] + (month == 2 && year % 4 == 0);
}

int km_parse_day(const char *s, uint64_t *ret_s)
{
	uint64_t days = 10957; /* 2000-01-01 */
	int year, month, day;

	if (strlen(s) != 10 || s[4] != '-' || s[7] != '-')
		return -EINVAL;
	year = digits(s, 4);
	month = digits(s + 5, 2);
	day = digits(s + 8, 2);
	if (year < 2000 || year > 2099 || month < 1 || month > 12 || day < 1 ||
	    day > days_of(year, month))
		return -EINVAL;
	for (int y = 2000; y < year; y++)
		days += y % 4 == 0 ? 366 : 365;
	for (int m = 1; m < month; m++)
		days += (uint64_t)days_of(year, m);
	*ret_s = (days + (uint64_t)day - 1) * DAY_S;
	return 0;
}

static int parse_time(const char *s, uint16_t *ret_min)
{
	int hour, minute;

	if (strlen(s) != 5 || s[2] != ':')
		return -EINVAL;
	hour = digits(s, 2);
	minute = digits(s + 3, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return -EINVAL;
	*ret_min = (uint16_t)(60 * hour + minute);
	return 0;
}

bool km_window_open(const struct km_window *w, uint64_t realtime_s)
{
	uint16_t now_min = (uint16_t)(realtime_s % DAY_S / 60);
	unsigned int today = (unsigned int)((realtime_s / DAY_S + EPOCH_WEEKDAY) % 7);
	unsigned int yesterday = (today + 6) % 7;

	if (w->from_min < w->to_min)
		return w->days >> today & 1 && now_min >= w->from_min && now_min < w->to_min;
	return (w->days >> today & 1 && now_min >= w->from_min) ||
	       (w->days >> yesterday & 1 && now_min < w->to_min);
}

uint64_t km_window_next_s(const struct km_window *w, uint64_t realtime_s)
{
	uint64_t day = realtime_s / DAY_S;

	for (unsigned int i = 0; i <= 7; i++, day++) {
		uint64_t begin = day * DAY_S + 60ULL * w->from_min;

		if (begin > realtime_s && w->days >> (day + EPOCH_WEEKDAY) % 7 & 1)
			return begin;
	}
	return 0; /* not reached: a window has a day */
}

struct window {
	const cJSON *days;
	char from[6], to[6];
};

#define WINDOW(member) .offset = offsetof(struct window, member)

static const struct km_json_field window_fields[] = {
	{ "days", KM_JSON_ARRAY, false, WINDOW(days) },
	{ "from", KM_JSON_STRING, true, WINDOW(from), .size = 6 },
	{ "to", KM_JSON_STRING, true, WINDOW(to), .size = 6 },
	{ 0 }
};

static const char *const day_names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static int read_days(const struct km_json *doc, const cJSON *array, struct km_error *err,
                     uint8_t *ret)
{
	const cJSON *node;

	if (!cJSON_GetArraySize(array))
		return km_json_fail(doc, array, err, "name one, or leave \"days\" out",
		                    "\"days\" is empty");
	cJSON_ArrayForEach(node, array)
	{
		unsigned int i = 0;

		while (i < 7 && !(cJSON_IsString(node) && !strcmp(node->valuestring, day_names[i])))
			i++;
		if (i == 7)
			return km_json_fail(doc, node, err,
			                    "one of: mon, tue, wed, thu, fri, sat, sun",
			                    "this is no day of the week");
		if (*ret >> i & 1)
			return km_json_fail(doc, node, err, "remove one of the two",
			                    "a day appears twice");
		*ret |= (uint8_t)(1U << i);
	}
	return 0;
}

int km_window_read(const struct km_json *doc, const cJSON *obj, struct km_error *err,
                   struct km_window *ret)
{
	static const char *const remedy = "like \"02:00\", UTC";
	struct window w = { 0 };
	int r;

	if (!cJSON_IsObject(obj))
		return km_json_fail(doc, obj, err, "like {\"from\": \"02:00\", \"to\": \"05:00\"}",
		                    "a window is an object");
	r = km_json_read(doc, obj, window_fields, &w, err);
	if (r < 0)
		return r;
	if (parse_time(w.from, &ret->from_min) < 0)
		return km_json_fail(doc, cJSON_GetObjectItemCaseSensitive(obj, "from"), err, remedy,
		                    "\"from\" is no time of the day");
	if (parse_time(w.to, &ret->to_min) < 0)
		return km_json_fail(doc, cJSON_GetObjectItemCaseSensitive(obj, "to"), err, remedy,
		                    "\"to\" is no time of the day");
	ret->days = w.days ? 0 : 0x7f;
	return w.days ? read_days(doc, w.days, err, &ret->days) : 0;
}
