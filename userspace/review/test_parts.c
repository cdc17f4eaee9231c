// SPDX-License-Identifier: Apache-2.0
/* A test file: series, events, expectations. */
#include <signal.h>

#include "review/test_read.h"

#define REPEAT_MAX      100000
#define TIME_MAX_NS     (KM_TEST_PASSES_MAX * KM_NS_PER_S)
#define EVENT_COUNT_MAX 10000
#define NEAR_NS         KM_NS_PER_S

static const char *const event_names[KM_TE_MAX + 1] = {
	[KM_TE_STARTED] = "started",
	[KM_TE_ENDED] = "ended",
	[KM_TE_OOM] = "oom",
	[KM_TE_SIGNALED] = "signaled",
	[KM_TE_LOSS] = "loss",
	[KM_TE_CONNECT_FAILED] = "connect_failed",
	[KM_TE_APPROVE] = "approve",
	[KM_TE_DENY] = "deny",
	[KM_TE_HEALTHY] = "healthy",
	[KM_TE_UNHEALTHY] = "unhealthy",
	[KM_TE_DEPLOYED] = "deployed",
	[KM_TE_ENDPOINT_FAILS] = "endpoint_fails",
	[KM_TE_ENDPOINT_ANSWERS] = "endpoint_answers",
	[KM_TE_ENDPOINT_TRAFFIC] = "endpoint_traffic",
	[KM_TE_ENDPOINT_CHECKED] = "endpoint_checked",
};

static const struct {
	const char *name;
	uint32_t signal;
} signals[] = {
	{ "SIGHUP", SIGHUP },   { "SIGINT", SIGINT },   { "SIGQUIT", SIGQUIT },
	{ "SIGILL", SIGILL },   { "SIGABRT", SIGABRT }, { "SIGBUS", SIGBUS },
	{ "SIGFPE", SIGFPE },   { "SIGKILL", SIGKILL }, { "SIGSEGV", SIGSEGV },
	{ "SIGTERM", SIGTERM },
};

struct series_parts {
	char of[64];
	char service[KM_NAME_MAX], entity[KM_NAME_MAX];
	const cJSON *limit, *levels, *noise;
	uint64_t begin_ns, repeat, seed;
	bool again;
};

#define SERIES(member) .offset = offsetof(struct series_parts, member)

static const struct km_json_field series_fields[] = {
	{ "of", KM_JSON_STRING, true, SERIES(of), .size = 64 },
	{ "service", KM_JSON_STRING, false, SERIES(service), .size = KM_NAME_MAX },
	{ "entity", KM_JSON_STRING, false, SERIES(entity), .size = KM_NAME_MAX },
	{ "limit", KM_JSON_NODE, false, SERIES(limit) },
	{ "levels", KM_JSON_ARRAY, true, SERIES(levels) },
	{ "begin", KM_JSON_DURATION, false, SERIES(begin_ns), .max = TIME_MAX_NS },
	{ "repeat", KM_JSON_COUNT, false, SERIES(repeat), .min = 1, .max = REPEAT_MAX },
	{ "noise", KM_JSON_NODE, false, SERIES(noise) },
	{ "seed", KM_JSON_COUNT, false, SERIES(seed) },
	{ "again", KM_JSON_BOOL, false, SERIES(again) },
	{ 0 }
};

/* A number or a text with a unit, no share. */
static int read_value(const struct km_test_reading *r, const cJSON *node, uint64_t *ret)
{
	bool share = false;
	double v = -1;

	if (cJSON_IsNumber(node) && node->valuedouble >= 0 && node->valuedouble <= 1e15)
		v = node->valuedouble;
	else if (!cJSON_IsString(node) ||
	         km_course_value(cJSON_GetStringValue(node), &v, &share) < 0 || share)
		return km_json_fail(r->doc, node, r->err, "like 1024 or \"512MiB\"", "not a level");
	*ret = (uint64_t)v;
	return 0;
}

