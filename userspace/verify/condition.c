/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule can ask of the time behind a repair. Nothing that was measured before the outcome
 * counts. */
#include "verify/internal.h"

bool km_verify_ended(const struct km_look *l, const struct km_service *s)
{
	return s->last.t_ns > l->acted_ns && !s->last.asked;
}

const struct km_features *km_verify_features(const struct km_look *l,
                                             const struct km_verify_input *in, uint32_t r)
{
	const struct km_features *f = r < KM_RESOURCE_MAX ? in->features[r] : NULL;

	return f && f->measured && f->t_ns >= l->since_ns ? f : NULL;
}

static bool asks_up(const struct km_verify_spec *spec)
{
	return spec->up || spec->up_for_ns;
}

static enum km_truth is_up(const struct km_verify_asked *a)
{
	const struct km_service *s = a->in->service;
	uint64_t since = s->since_ns > a->look->since_ns ? s->since_ns : a->look->since_ns;

	if (s->state == KM_SERVICE_UNKNOWN)
		return KM_NOT_MEASURED;
	if (s->state != KM_SERVICE_UP || a->in->now_ns < since)
		return KM_FALSE;
	return a->in->now_ns - since >= a->spec->up_for_ns ? KM_TRUE : KM_FALSE;
}

static bool asks_no_end(const struct km_verify_spec *spec)
{
	return spec->no_end;
}

/* Without a time to be up for, only the end of the time that is looked at can tell. */
static enum km_truth no_end(const struct km_verify_asked *a)
{
	if (km_verify_ended(a->look, a->in->service))
		return KM_FALSE;
	if (a->spec->up_for_ns || a->in->now_ns >= a->look->deadline_ns)
		return KM_TRUE;
	return KM_NOT_MEASURED;
}

static bool asks_healthy(const struct km_verify_spec *spec)
{
	return spec->healthy;
}

/* Only results since the outcome count: a start has made the old ones unknown. */
static enum km_truth is_healthy(const struct km_verify_asked *a)
{
	const struct km_service *s = a->in->service;

	if (s->health == KM_HEALTH_UNKNOWN)
		return KM_NOT_MEASURED;
	return s->health == KM_HEALTHY ? KM_TRUE : KM_FALSE;
}

bool km_verify_undone(const struct km_look *l, const struct km_verify_input *in)
{
	const struct km_endpoint_state *e =
		l->over && in->attribute
			? km_attribute_endpoint(in->attribute, l->service_id, l->endpoint)
			: NULL;

	return e && e->said && km_endpoint_traffic(e) == KM_TO_PRIMARY;
}

static bool asks_endpoint(const struct km_verify_spec *spec)
{
	return spec->endpoint;
}

/* Where most of its connections go now, or of a share that returns those that do. */
static enum km_truth endpoint_answers(const struct km_verify_asked *a)
{
	const struct km_endpoint_state *e =
		a->in->attribute ? km_attribute_endpoint(a->in->attribute, a->look->service_id,
	                                                 a->look->endpoint)
				 : NULL;
	const struct km_place_state *p;

	if (!e)
		return KM_NOT_MEASURED;
	p = &e->place[km_endpoint_traffic(e) == KM_TO_STANDBY ? e->standby : 0];
	if (p->health == KM_PLACE_UNHEALTHY)
		return KM_FALSE;
	return p->good_ns > a->look->since_ns ? KM_TRUE : KM_NOT_MEASURED;
}

static bool asks_forecast(const struct km_verify_spec *spec)
{
	return spec->forecast_gone;
}

static enum km_truth forecast_gone(const struct km_verify_asked *a)
{
	const struct km_forecast *f;

	if (a->look->kind >= KM_FORECAST_KIND_MAX || !a->in->predict)
		return KM_NOT_MEASURED;
	f = km_predict_get(a->in->predict, a->look->service_id, a->look->kind, a->look->resource);
	/* Forgotten with the life it was about. */
	if (!f)
		return KM_TRUE;
	if (f->t_ns < a->look->since_ns)
		return KM_NOT_MEASURED;
	return f->why == KM_WHY_NONE ? KM_FALSE : KM_TRUE;
}

static bool asks_below(const struct km_verify_spec *spec)
{
	return spec->below_resource >= 0 && spec->below_resource < KM_RESOURCE_MAX;
}

static enum km_truth is_below(const struct km_verify_asked *a)
{
	const struct km_features *f = km_verify_features(a->look, a->in, a->spec->below_resource);

	if (!f || !(f->limit > 0))
		return KM_NOT_MEASURED;
	return f->level < a->spec->below * f->limit ? KM_TRUE : KM_FALSE;
}

const struct km_condition km_verify_conditions[KM_VERIFY_CONDITIONS] = {
	{ "up", asks_up, is_up },
	{ "healthy", asks_healthy, is_healthy },
	{ "endpoint answers", asks_endpoint, endpoint_answers },
	{ "no end", asks_no_end, no_end },
	{ "forecast gone", asks_forecast, forecast_gone },
	{ "level below", asks_below, is_below },
};
