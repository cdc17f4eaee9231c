// SPDX-License-Identifier: Apache-2.0
/* A test file: names, services, policy, times. */
#include "review/test_read.h"

#include <stdio.h>

#include "base/text.h"

#define EVERY_MIN_NS (100 * KM_NS_PER_MS)
#define EVERY_MAX_NS (60 * KM_NS_PER_S)
#define UNTIL_MAX_NS (KM_TEST_PASSES_MAX * KM_NS_PER_S)
/* A test that says not how long it takes goes on for so long behind the last that happens. */
#define TAIL_NS  (60 * KM_NS_PER_S)
#define TEXT_MAX (1024 * 1024)
/* 2026-01-05 00:00 UTC, a Monday, in seconds since 1970. */
#define MONDAY_S 1767571200ULL

/* In the order of enum km_outcome_state. */
static const char *const acts_names[] = { "refused", "done", "failed", "unknown", "none", NULL };

struct parts {
	char name[KM_RULE_TEXT_MAX];
	char clock[16], trace[KM_NAME_MAX];
	const cJSON *services, *down, *policy, *series, *events, *expect;
	int mode, acts;
	uint64_t every_ns, until_ns;
};

#define PART(member)   .offset = offsetof(struct parts, member)
#define STRING(member) PART(member), .size = sizeof(((struct parts *)0)->member)

static const struct km_json_field test_fields[] = {
	{ "name", KM_JSON_STRING, true, STRING(name) },
	{ "clock", KM_JSON_STRING, false, STRING(clock) },
	{ "trace", KM_JSON_STRING, false, STRING(trace) },
	{ "services", KM_JSON_ARRAY, false, PART(services) },
	{ "down", KM_JSON_ARRAY, false, PART(down) },
	{ "policy", KM_JSON_OBJECT, false, PART(policy) },
	{ "series", KM_JSON_ARRAY, false, PART(series) },
	{ "events", KM_JSON_ARRAY, false, PART(events) },
	{ "expect", KM_JSON_ARRAY, true, PART(expect) },
	{ "mode", KM_JSON_ENUM, false, PART(mode), .names = km_mode_names },
	{ "acts", KM_JSON_ENUM, false, PART(acts), .names = acts_names },
	{ "every", KM_JSON_DURATION, false, PART(every_ns), .min = EVERY_MIN_NS,
	  .max = EVERY_MAX_NS },
	{ "until", KM_JSON_DURATION, false, PART(until_ns), .min = KM_NS_PER_S,
	  .max = UNTIL_MAX_NS },
	{ 0 }
};

struct top {
	uint64_t version;
	const cJSON *tests;
};

static const struct km_json_field top_fields[] = {
	{ "version", KM_JSON_COUNT, true, .offset = offsetof(struct top, version), .min = 1,
	  .max = 1 },
	{ "tests", KM_JSON_ARRAY, true, .offset = offsetof(struct top, tests) },
	{ 0 }
};

int km_test_read_room(const struct km_test_reading *r, const cJSON *array, size_t max, size_t size,
                      void *ret)
{
	size_t n = (size_t)cJSON_GetArraySize(array);
	void *room;

	if (n > max)
		return km_json_fail(r->doc, array, r->err, "make two of it", "more than %zu", max);
	room = calloc(n + 1, size);
	if (!room)
		return -ENOMEM;
	memcpy(ret, &room, sizeof(room));
	return 0;
}

static int find_service(const struct km_test *t, const char *name)
{
	for (size_t i = 0; name && i < t->service_count; i++)
		if (!strcmp(t->service[i]->name, name))
			return (int)i;
	return -1;
}

const char *km_test_subject(const struct km_test *t, size_t i)
{
	return i < t->service_count ? t->service[i]->name : t->entity[i - t->service_count].name;
}

