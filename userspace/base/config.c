// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <stdio.h>

#include "base/config.h"

#define MINUTE_NS (60 * KM_NS_PER_S)
#define DAY_NS    (86400 * KM_NS_PER_S)

const char *const km_service_kind_names[KM_SERVICE_KIND_MAX + 1] = {
	[KM_BY_UNIT] = "unit",           [KM_BY_CGROUP] = "cgroup",
	[KM_BY_CONTAINER] = "container", [KM_BY_EXECUTABLE] = "executable",
	[KM_BY_PIDFILE] = "pidfile",     [KM_BY_COMMAND] = "command",
};

struct compile {
	const struct km_json *doc;
	struct km_error *err;
};

/* One service as written: every way to find it has its own place until one is chosen. */
struct service_text {
	struct km_service_def def;
	char ways[KM_BY_COMMAND][KM_PATH_MAX];
	const cJSON *command;
	const cJSON *limits;
};

#define AT(member)  offsetof(struct service_text, member)
#define WAY(k, len) .offset = AT(ways) + (k)*KM_PATH_MAX, .size = (len)

/* Below 100 ms a process gets no chance to stop; past 15 min nobody waits for a repair. */
static const struct km_json_field service_fields[] = {
	{ "name", KM_JSON_STRING, .required = true, .offset = AT(def.name), .size = KM_NAME_MAX },
	{ "unit", KM_JSON_STRING, WAY(KM_BY_UNIT, KM_NAME_MAX) },
	{ "cgroup", KM_JSON_STRING, WAY(KM_BY_CGROUP, KM_PATH_MAX) },
	{ "container", KM_JSON_STRING, WAY(KM_BY_CONTAINER, 65) },
	{ "executable", KM_JSON_STRING, WAY(KM_BY_EXECUTABLE, KM_PATH_MAX) },
	{ "pidfile", KM_JSON_STRING, WAY(KM_BY_PIDFILE, KM_PATH_MAX) },
	{ "command", KM_JSON_ARRAY, .offset = AT(command) },
	{ "user", KM_JSON_STRING, .offset = AT(def.user), .size = 64 },
	{ "directory", KM_JSON_STRING, .offset = AT(def.directory), .size = KM_PATH_MAX },
	{ "limits", KM_JSON_OBJECT, .offset = AT(limits) },
	{ "stop_timeout", KM_JSON_DURATION, .offset = AT(def.stop_timeout_ns),
	  .min = 100 * KM_NS_PER_MS, .max = 15 * MINUTE_NS },
	{ "group", KM_JSON_STRING, .offset = AT(def.group), .size = KM_NAME_MAX },
	{ "autostart", KM_JSON_BOOL, .offset = AT(def.autostart) },
	{ .key = NULL },
};

/* Keys that say how kmend runs a command; without one there is nothing they could apply to. */
static const char *const command_only[] = { "user", "directory", "limits", "stop_timeout",
	                                    "autostart" };

/* Lower bounds: below them no program starts. Upper ones: the kernel's own for pids and nofile. */
static const struct km_json_field limit_fields[] = {
	{ "memory", KM_JSON_BYTES, .offset = offsetof(struct km_service_limits, memory_bytes),
	  .min = 1 << 20 },
	{ "pids", KM_JSON_COUNT, .offset = offsetof(struct km_service_limits, pids), .min = 1,
	  .max = 1 << 22 },
	{ "nofile", KM_JSON_COUNT, .offset = offsetof(struct km_service_limits, nofile), .min = 8,
	  .max = 1 << 30 },
	{ .key = NULL },
};

static const char *name_fault(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._@:-";

	if (!*s)
		return "must not be empty";
	if (s[strspn(s, allowed)])
		return "may have letters, digits and . _ @ : - only";
	if (*s == '.' || *s == '-')
		return "must not begin with . or -";
	return NULL;
}

/* One spelling for one place: paths are compared as text. */
static const char *path_fault(const char *s)
{
	const char *p;

	if (*s != '/')
		return "must be an absolute path";
	for (p = s; *p; p++)
		if (iscntrl((unsigned char)*p))
			return "must not have control characters";
	for (p = s; *p; p += 1 + strcspn(p + 1, "/")) {
		size_t len = strcspn(p + 1, "/");

		if ((len == 0 && s[1]) || (len == 1 && p[1] == '.') ||
		    (len == 2 && p[1] == '.' && p[2] == '.'))
			return "must be written without //, /./, /../ and / at the end";
	}
	return NULL;
}

