// SPDX-License-Identifier: Apache-2.0
/* The conditions that look at something, one reader each. */
#include "match/compile.h"

#include <stdio.h>

#include "base/catalogue.h"
#include "base/text.h"

const char *const km_end_how_names[KM_END_MAX + 1] = { "any",      "clean",    "failed",
	                                               "signaled", "outsider", "oom" };
const char *const km_cond_op_names[KM_COND_OP_MAX + 1] = {
	[KM_COND_ALL] = "all",           [KM_COND_ANY] = "any",
	[KM_COND_NOT] = "not",           [KM_COND_FORECAST] = "forecast",
	[KM_COND_EVENT] = "event",       [KM_COND_STATE] = "state",
	[KM_COND_LEVEL] = "level",       [KM_COND_INCIDENT] = "incident",
	[KM_COND_ENDPOINT] = "endpoint", [KM_COND_TEXT] = "text",
	[KM_COND_DEPLOYED] = "deployed",
};
const char *const km_incident_whose_names[KM_OF_MAX + 1] = { "service", "dependency" };

/* What the typed leaves are read into: positions are those of struct km_cond's own members or, for
 * what JSON and C hold in different widths, of this. */
struct leaf {
	int kind, resource, is, how, of;
	char signal[64];
	double probability;
	char by[KM_BY_MAX];
	const cJSON *above, *below, *until_below, *until_above;
	uint64_t within_ns, for_ns, count;
};

#define LEAF(member) .offset = offsetof(struct leaf, member)
#define WITHIN(required)                                                                       \
	{                                                                                      \
		"within", KM_JSON_DURATION, required, LEAF(within_ns), .min = KM_NS_PER_S,     \
								       .max = KM_WITHIN_MAX_NS \
	}
#define FOR                                                                           \
	{                                                                             \
		"for", KM_JSON_DURATION, false, LEAF(for_ns), .min = KM_NS_PER_MS,    \
							      .max = KM_WITHIN_MAX_NS \
	}

static const struct km_json_field forecast_fields[] = {
	{ "kind", KM_JSON_ENUM, true, LEAF(kind), .names = km_forecast_kind_names },
	{ "resource", KM_JSON_ENUM, false, LEAF(resource), .names = km_resource_names },
	{ "probability", KM_JSON_SHARE, true, LEAF(probability) },
	WITHIN(false),
	FOR,
	{ 0 }
};

static const struct km_json_field event_fields[] = {
	/* [0] of the names is "none", which is not for rules */
	{ "is", KM_JSON_ENUM, true, LEAF(is), .names = km_event_names + 1 },
	{ "how", KM_JSON_ENUM, false, LEAF(how), .names = km_end_how_names },
	{ "by", KM_JSON_STRING, false, LEAF(by), .size = KM_BY_MAX },
	{ "count", KM_JSON_COUNT, false, LEAF(count), .min = 1, .max = KM_EVENTS_MAX },
	WITHIN(false),
	{ 0 }
};

const char *const km_cond_state_names[KM_COND_STATE_MAX] = { "up", "down", "healthy", "unhealthy" };

static const struct km_json_field state_fields[] = {
	/* [0] is "unknown": what is not measured is no condition */
	{ "is", KM_JSON_ENUM, true, LEAF(is), .names = km_cond_state_names },
	FOR,
	{ 0 }
};

/* Whose it is: that of what the rule speaks about, or of its host. */
static const char *const level_of[] = { "self", "host", NULL };

static const struct km_json_field level_fields[] = {
	{ "resource", KM_JSON_ENUM, false, LEAF(resource), .names = km_resource_names },
	{ "signal", KM_JSON_STRING, false, LEAF(signal), .size = 64 },
	{ "of", KM_JSON_ENUM, false, LEAF(of), .names = level_of },
	{ "above", KM_JSON_NODE, false, LEAF(above) },
	{ "below", KM_JSON_NODE, false, LEAF(below) },
	{ "until_below", KM_JSON_NODE, false, LEAF(until_below) },
	{ "until_above", KM_JSON_NODE, false, LEAF(until_above) },
	FOR,
	{ 0 }
};

static const struct km_json_field incident_fields[] = {
	{ "of", KM_JSON_ENUM, true, LEAF(of), .names = km_incident_whose_names }, FOR, { 0 }
};

static const struct km_json_field deployed_fields[] = { WITHIN(true), { 0 } };

