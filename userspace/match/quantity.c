// SPDX-License-Identifier: Apache-2.0
/* What a level is compared with. The unit is a part of the value, and must be the one of what is
 * measured. */
#include "match/compile.h"

#include <math.h>

/* Up to here a double counts in ones. */
#define VALUE_MAX 0x1p53
/* Ten years: no certificate lives longer. */
#define DAYS_MAX 3650ULL
/* Digits before the point of a rate, and behind it. */
#define RATE_DIGITS   12
#define RATE_FRACTION 6

static int fail(struct km_compile *c, const cJSON *node, const char *remedy)
{
	return km_json_fail(c->doc, node, c->err, remedy,
	                    "\"%s\" has no value that this can be compared with", node->string);
}

/* Strictly between the ends: every level in use is above 0 %, none is above 100 %. */
static int some_share(struct km_compile *c, const cJSON *node, double share)
{
	if (share <= 0)
		return km_json_fail(c->doc, node, c->err, "like \"90%\"",
		                    "every level in use is above 0 %%");
	if (share >= 1)
		return km_json_fail(c->doc, node, c->err, "like \"90%\"",
		                    "no level is above 100 %% of its limit");
	return 0;
}

static int parse_bytes(const cJSON *node, double *ret)
{
	uint64_t bytes;

	if (!cJSON_IsString(node) || km_parse_bytes(node->valuestring, &bytes) < 0 || !bytes ||
	    bytes > (uint64_t)VALUE_MAX)
		return -EINVAL;
	*ret = (double)bytes;
	return 0;
}

static int parse_count(const cJSON *node, double *ret)
{
	double v = node->valuedouble;

	if (!cJSON_IsNumber(node) || v < 0 || v > VALUE_MAX || v != floor(v))
		return -EINVAL;
	*ret = v;
	return 0;
}

static int parse_time(const cJSON *node, double *ret)
{
	uint64_t ns;

	if (!cJSON_IsString(node) || km_parse_duration(node->valuestring, &ns) < 0 || !ns ||
	    ns > 3600 * KM_NS_PER_S)
		return -EINVAL;
	*ret = (double)ns;
	return 0;
}

/* What a calendar counts. */
static int parse_days(const cJSON *node, double *ret)
{
	uint64_t ns;

	if (!cJSON_IsString(node) || km_parse_duration(node->valuestring, &ns) < 0 || !ns ||
	    ns > DAYS_MAX * 86400 * KM_NS_PER_S)
		return -EINVAL;
	*ret = (double)ns;
	return 0;
}

/* "20/s", "0.5/s". */
static int parse_rate(const cJSON *node, double *ret)
{
	const char *s = cJSON_IsString(node) ? node->valuestring : "";
	size_t whole = strspn(s, "0123456789"), fraction = 0;
	const char *end = s + whole;

	if (*end == '.')
		fraction = strspn(++end, "0123456789");
	if (!whole || whole > RATE_DIGITS || fraction > RATE_FRACTION ||
	    (end > s + whole && !fraction) || strcmp(end + fraction, "/s") != 0)
		return -EINVAL;
	*ret = strtod(s, NULL);
	return *ret > 0 ? 0 : -EINVAL;
}

/* "1MiB/s", "200ms/s": PARSE is of what stands before. */
static int parse_per_second(const cJSON *node, int (*parse)(const char *s, uint64_t *ret),
                            double *ret)
{
	const char *s = cJSON_IsString(node) ? node->valuestring : "";
	size_t len = strlen(s);
	char amount[32] = { 0 };
	uint64_t v;

	if (len < 3 || len - 2 >= sizeof(amount) || strcmp(s + len - 2, "/s") != 0)
		return -EINVAL;
	memcpy(amount, s, len - 2);
	if (parse(amount, &v) < 0 || !v || v > (uint64_t)VALUE_MAX)
		return -EINVAL;
	*ret = (double)v;
	return 0;
}

static int parse_bytes_rate(const cJSON *node, double *ret)
{
	return parse_per_second(node, km_parse_bytes, ret);
}

/* Of all CPUs together: more than a second a second is possible. */
static int parse_time_rate(const cJSON *node, double *ret)
{
	return parse_per_second(node, km_parse_duration, ret);
}

/* How values of a unit of the catalogue are written; the first whose unit fits. */
static const struct {
	const char *unit, *example;
	int (*parse)(const cJSON *node, double *ret);
	double factor; /* of what is written, in what is measured */
} units[] = {
	{ "bytes", "like \"512MiB\"", parse_bytes, 1 },
	{ "bytes/s", "like \"10MiB/s\"", parse_bytes_rate, 1 },
	{ "ppm", "like \"20%\"", km_parse_share, 1e6 },
	{ "ns", "like \"250ms\"", parse_time, 1 },
	{ "us", "like \"250ms\"", parse_time, 1e-3 },
	{ "s", "like \"14d\"", parse_days, 1e-9 },
	{ "us/s", "like \"200ms/s\"", parse_time_rate, 1e-3 },
	{ "/s", "like \"20/s\"", parse_rate, 1 },
	{ "", "like 200", parse_count, 1 },
};

/* A unit that ends like that: "segments/s" is a "/s". */
static bool is_of(const char *unit, const char *row)
{
	size_t len = strlen(unit), end = strlen(row);

	if (row[0] != '/')
		return !row[0] || strcmp(unit, row) == 0;
	return len >= end && strcmp(unit + len - end, row) == 0;
}

int km_compile_quantity(struct km_compile *c, const cJSON *node, const struct km_measured *what,
                        struct km_quantity *ret)
{
	struct km_quantity q = { 0 };
	size_t i = 0;

	if (what->limited && km_parse_share(node, &q.value) == 0) {
		q.share = true;
		*ret = q;
		return some_share(c, node, q.value);
	}
	/* what is left of a number up to 1 is a share that is none */
	if (what->limited && cJSON_IsNumber(node) && node->valuedouble < 2)
		return fail(c, node, "like \"90%\", or 200");
	while (!is_of(what->unit, units[i].unit))
		i++;
	if (units[i].parse(node, &q.value) < 0)
		return fail(c, node, units[i].example);
	if (units[i].parse == km_parse_share && some_share(c, node, q.value) < 0)
		return -EBADMSG;
	q.value *= units[i].factor;
	*ret = q;
	return 0;
}
