// SPDX-License-Identifier: Apache-2.0
/* What became of what was said: see fuse.h. */
#include <math.h>

#include "base/base.h"
#include "predict/fuse.h"

/* Lower ends of the bins above the first one. */
static const double bin_from[KM_FUSE_BINS - 1] = { 0.002, 0.01, 0.03, 0.08, 0.2, 0.45, 0.75 };

/* The shipped figure counts as so many outcomes. */
#define PRIOR 2.0
/* A bin's counts are halved here: old outcomes fade. */
#define OUTCOMES_MAX 4000.0F
/* The own figures are compared after so many failures and outcomes ... */
#define FAILURES_MIN 8
#define WEIGHT_MIN   20.0F
/* ... over about so many of the newest ones. */
#define WEIGHT_MAX 100.0F
/* Taken back only if clearly worse: no going to and fro. */
#define WORSE 1.05F

static unsigned int bin_of(double p)
{
	unsigned int i = 0;

	while (i < KM_FUSE_BINS - 1 && p >= bin_from[i])
		i++;
	return i;
}

/* What the shipped figures mean in the middle of bin I. */
static double middle(unsigned int i)
{
	double low = i ? bin_from[i - 1] : 0, high = i < KM_FUSE_BINS - 1 ? bin_from[i] : 1;

	return (low + high) / 2;
}

struct block {
	double outcomes, failures;
};

static double mean(const struct block *b)
{
	return b->failures / b->outcomes;
}

/* Neighbours in the wrong order become one. */
static double pooled(const struct km_fuse_bin *bin, unsigned int want)
{
	struct block block[KM_FUSE_BINS];
	unsigned int last[KM_FUSE_BINS], n = 0;

	for (unsigned int i = 0; i < KM_FUSE_BINS; i++) {
		block[n].outcomes = (double)bin[i].outcomes + PRIOR;
		block[n].failures = (double)bin[i].failures + PRIOR * middle(i);
		last[n++] = i;
		for (; n > 1 && mean(&block[n - 2]) > mean(&block[n - 1]); n--) {
			block[n - 2].outcomes += block[n - 1].outcomes;
			block[n - 2].failures += block[n - 1].failures;
			last[n - 2] = i;
		}
	}
	for (unsigned int i = 0; i < n; i++)
		if (last[i] >= want)
			return mean(&block[i]);
	return 1;
}

double km_calibration_own(const struct km_calibration *c, uint32_t kind, uint32_t horizon,
                          double shipped)
{
	unsigned int i = bin_of(shipped);
	const struct km_fuse_bin *bin = c->bin[horizon][kind];

	/* Where nothing was learnt, the shipped figure itself, not its bin's middle. */
	if (bin[i].outcomes <= 0)
		return shipped;
	return fmin(pooled(bin, i), 1);
}

static void compare(struct km_calibration *c)
{
	float own = 0, shipped = 0;
	bool enough = c->failures >= FAILURES_MIN;
	uint32_t better;

	for (uint32_t h = 0; h < KM_HORIZONS; h++) {
		enough = enough && c->weight[h] >= WEIGHT_MIN;
		own += c->weight[h] > 0 ? c->brier_own[h] / c->weight[h] : 0;
		shipped += c->weight[h] > 0 ? c->brier_shipped[h] / c->weight[h] : 0;
	}
	better = enough && (c->in_use ? own <= WORSE * shipped : own < shipped);
	c->version += better != c->in_use;
	c->in_use = better;
}

static void fade(struct km_calibration *c, uint32_t h)
{
	if (c->weight[h] < WEIGHT_MAX)
		return;
	c->weight[h] /= 2;
	c->brier_own[h] /= 2;
	c->brier_shipped[h] /= 2;
}

void km_calibration_learn(struct km_calibration *c, const struct km_fuse_said *said, uint32_t h,
                          bool failed)
{
	float share = 1.0F / (float)km_horizon_min[h];
	double own = (double)said->own[h] / KM_FUSE_ONE, y = failed ? 1 : 0;
	double shipped = (double)said->shipped[h] / KM_FUSE_ONE;
	struct km_fuse_bin *bin = &c->bin[h][said->kind][bin_of(shipped)];

	fade(c, h);
	c->weight[h] += share;
	c->brier_own[h] += share * (float)((own - y) * (own - y));
	c->brier_shipped[h] += share * (float)((shipped - y) * (shipped - y));
	if (bin->outcomes >= OUTCOMES_MAX) {
		bin->outcomes /= 2;
		bin->failures /= 2;
	}
	bin->outcomes += share;
	bin->failures += failed ? share : 0;
	compare(c);
}

void km_calibration_forget(struct km_calibration *c)
{
	*c = (struct km_calibration){ .key = c->key, .version = c->version + 1 };
}

bool km_calibration_outlives(void *row, uint64_t now_ns)
{
	const struct km_calibration *c = row;

	(void)now_ns;
	return c->failures || c->version;
}

static bool sum_valid(float part, float whole)
{
	return part >= 0 && part <= whole * 1.001F + 0.001F && whole <= 1e9F;
}

bool km_calibration_valid(const void *row)
{
	const struct km_calibration *c = row;

	for (uint32_t h = 0; h < KM_HORIZONS; h++) {
		if (!sum_valid(c->brier_own[h], c->weight[h]) ||
		    !sum_valid(c->brier_shipped[h], c->weight[h]))
			return false;
		for (uint32_t k = 0; k < KM_FUSE_KINDS; k++)
			for (uint32_t i = 0; i < KM_FUSE_BINS; i++)
				if (!sum_valid(c->bin[h][k][i].failures, c->bin[h][k][i].outcomes))
					return false;
	}
	return c->key == 1 && c->in_use <= 1;
}
