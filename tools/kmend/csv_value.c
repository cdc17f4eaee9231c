// SPDX-License-Identifier: Apache-2.0
/* Numbers and times as they stand in cells. */
#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "csv.h"

/* Levels of series: see km_series_add(). */
#define NUMBER_MAX 0x1p64
/* 2200-01-01: as nanoseconds still a signed number of 64 bits, with room behind. */
#define TIME_MAX_S 7258118400.0

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static bool missing(const char *cell)
{
	static const char *const words[] = { "nan", "na", "n/a", "null", "none", "-" };

	if (!*cell)
		return true;
	for (size_t i = 0; i < KM_ARRAY_SIZE(words); i++)
		if (strcasecmp(cell, words[i]) == 0)
			return true;
	return false;
}

enum km_csv_kind km_csv_number(const char *cell, double *ret)
{
	char *end;
	double v;

	cell = skip_blanks(cell);
	if (missing(cell))
		return KM_CSV_MISSING;
	v = strtod(cell, &end);
	if (end == cell || *skip_blanks(end))
		return KM_CSV_TEXT;
	if (isnan(v))
		return KM_CSV_MISSING;
	if (!(fabs(v) <= NUMBER_MAX))
		return KM_CSV_INFINITE;
	*ret = v;
	return KM_CSV_NUMBER;
}

/* Up to WIDTH digits at *P. */
static bool digits(const char **p, int width, int *ret)
{
	int v = 0, n = 0;

	for (; n < width && isdigit((unsigned char)**p); n++)
		v = v * 10 + *(*p)++ - '0';
	*ret = v;
	return n > 0;
}

/* FORMAT's letters are numbers of four (Y) or two digits, all else stands for itself. */
static bool fields(const char **p, const char *format, int *ret)
{
	for (; *format; format++) {
		if (isupper((unsigned char)*format)) {
			if (!digits(p, *format == 'Y' ? 4 : 2, ret++))
				return false;
		} else if (*(*p)++ != *format) {
			return false;
		}
	}
	return true;
}

/* Days from 1970-01-01 in the Gregorian calendar; years begin with March, so that the leap day is
 * the last of its year. */
static int64_t days_from_1970(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

/* "Z", "+02:00", "+0200" or nothing: seconds east of UTC. */
static bool zone(const char **p, int *ret_s)
{
	int sign = **p == '-' ? -1 : 1, hm[2] = { 0 };

	*ret_s = 0;
	if (**p == 'Z')
		++*p;
	if (**p != '+' && **p != '-')
		return true;
	++*p;
	if (!digits(p, 2, &hm[0]))
		return false;
	if (**p == ':')
		++*p;
	digits(p, 2, &hm[1]);
	*ret_s = sign * (hm[0] * 3600 + hm[1] * 60);
	return true;
}

static double fraction(const char **p)
{
	double v = 0, unit = 1;

	if (**p != '.' && **p != ',')
		return 0;
	for (++*p; isdigit((unsigned char)**p); ++*p) {
		unit /= 10;
		v += unit * (**p - '0');
	}
	return v;
}

/* 1: *RET in seconds; 0: it is no such text. */
static int calendar(const char *p, double *ret)
{
	int ymd[3], hms[3] = { 0 }, east = 0;
	double part = 0;

	if (!fields(&p, "Y-M-D", ymd))
		return 0;
	if (*p == 'T' || *p == ' ') {
		p++;
		if (!fields(&p, "H:M", hms))
			return 0;
		if (*p == ':' && !fields(&p, ":S", hms + 2))
			return 0;
		part = fraction(&p);
		if (!zone(&p, &east))
			return 0;
	}
	if (*skip_blanks(p) || ymd[1] < 1 || ymd[1] > 12 || ymd[2] < 1 || ymd[2] > 31 ||
	    hms[0] > 24 || hms[1] > 59 || hms[2] > 60)
		return 0;
	*ret = (double)(days_from_1970(ymd[0], ymd[1], ymd[2]) * 86400 + hms[0] * 3600 +
	                hms[1] * 60 + hms[2] - east) +
	       part;
	return 1;
}

int km_csv_time(const char *cell, uint64_t *ret_ns)
{
	double t;

	cell = skip_blanks(cell);
	if (!calendar(cell, &t)) {
		enum km_csv_kind kind = km_csv_number(cell, &t);

		if (kind != KM_CSV_NUMBER)
			return kind == KM_CSV_INFINITE ? -ERANGE : -EINVAL;
		for (int i = 0; i < 3 && t > TIME_MAX_S; i++)
			t /= 1000;
	}
	if (!(t >= 0) || t > TIME_MAX_S)
		return -ERANGE;
	*ret_ns = (uint64_t)(t * (double)KM_NS_PER_S + 0.5);
	return 0;
}