static int read_pieces(const struct km_test_reading *r, const cJSON *array, struct km_course *c)
{
	const cJSON *node;

	if (!cJSON_GetArraySize(array) || cJSON_GetArraySize(array) > KM_PIECES_MAX)
		return km_json_fail(r->doc, array, r->err, NULL, "a series has 1 to %d pieces",
		                    KM_PIECES_MAX);
	cJSON_ArrayForEach(node, array)
	{
		struct km_piece *p = &c->piece[c->count++];

		if (!cJSON_IsString(node) || km_course_piece(cJSON_GetStringValue(node), p) < 0)
			return km_json_fail(r->doc, node, r->err,
			                    "like \"100MiB for 60s\", \"to 90% in 5m\", \"none for "
			                    "10s\"",
			                    "not a piece of a series");
		if (p->share && c->limit == KM_UNKNOWN)
			return km_json_fail(r->doc, node, r->err, "say the \"limit\"",
			                    "a share of a limit that there is not");
	}
	return 0;
}

/* What "of" names: a level of a service, or a signal of the catalogue. */
static int read_of(const struct km_test_reading *r, const cJSON *node, const char *of,
                   struct km_test_series *ret)
{
	const struct km_test *t = r->test;
	bool service = ret->subject < t->service_count;
	enum km_entity kind =
		service ? KM_ENTITY_SERVICE : t->entity[ret->subject - t->service_count].kind;

	while (ret->resource < KM_RESOURCE_MAX && strcmp(km_resource_names[ret->resource], of))
		ret->resource++;
	if (service && ret->resource < KM_RESOURCE_MAX)
		return 0;
	ret->signal = ret->resource < KM_RESOURCE_MAX ? km_catalogue_of(ret->resource)
	                                              : km_catalogue_find(of);
	ret->resource = KM_RESOURCE_MAX;
	if (ret->signal < KM_SIG_MAX && km_world_tells(ret->signal) &&
	    km_catalogue[ret->signal].entities & 1U << kind)
		return 0;
	return km_json_fail(r->doc, cJSON_GetObjectItemCaseSensitive(node, "of"), r->err,
	                    "a resource, or a signal as kmend signal list names it",
	                    "no such level of %s", service ? "a service" : km_entity_names[kind]);
}

static int read_one_series(const struct km_test_reading *r, const cJSON *node,
                           struct km_test_series *ret)
{
	struct series_parts p = { .repeat = 1, .seed = 1 };
	uint64_t noise = 0;
	int k = km_json_read(r->doc, node, series_fields, &p, r->err);

	if (k == 0)
		k = km_test_read_subject(r, node, p.entity[0] ? "entity" : "service",
		                         p.entity[0] != 0, &ret->subject);
	if (k == 0)
		k = read_of(r, node, p.of, ret);
	if (k < 0)
		return k;
	ret->again = p.again;
	ret->course = (struct km_course){
		.repeat = p.repeat, .begin_ns = p.begin_ns, .seed = p.seed, .limit = KM_UNKNOWN
	};
	if (p.limit)
		k = read_value(r, p.limit, &ret->course.limit);
	if (k == 0 && p.noise)
		k = read_value(r, p.noise, &noise);
	ret->course.noise = (double)noise;
	return k < 0 ? k : read_pieces(r, p.levels, &ret->course);
}

int km_test_read_series(const struct km_test_reading *r, const cJSON *array)
{
	struct km_test *t = r->test;
	const cJSON *node;
	int k = km_test_read_room(r, array, KM_TEST_SERIES_MAX, sizeof(*t->series), &t->series);

	if (k == 0) /* one each at most */
		k = km_test_read_room(r, array, KM_TEST_SERIES_MAX, sizeof(*t->entity), &t->entity);

	cJSON_ArrayForEach(node, array)
	{
		if (k == 0 && !cJSON_IsObject(node))
			k = km_json_fail(r->doc, node, r->err, NULL, "a series is an object");
		if (k == 0)
			k = read_one_series(r, node, &t->series[t->series_count++]);
	}
	return k;
}

struct event_parts {
	int is, how, traffic;
	uint64_t at_ns, count, every_ns, back_ns, code;
	uint64_t standby, took_ns;
	char service[KM_NAME_MAX], signal[16], by[KMEND_COMM_LEN], error[16], says[128];
	char endpoint[KM_ENDPOINT_NAME_MAX];
};

