// SPDX-License-Identifier: Apache-2.0
/* One service of the configuration, as written. */
#include <signal.h>
#include <stdio.h>

#include "base/config_read.h"

#define MINUTE_NS (60 * KM_NS_PER_S)
/* Instances of one definition: more than that are one service each, with a number of its own. */
#define INSTANCES_MAX 64

/* Every way to find a service has its own place until one is chosen. */
struct service_text {
	struct km_service_def def;
	char ways[KM_BY_COMMAND][KM_PATH_MAX];
	int stop_signal; /* index in stop_signals */
	int reload;      /* index in reload_signals */
	uint64_t instances;
	const cJSON *command;
	const cJSON *limits;
	const cJSON *labels;
	const cJSON *needs;
	const cJSON *endpoints;
	const cJSON *health;
};

/* What asks a process to end; SIGKILL follows anyway. */
static const char *const stop_signal_names[] = { "SIGTERM", "SIGINT",  "SIGQUIT", "SIGHUP",
	                                         "SIGUSR1", "SIGUSR2", NULL };
/* What makes it read its configuration again. */
static const char *const reload_names[] = { "SIGHUP", "SIGUSR1", "SIGUSR2", NULL };
static const int reload_signals[] = { SIGHUP, SIGUSR1, SIGUSR2 };
static const int stop_signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };

#define AT(member)  offsetof(struct service_text, member)
#define WAY(k, len) .offset = AT(ways) + (k)*KM_PATH_MAX, .size = (len)

/* Below 100 ms a process gets no chance to stop; past 15 min nobody waits for a repair. */
static const struct km_json_field service_fields[] = {
	{ "name", KM_JSON_STRING, .offset = AT(def.name), .size = KM_NAME_MAX },
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
	{ "stop_signal", KM_JSON_ENUM, .offset = AT(stop_signal), .names = stop_signal_names },
	{ "reload", KM_JSON_ENUM, .offset = AT(reload), .names = reload_names },
	{ "instances", KM_JSON_COUNT, .offset = AT(instances), .min = 1, .max = INSTANCES_MAX },
	{ "labels", KM_JSON_OBJECT, .offset = AT(labels) },
	{ "needs", KM_JSON_ARRAY, .offset = AT(needs) },
	{ "endpoints", KM_JSON_ARRAY, .offset = AT(endpoints) },
	{ "health", KM_JSON_ARRAY, .offset = AT(health) },
	{ "autostart", KM_JSON_BOOL, .offset = AT(def.autostart) },
	{ .key = NULL },
};

/* Keys that say how kmend runs a command; without one there is nothing they could apply to. */
static const char *const command_only[] = { "user",        "directory", "limits",   "stop_timeout",
	                                    "stop_signal", "reload",    "autostart" };

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

static int read_command(const struct km_config_reader *c, const struct service_text *t,
                        struct km_service_def *def)
{
	static const struct km_config_strings argv = { "command", "an argument", KM_ARGV_MAX,
		                                       KM_ARG_MAX };
	const char *fault;
	int r = km_config_read_strings(c, t->command, &argv, &def->argv);

	if (r == 0 && t->limits)
		r = km_json_read(c->doc, t->limits, limit_fields, &def->limits, c->err);
	if (r < 0)
		return r;
	fault = km_config_program_fault(def->argv[0]);
	if (fault)
		return km_json_fail(c->doc, t->command->child, c->err,
		                    "no shell and no PATH are used", "the program %s", fault);
	return 0;
}

static const char *label_fault(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._/:@-";

	if (!*s)
		return "must not be empty";
	if (strlen(s) >= KM_LABEL_MAX)
		return "is too long";
	return s[strspn(s, allowed)] ? "may have letters, digits and . _ / : @ - only" : NULL;
}

static int read_label(const struct km_config_reader *c, const cJSON *node, struct km_label *ret)
{
	const char *fault = label_fault(node->string);

	if (fault)
		return km_json_fail(c->doc, node, c->err, NULL, "the label's name %s", fault);
	if (!cJSON_IsString(node))
		return km_json_fail(c->doc, node, c->err, "put it in quotes",
		                    "a label's value must be a string");
	fault = label_fault(node->valuestring);
	if (fault)
		return km_json_fail(c->doc, node, c->err, NULL, "the label's value %s", fault);
	km_copy(ret->name, sizeof(ret->name), node->string);
	km_copy(ret->value, sizeof(ret->value), node->valuestring);
	return 0;
}

static int read_labels(const struct km_config_reader *c, const cJSON *obj,
                       struct km_service_def *def)
{
	int count = cJSON_GetArraySize(obj), r = 0;
	const cJSON *node;

	if (count > KM_LABELS_MAX)
		return km_json_fail(c->doc, obj, c->err, NULL, "more than %d labels",
		                    KM_LABELS_MAX);
	def->labels = calloc((size_t)count + 1, sizeof(*def->labels));
	if (!def->labels)
		return -ENOMEM;
	for (node = obj->child; node && r == 0; node = node->next)
		r = read_label(c, node, &def->labels[def->label_count++]);
	return r;
}

