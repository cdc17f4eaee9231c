// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "base/policy.h"
#include "base/text.h"

/* A host without one of these cannot be reached or mended any more. */
static const char *const built_in[] = {
	"init",
	"init.scope",
	"-.slice",
	"-.mount",
	"system.slice",
	"user.slice",
	"systemd",
	"systemd-*",
	"emergency.service",
	"rescue.service",
	"kmend.service",
	"kmendd.service",
	"ssh.service",
	"ssh@*.service",
	"sshd.service",
	"sshd@*.service",
	"dbus.service",
	"dbus-daemon",
	"dbus-broker.service",
	"polkit.service",
	"polkitd",
	"udev.service",
	"NetworkManager.service",
	"networking.service",
	"getty@*.service",
	"agetty",
	"autovt@*.service",
	"serial-getty@*.service",
	"container-getty@*.service",
	"console-getty.service",
	"user@*.service",
	"user-runtime-dir@*.service",
	"session-*.scope",
	NULL,
};

struct compile {
	struct km_json *doc;
	struct km_error *err;
};

static char **free_globs(char **globs)
{
	char **g;

	for (g = globs; g && *g; g++)
		free(*g);
	free(globs);
	return NULL;
}

struct km_policy *km_policy_free(struct km_policy *p)
{
	if (!p)
		return NULL;
	free_globs(p->services);
	free_globs(p->protect);
	km_policy_free_lists(p);
	free(p);
	return NULL;
}

static int read_verbs(const struct compile *c, const cJSON *list, struct km_policy *p)
{
	char remedy[sizeof(c->err->remedy)];
	const cJSON *node;
	int i;

	for (node = list->child; node; node = node->next) {
		if (!cJSON_IsString(node))
			return km_json_fail(c->doc, node, c->err, NULL, "a verb must be a string");
		for (i = KM_START; i < KM_VERB_MAX; i++)
			if (!strcmp(node->valuestring, km_verb_names[i]))
				break;
		if (i == KM_VERB_MAX)
			return km_json_fail(c->doc, node, c->err,
			                    km_json_names(km_verb_names + 1, remedy,
			                                  sizeof(remedy)),
			                    "no verb \"%.100s\"", node->valuestring);
		p->verbs[i] = true;
	}
	return 0;
}

/* What a glob of service names can be made of. */
static const char *glob_fault(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._@:-*?";

	if (!*s)
		return "must not be empty";
	if (strlen(s) >= KM_NAME_MAX)
		return "is longer than a name can be";
	if (s[strspn(s, allowed)])
		return "may have letters, digits, . _ @ : - and the wildcards * ? only";
	return NULL;
}

static int read_globs(const struct compile *c, const cJSON *list, char **globs)
{
	const cJSON *node;

	for (node = list->child; node; node = node->next) {
		const char *fault =
			cJSON_IsString(node) ? glob_fault(node->valuestring) : "must be a string";

		if (fault)
			return km_json_fail(c->doc, node, c->err, NULL, "a pattern %s", fault);
		*globs = strdup(node->valuestring);
		if (!*globs++)
			return -ENOMEM;
	}
	return 0;
}

