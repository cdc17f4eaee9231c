// SPDX-License-Identifier: Apache-2.0
/* One cause, one repair: what a service needs is repaired before the service itself, and who died
 * of it is not touched until it is back. */
#include "decide/internal.h"

/* With health checks: how long one that is up may go on without a result before who needs it is
 * started all the same. */
#define READY_NS (30 * KM_NS_PER_S)
/* How often what is missing is looked for again; a repair that ends wakes at once. */
#define LOOK_NS KM_NS_PER_S

static const struct km_service_def *def_of(const struct km_move *m)
{
	const struct km_config *c = m->d->config;

	return c ? km_config_service(c, m->r->last.service) : NULL;
}

/* For a first start: up, and answering if somebody asks. */
static bool is_ready(const struct km_move *m, const struct km_service_def *def,
                     const struct km_service *s)
{
	if (s->state != KM_SERVICE_UP)
		return def->kind != KM_BY_COMMAND || !def->autostart;
	return !km_service_is_checked(def) || s->health != KM_HEALTH_UNKNOWN ||
	       m->w->now_ns >= s->since_ns + READY_NS;
}

static bool is_missing(const struct km_move *m, const struct km_service_def *def)
{
	const struct km_service *s = km_attribute_service_by_name(m->w->attribute, def->name);

	if (!s)
		return false;
	if (s->state == KM_SERVICE_DOWN || s->health == KM_UNHEALTHY ||
	    km_quarantine_has(m->d, s->id) || km_guard_at_work(m->d, s, s->id, UINT64_MAX))
		return true;
	return !m->r->rule_key && !is_ready(m, def, s);
}

const struct km_service *km_depend_root(const struct km_move *m)
{
	const struct km_service_def *def = def_of(m), *root = NULL;
	struct km_service_set needed;

	if (!def || !def->need_count)
		return NULL;
	km_config_needed(m->d->config, def, &needed);
	for (size_t i = 0; i < m->d->config->service_count; i++) {
		const struct km_service_def *n = &m->d->config->services[i];

		if (km_service_set_has(&needed, i) && (!root || n->rank < root->rank) &&
		    is_missing(m, n))
			root = n;
	}
	return root ? km_attribute_service_by_name(m->w->attribute, root->name) : NULL;
}

bool km_depend_has_needs(const struct km_move *m)
{
	const struct km_service_def *def = def_of(m);

	return def && def->need_count;
}

/* Boot time from which on all ends that belong to this one have been heard. */
static uint64_t heard_ns(const struct km_move *m)
{
	if (!m->service || m->service->state != KM_SERVICE_DOWN || !km_depend_has_needs(m))
		return 0;
	return m->service->since_ns + KM_HEARD_NS;
}

bool km_depend_listens(const struct km_move *m)
{
	return m->w->now_ns < heard_ns(m) && !km_depend_root(m);
}

bool km_depend_ready(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);

	if (!step || step->verb == KM_NOTIFY || !km_depend_has_needs(m))
		return true;
	/* To go on without what it needs is what these are for. */
	if (step->verb == KM_FAIL_OVER || step->verb == KM_FAIL_BACK)
		return true;
	return m->w->now_ns >= heard_ns(m) && !km_depend_root(m);
}

uint64_t km_depend_until(const struct km_move *m)
{
	return km_depend_listens(m) ? heard_ns(m) : m->w->now_ns + LOOK_NS;
}