#define EVENT(member) .offset = offsetof(struct event_parts, member)

static const struct km_json_field event_fields[] = {
	{ "at", KM_JSON_DURATION, true, EVENT(at_ns), .max = TIME_MAX_NS },
	{ "is", KM_JSON_ENUM, true, EVENT(is), .names = event_names },
	{ "service", KM_JSON_STRING, false, EVENT(service), .size = KM_NAME_MAX },
	{ "how", KM_JSON_ENUM, false, EVENT(how), .names = km_end_how_names },
	{ "code", KM_JSON_COUNT, false, EVENT(code), .min = 1, .max = 255 },
	{ "signal", KM_JSON_STRING, false, EVENT(signal), .size = 16 },
	{ "by", KM_JSON_STRING, false, EVENT(by), .size = KMEND_COMM_LEN },
	{ "error", KM_JSON_STRING, false, EVENT(error), .size = 16 },
	{ "says", KM_JSON_STRING, false, EVENT(says), .size = 128 },
	{ "endpoint", KM_JSON_STRING, false, EVENT(endpoint), .size = KM_ENDPOINT_NAME_MAX },
	{ "to", KM_JSON_ENUM, false, EVENT(traffic), .names = km_traffic_names },
	{ "took", KM_JSON_DURATION, false, EVENT(took_ns), .max = 60 * KM_NS_PER_S },
	{ "standby", KM_JSON_COUNT, false, EVENT(standby), .min = 1, .max = KM_STANDBYS_MAX },
	{ "back", KM_JSON_DURATION, false, EVENT(back_ns), .min = KM_NS_PER_MS,
	  .max = TIME_MAX_NS },
	{ "count", KM_JSON_COUNT, false, EVENT(count), .min = 1, .max = EVENT_COUNT_MAX },
	{ "every", KM_JSON_DURATION, false, EVENT(every_ns), .min = KM_NS_PER_MS,
	  .max = TIME_MAX_NS },
	{ 0 }
};

static int read_signal(const struct km_test_reading *r, const cJSON *node, const char *name,
                       uint32_t *ret)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(signals); i++)
		if (!strcmp(signals[i].name, name))
			*ret = signals[i].signal;
	if (name[0] && !*ret)
		return km_json_fail(r->doc, cJSON_GetObjectItemCaseSensitive(node, "signal"),
		                    r->err, "like \"SIGTERM\"", "no signal that ends a process");
	return 0;
}

/* The endpoint and the place of it that an event is about. */
static int check_endpoint(const struct km_test_reading *r, const cJSON *node,
                          const struct event_parts *p, const struct km_service_def *def)
{
	const struct km_endpoint *e = p->endpoint[0]        ? km_config_endpoint(def, p->endpoint)
	                              : def->endpoint_count ? &def->endpoints[0]
	                                                    : NULL;

	if (p->is < KM_TE_ENDPOINT_FAILS)
		return 0;
	if (e && p->standby < e->places &&
	    (p->is != KM_TE_ENDPOINT_CHECKED || e->place[p->standby].check[0]))
		return 0;
	return km_json_fail(r->doc, node, r->err, "give its definition \"endpoints\"",
	                    "this service has no such endpoint, standby, or check of it");
}

