/* SPDX-License-Identifier: Apache-2.0 */
/* The guards, one row each: all are asked for the record, the first that fails is the reason.
 * A notification changes nothing on the host, so most guards have nothing to keep it from. */
#include "decide/internal.h"

const char *const km_guard_names[KM_GUARD_MAX + 1] = {
	[KM_GUARD_MODE] = "mode",
	[KM_GUARD_PAUSE] = "pause",
	[KM_GUARD_POLICY] = "policy",
	[KM_GUARD_PROTECTED] = "protected",
	[KM_GUARD_QUARANTINE] = "quarantine",
	[KM_GUARD_BUSY] = "busy",
	[KM_GUARD_MANAGER] = "manager",
	[KM_GUARD_LOSS] = "loss",
	[KM_GUARD_FRESH] = "fresh",
	[KM_GUARD_COOLDOWN] = "cooldown",
	[KM_GUARD_BUDGET_RULE] = "budget_rule",
	[KM_GUARD_BUDGET_SERVICE] = "budget_service",
	[KM_GUARD_BUDGET_HOST] = "budget_host",
	[KM_GUARD_MIN_HEALTHY] = "min_healthy",
	[KM_GUARD_WINDOW] = "window",
	[KM_GUARD_MAINTENANCE] = "maintenance",
	[KM_GUARD_NEEDS] = "needs",
	[KM_GUARD_STARVED] = "starved",
	[KM_GUARD_INTENT] = "intent",
	[KM_GUARD_CONCURRENT] = "concurrent",
};

static enum km_verb verb_of(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);

	return step ? step->verb : KM_VERB_NONE;
}

static bool is_down(const struct km_move *m)
{
	return m->service && m->service->state == KM_SERVICE_DOWN;
}

static bool mode(const struct km_move *m)
{
	enum km_mode now;

	if (!m->rule || m->by_operator)
		return false;
	now = km_track_mode(m->d, m->rule);
	return now == KM_AUTO || (now == KM_APPROVE && m->approved);
}

static bool unpaused(const struct km_move *m)
{
	return verb_of(m) == KM_NOTIFY ||
	       (m->d->policy && !m->d->policy->pause && !km_decide_paused_ns(m->d));
}

/* The policy as if kmend were not paused: the pause has a row of its own. */
static struct km_policy unpaused_policy(const struct km_move *m)
{
	struct km_policy p = *m->d->policy;

	p.pause = false;
	return p;
}

/* Verb and scope alone: what is protected is in no scope, and has a row of its own. */
static bool policy(const struct km_move *m)
{
	const char *name = m->r->last.service;
	enum km_verb verb = verb_of(m);
	struct km_policy p;

	if (verb == KM_NOTIFY)
		return true;
	if (!m->d->policy || !m->d->policy->verbs[verb])
		return false;
	p = unpaused_policy(m);
	return km_policy_protects(&p, name) || km_policy_allows(&p, verb, name);
}

static bool unprotected(const struct km_move *m)
{
	const char *name = m->r->last.service;
	const struct km_service_def *def =
		m->d->config ? km_config_service(m->d->config, name) : NULL;
	enum km_verb verb = verb_of(m);
	struct km_policy p;

	if (verb == KM_NOTIFY)
		return true;
	/* A filesystem, a device, an endpoint, the host: nothing that can be restarted. */
	if (m->service && km_service_entity(m->service) != KM_ENTITY_SERVICE)
		return km_verb_of_host(verb);
	if (!m->d->policy)
		return true;
	p = unpaused_policy(m);
	if (km_policy_protects(&p, name))
		return false;
	/* A harmless name for something precious: allowed by name, not by what it is. */
	return !def || !km_policy_allows(&p, verb, name) || km_policy_allows_def(&p, verb, def);
}

static bool no_quarantine(const struct km_move *m)
{
	return verb_of(m) == KM_NOTIFY || !km_quarantine_has(m->d, m->r->service_id);
}

bool km_guard_at_work(const struct km_decide *d, const struct km_service *s, uint64_t service_id,
                      uint64_t self)
{
	const struct km_repair *r;
	uint32_t slot = 0;

	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot))) {
		if (r->service_id != service_id || r->rule_key == self || r->concluded ||
		    r->last.verb == KM_NOTIFY)
			continue;
		if (r->state == KM_R_ACTING)
			return true;
		/* A service that went down while its repair was being looked at needs help, not
		 * patience. */
		if (r->state == KM_R_VERIFYING && !(s && s->state == KM_SERVICE_DOWN))
			return true;
	}
	return false;
}