/* Which of the ways OBJ uses: exactly one. */
static int choose_way(const struct km_config_reader *c, const cJSON *obj, enum km_service_kind *ret)
{
	int k, found = -1;

	for (k = 0; k <= KM_BY_COMMAND; k++) {
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

static int check_command_only(const struct km_config_reader *c, const cJSON *obj)
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

static int check_texts(const struct km_config_reader *c, const cJSON *obj)
{
	int r = km_config_check_text(c, obj, "name", km_config_name_fault);

	if (r == 0)
		r = km_config_check_text(c, obj, "group", km_config_name_fault);
	if (r == 0)
		r = km_config_check_text(c, obj, "user", km_config_user_fault);
	if (r == 0)
		r = km_config_check_text(c, obj, "directory", km_config_path_fault);
	return r;
}

/* What kmend finds by itself is adopted under the name that it has already: its unit, or as much of
 * the container's id as is shown. */
static int name_it(const struct km_config_reader *c, const cJSON *obj, struct service_text *t)
{
	if (t->def.name[0])
		return 0;
	if (t->def.kind != KM_BY_UNIT && t->def.kind != KM_BY_CONTAINER)
		return km_json_fail(c->doc, obj, c->err, NULL, "required key \"name\" is missing");
	km_copy(t->def.name, sizeof(t->def.name), t->ways[t->def.kind]);
	if (t->def.kind == KM_BY_CONTAINER)
		t->def.name[KM_CONTAINER_SHOWN] = '\0';
	return 0;
}

/* An owned text; NULL: there is none. */
static int number_text(char **text, unsigned int number)
{
	char longer[KM_ARG_MAX];
	char *copy;

	if (!*text)
		return 0;
	km_copy(longer, sizeof(longer), *text);
	if (km_config_put_number(longer, sizeof(longer), number) < 0)
		return -ENAMETOOLONG;
	copy = strdup(longer);
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int number_texts(char **argv, unsigned int number)
{
	int r = 0;

	for (; argv && *argv && r == 0; argv++)
		r = number_text(argv, number);
	return r;
}

static int number_check(struct km_health_check *c, unsigned int number)
{
	int r = number_text(&c->target, number);

	if (r == 0)
		r = number_text(&c->address, number);
	return r == 0 ? number_texts(c->argv, number) : r;
}

static int number_instance(const struct km_config_reader *c, const cJSON *obj,
                           struct km_service_def *def)
{
	unsigned int number = c->number;
	char base[KM_NAME_MAX];
	size_t len;
	int r;

	km_copy(base, sizeof(base), def->name);
	if (!def->group[0])
		km_copy(def->group, sizeof(def->group), base);
	len = strlen(base);
	r = snprintf(def->name + len, sizeof(def->name) - len, "@%u", number) <
	                    (int)(sizeof(def->name) - len)
	            ? 0
	            : -ENAMETOOLONG;
	if (r == 0)
		r = km_config_put_number(def->match, sizeof(def->match), number);
	if (r == 0)
		r = km_config_put_number(def->directory, sizeof(def->directory), number);
	if (r == 0)
		r = number_texts(def->argv, number);
	for (size_t i = 0; i < def->check_count && r == 0; i++)
		r = number_check(&def->checks[i], number);
	return r == -ENAMETOOLONG
	               ? km_json_fail(c->doc, obj, c->err, "shorten it",
	                              "with its number an instance's name or path is too long")
	               : r;
}

static int read_lists(const struct km_config_reader *c, const struct service_text *t,
                      struct km_service_def *def)
{
	static const struct km_config_strings needs = { "needs", "a service's name", KM_NEEDS_MAX,
		                                        KM_NAME_MAX };
	int r = t->labels ? read_labels(c, t->labels, def) : 0;

	if (r == 0 && t->needs)
		r = km_config_read_strings(c, t->needs, &needs, &def->need_names);
	if (r == 0 && t->health)
		r = km_config_read_checks(c, t->health, def);
	return r == 0 && t->endpoints ? km_config_read_endpoints(c, t->endpoints, def) : r;
}

static int check_match(const struct km_config_reader *c, const cJSON *obj,
                       const struct service_text *t)
{
	const char *key = km_service_kind_names[t->def.kind];
	char match[KM_PATH_MAX];
	const char *what;

	km_copy(match, sizeof(match), t->ways[t->def.kind]);
	km_config_put_number(match, sizeof(match), c->number);
	what = km_config_match_fault(t->def.kind, match);
	if (!what)
		return 0;
	return km_json_fail(c->doc, cJSON_GetObjectItemCaseSensitive(obj, key), c->err, NULL,
	                    "\"%s\" %s", key, what);
}

static int read_way(const struct km_config_reader *c, const cJSON *obj, struct service_text *t,
                    struct km_service_def *def)
{
	int r = choose_way(c, obj, &t->def.kind);

	if (r == 0 && t->def.kind != KM_BY_COMMAND)
		r = check_match(c, obj, t);
	if (r == 0)
		r = name_it(c, obj, t);
	if (r < 0)
		return r;
	if (t->def.kind != KM_BY_COMMAND) {
		km_copy(t->def.match, sizeof(t->def.match), t->ways[t->def.kind]);
		*def = t->def;
		return check_command_only(c, obj);
	}
	if (!cJSON_GetObjectItemCaseSensitive(obj, "autostart"))
		t->def.autostart = true;
	if (!t->def.directory[0])
		km_copy(t->def.directory, sizeof(t->def.directory), "/");
	t->def.stop_signal = stop_signals[t->stop_signal];
	if (cJSON_GetObjectItemCaseSensitive(obj, "reload"))
		t->def.reload_signal = reload_signals[t->reload];
	*def = t->def;
	return read_command(c, t, def);
}

int km_config_read_service(const struct km_config_reader *c, const cJSON *obj,
                           struct km_service_def *def, unsigned int *instances)
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
		r = read_way(c, obj, &t, def);
	if (r == 0)
		r = read_lists(c, &t, def);
	if (r == 0 && t.instances)
		r = number_instance(c, obj, def);
	*instances = t.instances ? (unsigned int)t.instances : 1;
	return r;
}
