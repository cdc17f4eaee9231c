// SPDX-License-Identifier: Apache-2.0
/* What each forecast in force says of the service failing within 15 and within 30 minutes, as
 * shipped: guesses on the safe side, until the host has taught better (fuse.h). */
#include <math.h>

#include "predict/internal.h"

/* Of a forecast's probability that it ends in failure within each horizon. What is not a time to
 * an end, but a state, may go on for long. */
static const double weight[KM_FORECAST_KIND_MAX][KM_HORIZONS] = {
	[KM_EXHAUSTION] = { 1, 1 }, [KM_CRASH_LOOP] = { 1, 1 },      [KM_ANOMALY] = { 0.05, 0.1 },
	[KM_HANG] = { 0.5, 0.6 },   [KM_DEGRADATION] = { 0.1, 0.2 }, [KM_DEPENDENCY] = { 0.2, 0.3 },
};

/* How much of the time to the end lies within S: a line through 10, 50 and 90 %. */
static double within(const struct km_forecast *f, double s)
{
	if (s >= f->eta_hi_s)
		return f->eta_hi_s > 0 ? fmin(0.9 + 0.1 * (s - f->eta_hi_s) / f->eta_hi_s, 1) : 1;
	if (s >= f->eta_s)
		return 0.5 + 0.4 * (s - f->eta_s) / (f->eta_hi_s - f->eta_s);
	if (s >= f->eta_lo_s)
		return 0.1 + 0.4 * (s - f->eta_lo_s) / (f->eta_s - f->eta_lo_s);
	return 0.1 * s / f->eta_lo_s;
}

static void add(const struct km_forecast *f, uint64_t now_ns, struct km_fuse_voice *ret)
{
	double gone_s = (double)(now_ns - f->t_ns) / (double)KM_NS_PER_S;

	ret->kind = f->kind;
	for (uint32_t h = 0; h < KM_HORIZONS; h++) {
		ret->says[h] = f->p * weight[f->kind][h];
		if (f->kind == KM_EXHAUSTION || f->kind == KM_CRASH_LOOP)
			ret->says[h] *= within(f, km_horizon_min[h] * 60.0 + gone_s);
	}
}

uint32_t km_voices(const struct km_predict *p, const struct km_predict_input *in,
                   struct km_fuse_voice *ret, uint32_t max)
{
	uint32_t n = 0;

	for (int kind = 0; kind < KM_FAILURE; kind++)
		for (int r = 0; r < (kind == KM_EXHAUSTION ? KM_RESOURCE_MAX : 1); r++) {
			const struct km_forecast *f =
				km_predict_get(p, in->service->id, (enum km_forecast_kind)kind,
			                       (enum km_resource)r);

			if (f && f->why == KM_WHY_NONE && n < max)
				add(f, in->now_ns, &ret[n++]);
		}
	return n;
}
