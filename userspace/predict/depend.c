// SPDX-License-Identifier: Apache-2.0
/* What it needs does not answer: connections fail, more than they usually do, at once and not only
 * once. Of a service, and of each endpoint that is an entity of its own. */
#include <math.h>

#include "predict/internal.h"

/* So many failures make it sure enough to speak. */
#define FAILED_MIN 3.0
/* ... at so many times the usual rate at least. */
#define USUAL_FACTOR 5.0
/* The usual rate fades with an hour. */
#define USUAL_S 3600.0
/* Without a failure for so long it is over; so often some programs try again. */
#define QUIET_NS (30 * KM_NS_PER_S)
/* Connects without an answer that come within this time are one burst. */
#define BURST_NS (10 * KM_NS_PER_S)

void km_depend_tick(struct km_depend *d, const struct km_watch_tick *t)
{
	double own = t->value[KM_W_CONNECT_FAILURES], peer = t->value[KM_W_PEER_FAILURES];
	double rate = isnan(peer) ? own : peer, share = fmin(t->elapsed_s / USUAL_S, 1);

	d->peer = !isnan(peer);
	if (isnan(rate))
		rate = 0; /* no event of this kind was ever seen */
	else
		d->known = 1;
	if (rate > USUAL_FACTOR * (double)d->usual) {
		if (!d->since_ns)
			d->since_ns = t->t_ns;
		d->bad_ns = t->t_ns;
		d->failed += (float)(rate * t->elapsed_s);
	} else if (d->since_ns && t->t_ns - d->bad_ns >= QUIET_NS) {
		d->since_ns = 0;
		d->failed = 0;
	}
	d->usual += (float)(share * (rate - (double)d->usual));
}

/* While none was answered each of them is worth more than a rate: with the third one it is said,
 * not with the next tick. One SYN in a hundred lost does not come three times in a row. */
bool km_depend_unanswered(struct km_depend *d, uint64_t t_ns, uint32_t in_a_row)
{
	bool settled = d->since_ns && (double)d->failed >= FAILED_MIN;

	if (t_ns - d->burst_ns > BURST_NS) {
		d->burst_ns = t_ns;
		d->burst = 0;
	}
	d->burst += d->burst < UINT32_MAX;
	d->known = 1;
	if ((double)in_a_row < FAILED_MIN || (double)d->burst < FAILED_MIN ||
	    d->burst * (double)KM_NS_PER_S / (double)BURST_NS <= USUAL_FACTOR * (double)d->usual)
		return false;
	if (!d->since_ns)
		d->since_ns = d->burst_ns;
	d->bad_ns = t_ns;
	d->failed = fmaxf(d->failed, (float)d->burst);
	return !settled;
}

static int depend(const struct km_predict_input *in, enum km_resource resource,
                  struct km_forecast *ret)
{
	const struct km_depend *d = &in->watch->depend;

	(void)resource;
	if (!d->since_ns || (double)d->failed < FAILED_MIN) {
		ret->why = !d->known     ? KM_WHY_NOT_MEASURED
		           : d->since_ns ? KM_WHY_TOO_SHORT
		                         : KM_WHY_USUAL;
		return 0;
	}
	ret->span_ns = in->now_ns - d->since_ns;
	ret->level = (double)d->failed;
	ret->parts = 1;
	ret->part[0] =
		(struct km_anomaly_part){ d->peer ? KM_SIG_PEER_FAILURES : KM_SIG_CONNECT_FAILURES,
		                          1 };
	/* Laplace's rule: it failed so often in a row. */
	ret->p = ((double)d->failed + 1) / ((double)d->failed + 2);
	return 1;
}

bool km_depend_valid(const struct km_depend *d)
{
	return d->usual >= 0 && isfinite(d->usual) && d->failed >= 0 && isfinite(d->failed) &&
	       d->known <= 1 && d->peer <= 1;
}

const struct km_predictor km_predictor_depend = {
	.name = "dependency by failing connections",
	.kind = KM_DEPENDENCY,
	.forecast = depend,
	.learns = true,
};
