// SPDX-License-Identifier: Apache-2.0
/* "scope": which services a rule is about. None is in it because nothing was said. */
#include "match/compile.h"

#include <stdio.h>

#include "base/catalogue.h"
#include "base/text.h"

/* The label in which a definition says what image its container is made from: the kernel, where all
 * else comes from, does not know it. */
#define IMAGE_LABEL "image"

/* What labels are made of besides letters and digits. */
#define LABEL_MORE "._/:@-"

struct scope {
	int entity;
	const cJSON *services, *names, *units, *images, *labels;
	bool all;
};

#define SCOPE(member) .offset = offsetof(struct scope, member)

static const struct km_json_field scope_fields[] = {
	{ "entity", KM_JSON_ENUM, false, SCOPE(entity), .names = km_entity_names },
	{ "services", KM_JSON_ARRAY, false, SCOPE(services) },
	{ "names", KM_JSON_ARRAY, false, SCOPE(names) },
	{ "units", KM_JSON_ARRAY, false, SCOPE(units) },
	{ "images", KM_JSON_ARRAY, false, SCOPE(images) },
	{ "labels", KM_JSON_OBJECT, false, SCOPE(labels) },
	{ "all", KM_JSON_BOOL, false, SCOPE(all) },
	{ 0 }
};

static const char *const remedy = "name services, or write {\"all\": true}";

static int refuse_stars(struct km_compile *c, const cJSON *array, char **globs)
{
	for (char **glob = globs; *glob; glob++)
		if (!(*glob)[strspn(*glob, "*")])
			return km_json_fail(c->doc, cJSON_GetArrayItem(array, (int)(glob - globs)),
			                    c->err, remedy, "the glob \"*\" means all services");
	return 0;
}