static const char *below_root_fault(const char *s)
{
	return strcmp(s, "/") ? path_fault(s) : "must not be / itself";
}

static const char *unit_fault(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._@:-\\";
	const char *suffix = strrchr(s, '.');

	if (!suffix || (strcmp(suffix, ".service") && strcmp(suffix, ".scope")) || suffix == s)
		return "must be a whole unit name that ends in .service or .scope";
	return s[strspn(s, allowed)] ? "is not a unit name" : NULL;
}

static const char *container_fault(const char *s)
{
	size_t len = strlen(s);

	if (len < 12 || len > 64 || s[strspn(s, "0123456789abcdef")])
		return "must be 12 to 64 hexadecimal digits in lower case";
	return NULL;
}

static const char *user_fault(const char *s)
{
	return !*s || strchr(s, ':') ? "must be a user's name" : name_fault(s);
}

static const char *(*const match_faults[KM_BY_COMMAND])(const char *s) = {
	[KM_BY_UNIT] = unit_fault,           [KM_BY_CGROUP] = below_root_fault,
	[KM_BY_CONTAINER] = container_fault, [KM_BY_EXECUTABLE] = below_root_fault,
	[KM_BY_PIDFILE] = below_root_fault,
};

/* The value of KEY of OBJ is checked by FAULT if it is there. */
static int check_text(const struct compile *c, const cJSON *obj, const char *key,
                      const char *(*fault)(const char *s))
{
	const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, key);
	const char *what = node ? fault(node->valuestring) : NULL;

	return what ? km_json_fail(c->doc, node, c->err, NULL, "\"%s\" %s", key, what) : 0;
}

static int read_arguments(const struct compile *c, const cJSON *command, char **argv)
{
	const cJSON *arg;
	char **program = argv;
	const char *fault;

	for (arg = command->child; arg; arg = arg->next, argv++) {
		if (!cJSON_IsString(arg))
			return km_json_fail(c->doc, arg, c->err, "put it in quotes",
			                    "an argument must be a string");
		if (strlen(arg->valuestring) >= KM_ARG_MAX)
			return km_json_fail(c->doc, arg, c->err, "put it in a file",
			                    "an argument of more than %d bytes", KM_ARG_MAX - 1);
		*argv = strdup(arg->valuestring);
		if (!*argv)
			return -ENOMEM;
	}
	fault = below_root_fault(*program);
	if (fault)
		return km_json_fail(c->doc, command->child, c->err, "no shell and no PATH are used",
		                    "the program %s", fault);
	return 0;
}

static int read_command(const struct compile *c, const struct service_text *t,
                        struct km_service_def *def)
{
	int count = cJSON_GetArraySize(t->command);

	if (count < 1 || count > KM_ARGV_MAX)
		return km_json_fail(c->doc, t->command, c->err, NULL,
		                    "\"command\" must have 1 to %d strings", KM_ARGV_MAX);
	def->argv = calloc(count + 1, sizeof(*def->argv));
	if (!def->argv)
		return -ENOMEM;
	if (t->limits) {
		int r = km_json_read(c->doc, t->limits, limit_fields, &def->limits, c->err);

		if (r < 0)
			return r;
	}
	return read_arguments(c, t->command, def->argv);
}

/* Which of the ways OBJ uses: exactly one. */
static int choose_way(const struct compile *c, const cJSON *obj, enum km_service_kind *ret)
{
	int k, found = -1;

	for (k = 0; k < KM_SERVICE_KIND_MAX; k++) {
		const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, km_service_kind_names[k]);

		if (node && found >= 0)
			return km_json_fail(c->doc, node, c->err, "keep one of them",
			                    "both \"%s\" and \"%s\" say how to find the service",
			                    km_service_kind_names[found], km_service_kind_names[k]);
		if (node)
			found = k;
	}
	if (found < 0)
		return km_json_fail(c->doc, obj, c->err,
		                    "add unit, cgroup, container, executable, pidfile or command",
		                    "nothing says how to find the service");
	*ret = found;
	return 0;
}

static int check_command_only(const struct compile *c, const cJSON *obj)
{
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(command_only); i++) {
		const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, command_only[i]);

		if (node)
			return km_json_fail(c->doc, node, c->err, "take it out",
			                    "\"%s\" applies only to a \"command\"",
			                    command_only[i]);
	}
	return 0;
}