static const cJSON *member(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static int read_forecast(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { .resource = KM_RESOURCE_MAX };
	int r = km_json_read(c->doc, obj, forecast_fields, &l, c->err);

	if (r < 0)
		return r;
	if (l.probability <= 0)
		return km_json_fail(c->doc, member(obj, "probability"), c->err, "like \"50%\"",
		                    "a probability of 0 is reached by every forecast");
	if (l.kind == KM_EXHAUSTION && l.resource == KM_RESOURCE_MAX)
		return km_json_fail(c->doc, obj, c->err, "add \"resource\": \"memory\"",
		                    "an exhaustion needs \"resource\"");
	if (l.kind == KM_EXHAUSTION && !l.within_ns)
		return km_json_fail(c->doc, obj, c->err, "add \"within\": \"30m\"",
		                    "an exhaustion needs \"within\"");
	if (l.kind != KM_EXHAUSTION && l.resource != KM_RESOURCE_MAX)
		return km_json_fail(c->doc, member(obj, "resource"), c->err, "remove it",
		                    "only an exhaustion has a \"resource\"");
	if (l.resource != KM_RESOURCE_MAX &&
	    km_compile_resource(c, member(obj, "resource"), l.resource) < 0)
		return -EBADMSG;
	ret->op = KM_COND_FORECAST;
	ret->forecast_kind = l.kind;
	ret->resource = l.resource;
	ret->p = l.probability;
	ret->within_ns = l.within_ns;
	ret->for_ns = l.for_ns;
	return 0;
}

static bool is_printable(const char *s)
{
	size_t n = 0;

	while (s[n] >= ' ' && s[n] <= '~')
		n++;
	return n && !s[n];
}

/* Somebody sent a signal only where one was sent. */
static int check_by(struct km_compile *c, const cJSON *obj, const struct leaf *l)
{
	const cJSON *by = member(obj, "by");
	bool ended = l->is + 1 == KM_EV_ENDED &&
	             (l->how == KM_END_SIGNALED || l->how == KM_END_OUTSIDER);

	if (!by)
		return 0;
	if (!is_printable(l->by))
		return km_json_fail(c->doc, by, c->err, "like \"pkill\"",
		                    "\"by\" is empty, or not plain text");
	if (!ended && l->is + 1 != KM_EV_SIGNALED)
		return km_json_fail(c->doc, by, c->err,
		                    "with \"signaled\", or \"ended\" and \"how\": \"outsider\"",
		                    "nobody sent a signal here");
	return 0;
}

static int read_event(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { .count = 1 };
	int r = km_json_read(c->doc, obj, event_fields, &l, c->err);

	if (r < 0)
		return r;
	if (member(obj, "how") && l.is + 1 != KM_EV_ENDED)
		return km_json_fail(c->doc, member(obj, "how"), c->err, "remove it",
		                    "only the event \"ended\" has a \"how\"");
	r = check_by(c, obj, &l);
	if (r < 0)
		return r;
	if (l.count > 1 && !l.within_ns)
		return km_json_fail(c->doc, member(obj, "count"), c->err, "add \"within\": \"1m\"",
		                    "a \"count\" needs \"within\"");
	if (l.count == 1 && l.within_ns)
		return km_json_fail(c->doc, member(obj, "within"), c->err,
		                    "add \"count\", 2 at least, or remove it",
		                    "one event has no \"within\"");
	ret->op = KM_COND_EVENT;
	ret->event = l.is + 1;
	ret->how = l.how;
	ret->count = (uint32_t)l.count;
	memcpy(ret->by, l.by, sizeof(ret->by));
	ret->within_ns = l.within_ns;
	return 0;
}

static int read_state(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { 0 };
	int r = km_json_read(c->doc, obj, state_fields, &l, c->err);

	if (r < 0)
		return r;
	ret->op = KM_COND_STATE;
	ret->state = l.is + 1;
	ret->for_ns = l.for_ns;
	return 0;
}

/* One bound, and the one behind which it is over; the other way round for "below". */
static int read_bounds(struct km_compile *c, const struct leaf *l, struct km_cond *ret)
{
	const struct km_catalogue_row *row = &km_catalogue[ret->signal];
	const struct km_measured what = { row->unit, ret->resource != KM_RESOURCE_MAX };
	const cJSON *until = l->below ? l->until_above : l->until_below;
	struct km_quantity q = { 0 }, end = { -1, false };
	int r = km_compile_quantity(c, l->below ?: l->above, &what, &q);

	if (r == 0 && until)
		r = km_compile_quantity(c, until, &what, &end);
	if (r < 0)
		return r;
	ret->below = l->below;
	ret->above = q.value;
	ret->above_share = q.share;
	ret->until = end.value;
	ret->until_share = end.share;
	return 0;
}

static int check_bounds(struct km_compile *c, const cJSON *obj, const struct leaf *l)
{
	const cJSON *other = l->below ? l->until_below : l->until_above;

	if (l->above && l->below)
		return km_json_fail(c->doc, l->below, c->err, "two conditions in an \"all\"",
		                    "a level is compared with one value");
	if (!l->above && !l->below)
		return km_json_fail(c->doc, obj, c->err, "add \"above\": \"90%\"",
		                    "a level needs \"above\" or \"below\"");
	if (other)
		return km_json_fail(
			c->doc, other, c->err,
			"\"until_below\" with \"above\", \"until_above\" with \"below\"",
			"\"%s\" does not go with \"%s\"", other->string,
			l->below ? "below" : "above");
	return 0;
}

int km_compile_resource(struct km_compile *c, const cJSON *node, int resource)
{
	if (km_catalogue_of((enum km_resource)resource) != KM_SIG_MAX)
		return 0;
	return km_json_fail(c->doc, node, c->err, "see: kmend signal list",
	                    "nothing measures \"%s\" yet", km_resource_names[resource]);
}

static int find_signal(struct km_compile *c, const cJSON *node, const char *name, int *ret)
{
	const char *names[KM_SIG_MAX + 1] = { NULL }, *nearest;
	enum km_sig sig = km_catalogue_find(name);
	char remedy[128];

	*ret = (int)sig;
	if (sig < KM_SIG_MAX)
		return 0;
	for (int i = 0; i < KM_SIG_MAX; i++)
		names[i] = km_catalogue[i].name;
	nearest = km_text_nearest(name, names);
	snprintf(remedy, sizeof(remedy),
	         nearest ? "did you mean \"%s\"?" : "see: kmend signal list", nearest);
	return km_json_fail(c->doc, node, c->err, remedy, "no signal \"%s\" is in the catalogue",
	                    name);
}

/* What is compared: one thing under one of its two names. */
static int read_subject(struct km_compile *c, const cJSON *obj, const struct leaf *l,
                        struct km_cond *ret)
{
	const cJSON *signal = member(obj, "signal"), *resource = member(obj, "resource");

	if (signal && resource)
		return km_json_fail(c->doc, signal, c->err, "keep one of the two",
		                    "a level is a \"resource\" or a \"signal\"");
	if (!signal && !resource)
		return km_json_fail(c->doc, obj, c->err, "add \"resource\": \"memory\"",
		                    "a level needs \"resource\" or \"signal\"");
	ret->resource = l->resource;
	if (resource && km_compile_resource(c, resource, l->resource) < 0)
		return -EBADMSG;
	if (resource)
		ret->signal = (int)km_catalogue_of((enum km_resource)l->resource);
	else if (find_signal(c, signal, l->signal, &ret->signal) < 0)
		return -EBADMSG;
	else
		ret->resource = (int)km_catalogue[ret->signal].resource;
	ret->host = l->of == 1;
	return 0;
}

static int read_level(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { 0 };
	int r = km_json_read(c->doc, obj, level_fields, &l, c->err);

	if (r == 0)
		r = read_subject(c, obj, &l, ret);
	if (r == 0)
		r = check_bounds(c, obj, &l);
	if (r == 0)
		r = read_bounds(c, &l, ret);
	if (r < 0)
		return r;
	ret->op = KM_COND_LEVEL;
	ret->for_ns = l.for_ns;
	return 0;
}

static int read_incident(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { 0 };
	int r = km_json_read(c->doc, obj, incident_fields, &l, c->err);

	if (r < 0)
		return r;
	ret->op = KM_COND_INCIDENT;
	ret->of = l.of;
	ret->for_ns = l.for_ns;
	return 0;
}

static int read_deployed(struct km_compile *c, const cJSON *obj, struct km_cond *ret)
{
	struct leaf l = { 0 };
	int r = km_json_read(c->doc, obj, deployed_fields, &l, c->err);

	if (r < 0)
		return r;
	ret->op = KM_COND_DEPLOYED;
	ret->within_ns = l.within_ns;
	return 0;
}

static int (*const readers[KM_LEAF_MAX])(struct km_compile *c, const cJSON *obj,
                                         struct km_cond *ret) = {
	[KM_LEAF_FORECAST] = read_forecast, [KM_LEAF_EVENT] = read_event,
	[KM_LEAF_STATE] = read_state,       [KM_LEAF_LEVEL] = read_level,
	[KM_LEAF_INCIDENT] = read_incident, [KM_LEAF_ENDPOINT] = km_compile_endpoint,
	[KM_LEAF_TEXT] = km_compile_text,   [KM_LEAF_DEPLOYED] = read_deployed,
};

int km_compile_leaf(struct km_compile *c, enum km_leaf leaf, const cJSON *obj, struct km_cond *ret)
{
	return readers[leaf](c, obj, ret);
}
