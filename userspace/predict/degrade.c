// SPDX-License-Identifier: Apache-2.0
/* Slowly worse: retransmitted segments, resets, waits for storage or for pages, slower answers of a
 * peer. Page's cumulative sum (1954) of what stands above the usual, in robust spreads of its
 * logarithm; each step is clipped, so that no single burst makes a trend.
 *
 * One thing needs no learning: throughput falls with the root of the share of segments that are
 * lost (Mathis, Semke, Mahdavi and Ott 1997), and where one in twelve must be sent again nobody is
 * served well, whatever is usual. */
#include <math.h>

#include "base/exact.h"
#include "predict/internal.h"

/* Ticks are averaged over so long; a step. */
#define STEP_NS (10 * KM_NS_PER_S)
/* What is usual has a half-life of six hours of steps, and is known after an hour of them. */
#define LEARN       (M_LN2 / 2160)
#define SAMPLES_MIN 360
/* What counts is how far above one spread a step is, and at most so much. */
#define ALLOWED 1.0
#define CLIP    3.0
/* Twenty steps in a row two spreads above, or ten three above; over again at half of it. */
#define SUM_ALARM 20.0
#define SUM_MAX   40.0
/* A spread is not believed to be less than a tenth of a factor of e. */
#define SPREAD_MIN 0.1
/* Lost, for so long, over again at half of it: a share is of 200 segments at least, so this one
 * is above 2 % in all but one of a thousand, each time that it is measured. As long again, and it
 * is as likely as two to one to go on. */
#define LOSSY_PPM 80000.0
#define LOSSY_NS  (10 * KM_NS_PER_S)

static const enum km_watched looked_at[KM_CREEPS] = {
	KM_W_RETRANSMITS,  KM_W_RESETS,       KM_W_PSI_IO,
	KM_W_MAJOR_FAULTS, KM_W_PEER_LATENCY, KM_W_PEER_RETRANSMITS,
};

static void step(struct km_creep *c, double x)
{
	double y = km_exact_log(1 + fmax(x, 0)), off = y - (double)c->mean, learn, z;

	c->samples += c->samples < UINT32_MAX;
	learn = fmax(LEARN, 1.0 / c->samples);
	z = fmax(-CLIP, fmin(CLIP, off / ((double)c->spread + SPREAD_MIN)));
	if (c->samples > SAMPLES_MIN)
		c->sum = (float)fmax(0, fmin((double)c->sum + z - ALLOWED, SUM_MAX));
	off = z * ((double)c->spread + SPREAD_MIN);
	c->mean += (float)(learn * off);
	c->spread += (float)(learn * (fabs(off) - (double)c->spread));
}

static void look_at_losses(struct km_degrade *d, const struct km_watch_tick *t)
{
	double share = t->value[KM_W_RETRANSMIT_SHARE];

	if (isnan(share) || share < LOSSY_PPM / 2)
		d->lossy_ns = 0;
	else if (!d->lossy_ns && share >= LOSSY_PPM)
		d->lossy_ns = t->t_ns;
}

void km_degrade_tick(struct km_degrade *d, const struct km_watch_tick *t)
{
	look_at_losses(d, t);
	for (int i = 0; i < KM_CREEPS; i++) {
		double x = t->value[looked_at[i]];

		if (isnan(x))
			continue;
		d->pending[i] += x;
		d->gathered[i]++;
	}
	if (t->t_ns - d->t_ns < STEP_NS)
		return;
	d->t_ns = t->t_ns;
	for (int i = 0; i < KM_CREEPS; i++) {
		if (!d->gathered[i])
			continue;
		step(&d->creep[i], d->pending[i] / d->gathered[i]);
		if (d->creep[i].sum <= 0)
			d->since_ns[i] = t->t_ns;
		d->pending[i] = 0;
		d->gathered[i] = 0;
	}
}

static int lossy(const struct km_predict_input *in, uint64_t since_ns, struct km_forecast *ret)
{
	ret->span_ns = in->now_ns - since_ns;
	ret->level = in->values ? fmax(in->values[KM_W_RETRANSMIT_SHARE], 0) : 0;
	ret->parts = 1;
	ret->part[0] = (struct km_anomaly_part){ KM_SIG_RETRANSMIT_SHARE, 1 };
	ret->p = (double)ret->span_ns / (double)(ret->span_ns + LOSSY_NS);
	return 1;
}

static int degrade(const struct km_predict_input *in, enum km_resource resource,
                   struct km_forecast *ret)
{
	const struct km_degrade *d = &in->watch->degrade;
	int worst = 0;

	(void)resource;
	if (d->lossy_ns && in->now_ns - d->lossy_ns >= LOSSY_NS)
		return lossy(in, d->lossy_ns, ret);
	for (int i = 1; i < KM_CREEPS; i++)
		if (d->creep[i].sum > d->creep[worst].sum)
			worst = i;
	if ((double)d->creep[worst].sum < SUM_ALARM) {
		ret->why = KM_WHY_NOT_MEASURED;
		for (int i = 0; i < KM_CREEPS; i++)
			if (d->creep[i].samples)
				ret->why = d->creep[i].samples > SAMPLES_MIN ? KM_WHY_USUAL
				                                             : KM_WHY_TOO_SHORT;
		return 0;
	}
	ret->span_ns = in->now_ns - d->since_ns[worst];
	ret->level = in->values[looked_at[worst]];
	if (isnan(ret->level))
		ret->level = 0;
	ret->parts = 1;
	ret->part[0] = (struct km_anomaly_part){ km_watched[looked_at[worst]], 1 };
	ret->p = (double)d->creep[worst].sum / (SUM_MAX + SUM_ALARM);
	return 1;
}

void km_degrade_rests(struct km_degrade *d)
{
	struct km_degrade usual = { 0 };

	for (int i = 0; i < KM_CREEPS; i++) {
		usual.creep[i] = d->creep[i];
		usual.creep[i].sum = 0;
	}
	*d = usual;
}

bool km_degrade_valid(const struct km_degrade *d)
{
	for (int i = 0; i < KM_CREEPS; i++)
		if (!isfinite(d->pending[i]) || !isfinite(d->creep[i].mean) ||
		    !(d->creep[i].spread >= 0 && isfinite(d->creep[i].spread)) ||
		    !(d->creep[i].sum >= 0 && (double)d->creep[i].sum <= SUM_MAX))
			return false;
	return true;
}

const struct km_predictor km_predictor_degrade = {
	.name = "degradation by Page's cumulative sum",
	.kind = KM_DEGRADATION,
	.forecast = degrade,
	.learns = true,
};