static int read_event(const struct km_test_reading *r, const cJSON *node, struct km_test_event *ret)
{
	struct event_parts p = { .how = KM_END_FAILED, .code = 1, .count = 1, .error = "refused" };
	int k = km_json_read(r->doc, node, event_fields, &p, r->err);

	if (k == 0)
		k = km_test_read_service(r, node, &ret->service);
	if (k == 0)
		k = read_signal(r, node, p.signal, &ret->signal);
	if (k < 0)
		return k;
	if (p.count > 1 && !p.every_ns)
		return km_json_fail(r->doc, node, r->err, "say \"every\"",
		                    "several events need a time between them");
	if ((p.is == KM_TE_HEALTHY || p.is == KM_TE_UNHEALTHY) &&
	    !r->test->service[ret->service]->check_count)
		return km_json_fail(r->doc, node, r->err, "give its definition a \"health\"",
		                    "this service has no health check");
	k = check_endpoint(r, node, &p, r->test->service[ret->service]);
	if (k < 0)
		return k;
	if (strcmp(p.error, "refused") != 0 && strcmp(p.error, "timeout") != 0)
		return km_json_fail(r->doc, cJSON_GetObjectItemCaseSensitive(node, "error"), r->err,
		                    "\"refused\" or \"timeout\"", "no such way to fail");
	ret->kind = (enum km_test_event_kind)p.is;
	ret->how = p.how;
	ret->at_ns = p.at_ns;
	ret->count = p.count;
	ret->every_ns = p.every_ns;
	ret->back_ns = p.back_ns;
	ret->code = p.code;
	ret->error = strcmp(p.error, "refused") == 0 ? ECONNREFUSED : ETIMEDOUT;
	km_copy(ret->by, sizeof(ret->by), p.by);
	km_copy(ret->says, sizeof(ret->says), p.says);
	km_copy(ret->endpoint, sizeof(ret->endpoint), p.endpoint);
	ret->standby = (uint32_t)p.standby;
	ret->traffic = p.traffic;
	ret->took_ns = p.took_ns;
	return 0;
}

int km_test_read_events(const struct km_test_reading *r, const cJSON *array)
{
	struct km_test *t = r->test;
	const cJSON *node;
	int k = km_test_read_room(r, array, KM_TEST_EVENTS_MAX, sizeof(*t->event), &t->event);

	cJSON_ArrayForEach(node, array)
	{
		if (k == 0 && !cJSON_IsObject(node))
			k = km_json_fail(r->doc, node, r->err, NULL, "an event is an object");
		if (k == 0)
			k = read_event(r, node, &t->event[t->event_count++]);
	}
	return k;
}

struct expect_parts {
	uint64_t from_ns, to_ns, at_ns, within_ns, count, line, step, attempt;
	char service[KM_NAME_MAX];
	bool speaks, always;
	int decision, verb, guard, event, verdict, forecast;
};

#define EXPECT(member) .offset = offsetof(struct expect_parts, member)

static const struct km_json_field expect_fields[] = {
	{ "from", KM_JSON_DURATION, false, EXPECT(from_ns), .max = TIME_MAX_NS },
	{ "to", KM_JSON_DURATION, false, EXPECT(to_ns), .max = TIME_MAX_NS },
	{ "at", KM_JSON_DURATION, false, EXPECT(at_ns), .max = TIME_MAX_NS },
	{ "within", KM_JSON_DURATION, false, EXPECT(within_ns), .max = TIME_MAX_NS },
	{ "service", KM_JSON_STRING, false, EXPECT(service), .size = KM_NAME_MAX },
	{ "speaks", KM_JSON_BOOL, false, EXPECT(speaks) },
	{ "always", KM_JSON_BOOL, false, EXPECT(always) },
	{ "line", KM_JSON_COUNT, false, EXPECT(line), .min = 1 },
	{ "decision", KM_JSON_ENUM, false, EXPECT(decision), .names = km_answer_names },
	{ "do", KM_JSON_ENUM, false, EXPECT(verb), .names = km_verb_names },
	{ "step", KM_JSON_COUNT, false, EXPECT(step), .min = 1, .max = KM_STEPS_MAX },
	{ "guard", KM_JSON_ENUM, false, EXPECT(guard), .names = km_guard_names },
	{ "event", KM_JSON_ENUM, false, EXPECT(event), .names = km_event_names },
	{ "attempt", KM_JSON_COUNT, false, EXPECT(attempt), .min = 1 },
	{ "verdict", KM_JSON_ENUM, false, EXPECT(verdict), .names = km_verdict_names },
	{ "forecast", KM_JSON_ENUM, false, EXPECT(forecast), .names = km_forecast_kind_names },
	{ "count", KM_JSON_COUNT, false, EXPECT(count) },
	{ 0 }
};

static bool has(const cJSON *node, const char *key)
{
	return cJSON_HasObjectItem(node, key);
}