static int check_texts(const struct compile *c, const cJSON *obj)
{
	int r = check_text(c, obj, "name", name_fault);

	if (r == 0)
		r = check_text(c, obj, "group", name_fault);
	if (r == 0)
		r = check_text(c, obj, "user", user_fault);
	if (r == 0)
		r = check_text(c, obj, "directory", path_fault);
	return r;
}

static int read_service(const struct compile *c, const cJSON *obj, struct km_service_def *def)
{
	struct service_text t = {
		.def = { .limits = { KM_UNKNOWN, KM_UNKNOWN, KM_UNKNOWN },
		         .stop_timeout_ns = 10 * KM_NS_PER_S,
		         .instances = 1 },
	};
	int r;

	r = km_json_read(c->doc, obj, service_fields, &t, c->err);
	if (r == 0)
		r = check_texts(c, obj);
	if (r == 0)
		r = choose_way(c, obj, &t.def.kind);
	if (r < 0)
		return r;
	if (t.def.kind == KM_BY_COMMAND) {
		if (!cJSON_GetObjectItemCaseSensitive(obj, "autostart"))
			t.def.autostart = true;
		if (!t.def.directory[0])
			km_copy(t.def.directory, sizeof(t.def.directory), "/");
		*def = t.def;
		return read_command(c, &t, def);
	}
	km_copy(t.def.match, sizeof(t.def.match), t.ways[t.def.kind]);
	*def = t.def;
	r = check_text(c, obj, km_service_kind_names[def->kind], match_faults[def->kind]);
	return r < 0 ? r : check_command_only(c, obj);
}

/* A service and where it was written, for the search for doubles. */
struct written {
	const struct km_service_def *def;
	const cJSON *node;
};

static int in_text_order(const struct written *a, const struct written *b)
{
	return (a->def > b->def) - (a->def < b->def);
}

static int by_name(const void *a, const void *b)
{
	int d = strcmp(((const struct written *)a)->def->name,
	               ((const struct written *)b)->def->name);

	return d ? d : in_text_order(a, b);
}

static int by_match(const void *a, const void *b)
{
	const struct km_service_def *x = ((const struct written *)a)->def;
	const struct km_service_def *y = ((const struct written *)b)->def;
	int d = (int)x->kind - (int)y->kind;

	if (!d)
		d = strcmp(x->match, y->match);
	return d ? d : in_text_order(a, b);
}

/* One thing under two names would have two budgets and two repairs at a time. */
static int check_doubles(const struct compile *c, struct written *w, size_t count)
{
	size_t i;

	qsort(w, count, sizeof(*w), by_name);
	for (i = 1; i < count; i++)
		if (!strcmp(w[i - 1].def->name, w[i].def->name))
			return km_json_fail(c->doc, w[i].node, c->err, "choose another name",
			                    "service \"%.100s\" is there twice, first in line %u",
			                    w[i].def->name, km_json_line(c->doc, w[i - 1].node));
	qsort(w, count, sizeof(*w), by_match);
	for (i = 1; i < count; i++)
		if (w[i].def->kind != KM_BY_COMMAND && w[i - 1].def->kind == w[i].def->kind &&
		    !strcmp(w[i - 1].def->match, w[i].def->match))
			return km_json_fail(c->doc, w[i].node, c->err, "keep one of them",
			                    "the same %s as service \"%.100s\" in line %u",
			                    km_service_kind_names[w[i].def->kind],
			                    w[i - 1].def->name,
			                    km_json_line(c->doc, w[i - 1].node));
	return 0;
}

static int by_group(const void *a, const void *b)
{
	return strcmp((*(struct km_service_def *const *)a)->group,
	              (*(struct km_service_def *const *)b)->group);
}

static int count_instances(struct km_config *config)
{
	struct km_service_def **order =
		calloc(config->service_count, sizeof(struct km_service_def *));
	size_t i, j, k;

	if (!order)
		return -ENOMEM;
	for (i = 0; i < config->service_count; i++)
		order[i] = &config->services[i];
	qsort(order, config->service_count, sizeof(*order), by_group);
	for (i = 0; i < config->service_count; i = j) {
		for (j = i; j < config->service_count && !by_group(&order[i], &order[j]);)
			j++;
		for (k = i; k < j && order[i]->group[0]; k++)
			order[k]->instances = j - i;
	}
	free(order);
	return 0;
}

