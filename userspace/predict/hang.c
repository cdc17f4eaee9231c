// SPDX-License-Identifier: Apache-2.0
/* Alive, wanted, and nothing moves. Wanted: connections wait to be accepted and none is, threads
 * are stuck in the kernel, or its health checks get no answer. Told apart from a service that
 * others keep from running: it waits for a CPU, its quota is used up, somebody froze or stopped it,
 * what it needs does not answer. An idle service is none of these. */
#include <math.h>

#include "predict/internal.h"

/* Less than this share of what it uses at work, or so many us/s, is no progress. */
#define IDLE_SHARE 0.02
#define IDLE_US    1000.0
/* A runtime has housekeeping: less than this of who fails its health checks is none either. */
#define SILENT_SHARE 0.5
/* What it uses at work is known after so many samples above IDLE_US. */
#define WORK_SAMPLES 30
#define WORK_WEIGHT  300.0
/* A tenth of a second each second, ready to run without a CPU or out of quota. */
#define STARVED_US 100000.0
/* Who answers nobody for so long would have to wait most of the time, not only now and then. */
#define SILENT_STARVED_US 500000.0
/* ... and who runs for so many times what it uses at work does not wait. */
#define BUSY_FACTOR 2.0
/* So long without progress is a hang; as much again, and it is as likely as three to one. */
#define HANG_NS (10 * KM_NS_PER_S)

/* What is not measured is not zero: it is no evidence. */
static bool above(double x, double least)
{
	return !isnan(x) && x > least;
}

/* Who gets more than usual is not starved, however much more it asks for: a loop does. */
static bool busy(const struct km_hang *h, const double *v)
{
	return h->samples >= WORK_SAMPLES && above(v[KM_W_CPU], BUSY_FACTOR * (double)h->usual_cpu);
}

static bool kept_from_running(const struct km_hang *h, const struct km_watch_tick *t)
{
	const double *v = t->value, starved_us = t->silent ? SILENT_STARVED_US : STARVED_US;

	return (above(v[KM_W_RUN_DELAY], starved_us) && !busy(h, v)) ||
	       above(v[KM_W_THROTTLED], STARVED_US) || above(v[KM_W_FROZEN], 0) ||
	       above(v[KM_W_STOPPED], 0);
}

/* Connections wait, and not fewer than before. */
static bool queues(const struct km_hang *h, const struct km_watch_tick *t)
{
	return above(t->queue, 0) && t->queue >= h->queue;
}

static bool wanted(const struct km_hang *h, const struct km_watch_tick *t)
{
	return above(t->value[KM_W_BLOCKED], 0) || queues(h, t) || t->silent;
}

/* Busy, but it accepts nobody and answers nobody: a loop without an end is no progress. */
static bool moves(const struct km_hang *h, const struct km_watch_tick *t)
{
	double cpu = t->value[KM_W_CPU], share = t->silent ? SILENT_SHARE : IDLE_SHARE;

	if (isnan(cpu) || h->samples < WORK_SAMPLES)
		return true;
	return cpu > fmax(IDLE_US, share * (double)h->usual_cpu) && !(t->silent && queues(h, t));
}

static void learn_work(struct km_hang *h, double cpu)
{
	if (!above(cpu, IDLE_US))
		return;
	h->samples += h->samples < UINT32_MAX;
	h->usual_cpu += (float)((cpu - (double)h->usual_cpu) / fmin(h->samples, WORK_WEIGHT));
}

void km_hang_tick(struct km_hang *h, const struct km_watch_tick *t)
{
	double cpu = t->value[KM_W_CPU];

	h->starved = kept_from_running(h, t);
	h->known = !isnan(cpu) && h->samples >= WORK_SAMPLES;
	if (moves(h, t) || !wanted(h, t))
		h->since_ns = 0;
	else if (!h->since_ns)
		h->since_ns = h->starved ? 0 : t->t_ns;
	else if (h->starved) /* that time proves nothing, and does not disprove the rest */
		h->since_ns += (uint64_t)(t->elapsed_s * (double)KM_NS_PER_S);
	h->queue = isnan(t->queue) ? 0 : t->queue;
	if (!t->silent)
		learn_work(h, cpu);
}

static int hang(const struct km_predict_input *in, enum km_resource resource,
                struct km_forecast *ret)
{
	const struct km_hang *h = &in->watch->hang;
	uint64_t lasted_ns = h->since_ns ? in->now_ns - h->since_ns : 0;

	(void)resource;
	if (in->service->state != KM_SERVICE_UP || lasted_ns < HANG_NS) {
		ret->why = !h->known     ? KM_WHY_NOT_MEASURED
		           : h->starved  ? KM_WHY_STARVED
		           : h->since_ns ? KM_WHY_TOO_SHORT
		                         : KM_WHY_USUAL;
		return 0;
	}
	ret->span_ns = lasted_ns;
	ret->level = h->queue;
	ret->p = (double)lasted_ns / (double)(lasted_ns + HANG_NS);
	return 1;
}

bool km_hang_valid(const struct km_hang *h)
{
	return h->queue >= 0 && isfinite(h->queue) && h->usual_cpu >= 0 && isfinite(h->usual_cpu) &&
	       h->starved <= 1 && h->known <= 1;
}

const struct km_predictor km_predictor_hang = {
	.name = "hang: wanted, without progress and not starved",
	.kind = KM_HANG,
	.forecast = hang,
	.learns = true,
};