/* "fs:/var", "dev:vda", "host", "web>10.0.0.5:5432", as phase 3 names them. */
static bool parse_entity(const struct km_test *t, const char *name, struct km_test_entity *ret)
{
	const char *peer = strchr(name, '>');
	char service[KM_NAME_MAX];
	int i;

	*ret = (struct km_test_entity){ .kind = KM_ENTITY_HOST };
	if (!km_copy(ret->name, sizeof(ret->name), name))
		return false;
	if (!strcmp(name, "host"))
		return true;
	if (!strncmp(name, "fs:/", 4) || (!strncmp(name, "dev:", 4) && name[4])) {
		ret->kind = name[0] == 'f' ? KM_ENTITY_FILESYSTEM : KM_ENTITY_DEVICE;
		ret->skip = name[0] == 'f' ? strlen("fs:") : strlen("dev:");
		return true;
	}
	if (!peer || !peer[1])
		return false;
	km_copy(service, (size_t)(peer - name) + 1, name);
	i = find_service(t, service);
	ret->kind = KM_ENTITY_ENDPOINT;
	ret->service = i < 0 ? 0 : (size_t)i;
	ret->skip = (size_t)(peer - name) + 1;
	return i >= 0;
}

static int find_subject(const struct km_test *t, const char *name)
{
	for (size_t i = 0; name && i < t->service_count + t->entity_count; i++)
		if (!strcmp(km_test_subject(t, i), name))
			return (int)i;
	return -1;
}

int km_test_read_subject(const struct km_test_reading *r, const cJSON *node, const char *key,
                         bool make, size_t *ret)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(node, key);
	const char *name = cJSON_GetStringValue(member);
	struct km_test *t = r->test;
	int i = member ? find_subject(t, name) : 0;

	if (i < 0 && make && name && parse_entity(t, name, &t->entity[t->entity_count]))
		i = (int)(t->service_count + t->entity_count++);
	if (i < 0)
		return km_json_fail(r->doc, member, r->err,
		                    "a service of the test, or like \"fs:/var\", \"dev:vda\", "
		                    "\"web>10.0.0.5:5432\", \"host\" of a series",
		                    "nothing in this test has that name");
	*ret = (size_t)i;
	return 0;
}

int km_test_read_service(const struct km_test_reading *r, const cJSON *node, size_t *ret)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(node, "service");
	int i = name ? find_service(r->test, cJSON_GetStringValue(name)) : 0;

	if (i < 0)
		return km_json_fail(r->doc, name, r->err, "name it in \"services\"",
		                    "no service of this test has that name");
	*ret = (size_t)i;
	return 0;
}

/* The scope's first glob with something in the place of its wildcards. */
static void name_from_scope(const struct km_rule *rule, char ret[static KM_NAME_MAX])
{
	km_copy(ret, KM_NAME_MAX, rule->services ? rule->services[0] : "web");
	for (char *p = ret; *p; p++)
		if (*p == '*' || *p == '?')
			*p = 'x';
}

/* One health check, which says nothing until an event does, and is believed at once. */
static void write_check(struct km_json_writer *w)
{
	km_jw_key(w, "health");
	km_jw_array(w);
	km_jw_object(w);
	km_jw_kstring(w, "name", "check");
	km_jw_kstring(w, "tcp", "127.0.0.1:80");
	km_jw_kstring(w, "grace", "1ms");
	km_jw_end_object(w);
	km_jw_end_array(w);
}

static void write_service(struct km_json_writer *w, const char *name)
{
	char path[KM_NAME_MAX + 8];

	snprintf(path, sizeof(path), "/bin/%s", name);
	km_jw_object(w);
	km_jw_kstring(w, "name", name);
	km_jw_key(w, "command");
	km_jw_array(w);
	km_jw_string(w, path);
	km_jw_end_array(w);
	write_check(w);
	km_jw_end_object(w);
}