/* One byte is one character, for loader and schema alike. */
static bool is_made_of(const char *s, const char *more, size_t most)
{
	size_t n = 0;

	while (strchr(more, s[n]) ? s[n] != 0
	                          : (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
	                                    (s[n] >= '0' && s[n] <= '9'))
		n++;
	return n && n <= most && !s[n];
}

static int check_globs(struct km_compile *c, const cJSON *array, char **globs)
{
	for (char **glob = globs; *glob; glob++)
		if (!is_made_of(*glob, "._@:/\\>-*?", KM_NAME_MAX - 1))
			return km_json_fail(
				c->doc, cJSON_GetArrayItem(array, (int)(glob - globs)), c->err,
				NULL,
				"a glob may have letters, digits and . _ @ : / \\ > - * ? only");
	return refuse_stars(c, array, globs);
}

static int read_globs(struct km_compile *c, const cJSON *array, const char *what, char ***ret)
{
	int r = array ? km_compile_strings(c, array, KM_SCOPE_MAX, what, ret) : 0;

	return r < 0 || !array ? r : check_globs(c, array, *ret);
}

static int read_label(struct km_compile *c, const cJSON *node, char **ret)
{
	if (!cJSON_IsString(node) || !is_made_of(node->string, LABEL_MORE, KM_LABEL_MAX - 1) ||
	    !is_made_of(node->valuestring, LABEL_MORE "*?", KM_LABEL_MAX - 1))
		return km_json_fail(c->doc, node, c->err,
		                    "like \"tier\": \"web\", or \"*\" for any",
		                    "this is not the name and value of a label");
	return asprintf(ret, "%s=%s", node->string, node->valuestring) < 0 ? -ENOMEM : 0;
}

static int read_labels(struct km_compile *c, const cJSON *obj)
{
	size_t n = (size_t)cJSON_GetArraySize(obj), i = 0;
	const cJSON *node;

	if (!n)
		return km_json_fail(c->doc, obj, c->err, "name at least one", "no label is given");
	if (n > KM_LABELS_MAX)
		return km_json_fail(c->doc, obj, c->err, "no service has so many",
		                    "more than %d labels", KM_LABELS_MAX);
	c->rule.labels = calloc(n + 1, sizeof(char *));
	if (!c->rule.labels)
		return -ENOMEM;
	cJSON_ArrayForEach(node, obj)
	{
		int r = read_label(c, node, &c->rule.labels[i++]);

		if (r < 0) {
			c->rule.labels[i - 1] = NULL;
			return r;
		}
	}
	return 0;
}

/* Only services have units, images and labels; what is none has only a name. */
static int check_entity(struct km_compile *c, const struct scope *s)
{
	const cJSON *of_service = s->services ?: s->units ?: s->images ?: s->labels;

	if (s->entity != KM_ENTITY_SERVICE && of_service)
		return km_json_fail(c->doc, of_service, c->err, "use \"names\", or \"all\": true",
		                    "only a service has \"%s\"", of_service->string);
	if (s->entity == KM_ENTITY_SERVICE && s->names)
		return km_json_fail(c->doc, s->names, c->err,
		                    "use \"services\", or say the \"entity\"",
		                    "\"names\" are of what is no service");
	return 0;
}

int km_compile_scope(struct km_compile *c, const cJSON *node)
{
	struct scope s = { 0 };
	int r = km_json_read(c->doc, node, scope_fields, &s, c->err);
	const cJSON *list;

	if (r < 0)
		return r;
	r = check_entity(c, &s);
	if (r < 0)
		return r;
	list = s.services ?: s.names ?: s.units ?: s.images ?: s.labels;
	c->rule.entity = (enum km_entity)s.entity;
	if (s.all && list)
		return km_json_fail(c->doc, list, c->err, "keep one of the two",
		                    "the scope is both all services and a list");
	if (!s.all && !list)
		return km_json_fail(c->doc, node, c->err, remedy, "the scope is empty");
	c->rule.all_services = s.all;
	r = read_globs(c, s.services ?: s.names, s.names ? "name" : "service", &c->rule.services);
	if (r >= 0)
		r = read_globs(c, s.units, "unit", &c->rule.units);
	if (r >= 0)
		r = read_globs(c, s.images, "image", &c->rule.images);
	return r < 0 || !s.labels ? r : read_labels(c, s.labels);
}

static bool matches(char **globs, const char *s)
{
	for (; s && *globs; globs++)
		if (km_glob(*globs, s))
			return true;
	return false;
}

/* What no definition names is found by its cgroup, a unit under the unit's own name. */
static const char *unit_of(const struct km_service *s, const struct km_service_def *def)
{
	if (s->kind != KM_BY_UNIT)
		return NULL;
	return def ? def->match : s->name;
}

static const char *label_of(const struct km_service_def *def, const char *name)
{
	return def ? km_config_label(def, name) : NULL;
}

static bool has_label(const struct km_service_def *def, const char *wanted)
{
	const char *glob = strchr(wanted, '=');
	char name[KM_LABEL_MAX] = { 0 };
	const char *value;

	memcpy(name, wanted, (size_t)(glob - wanted));
	value = label_of(def, name);
	return value && km_glob(glob + 1, value);
}

/* "/var" of "fs:/var". */
static const char *plain_name(const struct km_service *s)
{
	static const char *const prefix[KM_ENTITY_MAX] = {
		[KM_ENTITY_DEVICE] = "dev:", [KM_ENTITY_FILESYSTEM] = "fs:"
	};
	const char *p = prefix[km_service_entity(s)];

	return p && !strncmp(s->name, p, strlen(p)) ? s->name + strlen(p) : s->name;
}

bool km_rule_covers(const struct km_rule *r, const struct km_service *s,
                    const struct km_service_def *def)
{
	if (km_service_entity(s) != r->entity)
		return false;
	if (r->all_services)
		return true;
	if ((r->services && !matches(r->services, plain_name(s))) ||
	    (r->units && !matches(r->units, unit_of(s, def))) ||
	    (r->images && !matches(r->images, label_of(def, IMAGE_LABEL))))
		return false;
	for (char **l = r->labels; l && *l; l++)
		if (!has_label(def, *l))
			return false;
	return r->services || r->units || r->images || r->labels;
}