static int read_window(const struct km_test_reading *r, const cJSON *node,
                       const struct expect_parts *p, struct km_test_expect *ret)
{
	ret->from_ns = p->from_ns;
	ret->to_ns = has(node, "to") ? p->to_ns : UINT64_MAX;
	if (has(node, "at")) {
		ret->from_ns = p->at_ns > p->within_ns ? p->at_ns - p->within_ns : 0;
		ret->to_ns = p->at_ns + p->within_ns;
	}
	if (has(node, "at") && (has(node, "from") || has(node, "to")))
		return km_json_fail(r->doc, node, r->err, "leave one of them",
		                    "\"at\" and \"from\" or \"to\" are two windows");
	if (ret->to_ns < ret->from_ns)
		return km_json_fail(r->doc, node, r->err, NULL, "the window ends before it begins");
	return 0;
}

static int read_what(const struct km_test_reading *r, const cJSON *node, struct km_test_expect *ret)
{
	static const struct {
		const char *key;
		enum km_test_what what;
	} kinds[] = {
		{ "speaks", KM_TX_SPEAKS },
		{ "decision", KM_TX_DECISION },
		{ "verdict", KM_TX_VERDICT },
		{ "forecast", KM_TX_FORECAST },
	};
	unsigned int n = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(kinds); i++) {
		if (!has(node, kinds[i].key))
			continue;
		ret->what = kinds[i].what;
		n++;
	}
	if (n != 1)
		return km_json_fail(r->doc, node, r->err,
		                    "one of speaks, decision, verdict, forecast",
		                    "an expectation says one thing");
	return 0;
}

static int read_expectation(const struct km_test_reading *r, const cJSON *node,
                            struct km_test_expect *ret)
{
	struct expect_parts p = { .within_ns = NEAR_NS, .verb = -1, .guard = -1, .event = -1 };
	int k = km_json_read(r->doc, node, expect_fields, &p, r->err);

	if (k == 0)
		k = km_test_read_subject(r, node, "service", false, &ret->subject);
	if (k == 0)
		k = read_what(r, node, ret);
	if (k == 0)
		k = read_window(r, node, &p, ret);
	if (k < 0)
		return k;
	if (ret->what == KM_TX_SPEAKS && !p.speaks)
		ret->what = KM_TX_SILENT;
	ret->at_line = km_json_line(r->doc, node);
	ret->always = p.always;
	ret->counted = has(node, "count");
	ret->count = p.count;
	ret->line = p.line;
	ret->answer = p.decision;
	ret->verb = p.verb;
	ret->guard = p.guard;
	ret->event = p.event;
	ret->step = p.step;
	ret->attempt = p.attempt;
	ret->verdict = p.verdict;
	ret->forecast = p.forecast;
	return 0;
}

/* Positive: something must come. Negative: nothing must, and the rule is silent somewhere. */
static void take_side(struct km_test *t)
{
	bool silent = false;

	for (size_t i = 0; i < t->expect_count; i++) {
		const struct km_test_expect *x = &t->expect[i];

		silent |= x->what == KM_TX_SILENT;
		t->positive |= x->what == KM_TX_SPEAKS ||
		               (x->what == KM_TX_DECISION && !(x->counted && !x->count));
	}
	t->negative = silent && !t->positive;
}

int km_test_read_expect(const struct km_test_reading *r, const cJSON *array)
{
	struct km_test *t = r->test;
	const cJSON *node;
	int k = km_test_read_room(r, array, KM_TEST_EXPECT_MAX, sizeof(*t->expect), &t->expect);

	if (k == 0 && !cJSON_GetArraySize(array))
		k = km_json_fail(r->doc, array, r->err, "like {\"speaks\": false}",
		                 "a test that expects nothing cannot fail");
	cJSON_ArrayForEach(node, array)
	{
		if (k == 0 && !cJSON_IsObject(node))
			k = km_json_fail(r->doc, node, r->err, NULL, "an expectation is an object");
		if (k == 0)
			k = read_expectation(r, node, &t->expect[t->expect_count++]);
	}
	take_side(t);
	return k;
}
