// SPDX-License-Identifier: Apache-2.0
/* One condition at one moment. What is not measured is neither true nor false. */
#include "match/truth.h"

#include "match/pattern.h"

#include "base/text.h"

static enum km_truth truth(bool b)
{
	return b ? KM_TRUE : KM_FALSE;
}

const struct km_forecast *km_truth_forecast(const struct km_cond *c,
                                            const struct km_match_input *in)
{
	if (!in->predict)
		return NULL;
	return km_predict_get(in->predict, in->service->id, (enum km_forecast_kind)c->forecast_kind,
	                      (enum km_resource)c->resource);
}

/* A refusal is a plain no, unless the reason is that nothing was seen. */
static enum km_truth of_forecast(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_forecast *f = km_truth_forecast(c, in);
	double left_s;

	if (!f || f->why == KM_WHY_NOT_MEASURED)
		return KM_NOT_MEASURED;
	if (f->why != KM_WHY_NONE || f->p < c->p)
		return KM_FALSE;
	/* the forecast may be some passes old: what counts is how much time is left now */
	left_s = f->eta_s - (double)(in->now_ns - f->t_ns) / (double)KM_NS_PER_S;
	return truth(!c->within_ns || left_s <= (double)c->within_ns / (double)KM_NS_PER_S);
}

/* What has a limit comes from the features that are at hand; the rest, and what is the host's, from
 * phase 4. */
static struct km_glance read_level(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_features *f;
	const struct km_value *v;

	if (!c->host && c->resource != KM_RESOURCE_MAX) {
		f = in->features[c->resource];
		return f ? (struct km_glance){ f->measured, f->level, f->limit }
		         : (struct km_glance){ false };
	}
	if (!in->measure)
		return (struct km_glance){ false };
	v = km_measure_value(in->measure, c->host ? km_attribute_host_id() : in->service->id,
	                     (enum km_sig)c->signal);
	return v ? (struct km_glance){ v->measured, v->value, v->limit }
	         : (struct km_glance){ false };
}

/* Without a limit no level is near it, nor a share of it below: that is known, not unmeasured. */
static enum km_truth past(const struct km_cond *c, const struct km_glance *now, double bound,
                          bool share)
{
	if (!now->there)
		return KM_NOT_MEASURED;
	if (share && now->limit < 0)
		return KM_FALSE;
	if (share)
		bound *= now->limit;
	return truth(c->below ? now->level < bound : now->level > bound);
}

static enum km_truth of_level(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_glance now = read_level(c, in);

	return past(c, &now, c->above, c->above_share);
}

enum km_truth km_truth_still(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_glance now = read_level(c, in);

	return past(c, &now, c->until, c->until_share);
}

static enum km_truth of_incident(const struct km_cond *c, const struct km_match_input *in)
{
	if (!in->incident_open)
		return KM_NOT_MEASURED;
	return truth(in->incident_open(in, (enum km_incident_whose)c->of));
}

static enum km_truth of_health(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_service *s = in->service;
	enum km_health is = c->state == KM_IS_HEALTHY ? KM_HEALTHY : KM_UNHEALTHY;

	if (s->health == KM_HEALTH_UNKNOWN)
		return KM_NOT_MEASURED;
	if (s->health != is || in->now_ns < s->health_ns)
		return KM_FALSE;
	return truth(in->now_ns - s->health_ns >= c->for_ns);
}

static enum km_truth of_state(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_service *s = in->service;

	if (c->state >= KM_IS_HEALTHY)
		return of_health(c, in);
	if (s->state == KM_SERVICE_UNKNOWN)
		return KM_NOT_MEASURED;
	if ((int)s->state != c->state || in->now_ns < s->since_ns)
		return KM_FALSE;
	return truth(in->now_ns - s->since_ns >= c->for_ns);
}

static enum km_truth of_deploy(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_service *s = in->service;

	if (!s->images)
		return KM_NOT_MEASURED;
	if (!s->deployed_ns || in->now_ns < s->deployed_ns)
		return KM_FALSE;
	return truth(in->now_ns - s->deployed_ns <= c->within_ns);
}

enum km_truth km_truth_of(const struct km_cond *c, const struct km_match_input *in)
{
	switch (c->op) {
	case KM_COND_FORECAST:
		return of_forecast(c, in);
	case KM_COND_LEVEL:
		return of_level(c, in);
	case KM_COND_STATE:
		return of_state(c, in);
	case KM_COND_INCIDENT:
		return of_incident(c, in);
	case KM_COND_TEXT:
		return km_truth_of_text(c, in);
	case KM_COND_DEPLOYED:
		return of_deploy(c, in);
	case KM_COND_ENDPOINT:
		return km_truth_of_endpoint(c, in, &(const char *){ NULL });
	default:
		return KM_NOT_MEASURED;
	}
}

