// SPDX-License-Identifier: Apache-2.0
/* Services: their rows, their processes, which of those is the main one. */
#include "attribute/state.h"

struct km_service_row *km_service_row(const struct km_attribute *a, uint64_t id)
{
	return km_table_get(a->services, &id);
}

struct km_service_row *km_service_make(struct km_attribute *a, const struct km_owner *o,
                                       uint64_t now_ns)
{
	struct km_service_row *s;
	int r = km_table_put(a->services, &o->id, &s);

	if (r < 0) {
		km_attribute_misc(a)->refused++;
		return NULL;
	}
	if (r > 0) {
		memcpy(s->pub.name, o->name, sizeof(s->pub.name));
		s->pub.kind = o->kind;
		s->pub.since_ns = now_ns;
	}
	s->pub.defined = o->defined;
	return s;
}

bool km_service_by_main(const struct km_service_row *s)
{
	return s->pub.kind == KM_BY_COMMAND || s->pub.kind == KM_BY_PIDFILE;
}

static void set_main(struct km_service_row *s, const struct km_process_row *p)
{
	s->pub.main_tgid = (uint32_t)p->tgid;
	s->pub.main_start_ns = p->start_ns;
}

static bool child_of_own(const struct km_attribute *a, const struct km_process_row *p)
{
	const struct km_process_row *parent = km_process_find(a, p->ppid, 0);

	return parent && parent->service_id == p->service_id;
}

/* The earliest process whose parent is not of the service. */
static bool better_main(const struct km_attribute *a, const struct km_service_row *s,
                        const struct km_process_row *p)
{
	const struct km_process_row *now =
		km_process_find(a, s->pub.main_tgid, s->pub.main_start_ns);

	if (child_of_own(a, p))
		return false;
	return !now || p->start_ns < now->start_ns || now->ppid == p->tgid;
}

/* A command's main process is the actor's to name; only one that has just been executed in its
 * cgroup is taken for it before that. A pidfile's is the pidfile's to name. */
static bool may_be_main(const struct km_attribute *a, const struct km_service_row *s,
                        const struct km_process_row *p, bool fresh)
{
	if (s->pub.kind == KM_BY_PIDFILE)
		return false;
	if (s->pub.kind == KM_BY_COMMAND && (!fresh || s->pub.main_tgid || s->next_tgid))
		return false;
	return better_main(a, s, p);
}

void km_service_joined(struct km_attribute *a, struct km_service_row *s, struct km_process_row *p,
                       bool fresh)
{
	s->pub.processes++;
	km_service_touch(a, s);
	if (!may_be_main(a, s, p, fresh))
		return;
	set_main(s, p);
	km_image_runs(a, s, p);
}

static void elect_main(struct km_attribute *a, struct km_service_row *s)
{
	const struct km_process_row *p, *best = NULL;
	uint32_t slot = 0;

	while (s->pub.processes > 0 && (p = km_table_next(a->processes, &slot)))
		if (p->service_id == s->pub.id && better_main(a, s, p))
			set_main(s, best = p);
	if (best)
		km_image_runs(a, s, best);
}

/* The end of a main process goes before that of what it left behind. */
static void keep_end(struct km_service_row *s, const struct km_ending *e, bool was_main)
{
	if (km_service_by_main(s) && !was_main)
		return;
	if (s->end_is_main && e->t_ns - s->end.t_ns <= KM_MAIN_END_NS)
		return;
	s->end = *e;
	s->end_is_main = was_main;
}

void km_service_left(struct km_attribute *a, struct km_service_row *s, struct km_process_row *p,
                     const struct km_ending *e)
{
	bool was_main = s->pub.main_tgid == p->tgid &&
	                km_attribute_same_start(s->pub.main_start_ns, p->start_ns);

	if (s->pub.processes > 0)
		s->pub.processes--;
	km_service_touch(a, s);
	if (e)
		keep_end(s, e, was_main);
	else if (s->pub.processes == 0)
		memset(&s->end, 0, sizeof(s->end));
	if (!was_main)
		return;
	s->pub.main_tgid = 0;
	s->pub.main_start_ns = 0;
	if (!km_service_by_main(s))
		elect_main(a, s);
}

static bool forgettable(const struct km_service_row *s, uint64_t since_ns, uint64_t now_ns)
{
	if (now_ns <= since_ns + KM_FORGET_NS)
		return false;
	return km_service_entity(&s->pub) != KM_ENTITY_SERVICE ||
	       (!s->pub.defined && s->pub.state != KM_SERVICE_UP && s->pub.processes == 0 &&
	        !s->dirty);
}

void km_service_forget_old(struct km_attribute *a, uint64_t now_ns)
{
	struct km_service_row *s;
	uint32_t slot = 0;

	while ((s = km_table_next(a->services, &slot))) {
		bool other = km_service_entity(&s->pub) != KM_ENTITY_SERVICE;

		if (!forgettable(s, other ? s->seen_ns : s->pub.since_ns, now_ns))
			continue;
		km_attribute_misc(a)->others -= other;
		km_table_drop(a->services, &s->pub.id);
	}
}