static bool idle(const struct km_move *m)
{
	return verb_of(m) == KM_NOTIFY ||
	       !km_guard_at_work(m->d, m->service, m->r->service_id, m->r->rule_key);
}

static bool not_by_manager(const struct km_move *m)
{
	const struct km_ending *last;
	enum km_verb verb = verb_of(m);

	if (!is_down(m) || (verb != KM_START && verb != KM_RESTART))
		return true;
	if (m->service->kind != KM_BY_UNIT && m->service->kind != KM_BY_CONTAINER)
		return true;
	last = &m->service->last;
	if (last->signal && last->sender_tgid == 1)
		return false;
	return !(m->service->kind == KM_BY_UNIT && last->known && last->exit_code == 0 &&
	         !last->oom);
}

/* What was lost could be the evidence against the act; not so where the service is gone and the
 * kernel said how, and not for a first start: there is nothing to break. */
static bool lossless(const struct km_move *m)
{
	enum km_verb verb = verb_of(m);

	if (!m->w->lossy || verb == KM_NOTIFY || !m->r->rule_key)
		return true;
	return (verb == KM_START || verb == KM_RESTART) && is_down(m) && m->service->last.known;
}

static uint64_t stale_ns(const struct km_decide *d)
{
	uint64_t period = d->config ? d->config->settings.sample_period_ns : KM_NS_PER_S;

	return KM_STALE_PERIODS * period;
}

/* An event stays true; a forecast or a level must still be said. */
static bool fresh(const struct km_move *m)
{
	if (!km_repair_lasting(m->r))
		return true;
	return m->r->evidence_ns + stale_ns(m->d) >= m->w->now_ns;
}

static bool cool(const struct km_move *m)
{
	return km_backoff_cooldown_until(m) <= m->w->now_ns;
}

/* NAME is up, and nothing is being done to it. */
static bool counts_as_healthy(const struct km_move *m, const char *name)
{
	const struct km_service *s = km_attribute_service_by_name(m->w->attribute, name);

	return s && s->state == KM_SERVICE_UP && s->id != m->r->service_id &&
	       !km_guard_at_work(m->d, s, s->id, UINT64_MAX);
}

static bool enough_healthy(const struct km_move *m)
{
	const struct km_config *c = m->d->config;
	const struct km_service_def *def;
	enum km_verb verb = verb_of(m);
	uint32_t healthy = 0;

	if (!m->rule || !m->rule->guard.min_healthy || (verb != KM_STOP && verb != KM_RESTART))
		return true;
	if (!m->service || m->service->state != KM_SERVICE_UP)
		return true;
	def = c ? km_config_service(c, m->r->last.service) : NULL;
	if (!def || !def->group[0])
		return false;
	for (size_t i = 0; i < c->service_count; i++)
		if (!strcmp(c->services[i].group, def->group) &&
		    counts_as_healthy(m, c->services[i].name))
			healthy++;
	return healthy >= m->rule->guard.min_healthy;
}

/* Without the time of day no window is open. */
static bool in_window(const struct km_move *m)
{
	const struct km_guard_spec *g = m->rule ? &m->rule->guard : NULL;

	if (verb_of(m) == KM_NOTIFY || !g || !g->windows)
		return true;
	for (unsigned int i = 0; m->w->realtime_s && i < g->windows; i++)
		if (km_window_open(&g->window[i], m->w->realtime_s))
			return true;
	return false;
}

static uint64_t window_until(const struct km_move *m)
{
	const struct km_guard_spec *g = &m->rule->guard;
	uint64_t first = 0;

	for (unsigned int i = 0; m->w->realtime_s && i < g->windows; i++) {
		uint64_t next = km_window_next_s(&g->window[i], m->w->realtime_s);

		if (next && (!first || next < first))
			first = next;
	}
	return first ? m->w->now_ns + (first - m->w->realtime_s) * KM_NS_PER_S : 0;
}

/* The policy's times are for repairs: a host that comes up in one of them starts what it runs. */
static bool maintained_by_policy(const struct km_move *m)
{
	return m->d->policy && m->r->rule_key && m->w->realtime_s &&
	       km_policy_maintains(m->d->policy, m->r->last.service, m->w->realtime_s);
}