/* LIST NULL: an empty list. */
static int new_globs(const struct compile *c, const cJSON *list, char ***ret)
{
	int count = list ? cJSON_GetArraySize(list) : 0;

	if (count > KM_POLICY_GLOBS_MAX)
		return km_json_fail(c->doc, list, c->err, "use wildcards", "more than %d patterns",
		                    KM_POLICY_GLOBS_MAX);
	*ret = calloc(count + 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	return list ? read_globs(c, list, *ret) : 0;
}

struct budget_text {
	uint64_t count, per_ns;
};

/* Windows: shorter than a second bounds nothing, longer than a week outlives most reasons. */
static const struct km_json_field budget_fields[] = {
	{ "count", KM_JSON_COUNT, .required = true, .offset = offsetof(struct budget_text, count),
	  .max = KM_POLICY_BUDGET_MAX },
	{ "per", KM_JSON_DURATION, .required = true, .offset = offsetof(struct budget_text, per_ns),
	  .min = KM_NS_PER_S, .max = 7 * 86400 * KM_NS_PER_S },
	{ .key = NULL },
};

static int read_budget(const struct compile *c, const cJSON *obj, struct km_budget *ret)
{
	struct budget_text t = { 0 };
	int r;

	if (!obj)
		return 0;
	r = km_json_read(c->doc, obj, budget_fields, &t, c->err);
	if (r < 0)
		return r;
	ret->count = t.count;
	ret->per_ns = t.per_ns;
	return 0;
}

struct budgets {
	const cJSON *service, *host;
};

static const struct km_json_field budgets_fields[] = {
	{ "service", KM_JSON_OBJECT, .offset = offsetof(struct budgets, service) },
	{ "host", KM_JSON_OBJECT, .offset = offsetof(struct budgets, host) },
	{ .key = NULL },
};

static int read_budgets(const struct compile *c, const cJSON *obj, struct km_policy *p)
{
	struct budgets b = { 0 };
	int r;

	r = km_json_read(c->doc, obj, budgets_fields, &b, c->err);
	if (r == 0)
		r = read_budget(c, b.service, &p->per_service);
	if (r == 0)
		r = read_budget(c, b.host, &p->per_host);
	return r;
}

struct signatures {
	char key[KM_PATH_MAX];
	bool required;
};

static const struct km_json_field signature_fields[] = {
	{ "key", KM_JSON_STRING, .required = true, .offset = offsetof(struct signatures, key),
	  .size = KM_PATH_MAX },
	{ "required", KM_JSON_BOOL, .offset = offsetof(struct signatures, required) },
	{ .key = NULL },
};

static int read_signatures(const struct compile *c, const cJSON *obj, struct km_policy *p)
{
	struct signatures s = { .required = true };
	int r = km_json_read(c->doc, obj, signature_fields, &s, c->err);

	if (r < 0)
		return r;
	if (s.key[0] != '/')
		return km_json_fail(c->doc, cJSON_GetObjectItemCaseSensitive(obj, "key"), c->err,
		                    "like \"/etc/kmend/rules.pub\"",
		                    "\"key\" must be an absolute path");
	km_copy(p->signature_key, sizeof(p->signature_key), s.key);
	p->signature_required = s.required;
	return 0;
}

struct top {
	uint64_t version, concurrent;
	const cJSON *verbs, *services, *protect, *budget, *signatures;
	struct km_policy_lists lists;
	double shadow;
	bool pause;
};

#define AT(member) offsetof(struct top, member)

static const struct km_json_field top_fields[] = {
	{ "version", KM_JSON_COUNT, .required = true, .offset = AT(version) },
	{ "verbs", KM_JSON_ARRAY, .offset = AT(verbs) },
	{ "services", KM_JSON_ARRAY, .offset = AT(services) },
	{ "protect", KM_JSON_ARRAY, .offset = AT(protect) },
	{ "budget", KM_JSON_OBJECT, .offset = AT(budget) },
	{ "concurrent", KM_JSON_COUNT, .offset = AT(concurrent), .min = 1,
	  .max = KM_POLICY_CONCURRENT_MAX },
	{ "pause", KM_JSON_BOOL, .offset = AT(pause) },
	{ "shadow", KM_JSON_SHARE, .offset = AT(shadow) },
	{ "signatures", KM_JSON_OBJECT, .offset = AT(signatures) },
	{ "files", KM_JSON_ARRAY, .offset = AT(lists.files) },
	{ "commands", KM_JSON_ARRAY, .offset = AT(lists.commands) },
	{ "maintenance", KM_JSON_ARRAY, .offset = AT(lists.maintenance) },
	{ .key = NULL },
};

static int read_top(const struct compile *c, struct km_policy *p)
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
	p->pause = top.pause;
	p->shadow_ppm = (uint32_t)(top.shadow * 1e6 + 0.5);
	if (top.concurrent)
		p->concurrent = (uint32_t)top.concurrent;
	if (top.verbs)
		r = read_verbs(c, top.verbs, p);
	if (r == 0)
		r = new_globs(c, top.services, &p->services);
	if (r == 0)
		r = new_globs(c, top.protect, &p->protect);
	if (r == 0 && top.budget)
		r = read_budgets(c, top.budget, p);
	if (r == 0 && top.signatures)
		r = read_signatures(c, top.signatures, p);
	return r < 0 ? r : km_policy_read_lists(c->doc, &top.lists, c->err, p);
}

static int empty_lists(struct km_policy *p)
{
	int r = new_globs(NULL, NULL, &p->services);

	return r < 0 ? r : new_globs(NULL, NULL, &p->protect);
}

