// SPDX-License-Identifier: Apache-2.0
/* "verify": what must hold afterwards, and within when. There is no rule without it. */
#include "match/compile.h"

/* A verdict that takes longer than a day is none. */
#define VERIFY_MAX_NS (24ULL * 3600 * KM_NS_PER_S)
#define VERIFY_MIN_NS (100 * KM_NS_PER_MS)

struct verify {
	uint64_t within_ns;
	const cJSON *that;
	bool not_measured;
};

static const struct km_json_field verify_fields[] = {
	{ "within", KM_JSON_DURATION, false, .offset = offsetof(struct verify, within_ns),
	  .min = VERIFY_MIN_NS, .max = VERIFY_MAX_NS },
	{ "that", KM_JSON_OBJECT, false, .offset = offsetof(struct verify, that) },
	{ "not_measured", KM_JSON_BOOL, false, .offset = offsetof(struct verify, not_measured) },
	{ 0 }
};

struct that {
	bool up, healthy, forecast_gone, no_end, endpoint;
	uint64_t up_for_ns;
	const cJSON *below;
};

static const struct km_json_field that_fields[] = {
	{ "up", KM_JSON_BOOL, false, .offset = offsetof(struct that, up) },
	{ "healthy", KM_JSON_BOOL, false, .offset = offsetof(struct that, healthy) },
	{ "up_for", KM_JSON_DURATION, false, .offset = offsetof(struct that, up_for_ns),
	  .min = KM_NS_PER_MS, .max = VERIFY_MAX_NS },
	{ "forecast_gone", KM_JSON_BOOL, false, .offset = offsetof(struct that, forecast_gone) },
	{ "no_end", KM_JSON_BOOL, false, .offset = offsetof(struct that, no_end) },
	{ "endpoint_answers", KM_JSON_BOOL, false, .offset = offsetof(struct that, endpoint) },
	{ "below", KM_JSON_OBJECT, false, .offset = offsetof(struct that, below) },
	{ 0 }
};

struct below {
	int resource;
	double share;
};

static const struct km_json_field below_fields[] = {
	{ "resource", KM_JSON_ENUM, true, .offset = offsetof(struct below, resource),
	  .names = km_resource_names },
	{ "share", KM_JSON_SHARE, true, .offset = offsetof(struct below, share) },
	{ 0 }
};

static int read_below(struct km_compile *c, const cJSON *node)
{
	struct below b = { 0 };
	int r = km_json_read(c->doc, node, below_fields, &b, c->err);

	if (r < 0)
		return r;
	if (b.share <= 0)
		return km_json_fail(c->doc, node, c->err, "like \"50%\"", "no level is below 0 %%");
	if (km_compile_resource(c, cJSON_GetObjectItemCaseSensitive(node, "resource"), b.resource) <
	    0)
		return -EBADMSG;
	c->rule.verify.below_resource = b.resource;
	c->rule.verify.below = b.share;
	return 0;
}

/* A condition that is written down is asked for: false would read as its opposite. */
static int refuse_false(struct km_compile *c, const cJSON *obj)
{
	const cJSON *node;

	cJSON_ArrayForEach(node, obj)
	{
		if (cJSON_IsFalse(node))
			return km_json_fail(c->doc, node, c->err, "write true or remove it",
			                    "\"%s\" can only be asked for", node->string);
	}
	return 0;
}

static bool stops(const struct km_rule *rule)
{
	for (unsigned int i = 0; i < rule->steps; i++)
		if (rule->plan[i].verb == KM_STOP)
			return true;
	return false;
}

/* What no outcome could ever satisfy. */
static int refuse_impossible(struct km_compile *c, const cJSON *obj)
{
	const struct km_verify_spec *v = &c->rule.verify;
	const cJSON *gone = cJSON_GetObjectItemCaseSensitive(obj, "forecast_gone");

	if (v->forecast_gone && !km_cond_has(c->rule.when, KM_COND_FORECAST))
		return km_json_fail(c->doc, gone, c->err, "remove it, or ask for what is measured",
		                    "no forecast in \"when\" could be gone");
	if (v->up && stops(&c->rule))
		return km_json_fail(c->doc, obj, c->err, "use {\"not_measured\": true}",
		                    "a service that the plan stops is not up");
	return 0;
}

static int read_that(struct km_compile *c, const cJSON *obj)
{
	struct km_verify_spec *v = &c->rule.verify;
	struct that t = { 0 };
	int r = km_json_read(c->doc, obj, that_fields, &t, c->err);

	if (r >= 0)
		r = refuse_false(c, obj);
	if (r >= 0 && t.below)
		r = read_below(c, t.below);
	if (r < 0)
		return r;
	v->up = t.up || t.up_for_ns;
	v->up_for_ns = t.up_for_ns;
	v->forecast_gone = t.forecast_gone;
	v->no_end = t.no_end;
	v->endpoint = t.endpoint;
	v->healthy = t.healthy;
	if (!obj->child)
		return km_json_fail(c->doc, obj, c->err, "like {\"up\": true}",
		                    "nothing is asked for, every repair would have helped");
	return refuse_impossible(c, obj);
}

int km_compile_verify(struct km_compile *c, const cJSON *node)
{
	static const char *const forms = "{\"within\": ..., \"that\": {...}} or "
					 "{\"not_measured\": true}";
	struct verify v = { 0 };
	int r = km_json_read(c->doc, node, verify_fields, &v, c->err);

	if (r >= 0)
		r = refuse_false(c, node);
	if (r < 0)
		return r;
	c->rule.verify.below_resource = KM_RESOURCE_MAX;
	c->rule.verify.within_ns = v.within_ns;
	c->rule.verify.none = v.not_measured;
	if (v.not_measured && node->child->next)
		return km_json_fail(c->doc, node->child->next, c->err, forms,
		                    "what is not measured has no condition");
	if (v.not_measured)
		return 0;
	if (!v.that)
		return km_json_fail(c->doc, node, c->err, forms, "\"verify\" says no \"that\"");
	if (!v.within_ns)
		return km_json_fail(c->doc, node, c->err, forms, "\"verify\" says no \"within\"");
	return read_that(c, v.that);
}
