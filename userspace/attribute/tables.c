// SPDX-License-Identifier: Apache-2.0
/* The tables of phase 3 and what a restored row must fulfil. */
#include "attribute/state.h"

static bool flag(uint32_t v)
{
	return v <= 1;
}

static bool ending_valid(const struct km_ending *e)
{
	return memchr(e->sender_comm, 0, sizeof(e->sender_comm)) && e->exit_code <= 0xffff &&
	       e->signal <= 64 && flag(e->oom) && flag(e->known) && flag(e->asked) &&
	       e->sender < KM_SENDER_MAX;
}

static bool service_valid(const void *row)
{
	const struct km_service_row *s = row;
	const struct km_service *p = &s->pub;

	return p->id != 0 && memchr(p->name, 0, sizeof(p->name)) && p->kind < KM_SERVICE_KIND_MAX &&
	       p->id == km_service_id(p->kind, p->name) && flag(p->defined) &&
	       p->state < KM_SERVICE_STATE_MAX && p->health < KM_HEALTH_MAX &&
	       p->processes <= KM_PROCESSES_MAX && ending_valid(&p->last) &&
	       ending_valid(&s->end) && flag(s->end_is_main) && flag(s->stillborn) &&
	       flag(s->dirty) && p->images <= KM_IMAGES_MAX;
}

static bool cgroup_valid(const void *row)
{
	const struct km_cgroup_row *c = row;

	return c->id != 0 && memchr(c->path, 0, sizeof(c->path));
}

static bool process_valid(const void *row)
{
	const struct km_process_row *p = row;

	return p->tgid != 0 && p->tgid <= UINT32_MAX && p->signal <= 64 && flag(p->oom) &&
	       p->missed <= KM_PASSES_MISSED && p->sender < KM_SENDER_MAX && flag(p->looked) &&
	       memchr(p->sender_comm, 0, sizeof(p->sender_comm));
}

static bool ended_valid(const void *row)
{
	const struct km_ended_row *e = row;

	return e->tgid != 0 && e->tgid == e->end.tgid && ending_valid(&e->end);
}

static bool misc_valid(const void *row)
{
	const struct km_attribute_misc *m = row;

	return m->key == 1 && m->dirty <= KM_SERVICES_MAX && m->others <= KM_OTHERS_MAX &&
	       m->partial <= 1;
}

#define TABLE(table_name, max, type, check)                                        \
	{                                                                          \
		.name = (table_name), .rows_max = (max), .row_size = sizeof(type), \
		.key_size = sizeof(uint64_t), .valid = (check)                     \
	}

int km_attribute_tables_new(struct km_attribute *a)
{
	static const struct km_table_opts services =
		TABLE("services", KM_SERVICES_MAX, struct km_service_row, service_valid);
	static const struct km_table_opts cgroups =
		TABLE("cgroups", KM_CGROUPS_MAX, struct km_cgroup_row, cgroup_valid);
	static const struct km_table_opts processes =
		TABLE("processes", KM_PROCESSES_MAX, struct km_process_row, process_valid);
	static const struct km_table_opts ended =
		TABLE("ended", KM_ENDED_MAX, struct km_ended_row, ended_valid);
	static const struct km_table_opts misc =
		TABLE("attribute", 1, struct km_attribute_misc, misc_valid);
	int r;

	r = km_table_new(&services, &a->services);
	if (r == 0)
		r = km_table_new(&cgroups, &a->cgroups);
	if (r == 0)
		r = km_table_new(&processes, &a->processes);
	if (r == 0)
		r = km_table_new(&ended, &a->ended);
	if (r == 0)
		r = km_table_new(&misc, &a->misc);
	if (r == 0)
		r = km_health_table_new(&a->checks);
	return r < 0 ? r : km_endpoint_table_new(&a->endpoints);
}

/* Looked up each time: a restore puts another row in its place. Room for the one row is there
 * since km_table_new(). */
struct km_attribute_misc *km_attribute_misc(struct km_attribute *a)
{
	uint64_t key = 1;

	if (!a->misc_row)
		km_table_put(a->misc, &key, &a->misc_row);
	return a->misc_row;
}

size_t km_attribute_tables(struct km_attribute *a, struct km_table **ret, size_t max)
{
	struct km_table *const all[] = { a->services, a->cgroups, a->processes, a->ended,
		                         a->misc,     a->checks,  a->endpoints };
	size_t n = 0;

	while (n < KM_ARRAY_SIZE(all) && n < max) {
		ret[n] = all[n];
		n++;
	}
	return n;
}