int km_policy_compile(const char *text, size_t len, const char *file, struct km_error *err,
                      struct km_policy **ret)
{
	km_autofree(km_policy_freep) struct km_policy *p = calloc(1, sizeof(*p));
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	int r;

	if (!p)
		return -ENOMEM;
	p->verbs[KM_NOTIFY] = true;
	p->per_service = (struct km_budget){ 5, 600 * KM_NS_PER_S };
	p->per_host = (struct km_budget){ 20, 600 * KM_NS_PER_S };
	p->concurrent = 4;
	if (!text) {
		r = empty_lists(p);
	} else {
		r = km_json_parse(text, len, file, err, &doc);
		if (r == 0)
			r = read_top(&(struct compile){ .doc = doc, .err = err }, p);
	}
	if (r < 0)
		return r;
	*ret = km_take(p);
	return 0;
}

static bool matches(const char *const *globs, const char *s)
{
	for (; *globs; globs++)
		if (km_glob(*globs, s))
			return true;
	return false;
}

bool km_policy_protects(const struct km_policy *p, const char *service)
{
	char as_unit[KM_NAME_MAX + sizeof(".service")];

	if (matches(built_in, service) || matches((const char *const *)p->protect, service))
		return true;
	/* "sshd" in the configuration is as precious as "sshd.service". */
	snprintf(as_unit, sizeof(as_unit), "%.*s.service", KM_NAME_MAX - 1, service);
	return matches(built_in, as_unit);
}

bool km_policy_allows(const struct km_policy *p, enum km_verb verb, const char *service)
{
	if (verb == KM_NOTIFY)
		return true;
	/* Who may do a thing may take it back. */
	if ((int)verb <= KM_VERB_NONE || verb >= KM_VERB_MAX || p->pause ||
	    (verb != KM_UNDO && !p->verbs[verb]))
		return false;
	/* A filesystem or the host is no service: what may be done there has a name of its own. */
	if (km_verb_of_host(verb) && (!strncmp(service, "fs:", 3) || !strcmp(service, "host")))
		return true;
	return *service && matches((const char *const *)p->services, service) &&
	       !km_policy_protects(p, service);
}

bool km_policy_maintains(const struct km_policy *p, const char *service, uint64_t realtime_s)
{
	for (size_t i = 0; i < p->maintenance_count; i++) {
		const struct km_maintenance *m = &p->maintenance[i];

		if (km_window_open(&m->window, realtime_s) &&
		    matches((const char *const *)m->services, service))
			return true;
	}
	return false;
}

/* Every service lies in some slice, and every service of a user below user@.service: as parents
 * they protect nothing. */
static bool only_a_parent(const char *part, bool last)
{
	size_t len = strlen(part);

	return !last &&
	       ((len > 6 && !strcmp(part + len - 6, ".slice")) || !strncmp(part, "user@", 5));
}

static bool protects_cgroup(const struct km_policy *p, const char *path)
{
	char part[KM_NAME_MAX];
	size_t len;

	for (; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len >= sizeof(part))
			continue;
		memcpy(part, path, len);
		part[len] = '\0';
		if (!only_a_parent(part, !path[len]) && km_policy_protects(p, part))
			return true;
	}
	return false;
}

/* The last component of PATH, without ".pid". */
static bool protects_program(const struct km_policy *p, const char *path)
{
	const char *slash = strrchr(path, '/');
	char name[KM_NAME_MAX];
	size_t len;

	km_copy(name, sizeof(name), slash ? slash + 1 : path);
	len = strlen(name);
	if (len > 4 && !strcmp(name + len - 4, ".pid"))
		name[len - 4] = '\0';
	return km_policy_protects(p, name);
}

bool km_policy_allows_def(const struct km_policy *p, enum km_verb verb,
                          const struct km_service_def *def)
{
	if (verb == KM_NOTIFY)
		return true;
	if (!km_policy_allows(p, verb, def->name))
		return false;
	switch (def->kind) {
	case KM_BY_UNIT:
		return !km_policy_protects(p, def->match);
	case KM_BY_CGROUP:
		return !protects_cgroup(p, def->match);
	case KM_BY_EXECUTABLE:
	case KM_BY_PIDFILE:
		return !protects_program(p, def->match);
	case KM_BY_COMMAND:
		return !protects_program(p, def->argv[0]);
	default:
		return true;
	}
}
