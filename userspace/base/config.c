// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "base/config.h"
#include "base/config_read.h"

#define MINUTE_NS (60 * KM_NS_PER_S)
#define DAY_NS    (86400 * KM_NS_PER_S)

const char *const km_service_kind_names[KM_SERVICE_KIND_MAX + 1] = {
	[KM_BY_UNIT] = "unit",
	[KM_BY_CGROUP] = "cgroup",
	[KM_BY_CONTAINER] = "container",
	[KM_BY_EXECUTABLE] = "executable",
	[KM_BY_PIDFILE] = "pidfile",
	[KM_BY_COMMAND] = "command",
	[KM_IS_ENDPOINT] = "endpoint",
	[KM_IS_DEVICE] = "device",
	[KM_IS_FILESYSTEM] = "filesystem",
	[KM_IS_HOST] = "host",
};

/* A day of a host that is busy beyond reason. */
#define RECORDING_MAX (64ULL << 30)

#define SET(member)   offsetof(struct km_settings, member)

/* history is read as a duration into history_days and divided then. */
static const struct km_json_field settings_fields[] = {
	{ "signal_budget_ppm", KM_JSON_COUNT, .offset = SET(signal_budget_ppm), .max = 100000 },
	{ "sample_period", KM_JSON_DURATION, .offset = SET(sample_period_ns),
	  .min = 100 * KM_NS_PER_MS, .max = MINUTE_NS },
	{ "leave_alone", KM_JSON_DURATION, .offset = SET(leave_alone_ns), .max = DAY_NS },
	{ "horizon", KM_JSON_DURATION, .offset = SET(horizon_ns), .min = MINUTE_NS,
	  .max = 30 * DAY_NS },
	{ "history", KM_JSON_DURATION, .offset = SET(history_days), .min = DAY_NS,
	  .max = 365 * DAY_NS },
	{ "recording", KM_JSON_BYTES, .offset = SET(recording_bytes), .max = RECORDING_MAX },
	{ "socket_group", KM_JSON_STRING, .offset = SET(socket_group), .size = 64 },
	{ .key = NULL },
};

static int read_settings(const struct km_config_reader *c, const cJSON *obj, struct km_settings *s)
{
	const cJSON *history = cJSON_GetObjectItemCaseSensitive(obj, "history");
	int r;

	r = km_json_read(c->doc, obj, settings_fields, s, c->err);
	if (r == 0)
		r = km_config_check_text(c, obj, "socket_group", km_config_user_fault);
	if (r < 0 || !history)
		return r;
	if (s->history_days % DAY_NS)
		return km_json_fail(c->doc, history, c->err, "write \"14d\"",
		                    "\"history\" must be whole days");
	s->history_days /= DAY_NS;
	return 0;
}

static const struct km_settings default_settings = {
	.sample_period_ns = KM_NS_PER_S,
	.signal_budget_ppm = 5000,
	.horizon_ns = DAY_NS,
	.leave_alone_ns = 10 * MINUTE_NS,
	.history_days = 14,
	.recording_bytes = 256 * 1024 * 1024,
	.socket_mode = 0660,
	.socket_group = "kmend",
};

struct top {
	uint64_t version;
	const cJSON *settings;
	const cJSON *services;
};

static const struct km_json_field top_fields[] = {
	{ "version", KM_JSON_COUNT, .required = true, .offset = offsetof(struct top, version) },
	{ "settings", KM_JSON_OBJECT, .offset = offsetof(struct top, settings) },
	{ "services", KM_JSON_ARRAY, .offset = offsetof(struct top, services) },
	{ .key = NULL },
};

/* Room for one more service. */
static int grow(struct km_config_build *b)
{
	size_t room = b->room ? 2 * b->room : 64;
	void *services, *place;

	if (b->config->service_count < b->room)
		return 0;
	services = reallocarray(b->config->services, room, sizeof(*b->config->services));
	if (services)
		b->config->services = services;
	place = reallocarray(b->place, room, sizeof(*b->place));
	if (place)
		b->place = place;
	if (!services || !place)
		return -ENOMEM;
	b->room = room;
	return 0;
}

static int add_instances(struct km_config_build *b, struct km_config_reader *c, const cJSON *node)
{
	unsigned int count = 1;
	int r = 0;

	for (unsigned int i = 1; i <= count && r == 0; i++) {
		size_t at = b->config->service_count;

		if (at == KM_SERVICES_MAX)
			return km_json_fail(c->doc, node, c->err, "split the host",
			                    "more than %d services", KM_SERVICES_MAX);
		r = grow(b);
		if (r < 0)
			return r;
		b->config->services[at] = (struct km_service_def){ 0 };
		b->place[at] = (struct km_config_place){ at, node, c };
		b->config->service_count++;
		c->number = i;
		r = km_config_read_service(c, node, &b->config->services[at], &count);
		b->checks += b->config->services[at].check_count;
		if (r == 0 && b->checks > KM_CHECKS_MAX)
			return km_json_fail(c->doc, node, c->err, "split the host",
			                    "more than %d health checks", KM_CHECKS_MAX);
	}
	return r;
}