/* Sent by somebody who is neither the kernel's OOM killer, nor init, nor the service itself. Whom
 * kmend asked to end is not looked at here at all (ending.asked). */
static enum km_truth by_outsider(const struct km_match_input *in)
{
	const struct km_ending *e = &in->service->last;
	uint32_t signal = e->exit_code & 0x7f;

	if (!signal || e->oom)
		return KM_FALSE;
	/* another signal than the one it died of, or none: whose the fatal one was is not known */
	if (e->signal != signal || !e->sender_tgid)
		return KM_NOT_MEASURED;
	if (e->sender_tgid == 1 || e->sender_tgid == e->tgid)
		return KM_FALSE;
	return truth(!in->attribute ||
	             !km_attribute_owns(in->attribute, in->service, e->sender_tgid, 0));
}

static enum km_truth of_ending(enum km_end_how how, const struct km_match_input *in)
{
	const struct km_ending *e = &in->service->last;

	if (how == KM_END_ANY)
		return KM_TRUE;
	if (how == KM_END_OOM && e->oom)
		return KM_TRUE;
	if (!e->known)
		return KM_NOT_MEASURED;
	switch (how) {
	case KM_END_CLEAN:
		return truth(e->exit_code == 0);
	case KM_END_FAILED:
		return truth(!(e->exit_code & 0x7f) && e->exit_code);
	case KM_END_SIGNALED:
		return truth(e->exit_code & 0x7f);
	case KM_END_OUTSIDER:
		return by_outsider(in);
	default:
		return KM_FALSE;
	}
}

static enum km_truth of_sender(const char *glob, const struct km_ending *e)
{
	if (!glob[0])
		return KM_TRUE;
	return e->sender_tgid ? truth(km_glob(glob, e->sender_comm)) : KM_NOT_MEASURED;
}

/* Both must hold, as in an "all". */
static enum km_truth both(enum km_truth a, enum km_truth b)
{
	if (a == KM_FALSE || b == KM_FALSE)
		return KM_FALSE;
	return a == KM_TRUE ? b : a;
}

enum km_truth km_truth_of_event(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_ending *e = &in->service->last;

	if ((int)in->event != c->event)
		return KM_FALSE;
	if (in->event == KM_EV_SIGNALED)
		return of_sender(c->by, e);
	if (in->event != KM_EV_ENDED)
		return KM_TRUE;
	return e->asked ? KM_FALSE
	                : both(of_ending((enum km_end_how)c->how, in), of_sender(c->by, e));
}

static bool is_in_state(const struct km_cond *c, const struct km_service *s)
{
	if (c->state >= KM_IS_HEALTHY)
		return s->health == (c->state == KM_IS_HEALTHY ? KM_HEALTHY : KM_UNHEALTHY);
	return (int)s->state == c->state;
}

struct km_glance km_truth_glance(const struct km_cond *c, const struct km_match_input *in)
{
	const struct km_forecast *f;

	switch (c->op) {
	case KM_COND_LEVEL:
		return read_level(c, in);
	case KM_COND_FORECAST:
		f = km_truth_forecast(c, in);
		return f && f->why == KM_WHY_NONE ? (struct km_glance){ true, f->p, 0 }
		                                  : (struct km_glance){ false };
	case KM_COND_STATE:
		return (struct km_glance){ is_in_state(c, in->service), 0, 0 };
	case KM_COND_TEXT:
		return (struct km_glance){ in->def && in->def->check_count, 0, 0 };
	case KM_COND_DEPLOYED:
		return (struct km_glance){ in->service->deployed_ns, 0, 0 };
	case KM_COND_EVENT:
		return (struct km_glance){ (int)in->event == c->event, 0, 0 };
	case KM_COND_ENDPOINT:
		return (struct km_glance){ in->def && in->def->endpoint_count, 0, 0 };
	default:
		return (struct km_glance){ true, 0, 0 };
	}
}

bool km_truth_may(const struct km_cond *c, const struct km_glance *g)
{
	if (c->op == KM_COND_LEVEL)
		return past(c, g, c->above, c->above_share) == KM_TRUE;
	return g->there && (c->op != KM_COND_FORECAST || g->level >= c->p);
}
