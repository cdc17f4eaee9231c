// SPDX-License-Identifier: Apache-2.0
/* What a rule can only name: files and programs, reviewed where the policy is. */
#include "base/config_read.h"
#include "base/policy.h"

/* Files that are younger are at work. */
#define OLDER_DEFAULT_NS (86400 * KM_NS_PER_S)
#define OLDER_MIN_NS     (60 * KM_NS_PER_S)
#define OLDER_MAX_NS     (365 * 86400 * KM_NS_PER_S)
/* Removed at once: more is not a repair but a move. */
#define COUNT_DEFAULT 1000
#define COUNT_MAX     10000
#define BYTES_DEFAULT (1ULL << 30)
#define BYTES_MAX     (1ULL << 50)

static const enum km_verb verbs[] = { KM_ROTATE, KM_TRUNCATE, KM_FREE_SPACE };

struct files_text {
	struct km_files f;
	const cJSON *patterns, *may;
};

#define FILES(member) .offset = offsetof(struct files_text, member)

static const struct km_json_field files_fields[] = {
	{ "name", KM_JSON_STRING, true, FILES(f.name), .size = KM_OBJECT_MAX },
	{ "root", KM_JSON_STRING, true, FILES(f.root), .size = KM_PATH_MAX },
	{ "patterns", KM_JSON_ARRAY, true, FILES(patterns) },
	{ "may", KM_JSON_ARRAY, true, FILES(may) },
	{ "older", KM_JSON_DURATION, false, FILES(f.older_ns), .min = OLDER_MIN_NS,
	  .max = OLDER_MAX_NS },
	{ "count", KM_JSON_COUNT, false, FILES(f.count), .min = 1, .max = COUNT_MAX },
	{ "bytes", KM_JSON_BYTES, false, FILES(f.bytes), .min = 1, .max = BYTES_MAX },
	{ 0 },
};

struct command_text {
	struct km_program c;
	const cJSON *argv;
};

static const struct km_json_field command_fields[] = {
	{ "name", KM_JSON_STRING, true, .offset = offsetof(struct command_text, c.name),
	  .size = KM_OBJECT_MAX },
	{ "argv", KM_JSON_ARRAY, true, .offset = offsetof(struct command_text, argv) },
	{ "user", KM_JSON_STRING, false, .offset = offsetof(struct command_text, c.user),
	  .size = 64 },
	{ 0 },
};

struct maintenance_text {
	const cJSON *services, *window;
};

static const struct km_json_field maintenance_fields[] = {
	{ "services", KM_JSON_ARRAY, true, .offset = offsetof(struct maintenance_text, services) },
	{ "window", KM_JSON_OBJECT, true, .offset = offsetof(struct maintenance_text, window) },
	{ 0 },
};

const struct km_files *km_policy_files(const struct km_policy *p, const char *name)
{
	for (size_t i = 0; i < p->file_count; i++)
		if (strcmp(p->files[i].name, name) == 0)
			return &p->files[i];
	return NULL;
}

const struct km_program *km_policy_program(const struct km_policy *p, const char *name)
{
	for (size_t i = 0; i < p->command_count; i++)
		if (strcmp(p->commands[i].name, name) == 0)
			return &p->commands[i];
	return NULL;
}

void km_policy_free_lists(struct km_policy *p)
{
	for (size_t i = 0; i < p->file_count; i++)
		km_config_free_strings(p->files[i].patterns);
	for (size_t i = 0; i < p->command_count; i++)
		km_config_free_strings(p->commands[i].argv);
	for (size_t i = 0; i < p->maintenance_count; i++)
		km_config_free_strings(p->maintenance[i].services);
	free(p->files);
	free(p->commands);
	free(p->maintenance);
}

static int check_name(const struct km_config_reader *c, const cJSON *obj, const char *name,
                      bool taken)
{
	const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, "name");

	if (!km_verb_is_object(name))
		return km_json_fail(c->doc, node, c->err, NULL,
		                    "the name may have letters, digits, . _ and - only");
	return taken ? km_json_fail(c->doc, node, c->err, NULL, "this name is there already") : 0;
}

/* A pattern is a name or a path below the root, with wildcards. */
static int check_patterns(const struct km_config_reader *c, const cJSON *list)
{
	const cJSON *node;

	cJSON_ArrayForEach(node, list)
	{
		const char *s = node->valuestring;

		if (!*s || *s == '/' || strstr(s, "..") || strlen(s) >= KM_NAME_MAX)
			return km_json_fail(c->doc, node, c->err, "like \"*.log\" or \"cache/*\"",
			                    "a pattern is a path below the root, without ..");
	}
	return 0;
}

