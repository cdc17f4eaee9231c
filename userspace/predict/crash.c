/* SPDX-License-Identifier: Apache-2.0 */
/* Crash loop: a service that ends soon after each start will do so again.
 *
 * Only ends that nobody asked for count, and only lives, not the gaps between ends: a growing
 * back-off makes gaps longer while the service is as ill as before. With k short lives in a row
 * Laplace's rule of succession gives (k + 1) / (k + 2) for the next one. */
#include <math.h>

#include "predict/internal.h"

/* The third crash is enough, and the second is not. */
#define ENDS_MIN 3
/* A life shorter than this is short for any service ... */
#define SHORT_NS (60 * KM_NS_PER_S)
/* ... and so is one shorter than this share of the median of those before. */
#define SHORT_SHARE 10
/* Up for so many times its longest short life: it has got over it. */
#define OVER_IT 3
/* Ends that lie further back than this say nothing of today. */
#define OLD_NS (3600 * KM_NS_PER_S)

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Median of the lives from FIRST on, 0 if there are none. */
static uint64_t median_from(const struct km_ends *e, uint32_t first)
{
	uint64_t life[KM_ENDS_KEPT];
	uint32_t n = e->count - first;

	if (!n)
		return 0;
	memcpy(life, e->lived_ns + first, n * sizeof(life[0]));
	qsort(life, n, sizeof(life[0]), by_size);
	return life[n / 2];
}

/* How many of the newest ends in a row came after a short life. */
static uint32_t short_lives(const struct km_ends *e, uint64_t now_ns)
{
	uint32_t n = 0;

	while (n < e->count && now_ns - e->t_ns[n] < OLD_NS &&
	       (e->lived_ns[n] < SHORT_NS || e->lived_ns[n] < median_from(e, n + 1) / SHORT_SHARE))
		n++;
	return n;
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)KM_NS_PER_S;
}

static int crash(const struct km_predict_input *in, enum km_resource resource,
                 struct km_forecast *ret)
{
	const struct km_ends *e = in->ends;
	uint32_t k = e ? short_lives(e, in->now_ns) : 0;
	uint64_t longest = 0, shortest = UINT64_MAX, up = 0;
	uint64_t median;

	(void)resource;
	ret->ends = k;
	if (k < ENDS_MIN) {
		ret->why = KM_WHY_FEW_ENDS;
		return 0;
	}
	for (uint32_t i = 0; i < k; i++) {
		longest = e->lived_ns[i] > longest ? e->lived_ns[i] : longest;
		shortest = e->lived_ns[i] < shortest ? e->lived_ns[i] : shortest;
	}
	if (in->service->state == KM_SERVICE_UP)
		up = in->now_ns - in->service->since_ns;
	if (up > OVER_IT * longest + KM_NS_PER_S) {
		ret->why = KM_WHY_SETTLED;
		return 0;
	}
	median = e->lived_ns[k / 2];
	ret->eta_s = km_predict_round(seconds(median > up ? median - up : 0));
	ret->eta_lo_s = km_predict_round(seconds(shortest > up ? shortest - up : 0));
	ret->eta_hi_s = km_predict_round(
		fmax(seconds(longest > up ? 2 * longest - up : longest), ret->eta_s));
	ret->p = (double)(k + 1) / (double)(k + 2);
	ret->span_ns = in->now_ns - e->t_ns[k - 1] + e->lived_ns[k - 1];
	return 1;
}

const struct km_predictor km_predictor_crash = {
	.name = "crash loop by short lives in a row",
	.kind = KM_CRASH_LOOP,
	.forecast = crash,
	.per_resource = false,
};