static int def_by_name(const void *a, const void *b)
{
	return strcmp(((const struct km_service_def *)a)->name,
	              ((const struct km_service_def *)b)->name);
}

static int read_each(const struct compile *c, const cJSON *list, struct km_config *config)
{
	struct written *w = calloc(cJSON_GetArraySize(list), sizeof(*w));
	const cJSON *node;
	int r = w ? 0 : -ENOMEM;

	for (node = list->child; node && r == 0; node = node->next) {
		struct km_service_def *def = &config->services[config->service_count];

		w[config->service_count].def = def;
		w[config->service_count].node = node;
		config->service_count++;
		r = read_service(c, node, def);
	}
	if (r == 0)
		r = check_doubles(c, w, config->service_count);
	free(w);
	return r;
}

static int read_services(const struct compile *c, const cJSON *list, struct km_config *config)
{
	int count = cJSON_GetArraySize(list), r;

	if (count == 0)
		return 0;
	if (count > KM_SERVICES_MAX)
		return km_json_fail(c->doc, cJSON_GetArrayItem(list, KM_SERVICES_MAX), c->err,
		                    "split the host", "more than %d services", KM_SERVICES_MAX);
	config->services = calloc(count, sizeof(*config->services));
	if (!config->services)
		return -ENOMEM;
	r = read_each(c, list, config);
	if (r < 0)
		return r;
	qsort(config->services, count, sizeof(*config->services), def_by_name);
	return count_instances(config);
}

#define SET(member) offsetof(struct km_settings, member)

/* history is read as a duration into history_days and divided then. */
static const struct km_json_field settings_fields[] = {
	{ "sample_period", KM_JSON_DURATION, .offset = SET(sample_period_ns),
	  .min = 100 * KM_NS_PER_MS, .max = MINUTE_NS },
	{ "horizon", KM_JSON_DURATION, .offset = SET(horizon_ns), .min = MINUTE_NS,
	  .max = 30 * DAY_NS },
	{ "history", KM_JSON_DURATION, .offset = SET(history_days), .min = DAY_NS,
	  .max = 365 * DAY_NS },
	{ "socket_group", KM_JSON_STRING, .offset = SET(socket_group), .size = 64 },
	{ .key = NULL },
};

static int read_settings(const struct compile *c, const cJSON *obj, struct km_settings *s)
{
	const cJSON *history = cJSON_GetObjectItemCaseSensitive(obj, "history");
	int r;

	r = km_json_read(c->doc, obj, settings_fields, s, c->err);
	if (r == 0)
		r = check_text(c, obj, "socket_group", user_fault);
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
	.horizon_ns = DAY_NS,
	.history_days = 14,
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

static int read_top(const struct compile *c, struct km_config *config)
{
	const cJSON *root = km_json_root(c->doc);
	struct top top = { 0 };
	int r;

	r = km_json_read(c->doc, root, top_fields, &top, c->err);
	if (r < 0)
		return r;
	if (top.version != 1)
		return km_json_fail(c->doc, cJSON_GetObjectItemCaseSensitive(root, "version"),
		                    c->err, "write 1", "this version is not known here");
	if (top.settings)
		r = read_settings(c, top.settings, &config->settings);
	if (r == 0 && top.services)
		r = read_services(c, top.services, config);
	return r;
}

int km_config_compile(const char *text, size_t len, const char *file, struct km_error *err,
                      struct km_config **ret)
{
	km_autofree(km_config_freep) struct km_config *config = calloc(1, sizeof(*config));
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	int r;

	if (!config)
		return -ENOMEM;
	config->settings = default_settings;
	if (text) {
		r = km_json_parse(text, len, file, err, &doc);
		if (r == 0)
			r = read_top(&(struct compile){ .doc = doc, .err = err }, config);
		if (r < 0)
			return r;
	}
	*ret = km_take(config);
	return 0;
}

struct km_config *km_config_free(struct km_config *c)
{
	size_t i;
	char **arg;

	if (!c)
		return NULL;
	for (i = 0; i < c->service_count; i++) {
		for (arg = c->services[i].argv; arg && *arg; arg++)
			free(*arg);
		free(c->services[i].argv);
	}
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