/* The configuration file that a host with these services would have. */
static int write_config(const struct km_test_reading *r, const struct parts *p, struct km_buf *out)
{
	char name[KM_NAME_MAX], period[32];
	struct km_json_writer w;
	const cJSON *node;

	snprintf(period, sizeof(period), "%llums",
	         (unsigned long long)(p->every_ns / KM_NS_PER_MS));
	km_jw_init(&w, out, false);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_key(&w, "settings");
	km_jw_object(&w);
	km_jw_kstring(&w, "sample_period", period);
	km_jw_end_object(&w);
	km_jw_key(&w, "services");
	km_jw_array(&w);
	name_from_scope(r->rule, name);
	if (!p->services)
		write_service(&w, name);
	cJSON_ArrayForEach(node, p->services)
	{
		if (cJSON_IsString(node))
			write_service(&w, cJSON_GetStringValue(node));
		else
			km_jw_node(&w, node);
	}
	km_jw_end_array(&w);
	km_jw_end_object(&w);
	return km_buf_error(out);
}

static const char *service_name(const cJSON *node)
{
	if (cJSON_IsString(node))
		return cJSON_GetStringValue(node);
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(node, "name"));
}

static int order_services(const struct km_test_reading *r, const struct parts *p)
{
	struct km_test *t = r->test;
	const cJSON *node;

	if (t->config->service_count < 1 || t->config->service_count > KM_WORLD_SERVICES_MAX)
		return km_json_fail(r->doc, p->services, r->err, NULL,
		                    "a test has 1 to %d services", KM_WORLD_SERVICES_MAX);
	if (!p->services)
		t->service[t->service_count++] = &t->config->services[0];
	cJSON_ArrayForEach(node, p->services)
	{
		t->service[t->service_count++] = km_config_service(t->config, service_name(node));
	}
	return 0;
}

static int read_services(const struct km_test_reading *r, const struct parts *p)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_error err = { 0 };
	int k = km_buf_new(TEXT_MAX, &text);

	if (k == 0)
		k = write_config(r, p, text);
	if (k < 0)
		return k;
	r->test->config_text = strdup(km_buf_text(text));
	if (!r->test->config_text)
		return -ENOMEM;
	k = km_config_compile(km_buf_text(text), text->len, "services", &err, &r->test->config);
	if (k == -EBADMSG)
		return km_json_fail(r->doc, p->services, r->err, err.remedy, "%s", err.what);
	return k < 0 ? k : order_services(r, p);
}

static int read_down(const struct km_test_reading *r, const cJSON *array)
{
	const cJSON *node;

	cJSON_ArrayForEach(node, array)
	{
		int i = find_service(r->test, cJSON_GetStringValue(node));

		if (i < 0)
			return km_json_fail(r->doc, node, r->err, "name it in \"services\"",
			                    "no service of this test has that name");
		r->test->down[i] = true;
	}
	return 0;
}

/* Everything but what kmend never touches. */
static void write_open_policy(struct km_json_writer *w)
{
	static const char *const budgets[] = { "service", "host" };

	km_jw_object(w);
	km_jw_ku64(w, "version", 1);
	km_jw_key(w, "verbs");
	km_jw_array(w);
	for (unsigned int i = KM_VERB_NONE + 1; i < KM_VERB_MAX; i++)
		km_jw_string(w, km_verb_names[i]);
	km_jw_end_array(w);
	km_jw_key(w, "services");
	km_jw_array(w);
	km_jw_string(w, "*");
	km_jw_end_array(w);
	km_jw_key(w, "budget");
	km_jw_object(w);
	for (size_t i = 0; i < KM_ARRAY_SIZE(budgets); i++) {
		km_jw_key(w, budgets[i]);
		km_jw_object(w);
		km_jw_ku64(w, "count", KM_POLICY_BUDGET_MAX);
		km_jw_kstring(w, "per", "1h");
		km_jw_end_object(w);
	}
	km_jw_end_object(w);
	km_jw_end_object(w);
}

