// SPDX-License-Identifier: Apache-2.0
/* Phase 3: life of the object, definitions, and what others may ask. */
#include "attribute/state.h"

const char *const km_service_state_names[KM_SERVICE_STATE_MAX + 1] = {
	[KM_SERVICE_UNKNOWN] = "unknown",
	[KM_SERVICE_UP] = "up",
	[KM_SERVICE_DOWN] = "down",
};

const char *const km_event_names[KM_EV_MAX + 1] = {
	[KM_EV_NONE] = "none",           [KM_EV_STARTED] = "started",
	[KM_EV_ENDED] = "ended",         [KM_EV_OOM] = "oom",
	[KM_EV_SIGNALED] = "signaled",   [KM_EV_CONNECT_FAILED] = "connect_failed",
	[KM_EV_UNHEALTHY] = "unhealthy", [KM_EV_HEALTHY] = "healthy",
	[KM_EV_ENDPOINT] = "endpoint",
};

int km_attribute_new(struct km_attribute **ret)
{
	km_autofree(km_attribute_freep) struct km_attribute *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	r = km_attribute_tables_new(a);
	if (r < 0)
		return r;
	*ret = km_take(a);
	return 0;
}

struct km_attribute *km_attribute_free(struct km_attribute *a)
{
	if (!a)
		return NULL;
	km_table_free(a->services);
	km_table_free(a->cgroups);
	km_table_free(a->processes);
	km_table_free(a->ended);
	km_table_free(a->misc);
	km_table_free(a->checks);
	km_table_free(a->endpoints);
	free(a->executables);
	free(a);
	return NULL;
}

static int list_executables(struct km_attribute *a, const struct km_config *c)
{
	struct km_executable *list = calloc(c->service_count + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < c->service_count; i++) {
		const struct km_service_def *d = &c->services[i];

		if (d->kind != KM_BY_EXECUTABLE)
			continue;
		list[n].path_hash = km_path_hash(d->match);
		list[n++].service_id = km_service_id(d->kind, d->name);
	}
	free(a->executables);
	a->executables = list;
	a->executable_count = n;
	return 0;
}

static void drop_undefined(struct km_attribute *a, const struct km_config *c)
{
	struct km_service_row *s;
	uint32_t slot = 0;

	while ((s = km_table_next(a->services, &slot))) {
		const struct km_service_def *d = km_config_service(c, s->pub.name);

		if (!s->pub.defined || (d && (uint32_t)d->kind == s->pub.kind))
			continue;
		s->pub.defined = 0;
		if (s->pub.processes > 0)
			continue;
		if (s->dirty)
			km_attribute_misc(a)->dirty--;
		km_table_drop(a->services, &s->pub.id);
	}
}

static void add_defined(struct km_attribute *a, const struct km_config *c, uint64_t now_ns)
{
	for (size_t i = 0; i < c->service_count; i++) {
		struct km_owner o = { .kind = c->services[i].kind, .defined = 1 };

		km_copy(o.name, sizeof(o.name), c->services[i].name);
		o.id = km_service_id(o.kind, o.name);
		km_service_make(a, &o, now_ns);
	}
}

int km_attribute_configure(struct km_attribute *a, const struct km_config *c, uint64_t now_ns)
{
	int r = list_executables(a, c);

	if (r < 0)
		return r;
	a->config = c;
	drop_undefined(a, c);
	add_defined(a, c, now_ns);
	km_endpoint_configure(a, now_ns);
	km_cgroup_resolve_all(a);
	km_process_place_all(a, 0);
	return 0;
}

void km_attribute_expect_end(struct km_attribute *a, uint64_t service_id, uint64_t until_ns)
{
	struct km_service_row *s = km_service_row(a, service_id);

	if (!s)
		return;
	s->expect_from_ns = km_attribute_misc(a)->now_ns;
	s->expect_until_ns = until_ns;
}

struct km_service *km_attribute_service(const struct km_attribute *a, uint64_t id)
{
	struct km_service_row *s = km_service_row(a, id);

	return s ? &s->pub : NULL;
}

/* A definition goes before a discovered service of the same name. */
struct km_service *km_attribute_service_by_name(const struct km_attribute *a, const char *name)
{
	struct km_service_row *found = NULL;

	for (uint32_t kind = 0; kind < KM_SERVICE_KIND_MAX; kind++) {
		struct km_service_row *s = km_service_row(a, km_service_id(kind, name));

		if (s && (!found || s->pub.defined > found->pub.defined))
			found = s;
	}
	return found ? &found->pub : NULL;
}

struct km_service *km_attribute_next(const struct km_attribute *a, uint32_t *slot)
{
	struct km_service_row *s = km_table_next(a->services, slot);

	return s ? &s->pub : NULL;
}

bool km_attribute_owns(const struct km_attribute *a, const struct km_service *s, uint32_t tgid,
                       uint64_t start_ns)
{
	const struct km_process_row *p = km_process_find(a, tgid, start_ns);
	const struct km_ended_row *e;

	if (p)
		return p->service_id == s->id;
	e = km_process_find_ended(a, tgid, start_ns);
	return e && e->service_id == s->id;
}