static int check_top(const struct km_config_text *t, const struct km_config_reader *c,
                     const struct top *top)
{
	const cJSON *root = km_json_root(c->doc);

	if (top->version != 1)
		return km_json_fail(c->doc, cJSON_GetObjectItemCaseSensitive(root, "version"),
		                    c->err, "write 1", "this version is not known here");
	if (t->services_only && top->settings)
		return km_json_fail(c->doc, cJSON_GetObjectItemCaseSensitive(root, "settings"),
		                    c->err, "move them to the configuration file",
		                    "settings do not stand in services.d");
	return 0;
}

static int read_text(struct km_config_build *b, const struct km_config_text *t,
                     struct km_config_reader *c)
{
	struct top top = { 0 };
	const cJSON *node;
	int r = km_json_read(c->doc, km_json_root(c->doc), top_fields, &top, c->err);

	if (r == 0)
		r = check_top(t, c, &top);
	if (r == 0 && top.settings)
		r = read_settings(c, top.settings, &b->config->settings);
	for (node = top.services ? top.services->child : NULL; node && r == 0; node = node->next)
		r = add_instances(b, c, node);
	return r;
}

static int build(struct km_config_build *b, const struct km_config_text *texts, size_t count,
                 struct km_config_reader *readers)
{
	struct km_error *err = readers[0].err;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		readers[i] = (struct km_config_reader){ .file = texts[i].file, .err = err };
		r = km_json_parse(texts[i].bytes, texts[i].len, texts[i].file, err,
		                  &readers[i].doc);
		if (r == 0)
			r = read_text(b, &texts[i], &readers[i]);
	}
	if (r == 0)
		r = km_config_check_doubles(b);
	if (r == 0)
		r = km_config_sort(b);
	return r == 0 ? km_config_link_needs(b) : r;
}

int km_config_compile_texts(const struct km_config_text *texts, size_t count, struct km_error *err,
                            struct km_config **ret)
{
	km_autofree(km_config_freep) struct km_config *config = calloc(1, sizeof(*config));
	struct km_config_reader *readers = calloc(count + 1, sizeof(*readers));
	struct km_config_build b = { .config = config };
	int r = -ENOMEM;

	if (config && readers) {
		config->settings = default_settings;
		readers[0].err = err;
		r = build(&b, texts, count, readers);
	}
	for (size_t i = 0; readers && i < count; i++)
		km_json_free(readers[i].doc);
	free(readers);
	free(b.place);
	if (r == 0)
		*ret = km_take(config);
	return r;
}

int km_config_compile(const char *text, size_t len, const char *file, struct km_error *err,
                      struct km_config **ret)
{
	struct km_config_text t = { .file = file, .bytes = text, .len = len };

	return km_config_compile_texts(&t, text ? 1 : 0, err, ret);
}

static void free_service(struct km_service_def *d)
{
	km_config_free_strings(d->argv);
	km_config_free_strings(d->need_names);
	for (size_t i = 0; i < d->check_count; i++)
		km_health_check_clear(&d->checks[i]);
	free(d->checks);
	free(d->endpoints);
	free(d->labels);
	free(d->needs);
}

struct km_config *km_config_free(struct km_config *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->service_count; i++)
		free_service(&c->services[i]);
	free(c->services);
	free(c);
	return NULL;
}

static int name_to_def(const void *name, const void *def)
{
	return strcmp(name, ((const struct km_service_def *)def)->name);
}

const struct km_service_def *km_config_service(const struct km_config *c, const char *name)
{
	if (c->service_count == 0)
		return NULL;
	return bsearch(name, c->services, c->service_count, sizeof(*c->services), name_to_def);
}

const char *km_config_label(const struct km_service_def *d, const char *name)
{
	for (size_t i = 0; i < d->label_count; i++)
		if (strcmp(d->labels[i].name, name) == 0)
			return d->labels[i].value;
	return NULL;
}

bool km_service_is_checked(const struct km_service_def *d)
{
	for (size_t i = 0; i < d->check_count; i++)
		if (!d->checks[i].aside)
			return true;
	return false;
}

bool km_service_has_check(const struct km_service_def *d, enum km_check_kind kind)
{
	for (size_t i = 0; i < d->check_count; i++)
		if (d->checks[i].kind == kind)
			return true;
	return false;
}

bool km_config_has_check(const struct km_config *c, enum km_check_kind kind)
{
	for (size_t i = 0; i < c->service_count; i++)
		if (km_service_has_check(&c->services[i], kind))
			return true;
	return false;
}