static int read_policy(const struct km_test_reading *r, const cJSON *node)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_policy *policy = NULL;
	struct km_json_writer w;
	struct km_error err = { 0 };
	int k = km_buf_new(TEXT_MAX, &text);

	if (k < 0)
		return k;
	km_jw_init(&w, text, false);
	if (node)
		km_jw_node(&w, node);
	else
		write_open_policy(&w);
	if (km_buf_error(text) < 0)
		return km_buf_error(text);
	r->test->policy_text = strdup(km_buf_text(text));
	if (!r->test->policy_text)
		return -ENOMEM;
	k = km_policy_compile(km_buf_text(text), text->len, "policy", &err, &policy);
	km_policy_free(policy);
	if (k == -EBADMSG)
		return km_json_fail(r->doc, node, r->err, err.remedy, "%s", err.what);
	return k;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The end of all that is written down, and a minute. */
static uint64_t natural_end_ns(const struct km_test *t)
{
	uint64_t end = 0;

	for (size_t i = 0; i < t->series_count; i++)
		end = later(end, km_course_long_ns(&t->series[i].course));
	for (size_t i = 0; i < t->event_count; i++)
		end = later(end, t->event[i].at_ns + t->event[i].count * t->event[i].every_ns);
	for (size_t i = 0; i < t->expect_count; i++)
		if (t->expect[i].to_ns != UINT64_MAX)
			end = later(end, t->expect[i].to_ns);
	return end > UINT64_MAX - TAIL_NS ? end : end + TAIL_NS;
}

static int take_times(const struct km_test_reading *r, const cJSON *node)
{
	struct km_test *t = r->test;

	if (!t->until_ns)
		t->until_ns = natural_end_ns(t);
	if (t->until_ns / t->every_ns > KM_TEST_PASSES_MAX)
		return km_json_fail(r->doc, node, r->err, "make it shorter, or \"every\" longer",
		                    "a test has at most %d passes", KM_TEST_PASSES_MAX);
	return 0;
}

/* "mon 03:00": the first of that day and time from Monday 2026-01-05 on. */
static int read_clock(const struct km_test_reading *r, const cJSON *node, const char *s)
{
	static const char *const days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
	const char *end = s + 3;
	uint64_t day = 0, hour = 24, minute = 60;

	while (day < KM_ARRAY_SIZE(days) && strncmp(s, days[day], 3) != 0)
		day++;
	if (day == KM_ARRAY_SIZE(days) || strlen(s) != strlen("mon 03:00") || *end++ != ' ' ||
	    km_text_u64(&end, &hour) < 0 || *end++ != ':' || km_text_u64(&end, &minute) < 0 ||
	    hour > 23 || minute > 59)
		return km_json_fail(r->doc, cJSON_GetObjectItemCaseSensitive(node, "clock"), r->err,
		                    "like \"mon 03:00\", UTC", "no such time of the week");
	r->test->clock_ns =
		(MONDAY_S + day * 86400ULL + hour * 3600ULL + minute * 60ULL) * KM_NS_PER_S;
	return 0;
}

static int read_parts(const struct km_test_reading *r, const struct parts *p)
{
	int k = read_services(r, p);

	if (k == 0)
		k = read_down(r, p->down);
	if (k == 0)
		k = read_policy(r, p->policy);
	if (k == 0)
		k = km_test_read_series(r, p->series);
	if (k == 0)
		k = km_test_read_events(r, p->events);
	return k == 0 ? km_test_read_expect(r, p->expect) : k;
}

