// SPDX-License-Identifier: Apache-2.0
/* The condition "endpoint": what is true of one of a service's endpoints, all of it of the same
 * one. */
#include <stdio.h>

#include "base/peer.h"
#include "base/text.h"
#include "match/compile.h"
#include "match/truth.h"

struct leaf {
	int primary, standby, traffic, forecast;
	double probability;
	char name[KM_BY_MAX];
	uint64_t for_ns;
};

#define LEAF(member) .offset = offsetof(struct leaf, member)

/* [0] of health is "unknown": what is not measured is no condition. */
static const struct km_json_field fields[] = {
	{ "name", KM_JSON_STRING, false, LEAF(name), .size = KM_BY_MAX },
	{ "primary", KM_JSON_ENUM, false, LEAF(primary), .names = km_place_health_names + 1 },
	{ "standby", KM_JSON_ENUM, false, LEAF(standby), .names = km_place_health_names + 1 },
	{ "traffic", KM_JSON_ENUM, false, LEAF(traffic), .names = km_traffic_names },
	{ "forecast", KM_JSON_ENUM, false, LEAF(forecast), .names = km_forecast_kind_names },
	{ "probability", KM_JSON_SHARE, false, LEAF(probability) },
	{ "for", KM_JSON_DURATION, false, LEAF(for_ns), .min = KM_NS_PER_MS,
	  .max = KM_WITHIN_MAX_NS },
	{ 0 }
};

static const cJSON *member(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

/* Of names as the configuration has them. */
static bool is_glob(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-*?";

	return *s && !s[strspn(s, allowed)];
}

static int check(struct km_compile *c, const cJSON *obj, const struct leaf *l)
{
	const cJSON *forecast = member(obj, "forecast"), *p = member(obj, "probability");

	if (!member(obj, "primary") && !member(obj, "standby") && !member(obj, "traffic") &&
	    !forecast)
		return km_json_fail(c->doc, obj, c->err, "add \"primary\": \"unhealthy\"",
		                    "nothing is asked of the endpoint");
	if (!forecast != !p)
		return km_json_fail(c->doc, p ?: forecast, c->err,
		                    "\"forecast\" and \"probability\" go together",
		                    "a forecast needs both its kind and how sure it is");
	if (p && l->probability <= 0)
		return km_json_fail(c->doc, p, c->err, "like \"50%\"",
		                    "a probability of 0 is reached by every forecast");
	if (forecast && l->forecast != KM_DEPENDENCY && l->forecast != KM_DEGRADATION)
		return km_json_fail(c->doc, forecast, c->err, "dependency or degradation",
		                    "no such thing is forecast of an endpoint");
	if (l->for_ns && l->primary < 0 && l->standby < 0 && l->traffic < 0)
		return km_json_fail(c->doc, member(obj, "for"), c->err, "remove it",
		                    "how long a forecast stands is not known");
	if (member(obj, "name") && !is_glob(l->name))
		return km_json_fail(c->doc, member(obj, "name"), c->err, NULL,
		                    "no endpoint has such a name");
	return 0;
}

int km_compile_endpoint(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { .primary = -1, .standby = -1, .traffic = -1 };
	int r = km_json_read(c->doc, obj, fields, &l, c->err);

	if (r == 0)
		r = check(c, obj, &l);
	if (r < 0)
		return r;
	ret->op = KM_COND_ENDPOINT;
	memcpy(ret->by, l.name, sizeof(ret->by));
	ret->primary = l.primary + 1;
	ret->standby = l.standby + 1;
	ret->traffic = l.traffic + 1;
	ret->forecast_kind = l.forecast;
	ret->p = l.probability;
	ret->resource = KM_RESOURCE_MAX;
	ret->for_ns = l.for_ns;
	return 0;
}

static enum km_truth truth(bool b)
{
	return b ? KM_TRUE : KM_FALSE;
}

static enum km_truth both(enum km_truth a, enum km_truth b)
{
	if (a == KM_FALSE || b == KM_FALSE)
		return KM_FALSE;
	return a == KM_TRUE ? b : a;
}

/* Something is so since T_NS. */
static enum km_truth lasts(const struct km_cond *c, const struct km_match_input *in, uint64_t t_ns)
{
	return truth(in->now_ns >= t_ns && in->now_ns - t_ns >= c->for_ns);
}

static enum km_truth of_place(const struct km_cond *c, const struct km_match_input *in,
                              const struct km_place_state *p, int asked)
{
	if (!asked)
		return KM_TRUE;
	if (p->health == KM_PLACE_UNKNOWN)
		return KM_NOT_MEASURED;
	return (int)p->health == asked ? lasts(c, in, p->health_ns) : KM_FALSE;
}

static enum km_truth of_traffic(const struct km_cond *c, const struct km_match_input *in,
                                const struct km_endpoint_state *e)
{
	if (!c->traffic)
		return KM_TRUE;
	if (!e->said)
		return KM_NOT_MEASURED;
	return (int)km_endpoint_traffic(e) + 1 == c->traffic ? lasts(c, in, e->traffic_ns)
	                                                     : KM_FALSE;
}

static enum km_truth of_forecast(const struct km_cond *c, const struct km_match_input *in,
                                 const struct km_endpoint *def)
{
	char name[KM_NAME_MAX + KM_PEER_TEXT + 1], address[KM_PEER_TEXT];
	const struct km_forecast *f;
	const struct km_service *s;

	if (!(c->p > 0))
		return KM_TRUE;
	km_peer_text(&def->place[0].address, address);
	snprintf(name, sizeof(name), "%s>%s", in->service->name, address);
	s = km_attribute_service_by_name(in->attribute, name);
	f = s && in->predict
	            ? km_predict_get(in->predict, s->id, (enum km_forecast_kind)c->forecast_kind,
	                             KM_RESOURCE_MAX)
	            : NULL;
	if (!f || f->why == KM_WHY_NOT_MEASURED)
		return KM_NOT_MEASURED;
	return truth(f->why == KM_WHY_NONE && f->p >= c->p);
}

static enum km_truth of_one(const struct km_cond *c, const struct km_match_input *in,
                            const struct km_endpoint *def)
{
	const struct km_endpoint_state *e =
		km_attribute_endpoint(in->attribute, in->service->id, def->name);
	enum km_truth all;

	if (!e)
		return KM_NOT_MEASURED;
	all = both(of_place(c, in, &e->place[0], c->primary), of_traffic(c, in, e));
	/* The one in use: of others nobody asks. */
	if (c->standby)
		all = both(all, e->standby ? of_place(c, in, &e->place[e->standby], c->standby)
		                           : KM_FALSE);
	return both(all, of_forecast(c, in, def));
}

enum km_truth km_truth_of_endpoint(const struct km_cond *c, const struct km_match_input *in,
                                   const char **ret_name)
{
	enum km_truth any = KM_FALSE;

	*ret_name = NULL;
	if (!in->attribute)
		return KM_NOT_MEASURED;
	for (size_t i = 0; in->def && i < in->def->endpoint_count; i++) {
		const struct km_endpoint *def = &in->def->endpoints[i];
		enum km_truth one;

		if (c->by[0] && !km_glob(c->by, def->name))
			continue;
		one = of_one(c, in, def);
		if (one == KM_TRUE) {
			*ret_name = def->name;
			return one;
		}
		if (one == KM_NOT_MEASURED)
			any = one;
	}
	return any;
}