static bool unmaintained(const struct km_move *m)
{
	return verb_of(m) == KM_NOTIFY ||
	       (!km_maintain_is(m->d, m->r->service_id, m->w->now_ns, NULL) &&
	        !maintained_by_policy(m));
}

static uint64_t maintenance_until(const struct km_move *m)
{
	uint64_t until = 0;

	km_maintain_is(m->d, m->r->service_id, m->w->now_ns, &until);
	return until;
}

/* Until when what somebody ended on purpose is left to him; 0: nobody did. */
static uint64_t intent_until(const struct km_move *m)
{
	const struct km_ending *last;

	if (!m->service || !is_down(m) || !m->d->config)
		return 0;
	last = &m->service->last;
	if (!last->signal)
		return 0;
	if (last->sender != KM_SENDER_OPERATOR && last->sender != KM_SENDER_SUPERVISOR)
		return 0;
	return last->t_ns + m->d->config->settings.leave_alone_ns;
}

static bool unintended(const struct km_move *m)
{
	enum km_verb verb = verb_of(m);

	return (verb != KM_START && verb != KM_RESTART) || intent_until(m) <= m->w->now_ns;
}

/* waits: the guard may open by itself, so what an event asked for is looked at again. */
static const struct {
	bool (*passes)(const struct km_move *m);
	bool waits;
} guards[KM_GUARD_MAX] = {
	[KM_GUARD_MODE] = { mode, false },
	[KM_GUARD_PAUSE] = { unpaused, true },
	[KM_GUARD_POLICY] = { policy, false },
	[KM_GUARD_PROTECTED] = { unprotected, false },
	[KM_GUARD_QUARANTINE] = { no_quarantine, false },
	[KM_GUARD_BUSY] = { idle, true },
	[KM_GUARD_MANAGER] = { not_by_manager, false },
	[KM_GUARD_LOSS] = { lossless, true },
	[KM_GUARD_FRESH] = { fresh, false },
	[KM_GUARD_COOLDOWN] = { cool, true },
	[KM_GUARD_BUDGET_RULE] = { km_budget_rule, true },
	[KM_GUARD_BUDGET_SERVICE] = { km_budget_service, true },
	[KM_GUARD_BUDGET_HOST] = { km_budget_host, true },
	[KM_GUARD_MIN_HEALTHY] = { enough_healthy, true },
	[KM_GUARD_WINDOW] = { in_window, true },
	[KM_GUARD_MAINTENANCE] = { unmaintained, true },
	[KM_GUARD_NEEDS] = { km_depend_ready, true },
	[KM_GUARD_STARVED] = { km_starved_not, true },
	[KM_GUARD_INTENT] = { unintended, true },
	[KM_GUARD_CONCURRENT] = { km_storm_room, true },
};

void km_guard_look(struct km_move *m)
{
	m->looked = true;
	m->passed = 0;
	m->guard = KM_GUARD_MAX;
	for (unsigned int i = 0; i < KM_GUARD_MAX; i++) {
		if (guards[i].passes(m))
			m->passed |= 1U << i;
		else if (m->guard == KM_GUARD_MAX)
			m->guard = i;
	}
}

uint64_t km_guard_until(const struct km_move *m)
{
	uint64_t until;

	if (m->guard == KM_GUARD_MAX || !guards[m->guard].waits)
		return 0;
	if (m->guard == KM_GUARD_COOLDOWN)
		until = km_backoff_cooldown_until(m);
	else if (m->guard == KM_GUARD_WINDOW)
		until = window_until(m);
	else if (m->guard == KM_GUARD_MAINTENANCE)
		until = maintenance_until(m);
	else if (m->guard == KM_GUARD_INTENT)
		until = intent_until(m);
	else if (m->guard == KM_GUARD_NEEDS)
		until = km_depend_until(m);
	else
		until = km_budget_guard_until(m, m->guard);
	/* A table without room, or a guard that no time opens. */
	return until > m->w->now_ns ? until : m->w->now_ns + KM_LOOK_AGAIN_NS;
}

/* Looked at again before anything that was put off. */
bool km_guard_trigger_holds(const struct km_move *m)
{
	if (!m->service || !m->rule)
		return false;
	if (!m->r->rule_key)
		return m->service->state != KM_SERVICE_UP;
	if (km_repair_lasting(m->r))
		return fresh(m);
	return m->r->last.event != KM_EV_ENDED || is_down(m);
}
