// SPDX-License-Identifier: Apache-2.0
#include "review/lookout.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/config.h"
#include "base/text.h"
#include "match/warn.h"
#include "review/files.h"

/* With fewer services on a host a scope that covers all of them tells nothing. */
#define ALL_MIN 3

struct telling {
	km_lookout_ear ear;
	void *userdata;
	const char *file;
};

static void tell(const struct telling *t, unsigned int line, const char *remedy, const char *what)
{
	struct km_error e = { .line = line ? line : 1, .column = 1 };

	km_copy(e.file, sizeof(e.file), t->file);
	km_copy(e.what, sizeof(e.what), what);
	km_copy(e.remedy, sizeof(e.remedy), remedy);
	t->ear(t->userdata, &e);
}

static bool same_list(char *const *a, char *const *b)
{
	if (!a || !b)
		return a == b;
	while (*a && *b && !strcmp(*a, *b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static bool same_scope(const struct km_rule *a, const struct km_rule *b)
{
	if (a->entity != b->entity)
		return false;
	return a->all_services ||
	       (same_list(a->services, b->services) && same_list(a->units, b->units) &&
	        same_list(a->images, b->images) && same_list(a->labels, b->labels));
}

static bool disrupts(const struct km_rule *r)
{
	return r->steps && r->plan[0].verb != KM_NOTIFY;
}

/* A speaks whenever B does, on the same services, and acts as far as B may. */
static bool shadows(const struct km_rule *a, const struct km_rule *b)
{
	if (!disrupts(a) || !disrupts(b) || a->guard.mode < b->guard.mode || !same_scope(a, b))
		return false;
	if (a->unless->span && !(b->unless->span && km_cond_implies(a->unless, b->unless)))
		return false;
	return km_cond_implies(b->when, a->when);
}

void km_lookout_shadowed(struct km_rule *const *rules, size_t count, km_lookout_ear ear,
                         void *userdata)
{
	char what[256];

	for (size_t b = 0; b < count; b++)
		for (size_t a = 0; a < count; a++) {
			const struct telling t = { ear, userdata, rules[b]->file };

			if (a == b || !shadows(rules[a], rules[b]))
				continue;
			/* of two that shadow each other the second one is told */
			if (b < a && shadows(rules[b], rules[a]))
				continue;
			snprintf(what, sizeof(what),
			         "whenever this rule speaks, \"%.64s\" speaks as well and is at "
			         "work",
			         rules[a]->id);
			tell(&t, rules[b]->when->line,
			     "remove one of them, or tell them apart by scope or condition", what);
			break;
		}
}

static void look_at_tests(const struct telling *t, const struct km_rule *r)
{
	km_autofree_char char *name = km_files_test_of(t->file);

	if (!name || (!r->stable && r->guard.mode < KM_APPROVE) || access(name, F_OK) == 0)
		return;
	tell(t, 1, "write one in the file .test.json beside it",
	     r->stable ? "a stable rule without a test" : "this rule may act and has no test");
}

static void look_at_host(const struct telling *t, const struct km_rule *r,
                         const struct km_host_services *host)
{
	size_t covered = 0;

	if (r->entity != KM_ENTITY_SERVICE || !r->services || !host->count)
		return;
	for (size_t i = 0; i < host->count; i++) {
		struct km_service s = { .kind = KM_BY_UNIT };

		km_copy(s.name, sizeof(s.name), host->name[i]);
		covered += km_rule_covers(r, &s, NULL);
	}
	if (!covered)
		tell(t, 1, "compare it with kmend service list",
		     "the scope covers no service of this host");
	else if (covered == host->count && covered >= ALL_MIN)
		tell(t, 1, "name fewer, or say \"all\"",
		     "the scope covers every service of this host");
}

void km_lookout_rule(const struct km_rule *r, const char *file, uint64_t now_s,
                     const struct km_host_services *host, km_lookout_ear ear, void *userdata)
{
	const struct telling t = { ear, userdata, file };

	if (r->expires_s && now_s >= r->expires_s)
		tell(&t, r->expires_line, "review it and set a later day, or remove it",
		     "this rule has expired and is silent");
	look_at_tests(&t, r);
	if (host)
		look_at_host(&t, r, host);
}

static int add_name(struct km_host_services *h, const char *name)
{
	char **list;

	for (size_t i = 0; i < h->count; i++)
		if (!strcmp(h->name[i], name))
			return 0;
	list = h->count < KM_SERVICES_MAX ? reallocarray(h->name, h->count + 2, sizeof(*list))
	                                  : NULL;
	if (!list)
		return h->count < KM_SERVICES_MAX ? -ENOMEM : 0;
	h->name = list;
	h->name[h->count] = strdup(name);
	h->name[h->count + 1] = NULL;
	if (!h->name[h->count])
		return -ENOMEM;
	h->count++;
	return 0;
}

static int add_units(struct km_host_services *h, const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int r = 0;

	while (dir && r >= 0 && (entry = readdir(dir)))
		if (km_text_is_unit(entry->d_name))
			r = add_name(h, entry->d_name);
	if (dir)
		closedir(dir);
	return r < 0 ? r : 0;
}

static int add_defined(struct km_host_services *h, const char *path)
{
	km_autofree(km_config_freep) struct km_config *config = NULL;
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_error err, doubt;
	int r = km_files_read(path, &err, &doubt, &text);

	if (r == 0)
		r = km_config_compile(km_buf_text(text), text->len, path, &err, &config);
	for (size_t i = 0; r == 0 && i < config->service_count; i++)
		r = add_name(h, config->services[i].name) < 0 ? -ENOMEM : 0;
	return r == -ENOMEM ? r : 0;
}

int km_host_services_read(const char *config, struct km_host_services *ret)
{
	/* cgroup v2, and v1 with v2 or the manager's own hierarchy beside it */
	static const char *const slices[] = { "/sys/fs/cgroup/system.slice",
		                              "/sys/fs/cgroup/unified/system.slice",
		                              "/sys/fs/cgroup/systemd/system.slice" };
	int r = config ? add_defined(ret, config) : 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(slices) && r == 0; i++)
		r = add_units(ret, slices[i]);
	return r;
}

void km_host_services_clear(struct km_host_services *h)
{
	for (size_t i = 0; i < h->count; i++)
		free(h->name[i]);
	free(h->name);
	*h = (struct km_host_services){ 0 };
}

/* "rotate" of a list of files needs that list, and leave to do it. */
static const char *unknown_object(const struct km_step *s, const struct km_policy *policy)
{
	const struct km_files *files;

	switch (s->verb) {
	case KM_RUN:
		return km_policy_program(policy, s->args.object) ? NULL : "no such command";
	case KM_ROTATE:
	case KM_TRUNCATE:
	case KM_FREE_SPACE:
		files = km_policy_files(policy, s->args.object);
		if (!files)
			return "no such files";
		return files->may[s->verb] ? NULL : "files that this must not be done to";
	default:
		return NULL;
	}
}

void km_lookout_policy(const struct km_rule *r, const char *file, const struct km_policy *policy,
                       km_lookout_ear ear, void *userdata)
{
	const struct telling t = { ear, userdata, file };
	char what[256];

	for (unsigned int i = 0; i < r->steps; i++) {
		const struct km_step *s = &r->plan[i];
		const char *object = unknown_object(s, policy);

		if (object) {
			snprintf(what, sizeof(what), "the policy has %s: \"%.64s\"", object,
			         s->args.object);
			tell(&t, s->line, "name it in the policy, or another one here", what);
		}
		if (r->guard.mode < KM_APPROVE || s->verb == KM_NOTIFY || policy->verbs[s->verb])
			continue;
		snprintf(what, sizeof(what), "this rule may act, and the policy forbids \"%s\"",
		         km_verb_names[s->verb]);
		tell(&t, s->line, "add the verb to the policy, or lower the rule's mode", what);
	}
}