/* Beside the test, with what was recorded in it: nothing of its own happens then. */
static int read_trace(const struct km_test_reading *r, const cJSON *node, const struct parts *p)
{
	static const char *const own[] = { "series", "events", "down",  "policy",
		                           "clock",  "acts",   "every", "until" };
	const cJSON *trace = cJSON_GetObjectItemCaseSensitive(node, "trace");
	const char *slash = strrchr(r->file, '/');
	struct km_test *t = r->test;

	if (!trace)
		return 0;
	if (!p->trace[0] || p->trace[0] == '.' || strchr(p->trace, '/'))
		return km_json_fail(r->doc, trace, r->err, "put it beside the test",
		                    "not the name of a file");
	for (size_t i = 0; i < KM_ARRAY_SIZE(own); i++)
		if (cJSON_GetObjectItemCaseSensitive(node, own[i]))
			return km_json_fail(r->doc, cJSON_GetObjectItemCaseSensitive(node, own[i]),
			                    r->err, "remove it", "a trace has its own \"%s\"",
			                    own[i]);
	if (p->mode >= 0 && p->mode != KM_AUTO)
		return km_json_fail(r->doc, cJSON_GetObjectItemCaseSensitive(node, "mode"), r->err,
		                    "remove it, or say \"auto\"",
		                    "over a trace a rule has its own mode, or auto");
	snprintf(t->trace, sizeof(t->trace), "%.*s%s", slash ? (int)(slash - r->file + 1) : 0,
	         r->file, p->trace);
	return 0;
}

static int read_test(const struct km_test_reading *r, const cJSON *node)
{
	struct parts p = {
		.clock = "mon 12:00", .mode = -1, .acts = KM_OUT_DONE, .every_ns = KM_NS_PER_S
	};
	struct km_test *t = r->test;
	int k;

	if (!cJSON_IsObject(node))
		return km_json_fail(r->doc, node, r->err, NULL, "a test is an object");
	k = km_json_read(r->doc, node, test_fields, &p, r->err);
	if (k < 0)
		return k;
	km_copy(t->name, sizeof(t->name), p.name);
	t->line = km_json_line(r->doc, node);
	t->mode = p.mode;
	t->acts = strcmp(acts_names[p.acts], "none") == 0 ? -1 : p.acts;
	t->every_ns = p.every_ns;
	t->until_ns = p.until_ns;
	k = read_trace(r, node, &p);
	if (k == 0)
		k = read_clock(r, node, p.clock);
	if (k == 0)
		k = read_parts(r, &p);
	return k < 0 ? k : take_times(r, node);
}

static int read_tests(struct km_test_reading *r, const cJSON *array, struct km_tests *tests)
{
	const cJSON *node;
	int k;

	if (!cJSON_GetArraySize(array))
		return km_json_fail(r->doc, array, r->err, "write one", "there is no test in it");
	k = km_test_read_room(r, array, KM_TESTS_MAX, sizeof(*tests->test), &tests->test);
	if (k < 0)
		return k;
	cJSON_ArrayForEach(node, array)
	{
		r->test = &tests->test[tests->count++];
		k = read_test(r, node);
		if (k < 0)
			return k;
	}
	return 0;
}

int km_tests_compile(const struct km_rule *rule, const struct km_rule_text *in,
                     struct km_error *err, struct km_tests **ret)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	km_autofree(km_tests_freep) struct km_tests *tests = NULL;
	struct km_test_reading r = { .rule = rule, .file = in->file, .err = err };
	struct top top = { 0 };
	int k = km_json_parse(in->text, in->len, in->file, err, &doc);

	if (k < 0)
		return k;
	r.doc = doc;
	if (!cJSON_IsObject(km_json_root(doc)))
		return km_json_fail(doc, km_json_root(doc), err, NULL, "tests are one JSON object");
	k = km_json_read(doc, km_json_root(doc), top_fields, &top, err);
	if (k < 0)
		return k;
	tests = calloc(1, sizeof(*tests));
	if (!tests)
		return -ENOMEM;
	k = read_tests(&r, top.tests, tests);
	if (k < 0)
		return k;
	*ret = km_take(tests);
	return 0;
}

struct km_tests *km_tests_free(struct km_tests *tests)
{
	for (size_t i = 0; tests && i < tests->count; i++) {
		struct km_test *t = &tests->test[i];

		km_config_free(t->config);
		free(t->config_text);
		free(t->policy_text);
		free(t->entity);
		free(t->series);
		free(t->event);
		free(t->expect);
	}
	if (tests)
		free(tests->test);
	free(tests);
	return NULL;
}
