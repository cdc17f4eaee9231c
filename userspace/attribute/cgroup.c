// SPDX-License-Identifier: Apache-2.0
/* Cgroups: id to path, path to service. */
#include "attribute/state.h"

static bool below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && (path[n] == 0 || path[n] == '/');
}

/* Supervised commands are known by the cgroup that the actor named; what they make below it is
 * theirs as well. */
static uint64_t bound_above(const struct km_attribute *a, const char *path)
{
	const struct km_service_row *s;
	uint32_t slot = 0;

	while ((s = km_table_next(a->services, &slot))) {
		const struct km_cgroup_row *top;

		if (s->pub.kind != KM_BY_COMMAND || s->pub.cgroup_id == 0)
			continue;
		top = km_table_get(a->cgroups, &s->pub.cgroup_id);
		if (top && top->path[0] && below(path, top->path))
			return s->pub.id;
	}
	return 0;
}

/* The topmost cgroup stands for the service; of two as high the newer one, the other is going. */
static void take_as_top(struct km_attribute *a, struct km_service_row *s,
                        const struct km_cgroup_row *c)
{
	const struct km_cgroup_row *top = km_table_get(a->cgroups, &s->pub.cgroup_id);

	if (top && top->bound_id == s->pub.id)
		return;
	if (!top || top->service_id != s->pub.id || strlen(c->path) <= strlen(top->path))
		s->pub.cgroup_id = c->id;
}

static void find_top(struct km_attribute *a, struct km_service_row *s)
{
	const struct km_cgroup_row *c;
	uint32_t slot = 0;

	s->pub.cgroup_id = 0;
	while ((c = km_table_next(a->cgroups, &slot)))
		if (c->service_id == s->pub.id)
			take_as_top(a, s, c);
}

static void resolve(struct km_attribute *a, struct km_cgroup_row *c)
{
	uint64_t before = c->service_id;
	struct km_service_row *s;
	struct km_owner o;

	c->service_id = c->bound_id ? c->bound_id : bound_above(a, c->path);
	if (!c->service_id) {
		km_resolve_path(a->config, c->path, &o);
		c->service_id = o.id;
	}
	if (before && before != c->service_id) {
		s = km_service_row(a, before);
		if (s && s->pub.cgroup_id == c->id)
			find_top(a, s);
	}
	s = c->service_id ? km_service_row(a, c->service_id) : NULL;
	if (s)
		take_as_top(a, s, c);
}

void km_cgroup_seen(struct km_attribute *a, uint64_t id, const char *path)
{
	struct km_cgroup_row *c;
	int r = km_table_put(a->cgroups, &id, &c);

	if (r < 0) {
		km_attribute_misc(a)->refused++;
		return;
	}
	if (r == 0 && !strcmp(c->path, path))
		return;
	memset(c->path, 0, sizeof(c->path));
	km_copy(c->path, sizeof(c->path), path);
	resolve(a, c);
	km_process_place_all(a, id);
}

void km_cgroup_bind(struct km_attribute *a, uint64_t id, struct km_service_row *s)
{
	struct km_cgroup_row *c, *other;
	uint32_t slot = 0;

	if (id == 0)
		return;
	if (km_table_put(a->cgroups, &id, &c) < 0) {
		km_attribute_misc(a)->refused++;
		return;
	}
	if (c->bound_id == s->pub.id && s->pub.cgroup_id == id)
		return;
	c->bound_id = s->pub.id;
	c->service_id = s->pub.id;
	s->pub.cgroup_id = id;
	while ((other = km_table_next(a->cgroups, &slot)))
		if (c->path[0] && other != c && below(other->path, c->path))
			resolve(a, other);
	km_process_place_all(a, 0);
}

/* A cgroup cannot go while it holds a process: who is still thought to be in it either moved, then
 * the next pass finds it elsewhere, or ended unheard, then the next pass misses it. */
void km_cgroup_gone(struct km_attribute *a, uint64_t id)
{
	struct km_cgroup_row *c = km_table_get(a->cgroups, &id);
	struct km_process_row *p;
	struct km_service_row *s;
	uint32_t slot = 0;

	while ((p = km_table_next(a->processes, &slot)))
		if (p->cgroup_id == id && p->missed == 0)
			p->missed = KM_PASSES_MISSED - 1;
	if (!c)
		return;
	s = c->service_id ? km_service_row(a, c->service_id) : NULL;
	km_table_drop(a->cgroups, &id);
	if (s && s->pub.cgroup_id == id)
		find_top(a, s);
}

void km_cgroup_resolve_all(struct km_attribute *a)
{
	struct km_cgroup_row *c;
	uint32_t slot = 0;

	while ((c = km_table_next(a->cgroups, &slot))) {
		if (c->bound_id && !km_service_row(a, c->bound_id))
			c->bound_id = 0;
		resolve(a, c);
	}
}

struct km_service_row *km_cgroup_service(struct km_attribute *a, uint64_t id, bool make)
{
	const struct km_cgroup_row *c = id ? km_table_get(a->cgroups, &id) : NULL;
	struct km_service_row *s;
	struct km_owner o;

	if (!c || !c->service_id)
		return NULL;
	s = km_service_row(a, c->service_id);
	if (s || !make)
		return s;
	km_resolve_path(a->config, c->path, &o);
	if (o.id != c->service_id)
		return NULL;
	s = km_service_make(a, &o, km_attribute_misc(a)->now_ns);
	if (s)
		find_top(a, s);
	return s;
}