static int read_may(const struct km_config_reader *c, const cJSON *list, struct km_files *f)
{
	const cJSON *node;

	cJSON_ArrayForEach(node, list)
	{
		size_t i = 0;

		while (i < KM_ARRAY_SIZE(verbs) &&
		       !(cJSON_IsString(node) &&
		         strcmp(node->valuestring, km_verb_names[verbs[i]]) == 0))
			i++;
		if (i == KM_ARRAY_SIZE(verbs))
			return km_json_fail(c->doc, node, c->err,
			                    "one of: rotate, truncate, free_space",
			                    "this cannot be done to files");
		f->may[verbs[i]] = true;
	}
	return 0;
}

static int read_files(const struct km_config_reader *c, const cJSON *obj, struct km_policy *p)
{
	static const struct km_config_strings patterns = { "patterns", "a pattern",
		                                           KM_FILES_PATTERNS_MAX, KM_NAME_MAX };
	struct files_text t = { .f = { .older_ns = OLDER_DEFAULT_NS,
		                       .count = COUNT_DEFAULT,
		                       .bytes = BYTES_DEFAULT } };
	struct km_files *f = &p->files[p->file_count];
	int r = km_json_read(c->doc, obj, files_fields, &t, c->err);
	const char *fault;

	if (r == 0)
		r = check_name(c, obj, t.f.name, km_policy_files(p, t.f.name));
	if (r < 0)
		return r;
	fault = km_config_program_fault(t.f.root);
	if (fault)
		return km_json_fail(c->doc, obj, c->err, NULL, "the root %s", fault);
	*f = t.f;
	p->file_count++;
	r = km_config_read_strings(c, t.patterns, &patterns, &f->patterns);
	if (r == 0)
		r = check_patterns(c, t.patterns);
	return r < 0 ? r : read_may(c, t.may, f);
}

static int read_command(const struct km_config_reader *c, const cJSON *obj, struct km_policy *p)
{
	static const struct km_config_strings argv = { "argv", "an argument", KM_ARGV_MAX,
		                                       KM_ARG_MAX };
	struct km_program *cmd = &p->commands[p->command_count];
	struct command_text t = { 0 };
	int r = km_json_read(c->doc, obj, command_fields, &t, c->err);
	const char *fault;

	if (r == 0)
		r = check_name(c, obj, t.c.name, km_policy_program(p, t.c.name));
	if (r == 0)
		r = km_config_check_text(c, obj, "user", km_config_user_fault);
	if (r < 0)
		return r;
	*cmd = t.c;
	p->command_count++;
	r = km_config_read_strings(c, t.argv, &argv, &cmd->argv);
	if (r < 0)
		return r;
	fault = km_config_program_fault(cmd->argv[0]);
	return fault ? km_json_fail(c->doc, t.argv->child, c->err, "no shell and no PATH are used",
	                            "the program %s", fault)
	             : 0;
}

static int read_maintenance(const struct km_config_reader *c, const cJSON *obj, struct km_policy *p)
{
	static const struct km_config_strings services = { "services", "a pattern",
		                                           KM_POLICY_GLOBS_MAX, KM_NAME_MAX };
	struct km_maintenance *m = &p->maintenance[p->maintenance_count];
	struct maintenance_text t = { 0 };
	int r = km_json_read(c->doc, obj, maintenance_fields, &t, c->err);

	if (r < 0)
		return r;
	p->maintenance_count++;
	r = km_config_read_strings(c, t.services, &services, &m->services);
	return r < 0 ? r : km_window_read(c->doc, t.window, c->err, &m->window);
}

struct list_kind {
	size_t size; /* of one */
	int (*read)(const struct km_config_reader *c, const cJSON *obj, struct km_policy *p);
};

static const struct list_kind files_kind = { sizeof(struct km_files), read_files };
static const struct list_kind command_kind = { sizeof(struct km_program), read_command };
static const struct list_kind maintenance_kind = { sizeof(struct km_maintenance),
	                                           read_maintenance };

/* Each object of LIST; *RET holds them. */
static int read_list(const struct km_config_reader *c, const cJSON *list,
                     const struct list_kind *kind, struct km_policy *p, void **ret)
{
	int count = list ? cJSON_GetArraySize(list) : 0, r = 0;
	const cJSON *node;

	if (count > KM_POLICY_LISTS_MAX)
		return km_json_fail(c->doc, list, c->err, NULL, "more than %d of them",
		                    KM_POLICY_LISTS_MAX);
	*ret = calloc((size_t)count + 1, kind->size);
	if (!*ret)
		return -ENOMEM;
	for (node = list ? list->child : NULL; node && r == 0; node = node->next)
		r = kind->read(c, node, p);
	return r;
}

int km_policy_read_lists(struct km_json *doc, const struct km_policy_lists *lists,
                         struct km_error *err, struct km_policy *p)
{
	const struct km_config_reader c = { .doc = doc, .err = err };
	int r = read_list(&c, lists->files, &files_kind, p, (void **)&p->files);

	if (r == 0)
		r = read_list(&c, lists->commands, &command_kind, p, (void **)&p->commands);
	if (r == 0)
		r = read_list(&c, lists->maintenance, &maintenance_kind, p,
		              (void **)&p->maintenance);
	return r;
}
