// SPDX-License-Identifier: Apache-2.0
/* What is learnt of a service, tick by tick; and the two predictors that only read it out. */
#include <math.h>

#include "predict/internal.h"

/* Ticks further apart than this count as so far: a pause is no evidence. */
#define ELAPSED_MAX_S 60.0
/* Two looks at one moment, a tick and an event, are one. */
#define APART_NS (KM_NS_PER_S / 10)
/* Less than this is not said. */
#define FAILURE_MIN 0.05

/* A wrong answer is one: who fails its checks sooner than that does not hang. */
#define SILENT_NS (100 * KM_NS_PER_MS)

const enum km_sig km_watched[KM_W_MAX] = {
	[KM_W_CPU] = KM_SIG_SCHED_CPU,
	[KM_W_RUN_DELAY] = KM_SIG_SCHED_RUN_DELAY,
	[KM_W_INVOLUNTARY] = KM_SIG_SCHED_INVOLUNTARY,
	[KM_W_THREADS] = KM_SIG_THREADS,
	[KM_W_DESCRIPTORS] = KM_SIG_DESCRIPTORS,
	[KM_W_MEMORY_ANON] = KM_SIG_MEMORY_ANON,
	[KM_W_MEMORY_FILE] = KM_SIG_MEMORY_FILE,
	[KM_W_MEMORY_SWAP] = KM_SIG_MEMORY_SWAP,
	[KM_W_MAJOR_FAULTS] = KM_SIG_MAJOR_FAULTS,
	[KM_W_WRITTEN] = KM_SIG_WRITTEN,
	[KM_W_RETRANSMITS] = KM_SIG_RETRANSMITS,
	[KM_W_CONNECT_FAILURES] = KM_SIG_CONNECT_FAILURES,
	[KM_W_RESETS] = KM_SIG_RESETS,
	[KM_W_FORKS] = KM_SIG_FORKS,
	[KM_W_BLOCKED] = KM_SIG_SCHED_BLOCKED,
	[KM_W_PSI_IO] = KM_SIG_PSI_IO_SOME,
	[KM_W_STOPPED] = KM_SIG_SCHED_STOPPED,
	[KM_W_FROZEN] = KM_SIG_SCHED_FROZEN,
	[KM_W_THROTTLED] = KM_SIG_SCHED_THROTTLED,
	[KM_W_PEER_FAILURES] = KM_SIG_PEER_FAILURES,
	[KM_W_PEER_LATENCY] = KM_SIG_PEER_LATENCY,
	[KM_W_PEER_RETRANSMITS] = KM_SIG_PEER_RETRANSMITS,
	[KM_W_RETRANSMIT_SHARE] = KM_SIG_RETRANSMIT_SHARE,
};

static double queue_of(const struct km_predict_input *in)
{
	const struct km_features *f = in->features[KM_ACCEPT_QUEUE];

	return f && f->measured ? f->level : NAN;
}

void km_watch_tick(struct km_watch *w, const struct km_predict_input *in)
{
	struct km_watch_tick t = {
		.t_ns = in->now_ns,
		.value = in->values,
		.queue = queue_of(in),
		.silent = in->service->health == KM_UNHEALTHY && !w->depend.since_ns &&
		          in->service->latency_ns >= SILENT_NS,
	};

	if (w->t_ns && in->now_ns < w->t_ns + APART_NS)
		return;
	t.elapsed_s = w->t_ns ? (double)(in->now_ns - w->t_ns) / (double)KM_NS_PER_S : 1;
	t.elapsed_s = fmin(t.elapsed_s, ELAPSED_MAX_S);
	w->t_ns = in->now_ns;
	for (int i = 0; i < KM_W_ANOMALY_MAX; i++)
		km_anomaly_metric_add(&w->metric[i], in->values[i]);
	km_anomaly_judge(&w->anomaly, in->now_ns, in->wall_s, w->metric, KM_W_ANOMALY_MAX);
	km_hang_tick(&w->hang, &t);
	km_degrade_tick(&w->degrade, &t);
	km_depend_tick(&w->depend, &t);
}

bool km_watch_valid(const void *row)
{
	const struct km_watch *w = row;

	for (int i = 0; i < KM_W_ANOMALY_MAX; i++)
		if (!km_anomaly_metric_valid(&w->metric[i]))
			return false;
	return w->service_id && km_anomaly_valid(&w->anomaly, KM_W_ANOMALY_MAX) &&
	       km_hang_valid(&w->hang) && km_degrade_valid(&w->degrade) &&
	       km_depend_valid(&w->depend) && km_fuse_valid(&w->fuse);
}

bool km_watch_outlives(void *row, uint64_t now_ns)
{
	struct km_watch *w = row;

	(void)now_ns;
	w->t_ns = 0;
	km_anomaly_rests(&w->anomaly);
	for (int i = 0; i < KM_W_ANOMALY_MAX; i++)
		km_anomaly_metric_rests(&w->metric[i]);
	w->hang = (struct km_hang){ .usual_cpu = w->hang.usual_cpu, .samples = w->hang.samples };
	km_degrade_rests(&w->degrade);
	w->depend = (struct km_depend){ .usual = w->depend.usual, .known = w->depend.known };
	km_fuse_forget(&w->fuse);
	memset(w->none, 0, sizeof(w->none));
	return w->anomaly.samples > 0;
}

void km_watch_new_life(struct km_watch *w)
{
	w->hang.since_ns = 0;
	w->depend.since_ns = 0;
	w->depend.failed = 0;
}

static int anomaly(const struct km_predict_input *in, enum km_resource resource,
                   struct km_forecast *ret)
{
	const struct km_anomaly_verdict *v = &in->watch->anomaly.verdict;

	(void)resource;
	if (!v->alarm) {
		ret->why = !v->parts                         ? KM_WHY_NOT_MEASURED
		           : in->watch->anomaly.samples < 50 ? KM_WHY_TOO_SHORT
		                                             : KM_WHY_USUAL;
		return 0;
	}
	ret->parts = v->parts;
	for (uint32_t i = 0; i < v->parts; i++)
		ret->part[i] =
			(struct km_anomaly_part){ km_watched[v->part[i].metric], v->part[i].share };
	ret->p = v->score;
	return 1;
}

const struct km_predictor km_predictor_anomaly = {
	.name = "anomaly against its own past",
	.kind = KM_ANOMALY,
	.forecast = anomaly,
	.learns = true,
};

static int failure(const struct km_predict_input *in, enum km_resource resource,
                   struct km_forecast *ret)
{
	const struct km_fuse *f = &in->watch->fuse;
	const struct km_calibration *c = in->calibration;

	(void)resource;
	for (uint32_t h = 0; h < KM_HORIZONS; h++)
		ret->p_within[h] = km_predict_round(km_fuse_p(f, c, h));
	ret->calibrated = c->in_use;
	ret->p = km_fuse_p_to_act(f, c, KM_HORIZONS - 1);
	if (f->kept == 0 || ret->p < FAILURE_MIN) {
		ret->why = f->kept ? KM_WHY_USUAL : KM_WHY_TOO_SHORT;
		return 0;
	}
	ret->eta_hi_s = km_horizon_min[KM_HORIZONS - 1] * 60.0;
	ret->eta_s = ret->eta_hi_s;
	return 1;
}

const struct km_predictor km_predictor_failure = {
	.name = "failure by all forecasts together",
	.kind = KM_FAILURE,
	.forecast = failure,
	.learns = true,
};
